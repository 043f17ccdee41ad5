//! One file that is an export of its own, found among other files: a board, a notebook, a mailbox.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::super::content::Wrapped;
use super::super::{Coverage, Provenance, Sink, windows};
use super::known::Known;
use super::utf8::{Utf8, announced};
use super::{Format, HEAD, Input, Out, Peek, formats, lines};

/// Opens content that some format claims. Blobs of git keep their own provenance, which knows the commits, and stay text.
pub(in super::super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    let Provenance::File { path, inside } = wrapped.provenance else { return false };
    let shown = inside.iter().fold(path.clone(), |shown, member| format!("{shown}!{member}"));
    let Some(format) = claimed(&shown, wrapped.bytes) else { return false };
    let mut open: Box<Open<'_>> = Box::new(|each| decoded(&mut { wrapped.bytes }, each));
    let whole = read(format, &shown, &shown, None, None, &mut open, sink, account);
    if let Err(why) = whole {
        account.fail(shown, format!("not all of this {} could be read, searched without authors: {why}", format.id));
        return false;
    }
    true
}

/// The same for a file too large for memory; `None` when no format claims it. What fails is to be searched as plain text.
pub(in super::super) fn large(path: &Path, head: &[u8], sink: &dyn Sink, account: &mut Coverage) -> Option<bool> {
    let shown = path.display().to_string();
    let format = claimed(&shown, head)?;
    let mut open: Box<Open<'_>> = Box::new(|each| decoded(&mut File::open(path).map_err(|e| e.to_string())?, each));
    match read(format, &shown, &shown, None, None, &mut open, sink, account) {
        Ok(()) => Some(true),
        Err(why) => {
            account
                .fail(shown, format!("not all of this {} could be read, searched without authors: {why}", format.id));
            Some(false)
        }
    }
}

/// The format of a file by its first bytes.
pub(super) fn claimed(name: &str, bytes: &[u8]) -> Option<&'static Format> {
    if let Some(format) = formats::by_name(name) {
        return Some(format);
    }
    // Most files are none of this and are told so by their first byte.
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace())?;
    let telling = matches!(first, b'{' | b'[' | b'<' | 0xef | 0xff | 0xfe);
    if !telling && !formats::may_be_text(name, bytes) {
        return None;
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    let head = match announced(head) {
        Some(encoding) => encoding.decode(head).0.into_owned(),
        // Some exports of trackers hold bytes that no XML may hold.
        None if *first != b'<' && memchr::memchr(0, head).is_some() => return None,
        None => String::from_utf8_lossy(head).into_owned(),
    };
    let peek = Peek { name, head: &head };
    formats::ALL.iter().copied().find(|format| (format.claims)(&peek))
}

/// Both passes over one file; `known` is given when other files of the export were read before.
#[expect(clippy::too_many_arguments, reason = "the one place where a format meets its file")]
pub(super) fn read(
    format: &'static Format,
    name: &str,
    shown: &str,
    known: Option<&Known>,
    map: Option<&str>,
    open: &mut Open<'_>,
    sink: &dyn Sink,
    account: &mut Coverage,
) -> Result<(), String> {
    let _inner = lines::Inner::begin();
    let mut own = Known::default();
    if let (None, Some(learn)) = (known, format.learn) {
        // What the first pass cannot read is named by the second.
        let _again = open(&mut |read| learn(&mut Input { name, read, map }, &mut own));
        if let Some(why) = own.lost() {
            account.fail(shown, why);
        }
    }
    let known = known.unwrap_or(&own);
    lines::starts(None);
    open(&mut |read| {
        let mut out = Out { sink, coverage: account, shown, format: format.id, outer: None };
        (format.hand)(&mut Input { name, read, map }, known, &mut out)
    })
}

/// Opens a file and hands it to a pass.
pub(super) type Open<'a> = dyn FnMut(&mut Pass<'_>) -> Result<(), String> + 'a;

/// One pass over the bytes of a file.
pub(super) type Pass<'a> = dyn FnMut(&mut dyn Read) -> Result<(), String> + 'a;

/// Reads as UTF-8.
pub(super) fn decoded(raw: &mut dyn Read, each: &mut Pass<'_>) -> Result<(), String> {
    let mut head = vec![0; HEAD];
    let (got, broken) = windows::fill_kept(raw, &mut head);
    head.truncate(got);
    let raw = windows::Ending { content: raw, broken };
    let encoding = announced(&head);
    let mut read = Utf8::new(head.as_slice().chain(raw), encoding);
    each(&mut read)
}
