//! YAML as a tree of JSON values: enough for the files of other scanners. Numbers stay text unless they are whole.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Nesting beyond which a file is not one of a scanner's.
const DEPTH: usize = 64;

/// What is open while reading.
enum Open {
    List(Vec<Value>),
    Table(Map<String, Value>, Option<String>),
}

/// Reads the first document.
///
/// # Errors
/// Why it is no YAML of the form that scanners write: a mistake in it, an alias, or nesting without end.
pub fn yaml(text: &str) -> Result<Value, String> {
    let mut open: Vec<Open> = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let done = match event {
            Event::SequenceStart(..) => {
                open.push(Open::List(Vec::new()));
                None
            }
            Event::MappingStart(..) => {
                open.push(Open::Table(Map::new(), None));
                None
            }
            Event::SequenceEnd | Event::MappingEnd => open.pop().map(|ended| match ended {
                Open::List(list) => Value::Array(list),
                Open::Table(table, _) => Value::Object(table),
            }),
            Event::Scalar(text, style, ..) => Some(scalar(&text, style)),
            Event::Alias(_) => return Err("it uses an alias".to_owned()),
            Event::DocumentEnd => break,
            _ => None,
        };
        if open.len() > DEPTH {
            return Err("it is nested too deeply".to_owned());
        }
        let Some(value) = done else { continue };
        match open.last_mut() {
            None => return Ok(value),
            Some(Open::List(list)) => list.push(value),
            Some(Open::Table(table, key)) => match key.take() {
                None => *key = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
                Some(key) => drop(table.insert(key, value)),
            },
        }
    }
    Ok(Value::Null)
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    if style != ScalarStyle::Plain {
        return Value::String(text.to_owned());
    }
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_lists_and_blocks_are_read() {
        let text = "rules:\n  - name: a\n    min: 3\n    on: true\n    text: |\n      (?x)\n      b: c\n    list: [1, 'x']\n    none:\n";
        let value = yaml(text).expect("good");
        let rule = &value["rules"][0];
        assert_eq!(
            (rule["name"].as_str(), rule["min"].as_i64(), rule["on"].as_bool()),
            (Some("a"), Some(3), Some(true))
        );
        assert_eq!((rule["text"].as_str(), rule["list"][1].as_str()), (Some("(?x)\nb: c\n"), Some("x")));
        assert!(rule["none"].is_null());
    }

    #[test]
    fn nesting_without_end_and_aliases_are_refused() {
        assert!(yaml(&"[".repeat(1000)).is_err());
        assert!(yaml("a: &x 1\nb: *x\n").is_err());
    }
}
