//! OpenDocument files: texts, tables and presentations, with annotations and tracked changes by their authors.

use std::collections::HashMap;

use super::super::out::{Draft, Out, container};
use super::super::xml::{self, Event};
use super::office::{attr, file_name, local, properties};
use super::{Parts, maker, named};
use crate::source::{ContainerKind, ItemKind};

pub(super) fn read(parts: &mut Parts<'_>, names: &[String], out: &mut Out<'_>) {
    let about = parts.part("meta.xml").map(|bytes| properties(&bytes)).unwrap_or_default();
    let shown = file_name(out);
    let creator = about.get("initial-creator").or_else(|| about.get("creator")).cloned();
    let base =
        Draft::new(container(ContainerKind::File, shown.as_str(), shown.as_str(), false), ItemKind::Description, "")
            .by(maker("opendocument", creator))
            .at(about.get("creation-date").cloned())
            .edited(about.get("date").cloned());
    for name in names.iter().filter(|name| !name.ends_with('/')) {
        let draft = base.clone().id(name.as_str());
        let done = match parts.part(name) {
            Ok(bytes) if name.ends_with(".xml") && name != "META-INF/manifest.xml" => text(&bytes, name, &draft, out),
            Ok(bytes) => {
                out.file(draft.pointer(name.as_str()), &bytes);
                Ok(())
            }
            Err(why) => Err(why),
        };
        if let Err(why) = done {
            out.fail(name, why);
        }
    }
}

/// Text with an author of its own: an annotation or a change.
#[derive(Default)]
struct Own {
    kind: Option<ItemKind>,
    id: String,
    who: String,
    time: String,
    text: String,
}

fn text(bytes: &[u8], name: &str, draft: &Draft, out: &mut Out<'_>) -> Result<(), String> {
    let mut own: Vec<Own> = Vec::new();
    let mut field: Option<&'static str> = None;
    let (mut line, mut number) = (String::new(), 0usize);
    // Insertions are described first and marked in the text below.
    let mut inserted: HashMap<String, Own> = HashMap::new();
    let mut open: Vec<String> = Vec::new();
    let done = xml::events(&mut { bytes }, &mut |event| match event {
        Event::Start(start, attributes) => match local(start) {
            "annotation" => {
                own.push(Own {
                    kind: Some(ItemKind::Comment),
                    id: attr(attributes, "name").unwrap_or_default(),
                    ..Own::default()
                });
            }
            "changed-region" => {
                own.push(Own { id: attr(attributes, "id").unwrap_or_default(), ..Own::default() });
            }
            "deletion" | "insertion" => {
                if let Some(own) = own.last_mut() {
                    own.kind = (local(start) == "deletion").then_some(ItemKind::History);
                }
            }
            "creator" if !own.is_empty() => field = Some("who"),
            "date" if !own.is_empty() => field = Some("time"),
            "change-start" => open.extend(attr(attributes, "change-id")),
            "change-end" => {
                let id = attr(attributes, "change-id").unwrap_or_default();
                open.retain(|one| *one != id);
            }
            "s" => {
                let count = attr(attributes, "c").and_then(|count| count.parse::<usize>().ok()).unwrap_or(1).min(1000);
                into(&mut own, &mut line, &mut inserted, &open, &" ".repeat(count));
            }
            "tab" => into(&mut own, &mut line, &mut inserted, &open, "\t"),
            "line-break" => into(&mut own, &mut line, &mut inserted, &open, "\n"),
            _ => {
                if let Some(link) = attr(attributes, "href").filter(|link| link.contains("://") || link.contains('@')) {
                    number += 1;
                    out.item(draft.clone().kind(ItemKind::Field).pointer(format!("{name} link {number}")), &link);
                }
            }
        },
        Event::Text(part) => match (field, own.last_mut()) {
            (Some("who"), Some(own)) => own.who.push_str(part),
            (Some(_), Some(own)) => own.time.push_str(part),
            _ if part.chars().all(|c| matches!(c, '\n' | '\r')) => {}
            _ => into(&mut own, &mut line, &mut inserted, &open, part),
        },
        Event::End(end) => match local(end) {
            "creator" | "date" => field = None,
            "annotation" | "changed-region" => {
                if let Some(one) = own.pop() {
                    if local(end) == "changed-region" && one.kind.is_none() {
                        inserted.insert(one.id.clone(), one);
                    } else {
                        hand(one, name, draft, out);
                    }
                }
            }
            "p" | "h" | "table-row" => match own.last_mut() {
                Some(own) => own.text.push('\n'),
                None => {
                    number += 1;
                    // Cells of a table row are paragraphs of one line.
                    if local(end) == "table-row" || !line.contains('\t') {
                        out.item(draft.clone().pointer(format!("{name} paragraph {number}")), line.trim_end());
                        line.clear();
                    }
                }
            },
            "table-cell" if own.is_empty() => line.push('\t'),
            _ => {}
        },
    });
    out.item(draft.clone().pointer(name), &line);
    for (_, mut one) in inserted {
        one.kind = Some(ItemKind::History);
        hand(one, name, draft, out);
    }
    done
}

fn into(own: &mut [Own], line: &mut String, inserted: &mut HashMap<String, Own>, open: &[String], part: &str) {
    match own.last_mut() {
        Some(own) => own.text.push_str(part),
        None => line.push_str(part),
    }
    for id in open {
        if let Some(one) = inserted.get_mut(id) {
            one.text.push_str(part);
        }
    }
}

fn hand(one: Own, name: &str, draft: &Draft, out: &mut Out<'_>) {
    let who = Some(one.who).filter(|who| !who.trim().is_empty()).and_then(|who| named("opendocument", who, None));
    let time = Some(one.time.trim().to_owned()).filter(|time| !time.is_empty());
    let draft = draft.clone().kind(one.kind.unwrap_or(ItemKind::History)).id(one.id).by(who).at(time).edited(None);
    out.item(draft.pointer(name), &one.text);
}
