//! One line of the log.

use serde::{Deserialize, Serialize};

/// One entry. Its canonical form is this struct as JSON: fields in this order, keys inside `data` sorted, no blanks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number, from 0 without gaps.
    pub seq: u64,
    /// When, RFC 3339 in UTC.
    pub time: String,
    /// What sort of entry: `case-opened`, `plan-sealed`, `intent`, `outcome`, `confirmed` …
    pub kind: String,
    /// Facts; never a value.
    pub data: serde_json::Value,
    /// Leaf hash of the entry before, hexadecimal; empty for the first.
    pub prev: String,
}

impl Entry {
    /// The bytes that are hashed and stored.
    pub(super) fn canonical(&self) -> String {
        let mut sorted = self.clone();
        sorted.data = sort(sorted.data);
        serde_json::to_string(&sorted).expect("because strings, numbers and JSON values always serialise")
    }
}

fn sort(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(map) => {
            let mut pairs: Vec<_> = map.into_iter().map(|(key, value)| (key, sort(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            serde_json::Value::Object(pairs.into_iter().collect())
        }
        serde_json::Value::Array(list) => serde_json::Value::Array(list.into_iter().map(sort).collect()),
        other => other,
    }
}
