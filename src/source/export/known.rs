//! What an export says about people and conversations before its messages are read.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use serde_json::Value;

use super::super::{Container, ContainerKind, Evidence, PersonRef};
use super::dates;
use super::facts::Facts;

/// People and containers by id.
#[derive(Default)]
pub(super) struct Known {
    people: HashMap<String, PersonRef>,
    containers: HashMap<String, (Container, Arc<[PersonRef]>)>,
    /// Small facts by name: the address of the instance, the owner of the account; containers without members.
    facts: Facts,
    /// Facts that change while the export is read.
    changing: HashMap<String, String>,
    /// The file in which a record stands first, by hashes of both.
    firsts: HashMap<u64, u64>,
    /// Texts that many facts hold, and their numbers.
    repeated: (Vec<Arc<str>>, HashMap<Arc<str>, usize>),
}

/// Most texts of which facts hold the number only.
const MOST_REPEATED: usize = 200_000;

/// Records that are told from their copies; of more, copies are read again.
const MOST_FIRSTS: usize = 2_000_000;

impl Known {
    /// Adds a person under ids, handles or addresses.
    pub(super) fn add(&mut self, names: &[Option<String>], person: PersonRef) {
        for name in names.iter().flatten().filter(|name| !name.is_empty()) {
            let known = self.people.entry(name.to_lowercase()).or_insert_with(|| person.clone());
            // A later row may know more: an export lists some people twice.
            if known.email.is_none() && person.email.is_some() {
                *known = person.clone();
            }
        }
    }

    /// A person by any of the names under which they were added.
    pub(super) fn find(&self, name: &str) -> Option<&PersonRef> {
        self.people.get(&name.to_lowercase())
    }

    /// A person by id; one whom no list names is known by the id alone.
    pub(super) fn person(&self, platform: &str, id: &str) -> Option<PersonRef> {
        let id = id.trim();
        (!id.is_empty()).then(|| self.find(id).cloned().unwrap_or_else(|| PersonRef::by_id(platform, id)))
    }

    /// Completes what stands on a record by what the directory says of the same id or handle.
    pub(super) fn complete(&self, mut person: PersonRef) -> PersonRef {
        let listed = [&person.id, &person.handle].into_iter().flatten().find_map(|name| self.find(name)).cloned();
        if let Some(listed) = listed {
            person.handle = person.handle.or(listed.handle);
            person.display = person.display.or(listed.display);
            person.active = person.active.or(listed.active);
            if person.email.is_none() && listed.email.is_some() {
                person.email = listed.email;
                person.evidence = Evidence::E1;
            }
        }
        person
    }

    /// Adds a container with its members.
    pub(super) fn hold(&mut self, id: impl Into<String>, container: Container, members: Vec<PersonRef>) {
        let id = id.into();
        if members.is_empty() && !self.containers.contains_key(&id) {
            let Container { kind, id: own, name, public } = container;
            // Most containers are named like the place that they are kept under.
            let own = if own == id { "" } else { &own };
            let text = format!("{}{}{own}\n{name}", kind_letter(kind), if public { '+' } else { '-' });
            return self.facts.note(&format!("\0{id}"), &text);
        }
        self.containers.insert(id, (container, members.into()));
    }

    /// A container with its members.
    pub(super) fn container(&self, id: &str) -> Option<(Container, Arc<[PersonRef]>)> {
        if let Some(held) = self.containers.get(id) {
            return Some(held.clone());
        }
        let text = self.facts.get(&format!("\0{id}"))?;
        let (kind, public, (own, name)) = (text.get(..1)?, text.get(1..2)? == "+", text.get(2..)?.split_once('\n')?);
        let kind = KINDS.iter().find(|one| one.1 == kind)?.0;
        let own = if own.is_empty() { id } else { own };
        Some((Container { kind, id: own.to_owned(), name: name.to_owned(), public }, Arc::from([])))
    }

    /// Notes a fact; the first one stays.
    pub(super) fn note(&mut self, name: impl Into<String>, fact: impl Into<String>) {
        self.facts.note(&name.into(), &fact.into());
    }

    /// A text that many facts hold, such as the id of an author, in few letters; [`Known::long`] turns it back.
    pub(super) fn short(&mut self, text: &str) -> String {
        let (texts, numbers) = &mut self.repeated;
        let number = numbers.get(text).copied().or_else(|| {
            let room = !text.is_empty() && texts.len() < MOST_REPEATED;
            room.then(|| {
                let text: Arc<str> = text.into();
                texts.push(text.clone());
                numbers.insert(text, texts.len() - 1);
                texts.len() - 1
            })
        });
        number.map_or_else(|| text.to_owned(), |number| format!("\u{1}{number:x}"))
    }

    /// What [`Known::short`] made short.
    pub(super) fn long<'k>(&'k self, short: &'k str) -> &'k str {
        let number = short.strip_prefix('\u{1}').and_then(|number| usize::from_str_radix(number, 16).ok());
        number.and_then(|number| self.repeated.0.get(number)).map_or(short, |text| text)
    }

    /// What was not kept because there was too much of it, as a line of the coverage.
    pub(super) fn lost(&self) -> Option<&'static str> {
        self.facts.full().then_some(
            "more pages, issues or changes than are kept: those at the end are found without author or place",
        )
    }

    /// Notes a fact anew.
    pub(super) fn replace(&mut self, name: impl Into<String>, fact: impl Into<String>) {
        self.changing.insert(name.into(), fact.into());
    }

    /// A fact.
    pub(super) fn fact(&self, name: &str) -> Option<&str> {
        self.changing.get(name).map(String::as_str).or_else(|| self.facts.get(name))
    }

    /// Notes that a record which may lie in many files lies in this one; the first file stays.
    pub(super) fn first_in(&mut self, record: &str, file: &str) {
        if self.firsts.len() < MOST_FIRSTS {
            self.firsts.entry(hash(record)).or_insert_with(|| hash(file));
        }
    }

    /// Whether a record is to be read from this file.
    pub(super) fn is_first(&self, record: &str, file: &str) -> bool {
        self.firsts.get(&hash(record)).is_none_or(|first| *first == hash(file))
    }

    /// Everybody, once.
    pub(super) fn everybody(&self) -> Vec<PersonRef> {
        let mut all: Vec<&PersonRef> = self.people.values().collect();
        all.sort_by_key(|p| (p.id.clone(), p.handle.clone(), p.email.clone()));
        all.dedup();
        all.into_iter().cloned().collect()
    }
}

/// Kinds of containers as they are kept.
const KINDS: &[(ContainerKind, &str)] = &[
    (ContainerKind::Channel, "c"),
    (ContainerKind::Dm, "d"),
    (ContainerKind::GroupDm, "g"),
    (ContainerKind::Issue, "i"),
    (ContainerKind::Page, "p"),
    (ContainerKind::Ticket, "t"),
    (ContainerKind::Board, "b"),
    (ContainerKind::Mailbox, "m"),
    (ContainerKind::Repo, "r"),
    (ContainerKind::File, "f"),
];

fn kind_letter(kind: ContainerKind) -> &'static str {
    KINDS.iter().find(|one| one.0 == kind).map_or("f", |one| one.1)
}

fn hash(text: &str) -> u64 {
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// A person as a record names them; with an address on the record itself the evidence is E0, else E3.
pub(super) fn person(
    platform: &str,
    id: Option<String>,
    handle: Option<String>,
    email: Option<String>,
    display: Option<String>,
) -> Option<PersonRef> {
    let full = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
    let (id, handle, email, display) = (full(id), full(handle), full(email).filter(|e| e.contains('@')), full(display));
    if id.is_none() && handle.is_none() && email.is_none() && display.is_none() {
        return None;
    }
    let evidence = if email.is_some() { Evidence::E0 } else { Evidence::E3 };
    Some(PersonRef { platform: platform.to_owned(), id, handle, email, display, active: None, evidence })
}

/// The same, as an entry of the export's own directory: an address is evidence E1.
pub(super) fn listed(person: Option<PersonRef>, active: Option<bool>) -> Option<PersonRef> {
    person.map(|mut person| {
        if person.email.is_some() {
            person.evidence = Evidence::E1;
        }
        person.active = active;
        person
    })
}

/// Text or number at a dotted path, if it is there and not empty.
pub(super) fn own(value: &Value, path: &str) -> Option<String> {
    match at(value, path) {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        object @ Value::Object(_) => object["#text"].as_str().filter(|t| !t.trim().is_empty()).map(str::to_owned),
        _ => None,
    }
}

/// Value at a dotted path.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, key| &value[key])
}

/// Elements of a list at a path; a single value counts as a list of one.
pub(super) fn list<'v>(value: &'v Value, path: &str) -> impl Iterator<Item = &'v Value> {
    let value = at(value, path);
    let one = (!value.is_array() && !value.is_null()).then_some(value);
    value.as_array().into_iter().flatten().chain(one)
}

/// A time: RFC 3339 in UTC where the zone is known, else as the export writes it. Numbers are seconds, milliseconds or
/// microseconds since 1970, told apart by their size.
pub(super) fn when(value: &Value) -> Option<String> {
    let number = value.as_f64().or_else(|| value.as_str().filter(|t| t.len() >= 9)?.parse::<f64>().ok());
    if let Some(number) = number {
        let seconds = match number {
            n if n > 1e14 => n / 1e6,
            n if n > 1e11 => n / 1e3,
            n => n,
        };
        return (seconds >= 1.0)
            .then(|| jiff::Timestamp::from_second(seconds as i64).ok())?
            .map(|time| time.to_string());
    }
    let text = value.as_str().or_else(|| value["#text"].as_str())?.trim();
    if text.is_empty() {
        return None;
    }
    let parsed =
        text.parse::<jiff::Timestamp>().ok().or_else(|| jiff::fmt::rfc2822::parse(text).ok().map(|z| z.timestamp()));
    if let Some(time) = parsed {
        return Some(time.to_string());
    }
    // A time of the server's that says no zone is told as it stands.
    let plain = text.as_bytes().get(..10).is_some_and(|day| day[4] == b'-' && day[7] == b'-');
    let read = dates::read(text).filter(|read| read.strange <= 12 && (!plain || read.zoned()));
    Some(read.and_then(|read| read.told(dates::Order::Unknown)).unwrap_or_else(|| text.to_owned()))
}
