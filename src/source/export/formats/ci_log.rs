//! Logs of CI jobs whose lines begin with the time: GitHub Actions, GitLab with time stamps, Azure Pipelines, Jenkins' Timestamper,
//! `docker logs -t`. The time is taken off, so that it splits no key of several lines, and becomes that of the item; colours and
//! GitLab's marks of sections go, too, and lines that GitLab's runner cut are joined.
//!
//! Layout of GitLab's stamps: its documentation, "CI/CD job logs", and of the marks of sections: "Custom collapsible sections".

use std::io::{BufRead, BufReader, Read};
use std::ops::Range;

use super::super::known::Known;
use super::super::out::{Draft, Out, container};
use super::super::{Format, Input};
use crate::source::{ContainerKind, ItemKind, SpanMap};

pub(super) const FORMAT: Format = Format {
    id: "ci-log",
    claims: |peek| {
        let lines: Vec<&str> = peek.head.lines().filter(|line| !line.trim().is_empty()).take(12).collect();
        // The head may be cut in the last of its lines.
        let whole = &lines[..lines.len() - usize::from(lines.len() > 2)];
        let stamped = whole.iter().filter(|line| stamp(line).is_some()).count();
        // A program may have written a line past the one who stamps.
        let most = whole.len() >= 2 && stamp(whole[0]).is_some() && stamped * 5 >= whole.len() * 3;
        most || section(peek.head.trim_start_matches('\u{feff}')).is_some()
    },
    learn: None,
    hand,
};

/// Most bytes of one line; what is longer goes on in the next.
const LONGEST: u64 = 1 << 20;
/// Lines and bytes that are searched at once, and lines of context on either side.
const BLOCK: (usize, usize) = (2000, 1 << 20);
const MARGIN: usize = 120;
/// Lines that get the time of their first one.
const BURST: usize = 50;

/// The time that a line begins with (`2024-05-22T12:43:46Z`), and the length of all that is no output: time, GitLab's stream
/// (`00O `, `01E+`). `joined` says that the line goes on where the one before was cut.
struct Stamp {
    time: String,
    length: usize,
    joined: bool,
}

fn stamp(line: &str) -> Option<Stamp> {
    let trimmed = line.trim_start_matches(['\u{feff}', '\u{1b}']);
    let bracket = trimmed.strip_prefix('[');
    let text = bracket.unwrap_or(trimmed);
    let bytes = text.as_bytes();
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let fits = bytes.len() > shape.len()
        && shape.iter().zip(bytes).all(|(want, byte)| if *want == b'd' { byte.is_ascii_digit() } else { want == byte });
    if !fits {
        return None;
    }
    let mut end = shape.len();
    if bytes[end] == b'.' {
        end += 1 + bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    }
    if bytes.get(end) != Some(&b'Z') {
        return None;
    }
    end += 1;
    let time = format!("{}Z", &text[..shape.len()]);
    if bracket.is_some() {
        end += usize::from(bytes.get(end) == Some(&b']'));
    }
    let mut joined = false;
    if let [b' ', a, b, b'O' | b'E', mark @ (b' ' | b'+'), ..] = bytes[end..]
        && a.is_ascii_hexdigit()
        && b.is_ascii_hexdigit()
    {
        joined = mark == b'+';
        end += 5;
    } else if bytes.get(end).is_some_and(|byte| *byte == b' ') {
        end += 1;
    } else if end < bytes.len() {
        return None;
    }
    Some(Stamp { time, length: line.len() - text.len() + end, joined })
}

/// `section_start:1560896352:build[collapsed=true]\r\x1b[0K`: its seconds since 1970 and its length.
fn section(line: &str) -> Option<(i64, usize)> {
    let rest = line.strip_prefix("section_start:").or_else(|| line.strip_prefix("section_end:"))?;
    let (seconds, name) = rest.split_once(':')?;
    let end = name.find('\r').unwrap_or(name.len());
    let length = line.len() - name.len() + end;
    let after = &line[length..];
    let clear = after.strip_prefix('\r').map_or(after, |after| after.strip_prefix("\u{1b}[0K").unwrap_or(after));
    Some((seconds.parse().ok()?, line.len() - clear.len()))
}

/// Text that was read and not handed on yet.
#[derive(Default)]
struct Held {
    text: String,
    lines: Vec<Line>,
    /// Places in the raw file: offset in the text, line, column.
    places: Vec<(usize, u32, u32)>,
}

/// One line of output.
struct Line {
    start: usize,
    time: Option<String>,
    number: u32,
}

impl Held {
    /// Takes one raw line. `time` is that of the line before and becomes this one's where it has one.
    fn line(&mut self, raw: &str, number: u32, time: &mut Option<String>) {
        let (mut rest, mut column) = (raw, 0);
        let mut joined = false;
        if let Some(stamp) = stamp(rest) {
            *time = Some(stamp.time);
            joined = stamp.joined;
            (rest, column) = (&rest[stamp.length..], stamp.length);
        }
        while let Some((seconds, length)) = section(rest) {
            *time = jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string()).or(time.take());
            (rest, column) = (&rest[length..], column + length);
        }
        if joined && self.text.ends_with('\n') {
            self.text.pop();
        } else {
            self.lines.push(Line { start: self.text.len(), time: time.clone(), number });
        }
        self.uncoloured(rest, number, column);
        self.text.push('\n');
    }

    /// Adds a line without its colours (`ESC [ … m`) and erasures (`ESC [ … K`).
    fn uncoloured(&mut self, line: &str, number: u32, mut column: usize) {
        let mut rest = line;
        loop {
            self.places.push((self.text.len(), number, column as u32));
            let Some(at) = rest.find("\u{1b}[") else { return self.text.push_str(rest) };
            self.text.push_str(&rest[..at]);
            let inside = &rest[at + 2..];
            let length = inside.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b';').count();
            let whole = matches!(inside.as_bytes().get(length), Some(b'm' | b'K'));
            let used = at + 2 + if whole { length + 1 } else { 0 };
            if !whole {
                self.text.push_str("\u{1b}[");
            }
            (rest, column) = (&rest[used..], column + used);
        }
    }

    /// Offsets of lines.
    fn range(&self, lines: Range<usize>) -> Range<usize> {
        let start = |line: usize| self.lines.get(line).map_or(self.text.len(), |line| line.start);
        start(lines.start)..start(lines.end)
    }

    /// Lets go of everything before a line.
    fn forget(&mut self, before: usize) {
        let cut = self.range(0..before).end;
        self.text.drain(..cut);
        self.lines.drain(..before);
        self.lines.iter_mut().for_each(|line| line.start -= cut);
        let gone = self.places.partition_point(|place| place.0 < cut);
        self.places.drain(..gone);
        self.places.iter_mut().for_each(|place| place.0 -= cut);
    }
}

fn hand(input: &mut Input<'_>, _: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let file = input.name.rsplit('/').next().unwrap_or(input.name).to_owned();
    let job = Draft::new(container(ContainerKind::File, input.name, file, false), ItemKind::Message, "");
    let mut read = BufReader::with_capacity(64 << 10, &mut *input.read);
    let (mut held, mut time, mut number, mut raw) = (Held::default(), None, 0, Vec::new());
    // Lines at the start of what is held that were handed on and are there as context.
    let mut done = 0;
    loop {
        raw.clear();
        let got = (&mut read).take(LONGEST).read_until(b'\n', &mut raw);
        let ended = !matches!(got, Ok(1..));
        if !ended {
            let line = String::from_utf8_lossy(&raw);
            held.line(line.trim_end_matches(['\n', '\r']), number, &mut time);
            number += u32::from(raw.ends_with(b"\n"));
        }
        let (waiting, bytes) = (held.lines.len() - done, held.text.len());
        if ended || waiting >= BLOCK.0 + MARGIN || bytes > 2 * BLOCK.1 && waiting > MARGIN {
            let own = done..if ended { held.lines.len() } else { held.lines.len() - MARGIN };
            block(&held, own.clone(), &job, out);
            if ended {
                return got.map(|_| ()).map_err(|error| error.to_string());
            }
            let keep = own.end.saturating_sub(MARGIN);
            held.forget(keep);
            done = own.end - keep;
        }
    }
}

/// Hands on some lines: where nothing is found in all of them, nothing else is made of them.
fn block(held: &Held, own: Range<usize>, job: &Draft, out: &mut Out<'_>) {
    let around = |lines: &Range<usize>| lines.start.saturating_sub(MARGIN)..(lines.end + MARGIN).min(held.lines.len());
    let range = held.range(own.clone());
    if range.is_empty() {
        return;
    }
    out.coverage.documents += 1;
    out.coverage.bytes += range.len() as u64;
    out.held(dated(job, held, own.start), &held.text[range]);
    if !out.sink.finds(held.text[held.range(around(&own))].as_bytes(), out.shown) {
        return;
    }
    let mut start = own.start;
    while start < own.end {
        let same = |line: &usize| held.lines[*line].time == held.lines[start].time;
        let end = (start..own.end.min(start + BURST)).take_while(same).last().unwrap_or(start) + 1;
        let context = held.range(around(&(start..end)));
        let own = held.range(start..end);
        let mut spans = SpanMap::default().owning(own.start - context.start..own.end - context.start);
        let first = held.places.partition_point(|place| place.0 < context.start);
        for (at, line, column) in held.places[first..].iter().take_while(|place| place.0 < context.end) {
            spans.line(at - context.start, *line, *column);
        }
        out.part(dated(job, held, start), &held.text[context], &spans);
        start = end;
    }
}

fn dated(job: &Draft, held: &Held, line: usize) -> Draft {
    let line = &held.lines[line];
    let place = format!("line {}", line.number + 1);
    job.clone().at(line.time.clone()).id(place.as_str()).pointer(place.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_are_told_from_output() {
        let told = |line: &str| stamp(line).map(|one| (one.time, line[one.length..].to_owned(), one.joined));
        let time = "2024-05-22T12:43:46Z".to_owned();
        assert_eq!(
            told("2024-05-22T12:43:46.9626460Z ##[group]Run"),
            Some((time.clone(), "##[group]Run".to_owned(), false))
        );
        assert_eq!(told("2024-05-22T12:43:46.962646Z 01E+more"), Some((time.clone(), "more".to_owned(), true)));
        assert_eq!(told("2024-05-22T12:43:46.962646Z 00O "), Some((time.clone(), String::new(), false)));
        assert_eq!(told("[2024-05-22T12:43:46.962Z] + make"), Some((time.clone(), "+ make".to_owned(), false)));
        assert_eq!(told("\u{feff}2024-05-22T12:43:46Z"), Some((time, String::new(), false)));
        for other in ["2024-05-22 12:43:46 x", "2024-05-22T12:43:46+02:00 x", "2024-05-22T12:43:46Zx", "x"] {
            assert_eq!(told(other), None, "{other}");
        }
        assert_eq!(
            section("section_start:1560896352:build[collapsed=true]\r\u{1b}[0KHeader").map(|one| one.0),
            Some(1_560_896_352)
        );
    }
}
