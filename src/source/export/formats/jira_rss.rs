//! XML of Jira's issue navigator: one `item` an issue, descriptions and comments in escaped HTML.

use serde_json::Value;

use super::super::known::{Known, at, list, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::html;
use super::super::{Format, Input, xml};
use crate::source::{ContainerKind, ItemKind, PersonRef};

pub(super) const FORMAT: Format = Format {
    id: "jira-rss",
    claims: |peek| {
        peek.starts("<")
            && peek.has(&["<rss"])
            && (peek.has(&["<item>", "<key id="]) || peek.has(&["<item>", "/browse/"]) || peek.has(&["<build-info>"]))
    },
    learn: None,
    hand,
};

fn hand(input: &mut Input<'_>, _: &Known, out: &mut Out<'_>) -> Result<(), String> {
    xml::elements(input.read, 2, &mut |found| {
        let (value, record) = (&found.value, Rec::new(&found.value, &found.pointer));
        if found.key != "item" {
            return out.rest(
                Draft::new(
                    container(ContainerKind::File, "", "Jira search", false),
                    ItemKind::Field,
                    found.key.as_str(),
                ),
                &record,
            );
        }
        let key = own(value, "key").unwrap_or_default();
        // The type of a field is called its key.
        list(value, "customfields.customfield").for_each(|field| record.skip(&field["key"]));
        let link = own(value, "link");
        let draft = Draft::new(
            container(ContainerKind::Issue, key.as_str(), key.as_str(), false),
            ItemKind::Description,
            key.as_str(),
        )
        .by(user(&value["reporter"]))
        .at(when(&value["created"]))
        .edited(when(&value["updated"]))
        .link(link.clone())
        .to(user(&value["assignee"]).into_iter().collect());
        for name in ["summary", "description", "environment"] {
            let text = html::decode(record.at(name));
            out.item(draft.clone().pointer(format!("{}/{name}", found.pointer)), &text);
        }
        for (n, comment) in list(value, "comments.comment").enumerate() {
            let id = own(comment, "id").unwrap_or_default();
            let link = link.as_ref().map(|link| format!("{link}?focusedCommentId={id}"));
            let draft = draft
                .clone()
                .kind(ItemKind::Comment)
                .by(account(own(comment, "author"), None))
                .at(when(at(comment, "created")));
            let text = html::decode(record.take(comment));
            out.item(
                draft
                    .edited(None)
                    .to(Vec::new())
                    .id(id)
                    .link(link)
                    .pointer(format!("{}/comments/comment[{n}]", found.pointer)),
                &text,
            );
        }
        for file in list(value, "attachments.attachment") {
            let text = record.take(&file["name"]).to_owned();
            let draft = draft
                .clone()
                .kind(ItemKind::File)
                .by(account(own(file, "author"), None))
                .id(own(file, "id").unwrap_or_default());
            out.item(draft.at(when(&file["created"])), &text);
        }
        out.rest(draft.by(None).pointer(found.pointer.as_str()), &record);
    })
}

fn user(value: &Value) -> Option<PersonRef> {
    match (own(value, "accountid"), own(value, "username")) {
        (Some(id), _) if id != "-1" => account(Some(id), own(value, "#text")),
        (_, Some(name)) if name != "-1" => person("jira", None, Some(name), None, own(value, "#text")),
        _ => None,
    }
}

/// An account id of Cloud is no login.
fn account(id: Option<String>, display: Option<String>) -> Option<PersonRef> {
    let id = id?;
    if id.contains(':') || id.len() >= 24 {
        person("jira", Some(id), None, None, display)
    } else {
        person("jira", None, Some(id), None, display)
    }
}
