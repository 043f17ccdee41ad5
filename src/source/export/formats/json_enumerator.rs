//! Lines of `{"metadata": …, "data": "…"}` or `data_b64`: what programs write that list content for a scanner.
//!
//! Layout: the documentation of TruffleHog's source `json_enumerator`. The metadata are anybody's own; the usual names of an
//! author, a time and a link are understood.

use super::super::known::{Known, own, person, when};
use super::super::out::{Draft, Out, container};
use super::super::{Format, Input, Peek, json};
use crate::source::{ContainerKind, ItemKind};

pub(super) const FORMAT: Format = Format { id: "json-enumerator", claims, learn: None, hand };

fn claims(peek: &Peek<'_>) -> bool {
    peek.starts("{")
        && peek.keys(&["metadata"])
        && (peek.keys(&["data"]) || peek.keys(&["data_b64"]))
        && shaped(peek.head)
}

/// Whether the members of the first object begin as such lines do: many other files have members of these names, too.
fn shaped(head: &str) -> bool {
    let text: String = head.chars().filter(|c| !c.is_whitespace()).take(400).collect();
    ["{\"metadata\":", "{\"data\":\"", "{\"data_b64\":\""].iter().any(|start| text.starts_with(start))
        && !text.starts_with("{\"metadata\":[")
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    json::lines(input.read, &mut |found| {
        let meta = &found.value["metadata"];
        let first = |names: &[&str]| names.iter().find_map(|name| own(meta, name));
        let email = first(&["email", "author_email", "author.email", "user.email"]);
        let handle = first(&["author", "username", "user", "login", "author.name", "user.name", "author.login"]);
        let email = email.or_else(|| handle.clone().filter(|handle| handle.contains('@')));
        let who = person("map", None, handle.filter(|handle| !handle.contains('@')), email, None);
        let place = first(&["channel", "container", "repository", "project", "file", "path", "source"]);
        let place = place.unwrap_or_else(|| "records".to_owned());
        let time = first(&["timestamp", "time", "date", "created_at"]).and_then(|time| when(&time.into()));
        let id = first(&["id", "key"]).unwrap_or_else(|| found.pointer.clone());
        let draft =
            Draft::new(container(ContainerKind::File, place.as_str(), place.as_str(), false), ItemKind::Message, id)
                .by(who.map(|who| known.complete(who)))
                .at(time)
                .link(first(&["link", "url", "permalink"]));
        if let Some(text) = found.value["data"].as_str() {
            out.item(draft.clone().pointer(format!("{} /data", found.pointer)), text);
        }
        if let Some(packed) = found.value["data_b64"].as_str() {
            match data_encoding::BASE64.decode(packed.trim().as_bytes()) {
                Ok(bytes) => out.file(draft.clone().pointer(format!("{} /data_b64", found.pointer)), &bytes),
                Err(error) => out.fail(&found.pointer, format!("data_b64 is no base64: {error}")),
            }
        }
        let text = meta.to_string();
        out.item(draft.kind(ItemKind::Field).pointer(format!("{} /metadata", found.pointer)), &text);
    })
}
