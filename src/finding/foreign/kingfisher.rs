//! kingfisher: objects with `rule` and `finding`, in one document's `findings` or one a line.

use std::path::PathBuf;

use serde_json::Value;

use super::{Reported, place, value};

pub(super) fn read(objects: &[Value], _folders: &[PathBuf]) -> Option<Vec<Reported>> {
    let is_one = |one: &Value| one["rule"]["id"].is_string() && one["finding"].is_object();
    let listed = objects.iter().flat_map(|one| match one["findings"].as_array() {
        Some(list) => list.iter().collect(),
        None => vec![one],
    });
    // The last line of a report is an account of the run.
    let found: Vec<&Value> = listed.filter(|one| is_one(one)).collect();
    let is_empty_report =
        || objects.iter().any(|one| one["audit"]["schema"].as_str().is_some_and(|name| name.starts_with("kingfisher")));
    (!found.is_empty() || is_empty_report()).then(|| found.into_iter().map(reported).collect())
}

fn reported(one: &Value) -> Reported {
    let finding = &one["finding"];
    Reported {
        rule: one["rule"]["id"].as_str().unwrap_or_default().to_owned(),
        place: place(finding["path"].as_str(), finding["line"].as_u64()),
        values: value(finding["snippet"].as_str()).into_iter().collect(),
    }
}
