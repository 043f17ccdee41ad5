//! Microsoft Teams: the data export (names begin with capitals) and what Graph answers (they do not).

use std::sync::Arc;

use serde_json::Value;

use super::super::known::{Known, listed, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::html;
use super::super::{Format, Input, json};
use crate::source::{Container, ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "teams",
    claims: |peek| {
        let both = |names: &[&str]| {
            let small: Vec<String> = names.iter().map(|name| lower(name)).collect();
            peek.keys(names) || peek.keys(&small.iter().map(String::as_str).collect::<Vec<_>>())
        };
        both(&["Body", "ContentType", "Content"])
            && (both(&["CreatedDateTime"]) || peek.base().starts_with("messages_"))
            || both(&["UserPrincipalName", "DisplayName", "Id"])
            || both(&["MembershipType", "DisplayName", "Id"])
            || both(&["UserId", "Email", "DisplayName", "Roles"])
            || both(&["DisplayName", "Visibility", "Id"]) && peek.base().starts_with("teams")
    },
    learn: Some(learn),
    hand,
};

fn lower(name: &str) -> String {
    let mut rest = name.chars();
    rest.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + rest.as_str())
}

/// Value at a dotted path of capitalised names, or of the same names as Graph writes them.
fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| if value[name].is_null() { &value[lower(name)] } else { &value[name] })
}

fn text(value: &Value, path: &str) -> Option<String> {
    match at(value, path) {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The records of a file, whether they stand in a list, in a page of Graph or alone.
fn records(input: &mut Input<'_>, each: &mut dyn FnMut(&Value, &str)) -> Result<(), String> {
    json::gather(input.read, &["value", "messages", "Messages", "replies"], &mut |found| {
        each(&found.value, &found.pointer);
    })
}

/// `messages_<id>.json` below `teams/<id>`: the id.
fn team_of(name: &str) -> Option<&str> {
    let stem = name.rsplit('/').next()?.strip_suffix(".json")?;
    stem.rsplit_once('_').map(|pair| pair.1)
}

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    let name = input.name.to_owned();
    let mut members: Vec<PersonRef> = Vec::new();
    let result = records(input, &mut |value, _| {
        if text(value, "UserPrincipalName").is_some() {
            let principal = text(value, "UserPrincipalName");
            // An account that was deleted keeps its principal with an id before it.
            let gone = principal.as_deref().and_then(bare_principal);
            let email = text(value, "Mail").or_else(|| gone.clone()).or_else(|| principal.clone());
            let who = person("teams", text(value, "Id"), principal.clone(), email, text(value, "DisplayName"));
            let active = if gone.is_some() { Some(false) } else { at(value, "AccountEnabled").as_bool() };
            if let Some(who) = listed(who, active) {
                known.add(&[text(value, "Id"), principal, gone, text(value, "Mail")], who);
            }
        } else if at(value, "Body").is_object() {
            let (chat, id) = (text(value, "ChatId"), text(value, "Id"));
            if let (Some(chat), Some(id)) = (chat, id) {
                known.first_in(&format!("{chat}\n{id}"), &name);
            }
        } else if text(value, "MembershipType").is_some() && text(value, "Id").is_some_and(|id| id.starts_with("19:")) {
            let id = text(value, "Id").unwrap_or_default();
            let public = text(value, "MembershipType").is_some_and(|kind| kind.eq_ignore_ascii_case("standard"));
            let shown = text(value, "DisplayName").unwrap_or_else(|| id.clone());
            known.hold(id.as_str(), container(ContainerKind::Channel, id.as_str(), shown, public), Vec::new());
        } else if let Some(id) = text(value, "UserId") {
            let email = text(value, "Email");
            let who = person("teams", Some(id.clone()), None, email, text(value, "DisplayName"));
            if let Some(who) = listed(who, None) {
                known.add(&[Some(id)], who.clone());
                members.push(who);
            }
        } else if let (Some(id), Some(shown)) = (text(value, "Id"), text(value, "DisplayName")) {
            known.note(format!("team {id}"), shown);
        }
    });
    if let Some(team) = team_of(&name).filter(|_| !members.is_empty()) {
        let of = container(ContainerKind::Channel, team, team, false);
        known.hold(format!("members {team}"), of, members);
    }
    result
}

/// `0f…32 digits…alice@x.example` → `alice@x.example`
fn bare_principal(name: &str) -> Option<String> {
    let (lead, rest) = name.split_at_checked(32)?;
    (lead.bytes().all(|b| b.is_ascii_hexdigit()) && rest.contains('@')).then(|| rest.to_owned())
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let name = input.name.to_owned();
    records(input, &mut |value, pointer| {
        if !at(value, "Body").is_object() {
            let record = Rec::new(value, pointer);
            let of = container(ContainerKind::File, "", name.as_str(), false);
            return out.rest(Draft::new(of, ItemKind::Field, "").pointer(pointer), &record);
        }
        let key = text(value, "ChatId").zip(text(value, "Id")).map(|(chat, id)| format!("{chat}\n{id}"));
        // A chat lies in the folder of each of its members; one copy is enough.
        if key.is_none_or(|key| known.is_first(&key, &name)) {
            message(value, pointer, known, out);
        }
    })
}

/// A user, bot or device of an identity set.
fn who(known: &Known, set: &Value) -> (Option<PersonRef>, Via) {
    let address = at(set, "EmailAddress");
    if address.is_object() {
        return (person("teams", None, None, text(address, "Address"), text(address, "Name")), Via::Direct);
    }
    for (kind, via) in [("User", Via::Direct), ("Application", Via::Bot), ("Device", Via::System)] {
        let one = at(set, kind);
        if one.is_object() {
            let who = person("teams", text(one, "Id"), None, None, text(one, "DisplayName"));
            return (who.map(|who| known.complete(who)), via);
        }
    }
    (None, Via::System)
}

fn place(value: &Value, known: &Known) -> (Container, Arc<[PersonRef]>, Vec<PersonRef>) {
    if let Some(chat) = text(value, "ChatId") {
        let peers: Vec<PersonRef> = chat
            .strip_suffix("@unq.gbl.spaces")
            .and_then(|pair| pair.strip_prefix("19:"))
            .map(|pair| pair.split('_').filter_map(|id| known.person("teams", id)).collect())
            .unwrap_or_default();
        let kind = if peers.is_empty() { ContainerKind::GroupDm } else { ContainerKind::Dm };
        let readers: Arc<[PersonRef]> = peers.clone().into();
        return (container(kind, chat.as_str(), chat.as_str(), false), readers, peers);
    }
    let channel = text(value, "ChannelIdentity.ChannelId").unwrap_or_default();
    let team = text(value, "ChannelIdentity.TeamId").unwrap_or_default();
    let mut of = known
        .container(&channel)
        .map_or_else(|| container(ContainerKind::Channel, channel.as_str(), channel.as_str(), false), |held| held.0);
    if let Some(name) = known.fact(&format!("team {team}")) {
        of.name = format!("{name}/{}", of.name);
    }
    let readers = known.container(&format!("members {team}")).map_or_else(|| Arc::from([]), |held| held.1);
    (of, readers, Vec::new())
}

fn message(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let from = at(value, "From");
    let system = at(value, "EventDetail.Initiator");
    let (author, mut via) = if from.is_null() { who(known, system) } else { who(known, from) };
    if from.is_null() {
        via = Via::System;
    }
    let (of, readers, mut peers) = place(value, known);
    peers.retain(|peer| author.as_ref().is_none_or(|author| peer.id != author.id));
    let draft = Draft::new(of, ItemKind::Message, text(value, "Id").unwrap_or_default())
        .by(author)
        .via(via)
        .at(when(at(value, "CreatedDateTime")))
        .edited(when(at(value, "LastEditedDateTime")))
        .link(text(value, "WebUrl"))
        .to(peers)
        .readers(readers);
    let raw = record.take(at(value, "Body.Content"));
    let plain = text(value, "Body.ContentType").is_some_and(|kind| kind.eq_ignore_ascii_case("text"));
    let body = if plain { raw.to_owned() } else { html::decode(raw) };
    let shown = format!("{}\n{body}", record.take(at(value, "Subject")));
    out.item(draft.clone().pointer(format!("{pointer}/Body/Content")), &shown);
    for (n, attached) in at(value, "Attachments").as_array().into_iter().flatten().enumerate() {
        attachment(attached, &record, draft.clone().pointer(format!("{pointer}/Attachments/{n}")), known, out);
    }
    out.others(draft.pointer(pointer), &record);
}

/// Quoted and forwarded messages are their first sender's words; cards are text in JSON.
fn attachment<'v>(attached: &'v Value, record: &Rec<'v>, draft: Draft, known: &Known, out: &mut Out<'_>) {
    let kind = text(attached, "ContentType").unwrap_or_default();
    let Some(content) = at(attached, "Content").as_str() else { return };
    let Ok(inner) = serde_json::from_str::<Value>(content) else {
        let shown = if kind.contains("html") || kind.contains("card") { html::decode(content) } else { content.into() };
        record.take(at(attached, "Content"));
        return out.item(draft, &shown);
    };
    record.take(at(attached, "Content"));
    let part = Rec::new(&inner, record.pointer);
    if kind.ends_with("essageReference") {
        let forwarded = kind.starts_with("forwarded");
        let sender = ["originalMessageSender", "messageSender"].iter().find(|name| inner[**name].is_object());
        let (author, _) = sender.map_or((None, Via::System), |name| who(known, &inner[*name]));
        let via = if forwarded { Via::Forwarded } else { Via::Quoted };
        let shown = ["originalMessageContent", "messagePreview", "content"].map(|name| html::decode(part.at(name)));
        let draft = draft.by(author).via(via).at(when(&inner["originalSentDateTime"])).edited(None).link(None);
        out.item(draft.clone(), &shown.join("\n"));
        return out.rest(draft.by(None), &part);
    }
    out.rest(draft, &part);
}
