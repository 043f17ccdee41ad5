//! Jira's backup, `entities.xml`: flat elements, joined by ids. Long values stand in child elements, short ones in attributes.

use serde_json::Value;

use super::super::known::{Known, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::wiki;
use super::super::{Format, Input, dates, xml};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "jira-xml", // A comment on the instance may fill the head before the root element.
    claims: |peek| {
        peek.starts("<") && peek.has(&["<entity-engine-xml"])
            || peek.starts("<?xml") && peek.has(&["JIRA Build", "___ Exported on"])
    },
    learn: Some(learn),
    hand,
};

/// Elements that hold what the instance made, not a person: password hashes, tokens, licences, settings of mail servers.
const ARTEFACTS: &[&str] = &[
    "User",
    "RememberMeToken",
    "ExternalEntity",
    "OSPropertyText",
    "OSPropertyString",
    "ProductLicense",
    "OAuthConsumer",
    "OAuthConsumerToken",
    "OAuthServiceProviderToken",
    "OAuthServiceProviderConsumer",
    "MailServer",
    "TrustedApplication",
    "Application",
    "ApplicationAttribute",
    "DirectoryAttribute",
];

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    xml::elements(input.read, 1, &mut |found| {
        let value = &found.value;
        let id = || own(value, "id").unwrap_or_default();
        match found.key.as_str() {
            "User" => {
                let name = own(value, "lowerUserName").or_else(|| own(value, "userName"));
                let who = person(
                    "jira",
                    None,
                    own(value, "userName").or_else(|| name.clone()),
                    own(value, "emailAddress"),
                    own(value, "displayName"),
                );
                let active = own(value, "active").map(|active| active == "1" || active == "true");
                if let Some(who) = listed(who, active) {
                    known.add(&[name], who);
                }
            }
            "ApplicationUser" => {
                if let (Some(key), Some(name)) = (own(value, "userKey"), own(value, "lowerUserName")) {
                    known.note(format!("user {}", key.to_lowercase()), name);
                }
            }
            "Issue" => {
                let key = own(value, "key").unwrap_or_else(|| {
                    format!(
                        "{}-{}",
                        own(value, "projectKey").unwrap_or_default(),
                        own(value, "number").unwrap_or_else(id)
                    )
                });
                known.hold(id(), container(ContainerKind::Issue, id(), key, false), Vec::new());
            }
            "OSPropertyEntry" => known.note(format!("name of {}", id()), own(value, "propertyKey").unwrap_or_default()),
            "CustomField" => known.note(format!("name of field {}", id()), own(value, "name").unwrap_or_default()),
            "ChangeGroup" => {
                let fact = |name| own(value, name).unwrap_or_default();
                let author = known.short(&fact("author"));
                known.note(
                    format!("change {}", id()),
                    format!("{}\n{author}\n{}", fact("issue"), dates::packed(&fact("created"))),
                );
            }
            _ => {}
        }
    })
}

/// A user's key leads to the name, the name to the address. Removed users have no row and keep their handle.
fn who(known: &Known, key: Option<String>) -> Option<PersonRef> {
    let key = key?;
    let name = known.fact(&format!("user {}", key.to_lowercase())).unwrap_or(&key);
    let mut person = known.find(name).cloned().or_else(|| person("jira", None, Some(name.to_owned()), None, None))?;
    person.id = Some(key);
    Some(person)
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    xml::elements(input.read, 1, &mut |found| element(&found.key, &found.value, &found.pointer, known, out))
}

fn element(name: &str, value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let text = |field: &str| own(value, field);
    let id = text("id").unwrap_or_default();
    let place = |issue: Option<String>| {
        let issue = issue.unwrap_or_default();
        known
            .container(&issue)
            .map_or_else(|| container(ContainerKind::File, issue.as_str(), name, false), |held| held.0)
    };
    let issue = if name == "Issue" { Some(id.clone()) } else { text("issue") };
    let draft = Draft::new(place(issue), ItemKind::Field, id.as_str()).at(when(&value["created"])).pointer(pointer);
    // What a value is called stands in another element.
    let named = |name: String, values: &[&str]| {
        let called = known.fact(&name).unwrap_or_default();
        let values = values.iter().map(|value| record.at(value)).filter(|value| !value.is_empty());
        values.map(|value| format!("{called}: {value}\n")).collect::<String>()
    };
    match name {
        "OSPropertyString" | "OSPropertyText" => {
            let shown = named(format!("name of {id}"), &["value"]);
            let made = draft.kind(ItemKind::Artefact).via(Via::System);
            out.item(made.clone(), &shown);
            return out.rest(made, &record);
        }
        // The name of a property is a key of nothing.
        "OSPropertyEntry" => record.skip(&value["propertyKey"]),
        "GadgetUserPreference" => {
            let shown = format!("{}: {}", record.at("userprefkey"), record.at("userprefvalue"));
            out.item(draft.clone(), &shown);
        }
        "CustomFieldValue" => {
            let field = text("customfield").unwrap_or_default();
            let shown = named(format!("name of field {field}"), &["stringvalue", "textvalue"]);
            out.item(draft.clone(), &shown);
        }
        "Issue" => {
            let author = who(known, text("reporter")).or_else(|| who(known, text("creator")));
            let draft = draft
                .clone()
                .kind(ItemKind::Description)
                .by(author)
                .to(who(known, text("assignee")).into_iter().collect());
            for field in ["summary", "description", "environment"] {
                let shown = wiki::decode(record.at(field));
                out.item(draft.clone().pointer(format!("{pointer}/{field}")), &shown);
            }
        }
        "Action" | "Worklog" => {
            let shown = wiki::decode(record.at("body"));
            let author = who(known, text("author"));
            out.item(draft.clone().kind(ItemKind::Comment).by(author).edited(when(&value["updated"])), &shown);
        }
        "ChangeItem" => {
            let group =
                known.fact(&format!("change {}", text("group").unwrap_or_default())).unwrap_or_default().to_owned();
            let mut parts = group.split('\n').map(str::to_owned);
            let change = Draft::new(place(parts.next()), ItemKind::History, id.as_str());
            let author = parts.next().map(|author| known.long(&author).to_owned());
            let author = who(known, author.filter(|author| !author.is_empty()));
            let change = change.at(parts.next().map(|time| dates::unpacked(&time))).pointer(pointer);
            let new = wiki::decode(record.at("newstring"));
            out.item(change.clone().by(author), &new);
            // Who wrote the old text stands in an earlier change or is the reporter; here it is not said.
            let old = wiki::decode(record.at("oldstring"));
            out.item(change.clone(), &old);
            return out.rest(change, &record);
        }
        "FileAttachment" => {
            let shown = record.at("filename").to_owned();
            out.item(draft.clone().kind(ItemKind::File).by(who(known, text("author"))), &shown);
        }
        _ if ARTEFACTS.contains(&name) => return out.rest(draft.kind(ItemKind::Artefact).via(Via::System), &record),
        _ => {}
    }
    out.rest(draft, &record);
}
