//! A cheap look at raw messages: where each one starts and ends, and the text that it shows, without a tree of its fields.
//!
//! Most messages of a chat hold no secret. Their text is decoded as [`super::message`] does it and shown to the detectors;
//! only a message in which they find something is parsed for its author, its readers and its link. What else a message
//! may carry (files, cards, earlier forms) is not judged here: such messages are parsed.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::Read;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::mrkdwn;

/// Members of a message that hold ids, numbers and names of people, or repeat what stands elsewhere. Nobody searches them.
pub(super) const PLAIN: &[&str] = &[
    "type",
    "subtype",
    "user",
    "ts",
    "client_msg_id",
    "team",
    "user_team",
    "source_team",
    "user_profile",
    "thread_ts",
    "reply_count",
    "reply_users_count",
    "latest_reply",
    "reply_users",
    "replies",
    "is_locked",
    "subscribed",
    "last_read",
    "unread_count",
    "parent_user_id",
    "edited",
    "reactions",
    "bot_id",
    "app_id",
    "bot_profile",
    "username",
    "icons",
    "inviter",
    "upload",
    "display_as_bot",
    "is_starred",
    "pinned_to",
    "pinned_info",
    "channel",
    "event_ts",
    "hidden",
    "x_files",
    "no_notifications",
    "topic",
    "purpose",
    "root",
    "comment",
    "room",
    "old_name",
    "members",
    "permalink",
    "assistant_app_thread",
];

/// Bytes that are read at once.
const STEP: u64 = 8 << 20;
/// Most bytes of one message.
const LARGEST: usize = 16 << 20;

/// Messages out of a stream: a list, or objects one after the other. Memory is bounded by the largest message.
pub(super) struct Messages<'a> {
    read: &'a mut dyn Read,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    number: usize,
    /// Whether the stream is one list.
    list: Option<bool>,
    /// Bytes that were let go, and their lines.
    gone: (u64, u32),
    /// A place of the buffer and the lines before it, so that counting goes on from there.
    counted: Cell<(usize, u32)>,
    /// Members of the last message.
    members: Option<Members>,
}

impl<'a> Messages<'a> {
    pub(super) fn new(read: &'a mut dyn Read) -> Self {
        Self {
            read,
            buffer: Vec::new(),
            at: 0,
            ended: false,
            number: 0,
            list: None,
            gone: (0, 0),
            counted: Cell::default(),
            members: None,
        }
    }

    /// The first bytes of the stream, before any message was taken.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn first(&mut self) -> Result<&[u8], String> {
        if self.buffer.is_empty() {
            self.more()?;
        }
        Ok(&self.buffer)
    }

    /// Number and place of the next message (or of another value that stands where one should); `None` at a proper end.
    /// After an error [`Self::rest`] is what no message was made of.
    ///
    /// # Errors
    /// Why there is no next one: cut off, no JSON, too large.
    pub(super) fn next(&mut self) -> Result<Option<(usize, Range<usize>)>, String> {
        let (start, end) = loop {
            let mut cursor = Cursor { raw: &self.buffer, at: self.at };
            cursor.between();
            let start = cursor.at;
            self.members = Members::of(&mut cursor);
            if self.members.is_none() {
                cursor.at = start;
            }
            // What was passed once need not be passed again.
            let whole = self.members.is_some() || cursor.skip().is_some();
            if self.list.is_none() && start < self.buffer.len() {
                self.list = Some(self.buffer[..start].contains(&b'['));
            }
            // A number at the end may go on in what is not read yet.
            if whole && (self.ended || cursor.at < self.buffer.len()) {
                break (start, cursor.at);
            }
            if self.ended {
                if start == self.buffer.len() && self.closed() {
                    self.at = start;
                    return Ok(None);
                }
                return Err("the JSON is cut off or broken".to_owned());
            }
            if self.buffer.len() - self.at > LARGEST {
                return Err("one message of more than 16 MiB".to_owned());
            }
            self.more()?;
        };
        self.at = end;
        self.number += 1;
        Ok(Some((self.number - 1, start..end)))
    }

    /// A look at the message that [`Self::next`] gave last; `None` when it is to be parsed.
    pub(super) fn glance(&self) -> Option<Glance<'_>> {
        Some(self.members.as_ref()?.within(&self.buffer))
    }

    /// The bytes at a place that [`Self::next`] gave last.
    pub(super) fn bytes(&self, place: Range<usize>) -> &[u8] {
        &self.buffer[place]
    }

    /// Line and column of a place, from 0.
    pub(super) fn line(&self, at: usize) -> (u32, u32) {
        let (from, lines) = Some(self.counted.get()).filter(|counted| counted.0 <= at).unwrap_or((0, self.gone.1));
        let lines = lines + memchr::memchr_iter(b'\n', &self.buffer[from..at]).count() as u32;
        self.counted.set((at, lines));
        let column = at - memchr::memrchr(b'\n', &self.buffer[..at]).map_or(0, |newline| newline + 1);
        (lines, u32::try_from(column).unwrap_or(u32::MAX))
    }

    /// Whether the stream ends as a list or an object does.
    fn closed(&self) -> bool {
        let last = self.buffer.iter().rfind(|byte| !byte.is_ascii_whitespace()).copied();
        last == Some(b']') || last == Some(b'}') && self.list == Some(false)
    }

    /// What no message was made of and the rest of the stream; with its offset, its line and column from 0.
    pub(super) fn rest(&mut self) -> (impl Read, Place) {
        let gone = &self.buffer[..self.at];
        let (line, column) = self.line(gone.len());
        let place = (self.gone.0 + self.at as u64, line, u64::from(column));
        (self.buffer[self.at..].chain(&mut *self.read), place)
    }

    fn more(&mut self) -> Result<(), String> {
        self.gone.0 += self.at as u64;
        self.gone.1 += memchr::memchr_iter(b'\n', &self.buffer[..self.at]).count() as u32;
        self.buffer.drain(..self.at);
        self.at = 0;
        self.counted.set((0, self.gone.1));
        let got = (&mut *self.read).take(STEP).read_to_end(&mut self.buffer).map_err(|error| error.to_string())?;
        self.ended = (got as u64) < STEP;
        Ok(())
    }
}

/// Offset, line and column, from 0.
type Place = (u64, u32, u64);

/// A message as its bytes tell.
pub(super) struct Glance<'a> {
    text: Option<&'a [u8]>,
    blocks: Option<&'a [u8]>,
}

impl<'a> Glance<'a> {
    /// Looks at the bytes of a message. `None` when it carries more than text: then it is to be parsed.
    #[cfg(test)]
    pub(super) fn of(raw: &'a [u8]) -> Option<Self> {
        Some(Members::of(&mut Cursor { raw, at: 0 })?.within(raw))
    }

    /// The text that is searched when the message is parsed; `None` when it takes a parse to know.
    pub(super) fn text(&self) -> Option<Cow<'a, str>> {
        let text = self.text.map_or(Some(Cow::Borrowed("")), unescaped)?;
        let text = mrkdwn::decode(text);
        let Some(blocks) = self.blocks else { return Some(text) };
        let blocks: Node<'_> = serde_json::from_slice(blocks).ok()?;
        Some(mrkdwn::with_blocks(text, &blocks))
    }
}

/// Where the members of a message stand that have its text.
struct Members {
    text: Option<Range<usize>>,
    blocks: Option<Range<usize>>,
}

impl Members {
    /// Passes a message. `None` when it is cut off, none, or carries more than text.
    fn of(cursor: &mut Cursor<'_>) -> Option<Self> {
        let mut members = Self { text: None, blocks: None };
        cursor.take(b'{')?;
        loop {
            cursor.white();
            match cursor.peek()? {
                b'}' => {
                    cursor.at += 1;
                    return Some(members);
                }
                b',' => cursor.at += 1,
                _ => {
                    let name = cursor.string()?;
                    cursor.white();
                    cursor.take(b':')?;
                    cursor.white();
                    let start = cursor.at;
                    cursor.skip()?;
                    let value = &cursor.raw[start..cursor.at];
                    match name {
                        b"text" if value.starts_with(b"\"") => members.text = Some(start..cursor.at),
                        b"blocks" => members.blocks = Some(start..cursor.at),
                        _ if says_nothing(value) => {}
                        _ => {
                            PLAIN.iter().find(|plain| plain.as_bytes() == name)?;
                        }
                    }
                }
            }
        }
    }

    fn within<'a>(&self, raw: &'a [u8]) -> Glance<'a> {
        let of = |range: &Option<Range<usize>>| range.clone().map(|range| &raw[range]);
        Glance { text: of(&self.text), blocks: of(&self.blocks) }
    }
}

/// Whether a value is a number, a truth value, or empty.
fn says_nothing(value: &[u8]) -> bool {
    matches!(value, b"\"\"" | b"[]" | b"{}") || !matches!(value.first(), Some(b'"' | b'[' | b'{'))
}

/// A JSON string without its quotes and escapes.
fn unescaped(quoted: &[u8]) -> Option<Cow<'_, str>> {
    let inside = &quoted[1..quoted.len() - 1];
    if memchr::memchr(b'\\', inside).is_none() {
        return std::str::from_utf8(inside).ok().map(Cow::Borrowed);
    }
    serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned)
}

/// Where in the bytes of a message the text of a part stands: that of the message itself, or of what a path such as
/// `/attachments/0` leads to. As near as can be told, at worst the start.
pub(super) fn locate(raw: &[u8], path: &str) -> usize {
    let mut cursor = Cursor { raw, at: 0 };
    for step in path.split('/').skip(1) {
        if cursor.enter(step).is_none() {
            return 0;
        }
    }
    let start = cursor.at;
    let text = cursor.enter("text").filter(|()| cursor.peek() == Some(b'"'));
    text.map_or(start, |()| cursor.at + 1)
}

/// A place in raw JSON.
struct Cursor<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.raw.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek() == Some(byte)).then(|| self.at += 1)
    }

    fn white(&mut self) {
        while self.peek().is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Goes to the member or element of the value that it stands at.
    fn enter(&mut self, step: &str) -> Option<()> {
        self.white();
        let list = self.peek()? == b'[';
        self.at += 1;
        let mut left = if list { step.parse::<usize>().ok()? } else { 0 };
        loop {
            self.white();
            match self.peek()? {
                b',' => self.at += 1,
                b']' | b'}' => return None,
                _ if list && left == 0 => return Some(()),
                _ if list => {
                    self.skip()?;
                    left -= 1;
                }
                _ => {
                    let name = self.string()?;
                    self.white();
                    self.take(b':')?;
                    self.white();
                    if name == step.as_bytes() {
                        return Some(());
                    }
                    self.skip()?;
                }
            }
        }
    }

    /// Passes what stands between messages.
    fn between(&mut self) {
        while self
            .peek()
            .is_some_and(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | b',' | b'[' | b']' | 0xef | 0xbb | 0xbf))
        {
            self.at += 1;
        }
    }

    /// Passes a string; gives what stands between its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            self.at += memchr::memchr2(b'"', b'\\', self.raw.get(self.at..)?)?;
            if self.raw[self.at] == b'"' {
                self.at += 1;
                return Some(&self.raw[start..self.at - 1]);
            }
            self.at += 2;
        }
    }

    /// Passes any value; `None` when it is cut off or none.
    fn skip(&mut self) -> Option<()> {
        let mut depth = 0u32;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    depth = depth.checked_sub(1)?;
                    self.at += 1;
                }
                b' ' | b'\n' | b'\r' | b'\t' | b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                b'0'..=b'9' | b'-' | b't' | b'f' | b'n' => {
                    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'+' | b'-');
                    let rest = &self.raw[self.at..];
                    self.at += rest.iter().position(|byte| !word(byte)).unwrap_or(rest.len());
                }
                _ => return None,
            }
            if depth == 0 {
                return Some(());
            }
        }
    }
}

/// What the text of blocks is made of: strings, lists, and the few members that [`mrkdwn::blocks`] knows.
pub(super) enum Node<'a> {
    Text(Cow<'a, str>),
    List(Vec<Node<'a>>),
    Part(Box<Part<'a>>),
    Other,
}

/// An object of blocks.
#[derive(Default)]
pub(super) struct Part<'a> {
    pub(super) kind: Option<Cow<'a, str>>,
    pub(super) url: Option<Cow<'a, str>>,
    pub(super) text: Option<Node<'a>>,
    pub(super) elements: Option<Node<'a>>,
    pub(super) fields: Option<Node<'a>>,
    pub(super) accessory: Option<Node<'a>>,
    pub(super) title: Option<Node<'a>>,
}

impl<'a> Node<'a> {
    /// The string, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn into_text(self) -> Option<Cow<'a, str>> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node<'de>, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Node::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut part = Box::<Part<'de>>::default();
        while let Some(Node::Text(name)) = map.next_key::<Node<'de>>()? {
            match &*name {
                "type" => part.kind = map.next_value::<Node<'de>>()?.into_text(),
                "url" => part.url = map.next_value::<Node<'de>>()?.into_text(),
                "text" => part.text = Some(map.next_value()?),
                "elements" => part.elements = Some(map.next_value()?),
                "fields" => part.fields = Some(map.next_value()?),
                "accessory" => part.accessory = Some(map.next_value()?),
                "title" => part.title = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Node::Part(part))
    }
}

#[cfg(test)]
mod tests;
