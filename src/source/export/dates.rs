//! Dates as people read them, out of exports that write no others.

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// `Monday, 3 January 2022 at 10:11:12 UTC`, `January 3, 2022 at 10:11:12 PM UTC`, `3 Jan 2022 22:11 UTC` → RFC 3339; text
/// in other languages or zones stays as it is.
pub(super) fn spelled(text: &str) -> String {
    parse(text).unwrap_or_else(|| text.to_owned())
}

fn parse(text: &str) -> Option<String> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.to_string());
    }
    // Narrow blanks stand before AM and PM in newer exports.
    let clean: String = text.chars().map(|c| if c.is_whitespace() || c == ',' { ' ' } else { c }).collect();
    let (mut year, mut month, mut day, mut clock, mut half, mut utc) = (None, None, None, None, None, false);
    for word in clean.split_whitespace() {
        let lower = word.to_lowercase();
        if let Some(found) = lower.is_char_boundary(3).then(|| &lower[..3]).and_then(|head| {
            (lower.len() >= 3 && !lower.ends_with("day")).then(|| MONTHS.iter().position(|name| *name == head))?
        }) {
            month = Some(found + 1);
        } else if word.contains(':') {
            clock = Some(word.to_owned());
        } else if matches!(lower.as_str(), "am" | "pm") {
            half = Some(lower == "pm");
        } else if matches!(lower.as_str(), "utc" | "gmt" | "z") {
            utc = true;
        } else if let Ok(number) = word.parse::<i16>() {
            match number {
                1900.. => year = Some(number),
                _ => day = Some(number),
            }
        }
    }
    let clock = clock?;
    let mut parts = clock.split(':').map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0));
    let hour = match half {
        Some(afternoon) => hour % 12 + if afternoon { 12 } else { 0 },
        None => hour,
    };
    let date = jiff::civil::DateTime::new(
        year?,
        i8::try_from(month?).ok()?,
        i8::try_from(day?).ok()?,
        hour,
        minute,
        second,
        0,
    );
    let date = date.ok()?;
    // Without a zone the time is local, and is said so by the missing mark.
    Some(if utc { format!("{date}Z") } else { date.to_string() })
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn spelled_dates_are_read_and_others_stay() {
        assert_eq!(spelled("Monday, 3 January 2022 at 10:11:12 UTC"), "2022-01-03T10:11:12Z");
        assert_eq!(spelled("Monday, January 3, 2022 at 10:11:12\u{202f}PM UTC"), "2022-01-03T22:11:12Z");
        assert_eq!(spelled("lundi 3 janvier 2022 à 10:11:12 UTC"), "2022-01-03T10:11:12Z");
        assert_eq!(spelled("2022年1月3日"), "2022年1月3日");
        assert_eq!(spelled("é"), "é");
    }
}
