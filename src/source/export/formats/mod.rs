//! Every format of an export, the most telling first.

use std::path::Path;

use super::Format;

mod ci_log;
mod confluence;
mod discord;
mod discord_page;
mod github;
mod gitlab;
mod google_chat;
mod har;
mod ipynb;
mod issues;
mod jira_csv;
mod jira_json;
mod jira_rss;
mod jira_xml;
mod json_enumerator;
mod mail;
mod map;
mod mattermost;
mod notion;
mod postman;
pub(super) mod quoted;
mod rocketchat;
mod servicenow;
mod teams;
mod telegram;
mod telegram_page;
mod trello;
mod vault;
mod whatsapp;
mod zendesk;
mod zulip;

pub(in crate::source) use map::check as check_map;

/// In the order in which they are asked.
pub(super) const ALL: &[&Format] = &[
    &jira_xml::FORMAT,
    &confluence::FORMAT,
    &jira_rss::FORMAT,
    &gitlab::FORMAT,
    &github::MIGRATION,
    &github::ARCHIVE,
    &jira_json::FORMAT,
    &github::FORMAT,
    &jira_csv::FORMAT,
    &ci_log::FORMAT,
    &har::FORMAT,
    &har::CASSETTE,
    &ipynb::FORMAT,
    &trello::FORMAT,
    &zendesk::FORMAT,
    &postman::FORMAT,
    &teams::FORMAT,
    &google_chat::FORMAT,
    &servicenow::FORMAT,
    &notion::FORMAT,
    &mattermost::FORMAT,
    &discord::FORMAT,
    &rocketchat::FORMAT,
    &zulip::FORMAT,
    &telegram::FORMAT,
    &issues::LINEAR,
    &issues::ASANA,
    &issues::FRESHDESK,
    &issues::REDMINE,
    &issues::BUGZILLA,
    &vault::FORMAT,
    &whatsapp::FORMAT,
    &json_enumerator::FORMAT,
    &mail::FORMAT,
    &map::FORMAT,
];

/// Formats whose people stand in other files than the messages: a folder of them is one export.
pub(super) const MANY: &[&str] = &[
    "gitlab",
    "github-migration",
    "jira-xml",
    "confluence",
    "teams",
    "google-chat",
    "zendesk",
    "servicenow",
    "freshdesk",
    "redmine",
    "rocketchat",
    "zulip",
    "discord",
    "slackdump",
];

/// Names that a path can be taken for.
pub(in super::super) fn ids() -> Vec<&'static str> {
    ALL.iter().map(|format| format.id).collect()
}

/// A format by its name.
pub(super) fn by_id(id: &str) -> Option<&'static Format> {
    ALL.iter().copied().find(|format| format.id == id)
}

/// The format of a file that no text tells.
pub(super) fn by_name(name: &str) -> Option<&'static Format> {
    rocketchat::dumped(name).then_some(&rocketchat::FORMAT)
}

/// Whether a file's name allows it to be a part of an export of many files.
pub(super) fn plausible(path: &Path) -> bool {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    matches!(extension.as_str(), "bson" | "json" | "ndjson" | "jsonl" | "xml" | "csv")
}

/// Whether text that is neither JSON nor XML may be one of these: mail headers, tables, chat logs.
pub(super) fn may_be_text(name: &str, bytes: &[u8]) -> bool {
    let line = bytes[..bytes.len().min(400)].split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header = memchr::memchr(b':', &line[..line.len().min(40)]).is_some_and(|at| {
        at > 1 && line[..at].iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') && line.get(at + 1) == Some(&b' ')
    });
    // Digits of Arabic and Persian are two bytes of which these are the first.
    let digit = |byte: &&u8| byte.is_ascii_digit() || matches!(**byte, 0xd9 | 0xdb);
    let stamp = line.iter().filter(digit).count() >= 6 && line.len() < 2000;
    let lower = name.to_ascii_lowercase();
    let cassette = (lower.ends_with(".yml") || lower.ends_with(".yaml"))
        && memchr::memmem::find(&bytes[..bytes.len().min(200)], b"interactions:").is_some();
    line.starts_with(b"From ")
        || lower.ends_with(".emlx")
        || line.starts_with(b"=====")
        || header
        || stamp
        || cassette
        || lower.ends_with(".csv")
        || lower.ends_with(".md")
        || lower.ends_with(".tsv")
}
