//! Values inside JSON entries, shared by the stores that keep such entries: fields by name or by pointer, what the fields
//! beside one say about it, and the guard against writing back what would not survive it.
//!
//! A field is a name (`password`) or, for nested values, a JSON pointer (`/db/password`).

use serde_json::{Map, Value, json};

use super::masked::is_masked;

/// One text inside an entry.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    pub(super) field: String,
    pub(super) value: String,
}

/// Every non-empty text of an entry, top level first.
pub(super) fn leaves(entry: &Map<String, Value>) -> Vec<Leaf> {
    let mut found = Vec::new();
    collect(entry, "", &mut found);
    found
}

fn collect(entry: &Map<String, Value>, above: &str, found: &mut Vec<Leaf>) {
    for (key, value) in entry {
        let pointer = format!("{above}/{}", key.replace('~', "~0").replace('/', "~1"));
        // A top-level key that begins like a pointer needs one to be told from it.
        let field = if above.is_empty() && !key.starts_with('/') { key.clone() } else { pointer.clone() };
        match value {
            Value::String(text) if !text.is_empty() => found.push(Leaf { field, value: text.clone() }),
            Value::Object(inner) => collect(inner, &pointer, found),
            _ => {}
        }
    }
}

/// The text of a field, if it is there and a text.
pub(super) fn get<'e>(entry: &'e Map<String, Value>, field: &str) -> Option<&'e str> {
    match field.strip_prefix('/') {
        None => entry.get(field)?.as_str(),
        Some(path) => {
            let mut parts = path.split('/').map(unescape);
            let first = parts.next()?;
            parts.try_fold(entry.get(&first)?, |value, part| value.get(&part))?.as_str()
        }
    }
}

#[cfg(feature = "vault")]
/// The merge patch that changes one field and nothing else.
pub(super) fn patch(field: &str, new: &str) -> Value {
    match field.strip_prefix('/') {
        None => json!({ field: new }),
        Some(path) => path.rsplit('/').fold(json!(new), |inner, part| json!({ unescape(part): inner })),
    }
}

/// Changes one field in place; false when it is not there.
pub(super) fn set(entry: &mut Map<String, Value>, field: &str, new: &str) -> bool {
    let slot = match field.strip_prefix('/') {
        None => entry.get_mut(field),
        Some(path) => {
            let mut parts = path.split('/').map(unescape);
            let first = parts.next().unwrap_or_default();
            entry.get_mut(&first).and_then(|start| parts.try_fold(start, |value, part| value.get_mut(&part)))
        }
    };
    match slot {
        Some(slot @ Value::String(_)) => {
            *slot = json!(new);
            true
        }
        _ => false,
    }
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// Words in the names of neighbours, and the fact that they stand for.
const HINTS: &[(&str, &str)] = &[
    ("user", "user"),
    ("login", "user"),
    ("access_key_id", "key-id"),
    ("accesskeyid", "key-id"),
    ("host", "host"),
    ("port", "port"),
    ("url", "url"),
    ("uri", "url"),
    ("addr", "url"),
    ("endpoint", "url"),
    ("engine", "engine"),
    ("database", "dbname"),
    ("dbname", "dbname"),
];

/// What the neighbours of a field in the same object say it is for. Never a secret: addresses lose user and password.
pub(super) fn hints(field: &str, all: &[Leaf], entry: &Map<String, Value>) -> Vec<(String, String)> {
    let parent = |field: &str| field.rfind('/').map_or(String::new(), |at| field[..at].to_owned());
    let mine = parent(field);
    let mut hints: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, text: &str| {
        let lower = name.rsplit('/').next().unwrap_or("").to_lowercase();
        let Some((_, fact)) = HINTS.iter().find(|(word, _)| lower.ends_with(word) || lower == *word) else { return };
        let text = if *fact == "url" { without_userinfo(text) } else { text.to_owned() };
        if !hints.iter().any(|(known, _)| known == fact) {
            hints.push(((*fact).to_owned(), text));
        }
    };
    for leaf in all.iter().filter(|leaf| leaf.field != field && parent(&leaf.field) == mine) {
        // "username" and "user_name" both end in name; the ending is cut so that both are found.
        add(leaf.field.strip_suffix("name").unwrap_or(&leaf.field).trim_end_matches('_'), &leaf.value);
        add(&leaf.field, &leaf.value);
    }
    let numbers = if mine.is_empty() { Some(entry) } else { None };
    for (key, value) in numbers.into_iter().flatten() {
        if let Value::Number(number) = value {
            add(key, &number.to_string());
        }
    }
    hints
}

fn without_userinfo(address: &str) -> String {
    let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let path = path.split(['?', '#']).next().unwrap_or("");
    if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") }
}

/// Why an entry would not survive being written back as a whole: a masked text in it would replace the real one, and a
/// number that is too long for us would be rounded.
#[cfg(feature = "issuers")]
pub(super) fn unfit_to_write_back(entry: &Map<String, Value>) -> Option<String> {
    let masked = leaves(entry).into_iter().find(|leaf| is_masked(&leaf.value));
    if let Some(leaf) = masked {
        return Some(format!("the field {} beside it is masked, writing it back would wipe it", leaf.field));
    }
    let rounded = |value: &Value| value.as_f64().is_some_and(|number| value.is_f64() && number.abs() >= 9e15);
    entry
        .iter()
        .find(|(_, value)| any(value, &rounded))
        .map(|(name, _)| format!("the number {name} beside it is too long to be kept exactly"))
}

#[cfg(feature = "issuers")]
fn any(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    match value {
        Value::Array(all) => all.iter().any(|one| any(one, test)),
        Value::Object(all) => all.values().any(|one| any(one, test)),
        one => test(one),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { panic!("an object") };
        map
    }

    #[test]
    fn fields_are_found_changed_and_patched_at_every_depth() {
        let mut it = entry(json!({ "password": "a", "db": { "pass/word": "b", "n": 5 }, "/odd": "c" }));
        let fields: Vec<String> = leaves(&it).into_iter().map(|leaf| leaf.field).collect();
        assert_eq!(fields, ["password", "/db/pass~1word", "/~1odd"]);
        for field in &fields {
            assert!(get(&it, field).is_some(), "{field}");
            assert!(set(&mut it, field, "new"), "{field}");
            assert_eq!(get(&it, field), Some("new"));
        }
        assert!(!set(&mut it, "/db/n", "new"), "a number is not a value to replace");
        assert_eq!(patch("/db/pass~1word", "x"), json!({ "db": { "pass/word": "x" } }));
        assert_eq!(patch("password", "x"), json!({ "password": "x" }));
    }

    #[test]
    fn neighbours_say_what_a_value_is_for_without_their_secrets() {
        let joined = format!("postgres://shop:{}@db.example:5432/shop?x=1", "hunter2");
        let it = entry(json!({ "username": "shop", "password": "a", "host": "db", "port": 5432, "url": joined }));
        let found = hints("password", &leaves(&it), &it);
        let of = |name: &str| found.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        assert_eq!((of("user"), of("host"), of("port")), (Some("shop"), Some("db"), Some("5432")));
        assert_eq!(of("url"), Some("postgres://db.example:5432/shop"));
    }

    #[cfg(feature = "issuers")]
    #[test]
    fn an_entry_with_a_masked_or_a_rounded_neighbour_is_not_written_back() {
        let why = |value: Value| unfit_to_write_back(&entry(value));
        assert_eq!(why(json!({ "password": "a", "ratio": 0.1, "big": 9007199254740992u64 })), None);
        assert!(why(json!({ "password": "a", "pin": "****" })).is_some_and(|why| why.contains("pin")));
        let long: Value =
            serde_json::from_str("{\"password\":\"a\",\"in\":[123456789012345678901234567890]}").expect("a number");
        assert!(why(long).is_some_and(|why| why.contains("too long")));
    }
}
