//! TruffleHog: one object a line with `DetectorName`, `Raw` and `SourceMetadata`.

use std::path::PathBuf;

use serde_json::Value;

use super::{Reported, place, value};

pub(super) fn read(objects: &[Value], _folders: &[PathBuf]) -> Option<Vec<Reported>> {
    let found: Vec<&Value> = objects.iter().filter(|one| one["SourceMetadata"].is_object()).collect();
    (!found.is_empty()).then(|| found.into_iter().map(reported).collect())
}

fn reported(one: &Value) -> Reported {
    // Data has one member, named by the kind of source.
    let data = one["SourceMetadata"]["Data"].as_object().and_then(|data| data.values().next()).unwrap_or(&Value::Null);
    let raw = one["Raw"].as_str().unwrap_or_default();
    // For credentials of two parts RawV2 holds both, often behind each other.
    let rest = one["RawV2"].as_str().map(|both| both.strip_prefix(raw).unwrap_or(both).trim_start_matches(':'));
    let values = [Some(raw), rest].into_iter().filter_map(value).collect();
    Reported {
        rule: one["DetectorName"].as_str().unwrap_or("unknown").to_owned(),
        place: place(data["file"].as_str(), data["line"].as_u64()),
        values,
    }
}
