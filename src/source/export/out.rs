//! Where the formats put what they read: authored items first, then every text that no field of theirs covers.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::super::{
    Container, ContainerKind, Coverage, Document, Item, ItemKind, PersonRef, Provenance, Sink, SpanMap, Via,
};
use super::super::{content, encoded};
use super::{documents, lines};

/// Takes the items of one file.
pub(super) struct Out<'a> {
    pub(super) sink: &'a dyn Sink,
    pub(super) coverage: &'a mut Coverage,
    /// Path of the raw file as the user would find it.
    pub(super) shown: &'a str,
    /// Format id.
    pub(super) format: &'static str,
    /// Where the whole lies, if that is not a plain file: a blob of git, an attachment.
    pub(super) outer: Option<&'a Provenance>,
}

impl Out<'_> {
    /// Hands on one item with its text; nothing happens for an empty text.
    pub(super) fn item(&mut self, draft: Draft, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        let mut item = draft.0;
        item.format = self.format.to_owned();
        let provenance = self.place(item);
        self.coverage.documents += 1;
        self.coverage.bytes += text.len() as u64;
        let spans = lines::current().map(SpanMap::record);
        self.sink.document(&Document { bytes: text.as_bytes(), provenance: &provenance, spans: spans.as_ref() });
        encoded::hand_on(text.as_bytes(), &provenance, self.sink, self.coverage);
    }

    /// Hands on a part of a longer text whose places in the raw file are known.
    pub(super) fn part(&mut self, draft: Draft, text: &str, spans: &SpanMap) {
        let mut item = draft.0;
        item.format = self.format.to_owned();
        let provenance = self.place(item);
        self.sink.document(&Document { bytes: text.as_bytes(), provenance: &provenance, spans: Some(spans) });
    }

    /// Hands on what encoded runs of a text hold.
    pub(super) fn held(&mut self, draft: Draft, text: &str) {
        let mut item = draft.0;
        item.format = self.format.to_owned();
        let provenance = self.place(item);
        encoded::hand_on(text.as_bytes(), &provenance, self.sink, self.coverage);
    }

    fn place(&self, mut item: Item) -> Provenance {
        match self.outer {
            None => Provenance::Export { path: self.shown.to_owned(), item: Arc::new(item) },
            Some(Provenance::Export { path, item: outer }) => {
                documents::attached(outer, &mut item);
                Provenance::Export { path: path.clone(), item: Arc::new(item) }
            }
            Some(outer) => documents::of_part(outer, item.pointer.as_deref().unwrap_or_default()),
        }
    }

    /// Hands on an attached file, opened if it is an archive.
    pub(super) fn file(&mut self, draft: Draft, bytes: &[u8]) {
        let mut item = draft.0;
        item.format = self.format.to_owned();
        item.kind = ItemKind::File;
        let provenance = self.place(item);
        content::hand_on(bytes, &provenance, self.sink, self.coverage);
    }

    /// Hands on content that lies inside of the file under a name of its own, and may be an export itself.
    pub(super) fn inner(&mut self, member: &str, bytes: &[u8]) {
        let provenance = Provenance::File { path: self.shown.to_owned(), inside: vec![member.to_owned()] };
        content::hand_on(bytes, &provenance, self.sink, self.coverage);
    }

    /// Hands on every text of a record that was not taken yet, as `name: value` lines, under a draft of its container.
    pub(super) fn rest(&mut self, draft: Draft, record: &Rec<'_>) {
        let mut text = String::new();
        record.left(record.value, "", &mut text, 0);
        let mut draft = draft;
        if draft.0.kind != ItemKind::Artefact {
            draft.0.kind = ItemKind::Field;
        }
        self.item(draft, &text);
    }

    /// The same for a message: what is beside its text (reactions, names of files, previews) need not be its author's.
    pub(super) fn others(&mut self, draft: Draft, record: &Rec<'_>) {
        self.rest(draft.by(None).via(Via::System), record);
    }

    /// Notes a part that could not be read.
    pub(super) fn fail(&mut self, part: &str, why: impl Into<String>) {
        let place = if part.is_empty() { self.shown.to_owned() } else { format!("{} {part}", self.shown) };
        self.coverage.fail(place, why);
    }
}

/// An item that is being put together.
#[derive(Clone)]
pub(super) struct Draft(Item);

impl Draft {
    pub(super) fn new(container: Container, kind: ItemKind, id: impl Into<String>) -> Self {
        Self(Item::new(container, kind, id))
    }

    pub(super) fn kind(mut self, kind: ItemKind) -> Self {
        self.0.kind = kind;
        self
    }

    pub(super) fn id(mut self, id: impl Into<String>) -> Self {
        self.0.id = id.into();
        self
    }

    pub(super) fn by(mut self, author: Option<PersonRef>) -> Self {
        self.0.author = author;
        self
    }

    pub(super) fn via(mut self, via: Via) -> Self {
        self.0.via = via;
        self
    }

    pub(super) fn at(mut self, created: Option<String>) -> Self {
        self.0.created = created;
        self
    }

    pub(super) fn edited(mut self, edited: Option<String>) -> Self {
        self.0.edited = edited.filter(|time| Some(time) != self.0.created.as_ref());
        self
    }

    pub(super) fn link(mut self, link: Option<String>) -> Self {
        self.0.permalink = link;
        self
    }

    pub(super) fn pointer(mut self, pointer: impl Into<String>) -> Self {
        self.0.pointer = Some(pointer.into());
        self
    }

    /// Goes one step down from where the pointer is.
    pub(super) fn pointer_below(mut self, name: &str) -> Self {
        self.0.pointer = Some(format!("{}/{name}", self.0.pointer.unwrap_or_default()));
        self
    }

    pub(super) fn to(mut self, people: Vec<PersonRef>) -> Self {
        self.0.sent_to = people;
        self
    }

    pub(super) fn readers(mut self, people: Arc<[PersonRef]>) -> Self {
        self.0.readers = people;
        self
    }
}

/// A container; `id` and `name` may be the same.
pub(super) fn container(
    kind: ContainerKind,
    id: impl Into<String>,
    name: impl Into<String>,
    public: bool,
) -> Container {
    Container { kind, id: id.into(), name: name.into(), public }
}

/// A record and which of its texts were used.
pub(super) struct Rec<'v> {
    pub(super) value: &'v Value,
    pub(super) pointer: &'v str,
    taken: RefCell<HashSet<usize>>,
}

impl<'v> Rec<'v> {
    pub(super) fn new(value: &'v Value, pointer: &'v str) -> Self {
        Self { value, pointer, taken: RefCell::default() }
    }

    /// The text of a value (its own, or of its `#text`), which is then not left over.
    pub(super) fn take(&self, value: &'v Value) -> &'v str {
        let text = super::xml::text(value);
        self.taken.borrow_mut().insert(text.as_ptr() as usize);
        text
    }

    /// The text at a dotted path.
    pub(super) fn at(&self, path: &str) -> &'v str {
        self.take(super::known::at(self.value, path))
    }

    /// Marks everything inside a value as used.
    pub(super) fn skip(&self, value: &'v Value) {
        match value {
            Value::String(text) => {
                self.taken.borrow_mut().insert(text.as_ptr() as usize);
            }
            Value::Array(list) => list.iter().for_each(|inner| self.skip(inner)),
            Value::Object(map) => map.values().for_each(|inner| self.skip(inner)),
            _ => {}
        }
    }

    /// Whether any text inside a value was used.
    fn used(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => !text.is_empty() && self.taken.borrow().contains(&(text.as_ptr() as usize)),
            Value::Array(list) => list.iter().any(|inner| self.used(inner)),
            Value::Object(map) => map.values().any(|inner| self.used(inner)),
            _ => false,
        }
    }

    fn left(&self, value: &Value, key: &str, out: &mut String, depth: usize) {
        match value {
            Value::String(text) if !text.is_empty() && !self.taken.borrow().contains(&(text.as_ptr() as usize)) => {
                if !key.is_empty() {
                    out.push_str(key);
                    out.push_str(": ");
                }
                out.push_str(text);
                out.push('\n');
            }
            Value::Array(list) if depth < 120 => list.iter().for_each(|inner| self.left(inner, key, out, depth + 1)),
            Value::Object(_) if super::text::adf::is(value) && !self.used(value) => {
                out.push_str(&super::text::adf::decode(value));
                out.push('\n');
            }
            Value::Object(map) if depth < 120 => {
                // Pairs such as {"key": "password", "value": "…"} read as one line.
                let named = ["key", "name", "id"].iter().find_map(|name| map.get(*name)?.as_str());
                for (name, inner) in map {
                    let name = if matches!(name.as_str(), "value" | "stringvalue" | "#text") {
                        named.unwrap_or(key)
                    } else {
                        name
                    };
                    self.left(inner, name, out, depth + 1);
                }
            }
            _ => {}
        }
    }
}
