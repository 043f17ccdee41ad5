//! Any list of records whose fields the user names: JSON, JSON lines, CSV or XML.

use std::io::Read;

use serde_json::Value;

use super::super::known::{Known, at, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::html;
use super::super::{Format, Input, json, table, xml};
use crate::source::{ContainerKind, ItemKind};

pub(super) const FORMAT: Format = Format { id: "map", claims: |_| false, learn: None, hand };

/// Names of the fields that hold something, from `text=…,author=…,time=…`.
struct Fields(Vec<(String, String)>);

impl Fields {
    fn read(map: &str) -> Result<Self, String> {
        const KNOWN: &[&str] = &["text", "author", "email", "name", "time", "id", "channel", "link"];
        let mut pairs = Vec::new();
        for pair in map.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (field, path) = pair.split_once('=').ok_or_else(|| format!("{pair} is not of the form field=name"))?;
            if !KNOWN.contains(&field) {
                return Err(format!("{field} is no field of a map; fields are {}", KNOWN.join(", ")));
            }
            pairs.push((field.to_owned(), path.to_owned()));
        }
        Ok(Self(pairs))
    }

    fn paths<'s>(&'s self, field: &'s str) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter(move |pair| pair.0 == field).map(|pair| pair.1.as_str())
    }
}

/// Whether a map names fields that exist, in the form `field=name`.
///
/// # Errors
/// What is wrong with it.
pub(in crate::source) fn check(map: &str) -> Result<(), String> {
    let fields = Fields::read(map)?;
    if fields.0.is_empty() { Err("it names no field; write text=body,author=user.login".to_owned()) } else { Ok(()) }
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let fields = Fields::read(input.map.unwrap_or_default())?;
    let mut lead = vec![0; 256];
    let got = input.read.read(&mut lead).map_err(|error| error.to_string())?;
    lead.truncate(got);
    let first = lead.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&lead).trim_ascii_start().first().copied();
    let mut read = lead.as_slice().chain(&mut *input.read);
    let mut each = |found: json::Found| one(&fields, &found, known, out);
    match first {
        Some(b'<') => xml::elements(&mut read, 1, &mut each),
        Some(b'{' | b'[') => json::records(&mut read, &["*"], &mut each),
        _ => table::rows(&mut read, &mut each),
    }
}

fn one(fields: &Fields, found: &json::Found, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(&found.value, &found.pointer);
    // A column may have a dot in its name, so the name as it is comes first.
    let field = |name: &str| {
        fields.paths(name).find_map(|path| match &found.value[path] {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => own(&found.value, path),
        })
    };
    let author = field("author");
    let email = field("email").or_else(|| author.clone().filter(|author| author.contains('@')));
    let who = person("map", None, author.filter(|author| !author.contains('@')), email, field("name"));
    let channel = field("channel").unwrap_or_else(|| "records".to_owned());
    let of = container(ContainerKind::Channel, channel.as_str(), channel.as_str(), false);
    let time = field("time").and_then(|time| when(&Value::String(time)));
    let draft = Draft::new(of, ItemKind::Message, field("id").unwrap_or_else(|| found.pointer.clone()))
        .by(who.map(|who| known.complete(who)))
        .at(time)
        .link(field("link"));
    for path in fields.paths("text") {
        let value = if found.value[path].is_null() { at(&found.value, path) } else { &found.value[path] };
        let text = html::decode_if(record.take(value));
        out.item(draft.clone().pointer(format!("{}/{}", found.pointer, path.replace('.', "/"))), &text);
    }
    out.rest(draft.pointer(found.pointer.as_str()), &record);
}
