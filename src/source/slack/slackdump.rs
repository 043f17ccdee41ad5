//! The shapes of slackdump that Slack's own exports do not have: a file a conversation, gzipped lines, a SQLite database.
//!
//! Layout: slackdump's documentation of its chunk files and of its database.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, types::ValueRef};
use serde_json::{Value, json};

use super::super::bundle::{Bounded, Bundle};
use super::super::export::{json as stream, lines as record};
use super::super::{ContainerKind, Record};
use super::directory::Directory;
use super::message::{Day, Piece};

/// Most bytes of one line.
const LONGEST: u64 = 16 << 20;
/// Unpacked bytes for a packed one.
const RATIO: u64 = 400;

/// What kind of answer of Slack a line holds.
mod kind {
    pub(super) const MESSAGES: u64 = 0;
    pub(super) const THREAD: u64 = 1;
    pub(super) const FILES: u64 = 2;
    pub(super) const USERS: u64 = 3;
    pub(super) const CHANNELS: u64 = 4;
    pub(super) const CHANNEL: u64 = 5;
    pub(super) const WORKSPACE: u64 = 6;
    pub(super) const MEMBERS: u64 = 7;
    pub(super) const FOUND: u64 = 10;
}

/// Conversations and their members, which come apart.
#[derive(Default)]
pub(super) struct Conversations {
    channels: HashMap<String, Value>,
    members: HashMap<String, Vec<Value>>,
}

impl Conversations {
    fn channel(&mut self, channel: &Value) {
        if let Some(id) = channel["id"].as_str() {
            self.channels.insert(id.to_owned(), channel.clone());
        }
    }

    /// Puts them into the directory, which knows the users by now.
    pub(super) fn settle(mut self, file: &str, directory: &mut Directory) {
        for (id, mut channel) in self.channels {
            let members = self
                .members
                .remove(&id)
                .or_else(|| channel["user"].as_str().filter(|user| !user.is_empty()).map(|user| vec![user.into()]));
            if let (Some(members), true) = (members, channel["members"].as_array().is_none_or(Vec::is_empty)) {
                channel["members"] = members.into();
            }
            let is = |name: &str| channel[name].as_bool().unwrap_or_default();
            let kind = match (is("is_im"), is("is_mpim")) {
                (true, _) => (ContainerKind::Dm, false),
                (_, true) => (ContainerKind::GroupDm, false),
                _ => (ContainerKind::Channel, !is("is_private")),
            };
            directory.channel("", file, &channel, kind);
        }
    }
}

/// First pass over lines: users, conversations, the address of the workspace.
pub(super) fn learn(
    bundle: &Bundle,
    name: &str,
    directory: &mut Directory,
    conversations: &mut Conversations,
) -> Result<(), String> {
    lines(bundle, name, &mut |_, line| {
        // Most lines hold messages, which come with the second pass.
        let Ok(value) = serde_json::from_slice::<Value>(line) else { return };
        let all = |key: &str| value[key].as_array().cloned().unwrap_or_default();
        match value["t"].as_u64() {
            Some(kind::USERS) => all("u").iter().for_each(|user| directory.user(user)),
            Some(kind::CHANNELS) => all("c").iter().for_each(|channel| conversations.channel(channel)),
            Some(kind::CHANNEL) => conversations.channel(&value["ci"]),
            Some(kind::WORKSPACE) => directory.address("", value["w"]["url"].as_str().unwrap_or_default()),
            Some(kind::MEMBERS) => {
                let id = value["id"].as_str().unwrap_or_default().to_owned();
                conversations.members.entry(id).or_default().extend(all("cu"));
            }
            _ => {}
        }
    })
}

/// Takes a piece of a message, or a line that holds none.
type Take<'a> = dyn FnMut(Result<Piece, &[u8]>) + 'a;

/// Second pass over lines: pieces of messages, or a line without any.
pub(super) fn chunks(bundle: &Bundle, name: &str, directory: &Directory, each: &mut Take<'_>) -> Result<(), String> {
    let mut broken = 0;
    lines(bundle, name, &mut |number, line| {
        let at = u32::try_from(number - 1).unwrap_or(u32::MAX);
        record::starts(Some(Record::new((at, 0), line.to_vec())));
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            broken += 1;
            return each(Err(line));
        };
        let id = value["id"].as_str().unwrap_or_default();
        let of = |folder: &'_ str, message: &Value, pointer: &str| {
            let day = Day { directory, folder, workspace: directory.workspace("") };
            day.items(message, &format!("line {number}{pointer}"))
        };
        let all = |key: &'static str| value[key].as_array().into_iter().flatten().enumerate();
        let pieces: Vec<Piece> = match value["t"].as_u64() {
            Some(kind::MESSAGES | kind::THREAD) => {
                all("m").flat_map(|(at, message)| of(id, message, &format!("/m/{at}"))).collect()
            }
            Some(kind::FILES) => {
                let parent = &value["p"];
                let files = json!({"type": "message", "ts": parent["ts"], "user": parent["user"], "files": value["f"]});
                of(id, &files, "/f")
            }
            Some(kind::FOUND) => all("sm")
                .flat_map(|(at, message)| {
                    of(message["channel"]["id"].as_str().unwrap_or(id), message, &format!("/sm/{at}"))
                })
                .collect(),
            _ => return each(Err(line)),
        };
        pieces.into_iter().for_each(|piece| each(Ok(piece)));
    })?;
    if broken > 0 { Err(format!("{broken} lines are no JSON, searched without authors")) } else { Ok(()) }
}

/// Lines of a file that may be packed.
fn lines(bundle: &Bundle, name: &str, each: &mut dyn FnMut(usize, &[u8])) -> Result<(), String> {
    let most = bundle.size(name).saturating_mul(RATIO).max(64 << 20);
    bundle.with(name, &mut |read| {
        let text = |error: std::io::Error| format!("cut off or damaged: {error}");
        let mut raw = BufReader::with_capacity(64 << 10, read);
        let packed = raw.fill_buf().map_err(text)?.starts_with(&[0x1f, 0x8b]);
        let plain: Box<dyn Read> =
            if packed { Box::new(flate2::bufread::MultiGzDecoder::new(raw)) } else { Box::new(raw) };
        let mut plain = BufReader::with_capacity(64 << 10, Bounded { inner: plain, left: most });
        let (mut line, mut number) = (Vec::new(), 0);
        loop {
            line.clear();
            let got = (&mut plain).take(LONGEST).read_until(b'\n', &mut line);
            number += 1;
            if !line.trim_ascii().is_empty() {
                each(number, &line);
            }
            if got.map_err(text)? == 0 {
                return Ok(());
            }
        }
    })
}

/// One conversation: id and name stand before the messages.
pub(super) fn dump(
    bundle: &Bundle,
    name: &str,
    directory: &Directory,
    each: &mut dyn FnMut(Piece),
) -> Result<(), String> {
    bundle.with(name, &mut |read| {
        let mut id = String::new();
        stream::members(read, &[], &mut |found| match found.key.as_str() {
            "channel_id" => found.value.as_str().unwrap_or_default().clone_into(&mut id),
            "messages" => {
                let day = Day { directory, folder: &id, workspace: directory.workspace("") };
                day.items(&found.value, &found.pointer).into_iter().for_each(&mut *each);
            }
            _ => {}
        })
    })
}

/// Id and name of the conversation of a dump.
pub(super) fn titled(bundle: &Bundle, name: &str, conversations: &mut Conversations) -> Result<(), String> {
    bundle.with(name, &mut |read| {
        let mut head = Vec::new();
        read.take(4096).read_to_end(&mut head).map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&head);
        let front =
            text.split("\"messages\"").next().unwrap_or_default().trim_end().trim_end_matches(',').to_owned() + "}";
        if let Ok(front) = serde_json::from_str::<Value>(&front) {
            let direct = front["channel_id"].as_str().is_some_and(|id| id.starts_with('D'));
            // A dump does not say whether a channel is public.
            let channel =
                json!({"id": front["channel_id"], "name": front["name"], "is_private": true, "is_im": direct});
            if let Some(id) = front["channel_id"].as_str() {
                conversations.channels.entry(id.to_owned()).or_insert(channel);
            }
        }
        Ok(())
    })
}

/// Whether a SQLite file is a database of slackdump.
pub(super) fn is_database(path: &Path) -> bool {
    opened(path).as_ref().is_ok_and(is_ours)
}

/// Whether an open database is one of slackdump.
pub(super) fn is_ours(base: &Connection) -> bool {
    let sql =
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ('MESSAGE', 'S_USER', 'CHUNK', 'CHANNEL')";
    base.query_row(sql, [], |row| row.get::<_, i64>(0)).is_ok_and(|count| count == 4)
}

fn opened(path: &Path) -> rusqlite::Result<Connection> {
    // Nothing beside the file is written, not even a lock: an export is evidence.
    let name: String = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    Connection::open_with_flags(
        format!("file:{name}?mode=ro&immutable=1"),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI,
    )
}

/// A database as a file on disk, copied out of an archive if need be; and copied together with its log, where rows lie that
/// were not yet written back.
pub(super) fn with_database(
    bundle: &Bundle,
    name: &str,
    each: &mut dyn FnMut(&Connection) -> Result<(), String>,
) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    let refused = |error: rusqlite::Error| format!("the database cannot be opened: {error}");
    let here = match bundle {
        Bundle::Folder(root, _) => Some(root.join(name)),
        Bundle::Single(path, _, false) => Some(path.clone()),
        _ => None,
    };
    let beside = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    if let Some(path) = here.as_ref().filter(|path| beside(path).metadata().map_or(0, |meta| meta.len()) == 0) {
        return each(&opened(path).map_err(refused)?);
    }
    let folder = tempfile::tempdir().map_err(text)?;
    let copy = folder.path().join("copy");
    if let Some(path) = here {
        std::fs::copy(&path, &copy).map_err(text)?;
        std::fs::copy(beside(&path), beside(&copy)).map_err(text)?;
        return each(&Connection::open(&copy).map_err(refused)?);
    }
    let mut file = std::fs::File::create(&copy).map_err(text)?;
    bundle.with(name, &mut |read| std::io::copy(read, &mut file).map(|_| ()).map_err(text))?;
    each(&opened(&copy).map_err(refused)?)
}

/// First pass over a database. A table that an older version lacks is no reason to stop.
pub(super) fn learn_database(base: &Connection, directory: &mut Directory, conversations: &mut Conversations) {
    let values = |sql: &str, each: &mut dyn FnMut(String, Value)| {
        let Ok(mut statement) = base.prepare(sql) else { return };
        let Ok(mut rows) = statement.query([]) else { return };
        while let Ok(Some(row)) = rows.next() {
            let key = row.get::<_, String>(0).unwrap_or_default();
            each(key, row.get_ref(1).ok().and_then(data).unwrap_or_default());
        }
    };
    values("SELECT ID, DATA FROM S_USER ORDER BY CHUNK_ID", &mut |_, user| directory.user(&user));
    values("SELECT ID, DATA FROM CHANNEL ORDER BY CHUNK_ID", &mut |_, channel| conversations.channel(&channel));
    for column in ["USER_ID", "ID"] {
        values(&format!("SELECT DISTINCT CHANNEL_ID, json_quote({column}) FROM CHANNEL_USER"), &mut |channel, user| {
            conversations.members.entry(channel).or_default().push(user);
        });
    }
    values("SELECT URL, NULL FROM WORKSPACE", &mut |url, _| directory.address("", &url));
}

/// JSON in a cell.
fn data(cell: ValueRef<'_>) -> Option<Value> {
    match cell {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => serde_json::from_slice(bytes).ok(),
        _ => None,
    }
}

/// Second pass over a database: the newest form of every message, and older ones that say something else.
pub(super) fn messages(base: &Connection, directory: &Directory, each: &mut dyn FnMut(Piece)) -> Result<(), String> {
    let text = |error: rusqlite::Error| format!("the database is damaged: {error}");
    let sql = "SELECT CHANNEL_ID, TS, DATA, CHUNK_ID FROM MESSAGE ORDER BY CHANNEL_ID, TS, CHUNK_ID DESC";
    let mut statement = base.prepare(sql).map_err(text)?;
    let mut rows = statement.query([]).map_err(text)?;
    let (mut newest, mut said) = (None, None);
    while let Some(row) = rows.next().map_err(text)? {
        let (channel, ts) = (row.get::<_, String>(0).map_err(text)?, row.get::<_, String>(1).map_err(text)?);
        let Some(message) = row.get_ref(2).ok().and_then(data) else { continue };
        let day = Day { directory, folder: &channel, workspace: directory.workspace("") };
        let pointer = format!("MESSAGE {channel} {ts}");
        let key = Some((channel.clone(), ts));
        let now = Some(message["text"].clone());
        let pieces = if newest == key {
            if said == now { Vec::new() } else { day.earlier(&message, &pointer) }
        } else {
            day.items(&message, &pointer)
        };
        (newest, said) = (key, now);
        pieces.into_iter().for_each(&mut *each);
    }
    Ok(())
}
