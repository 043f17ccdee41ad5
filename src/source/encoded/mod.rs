//! Text inside of text: runs of base64 and hexadecimal that hold text of their own, or something packed.
//!
//! Only what decodes to readable text, or to a gzip stream, is handed on. Tokens are random and do not.
//!
//! What a run holds depends on the region around it and on nothing else: bytes that a run or its line breaks can have, and
//! [`BESIDE`] more on both sides. So a document that repeats a region of its base takes over what the base held there.

mod plain;

use std::ops::Range;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::{Copied, Coverage, Document, Provenance, Sink, SpanMap, archive, content};

/// Shortest run that is looked at; shorter values are left to those who know the exact value.
const SHORTEST: usize = 32;
/// Longest run that is decoded: above it stand pictures and source maps.
const LONGEST: usize = 1 << 20;
/// Encodings within encodings.
const DEPTH: usize = 4;
/// Bytes beside a region that tell what it is.
const BESIDE: usize = 80;

/// A run of a document that holds something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    run: Range<usize>,
    text: Arc<Vec<u8>>,
}

/// Hands on what the runs of a document hold.
pub(super) fn hand_on(bytes: &[u8], provenance: &Provenance, sink: &dyn Sink, account: &mut Coverage) {
    hand_on_held(&whole(bytes), bytes, provenance, sink, account);
}

/// Hands on what is held. Lines and columns lead to the run in the document.
pub(super) fn hand_on_held(
    held: &[Held],
    bytes: &[u8],
    provenance: &Provenance,
    sink: &dyn Sink,
    account: &mut Coverage,
) {
    let (mut line, mut counted) = (0, 0);
    for Held { run, text } in held {
        line += memchr::memchr_iter(b'\n', &bytes[counted..run.start]).count();
        counted = run.start;
        if text.starts_with(&[0x1f, 0x8b]) {
            let inner = archive::within(provenance, &format!("base64 in line {}", line + 1));
            content::hand_on(text, &inner, sink, account);
            continue;
        }
        let column = run.start - memchr::memrchr(b'\n', &bytes[..run.start]).map_or(0, |newline| newline + 1);
        let spans = SpanMap::window(run.start as u64, line as u32, column as u64, 0..text.len());
        sink.document(&Document { bytes: text, provenance, spans: Some(&spans) });
    }
}

/// What the runs of a document hold, in its order.
pub(super) fn whole(bytes: &[u8]) -> Vec<Held> {
    let mut held = Vec::new();
    search(bytes, 0..bytes.len(), &mut held);
    held
}

/// The same for a document made from another one; `copied` are the runs of the base that it repeats, in order.
pub(super) fn revision(bytes: &[u8], base: &[Held], copied: &[Copied]) -> Vec<Held> {
    let mut held = Vec::new();
    let mut done = 0;
    let mut before: usize = 0;
    for (start, end) in copied.iter().map(|run| (run.to, run.to + run.length)).chain([(bytes.len(), bytes.len())]) {
        // From the end of the last run to the start of this one, with all regions that may depend on it.
        let from = back(bytes, before.saturating_sub(BESIDE)).max(done);
        done = forth(bytes, (start + BESIDE).min(bytes.len())).max(done);
        search(bytes, from..done, &mut held);
        before = end;
    }
    let new = held.len();
    for Held { run, text } in base {
        // A run stands wholly in what is copied with all that it depends on, or it was searched for above.
        let run_of = |copied: &&Copied| copied.from <= run.start && run.end <= copied.from + copied.length;
        for copied in copied.iter().filter(run_of) {
            let run = run.start - copied.from + copied.to..run.end - copied.from + copied.to;
            let needs = (back(bytes, run.start), forth(bytes, run.end) + BESIDE);
            if needs.0 >= copied.to + BESIDE
                && needs.1 <= copied.to + copied.length
                && !held[..new].iter().any(|one| one.run == run)
            {
                held.push(Held { run, text: Arc::clone(text) });
            }
        }
    }
    held.sort_by_key(|one| one.run.start);
    held
}

/// Adds what the runs of a part of a document hold; the part ends where regions do.
fn search(bytes: &[u8], part: Range<usize>, held: &mut Vec<Held>) {
    for run in runs(&bytes[part.clone()]) {
        let run = part.start + run.start..part.start + run.end;
        let text = &bytes[run.clone()];
        // A word may stand below a run that is no block of lines.
        let first = || text.split(|byte| byte.is_ascii_whitespace()).next().filter(|first| first.len() < text.len());
        let decoded = plain::of(text, DEPTH).or_else(|| plain::of(first()?, DEPTH));
        if let Some(text) = decoded.filter(|_| !known(bytes, &run)) {
            held.push(Held { run, text: Arc::new(text) });
        }
    }
}

/// Parts of a JSON web token, which is a credential as a whole, and maps of programs, which repeat their source.
fn known(bytes: &[u8], run: &Range<usize>) -> bool {
    static MAP: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("sourceMappingURL="));
    let before = &bytes[run.start.saturating_sub(BESIDE)..run.start];
    let token = before.ends_with(b".") || bytes.get(run.end) == Some(&b'.');
    token && bytes[run.clone()].starts_with(b"eyJ") || MAP.find(before).is_some()
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

fn of_alphabet(byte: u8) -> bool {
    ALPHABET[usize::from(byte)]
}

/// Whether a byte can stand in a region.
fn of_region(byte: &u8) -> bool {
    of_alphabet(*byte) || matches!(byte, b'\r' | b'\n')
}

/// The start of the region at a place.
fn back(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rposition(|byte| !of_region(byte)).map_or(0, |last| last + 1)
}

/// The end of the region at a place.
fn forth(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| !of_region(byte)).map_or(bytes.len(), |next| at + next)
}

/// Runs of at least [`SHORTEST`] bytes of the alphabet; a run that fills lines of equal length goes on in the next line.
fn runs(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let of = |at: usize| bytes.get(at).is_some_and(|byte| of_alphabet(*byte));
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
    let stop = (next..most).find(|at| !of_alphabet(bytes[*at])).unwrap_or(most);
    (stop > next).then_some((stop, stop - next == width))
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

    use proptest::prelude::*;

    /// Lines, words and encoded text, as pieces that a document is made of.
    fn piece() -> impl Strategy<Value = Vec<u8>> {
        let text = "[a-z =:]{24,90}".prop_map(|text| data_encoding::BASE64.encode(text.as_bytes()).into_bytes());
        let lined = "[a-z =:]{60,200}".prop_map(|text| {
            let whole = data_encoding::BASE64.encode(text.as_bytes()).into_bytes();
            whole.chunks(40).collect::<Vec<_>>().join(&b"\n"[..])
        });
        let plain = prop_oneof!["[a-z]{0,100}", "[ \n.=]{1,3}", "sourceMappingURL=", "[ ]{60,100}"];
        prop_oneof![text, lined, plain.prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn what_is_taken_over_is_what_a_search_finds(
            base in prop::collection::vec(piece(), 1..12),
            parts in prop::collection::vec((any::<prop::sample::Index>(), 0..400_usize, piece()), 0..6),
        ) {
            let base = base.concat();
            prop_assume!(!base.is_empty());
            let (mut bytes, mut copied) = (Vec::new(), Vec::new());
            for (from, length, new) in parts {
                let from = from.index(base.len());
                let length = length.min(base.len() - from);
                copied.push(Copied { from, to: bytes.len(), length });
                bytes.extend_from_slice(&base[from..from + length]);
                bytes.extend_from_slice(&new);
            }
            prop_assert_eq!(revision(&bytes, &whole(&base), &copied), whole(&bytes));
        }
    }
}
