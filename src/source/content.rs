//! One place where content of any source meets the formats that hide text, and from where it reaches the sink.

use std::any::Any;

use super::text::{self, Text};
use super::{Coverage, Document, Edit, Provenance, Sink, SpanMap};
use super::{archive, encoded};

/// Revisions up to this size are looked through for encoded text: larger ones are data.
const SMALL: usize = 1 << 20;

/// Content that may be an archive or another wrapping around text.
pub(super) struct Wrapped<'a> {
    /// The raw bytes.
    pub(super) bytes: &'a [u8],
    /// Where they are; an opener extends `inside` for the members.
    pub(super) provenance: &'a Provenance,
}

/// Opens one kind of wrapping: looks at the first bytes, and either says `false` or hands every member to [`hand_on`].
pub(super) type Opener = fn(&Wrapped<'_>, &dyn Sink, &mut Coverage) -> bool;

/// Every wrapping that is understood, one line each.
const OPENERS: &[Opener] = &[super::slack::opener, super::export::opener];

/// Hands content to the sink: unwrapped, decoded, as it is, or not at all with the reason in the account.
pub(super) fn hand_on(bytes: &[u8], provenance: &Provenance, sink: &dyn Sink, account: &mut Coverage) {
    if let Some(Decoded(decoded, spans)) = unwrapped(bytes, provenance, sink, account) {
        let (bytes, spans) = decoded.as_ref().map_or((bytes, None), |text| (text.as_slice(), Some(&spans)));
        sink.document(&Document { bytes, provenance, spans });
        encoded::hand_on(bytes, provenance, sink, account);
    }
}

/// The same for content that is a revision of other content; gives what the sink wants to have with the next one.
pub(super) fn hand_on_revision(
    bytes: &[u8],
    provenance: &Provenance,
    edit: Option<Edit<'_>>,
    sink: &dyn Sink,
    account: &mut Coverage,
) -> Option<Box<dyn Any + Send>> {
    let Decoded(decoded, spans) = unwrapped(bytes, provenance, sink, account)?;
    match decoded {
        None => {
            let base = edit.and_then(|edit| edit.base.downcast_ref::<Kept>());
            let edit = edit.and_then(|edit| Some(Edit { base: base?.sink.as_deref()?, ..edit }));
            let document = Document { bytes, provenance, spans: None };
            let kept = sink.revision(&document, edit);
            let held = (bytes.len() <= SMALL).then(|| match (edit, base.and_then(|base| base.held.as_deref())) {
                (Some(edit), Some(base)) => encoded::revision(bytes, base, edit.copied),
                _ => encoded::whole(bytes),
            });
            encoded::hand_on_held(held.as_deref().unwrap_or_default(), bytes, provenance, sink, account);
            Some(Box::new(Kept { sink: kept, held }))
        }
        Some(text) => {
            // The runs of a delta are those of the raw bytes.
            sink.document(&Document { bytes: &text, provenance, spans: Some(&spans) });
            None
        }
    }
}

/// What is kept of a revision for those made from it.
struct Kept {
    /// What the sink wants to have.
    sink: Option<Box<dyn Any + Send>>,
    /// What its runs of encoded text hold, where they were looked through.
    held: Option<Vec<encoded::Held>>,
}

/// Text that had to be decoded, with the way back to the raw bytes; or nothing for text that stands as it is.
struct Decoded(Option<Vec<u8>>, SpanMap);

/// Opens wrappings and decides what the rest is; `None` when nothing is left to hand on.
fn unwrapped(bytes: &[u8], provenance: &Provenance, sink: &dyn Sink, account: &mut Coverage) -> Option<Decoded> {
    let wrapped = Wrapped { bytes, provenance };
    if super::export::DOCUMENTS.iter().chain(archive::OPENERS).chain(OPENERS).any(|open| open(&wrapped, sink, account))
    {
        return None;
    }
    if bytes.len() < 1024 && bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
        account.skip(place(provenance), "kept by Git LFS: only the pointer is here");
        return None;
    }
    let decoded = match text::of(bytes) {
        Text::Plain => Decoded(None, SpanMap::default()),
        Text::Decoded(decoded, spans) => Decoded(Some(decoded), spans),
        Text::Binary(why) => {
            account.skip(place(provenance), why);
            return None;
        }
    };
    account.documents += 1;
    account.bytes += bytes.len() as u64;
    Some(decoded)
}

/// How coverage names a place: objects by their whole name, everything else as printed.
pub(super) fn place(provenance: &Provenance) -> String {
    match provenance {
        Provenance::Git { oid, inside, .. } if inside.is_empty() => oid.clone(),
        other => other.to_string(),
    }
}
