//! What bytes are: text as it stands, text in UTF-16, or something that is not text.

use super::SpanMap;

/// How content can be searched.
pub(super) enum Text {
    /// As it is: UTF-8, or any other encoding that keeps ASCII.
    Plain,
    /// Decoded from UTF-16, with the way back to the raw offsets line by line.
    Decoded(Vec<u8>, SpanMap),
    /// Not text; why.
    Binary(&'static str),
}

/// How many bytes decide, as in git.
pub(super) const HEAD: usize = 8000;

/// Decides by content. UTF-16 is known by its byte order mark, or by zeros in every second byte.
pub(super) fn of(bytes: &[u8]) -> Text {
    let head = &bytes[..bytes.len().min(HEAD)];
    if memchr::memchr(0, head).is_none() {
        return Text::Plain;
    }
    if let Some(little) = utf32(head) {
        let (decoded, spans) = decode32(bytes, little);
        return Text::Decoded(decoded, spans);
    }
    match utf16(head) {
        Some(encoding) => {
            let (decoded, spans) = decode(bytes, encoding);
            Text::Decoded(decoded, spans)
        }
        None => Text::Binary("binary content"),
    }
}

/// The flavour of UTF-16 that a text begins in.
pub(super) fn utf16(head: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    // FF FE 00 00 is UTF-32, which nobody commits on purpose.
    match head {
        [0xff, 0xfe, rest @ ..] if !rest.starts_with(&[0, 0]) => return Some(encoding_rs::UTF_16LE),
        [0xfe, 0xff, ..] => return Some(encoding_rs::UTF_16BE),
        _ => {}
    }
    let pairs = head.chunks_exact(2);
    let count = pairs.len();
    if count < 8 {
        return None;
    }
    let (mut low, mut high) = (0, 0);
    for pair in pairs {
        let printable = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
        low += usize::from(pair[1] == 0 && printable(pair[0]));
        high += usize::from(pair[0] == 0 && printable(pair[1]));
    }
    if low * 10 > count * 9 {
        Some(encoding_rs::UTF_16LE)
    } else if high * 10 > count * 9 {
        Some(encoding_rs::UTF_16BE)
    } else {
        None
    }
}

/// Whether a text begins in UTF-32, and if so whether in its little-endian form.
fn utf32(head: &[u8]) -> Option<bool> {
    let units = head.chunks_exact(4);
    let count = units.len();
    let like = |little: bool| {
        let plain = |unit: &[u8]| {
            let value = unit32(unit, little);
            value == 0xfeff || matches!(value, 9 | 10 | 13 | 32..=126)
        };
        units.clone().filter(|unit| plain(unit)).count() * 10 > count * 9
    };
    if count < 4 { None } else { [true, false].into_iter().find(|little| like(*little)) }
}

fn unit32(unit: &[u8], little: bool) -> u32 {
    let unit = [unit[0], unit[1], unit[2], unit[3]];
    if little { u32::from_le_bytes(unit) } else { u32::from_be_bytes(unit) }
}

/// Decodes UTF-32 character by character; offsets lead back to the line.
fn decode32(bytes: &[u8], little: bool) -> (Vec<u8>, SpanMap) {
    let (mut decoded, mut spans) = (String::with_capacity(bytes.len() / 4), SpanMap::default());
    let mut start = true;
    for (at, unit) in bytes.chunks_exact(4).enumerate() {
        let c = char::from_u32(unit32(unit, little)).unwrap_or(char::REPLACEMENT_CHARACTER);
        if c == '\u{feff}' {
            continue;
        }
        if start {
            spans.push(decoded.len(), at * 4, bytes.len() - at * 4);
        }
        start = c == '\n';
        decoded.push(c);
    }
    (decoded.into_bytes(), spans)
}

/// Decodes line by line, so that offsets lead back to the line they came from.
fn decode(bytes: &[u8], encoding: &'static encoding_rs::Encoding) -> (Vec<u8>, SpanMap) {
    let little = encoding == encoding_rs::UTF_16LE;
    let newline: [u8; 2] = if little { [b'\n', 0] } else { [0, b'\n'] };
    let mut decoded = Vec::with_capacity(bytes.len() / 2 + 16);
    let mut spans = SpanMap::default();
    let mut start = 0;
    let mut end = 0;
    for pair in bytes.chunks(2) {
        end += pair.len();
        if pair == newline || end == bytes.len() {
            let (line, _) = encoding.decode_without_bom_handling(&bytes[start..end]);
            let line = line.strip_prefix('\u{feff}').unwrap_or(&line);
            spans.push(decoded.len(), start, end - start);
            decoded.extend_from_slice(line.as_bytes());
            start = end;
        }
    }
    (decoded, spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf16_is_decoded_with_and_without_a_mark() {
        let text = "name = value\nother = wert\u{e4}\n";
        for (mark, big) in [(true, false), (true, true), (false, false), (false, true)] {
            let mut bytes = Vec::new();
            let units = mark.then_some(0xfeffu16).into_iter().chain(text.encode_utf16());
            units.for_each(|u| bytes.extend(if big { u.to_be_bytes() } else { u.to_le_bytes() }));
            let Text::Decoded(decoded, spans) = of(&bytes) else { panic!("not seen as UTF-16") };
            assert_eq!(decoded, text.as_bytes());
            assert_eq!(spans.raw(13..14).start, 26 + if mark { 2 } else { 0 });
        }
    }

    #[test]
    fn utf32_is_decoded() {
        for (little, mark) in [(true, false), (true, true), (false, true)] {
            let mut bytes = Vec::new();
            let units = mark.then_some('\u{feff}').into_iter().chain("key = value\n".chars());
            units.for_each(|c| bytes.extend(if little { (c as u32).to_le_bytes() } else { (c as u32).to_be_bytes() }));
            let Text::Decoded(decoded, _) = of(&bytes) else { panic!("not seen as UTF-32") };
            assert_eq!(decoded, b"key = value\n");
        }
    }

    #[test]
    fn zeros_make_content_binary_and_bad_utf8_does_not() {
        assert!(matches!(of(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"), Text::Binary(_)));
        assert!(matches!(of(b"caf\xe9 \xff\xfe latin"), Text::Plain));
        assert!(matches!(of(b""), Text::Plain));
    }
}
