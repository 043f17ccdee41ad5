//! Word, Excel and PowerPoint files. A word is often cut into runs; comments, insertions and deletions name their authors.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::out::{Draft, Out, container};
use super::super::xml::{self, Event};
use super::{Parts, maker, named, odf, with_out};
use crate::source::content::Wrapped;
use crate::source::{ContainerKind, Coverage, ItemKind, PersonRef, Sink, Via};

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    let Some(mut parts) = Parts::open(wrapped.bytes) else { return false };
    let names = parts.names();
    let has = |lead: &str| names.iter().any(|name| name.starts_with(lead));
    let office = has("[Content_Types].xml") && (has("word/") || has("xl/") || has("ppt/"));
    let open = has("content.xml") && has("META-INF/manifest.xml");
    if !office && !open {
        return false;
    }
    with_out(wrapped, sink, account, if office { "office" } else { "opendocument" }, |out| {
        if open && !office {
            odf::read(&mut parts, &names, out);
        } else {
            read(&mut parts, &names, out);
        }
    });
    true
}

/// Last part of a name with a prefix.
pub(super) fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// An attribute by its name without prefix.
pub(super) fn attr(map: &Map<String, Value>, name: &str) -> Option<String> {
    map.iter().find(|pair| local(pair.0) == name).and_then(|pair| pair.1.as_str()).map(str::to_owned)
}

/// What the properties of a document say: text by name of the element.
pub(super) fn properties(bytes: &[u8]) -> HashMap<String, String> {
    let mut all = HashMap::new();
    let mut name = String::new();
    let _as_far_as_it_goes = xml::events(&mut { bytes }, &mut |event| match event {
        Event::Start(start, _) => name = local(start).to_owned(),
        Event::Text(text) if !text.trim().is_empty() => {
            all.entry(name.clone()).or_insert_with(|| text.to_owned());
        }
        _ => {}
    });
    all
}

pub(super) fn file_name(out: &Out<'_>) -> String {
    out.shown.rsplit(['/', '!']).next().unwrap_or(out.shown).to_owned()
}

fn read(parts: &mut Parts<'_>, names: &[String], out: &mut Out<'_>) {
    let about = parts.part("docProps/core.xml").map(|bytes| properties(&bytes)).unwrap_or_default();
    let shown = file_name(out);
    let creator = about.get("creator").or_else(|| about.get("lastModifiedBy")).cloned();
    let base =
        Draft::new(container(ContainerKind::File, shown.as_str(), shown.as_str(), false), ItemKind::Description, "")
            .by(maker("office", creator))
            .at(about.get("created").cloned())
            .edited(about.get("modified").cloned());
    let mut shared = Vec::new();
    let mut people: HashMap<String, PersonRef> = HashMap::new();
    for name in names {
        match name.as_str() {
            "xl/sharedStrings.xml" => {
                shared = parts.part(name).map(|bytes| strings(&bytes)).unwrap_or_default();
            }
            name if name.starts_with("xl/persons/") || matches!(name, "ppt/commentAuthors.xml" | "ppt/authors.xml") => {
                persons(&parts.part(name).unwrap_or_default(), &mut people);
            }
            _ => {}
        }
    }
    for name in names.iter().filter(|name| !name.ends_with('/')) {
        let bytes = match parts.part(name) {
            Ok(bytes) => bytes,
            Err(why) => {
                out.fail(name, why);
                continue;
            }
        };
        let draft = base.clone().id(name.as_str());
        let ok = if !name.ends_with(".xml") && !name.ends_with(".rels") {
            // Pictures, embedded documents and macros.
            out.file(draft.pointer(name.as_str()), &bytes);
            Ok(())
        } else if name.ends_with(".rels") {
            links(&bytes, name, &draft, out)
        } else if name == "xl/sharedStrings.xml" {
            Ok(())
        } else if name.starts_with("xl/worksheets/") {
            sheet(&bytes, name, &shared, &draft, out)
        } else {
            paragraphs(&bytes, name, &people, &draft, out)
        };
        if let Err(why) = ok {
            out.fail(name, why);
        }
    }
}

/// Shared strings of a workbook, without the readings that stand above Japanese words.
fn strings(bytes: &[u8]) -> Vec<String> {
    let mut all = Vec::new();
    let (mut text, mut inside, mut reading) = (String::new(), false, 0u32);
    let _as_far_as_it_goes = xml::events(&mut { bytes }, &mut |event| match event {
        Event::Start(name, _) => match local(name) {
            "si" => text.clear(),
            "t" => inside = true,
            "rPh" => reading += 1,
            _ => {}
        },
        Event::Text(part) if inside && reading == 0 => text.push_str(part),
        Event::End(name) => match local(name) {
            "si" => all.push(std::mem::take(&mut text)),
            "t" => inside = false,
            "rPh" => reading = reading.saturating_sub(1),
            _ => {}
        },
        Event::Text(_) => {}
    });
    all
}

/// People of threaded comments and of presentations, by id.
fn persons(bytes: &[u8], into: &mut HashMap<String, PersonRef>) {
    let _as_far_as_it_goes = xml::events(&mut { bytes }, &mut |event| {
        if let Event::Start(name, attributes) = event
            && matches!(local(name), "person" | "cmAuthor" | "author")
            && let Some(id) = attr(attributes, "id")
            && let Some(shown) = attr(attributes, "displayName").or_else(|| attr(attributes, "name"))
            && let Some(who) = named("office", shown, attr(attributes, "userId"))
        {
            into.insert(id, who);
        }
    });
}

/// Addresses that a part links to.
fn links(bytes: &[u8], name: &str, draft: &Draft, out: &mut Out<'_>) -> Result<(), String> {
    let mut text = String::new();
    let done = xml::events(&mut { bytes }, &mut |event| {
        if let Event::Start(_, attributes) = event
            && attr(attributes, "TargetMode").is_some_and(|mode| mode == "External")
            && let Some(target) = attr(attributes, "Target")
        {
            text.push_str(&target);
            text.push('\n');
        }
    });
    out.item(draft.clone().kind(ItemKind::Field).pointer(name), &text);
    done
}

/// Rows of a sheet, cells parted by tabs.
fn sheet(bytes: &[u8], name: &str, shared: &[String], draft: &Draft, out: &mut Out<'_>) -> Result<(), String> {
    let (mut text, mut cell, mut kind, mut row) = (String::new(), String::new(), String::new(), String::new());
    let mut inside = false;
    let done = xml::events(&mut { bytes }, &mut |event| match event {
        Event::Start(start, attributes) => match local(start) {
            "row" => row = attr(attributes, "r").unwrap_or_default(),
            "c" => {
                kind = attr(attributes, "t").unwrap_or_default();
                cell.clear();
            }
            "v" | "t" | "f" => {
                inside = true;
                cell.clear();
            }
            _ => {}
        },
        Event::Text(part) if inside => cell.push_str(part),
        Event::Text(_) => {}
        Event::End(end) => match local(end) {
            "v" | "t" | "f" => {
                inside = false;
                let number = (kind == "s" && local(end) == "v").then(|| cell.trim().parse::<usize>().ok()).flatten();
                text.push_str(number.and_then(|number| shared.get(number)).unwrap_or(&cell));
                text.push('\t');
            }
            "row" => {
                out.item(draft.clone().pointer(format!("{name} row {row}")), text.trim_end());
                text.clear();
            }
            _ => {}
        },
    });
    out.item(draft.clone().pointer(name), text.trim_end());
    done
}

#[derive(Clone, PartialEq, Debug)]
enum Sort {
    Plain,
    Added,
    Removed,
}

/// A piece of a paragraph by one person.
struct Segment {
    sort: Sort,
    who: Option<PersonRef>,
    time: Option<String>,
    text: String,
}

/// A comment that is open, and the text that it collects.
struct Note {
    who: Option<PersonRef>,
    time: Option<String>,
    id: String,
    text: String,
}

struct Walk<'o, 'a, 'd> {
    out: &'o mut Out<'a>,
    draft: &'d Draft,
    name: &'d str,
    number: usize,
    segments: Vec<Segment>,
    changes: Vec<(Sort, Option<PersonRef>, Option<String>)>,
    note: Option<Note>,
    authors: Vec<String>,
}

/// Paragraphs of a part: comments and changes by their authors, everything else as the document's.
fn paragraphs(
    bytes: &[u8],
    name: &str,
    people: &HashMap<String, PersonRef>,
    draft: &Draft,
    out: &mut Out<'_>,
) -> Result<(), String> {
    let mut walk = Walk {
        out,
        draft,
        name,
        number: 0,
        segments: Vec::new(),
        changes: Vec::new(),
        note: None,
        authors: Vec::new(),
    };
    let (mut silent, mut listing) = (0usize, false);
    let done = xml::events(&mut { bytes }, &mut |event| match event {
        Event::Start(start, attributes) => {
            let start = local(start);
            match start {
                "ins" | "moveTo" | "del" | "moveFrom" => {
                    let sort = if matches!(start, "ins" | "moveTo") { Sort::Added } else { Sort::Removed };
                    let who = attr(attributes, "author").and_then(|name| named("office", name, None));
                    walk.changes.push((sort, who, attr(attributes, "date")));
                }
                "comment" | "threadedComment" | "cm" | "reply" => {
                    walk.paragraph();
                    let listed =
                        ["personId", "authorId"].iter().find_map(|key| people.get(&attr(attributes, key)?).cloned());
                    let numbered = || {
                        let name = walk.authors.get(attr(attributes, "authorId")?.parse::<usize>().ok()?)?;
                        named("office", name.clone(), None)
                    };
                    let who = attr(attributes, "author")
                        .and_then(|name| named("office", name, None))
                        .or(listed)
                        .or_else(numbered);
                    let time = ["date", "dT", "dt", "created"].iter().find_map(|key| attr(attributes, key));
                    let id = ["ref", "id", "idx"].iter().find_map(|key| attr(attributes, key)).unwrap_or_default();
                    walk.finish_note();
                    walk.note = Some(Note { who, time, id, text: String::new() });
                }
                "authors" => listing = true,
                "author" if listing => walk.authors.push(String::new()),
                "tab" if !walk.segments.is_empty() => walk.text("\t"),
                "br" | "cr" => walk.text("\n"),
                "noBreakHyphen" => walk.text("-"),
                "posOffset" | "align" | "rPh" => silent += 1,
                _ => {
                    // Alternative texts of pictures, passwords of links and the like stand in attributes.
                    for key in ["descr", "title", "tooltip", "connection", "command", "instr", "val"] {
                        if let Some(value) = attr(attributes, key)
                            .filter(|value| value.len() >= 8 && !value.starts_with("http://schemas"))
                        {
                            walk.text(&format!("\n{key}: {value}\n"));
                        }
                    }
                }
            }
        }
        Event::Text(text) if silent == 0 => {
            if listing {
                if let Some(author) = walk.authors.last_mut() {
                    author.push_str(text);
                }
            } else if !text.chars().all(|c| matches!(c, '\n' | '\r')) {
                walk.text(text);
            }
        }
        Event::Text(_) => {}
        Event::End(end) => match local(end) {
            "ins" | "moveTo" | "del" | "moveFrom" => {
                walk.changes.pop();
            }
            "p" | "tr" | "sp" => walk.paragraph(),
            "comment" | "threadedComment" | "cm" | "reply" => {
                walk.paragraph();
                walk.finish_note();
            }
            "authors" => listing = false,
            "posOffset" | "align" | "rPh" => silent = silent.saturating_sub(1),
            _ => {}
        },
    });
    walk.paragraph();
    walk.finish_note();
    done
}

impl Walk<'_, '_, '_> {
    fn text(&mut self, text: &str) {
        if let Some(note) = &mut self.note {
            return note.text.push_str(text);
        }
        let (sort, who, time) = self.changes.last().cloned().unwrap_or((Sort::Plain, None, None));
        match self.segments.last_mut().filter(|last| last.sort == sort && last.who == who) {
            Some(last) => last.text.push_str(text),
            None => self.segments.push(Segment { sort, who, time, text: text.to_owned() }),
        }
    }

    fn finish_note(&mut self) {
        if let Some(note) = self.note.take() {
            let draft = self.draft.clone().kind(ItemKind::Comment).id(note.id).by(note.who).at(note.time).edited(None);
            self.out.item(draft.pointer(self.name), &note.text);
        }
    }

    /// Hands on what a paragraph says, and each change in it with the words around it, which it may have cut.
    fn paragraph(&mut self) {
        if let Some(note) = &mut self.note {
            return note.text.push('\n');
        }
        let segments = std::mem::take(&mut self.segments);
        if segments.is_empty() {
            return;
        }
        self.number += 1;
        let pointer = format!("{} paragraph {}", self.name, self.number);
        let view = |left_out: &Sort| -> String {
            segments.iter().filter(|one| one.sort != *left_out).map(|one| one.text.as_str()).collect()
        };
        let changed = segments.iter().any(|one| one.sort != Sort::Plain);
        if segments.iter().any(|one| one.sort == Sort::Plain) {
            self.out.item(self.draft.clone().pointer(pointer.as_str()), &view(&Sort::Removed));
        }
        for (at, one) in segments.iter().enumerate().filter(|pair| changed && pair.1.sort != Sort::Plain) {
            let other = if one.sort == Sort::Added { Sort::Removed } else { Sort::Added };
            let before: String = segments[..at].iter().filter(|s| s.sort != other).map(|s| s.text.as_str()).collect();
            let after: String =
                segments[at + 1..].iter().filter(|s| s.sort != other).map(|s| s.text.as_str()).collect();
            let lead = before.rsplit(char::is_whitespace).next().unwrap_or_default();
            let tail = after.split(char::is_whitespace).next().unwrap_or_default();
            let draft =
                self.draft.clone().kind(ItemKind::History).by(one.who.clone()).at(one.time.clone()).edited(None);
            let id = if one.sort == Sort::Added { "inserted" } else { "deleted" };
            let draft = draft.id(id).via(Via::Direct).pointer(pointer.as_str());
            self.out.item(draft, &format!("{lead}{}{tail}", one.text));
        }
    }
}
