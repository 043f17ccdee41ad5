//! GitLab's project and group exports: one line an issue or merge request, with its notes inside.

use serde_json::Value;

use super::super::known::{Known, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, Peek, json};
use crate::source::{Container, ContainerKind, ItemKind, Via};

pub(super) const FORMAT: Format = Format { id: "gitlab", claims, learn: Some(learn), hand };

fn claims(peek: &Peek<'_>) -> bool {
    let tree =
        format!("/{}", peek.name).contains("/tree/project") || format!("/{}", peek.name).contains("/tree/groups/");
    let lines = peek.base().ends_with(".ndjson");
    tree && peek.starts("{")
        || lines
            && (peek.keys(&["author_id"]) || peek.keys(&["access_level", "user_id"]) || peek.keys(&["notes", "iid"]))
        || peek.keys(&["iid", "author_id"])
        || peek.keys(&["project_members", "issues"])
}

fn each(input: &mut Input<'_>, each: &mut json::Each<'_>) -> Result<(), String> {
    if input.name.ends_with(".ndjson") {
        return json::lines(input.read, each);
    }
    json::gather(
        input.read,
        &["issues", "merge_requests", "project_members", "snippets", "ci_pipelines", "pipelines"],
        each,
    )
}

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    let members = input.name.contains("members") || !input.name.ends_with(".ndjson");
    if !members {
        return Ok(());
    }
    each(input, &mut |found| {
        let value = &found.value;
        if value["user"].is_object() {
            let id = own(value, "user_id").or_else(|| own(value, "user.id"));
            let email = own(value, "user.email").or_else(|| own(value, "user.public_email"));
            let who = person("gitlab", id.clone(), own(value, "user.username"), email, own(value, "user.name"));
            if let Some(who) = listed(who, None) {
                known.add(&[id, own(value, "user.username")], who);
            }
        }
    })
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let base = input
        .name
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .trim_end_matches(".ndjson")
        .trim_end_matches(".json")
        .to_owned();
    each(input, &mut |found| {
        let record = Rec::new(&found.value, &found.pointer);
        let value = &found.value;
        let name = match (own(value, "iid"), base.as_str()) {
            (Some(iid), "merge_requests") => format!("!{iid}"),
            (Some(iid), _) => format!("#{iid}"),
            (None, _) => base.clone(),
        };
        let kind = if own(value, "iid").is_some() { ContainerKind::Issue } else { ContainerKind::Repo };
        let of = container(kind, name.as_str(), name.as_str(), false);
        walk(value, &found.pointer, &of, &record, known, out, 0);
        let draft = Draft::new(of, ItemKind::Field, name.as_str()).pointer(found.pointer.as_str());
        let artefact = matches!(base.as_str(), "triggers" | "hooks" | "project_feature" | "services");
        out.rest(if artefact { draft.kind(ItemKind::Artefact).via(Via::System) } else { draft }, &record);
    })
}

/// Everything that has an author: the issue itself, notes, snippets, versions of the description.
fn walk<'v>(
    value: &'v Value,
    pointer: &str,
    of: &Container,
    record: &Rec<'v>,
    known: &Known,
    out: &mut Out<'_>,
    depth: usize,
) {
    if depth > 60 {
        return;
    }
    match value {
        Value::Array(all) => {
            for (n, inner) in all.iter().enumerate() {
                walk(inner, &format!("{pointer}/{n}"), of, record, known, out, depth + 1);
            }
        }
        Value::Object(map) => {
            let text = ["title", "description", "note", "content", "message"];
            let authored = map.contains_key("author_id") || value["author"]["name"].is_string();
            if authored && text.iter().any(|name| value[*name].is_string()) {
                let display = own(value, "author.name").or_else(|| own(value, "author_name"));
                let who = person(
                    "gitlab",
                    own(value, "author_id"),
                    own(value, "author.username"),
                    own(value, "author_email"),
                    display,
                );
                let kind = if map.contains_key("note") { ItemKind::Comment } else { ItemKind::Description };
                let shown = text.map(|name| record.take(&value[name])).join("\n");
                let draft =
                    Draft::new(of.clone(), kind, own(value, "id").or_else(|| own(value, "iid")).unwrap_or_default())
                        .by(who.map(|who| known.complete(who)))
                        .via(if value["system"] == true { Via::System } else { Via::Direct })
                        .at(when(&value["created_at"]))
                        .edited(when(&value["last_edited_at"]));
                out.item(draft.pointer(pointer), &shown);
            }
            for (name, inner) in map.iter().filter(|pair| pair.1.is_object() || pair.1.is_array()) {
                walk(inner, &format!("{pointer}/{name}"), of, record, known, out, depth + 1);
            }
        }
        _ => {}
    }
}
