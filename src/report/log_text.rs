//! The log of a case at the terminal: one line an entry, what it says first.

use std::io::{self, Write};

use serde_json::Value;

use super::moment;
use super::words::Tame;
use crate::audit::Entry;

/// What says nothing to a reader, or was said by the columns before.
const LEFT_OUT: [&str; 5] = ["plan", "step", "action", "target", "files"];

/// Items of a list that are shown.
const SHOWN: usize = 3;

/// Writes one line an entry: number, time, kind, step with its action and target, then the other facts as `name value`.
///
/// # Errors
/// Those of the writer.
pub fn log_text(entries: &[Entry], out: &mut dyn Write) -> io::Result<()> {
    let out = &mut Tame::new(out);
    for entry in entries {
        let text = |name: &str| entry.data[name].as_str();
        let columns = ["step", "action", "target"].into_iter().filter_map(text);
        let rest = entry.data.as_object().into_iter().flatten();
        let rest = rest.filter(|(name, value)| !LEFT_OUT.contains(&name.as_str()) && !value.is_null());
        let facts: Vec<String> = rest.map(|(name, value)| format!("{name} {}", fact(value))).collect();
        let said: Vec<&str> = columns.chain(facts.iter().map(String::as_str)).collect();
        writeln!(
            out,
            "{:>5}  {}  {:<12} {}",
            entry.seq,
            moment(&entry.time),
            entry.kind,
            said.join("  ").replace('\n', " ")
        )?;
    }
    out.flush()
}

/// A value in a few words; of long lists the beginning.
fn fact(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(Value::is_string) && list.len() <= SHOWN => {
            list.iter().map(fact).collect::<Vec<_>>().join(", ")
        }
        Value::Array(list) => list.len().to_string(),
        Value::Object(map) => map.iter().map(|(name, value)| named(name, value)).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// `is` and `why` of a state speak for themselves, and so do the facts of a receipt.
fn named(name: &str, value: &Value) -> String {
    if matches!(name, "is" | "why" | "facts") { fact(value) } else { format!("{name}: {}", fact(value)) }
}
