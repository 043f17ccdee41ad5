//! gitleaks: a list of objects with `RuleID` and `Secret`.

use std::path::PathBuf;

use serde_json::Value;

use super::{Reported, place, value};

pub(super) fn read(objects: &[Value], _folders: &[PathBuf]) -> Option<Vec<Reported>> {
    // An empty list is what gitleaks writes when it found nothing.
    objects.iter().all(|one| one["RuleID"].is_string()).then(|| objects.iter().map(reported).collect())
}

fn reported(one: &Value) -> Reported {
    Reported {
        rule: one["RuleID"].as_str().unwrap_or_default().to_owned(),
        place: place(one["File"].as_str(), one["StartLine"].as_u64()),
        values: value(one["Secret"].as_str()).into_iter().collect(),
    }
}
