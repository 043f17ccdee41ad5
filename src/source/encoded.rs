//! Text inside of text: runs of base64 and hexadecimal that hold text of their own, or something packed.
//!
//! Only what decodes to readable text, or to a gzip stream, is handed on. Tokens are random and do not.

use std::sync::LazyLock;

use super::{Coverage, Document, Provenance, Sink, SpanMap, archive, content};

/// Shortest run that is looked at; shorter values are left to those who know the exact value.
const SHORTEST: usize = 32;
/// Longest run that is decoded: above it stand pictures and source maps.
const LONGEST: usize = 1 << 20;
/// Runs of one document that are decoded.
const MOST: usize = 2000;
/// Encodings within encodings.
const DEPTH: usize = 4;

/// Hands on what the runs of a document hold. Lines and columns lead to the run in the document.
pub(super) fn hand_on(bytes: &[u8], provenance: &Provenance, sink: &dyn Sink, account: &mut Coverage) {
    let (mut line, mut counted) = (0, 0);
    for run in runs(bytes).take(MOST) {
        if known(bytes, &run) {
            continue;
        }
        let text = &bytes[run.clone()];
        // A word may stand below a run that is no block of lines.
        let first = || text.split(|byte| byte.is_ascii_whitespace()).next().filter(|first| first.len() < text.len());
        let Some(decoded) = decoded(text, DEPTH).or_else(|| decoded(first()?, DEPTH)) else { continue };
        line += memchr::memchr_iter(b'\n', &bytes[counted..run.start]).count();
        counted = run.start;
        if decoded.starts_with(&[0x1f, 0x8b]) {
            let inner = archive::within(provenance, &format!("base64 in line {}", line + 1));
            content::hand_on(&decoded, &inner, sink, account);
            continue;
        }
        let column = run.start - memchr::memrchr(b'\n', &bytes[..run.start]).map_or(0, |newline| newline + 1);
        let spans = SpanMap::window(run.start as u64, line as u32, column as u64, 0..decoded.len());
        sink.document(&Document { bytes: &decoded, provenance, spans: Some(&spans) });
    }
}

/// Parts of a JSON web token, which is a credential as a whole, and maps of programs, which repeat their source.
fn known(bytes: &[u8], run: &std::ops::Range<usize>) -> bool {
    let before = &bytes[run.start.saturating_sub(80)..run.start];
    let token = before.ends_with(b".") || bytes.get(run.end) == Some(&b'.');
    token && bytes[run.clone()].starts_with(b"eyJ") || memchr::memmem::find(before, b"sourceMappingURL=").is_some()
}

/// Which bytes a run may have: those of base64 in both alphabets.
const ALPHABET: [bool; 256] = {
    let mut table = [false; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        table[at] = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_');
        at += 1;
    }
    table
};

/// Runs of at least [`SHORTEST`] bytes of the alphabet; a run that fills lines of equal length goes on in the next line.
fn runs(bytes: &[u8]) -> impl Iterator<Item = std::ops::Range<usize>> {
    let of = |at: usize| bytes.get(at).is_some_and(|byte| ALPHABET[usize::from(*byte)]);
    let mut at = SHORTEST - 1;
    let mut free = 0;
    std::iter::from_fn(move || {
        // A run of this length covers a multiple of it, so that most bytes are never looked at.
        while at < bytes.len() {
            if !of(at) {
                at += SHORTEST;
                continue;
            }
            let start = (free..=at).rev().take_while(|back| of(*back)).last().unwrap_or(at);
            let mut end = (at..bytes.len()).find(|next| !of(*next)).unwrap_or(bytes.len());
            let width = end - start;
            let lined = width % 4 == 0 && width >= SHORTEST;
            while lined && let Some((stop, full)) = line_after(bytes, end, width) {
                end = stop;
                if !full {
                    break;
                }
            }
            at = end + SHORTEST;
            free = end;
            if (SHORTEST..=LONGEST).contains(&(end - start)) {
                return Some(start..end);
            }
        }
        None
    })
}

/// The end of a line of a run that goes on after a line of this width, and whether it is as wide.
fn line_after(bytes: &[u8], end: usize, width: usize) -> Option<(usize, bool)> {
    let next = end + usize::from(bytes.get(end) == Some(&b'\r')) + 1;
    if bytes.get(next - 1) != Some(&b'\n') {
        return None;
    }
    let most = bytes.len().min(next + width);
    let stop = (next..most).find(|at| !ALPHABET[usize::from(bytes[*at])]).unwrap_or(most);
    (stop > next).then_some((stop, stop - next == width))
}

/// What a run holds, if that is text or packed; down to some depth of runs that are nothing but a run themselves.
fn decoded(run: &[u8], depth: usize) -> Option<Vec<u8>> {
    let hex = run.iter().all(u8::is_ascii_hexdigit);
    let text = if hex {
        let even = run.len() / 2 * 2;
        data_encoding::HEXLOWER_PERMISSIVE.decode(&run[..even]).ok().filter(|text| readable(text))
    } else {
        None
    };
    let text = text.or_else(|| base64(run))?;
    if depth > 0
        && text.len() >= SHORTEST
        && text.trim_ascii().iter().all(|byte| ALPHABET[usize::from(*byte)] || *byte == b'=')
    {
        let inner = text.trim_ascii().trim_ascii_end();
        let inner = &inner[..inner.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1)];
        return decoded(inner, depth - 1).or(Some(text));
    }
    Some(text)
}

fn base64(run: &[u8]) -> Option<Vec<u8>> {
    // Random tokens and words end here, after a few bytes.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, usize)>>);

    impl Sink for Kept {
        fn document(&self, document: &Document<'_>) {
            let line = document.spans.and_then(SpanMap::place).map_or(0, |place| place.line as usize);
            self.0.lock().expect("not poisoned").push((String::from_utf8_lossy(document.bytes).into_owned(), line));
        }
    }

    fn inside(text: &str) -> Vec<(String, usize)> {
        let kept = Kept::default();
        let provenance = Provenance::File { path: "a".to_owned(), inside: Vec::new() };
        hand_on(text.as_bytes(), &provenance, &kept, &mut Coverage::default());
        kept.0.into_inner().expect("not poisoned")
    }

    #[test]
    fn text_in_base64_and_hex_is_found_with_its_line() {
        let secret = "password: a long value that nobody knows, 1234567890 ?>>";
        let forms = [
            data_encoding::BASE64.encode(secret.as_bytes()),
            data_encoding::BASE64URL_NOPAD.encode(secret.as_bytes()),
            data_encoding::HEXLOWER.encode(secret.as_bytes()),
            data_encoding::BASE64.encode(data_encoding::BASE64.encode(secret.as_bytes()).as_bytes()),
        ];
        for form in forms {
            let found = inside(&format!("kind: Secret\ndata:\n  key: {form}\nend\n"));
            assert_eq!(found, [(secret.to_owned(), 2)], "{form}");
        }
        let long = secret.repeat(8);
        let packed = data_encoding::BASE64.encode(long.as_bytes());
        let lines: Vec<&str> = (0..packed.len()).step_by(76).map(|at| &packed[at..packed.len().min(at + 76)]).collect();
        assert_eq!(inside(&format!("x\n\n{}\n", lines.join("\r\n"))), [(long, 2)]);
    }

    #[test]
    fn random_tokens_words_and_pictures_hold_no_text() {
        let random: Vec<u8> = (0..200u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        assert!(inside(&data_encoding::BASE64.encode(&random)).is_empty());
        assert!(inside(&data_encoding::HEXLOWER.encode(&random)).is_empty());
        assert!(inside("averylongnameofsomethingthatisonlyanidentifier_in_a_program_written_by_people").is_empty());
    }
}
