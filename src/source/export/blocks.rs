//! Pages of chats in HTML, message by message: each starts with a tag of its own.

use std::io::Read;

use super::super::Record;
use super::text::html;
use super::{json, lines};

/// Bytes that are read at once.
const STEP: usize = 256 << 10;
/// Bytes behind a tag's start that tell whether a message starts there.
const TELLING: usize = 80;

/// Cuts a page where an element starts that `starts` knows by its first bytes, and hands on what stands before the first one, then
/// each.
///
/// # Errors
/// What cannot be read, or a message of more than 16 MiB.
pub(super) fn each(read: &mut dyn Read, starts: fn(&str) -> bool, hand: &mut dyn FnMut(&str)) -> Result<(), String> {
    let (mut held, mut from, mut searched) = (Vec::new(), 0, 0);
    let mut place = (0u32, 0u32);
    let mut ended = false;
    loop {
        let next = tag(&held, searched.max(from + 1), ended, starts);
        if let Some(cut) = next.ok().or((ended && from < held.len()).then_some(held.len())) {
            let block = &held[from..cut];
            lines::starts(Some(Record::new(place, block.to_vec())));
            hand(&String::from_utf8_lossy(block));
            place.0 += memchr::memchr_iter(b'\n', block).count() as u32;
            let last = memchr::memrchr(b'\n', block);
            place.1 = last.map_or(place.1 + block.len() as u32, |last| (block.len() - last - 1) as u32);
            (from, searched) = (cut, cut);
            continue;
        }
        if ended {
            return Ok(());
        }
        held.drain(..from);
        searched = next.err().unwrap_or(from).saturating_sub(from);
        from = 0;
        if held.len() > json::LARGEST {
            return Err("one message of more than 16 MiB".to_owned());
        }
        let before = held.len();
        held.resize(before + STEP, 0);
        let got = super::super::windows::fill(read, &mut held[before..]).map_err(|error| error.to_string())?;
        held.truncate(before + got);
        ended = got < STEP;
    }
}

/// Where the next message starts, or from where to look when there is more.
fn tag(held: &[u8], mut at: usize, ended: bool, starts: fn(&str) -> bool) -> Result<usize, usize> {
    while let Some(found) = memchr::memmem::find(held.get(at..).unwrap_or_default(), b"<div ") {
        let place = at + found;
        if place + TELLING > held.len() && !ended {
            return Err(place);
        }
        if starts(&String::from_utf8_lossy(&held[place..held.len().min(place + TELLING)])) {
            return Ok(place);
        }
        at = place + 1;
    }
    Err(held.len().saturating_sub(5).max(at.min(held.len())))
}

/// The first element of a class: where it starts, its tag without brackets, and what follows the tag.
pub(super) fn classed<'t>(text: &'t str, class: &str) -> Option<(usize, &'t str, &'t str)> {
    let mut from = 0;
    while let Some(found) = text[from..].find(class) {
        let at = from + found;
        from = at + class.len();
        let open = text[..at].rfind('<')?;
        let before = &text[open..at];
        let begins = before.rfind("class=").filter(|place| before[..*place].ends_with(char::is_whitespace));
        let inside = begins.map(|place| &before[place + 6..]).is_some_and(|value| match value.chars().next() {
            None => true,
            Some(quote @ ('"' | '\'')) => value.matches(quote).count() == 1 && value.ends_with([quote, ' ']),
            Some(_) => false,
        });
        if inside && !before.contains('>') && text[from..].starts_with(['"', '\'', ' ', '>']) {
            let end = at + text[at..].find('>')?;
            return Some((open, &text[open + 1..end], &text[end + 1..]));
        }
    }
    None
}

/// The text of the first element of a class that holds no element of its own kind.
pub(super) fn said(text: &str, class: &str) -> Option<String> {
    let (_, tag, rest) = classed(text, class)?;
    let name = tag.split(char::is_whitespace).next()?;
    let inner = rest.split(&format!("</{name}")).next()?;
    Some(html::decode(inner.split("<span").next()?).trim().to_owned()).filter(|said| !said.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_cut_at_their_messages_whatever_the_steps() {
        let message = |n: usize| {
            format!("<div class=\"message x\" id={n}>\n<div class=\"text\">{}</div>\n", "w".repeat(n * 3000))
        };
        let page: String = std::iter::once("<html>\n".to_owned()).chain((0..60).map(message)).collect();
        let mut got = Vec::new();
        each(&mut page.as_bytes(), |tag| tag.starts_with("<div class=\"message "), &mut |block| {
            got.push((block.to_owned(), lines::current().map_or(0, |record| record.line())));
        })
        .expect("a page");
        lines::starts(None);
        assert_eq!(got.iter().map(|one| one.0.as_str()).collect::<String>(), page);
        assert_eq!((got.len(), got[1].1, got[60].1), (61, 1, 119));
    }

    #[test]
    fn elements_are_found_by_their_class() {
        let text = "<p class=\"from_names\">no</p><p title='class=from_name'></p><b class='a from_name'>\nBob <span>x</span></b>";
        assert_eq!(said(text, "from_name").as_deref(), Some("Bob"));
        assert_eq!(said("<i class=from_name>Al</i>", "from_name").as_deref(), Some("Al"));
        assert_eq!(said(text, "name"), None);
    }
}
