//! RPM packages, and the cpio archives that they and boot images are made of.
//!
//! Layout: the RPM file format of the Linux Standard Base (lead, signature, header, packed payload), and the "new" portable
//! format of cpio(5).

use super::super::content::Wrapped;
use super::super::{Coverage, Sink, bundle};
use super::{Members, allowed, packed};

/// Bytes of the lead of an RPM package.
const LEAD: usize = 96;
/// Bytes of a header of a member.
const HEADER: usize = 110;

pub(super) fn rpm(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !wrapped.bytes.starts_with(&[0xed, 0xab, 0xee, 0xdb]) {
        return false;
    }
    let mut members = Members { provenance: wrapped.provenance, sink, account };
    allowed(wrapped.bytes.len() as u64, || match payload(wrapped.bytes) {
        Some(payload) if packed::known(payload) => packed::unpack(payload, payload, members),
        Some(_) => members.broken("the payload is packed by an unknown method"),
        None => members.broken("a header is cut off"),
    });
    true
}

/// What follows the signature, which is filled up to eight bytes, and the header.
fn payload(bytes: &[u8]) -> Option<&[u8]> {
    let signature = section(bytes, LEAD)?;
    bytes.get(section(bytes, signature.next_multiple_of(8))?..)
}

/// The end of a header that starts here.
fn section(bytes: &[u8], at: usize) -> Option<usize> {
    let head = bytes.get(at..at.checked_add(16)?)?;
    if !head.starts_with(&[0x8e, 0xad, 0xe8]) {
        return None;
    }
    let number = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]) as usize;
    at.checked_add(16)?.checked_add(number(8).checked_mul(16)?)?.checked_add(number(12))
}

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !is_header(wrapped.bytes) {
        return false;
    }
    let mut members = Members { provenance: wrapped.provenance, sink, account };
    allowed(wrapped.bytes.len() as u64, || {
        if !members.may_open() {
            return;
        }
        let mut rest = wrapped.bytes;
        loop {
            match member(rest) {
                Some((name, ..)) if name == "TRAILER!!!" => return,
                Some((name, content, after)) => {
                    if bundle::leads_out(&name) {
                        members.fail(&name, "name leads out of the archive");
                    } else if !content.is_empty() && !members.member(&name, &mut { content }) {
                        return;
                    }
                    rest = after;
                }
                None => return members.broken("a member's header is wrong"),
            }
        }
    });
    true
}

fn is_header(bytes: &[u8]) -> bool {
    bytes.len() > HEADER
        && (bytes.starts_with(b"070701") || bytes.starts_with(b"070702"))
        && bytes[6..HEADER].iter().all(u8::is_ascii_hexdigit)
}

/// Name, content and what follows. Folders and links have no content that anybody wrote.
fn member(bytes: &[u8]) -> Option<(String, &[u8], &[u8])> {
    if !is_header(bytes) {
        return None;
    }
    let field = |number: usize| {
        let at = 6 + number * 8;
        usize::from_str_radix(std::str::from_utf8(&bytes[at..at + 8]).ok()?, 16).ok()
    };
    let (mode, size, named) = (field(1)?, field(6)?, field(11)?);
    let start = (HEADER + named).next_multiple_of(4);
    let name = bytes.get(HEADER..(HEADER + named).checked_sub(1)?)?;
    let content = bytes.get(start..start.checked_add(size)?)?;
    let after = bytes.get((start + size).next_multiple_of(4)..).unwrap_or_default();
    let name = String::from_utf8_lossy(name).trim_start_matches("./").to_owned();
    Some((name, if mode & 0o170_000 == 0o100_000 { content } else { &[] }, after))
}
