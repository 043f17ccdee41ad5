//! One message → authored pieces of text. Who wrote a piece is not always the message's `user`.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::super::{Container, ContainerKind, Item, ItemKind, PersonRef, Via};
use super::FORMAT;
use super::directory::{Channel, Directory};
use super::{glance, mrkdwn};

/// The surroundings of a day's messages.
pub(super) struct Day<'a> {
    pub(super) directory: &'a Directory,
    /// Path of the folder inside the export.
    pub(super) folder: &'a str,
    /// `acme` of `acme.slack.com`, if any link in the file names it.
    pub(super) workspace: Option<String>,
}

/// A piece of text with its item.
pub(super) type Piece = (Arc<Item>, String);

impl Day<'_> {
    /// All pieces of the message at this place of its file, and of the replies that lie inside of it.
    pub(super) fn items(&self, message: &Value, pointer: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        match message["subtype"].as_str() {
            // With "keep edits" switched on, the text before an edit or deletion has records of its own.
            Some("message_changed" | "message_deleted") => {
                for (key, kind) in [("message", ItemKind::Message), ("previous_message", ItemKind::History)] {
                    self.one(&message[key], &format!("{pointer}/{key}"), kind, &mut pieces);
                }
                self.one(&message["original"], &format!("{pointer}/original"), ItemKind::History, &mut pieces);
            }
            // `root` repeats the parent, which stands under its own author on its own day.
            _ => self.one(message, pointer, ItemKind::Message, &mut pieces),
        }
        for (at, reply) in list(&message["slackdump_thread_replies"]) {
            // The first reply of a thread is its parent once more.
            if reply["ts"] != message["ts"] {
                pieces.extend(self.items(reply, &format!("{pointer}/slackdump_thread_replies/{at}")));
            }
        }
        pieces
    }

    /// An earlier form of a message.
    pub(super) fn earlier(&self, message: &Value, pointer: &str) -> Vec<Piece> {
        let mut pieces = Vec::new();
        self.one(message, pointer, ItemKind::History, &mut pieces);
        pieces
    }

    fn one(&self, message: &Value, pointer: &str, kind: ItemKind, pieces: &mut Vec<Piece>) {
        if !message.is_object() {
            return;
        }
        let (author, via) = self.author(message);
        let text = mrkdwn::decode(message["text"].as_str().unwrap_or_default());
        let text = mrkdwn::with_blocks(text, &node(&message["blocks"])).into_owned();
        self.push(pieces, message, pointer, kind, author.clone(), via, text);
        for (at, attachment) in list(&message["attachments"]) {
            self.attachment(
                message,
                attachment,
                &format!("{pointer}/attachments/{at}"),
                (author.as_ref(), via),
                pieces,
            );
        }
        for (at, file) in list(&message["files"]).chain(message.get("file").map(|file| (0, file))) {
            self.file(message, file, &format!("{pointer}/files/{at}"), author.as_ref(), pieces);
        }
        // What Slack or an app put beside the text need not be the author's.
        let mut rest = String::new();
        for (name, value) in message.as_object().into_iter().flatten() {
            if !TAKEN.contains(&name.as_str()) && !glance::PLAIN.contains(&name.as_str()) {
                leaves(value, name, &mut rest);
            }
        }
        self.push(pieces, message, pointer, ItemKind::Field, None, Via::System, rest);
    }

    /// Who wrote the text, and how it came to be theirs.
    fn author(&self, message: &Value) -> (Option<PersonRef>, Via) {
        let person = |id: &str| Some(self.directory.person(id));
        let subtype = message["subtype"].as_str().unwrap_or_default();
        if let Some(commenter) = message["comment"]["user"].as_str().filter(|_| subtype == "file_comment") {
            return (person(commenter), Via::Direct);
        }
        if let Some(starter) = message["room"]["created_by"].as_str() {
            return (person(starter), Via::System);
        }
        if let Some(bot) = message["bot_id"].as_str() {
            let mut author =
                message["user"].as_str().map_or_else(|| PersonRef::by_id("slack", bot), |id| self.directory.person(id));
            author.handle = author.handle.or_else(|| message["username"].as_str().map(str::to_owned));
            author.display = author.display.or_else(|| message["username"].as_str().map(str::to_owned));
            return (Some(author), Via::Bot);
        }
        let via = if matches!(subtype, "channel_join" | "channel_leave" | "group_join" | "group_leave") {
            Via::System
        } else {
            Via::Direct
        };
        let id = message["user"].as_str().or_else(|| message["file"]["user"].as_str());
        let mut author = id.map(|id| self.directory.person(id));
        // Guests of a shared channel stand in no user list; the message carries their profile.
        if let Some(author) = author.as_mut().filter(|author| author.display.is_none()) {
            author.display = message["user_profile"]["real_name"].as_str().map(str::to_owned);
            let handle = || message["user_profile"]["name"].as_str().map(str::to_owned);
            author.handle = author.handle.take().or_else(handle);
        }
        (author, via)
    }

    /// Unfurled links, shared messages, bot cards.
    fn attachment(
        &self,
        message: &Value,
        attachment: &Value,
        pointer: &str,
        (poster, via): (Option<&PersonRef>, Via),
        pieces: &mut Vec<Piece>,
    ) {
        let mut text = String::new();
        for key in ["pretext", "title", "title_link", "text", "fallback", "footer", "from_url"] {
            let part = mrkdwn::decode(attachment[key].as_str().unwrap_or_default());
            if !part.is_empty() && !text.contains(&*part) {
                text.push_str(&part);
                text.push('\n');
            }
        }
        for (_, field) in list(&attachment["fields"]) {
            let part = |key: &str| mrkdwn::decode(field[key].as_str().unwrap_or_default());
            text.push_str(&format!("{}: {}\n", part("title"), part("value")));
        }
        mrkdwn::blocks(&node(&attachment["blocks"]), &mut text);
        mrkdwn::blocks(&node(&attachment["message_blocks"]), &mut text);
        let (author, via) = match attachment["author_id"].as_str() {
            Some(id) => (Some(self.directory.person(id)), Via::Forwarded),
            None => (poster.cloned(), via),
        };
        self.push(pieces, message, pointer, ItemKind::Message, author, via, text);
    }

    /// Text that Slack kept of a file, and the export's own download tokens in its links.
    fn file(&self, message: &Value, file: &Value, pointer: &str, poster: Option<&PersonRef>, pieces: &mut Vec<Piece>) {
        let author = file["user"].as_str().map(|id| self.directory.person(id)).or_else(|| poster.cloned());
        let mut text = String::new();
        for key in ["title", "name", "preview", "plain_text", "preview_plain_text"] {
            let part = file[key].as_str().unwrap_or_default();
            if !part.is_empty() && !text.contains(part) {
                text.push_str(part);
                text.push('\n');
            }
        }
        text.push_str(&mrkdwn::decode(file["initial_comment"]["comment"].as_str().unwrap_or_default()));
        self.push(pieces, message, pointer, ItemKind::File, author, Via::Direct, text);
        let links: Vec<&str> = file
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(_, v)| v.as_str())
            .filter(|v| v.contains("t=xoxe-"))
            .collect();
        if !links.is_empty() {
            self.push(pieces, message, pointer, ItemKind::Artefact, None, Via::System, links.join("\n"));
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place where an item is put together")]
    fn push(
        &self,
        pieces: &mut Vec<Piece>,
        message: &Value,
        pointer: &str,
        kind: ItemKind,
        author: Option<PersonRef>,
        via: Via,
        text: String,
    ) {
        if text.trim().is_empty() {
            return;
        }
        let ts = message["ts"].as_str().unwrap_or_default();
        let channel = self.directory.of_folder(self.folder);
        let container = channel.map_or_else(|| self.unknown(), |channel| channel.container.clone());
        let direct = matches!(container.kind, ContainerKind::Dm | ContainerKind::GroupDm);
        let members = channel.map(|channel: &Channel| Arc::clone(&channel.members)).unwrap_or_default();
        let sent_to =
            if direct { members.iter().filter(|m| Some(*m) != author.as_ref()).cloned().collect() } else { Vec::new() };
        let item = Item {
            format: FORMAT.to_owned(),
            permalink: self.permalink(&container, ts, message),
            container,
            id: ts.to_owned(),
            kind,
            author,
            via,
            created: seconds(ts).and_then(rfc3339),
            edited: message["edited"]["ts"].as_str().and_then(seconds).and_then(rfc3339),
            pointer: Some(pointer.to_owned()),
            sent_to,
            readers: members,
        };
        pieces.push((Arc::new(item), text));
    }

    /// The item of a file that was posted with a message.
    pub(super) fn posted(&self, message: &Value, file: &Value, pointer: &str) -> Option<Arc<Item>> {
        let mut pieces = Vec::new();
        let author = file["user"].as_str().map(|id| self.directory.person(id)).or_else(|| self.author(message).0);
        self.push(&mut pieces, message, pointer, ItemKind::File, author, Via::Direct, "file".to_owned());
        pieces.pop().map(|piece| piece.0)
    }

    /// A folder that no list names: an archived or renamed conversation.
    fn unknown(&self) -> Container {
        let name = self.folder.rsplit('/').next().unwrap_or(self.folder);
        Container { kind: ContainerKind::Channel, id: name.to_owned(), name: format!("#{name}"), public: false }
    }

    fn permalink(&self, container: &Container, ts: &str, message: &Value) -> Option<String> {
        let workspace = self.workspace.as_deref()?;
        let link = format!("https://{workspace}.slack.com/archives/{}/p{}", container.id, ts.replace('.', ""));
        let thread = message["thread_ts"].as_str().filter(|thread| *thread != ts);
        Some(thread.map_or(link.clone(), |thread| format!("{link}?thread_ts={thread}")))
    }
}

/// Members of a message that are searched as what they are.
const TAKEN: &[&str] = &["text", "blocks", "attachments", "files", "file", "slackdump_thread_replies"];

fn node(value: &Value) -> glance::Node<'_> {
    Deserialize::deserialize(value).unwrap_or(glance::Node::Other)
}

/// Every text inside of a value, as `name: text` lines.
fn leaves(value: &Value, name: &str, out: &mut String) {
    match value {
        Value::String(text) if !text.is_empty() => {
            out.push_str(&format!("{name}: {}\n", mrkdwn::decode(text.as_str())));
        }
        Value::Array(list) => list.iter().for_each(|inner| leaves(inner, name, out)),
        Value::Object(map) => map.iter().for_each(|(name, inner)| leaves(inner, name, out)),
        _ => {}
    }
}

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().into_iter().flatten().enumerate()
}

/// Whole seconds of a message's `ts`, which is text because a float would lose its last digits.
fn seconds(ts: &str) -> Option<i64> {
    ts.split('.').next()?.parse().ok()
}

/// Seconds since 1970 as RFC 3339 in UTC.
pub(super) fn rfc3339(seconds: i64) -> Option<String> {
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}
