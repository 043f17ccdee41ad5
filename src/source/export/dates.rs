//! Dates as people read them, out of exports that write no others.

mod names;
mod words;

pub(super) use words::{Order, Reading, plain_digits, read};

/// `Monday, 3 January 2022 at 10:11:12 UTC`, `05/Mar/24 9:05 PM`, `5. März 2024 um 09:05:00 MEZ`, `2022年1月3日 10:11` → RFC 3339,
/// without a mark of the zone where none is said; what cannot be told (`3/4/24`) stays as it is.
pub(super) fn spelled(text: &str) -> String {
    spelled_in(text, Order::Unknown)
}

/// The same where day and month come in a known order.
pub(super) fn spelled_in(text: &str, order: Order) -> String {
    text.trim()
        .parse::<jiff::Timestamp>()
        .ok()
        .map(|time| time.to_string())
        .or_else(|| read(text)?.told(order))
        .unwrap_or_else(|| text.to_owned())
}

/// Letters of a packed time; the marks in front of it are not among them.
const FIRST: u64 = b'%' as u64;
const LETTERS: u64 = b'~' as u64 - FIRST + 1;

/// `2024-01-31 10:11:12.345` in ten letters, one of which is from `!` to `$` and stands in front; other texts stay as they are.
pub(super) fn packed(time: &str) -> String {
    let (whole, rest) = time.split_at_checked(19).unwrap_or((time, ""));
    let form = |text: &str, form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(byte, like)| if like == b'0' { byte.is_ascii_digit() } else { byte == like })
    };
    let places = [("", b'!'), (".0", b'"'), (".00", b'#'), (".000", b'$')];
    let mark = places.iter().find(|(like, _)| form(rest, like)).filter(|_| form(whole, "0000-00-00 00:00:00"));
    let Some((_, mark)) = mark else { return time.to_owned() };
    let digits = time.bytes().filter(u8::is_ascii_digit);
    let mut number = digits.fold(0u64, |number, digit| number * 10 + u64::from(digit - b'0'));
    let mut out = String::from(char::from(*mark));
    while number > 0 {
        out.push(char::from((FIRST + number % LETTERS) as u8));
        number /= LETTERS;
    }
    out
}

/// What [`packed`] packed.
pub(super) fn unpacked(text: &str) -> String {
    let places = match text.as_bytes().first() {
        Some(mark @ b'!'..=b'$') => usize::from(mark - b'!'),
        _ => return text.to_owned(),
    };
    let letters = text.bytes().skip(1).rev().map(|letter| u64::from(letter).wrapping_sub(FIRST));
    let number = letters.fold(0u64, |number, letter| number.wrapping_mul(LETTERS).wrapping_add(letter));
    let digits = format!("{number:0width$}", width = 14 + places);
    let mut digits = digits.chars();
    let like = &"0000-00-00 00:00:00.000"[..if places == 0 { 19 } else { 20 + places }];
    like.chars().map(|like| if like == '0' { digits.next().unwrap_or('0') } else { like }).collect()
}

#[cfg(test)]
mod tests {
    use super::{packed, spelled, unpacked};

    #[test]
    fn packed_times_are_short_and_come_back() {
        for time in [
            "2024-01-31 10:11:12.345",
            "2024-01-31 10:11:12.3",
            "2024-01-31 10:11:12.30",
            "0000-00-00 00:00:00",
            "9999-12-31 23:59:59.999",
        ] {
            assert!(packed(time).len() <= 10, "{time}");
            assert_eq!(unpacked(&packed(time)), time);
        }
        for other in
            ["", "2024", "2024-01-31T10:11:12Z", "2024-01-31 10:11:12.3456", "31. Januar, gegen zehn Uhr", "été"]
        {
            assert_eq!(unpacked(&packed(other)), other);
        }
    }

    #[test]
    fn spelled_dates_are_read_and_others_stay() {
        assert_eq!(spelled("Monday, 3 January 2022 at 10:11:12 UTC"), "2022-01-03T10:11:12Z");
        assert_eq!(spelled("Monday, January 3, 2022 at 10:11:12\u{202f}PM UTC"), "2022-01-03T22:11:12Z");
        assert_eq!(spelled("lundi 3 janvier 2022 à 10:11:12 UTC"), "2022-01-03T10:11:12Z");
        assert_eq!(spelled("2022年1月3日"), "2022-01-03");
        assert_eq!(spelled("é"), "é");
    }
}
