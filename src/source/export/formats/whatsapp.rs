//! WhatsApp's text of one chat. Stamps differ by telephone and language; the order of day and month is decided over the whole
//! file, and lines without a stamp belong to the message before.

use std::io::{BufRead, BufReader, Read};

use super::super::dates::{self, Order};
use super::super::known::{Known, person};
use super::super::lines;
use super::super::out::{Draft, Out, container};
use super::super::{Format, Input};
use crate::source::{Container, ContainerKind, ItemKind, Record, Via};

pub(super) const FORMAT: Format = Format {
    id: "whatsapp",
    claims: |peek| {
        let lines: Vec<&str> = peek.head.lines().filter(|line| !line.trim().is_empty()).take(12).collect();
        let stamped = lines.iter().filter(|line| stamp(line).is_some()).count();
        let named = lines.iter().filter_map(|line| stamp(line)).filter(|one| says(one.rest)).count();
        lines.first().is_some_and(|line| stamp(line).is_some()) && named >= 1 && (stamped >= 2 || lines.len() == 1)
    },
    learn: Some(learn),
    hand,
};

/// Whether somebody says something: a level in place of the name makes it a line of a program's log.
fn says(rest: &str) -> bool {
    const LEVELS: &[&str] = &["INFO", "WARN", "WARNING", "ERROR", "DEBUG", "TRACE", "FATAL", "NOTICE", "CRITICAL"];
    rest.split_once(": ").is_some_and(|(name, _)| {
        let word = |word: &str| LEVELS.contains(&word.trim_matches(['[', ']']).to_ascii_uppercase().as_str());
        !name.split([' ', '.']).any(word)
    })
}

/// Most bytes of one message.
const LONGEST: usize = 1 << 20;

struct Stamp<'a> {
    when: dates::Reading,
    /// As it is written.
    raw: &'a str,
    rest: &'a str,
}

/// Marks of direction, which stand before stamps and names.
const MARKS: [char; 8] =
    ['\u{feff}', '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{2068}', '\u{2069}'];

/// Reads `12/9/20, 23:55 - `, `[12/9/20, 23:55:01] `, `06.08.2016 klo 13.23 - `, `2024/3/5 下午9:05 - `,
/// `2024년 3월 5일 오후 9:05, `, digits of any script, with or without marks of direction and narrow blanks.
fn stamp(line: &str) -> Option<Stamp<'_>> {
    let line = line.trim_start_matches(|c| c == ' ' || MARKS.contains(&c));
    let first = line.chars().next()?;
    if first != '[' && !first.is_numeric() {
        return None;
    }
    let (head, rest) = match line.strip_prefix('[') {
        Some(inner) => inner.split_once(']')?,
        None => match line.split_once(" - ") {
            Some((head, rest)) if head.len() <= 60 => (head, rest),
            _ => line.split_once(", ").filter(|(head, _)| head.contains('년') && head.contains(':'))?,
        },
    };
    if head.len() > 60 || head.len() < 10 {
        return None;
    }
    let when = dates::read(head).filter(|when| when.clock.is_some() && when.strange <= 8 && !when.zoned())?;
    let rest = rest.trim_start_matches(|c| c == ' ' || MARKS.contains(&c));
    Some(Stamp { when, raw: head, rest })
}

impl Stamp<'_> {
    /// Day and month as the language of the telephone orders them, if this line alone tells it: numbers that are filled up with
    /// zeros are those of languages in which the day comes first.
    fn order(&self) -> Order {
        let second = self.raw.split('/').nth(1);
        let padded = self.raw.starts_with('0') || second.is_some_and(|second| second.starts_with('0'));
        match self.when.day(Order::Unknown) {
            _ if padded => Order::Day,
            Some(_) => Order::Month,
            None => Order::Unknown,
        }
    }
}

/// So many lines that agree settle the order of day and month.
const ENOUGH: u32 = 100;

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    // A number above twelve says which is the day, in whatever line it stands.
    let (mut told, mut said, mut falls) = ([0u32; 2], [0u32; 2], [0u32; 2]);
    let mut before: Option<[[i16; 3]; 2]> = None;
    each(input.read, &mut |line| {
        if told[0].abs_diff(told[1]) >= ENOUGH {
            return;
        }
        let Some(one) = stamp(line) else { return };
        let both = [Order::Day, Order::Month].map(|order| one.when.day(order));
        let [Some(day), Some(month)] = both else { return };
        if day == month
            && let Some([first, second]) = first_two(one.raw).filter(|pair| pair[0] != pair[1])
        {
            told[0] += u32::from(first > 12 && second <= 12);
            told[1] += u32::from(second > 12 && first <= 12);
        }
        said[0] += u32::from(one.order() == Order::Day);
        said[1] += u32::from(one.order() == Order::Month);
        if let Some(before) = before {
            // Messages come in order of time: the reading with fewer steps back is the right one.
            falls[0] += u32::from(day < before[0]);
            falls[1] += u32::from(month < before[1]);
        }
        before = Some([day, month]);
    })?;
    let order = match (told, falls, said) {
        ([a, b], _, _) if a != b => usize::from(b > a),
        (_, [a, b], _) if a != b => usize::from(b < a),
        (_, _, [a, b]) if a != b => usize::from(b > a),
        _ => return Ok(()),
    };
    known.note(format!("order {}", input.name), ["day", "month"][order]);
    Ok(())
}

/// The first two numbers of a stamp with strokes and the year last.
fn first_two(raw: &str) -> Option<[u16; 2]> {
    let plain = dates::plain_digits(raw);
    let mut numbers = plain.split('/').map(|part| part.parse::<u16>().ok());
    Some([numbers.next()??, numbers.next()??])
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
fn time(order: Order, one: &Stamp<'_>) -> String {
    one.when.told(order).unwrap_or_else(|| one.raw.to_owned())
}

/// What stands before the name of the chat in the name of the file.
const LEADS: &[&str] = &[
    "WhatsApp Chat with ",
    "WhatsApp Chat - ",
    "WhatsApp Chat mit ",
    "WhatsApp-Chat mit ",
    "Discussion WhatsApp avec ",
    "Chat de WhatsApp con ",
    "Conversa do WhatsApp com ",
    "Chat WhatsApp con ",
    "WhatsApp-chat met ",
];

/// The chat's name out of the file's: `WhatsApp Chat with Bob.txt`, `WhatsApp Chat - Bob.zip`.
fn chat(name: &str) -> Container {
    let parts: Vec<&str> = name.rsplit(['/', '!']).take(2).collect();
    let base = if parts[0].trim_start_matches('_').starts_with("chat.") {
        parts.get(1).copied().unwrap_or(parts[0])
    } else {
        parts[0]
    };
    let base = base.trim_end_matches(".txt").trim_end_matches(".zip");
    let shown = LEADS.iter().find_map(|lead| base.strip_prefix(lead));
    container(ContainerKind::GroupDm, base, shown.unwrap_or(base), false)
}

struct Open {
    draft: Draft,
    text: String,
    /// Its first line, from 0, and all of them as they stand.
    at: (u32, String),
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let order = match known.fact(&format!("order {}", input.name)) {
        Some("day") => Order::Day,
        Some("month") => Order::Month,
        _ => Order::Unknown,
    };
    let of = chat(input.name);
    let mut open: Option<Open> = None;
    let mut number = 0u32;
    let done = |open: &mut Option<Open>, out: &mut Out<'_>| {
        if let Some(message) = open.take() {
            lines::starts(Some(Record::new((message.at.0, 0), message.at.1.into_bytes())));
            out.item(message.draft, &message.text);
        }
    };
    each(input.read, &mut |line| {
        let raw = (number, line.to_owned());
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
            let clean = |name: &str| {
                name.trim_matches(|c: char| c == '~' || c.is_whitespace() || MARKS.contains(&c)).to_owned()
            };
            let author = match phone {
                Some(phone) => person("whatsapp", None, Some(clean(phone)), None, None),
                None => person("whatsapp", None, None, None, name.map(clean)),
            };
            let via = if name.is_some() { Via::Direct } else { Via::System };
            let draft = Draft::new(of.clone(), ItemKind::Message, format!("line {number}"));
            let draft = draft.by(author).via(via).at(Some(time(order, &one))).pointer(format!("line {number}"));
            open = Some(Open { draft, text: text.to_owned(), at: raw });
        } else if let Some(message) = open.as_mut().filter(|message| message.text.len() < LONGEST) {
            for text in [&mut message.text, &mut message.at.1] {
                text.push('\n');
                text.push_str(line);
            }
        } else {
            done(&mut open, out);
            let draft =
                Draft::new(of.clone(), ItemKind::Message, format!("line {number}")).pointer(format!("line {number}"));
            open = Some(Open { draft, text: line.to_owned(), at: raw });
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
        let read =
            |line: &str| stamp(line).map(|one| (one.when.told(Order::Day).unwrap_or_default(), one.rest.to_owned()));
        let is = |time: &str| Some((time.to_owned(), "Bob: x".to_owned()));
        for line in [
            "12/9/20, 23:55 - Bob: x",
            "\u{200e}[12/9/20, 11:55:00\u{202f}PM] \u{200e}Bob: x",
            "12.09.2020, 23:55 - Bob: x",
            "2020-09-12, 23:55 - Bob: x",
            "12/9/2020 11:55 p. m. - Bob: x",
            "[12.09.20, 23.55.00] Bob: x",
            "[12/09/2020 à 23:55:00] Bob: x",
            "12.9.2020 klo 23.55 - Bob: x",
            "2020/9/12 下午11:55 - Bob: x",
            "[2020. 9. 12. 오후 11:55:00] Bob: x",
            "2020년 9월 12일 오후 11:55, Bob: x",
            "\u{200f}١٢/٩/٢٠٢٠، ١١:٥٥ م - Bob: x",
            "12.09.20 г., 23:55 ч. - Bob: x",
        ] {
            assert_eq!(read(line), is("2020-09-12T23:55:00"), "{line}");
        }
        for none in ["see 1/2/20, 10:00 - no", "10 - 12: x", "[info] 10:00: x", "2024-03-05T10:00:00Z - x: y"] {
            assert_eq!(read(none), None, "{none}");
        }
        assert_eq!(
            read("2024-01-01 10:00:00,123 - INFO - started"),
            Some(("2024-01-01T10:00:00".to_owned(), "INFO - started".to_owned()))
        );
        let alone = |line: &str| stamp(line).map(|one| one.order());
        assert_eq!(alone("05/03/2024, 09:05 - Bob: x"), Some(Order::Day));
        assert_eq!(alone("3/5/24, 9:05 PM - Bob: x"), Some(Order::Month));
        assert_eq!(alone("3/5/24, 9:05 - Bob: x"), Some(Order::Unknown));
    }
}
