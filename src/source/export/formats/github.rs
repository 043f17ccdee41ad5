//! GitHub: pages of the API and of `gh`, migration archives, and the hourly files of GH Archive.

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, Peek, json};
use crate::source::{ContainerKind, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "github",
    claims: |peek| {
        peek.keys(&["login"])
            && (peek.keys(&["user", "body"])
                || peek.keys(&["author", "body"])
                || peek.keys(&["user", "issue_url"])
                || peek.keys(&["user", "comments_url"]))
            || peek.keys(&["request", "response", "status"]) && peek.has(&["api.github.com"])
    },
    learn: None,
    hand: |input, known, out| {
        json::gather(
            input.read,
            &["issues", "items", "comments", "reviews", "pull_requests", "discussions"],
            &mut |found| page(&found.value, &found.pointer, known, out),
        )
    },
};

pub(super) const MIGRATION: Format = Format {
    id: "github-migration",
    claims: |peek| {
        numbered(peek.base()) && peek.keys(&["type", "url"])
            || peek.keys(&["type", "url", "user"]) && peek.has(&["\"user\": \"https://github.com/"])
    },
    learn: Some(learn),
    hand: migration,
};

pub(super) const ARCHIVE: Format = Format {
    id: "gharchive",
    claims: |peek: &Peek<'_>| peek.keys(&["actor", "repo", "payload", "type"]),
    learn: None,
    hand: |input, known, out| json::lines(input.read, &mut |found| event(&found.value, &found.pointer, known, out)),
};

/// `issue_comments_000001.json`
fn numbered(base: &str) -> bool {
    base.strip_suffix(".json")
        .and_then(|stem| stem.rsplit_once('_'))
        .is_some_and(|(_, n)| n.len() == 6 && n.bytes().all(|b| b.is_ascii_digit()))
}

fn user(value: &Value) -> Option<PersonRef> {
    let login = own(value, "login")?;
    person(
        "github",
        own(value, "id").or_else(|| own(value, "node_id")),
        Some(login),
        own(value, "email"),
        own(value, "name"),
    )
}

fn via(value: &Value) -> Via {
    let bot = value["type"] == "Bot"
        || value["is_bot"] == true
        || value["login"].as_str().is_some_and(|login| login.ends_with("[bot]"));
    if bot { Via::Bot } else { Via::Direct }
}

/// Everything with an author and a body, wherever the page has it.
fn page(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    walk(value, pointer, &record, known, out, 0);
    out.rest(Draft::new(place(value, pointer), ItemKind::Field, "").pointer(pointer), &record);
}

fn walk<'v>(value: &'v Value, pointer: &str, record: &Rec<'v>, known: &Known, out: &mut Out<'_>, depth: usize) {
    if depth > 60 {
        return;
    }
    if let Some(map) = value.as_object() {
        let who = if value["user"]["login"].is_string() { &value["user"] } else { &value["author"] };
        if who["login"].is_string() && (map.contains_key("body") || map.contains_key("title")) {
            let title = record.take(&value["title"]);
            let kind = if map.contains_key("title") { ItemKind::Description } else { ItemKind::Comment };
            let text = format!("{title}\n{}", record.take(&value["body"]));
            let first = |names: [&str; 2]| names.iter().find_map(|name| when(&value[*name]));
            let draft = Draft::new(place(value, pointer), kind, own(value, "id").unwrap_or_default())
                .by(user(who).map(|who| known.complete(who)))
                .via(via(who))
                .at(first(["created_at", "createdAt"]).or_else(|| first(["submitted_at", "submittedAt"])))
                .edited(first(["updated_at", "updatedAt"]))
                .link(own(value, "html_url").or_else(|| own(value, "url")))
                .to(list(value, "assignees").filter_map(user).collect());
            out.item(draft.pointer(pointer), &text);
        }
    }
    match value {
        Value::Array(all) => {
            for (n, inner) in all.iter().enumerate() {
                walk(inner, &format!("{pointer}/{n}"), record, known, out, depth + 1);
            }
        }
        Value::Object(map) => {
            for (name, inner) in map.iter().filter(|pair| pair.1.is_object() || pair.1.is_array()) {
                walk(inner, &format!("{pointer}/{name}"), record, known, out, depth + 1);
            }
        }
        _ => {}
    }
}

/// `octo/shop#7` out of a link to an issue, pull request or comment.
fn place(value: &Value, pointer: &str) -> crate::source::Container {
    let link = ["html_url", "issue_url", "pull_request_url", "url", "issue", "pull_request"]
        .iter()
        .find_map(|name| value[*name].as_str());
    let name = link.and_then(name_of).unwrap_or_else(|| link.unwrap_or(pointer).to_owned());
    container(ContainerKind::Issue, name.as_str(), name.as_str(), false)
}

fn name_of(link: &str) -> Option<String> {
    let path = link.split("://").nth(1)?.split_once('/')?.1.split('#').next()?;
    let path = path.strip_prefix("repos/").unwrap_or(path);
    let mut parts = path.split('/');
    let (owner, repo) = (parts.next()?, parts.next()?);
    let number = parts.find(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    Some(number.map_or_else(|| format!("{owner}/{repo}"), |number| format!("{owner}/{repo}#{number}")))
}

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    let base = input.name.rsplit('/').next().unwrap_or_default();
    if !base.starts_with("users_") && !base.starts_with("bots_") {
        return Ok(());
    }
    json::members(input.read, &[], &mut |found| {
        let value = &found.value;
        let primary = list(value, "emails").find(|one| one["primary"] == true).or_else(|| list(value, "emails").next());
        let login =
            own(value, "login").or_else(|| own(value, "url").and_then(|url| url.rsplit('/').next().map(str::to_owned)));
        let email = primary.and_then(|one| own(one, "address").or_else(|| one.as_str().map(str::to_owned)));
        if let Some(who) = listed(person("github", None, login.clone(), email, own(value, "name")), None) {
            let more = list(value, "emails").filter_map(|one| own(one, "address"));
            let names: Vec<Option<String>> = [login].into_iter().chain(more.map(Some)).collect();
            known.add(&names, who);
        }
    })
}

fn migration(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    json::members(input.read, &[], &mut |found| {
        let value = &found.value;
        let record = Rec::new(value, &found.pointer);
        let link = own(value, "user").or_else(|| own(value, "author"));
        let login = link.as_deref().and_then(|link| link.trim_end_matches('/').rsplit('/').next()).map(str::to_owned);
        let bot = login.as_deref().is_some_and(|login| login.ends_with("[bot]"));
        let kind = if value["type"].as_str().unwrap_or_default().contains("comment") {
            ItemKind::Comment
        } else {
            ItemKind::Description
        };
        let text = ["title", "body", "formatter", "message"].map(|name| record.at(name)).join("\n");
        let draft = Draft::new(place(value, &found.pointer), kind, own(value, "url").unwrap_or_default())
            .by(person("github", None, login, None, None).map(|who| known.complete(who)))
            .via(if bot { Via::Bot } else { Via::Direct })
            .at(when(&value["created_at"]))
            .link(own(value, "url"))
            .pointer(found.pointer.as_str());
        out.item(draft.clone(), &text);
        out.rest(draft.by(None), &record);
    })
}

fn event(value: &Value, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let repo = own(value, "repo.name").unwrap_or_default();
    let of = container(ContainerKind::Repo, repo.as_str(), repo.as_str(), true);
    let draft = Draft::new(of, ItemKind::Message, own(value, "id").unwrap_or_default()).at(when(&value["created_at"]));
    for (n, commit) in list(value, "payload.commits").enumerate() {
        let author = person("git", None, None, own(commit, "author.email"), own(commit, "author.name"));
        let text = record.take(&commit["message"]).to_owned();
        out.item(draft.clone().by(author).pointer(format!("{pointer}/payload/commits/{n}")), &text);
    }
    walk(&value["payload"], pointer, &record, known, out, 0);
    out.rest(draft.by(user(&value["actor"])).pointer(pointer), &record);
}
