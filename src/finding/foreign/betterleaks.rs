//! betterleaks: `findings` of objects with `rule_id` and `match`, whole or one a line.

use std::path::PathBuf;

use serde_json::Value;

use super::{Reported, place, value};

pub(super) fn read(objects: &[Value], _folders: &[PathBuf]) -> Option<Vec<Reported>> {
    let whole = |one: &Value| one["schema_version"].is_string() && one["findings"].is_array();
    match objects {
        [one] if whole(one) => Some(one["findings"].as_array()?.iter().map(reported).collect()),
        [first, ..] if first["rule_id"].is_string() && first["match"].is_object() => {
            Some(objects.iter().map(reported).collect())
        }
        _ => None,
    }
}

fn reported(one: &Value) -> Reported {
    Reported {
        rule: one["rule_id"].as_str().unwrap_or_default().to_owned(),
        place: place(one["location"]["path"].as_str(), one["location"]["start_line"].as_u64()),
        values: value(one["match"]["value"].as_str()).into_iter().collect(),
    }
}
