//! What a run of base64 or hexadecimal holds.

use std::sync::LazyLock;

use super::{SHORTEST, of_alphabet};

/// What a run holds, if that is text or packed; down to some depth of runs that are nothing but a run themselves.
pub(super) fn of(run: &[u8], depth: usize) -> Option<Vec<u8>> {
    let hex = run.iter().all(u8::is_ascii_hexdigit);
    let text = if hex && hex_of_text(run) {
        let even = run.len() / 2 * 2;
        data_encoding::HEXLOWER_PERMISSIVE.decode(&run[..even]).ok().filter(|text| readable(text))
    } else {
        None
    };
    let text = text.or_else(|| base64(run))?;
    if depth > 0 && text.len() >= SHORTEST && text.trim_ascii().iter().all(|byte| of_alphabet(*byte) || *byte == b'=') {
        let inner = text.trim_ascii().trim_ascii_end();
        let inner = &inner[..inner.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1)];
        return of(inner, depth - 1).or(Some(text));
    }
    Some(text)
}

/// Whether hexadecimal can be text: nearly all of the first digits of two must be those of a character.
fn hex_of_text(run: &[u8]) -> bool {
    let odd = run.chunks_exact(2).filter(|two| !matches!(two[0], b'0' | b'2'..=b'7')).count();
    odd * 40 <= run.len() + 120
}

/// Whether base64 can be text or packed: the first digit of four is the upper part of a byte, and in a text hardly any of
/// these bytes is anything but a character.
fn base64_of_text(run: &[u8]) -> bool {
    let odd = |four: &&[u8]| !matches!(four[0], b'C' | b'D' | b'I'..=b'Z' | b'a'..=b'f');
    run.starts_with(b"H4s") || run.chunks_exact(4).take(SHORTEST / 4).filter(odd).count() <= 2
}

fn base64(run: &[u8]) -> Option<Vec<u8>> {
    // Random tokens and words end here, after a few bytes.
    if !base64_of_text(run) {
        return None;
    }
    let lead = unpacked(&run[..run.len().min(SHORTEST) / 4 * 4])?;
    if !readable(&lead[..lead.len() - 1]) && !lead.starts_with(&[0x1f, 0x8b, 8]) {
        return None;
    }
    let text = unpacked(run)?;
    (readable(&text) || text.starts_with(&[0x1f, 0x8b, 8])).then_some(text)
}

/// Base64 whose last bits do not count: those of a run that was cut off are nobody's.
static LENIENT: LazyLock<data_encoding::Encoding> = LazyLock::new(|| {
    let mut rules = data_encoding::BASE64_NOPAD.specification();
    rules.check_trailing_bits = false;
    rules.encoding().expect("because the alphabet is that of base64")
});

fn unpacked(run: &[u8]) -> Option<Vec<u8>> {
    let mut plain: Vec<u8> = run
        .iter()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => *other,
        })
        .collect();
    if plain.len() % 4 == 1 {
        plain.pop();
    }
    LENIENT.decode(&plain).ok()
}

/// Printable text in UTF-8 with hardly anything else.
fn readable(text: &[u8]) -> bool {
    let Ok(valid) = std::str::from_utf8(text).or_else(|error| {
        // A character may be cut off at the end.
        std::str::from_utf8(if error.error_len().is_none() { &text[..error.valid_up_to()] } else { text })
    }) else {
        return false;
    };
    let ascii = valid.bytes().filter(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~')).count();
    valid.len() >= 16 && ascii * 20 >= valid.len() * 19
}
