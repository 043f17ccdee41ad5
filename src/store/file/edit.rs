//! Finds and replaces single values in dotenv, JSON, YAML and TOML text. Only the bytes of the value change: comments, order
//! and layout stay as they are.

use std::ops::Range;
use std::path::Path;

use jsonc_parser::ast::Value as Json;
use jsonc_parser::common::Ranged;
use saphyr_parser::{Event, Parser, ScalarStyle};

/// A format that can be edited in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Format {
    Dotenv,
    Json,
    Yaml,
    Toml,
}

/// One value in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store) struct Field {
    /// Path of keys: `DB_PASSWORD`, `database.password`, `users.0.token`.
    pub(in crate::store) key: String,
    /// The value, unescaped.
    pub(in crate::store) value: String,
    /// The bytes to replace, quotes included.
    pub(in crate::store) span: Range<usize>,
    /// How a new value is written in this place; `None` when it cannot be (a YAML block).
    quote: Option<Quote>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quote {
    Bare,
    Single,
    Double,
}

impl Format {
    /// By the name of the file; `None` for formats that are not edited.
    pub(in crate::store) fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        match ending {
            "json" => Some(Self::Json),
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "env" => Some(Self::Dotenv),
            _ if name == ".env" || name.starts_with(".env.") => Some(Self::Dotenv),
            _ => None,
        }
    }

    /// Every string value of the text.
    ///
    /// # Errors
    /// What the parser says, when the text is not of this format.
    pub(in crate::store) fn fields(self, text: &str) -> Result<Vec<Field>, String> {
        match self {
            Self::Dotenv => Ok(dotenv(text)),
            Self::Json => json(text),
            Self::Yaml => yaml(text),
            Self::Toml => toml(text),
        }
    }

    /// The text with one value replaced.
    ///
    /// # Errors
    /// When there is no such key, or a value cannot be written in its place.
    pub(in crate::store) fn replace(self, text: &str, key: &str, new: &str) -> Result<String, String> {
        let field = self.fields(text)?.into_iter().find(|field| field.key == key).ok_or("there is no such key")?;
        let quote = field.quote.ok_or("the value is a block of lines, which is not edited in place")?;
        let written = self.write(new, quote)?;
        let changed = [&text[..field.span.start], &written, &text[field.span.end..]].concat();
        // Reading it back is the proof that nothing else moved.
        let (before, after) = (self.fields(text)?, self.fields(&changed)?);
        let same = before.len() == after.len()
            && before
                .iter()
                .zip(&after)
                .all(|(b, a)| b.key == a.key && (b.key == key && a.value == new || b.value == a.value));
        if same { Ok(changed) } else { Err("the edited text does not read back as it should".to_owned()) }
    }

    fn write(self, new: &str, quote: Quote) -> Result<String, String> {
        if new.contains(['\n', '\r', '\0']) {
            return Err("a value with line breaks is not edited in place".to_owned());
        }
        let plain = new.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./@".contains(&b)) && !new.is_empty();
        let numeric =
            new.parse::<f64>().is_ok() || matches!(new, "true" | "false" | "null" | "yes" | "no" | "on" | "off");
        let double = || serde_json::to_string(new).expect("because every string is JSON");
        Ok(match (self, quote) {
            (Self::Json, _) => double(),
            (Self::Toml, _) => toml_edit::Value::from(new).to_string().trim().to_owned(),
            (Self::Yaml, Quote::Bare) if plain && !numeric => new.to_owned(),
            (Self::Yaml, Quote::Single) => format!("'{}'", new.replace('\'', "''")),
            (Self::Yaml, _) => double(),
            (Self::Dotenv, Quote::Bare) if plain => new.to_owned(),
            (Self::Dotenv, Quote::Single) if !new.contains('\'') => format!("'{new}'"),
            (Self::Dotenv, _) => format!("\"{}\"", new.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$")),
        })
    }
}

/// `export KEY="value" # comment`
fn dotenv(text: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        fields.extend(dotenv_line(line, offset));
        offset += line.len();
    }
    fields
}

fn dotenv_line(line: &str, offset: usize) -> Option<Field> {
    let trimmed = line.trim_start();
    if trimmed.starts_with('#') {
        return None;
    }
    let equals = line.find('=')?;
    let key = line[..equals].trim().trim_start_matches("export ").trim();
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
        return None;
    }
    let rest = &line[equals + 1..];
    let start = equals + 1 + (rest.len() - rest.trim_start_matches([' ', '\t']).len());
    let body = line[start..].trim_end_matches(['\n', '\r']);
    let (length, value, quote) = match body.as_bytes().first() {
        Some(b'\'') => {
            let end = body[1..].find('\'')?;
            (end + 2, body[1..=end].to_owned(), Quote::Single)
        }
        Some(b'"') => {
            let (length, value) = unescape(body)?;
            (length, value, Quote::Double)
        }
        _ => {
            let end = body.find(" #").unwrap_or(body.len());
            let value = body[..end].trim_end();
            (value.len(), value.to_owned(), Quote::Bare)
        }
    };
    let span = offset + start..offset + start + length;
    Some(Field { key: key.to_owned(), value, span, quote: Some(quote) })
}

/// Length with both quotes, and the value, of a double-quoted string at the start of `body`.
fn unescape(body: &str) -> Option<(usize, String)> {
    let mut value = String::new();
    let mut characters = body.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((at + 1, value)),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

fn join(path: &[String]) -> String {
    path.join(".")
}

fn json(text: &str) -> Result<Vec<Field>, String> {
    let parsed =
        jsonc_parser::parse_to_ast(text, &Default::default(), &Default::default()).map_err(|e| e.to_string())?;
    let mut fields = Vec::new();
    if let Some(value) = &parsed.value {
        json_value(value, &mut Vec::new(), &mut fields);
    }
    Ok(fields)
}

fn json_value(value: &Json<'_>, path: &mut Vec<String>, fields: &mut Vec<Field>) {
    match value {
        Json::StringLit(text) => {
            let range = text.range();
            let span = range.start..range.end;
            fields.push(Field { key: join(path), value: text.value.to_string(), span, quote: Some(Quote::Double) });
        }
        Json::Object(object) => {
            for property in &object.properties {
                path.push(property.name.as_str().to_owned());
                json_value(&property.value, path, fields);
                path.pop();
            }
        }
        Json::Array(array) => {
            for (at, element) in array.elements.iter().enumerate() {
                path.push(at.to_string());
                json_value(element, path, fields);
                path.pop();
            }
        }
        _ => {}
    }
}

fn toml(text: &str) -> Result<Vec<Field>, String> {
    let document = toml_edit::Document::parse(text).map_err(|error| error.message().to_owned())?;
    let mut fields = Vec::new();
    toml_item(document.as_item(), &mut Vec::new(), &mut fields);
    Ok(fields)
}

fn toml_item(item: &toml_edit::Item, path: &mut Vec<String>, fields: &mut Vec<Field>) {
    if let Some(table) = item.as_table_like() {
        for (key, inner) in table.iter() {
            path.push(key.to_owned());
            toml_item(inner, path, fields);
            path.pop();
        }
    } else if let Some(tables) = item.as_array_of_tables() {
        for (at, table) in tables.iter().enumerate() {
            path.push(at.to_string());
            for (key, inner) in table.iter() {
                path.push(key.to_owned());
                toml_item(inner, path, fields);
                path.pop();
            }
            path.pop();
        }
    } else if let (Some(value), Some(span)) = (item.as_str(), item.span()) {
        fields.push(Field { key: join(path), value: value.to_owned(), span, quote: Some(Quote::Double) });
    }
}

/// What a YAML event stands in.
enum Frame {
    Sequence(usize),
    /// The key that waits for its value.
    Mapping(Option<String>),
}

fn yaml(text: &str) -> Result<Vec<Field>, String> {
    // The parser counts characters; we cut bytes.
    let bytes: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let mut frames: Vec<Frame> = Vec::new();
    let mut fields = Vec::new();
    let mut document = 0;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| error.to_string())?;
        match event {
            Event::DocumentStart(_) => document += 1,
            Event::MappingStart(..) => frames.push(Frame::Mapping(None)),
            Event::SequenceStart(..) => frames.push(Frame::Sequence(0)),
            Event::MappingEnd | Event::SequenceEnd => {
                frames.pop();
                value_ends(&mut frames);
            }
            Event::Alias(_) => value_ends(&mut frames),
            Event::Scalar(value, style, ..) => {
                if let Some(Frame::Mapping(key @ None)) = frames.last_mut() {
                    *key = Some(value.into_owned());
                    continue;
                }
                let start = bytes[span.start.index()];
                let (length, quote) = yaml_scalar(&text[start..], &value, style);
                let key = yaml_path(document, &frames);
                fields.push(Field { key, value: value.into_owned(), span: start..start + length, quote });
                value_ends(&mut frames);
            }
            _ => {}
        }
    }
    Ok(fields)
}

/// Length of a scalar in the text and how it is quoted; the parser's own end may lie behind a comment. `None` for what
/// spreads over lines.
fn yaml_scalar(text: &str, value: &str, style: ScalarStyle) -> (usize, Option<Quote>) {
    let quoted = |quote: char, skip: fn(&str) -> usize| {
        let mut at = 1;
        while let Some(rest) = text.get(at..) {
            match rest.chars().next() {
                Some(c) if c == quote && skip(rest) == 0 => return Some(at + 1),
                Some(c) if c == quote || c == '\\' => at += skip(rest).max(c.len_utf8()),
                Some(c) => at += c.len_utf8(),
                None => return None,
            }
        }
        None
    };
    match style {
        ScalarStyle::Plain if text.starts_with(value) => (value.len(), Some(Quote::Bare)),
        ScalarStyle::SingleQuoted => match quoted('\'', |rest| if rest.starts_with("''") { 2 } else { 0 }) {
            Some(length) => (length, Some(Quote::Single)),
            None => (0, None),
        },
        ScalarStyle::DoubleQuoted => match quoted('"', |rest| if rest.starts_with('\\') { 2 } else { 0 }) {
            Some(length) => (length, Some(Quote::Double)),
            None => (0, None),
        },
        _ => (0, None),
    }
}

fn value_ends(frames: &mut [Frame]) {
    match frames.last_mut() {
        Some(Frame::Sequence(next)) => *next += 1,
        Some(Frame::Mapping(key)) => *key = None,
        None => {}
    }
}

/// Keys from the root; documents after the first are numbered.
fn yaml_path(document: usize, frames: &[Frame]) -> String {
    let number = (document > 1).then(|| format!("[{document}]"));
    let keys = frames.iter().map(|frame| match frame {
        Frame::Sequence(at) => at.to_string(),
        Frame::Mapping(key) => key.clone().unwrap_or_default(),
    });
    join(&number.into_iter().chain(keys).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edit(format: Format, text: &str, key: &str, new: &str) -> String {
        format.replace(text, key, new).expect("editable")
    }

    #[test]
    fn dotenv_keeps_comments_quotes_and_order() {
        let text = "# top\nexport A=1\nDB='old one' # why\nC=\"x\\\"y\"\r\nD=plain # tail\n";
        let changed = edit(Format::Dotenv, text, "DB", "n3w");
        assert_eq!(changed, text.replace("'old one'", "'n3w'"));
        assert_eq!(edit(Format::Dotenv, text, "D", "a b$c"), text.replace("=plain", "=\"a b\\$c\""));
        let fields = Format::Dotenv.fields(text).expect("reads");
        assert_eq!(fields[2].value, "x\"y");
    }

    #[test]
    fn json_with_comments_keeps_its_layout() {
        let text =
            "{\n  // why\n  \"db\": { \"password\": \"o\\\"ld\", \"n\": 3 },\n  \"list\": [\"a\", {\"t\": \"b\"}]\n}\n";
        assert_eq!(edit(Format::Json, text, "db.password", "n\"ew"), text.replace("o\\\"ld", "n\\\"ew"));
        assert_eq!(edit(Format::Json, text, "list.1.t", "z"), text.replace("\"b\"", "\"z\""));
    }

    #[test]
    fn toml_keeps_comments_and_tables() {
        let text = "# top\n[db]\npassword = \"old\" # why\n[[user]]\ntoken = 'a'\n[[user]]\ntoken = 'b'\n";
        assert_eq!(edit(Format::Toml, text, "db.password", "new"), text.replace("\"old\"", "\"new\""));
        assert_eq!(edit(Format::Toml, text, "user.1.token", "c"), text.replace("'b'", "\"c\""));
    }

    #[test]
    fn yaml_keeps_anchors_quotes_and_multibyte_text_before_the_value() {
        let text = "# größe\ndb: &x\n  password: 'old''s'  # why\n  user: ünï\nlist:\n  - a\n  - token: \"b\"\nother: *x\n---\npw: second\n";
        assert_eq!(edit(Format::Yaml, text, "db.password", "n'ew"), text.replace("'old''s'", "'n''ew'"));
        assert_eq!(edit(Format::Yaml, text, "db.user", "123"), text.replace("ünï", "\"123\""));
        assert_eq!(edit(Format::Yaml, text, "list.1.token", "z"), text.replace("\"b\"", "\"z\""));
        assert_eq!(edit(Format::Yaml, text, "[2].pw", "third"), text.replace("second", "third"));
    }

    #[test]
    fn what_cannot_be_edited_safely_is_refused() {
        assert!(Format::Yaml.replace("a: |\n  block\n", "a", "x").is_err());
        assert!(Format::Json.replace("{\"a\": \"b\"}", "c", "x").is_err());
        assert!(Format::Dotenv.replace("A=b\n", "A", "x\ny").is_err());
    }
}
