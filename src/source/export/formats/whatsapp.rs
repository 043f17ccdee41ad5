//! WhatsApp's text of one chat. Stamps differ by telephone and language; the order of day and month is decided over the whole
//! file, and lines without a stamp belong to the message before.

use std::io::{BufRead, BufReader, Read};

use super::super::known::{Known, person};
use super::super::out::{Draft, Out, container};
use super::super::{Format, Input};
use crate::source::{Container, ContainerKind, ItemKind, Via};

pub(super) const FORMAT: Format = Format {
    id: "whatsapp",
    claims: |peek| {
        let lines: Vec<&str> = peek.head.lines().filter(|line| !line.trim().is_empty()).take(12).collect();
        let stamped = lines.iter().filter(|line| stamp(line).is_some()).count();
        let named = lines.iter().filter_map(|line| stamp(line)).filter(|one| one.rest.contains(": ")).count();
        lines.first().is_some_and(|line| stamp(line).is_some()) && named >= 1 && (stamped >= 2 || lines.len() == 1)
    },
    learn: Some(learn),
    hand,
};

/// Most bytes of one message.
const LONGEST: usize = 1 << 20;

struct Stamp<'a> {
    date: [u16; 3],
    /// As it is written.
    raw: &'a str,
    clock: String,
    rest: &'a str,
}

/// Reads `12/9/20, 23:55 - `, `[12/9/20, 23:55:01] `, `2019-10-20, 10:16 - `, `06.08.2016, 13:23 - `, with or without
/// `PM`, `p. m.`, marks of direction and narrow blanks.
fn stamp(line: &str) -> Option<Stamp<'_>> {
    let line = line.trim_start_matches(['\u{feff}', '\u{200e}', '\u{200f}', '\u{202a}', ' ']);
    let open = line.strip_prefix('[');
    let (head, rest) = match open {
        Some(inner) => inner.split_once(']')?,
        None => line.split_once(" - ")?,
    };
    if head.len() > 44 || head.len() < 10 {
        return None;
    }
    let cut = head.find([',', ' ', '\u{202f}'])?;
    let (date, time) = head.split_at(cut);
    let mut parts = date.split(['/', '.', '-']).filter(|part| !part.is_empty()).map(|part| part.parse::<u16>().ok());
    let date = [parts.next()??, parts.next()??, parts.next()??];
    let time = time.trim_start_matches([',', ' ', '\u{202f}']);
    let digits: String = time.chars().take_while(|c| c.is_ascii_digit() || matches!(c, ':' | '.')).collect();
    let mut clock = digits.trim_end_matches(['.', ':']).split([':', '.']).map(|part| part.parse::<u16>().ok());
    let (mut hour, minute, second) = (clock.next()??, clock.next()??, clock.next().flatten().unwrap_or(0));
    let half: String = time[digits.len()..].chars().filter(|c| c.is_alphabetic()).collect::<String>().to_lowercase();
    let (morning, evening) = (["am", "a", "오전", "上午", "午前", "ص"], ["pm", "p", "오후", "下午", "午後", "م"]);
    if evening.contains(&half.as_str()) {
        hour = hour % 12 + 12;
    } else if morning.contains(&half.as_str()) {
        hour %= 12;
    } else if half.len() > 8 {
        return None;
    }
    let rest = rest.trim_start_matches([' ', '\u{200e}', '\u{200f}']);
    (hour < 24 && minute < 60).then(|| Stamp {
        date,
        raw: head,
        clock: format!("{hour:02}:{minute:02}:{second:02}"),
        rest,
    })
}

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    // A first number above twelve is a day, a second one says that the month comes first.
    let (mut first, mut second, mut falls) = (0u16, 0u16, [0u32; 2]);
    let mut before: Option<[u16; 3]> = None;
    each(input.read, &mut |line| {
        if let Some(one) = stamp(line) {
            first = first.max(one.date[0]);
            second = second.max(one.date[1]);
            if let Some(before) = before {
                // Messages come in order of time: the reading with fewer steps back is the right one.
                let day = |d: [u16; 3]| (d[2], d[1], d[0]);
                let month = |d: [u16; 3]| (d[2], d[0], d[1]);
                falls[0] += u32::from(day(one.date) < day(before));
                falls[1] += u32::from(month(one.date) < month(before));
            }
            before = Some(one.date);
        }
    })?;
    let order = match (first, second) {
        (31.., _) => "year",
        (13.., _) => "day",
        (_, 13..) => "month",
        _ if falls[0] < falls[1] => "day",
        _ if falls[1] < falls[0] => "month",
        _ => "unknown",
    };
    known.note(format!("order {}", input.name), order);
    Ok(())
}

fn each(read: &mut dyn Read, line: &mut dyn FnMut(&str)) -> Result<(), String> {
    let mut read = BufReader::with_capacity(64 << 10, read);
    let mut raw = Vec::new();
    loop {
        raw.clear();
        let got = (&mut read).take(LONGEST as u64).read_until(b'\n', &mut raw).map_err(|error| error.to_string())?;
        if got == 0 {
            return Ok(());
        }
        line(String::from_utf8_lossy(&raw).trim_end_matches(['\n', '\r']));
    }
}

/// Local time of the telephone: the file does not say in which zone.
fn time(order: &str, one: &Stamp<'_>) -> String {
    let [a, b, c] = one.date;
    let (year, month, day) = match order {
        "year" => (a, b, c),
        "day" => (c, b, a),
        "month" => (c, a, b),
        _ => return one.raw.to_owned(),
    };
    let year = if year < 100 { year + 2000 } else { year };
    format!("{year:04}-{month:02}-{day:02}T{}", one.clock)
}

/// The chat's name out of the file's: `WhatsApp Chat with Bob.txt`, `WhatsApp Chat - Bob.zip`.
fn chat(name: &str) -> Container {
    let parts: Vec<&str> = name.rsplit(['/', '!']).take(2).collect();
    let base = if parts[0].trim_start_matches('_').starts_with("chat.") {
        parts.get(1).copied().unwrap_or(parts[0])
    } else {
        parts[0]
    };
    let base = base.trim_end_matches(".txt").trim_end_matches(".zip");
    let shown = ["WhatsApp Chat with ", "WhatsApp Chat - ", "WhatsApp Chat mit "]
        .iter()
        .find_map(|lead| base.strip_prefix(lead));
    container(ContainerKind::GroupDm, base, shown.unwrap_or(base), false)
}

struct Open {
    draft: Draft,
    text: String,
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let order = known.fact(&format!("order {}", input.name)).unwrap_or("unknown");
    let of = chat(input.name);
    let mut open: Option<Open> = None;
    let mut number = 0u64;
    let done = |open: &mut Option<Open>, out: &mut Out<'_>| {
        if let Some(message) = open.take() {
            out.item(message.draft, &message.text);
        }
    };
    each(input.read, &mut |line| {
        number += 1;
        if let Some(one) = stamp(line) {
            done(&mut open, out);
            let (name, text) = match one.rest.split_once(": ") {
                Some((name, text)) if name.chars().count() <= 60 => (Some(name), text),
                _ => match one.rest.strip_suffix(':') {
                    Some(name) if name.chars().count() <= 60 => (Some(name), ""),
                    _ => (None, one.rest),
                },
            };
            // A number instead of a name: nobody in the exporter's telephone book.
            let phone =
                name.filter(|name| name.starts_with(['+', '\u{202a}']) && name.chars().any(|c| c.is_ascii_digit()));
            let clean =
                |name: &str| name.trim_matches(['\u{202a}', '\u{202c}', '~', ' ', '\u{a0}', '\u{202f}']).to_owned();
            let author = match phone {
                Some(phone) => person("whatsapp", None, Some(clean(phone)), None, None),
                None => person("whatsapp", None, None, None, name.map(clean)),
            };
            let via = if name.is_some() { Via::Direct } else { Via::System };
            let draft = Draft::new(of.clone(), ItemKind::Message, format!("line {number}"));
            let draft = draft.by(author).via(via).at(Some(time(order, &one))).pointer(format!("line {number}"));
            open = Some(Open { draft, text: text.to_owned() });
        } else if let Some(message) = open.as_mut().filter(|message| message.text.len() < LONGEST) {
            message.text.push('\n');
            message.text.push_str(line);
        } else {
            done(&mut open, out);
            let draft =
                Draft::new(of.clone(), ItemKind::Message, format!("line {number}")).pointer(format!("line {number}"));
            open = Some(Open { draft, text: line.to_owned() });
        }
    })?;
    done(&mut open, out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_of_many_telephones() {
        let read = |line: &str| stamp(line).map(|one| (one.date, one.clock, one.rest.to_owned()));
        let is = |date, clock: &str| Some((date, clock.to_owned(), "Bob: x".to_owned()));
        assert_eq!(read("12/9/20, 23:55 - Bob: x"), is([12, 9, 20], "23:55:00"));
        assert_eq!(read("\u{200e}[12/9/20, 11:55:01\u{202f}PM] \u{200e}Bob: x"), is([12, 9, 20], "23:55:01"));
        assert_eq!(read("06.08.2016, 13:23 - Bob: x"), is([6, 8, 2016], "13:23:00"));
        assert_eq!(read("2019-10-20, 10:16 - Bob: x"), is([2019, 10, 20], "10:16:00"));
        assert_eq!(read("9/12/2020 11:55 p. m. - Bob: x"), is([9, 12, 2020], "23:55:00"));
        assert_eq!(read("[09.12.20, 23.55.01] Bob: x"), is([9, 12, 20], "23:55:01"));
        assert_eq!(read("see 1/2/20, 10:00 - no"), None);
        assert_eq!(
            read("2024-01-01 10:00:00,123 - INFO - started"),
            is([2024, 1, 1], "10:00:00").map(|mut one| {
                one.2 = "INFO - started".to_owned();
                one
            })
        );
    }
}
