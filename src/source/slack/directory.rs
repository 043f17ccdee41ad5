//! Who is who and what is what in an export: users, channels, direct conversations.

use std::collections::HashMap;
use std::io::Read;
use std::sync::Arc;

use serde_json::Value;

use super::super::bundle::Bundle;
use super::super::{Container, ContainerKind, Coverage, Evidence, Item, ItemKind, PersonRef};
use super::FORMAT;
use super::parts::{self, Part, base};
use super::slackdump::{self, Conversations};

/// A channel or conversation with its members.
pub(super) struct Channel {
    pub(super) container: Container,
    pub(super) members: Arc<[PersonRef]>,
}

/// The index files of an export.
#[derive(Default)]
pub(super) struct Directory {
    users: HashMap<String, PersonRef>,
    /// By folder: the path of the folder that holds the days.
    channels: HashMap<String, Channel>,
    topics: Vec<(Arc<Item>, String)>,
    /// Names of workspaces by the folder that holds their channels: `acme` of `acme.slack.com`.
    workspaces: HashMap<String, String>,
}

/// Files of days that are looked through for the name of a workspace.
const LOOKS: usize = 100;
/// Bytes of each.
const HEAD: u64 = 4 << 20;

impl Directory {
    /// Reads `users.json`, `org_users.json` and the lists of conversations, at the root and in every workspace.
    pub(super) fn read(bundle: &Bundle, parts: &[(&str, Part)], coverage: &mut Coverage) -> Self {
        let mut directory = Self::default();
        let mut lists = Vec::new();
        for (name, _) in parts.iter().filter(|part| part.1 == Part::Index) {
            let kind = match base(name) {
                "users.json" | "org_users.json" => None,
                "channels.json" => Some((ContainerKind::Channel, true)),
                "groups.json" => Some((ContainerKind::Channel, false)),
                "mpims.json" => Some((ContainerKind::GroupDm, false)),
                "dms.json" => Some((ContainerKind::Dm, false)),
                _ => continue,
            };
            let parsed =
                bundle.read(name).and_then(|raw| serde_json::from_slice::<Vec<Value>>(&raw).map_err(|e| e.to_string()));
            match (parsed, kind) {
                (Err(why), _) => coverage.fail(*name, format!("index not usable, authors may be missing: {why}")),
                (Ok(users), None) => users.iter().for_each(|user| directory.user(user)),
                // Channels name their members by id: users first.
                (Ok(channels), Some(kind)) => {
                    lists.push((name.rsplit_once('/').map_or("", |p| p.0).to_owned(), *name, channels, kind))
                }
            }
        }
        for (prefix, name, channels, kind) in lists {
            channels.iter().for_each(|channel| directory.channel(&prefix, name, channel, kind));
        }
        directory.others(bundle, parts);
        directory
    }

    /// What the other shapes say about people and conversations, and the names of the workspaces. What cannot be read here
    /// is named when the messages are read.
    fn others(&mut self, bundle: &Bundle, parts: &[(&str, Part)]) {
        let mut looks: HashMap<&str, usize> = HashMap::new();
        for (name, part) in parts {
            let mut conversations = Conversations::default();
            let _again = match part {
                Part::Chunks => slackdump::learn(bundle, name, self, &mut conversations),
                Part::Dump => slackdump::titled(bundle, name, &mut conversations),
                Part::Database => slackdump::with_database(bundle, name, &mut |base| {
                    slackdump::learn_database(base, self, &mut conversations);
                    Ok(())
                }),
                Part::Day => {
                    let folder = parts::workspace_of(name);
                    let looked = looks.entry(folder).or_default();
                    *looked += 1;
                    if *looked <= LOOKS && !self.workspaces.contains_key(folder) {
                        let mut head = Vec::new();
                        let read = bundle.with(name, &mut |read| {
                            // What breaks off here is named when the messages are read.
                            let _broken = read.take(HEAD).read_to_end(&mut head);
                            Ok(())
                        });
                        if let Some(found) = super::workspace(&head) {
                            self.workspaces.insert(folder.to_owned(), found);
                        }
                        read
                    } else {
                        Ok(())
                    }
                }
                Part::Index | Part::Other => Ok(()),
            };
            conversations.settle(name, self);
        }
    }

    /// Takes the name of a workspace out of its address.
    pub(super) fn address(&mut self, folder: &str, url: &str) {
        if let Some(found) = super::workspace(url.as_bytes()) {
            self.workspaces.insert(folder.to_owned(), found);
        }
    }

    /// Name of the workspace whose channels lie in a folder.
    pub(super) fn workspace(&self, folder: &str) -> Option<String> {
        self.workspaces.get(folder).cloned()
    }

    pub(super) fn user(&mut self, user: &Value) {
        let Some(id) = user["id"].as_str() else { return };
        let profile = &user["profile"];
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let email = text(&profile["email"]);
        let evidence = if email.is_some() { Evidence::E1 } else { Evidence::E3 };
        let person = PersonRef {
            platform: "slack".to_owned(),
            id: Some(id.to_owned()),
            handle: text(&user["name"]),
            email,
            display: text(&profile["real_name"])
                .or_else(|| text(&user["real_name"]))
                .or_else(|| text(&profile["display_name"])),
            active: user["deleted"].as_bool().map(|deleted| !deleted),
            evidence,
        };
        // Grid exports know one person under two ids.
        for other in [&user["enterprise_user"]["id"], &profile["bot_id"]] {
            if let Some(other) = other.as_str() {
                self.users.entry(other.to_owned()).or_insert_with(|| person.clone());
            }
        }
        self.users.insert(id.to_owned(), person);
    }

    pub(super) fn channel(&mut self, prefix: &str, file: &str, channel: &Value, (kind, public): (ContainerKind, bool)) {
        let Some(id) = channel["id"].as_str() else { return };
        let members: Arc<[PersonRef]> = channel["members"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(|id| self.person(id))
            .collect();
        let named = channel["name"].as_str();
        let name = match (kind, named) {
            (ContainerKind::Dm, _) => format!("direct message of {}", names(&members)),
            (ContainerKind::GroupDm, _) => format!("group message of {}", names(&members)),
            (_, Some(name)) => format!("#{name}"),
            (_, None) => id.to_owned(),
        };
        let container = Container { kind, id: id.to_owned(), name, public };
        for field in ["topic", "purpose"] {
            let text = channel[field]["value"].as_str().unwrap_or_default();
            if !text.is_empty() {
                let creator = channel[field]["creator"].as_str().filter(|id| !id.is_empty()).map(|id| self.person(id));
                let item = Item {
                    format: FORMAT.to_owned(),
                    author: creator,
                    created: channel[field]["last_set"].as_i64().filter(|s| *s > 0).and_then(super::message::rfc3339),
                    pointer: Some(format!("{id}/{field}/value")),
                    readers: Arc::clone(&members),
                    ..Item::new(container.clone(), ItemKind::Field, file)
                };
                self.topics.push((Arc::new(item), super::mrkdwn::decode(text).into_owned()));
            }
        }
        let folder = |name: &str| if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") };
        // A direct message's folder is its id, every other one's its name.
        for name in [Some(id), named].into_iter().flatten() {
            self.channels.insert(folder(name), Channel { container: container.clone(), members: Arc::clone(&members) });
        }
    }

    /// A person by id; somebody whom the export does not list is known by the id alone.
    pub(super) fn person(&self, id: &str) -> PersonRef {
        self.users.get(id).cloned().unwrap_or_else(|| PersonRef::by_id("slack", id))
    }

    /// The conversation of a folder.
    pub(super) fn of_folder(&self, folder: &str) -> Option<&Channel> {
        self.channels.get(folder)
    }

    /// The item of a file in a conversation's folder that no message names.
    pub(super) fn attachment(&self, folder: &str, name: &str) -> Option<Arc<Item>> {
        let channel = self.channels.get(folder)?;
        Some(Arc::new(Item {
            format: FORMAT.to_owned(),
            readers: Arc::clone(&channel.members),
            ..Item::new(channel.container.clone(), ItemKind::File, name)
        }))
    }

    /// Everybody in the user lists.
    pub(super) fn users(&self) -> impl Iterator<Item = &PersonRef> {
        self.users.values()
    }

    /// Topics and purposes, with who set them.
    pub(super) fn topics(&self) -> Vec<(Arc<Item>, String)> {
        self.topics.clone()
    }
}

fn names(members: &[PersonRef]) -> String {
    let name =
        |person: &PersonRef| person.display.clone().or_else(|| person.handle.clone()).or_else(|| person.id.clone());
    members.iter().filter_map(name).collect::<Vec<_>>().join(" and ")
}
