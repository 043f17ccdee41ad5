//! Confluence's XML export, `entities.xml`: objects with properties; a body stands apart from the page that it belongs to.

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::{html, wiki};
use super::super::{Format, Input, dates, xml};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "confluence",
    claims: |peek| peek.starts("<") && peek.has(&["<hibernate-generic"]),
    learn: Some(learn),
    hand,
};

/// What holds text of people.
const CONTENT: &[&str] = &[
    "Page",
    "BlogPost",
    "Comment",
    "Attachment",
    "Space",
    "SpaceDescription",
    "PageTemplate",
    "CustomContentEntityObject",
    "Draft",
];

/// What the instance made, not a person: password hashes, tokens, keys, settings of directories.
const ARTEFACTS: &[&str] = &[
    "InternalUser",
    "InternalUserCredentialRecord",
    "DefaultHibernateUser",
    "ConfluenceUserImpl",
    "ConfluenceRememberMeToken",
    "Alias",
    "KeyTransferBean",
    "CrowdSettings",
    "ApplicationImpl",
    "DirectoryImpl",
];

/// A property's own text, or the id of the object that it names.
fn prop(object: &Value, name: &str) -> Option<String> {
    let property = list(object, "property").find(|property| property["name"] == name)?;
    own(property, "#text").or_else(|| id(property))
}

/// The id of an object or of a reference to one.
fn id(object: &Value) -> Option<String> {
    list(object, "id")
        .find_map(|id| id.as_str().map(str::to_owned).or_else(|| own(id, "#text")))
        .map(|id| id.trim().to_owned())
}

fn class(object: &Value) -> &str {
    object["class"].as_str().unwrap_or_default()
}

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    xml::elements(input.read, 1, &mut |found| {
        let object = &found.value;
        let key = id(object).unwrap_or_default();
        match class(object) {
            "ConfluenceUserImpl" => {
                let name = prop(object, "name").or_else(|| prop(object, "lowerName"));
                // On Cloud the name can be the address.
                let email = prop(object, "email").or_else(|| name.clone().filter(|name| name.contains('@')));
                let account = prop(object, "atlassianAccountId").unwrap_or_else(|| key.clone());
                if let Some(who) =
                    listed(person("confluence", Some(account), name.clone(), email, prop(object, "fullName")), None)
                {
                    known.add(&[Some(key), name], who);
                }
            }
            "InternalUser" | "User" | "DefaultHibernateUser" => {
                let name = prop(object, "name").or_else(|| prop(object, "lowerName"));
                let email = prop(object, "emailAddress").or_else(|| prop(object, "email"));
                let display = prop(object, "displayName").or_else(|| prop(object, "fullName"));
                if let Some(who) = listed(person("confluence", None, name.clone(), email, display), None) {
                    known.note(
                        format!("mail {}", name.clone().unwrap_or_default().to_lowercase()),
                        who.email.clone().unwrap_or_default(),
                    );
                    known.add(&[name], who);
                }
            }
            kind if CONTENT.contains(&kind) => {
                let first = |names: &[&str]| names.iter().find_map(|name| prop(object, name)).unwrap_or_default();
                let title = first(&["title", "name"]);
                let author = first(&["lastModifier", "creator", "lastModifierName", "creatorName"]);
                let facts = [
                    known.short(kind),
                    first(&["containerContent", "owner"]),
                    known.short(&author),
                    dates::packed(&first(&["lastModificationDate", "creationDate"])),
                    first(&["originalVersion", "originalVersionId"]),
                    title,
                ];
                known.note(format!("content {key}"), facts.map(|fact| fact.replace('\n', " ")).join("\n"));
            }
            _ => {}
        }
    })
}

/// What the first pass noted of a content: class, content around it, author, time (packed), version that it is an old one of, title.
fn content<'k>(known: &'k Known, key: &str) -> Option<[&'k str; 6]> {
    let mut facts = known.fact(&format!("content {key}"))?.split('\n');
    let [class, inside, author, time, old, title] = std::array::from_fn(|_| facts.next().unwrap_or_default());
    let class = known.long(class);
    Some([class, inside, known.long(author), time, old, if title.is_empty() { class } else { title }])
}

/// Ids name other objects, or the object itself, and are no text of anybody: the key of a user looks like one of an interface.
fn skip_ids(record: &Rec<'_>, value: &Value) {
    match value {
        Value::Object(object) => {
            for (name, inner) in object {
                if name == "id" { record.skip(inner) } else { skip_ids(record, inner) }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| skip_ids(record, inner)),
        _ => {}
    }
}

fn who(known: &Known, name: &str) -> Option<PersonRef> {
    let mut who =
        known.find(name).cloned().or_else(|| person("confluence", Some(name.to_owned()), None, None, None))?;
    if who.email.is_none()
        && let Some(email) = who
            .handle
            .as_ref()
            .and_then(|handle| known.fact(&format!("mail {}", handle.to_lowercase())))
            .filter(|m| !m.is_empty())
    {
        who.email = Some(email.to_owned());
        who.evidence = crate::source::Evidence::E1;
    }
    Some(who)
}

/// A draft of the content with this id, in the page around it.
fn draft(known: &Known, key: &str) -> Draft {
    let [class, inside, author, time, old, title] = content(known, key).unwrap_or_default();
    let around = content(known, inside).map(|page| (inside, page[5]));
    let own = (!class.is_empty()).then_some((key, title));
    let of = match around.or(own) {
        Some((id, title)) => container(ContainerKind::Page, id, title, false),
        None => container(ContainerKind::Page, key, format!("content {key}"), false),
    };
    let kind = match class {
        _ if !old.is_empty() => ItemKind::History,
        "Comment" => ItemKind::Comment,
        "Attachment" => ItemKind::File,
        _ => ItemKind::Description,
    };
    let author = (!author.is_empty()).then(|| who(known, author)).flatten();
    Draft::new(of, kind, key).by(author).at(when(&Value::from(dates::unpacked(time))))
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    xml::elements(input.read, 1, &mut |found| {
        let object = &found.value;
        let record = Rec::new(object, &found.pointer);
        let key = id(object).unwrap_or_default();
        skip_ids(&record, object);
        let draft_of = |key: &str| draft(known, key).pointer(found.pointer.as_str());
        match class(object) {
            "BodyContent" => {
                let of = prop(object, "content").unwrap_or_default();
                let Some(body) = list(object, "property").find(|property| property["name"] == "body") else { return };
                let raw = record.take(body);
                let text = match prop(object, "bodyType").as_deref() {
                    Some("0") => wiki::decode(raw),
                    Some("1") => raw.to_owned(),
                    _ => html::decode(raw),
                };
                out.item(draft_of(&of), &text);
            }
            made if ARTEFACTS.contains(&made) => {
                // The account's own id is no credential, and is not told from one by its form.
                if let Some(account) =
                    list(object, "property").find(|property| property["name"] == "atlassianAccountId")
                {
                    record.skip(account);
                }
                let of = container(ContainerKind::File, key.as_str(), class(object), false);
                out.rest(
                    Draft::new(of, ItemKind::Artefact, key.as_str()).via(Via::System).pointer(found.pointer.as_str()),
                    &record,
                );
            }
            kind if CONTENT.contains(&kind) => {
                let shown = |name: &str| {
                    list(object, "property")
                        .find(|p| p["name"] == name)
                        .map(|p| record.take(p).to_owned())
                        .unwrap_or_default()
                };
                let text = ["title", "name", "fileName", "comment", "versionComment"].map(shown).join("\n");
                out.item(draft_of(&key), &text);
                out.rest(draft_of(&key).by(None), &record);
            }
            _ => {
                // Content properties hang on a page or comment.
                let of = prop(object, "content").unwrap_or_else(|| key.clone());
                out.rest(draft_of(&of).by(None), &record);
            }
        }
    })
}
