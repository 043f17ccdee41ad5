//! One reader for dates of all languages and orders: numbers, names of months, halves of the day, zones.
//!
//! Orders and marks are those of the Unicode locale data: a date with dots or dashes and the year last begins with the day
//! everywhere; one with strokes begins with the month only where numbers are not filled up with zeros.

use jiff::civil;
use jiff::tz::Offset;

use super::names::{HALVES, MONTHS, ZONES};

/// Which of day and month comes first where both could.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum Order {
    Day,
    Month,
    Unknown,
}

/// A date as it was read.
pub(in super::super) struct Reading {
    /// Year, month and day, or two numbers whose order is open and the year.
    date: Result<[i16; 3], [i16; 3]>,
    /// Hour, minute and second.
    pub(in super::super) clock: Option<[i8; 3]>,
    zone: Option<Offset>,
    /// Letters of words that mean nothing here.
    pub(in super::super) strange: usize,
    /// Written as only Americans do.
    american: bool,
}

enum Token {
    Number(i16, usize),
    Word(String),
    Mark(char),
}

/// Digits of all scripts as ASCII, blanks of all kinds as one kind, without marks of direction.
pub(in super::super) fn plain_digits(text: &str) -> String {
    const ZEROS: [u32; 6] = [0x660, 0x6f0, 0x966, 0x9e6, 0x1040, 0xff10];
    let digit = |c: char| {
        let zero = ZEROS.iter().find(|zero| (**zero..**zero + 10).contains(&u32::from(c)))?;
        char::from_digit(u32::from(c) - zero, 10)
    };
    if text.is_ascii() {
        return text.to_owned();
    }
    text.chars()
        .filter(|c| !matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}' | '\u{feff}'))
        .map(|c| if c.is_whitespace() { ' ' } else { digit(c).unwrap_or(c) })
        .collect()
}

fn tokens(text: &str) -> Vec<Token> {
    let plain = plain_digits(text).to_lowercase();
    let (mut all, mut rest) = (Vec::new(), plain.as_str());
    while let Some(first) = rest.chars().next() {
        let letter = |c: char| c.is_alphabetic() || ('\u{900}'..'\u{e80}').contains(&c) && !c.is_ascii();
        let run = |inside: &dyn Fn(char) -> bool| rest.find(|c: char| !inside(c)).unwrap_or(rest.len());
        let length = if first.is_ascii_digit() {
            let length = run(&|c| c.is_ascii_digit());
            all.push(Token::Number(rest[..length].parse().unwrap_or(i16::MAX), length));
            length
        } else if matches!(first, '年' | '月' | '日' | '년' | '월' | '일') {
            // Words that stand where other languages have a stroke.
            all.push(Token::Mark('/'));
            first.len_utf8()
        } else if letter(first) {
            let length = run(&letter);
            all.push(Token::Word(rest[..length].to_owned()));
            length
        } else {
            if !first.is_whitespace() {
                all.push(Token::Mark(first));
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    all
}

/// The month that a word names.
fn month(word: &str) -> Option<i16> {
    let named = |fits: &dyn Fn(&str) -> bool| MONTHS.iter().position(|names| names.iter().any(|name| fits(name)));
    let found = named(&|name| name == word)
        .or_else(|| (word.chars().count() >= 3).then(|| named(&|name| name.starts_with(word)))?);
    found.map(|at| at as i16 + 1)
}

/// What is gathered while tokens are read.
#[derive(Default)]
struct Gathered {
    numbers: Vec<(i16, usize)>,
    /// Marks between the first three numbers.
    between: Vec<char>,
    named: Option<(i16, usize)>,
    clock: Option<[i16; 3]>,
    late: Option<bool>,
    zone: Option<Offset>,
    strange: usize,
}

/// Reads a date with or without a clock time; `None` where the text is none.
pub(in super::super) fn read(text: &str) -> Option<Reading> {
    if text.len() > 120 {
        return None;
    }
    let text = text.split(" (").next().unwrap_or_default();
    let tokens = tokens(text);
    let mut got = Gathered::default();
    let mut at = 0;
    while at < tokens.len() {
        at += got.take(&tokens[at..]).max(1);
    }
    got.dotted();
    let date = got.date()?;
    let clock = match got.clock {
        None => None,
        Some([hour, minute, second]) => {
            let hour = match got.late {
                Some(true) if hour <= 12 => hour % 12 + 12,
                Some(false) if hour == 12 => 0,
                _ => hour,
            };
            let fits = hour < 24 && minute < 60 && second < 61;
            Some(fits.then_some([hour as i8, minute as i8, second.min(59) as i8])?)
        }
    };
    // `3/5/24 9:05 PM`: numbers that are not filled up, and halves of the day in capitals.
    let short = matches!(got.numbers[..], [a, b, ..] if a.1 == 1 || b.1 == 1) && got.between.starts_with(&['/', '/']);
    let padded = got.numbers.iter().take(2).any(|number| number.1 == 2 && number.0 < 10);
    let american = short && !padded && text.trim_end().ends_with(['M']);
    Some(Reading { date, clock, zone: got.zone, strange: got.strange, american })
}

impl Gathered {
    /// Takes what stands first, and says how many tokens that was.
    fn take(&mut self, tokens: &[Token]) -> usize {
        use Token::{Mark, Number, Word};
        match tokens {
            [Number(hour, _), Mark(':'), Number(minute, _), Mark(':'), Number(second, _), rest @ ..]
                if self.clock.is_none() =>
            {
                self.clock = Some([*hour, *minute, *second]);
                // Fractions of the second.
                if matches!(rest, [Mark('.' | ','), Number(..), ..])
                    && !matches!(rest, [_, _, Mark('.' | '/' | '-'), ..])
                {
                    7
                } else {
                    5
                }
            }
            [Number(hour, _), Mark(':'), Number(minute, _), ..] if self.clock.is_none() => {
                self.clock = Some([*hour, *minute, 0]);
                3
            }
            [Number(hour, _), Word(h), Number(minute, _), ..] if h == "h" && self.clock.is_none() => {
                self.clock = Some([*hour, *minute, 0]);
                3
            }
            [Mark(sign @ ('+' | '-' | '\u{2212}')), Number(hours, length), rest @ ..]
                if self.clock.is_some()
                    && (*length == 4
                        || *length <= 2 && (self.zone.is_some() || matches!(rest, [Mark(':'), Number(_, 2), ..]))) =>
            {
                let (hours, minutes, used) = match rest {
                    [Mark(':'), Number(minutes, 2), ..] => (*hours, *minutes, 4),
                    _ if *length == 4 => (hours / 100, hours % 100, 2),
                    _ => (*hours, 0, 2),
                };
                let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
                self.zone = Offset::from_seconds(if *sign == '+' { seconds } else { -seconds }).ok();
                used
            }
            [Word(a), Mark('.'), Word(b), ..] | [Word(a), Word(b), ..]
                if a.chars().count() == 1 && HALVES.iter().any(|half| half.contains(&format!("{a}{b}").as_str())) =>
            {
                self.late = Some(HALVES[1].contains(&format!("{a}{b}").as_str()));
                if matches!(tokens[1], Mark(_)) { 3 } else { 2 }
            }
            [Word(word), ..] => {
                self.word(word);
                1
            }
            [Number(number, length), ..] => {
                self.numbers.push((*number, *length));
                1
            }
            [Mark(mark), ..] => {
                if self.between.len() < self.numbers.len() {
                    self.between.push(*mark);
                }
                1
            }
            [] => 1,
        }
    }

    fn word(&mut self, word: &str) {
        let half = |at: usize| HALVES[at].contains(&word);
        if half(0) || half(1) {
            self.late = Some(half(1));
        } else if let Some(zone) = ZONES.iter().find(|zone| zone.0 == word && self.clock.is_some()) {
            self.zone = Some(Offset::constant(zone.1));
        } else if matches!(word, "a" | "p") && self.clock.is_some() {
            self.late = Some(word == "p");
        } else if let Some(month) = month(word) {
            // A weekday's short form may look like a month's: the last one is meant.
            self.named = Some((month, self.numbers.len()));
        } else if word != "t" {
            self.strange += word.chars().count();
        }
    }

    /// `9.05` or `09.05.11` behind a date is a clock time with dots.
    fn dotted(&mut self) {
        let dated = if self.named.is_some() { 2 } else { 3 };
        if self.clock.is_none() && matches!(self.numbers.len().checked_sub(dated), Some(2 | 3)) {
            let rest = self.numbers.split_off(dated);
            self.clock = Some([rest[0].0, rest[1].0, rest.get(2).map_or(0, |one| one.0)]);
        }
    }

    /// Year, month, day; or two numbers whose order is open and the year.
    fn date(&self) -> Option<Result<[i16; 3], [i16; 3]>> {
        let year = |(number, length): (i16, usize)| match (number, length) {
            (0..100, 2) => Some(2000 + number),
            // The Buddhist era.
            (2500..2650, 4) => Some(number - 543),
            (1900..2200, 4) => Some(number),
            _ => None,
        };
        if let Some((month, _)) = self.named {
            let [a, b, ..] = self.numbers[..] else { return None };
            let (day, year) = if a.1 == 4 { (b.0, year(a)?) } else { (a.0, year(b)?) };
            return Some(Ok([year, month, day]));
        }
        let [a, b, c, ..] = self.numbers[..] else { return None };
        if a.1 == 4 || a.0 > 31 {
            return Some(Ok([year(a)?, b.0, c.0]));
        }
        let year = year(c)?;
        let day_first = a.0 > 12 || matches!(self.between.first(), Some('.' | '-')) && b.0 <= 12;
        Some(match (day_first, b.0 > 12) {
            (true, false) => Ok([year, b.0, a.0]),
            (false, true) => Ok([year, a.0, b.0]),
            (true, true) => return None,
            _ => Err([a.0, b.0, year]),
        })
    }
}

impl Reading {
    /// Year, month and day.
    pub(in super::super) fn day(&self, order: Order) -> Option<[i16; 3]> {
        match (self.date, order) {
            (Ok(date), _) => Some(date),
            (Err([a, b, year]), Order::Day) => Some([year, b, a]),
            (Err([a, b, year]), Order::Month) => Some([year, a, b]),
            // The same day and month leave nothing open.
            (Err([a, b, year]), Order::Unknown) => (a == b || self.american).then_some([year, a, b]),
        }
    }

    /// RFC 3339 in UTC where the zone is said, else local without a mark of the zone; the day alone where there is no time.
    pub(in super::super) fn told(&self, order: Order) -> Option<String> {
        let [year, month, day] = self.day(order)?;
        let date = civil::Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        let Some([hour, minute, second]) = self.clock else { return Some(date.to_string()) };
        let time = date.at(hour, minute, second, 0);
        Some(match self.zone {
            Some(zone) => zone.to_timestamp(time).ok()?.to_string(),
            None => time.to_string(),
        })
    }

    /// Whether the zone is said.
    pub(in super::super) fn zoned(&self) -> bool {
        self.zone.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_many_languages_are_one_time() {
        for text in [
            "05/Mar/24 9:05 PM",
            "5 mars 2024, 21:05",
            "05.03.2024 21:05",
            "5. März 2024 um 21:05:00",
            "05/mars/24 9:05 PM",
            "2024年3月5日 21:05",
            "2024/03/05 9:05 午後",
            "2024年3月5日 下午9:05",
            "2024년 3월 5일 오후 9:05",
            "2024. 3. 5. 오후 9:05",
            "٥ مارس ٢٠٢٤ ٩:٠٥ م",
            "05-03-2024 21:05",
            "mar. 5 mars 2024 à 21 h 05",
            "martes, 5 de marzo de 2024, 9:05 p.\u{a0}m.",
            "Tuesday, March 5, 2024 9:05\u{202f}PM",
            "5.3.2024 klo 21.05",
            "5 мар. 2024 г., 21:05:00",
            "21:05, 05/03/2024",
            "05/mar./24 21:05",
            "2024-Mar-05 21:05",
            "5/3/2567 21:05",
        ] {
            let read = read(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(read.told(Order::Day).as_deref(), Some("2024-03-05T21:05:00"), "{text}");
        }
    }

    #[test]
    fn zones_are_taken_into_account_and_open_orders_stay_open() {
        let told = |text: &str| read(text).and_then(|one| one.told(Order::Unknown));
        let utc = Some("2024-03-05T08:05:01Z".to_owned());
        for text in [
            "05.03.2024 09:05:01 UTC+01:00",
            "2024-03-05 09:05:01 +0100",
            "Tue Mar 05 2024 09:05:01 GMT+0100 (CET)",
            "2024-03-05 08:05:01 UTC",
            "5. März 2024 um 09:05:01 MEZ",
            "2024-03-05T08:05:01.123Z",
            "03/05/2024 08:05:01 GMT+0",
        ] {
            let wanted = if text.starts_with("03/") { None } else { utc.clone() };
            assert_eq!(told(text), wanted, "{text}");
        }
        assert_eq!(told("3/15/24 9:05"), Some("2024-03-15T09:05:00".to_owned()));
        assert_eq!((told("3/4/24 9:05"), told("3/3/24 9:05").is_some()), (None, true));
        assert_eq!(told("3/4/24 9:05 PM"), Some("2024-03-04T21:05:00".to_owned()));
        assert_eq!((told("03/04/24 9:05 PM"), told("3/4/24 9:05 pm"), told("3/04/2024 9:05 PM")), (None, None, None));
        assert_eq!(told("March 5, 2024"), Some("2024-03-05".to_owned()));
        for none in ["", "x", "12", "10:11:12", "1402/12/15, 9:05", "99/99/9999 10:00", "32.13.2024", "v1.2.3 ready"] {
            assert_eq!(told(none), None, "{none}");
        }
    }
}
