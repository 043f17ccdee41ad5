//! Mattermost's bulk export: an object a line, each of a type that names its only member.

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, json};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "mattermost",
    claims: |peek| {
        if !peek.starts("{") && !peek.starts("[") {
            return false;
        }
        let tight: String = peek.head.chars().take(4000).filter(|c| !c.is_whitespace()).collect();
        let line = |kind: &str| tight.contains(&format!("{{\"type\":\"{kind}\",\"{kind}\":"));
        line("version") || line("post") || line("direct_post") || (line("team") || line("user")) && !peek.starts("[")
    },
    learn: Some(|input, known| json::lines(input.read, &mut |found| learn(&found.value, known))),
    hand: |input, known, out| json::lines(input.read, &mut |found| line(&found.value, &found.pointer, known, out)),
};

fn learn(value: &Value, known: &mut Known) {
    let user = if value["user"].is_object() { &value["user"] } else { &value["bot"] };
    if let Some(handle) = own(user, "username") {
        let name = own(user, "nickname").or_else(|| {
            let full = [own(user, "first_name"), own(user, "last_name")];
            Some(full.into_iter().flatten().collect::<Vec<_>>().join(" "))
        });
        let who = person("mattermost", None, Some(handle.clone()), own(user, "email"), name);
        let gone = user["delete_at"].as_i64().is_some_and(|time| time > 0);
        if let Some(who) = listed(who, gone.then_some(false)) {
            known.add(&[Some(handle), who.email.clone()], who);
        }
        if value["bot"].is_object() {
            known.note(format!("bot {}", own(user, "username").unwrap_or_default().to_lowercase()), "yes");
        }
    }
    let channel = &value["channel"];
    if let (Some(team), Some(name)) = (own(channel, "team"), own(channel, "name")) {
        let shown = own(channel, "display_name").unwrap_or_else(|| name.clone());
        let id = format!("{team}/{name}");
        let of = container(ContainerKind::Channel, id.as_str(), shown, channel["type"] == "O");
        known.hold(id, of, Vec::new());
    }
}

/// Somebody by name; whom the file does not list keeps the handle.
fn who(known: &Known, name: &str) -> Option<PersonRef> {
    known.find(name).cloned().or_else(|| person("mattermost", None, Some(name.to_owned()), None, None))
}

fn line(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let kind = value["type"].as_str().unwrap_or_default();
    let of = match kind {
        "post" => {
            let id = format!(
                "{}/{}",
                own(value, "post.team").unwrap_or_default(),
                own(value, "post.channel").unwrap_or_default()
            );
            let unknown = || container(ContainerKind::Channel, id.as_str(), id.as_str(), false);
            Draft::new(known.container(&id).map_or_else(unknown, |held| held.0), ItemKind::Message, "")
        }
        "direct_post" => {
            let members: Vec<PersonRef> =
                list(value, "direct_post.channel_members").filter_map(|name| who(known, name.as_str()?)).collect();
            let names: Vec<&str> = members.iter().filter_map(|one| one.handle.as_deref()).collect();
            let kind = if members.len() > 2 { ContainerKind::GroupDm } else { ContainerKind::Dm };
            let name = names.join("--");
            let of = container(kind, name.as_str(), name.as_str(), false);
            Draft::new(of, ItemKind::Message, "").to(members.clone()).readers(members.into())
        }
        "channel" => {
            let id = format!(
                "{}/{}",
                own(value, "channel.team").unwrap_or_default(),
                own(value, "channel.name").unwrap_or_default()
            );
            let of = known.container(&id).map(|held| held.0);
            Draft::new(of.unwrap_or_else(|| container(ContainerKind::Channel, "", "", false)), ItemKind::Field, id)
        }
        "user" | "bot" => {
            // Import files may carry passwords: the file's own, whoever it is about.
            let name = own(&value[kind], "username").unwrap_or_default();
            let draft = Draft::new(container(ContainerKind::File, "", "users", false), ItemKind::Artefact, name);
            return out.rest(draft.via(Via::System).pointer(pointer), &record);
        }
        _ => {
            let draft = Draft::new(container(ContainerKind::File, "", kind, false), ItemKind::Field, "");
            return out.rest(draft.pointer(pointer), &record);
        }
    };
    if matches!(kind, "post" | "direct_post") {
        post(&record, &value[kind], &format!("{pointer}/{kind}"), &of, known, out);
    }
    out.rest(of.pointer(pointer), &record);
}

fn post<'v>(record: &Rec<'v>, value: &'v Value, pointer: &str, draft: &Draft, known: &Known, out: &mut Out<'_>) {
    let name = own(value, "user").unwrap_or_default();
    let props = match &value["props"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        other => other.clone(),
    };
    let hook = props["from_webhook"] == "true" || props["from_webhook"] == true;
    let bot = known.fact(&format!("bot {}", name.to_lowercase())).is_some() || props["from_bot"] == "true";
    let via = match (hook, bot) {
        (true, _) => Via::Webhook,
        (_, true) => Via::Bot,
        _ if value["type"].as_str().is_some_and(|kind| kind.starts_with("system_")) => Via::System,
        _ => Via::Direct,
    };
    let draft = draft
        .clone()
        .id(own(value, "id").or_else(|| own(value, "create_at")).unwrap_or_default())
        .by(who(known, &name).filter(|_| !name.is_empty()))
        .via(via)
        .at(when(&value["create_at"]))
        .edited(when(&value["edit_at"]));
    out.item(draft.clone().pointer(format!("{pointer}/message")), record.take(&value["message"]));
    for (n, attached) in list(value, "props.attachments").enumerate() {
        let text = ["pretext", "author_name", "title", "title_link", "text", "fallback", "footer"]
            .map(|name| record.take(&attached[name]));
        let fields = list(attached, "fields")
            .map(|one| format!("{}: {}", record.take(&one["title"]), record.take(&one["value"])));
        let text = text.into_iter().map(str::to_owned).chain(fields).collect::<Vec<_>>().join("\n");
        out.item(draft.clone().pointer(format!("{pointer}/props/attachments/{n}")), &text);
    }
    for (n, reply) in list(value, "replies").enumerate() {
        post(record, reply, &format!("{pointer}/replies/{n}"), &draft, known, out);
    }
}
