//! Real exports with a token of ours in every text that somebody wrote: each is found again with the author, the time and the link that
//! a second, simpler reading of the same file gives. The samples are no part of the repository; without them the test says so.

use std::collections::HashMap;
use std::path::Path;

use serde_json::{Map, Value};

use super::samples::samples;
use super::{Piece, read, token};

/// A planted token and what is to be found beside it; what is `None` is not compared.
struct Want {
    token: String,
    who: String,
    at: Option<String>,
    link: Option<String>,
}

/// What was planted in one sample, and whom its lists of people name.
#[derive(Default)]
pub(super) struct Plant {
    wants: Vec<Want>,
    people: HashMap<String, String>,
    sample: usize,
}

impl Plant {
    /// With a number that no other sample has.
    pub(super) fn numbered(sample: usize) -> Self {
        Self { sample, ..Self::default() }
    }

    /// A new token behind a text.
    fn behind(&mut self, text: &mut Value, who: &str, at: &Value, link: Option<String>) {
        let Some(old) = text.as_str().filter(|old| !old.trim().is_empty()) else { return };
        let planted = format!("{old} {}", self.next(who, at, link));
        *text = planted.into();
    }

    pub(super) fn next(&mut self, who: &str, at: &Value, link: Option<String>) -> String {
        let token = token(&format!("n{}x{}n", self.sample, self.wants.len()));
        let who = self.people.get(who).map_or(who, String::as_str).to_owned();
        let at = at.as_str().map(str::to_owned).or_else(|| at.as_i64().map(|n| n.to_string()));
        self.wants.push(Want { token: token.clone(), who, at, link });
        token
    }
}

/// A point in time as seconds, if the text is one: RFC 3339 in some form, or seconds or milliseconds since 1970.
fn seconds(text: &str) -> Option<i64> {
    let zoned = text.parse::<jiff::Timestamp>().ok().map(|time| time.as_second());
    let number = || text.split('.').next()?.parse::<i64>().ok();
    zoned.or_else(number).map(|n| if n > 100_000_000_000 { n / 1000 } else { n })
}

type Rule = fn(&mut Map<String, Value>, &mut Plant);

fn text(object: &Map<String, Value>, path: &str) -> String {
    let mut names = path.split('.');
    let first = names.next().and_then(|name| object.get(name)).unwrap_or(&Value::Null);
    match names.fold(first, |value, name| &value[name]) {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Hands every object to a rule, the outer ones first.
fn each(value: &mut Value, plant: &mut Plant, rule: Rule) {
    match value {
        Value::Object(object) => {
            rule(object, plant);
            object.values_mut().for_each(|inner| each(inner, plant, rule));
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| each(inner, plant, rule)),
        _ => {}
    }
}

/// Plants behind the text under a name, when the rule's other fields are there.
fn put(object: &mut Map<String, Value>, plant: &mut Plant, name: &str, who: &str, at: &str, link: Option<String>) {
    let (who, at) = (text(object, who), object.get(at).cloned().unwrap_or_default());
    if let Some(field) = object.get_mut(name).filter(|_| !who.is_empty()) {
        plant.behind(field, &who, &at, link);
    }
}

fn slack(object: &mut Map<String, Value>, plant: &mut Plant) {
    let plain = object.get("type").is_some_and(|kind| kind == "message") && !object.contains_key("subtype");
    if plain && object.contains_key("ts") {
        put(object, plant, "text", "user", "ts", None);
    }
}

fn jira(object: &mut Map<String, Value>, plant: &mut Plant) {
    let who = |user: &Value| {
        ["emailAddress", "name", "accountId", "displayName"]
            .iter()
            .find_map(|name| user[*name].as_str().map(str::to_owned))
    };
    if object.contains_key("body") && object.contains_key("updateAuthor") {
        let (Some(author), link) =
            (object.get("author").and_then(who), format!("focusedCommentId={}", text(object, "id")))
        else {
            return;
        };
        // Rendered comments word their times.
        let at = Some(&object["created"])
            .filter(|at| at.as_str().is_some_and(|at| at.contains('T') && at.starts_with('2')))
            .cloned()
            .unwrap_or_default();
        let linked = text(object, "self").contains("/issue/") && plant.people.contains_key("linked");
        plant.behind(object.get_mut("body").expect("a body"), &author, &at, linked.then_some(link));
    } else if let Some(author) = object.get("reporter").and_then(who) {
        let at = object.get("created").cloned().unwrap_or_default();
        if let Some(field) = object.get_mut("description") {
            plant.behind(field, &author, &at, None);
        }
    }
}

fn teams(object: &mut Map<String, Value>, plant: &mut Plant) {
    let (who, at) = (text(object, "From.User.Id"), object.get("CreatedDateTime").cloned().unwrap_or_default());
    let link = Some(text(object, "WebUrl")).filter(|link| !link.is_empty());
    let Some(body) = object.get_mut("Body").filter(|_| !who.is_empty()) else { return };
    let html = body["ContentType"] == "html";
    let token = plant.next(&who, &at, link);
    let content = body["Content"].as_str().unwrap_or_default();
    // Marked as Teams marks code: the token is cut by an element.
    let (one, two) = token.split_at(token.len() / 2);
    let marked = if html {
        format!("{content}<p>{one}<span class=\"hljs-x\">{two}</span></p>")
    } else {
        format!("{content} {token}")
    };
    body["Content"] = marked.into();
}

fn discord(object: &mut Map<String, Value>, plant: &mut Plant) {
    if object.contains_key("timestampEdited") {
        let link = format!("/{}", text(object, "id"));
        put(object, plant, "content", "author.id", "timestamp", Some(link));
    }
}

fn telegram(object: &mut Map<String, Value>, plant: &mut Plant) {
    let chat = object.get("type").is_some_and(|kind| kind == "message") && !object.contains_key("forwarded_from");
    if chat && object.contains_key("from_id") {
        put(object, plant, "text", "from_id", "date_unixtime", None);
    } else if object.contains_key("message_id") {
        put(object, plant, "text", "from.username", "date", None);
    }
}

fn mattermost(object: &mut Map<String, Value>, plant: &mut Plant) {
    let hooked = object.get("props").is_some_and(|props| props["from_webhook"] == "true");
    if object.contains_key("create_at") && !hooked {
        put(object, plant, "message", "user", "create_at", None);
    }
}

fn zendesk(object: &mut Map<String, Value>, plant: &mut Plant) {
    let (audit, at) = (text(object, "author_id"), object.get("created_at").cloned().unwrap_or_default());
    let events = object.get_mut("events").and_then(Value::as_array_mut);
    for event in events.into_iter().flatten().filter(|event| event["type"] == "Comment") {
        let own = event["author_id"].as_i64().map_or_else(|| audit.clone(), |id| id.to_string());
        plant.behind(&mut event["body"], &own, &at, None);
    }
}

fn gitlab(object: &mut Map<String, Value>, plant: &mut Plant) {
    let name = if object.contains_key("noteable_type") { "note" } else { "description" };
    let system = object.get("system").is_some_and(|system| system == true);
    if object.contains_key("author_id") && !system {
        put(object, plant, name, "author_id", "created_at", None);
    }
}

fn github(object: &mut Map<String, Value>, plant: &mut Plant) {
    if object.contains_key("created_at") {
        let link = Some(text(object, "html_url"));
        put(object, plant, "title", "user.login", "created_at", link);
    }
}

fn migration(object: &mut Map<String, Value>, plant: &mut Plant) {
    let login = text(object, "user").rsplit('/').next().unwrap_or_default().to_owned();
    let (at, link) = (object.get("created_at").cloned().unwrap_or_default(), text(object, "url"));
    if let Some(body) = object.get_mut("body").filter(|_| !login.is_empty()) {
        plant.behind(body, &login, &at, Some(link));
    }
}

fn redmine(object: &mut Map<String, Value>, plant: &mut Plant) {
    put(object, plant, "description", "author.name", "created_on", None);
}

fn freshdesk(object: &mut Map<String, Value>, plant: &mut Plant) {
    put(object, plant, "description", "requester_id", "created_at", None);
}

fn rocketchat(object: &mut Map<String, Value>, plant: &mut Plant) {
    put(object, plant, "msg", "u.username", "ts", None);
}

/// Who a list of people says stands behind an id: the address, where there is one.
fn people(object: &mut Map<String, Value>, plant: &mut Plant) {
    let pairs = [
        ("id", "profile.email"),
        ("Id", "Mail"),
        ("username", "email"),
        ("user_id", "user.email"),
        ("user_id", "user.public_email"),
        ("id", "email"),
    ];
    for (id, email) in pairs {
        let (id, email) = (text(object, id), text(object, email));
        if !id.is_empty() && email.contains('@') {
            plant.people.entry(id).or_insert(email);
        }
    }
}

/// Samples and what plants in them.
const JSON: &[(&str, Rule, usize)] = &[
    ("slack/houston-days-b", slack, 90),
    ("slack/slackdump-dump-dir", slack, 10),
    ("slack/slackdump-export/source_export_dir", slack, 10),
    ("jira-json/jrjc-all-expanded", jira, 3),
    ("jira-json/jrjc-search", jira, 3),
    ("jira-json/jrjc-visibility", jira, 3),
    ("jira-json/perceval-issues-2", jira, 2),
    ("teams/zulip-team-5cfea048-codeblock", teams, 2),
    ("teams/zulip-user-a7a930c5-excerpt", teams, 3),
    ("discord/chatanalytics-GC_3A_5M", discord, 4),
    ("discord/dce-frontend-example", discord, 1),
    ("telegram/chatstyle-fixture", telegram, 5),
    ("telegram/perceval-botapi", telegram, 4),
    ("mattermost/demokit-usaf", mattermost, 40),
    ("mattermost/zulip-direct-channel", mattermost, 8),
    ("zendesk/gozendesk-audits", zendesk, 1),
    ("zendesk/zenpy-audits", zendesk, 50),
    ("gitlab/handbook-issues", gitlab, 5),
    ("gitlab/handbook-mrs", gitlab, 3),
    ("github/octokit-paginate-issues", github, 13),
    ("github/octokit-add-labels", github, 1),
    ("github/migration-issues", migration, 90),
    ("redmine/perceval-list", redmine, 2),
    ("freshdesk/mcp-fixture", freshdesk, 2),
    ("rocketchat/perceval-2", rocketchat, 2),
];

/// Copies a folder; JSON files, and files of JSON lines, pass through `change` value by value.
fn copied(from: &Path, to: &Path, change: &mut dyn FnMut(&mut Value)) {
    std::fs::create_dir_all(to).expect("made");
    let mut entries: Vec<_> = std::fs::read_dir(from).expect("readable").flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copied(&path, &target, change);
            continue;
        }
        let bytes = std::fs::read(&path).expect("readable");
        let whole: Option<Value> = serde_json::from_slice(&bytes).ok();
        let lines = || bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        if let Some(mut whole) = whole {
            change(&mut whole);
            std::fs::write(&target, serde_json::to_vec_pretty(&whole).expect("written")).expect("written");
        } else if lines().next().is_some_and(|line| serde_json::from_slice::<Map<String, Value>>(line).is_ok()) {
            let mut out = String::new();
            for line in lines() {
                let mut value = serde_json::from_slice(line).expect("JSON lines");
                change(&mut value);
                out.push_str(&format!("{value}\n"));
            }
            std::fs::write(&target, out).expect("written");
        } else {
            std::fs::write(&target, bytes).expect("written");
        }
    }
}

/// What is wrong about what was found of a token.
fn wrong(want: &Want, found: &[&Piece]) -> Option<String> {
    if found.is_empty() {
        return Some("is not found".to_owned());
    }
    let shown = || found.iter().map(|piece| format!("{:?}", piece.item)).collect::<Vec<_>>().join("\n   ");
    let said = |piece: &&&Piece| {
        let Some(who) = piece.item.as_ref().and_then(|item| item.author.as_ref()) else { return false };
        [&who.email, &who.handle, &who.display, &who.id]
            .into_iter()
            .flatten()
            .any(|name| name.eq_ignore_ascii_case(&want.who))
    };
    if found.iter().any(|piece| piece.item.as_ref().is_some_and(|item| item.author.is_some()) && !said(&piece)) {
        return Some(format!("is credited to somebody else than {}:\n   {}", want.who, shown()));
    }
    let Some(piece) = found.iter().find(said) else { return Some(format!("is not by {}:\n   {}", want.who, shown())) };
    if let Some(at) = want.at.as_deref().filter(|at| !at.is_empty()) {
        let same = seconds(at).map_or(at == piece.created(), |at| Some(at) == seconds(piece.created()));
        if !same {
            return Some(format!("is not of {at}: {}", piece.created()));
        }
    }
    want.link
        .as_ref()
        .filter(|link| !piece.link().contains(*link))
        .map(|link| format!("is not at {link}: {}", piece.link()))
}

/// Reads a sample in which was planted, and says what is wrong about it.
pub(super) fn compared(name: &str, plant: &Plant, path: &Path, least: usize) -> Vec<String> {
    let seen = read(path);
    println!("{name}: {} planted", plant.wants.len());
    let few = (plant.wants.len() < least).then(|| format!("{name}: only {} planted", plant.wants.len()));
    let of = |want: &Want| wrong(want, &seen.all(&want.token)).map(|why| format!("{name}: {} {why}", want.token));
    few.into_iter().chain(plant.wants.iter().filter_map(of)).collect()
}

#[test]
fn what_is_planted_in_real_exports_is_found_with_author_time_and_link() {
    let Some(root) = samples() else { return };
    let mut all = Vec::new();
    for (number, (name, rule, least)) in JSON.iter().enumerate() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut plant = Plant::numbered(number);
        // Comment pages alone do not say where the issue is.
        plant.people.extend((*name != "jira-json/perceval-issues-2").then(|| ("linked".to_owned(), String::new())));
        copied(&root.join(name), &dir.path().join("people"), &mut |value| each(value, &mut plant, people));
        copied(&root.join(name), &dir.path().join("planted"), &mut |value| each(value, &mut plant, *rule));
        all.extend(compared(name, &plant, &dir.path().join("planted"), *least));
    }
    assert!(all.is_empty(), "{} wrong:\n{}", all.len(), all[..all.len().min(40)].join("\n"));
}
