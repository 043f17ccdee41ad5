//! One place where content of any source meets the formats that hide text, and from where it reaches the sink.

use super::text::{self, Text};
use super::{Coverage, Document, Provenance, Sink};

/// Content that may be an archive or another wrapping around text.
#[allow(dead_code, reason = "the first opener reads both fields")]
pub(super) struct Wrapped<'a> {
    /// The raw bytes.
    pub(super) bytes: &'a [u8],
    /// Where they are; an opener extends `inside` for the members.
    pub(super) provenance: &'a Provenance,
}

/// Opens one kind of wrapping: looks at the first bytes, and either says `false` or hands every member to [`hand_on`].
pub(super) type Opener = fn(&Wrapped<'_>, &dyn Sink, &mut Coverage) -> bool;

/// Every wrapping that is understood, one line each.
const OPENERS: &[Opener] = &[];

/// Hands content to the sink: unwrapped, decoded, as it is, or not at all with the reason in the account.
pub(super) fn hand_on(bytes: &[u8], provenance: &Provenance, sink: &dyn Sink, account: &mut Coverage) {
    let wrapped = Wrapped { bytes, provenance };
    if OPENERS.iter().any(|open| open(&wrapped, sink, account)) {
        return;
    }
    match text::of(bytes) {
        Text::Plain => sink.document(&Document { bytes, provenance, spans: None }),
        Text::Decoded(decoded, spans) => sink.document(&Document { bytes: &decoded, provenance, spans: Some(&spans) }),
        Text::Binary(why) => return account.skip(place(provenance), why),
    }
    account.documents += 1;
    account.bytes += bytes.len() as u64;
}

/// How coverage names a place: objects by their whole name, everything else as printed.
pub(super) fn place(provenance: &Provenance) -> String {
    match provenance {
        Provenance::Git { oid, inside, .. } if inside.is_empty() => oid.clone(),
        other => other.to_string(),
    }
}
