//! Mail: single messages, Maildir files and mailboxes in all four mbox dialects. Quoted words belong to whom they quote.

use std::collections::{HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{Address, Message, MessageParser, MimeHeaders, PartType};

use super::super::known::{Known, person};
use super::super::lines;
use super::super::out::{Draft, Out, container};
use super::super::text::{html, merged};
use super::super::{Format, Input, Peek};
use super::quoted;
use crate::source::{ContainerKind, ItemKind, PersonRef, Record, Via};

pub(super) const FORMAT: Format = Format { id: "mail", claims, learn: None, hand };

/// Most bytes of one message.
const LARGEST: usize = 64 << 20;
/// By how much lengths in headers are wrong where line ends were changed or a line was added.
const NEAR: usize = 1 << 10;

/// A file of Apple's: the length of the message in a line of its own, the message, and what the program notes of it.
pub(super) fn counted(name: &str, head: &str) -> bool {
    let first = head.lines().next().unwrap_or_default().trim_end();
    name.ends_with(".emlx") && !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit())
}

fn claims(peek: &Peek<'_>) -> bool {
    let leads = peek.head.starts_with("From ") || counted(peek.name, peek.head);
    let head = if leads { peek.head.split_once('\n').map_or("", |pair| pair.1) } else { peek.head };
    let mut known = 0;
    for line in head.lines().take(200) {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            continue;
        }
        let Some((name, _)) =
            line.split_once(':').filter(|(name, _)| name.bytes().all(|b| b.is_ascii_graphic()) && !name.is_empty())
        else {
            return line.starts_with(">From ") && known > 0;
        };
        let names = [
            "from",
            "to",
            "date",
            "subject",
            "message-id",
            "received",
            "mime-version",
            "return-path",
            "delivered-to",
            "content-type",
            "sender",
            "cc",
        ];
        known += usize::from(names.contains(&name.to_ascii_lowercase().as_str()));
    }
    let from = peek.head.starts_with("From ") || head.to_ascii_lowercase().contains("from:");
    from && known >= 2
}

fn hand(input: &mut Input<'_>, _: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let mut read: Box<dyn BufRead> = Box::new(BufReader::with_capacity(64 << 10, &mut *input.read));
    let mut skipped = 0;
    if input.name.ends_with(".emlx") {
        let mut first = Vec::new();
        (&mut read).take(64).read_until(b'\n', &mut first).map_err(|error| error.to_string())?;
        let length = String::from_utf8_lossy(&first).trim().parse::<u64>();
        skipped = u32::from(length.is_ok());
        read = match length {
            Ok(length) => Box::new(read.take(length)),
            Err(_) => Box::new(std::io::Cursor::new(first).chain(read)),
        };
    }
    let mut lines = Lines { read, back: VecDeque::new(), broken: None, number: skipped, misled: 0 };
    let folder = input.name.rsplit('/').next().unwrap_or(input.name).to_owned();
    let mut number = 0usize;
    while let Some(raw) = lines.message()? {
        number += 1;
        message(&raw, &folder, &format!("message {number}"), Via::Direct, 0, out);
    }
    lines.broken.map_or(Ok(()), Err)
}

/// A mailbox line by line; lines that were read too far are given back.
struct Lines<R> {
    read: R,
    back: VecDeque<Vec<u8>>,
    broken: Option<String>,
    /// Lines that were read, without those given back.
    number: u32,
    /// Bytes that were read ahead because of lengths that were wrong; after too many no length is believed.
    misled: usize,
}

impl<R: BufRead> Lines<R> {
    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        self.number += 1;
        if let Some(line) = self.back.pop_front() {
            return Ok(Some(line));
        }
        let mut line = Vec::new();
        (&mut self.read).take(LARGEST as u64).read_until(b'\n', &mut line).map_err(|error| error.to_string())?;
        Ok((!line.is_empty()).then_some(line))
    }

    fn give_back(&mut self, line: Vec<u8>) {
        self.number -= 1;
        self.back.push_front(line);
    }

    /// The next message without its `From ` line.
    fn message(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut raw = Vec::new();
        let (mut headers, mut length, mut blank, mut body) = (true, None::<usize>, false, 0);
        let number = self.number;
        let Some(first) = self.line()? else { return Ok(None) };
        let number = number + u32::from(is_from(&first));
        if !is_from(&first) {
            raw.extend_from_slice(&first);
        }
        while let Some(line) = self.line()? {
            if headers {
                let text = String::from_utf8_lossy(&line).to_ascii_lowercase();
                if let Some(value) = text.strip_prefix("content-length:") {
                    length = value.trim().parse::<usize>().ok();
                }
                headers = !line.trim_ascii().is_empty();
                blank = !headers;
                raw.extend_from_slice(&line);
                body = raw.len();
                if let Some(length) = length.filter(|_| !headers && self.misled < 2 * LARGEST) {
                    self.counted(length, &mut raw)?;
                    // After a counted body the next message needs no blank line before it.
                    blank = true;
                }
                continue;
            }
            // Where a length was wrong by a little, the next message follows without a blank line.
            let due = length.is_some_and(|length| raw.len().saturating_add(NEAR) >= body.saturating_add(length));
            if (blank || due) && is_from(&line) {
                self.give_back(line);
                break;
            }
            blank = line.trim_ascii().is_empty();
            // mboxrd quotes `From ` lines, however often they were quoted before.
            let quoted = line.iter().take_while(|byte| **byte == b'>').count();
            raw.extend_from_slice(if quoted > 0 && line[quoted..].starts_with(b"From ") { &line[1..] } else { &line });
            if raw.len() > LARGEST {
                self.broken = Some("a message of more than 64 MiB".to_owned());
                break;
            }
        }
        lines::starts(Some(Record::new((number, 0), raw.clone())));
        Ok(Some(raw))
    }

    /// Takes a body whose length its header tells, if a new message or the end follows there; else nothing.
    fn counted(&mut self, length: usize, raw: &mut Vec<u8>) -> Result<(), String> {
        let (mut taken, mut body) = (0, Vec::new());
        while taken < length && taken < LARGEST {
            let Some(line) = self.line()? else { break };
            taken += line.len();
            body.push(line);
        }
        let next = self.line()?;
        let fits = taken == length && next.as_ref().is_none_or(|line| line.trim_ascii().is_empty() || is_from(line));
        if let Some(next) = next {
            self.give_back(next);
        }
        if !fits {
            self.misled += taken;
        }
        if fits {
            body.iter().for_each(|line| raw.extend_from_slice(line));
        } else {
            body.into_iter().rev().for_each(|line| self.give_back(line));
        }
        Ok(())
    }
}

/// `From alice@host Mon Jan  1 …`: a sender and a date with a clock time or a year.
fn is_from(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else { return false };
    // Netscape and its heirs name nobody.
    if rest.trim_ascii() == b"-" {
        return true;
    }
    let text = String::from_utf8_lossy(rest);
    let mut words = text.split_whitespace();
    words.next().is_some()
        && words.any(|word| word.contains(':') || (word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit())))
}

fn people(address: Option<&Address<'_>>) -> Vec<PersonRef> {
    let mut all = Vec::new();
    for one in address.into_iter().flat_map(|address| address.clone().into_list()) {
        all.extend(person("mail", None, None, one.address.map(String::from), one.name.map(String::from)));
    }
    all
}

/// The `From` header as it stands; its bytes need not be UTF-8.
fn raw_from(parsed: &Message<'_>) -> Option<String> {
    let header = parsed.headers().iter().find(|header| header.name().eq_ignore_ascii_case("from"))?;
    let bytes = parsed.raw_message.get(header.offset_start as usize..header.offset_end as usize)?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// `alice at harbourfinch.example (Alice Moreau)`, as archives of lists write addresses.
fn obscured(header: &str) -> Option<PersonRef> {
    let header = header.trim();
    let (address, name) = header.split_once(" (").unwrap_or((header, ""));
    let (local, domain) = address.split_once(" at ")?;
    let (local, domain) = (local.trim(), domain.trim());
    if local.is_empty()
        || local.contains([' ', '@', '"', '<'])
        || domain.contains([' ', '@', '>'])
        || !domain.contains('.')
    {
        return None;
    }
    let name = format!("Subject: {}\n\n", name.trim_end_matches(')'));
    let name = MessageParser::default().parse(name.as_bytes()).and_then(|one| one.subject().map(str::to_owned));
    person("mail", None, None, Some(format!("{local}@{domain}")), name)
}

/// The place of a message in an archive (RFC 5064).
fn archived(header: &str) -> Option<String> {
    let link = header.trim().trim_start_matches('<').split(['>', ' ', '\n']).next()?;
    link.starts_with("http").then(|| link.to_owned())
}

/// One message; messages inside it are handed on under their own authors.
fn message(raw: &[u8], folder: &str, pointer: &str, via: Via, depth: usize, out: &mut Out<'_>) {
    // A parser that gives up on a message must not end the search.
    let parsed = catch_unwind(AssertUnwindSafe(|| MessageParser::default().parse(raw)));
    match parsed.unwrap_or_default() {
        Some(parsed) => parts(&parsed, folder, pointer, via, depth, out),
        None if raw.trim_ascii().is_empty() => {}
        None => {
            out.fail(pointer, "no mail message, searched without an author");
            let draft =
                Draft::new(container(ContainerKind::Mailbox, folder, folder, false), ItemKind::Message, pointer);
            out.item(draft, &String::from_utf8_lossy(raw));
        }
    }
}

fn parts(parsed: &Message<'_>, folder: &str, pointer: &str, via: Via, depth: usize, out: &mut Out<'_>) {
    let original = ["X-Original-From", "X-Google-Original-From"]
        .iter()
        .find_map(|name| parsed.header_raw(*name))
        .and_then(quoted::address);
    let author = original
        .or_else(|| obscured(&raw_from(parsed)?))
        .or_else(|| people(parsed.from()).into_iter().next())
        .or_else(|| people(parsed.sender()).into_iter().next());
    let mut sent: Vec<PersonRef> = people(parsed.to());
    sent.extend(people(parsed.cc()));
    sent.extend(people(parsed.bcc()));
    let automatic = parsed.header_raw("Auto-Submitted").is_some_and(|value| !value.trim().eq_ignore_ascii_case("no"));
    let id = parsed.message_id().unwrap_or(pointer).to_owned();
    let draft = Draft::new(container(ContainerKind::Mailbox, folder, folder, false), ItemKind::Message, id)
        .by(author)
        .via(if automatic && via == Via::Direct { Via::Bot } else { via })
        .at(parsed.date().map(|date| date.to_rfc3339()).and_then(|text| super::super::known::when(&text.into())))
        .to(sent)
        .link(parsed.header_raw("Archived-At").and_then(archived))
        .pointer(pointer);
    let body = body(parsed);
    let text = format!("{}\n{}", parsed.subject().unwrap_or_default(), body);
    for piece in quoted::pieces(&text) {
        let draft = match piece.author {
            None if !piece.quoted => draft.clone(),
            author => draft.clone().via(Via::Quoted).by(author).at(None),
        };
        out.item(draft, &piece.text);
    }
    if depth == 0 {
        let draft = draft.clone().kind(ItemKind::Field).by(None).pointer(format!("{pointer} between its parts"));
        out.item(draft, &beside(parsed));
    }
    let headers: String = parsed.headers_raw().map(|(name, value)| format!("{name}: {}\n", value.trim())).collect();
    out.item(draft.clone().kind(ItemKind::Field).pointer(format!("{pointer} headers")), &headers);
    for (n, part) in parsed.attachments().enumerate() {
        let name = part.attachment_name().map_or_else(|| format!("part {n}"), str::to_owned);
        let draft = draft.clone().pointer(format!("{pointer} {name}"));
        match &part.body {
            PartType::Text(text) | PartType::Html(text) => out.file(draft, text.as_bytes()),
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => out.file(draft, bytes),
            PartType::Message(inner) if depth < 20 => {
                parts(inner, folder, &format!("{pointer} {name}"), Via::Forwarded, depth + 1, out);
            }
            PartType::Message(_) => out.fail(pointer, "messages nested more than 20 deep"),
            PartType::Multipart(_) => {}
        }
    }
}

/// Where headers and parts stand that have no parts of their own, those of messages inside included.
fn leaves(parsed: &Message<'_>, length: usize, held: &mut Vec<(usize, usize)>) {
    for part in &parsed.parts {
        let (header, body, end) = (part.offset_header as usize, part.offset_body as usize, part.offset_end as usize);
        held.push((header, body));
        match &part.body {
            PartType::Multipart(_) => {}
            // One that was packed in base64 has places of its own.
            PartType::Message(inner) if inner.raw_message.len() == length => leaves(inner, length, held),
            _ => held.push((header, end)),
        }
    }
}

/// What stands before, between and behind the parts of a message: no reader shows it, and whoever hides something knows that.
fn beside(parsed: &Message<'_>) -> String {
    let raw: &[u8] = &parsed.raw_message;
    let mut held = Vec::new();
    leaves(parsed, raw.len(), &mut held);
    held.sort_unstable();
    let (mut out, mut at) = (String::new(), 0);
    for (from, to) in held.into_iter().chain([(raw.len(), raw.len())]) {
        for line in String::from_utf8_lossy(raw.get(at..from).unwrap_or_default()).lines() {
            let said = line.trim();
            if !said.is_empty() && !said.starts_with("--") && said != "This is a multi-part message in MIME format." {
                out.push_str(line);
                out.push('\n');
            }
        }
        at = at.max(to);
    }
    out
}

/// The words of a message once: plain text, and what only the HTML form says.
fn body(parsed: &Message<'_>) -> String {
    let (mut plain, mut rich) = (String::new(), String::new());
    let mut seen = HashSet::new();
    for id in parsed.text_body.iter().chain(&parsed.html_body) {
        if !seen.insert(*id) {
            continue;
        }
        match parsed.part(*id).map(|part| (&part.body, part)) {
            Some((PartType::Text(text), part)) => {
                plain.push_str(&unflowed(
                    text,
                    part.content_type().and_then(|kind| kind.attribute("format")),
                    part.content_type().and_then(|kind| kind.attribute("delsp")),
                ));
                plain.push('\n');
            }
            Some((PartType::Html(text), _)) => {
                rich.push_str(&html::decode_mail(text));
                rich.push('\n');
            }
            _ => {}
        }
    }
    merged(plain, &rich)
}

/// `format=flowed`: a line that ends in a blank goes on in the next one; with `DelSp` the blank is not part of the text.
fn unflowed(text: &str, format: Option<&str>, delsp: Option<&str>) -> String {
    if !format.is_some_and(|format| format.eq_ignore_ascii_case("flowed")) {
        return text.to_owned();
    }
    let drop = delsp.is_some_and(|delsp| delsp.eq_ignore_ascii_case("yes"));
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if line.ends_with(' ') && line != "-- " && !line.starts_with('>') {
            out.push_str(if drop { &line[..line.len() - 1] } else { line });
        } else {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}
