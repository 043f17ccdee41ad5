//! One file packed by gzip, bzip2, xz or zstd; a tar inside is read on the way.

use std::io::{BufRead, Read};

use super::super::content::{self, Wrapped};
use super::super::{Coverage, Provenance, Sink, bundle, windows};
use super::{Members, allowed, tar};

pub(super) fn known(head: &[u8]) -> bool {
    [&b"\x1f\x8b\x08"[..], b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"].iter().any(|magic| head.starts_with(magic))
        && !(head.starts_with(b"BZh") && head.get(4..10) != Some(b"\x31\x41\x59\x26\x53\x59"))
}

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !known(wrapped.bytes) {
        return false;
    }
    let members = Members { provenance: wrapped.provenance, sink, account };
    allowed(wrapped.bytes.len() as u64, || unpack(wrapped.bytes, wrapped.bytes, members));
    true
}

pub(super) fn unpack<R: BufRead>(head: &[u8], mut read: R, mut members: Members<'_>) {
    if !members.may_open() {
        return;
    }
    match head[0] {
        0x1f => stream(flate2::bufread::MultiGzDecoder::new(read), members),
        b'B' => stream(bzip2::bufread::MultiBzDecoder::new(read), members),
        0x28 => match ruzstd::decoding::StreamingDecoder::new(read) {
            Ok(decoder) => stream(decoder, members),
            Err(error) => members.broken(error),
        },
        _ => {
            // The decoder of xz writes instead of being read: what it writes is bounded on the way.
            let mut out = Full { bytes: Vec::new(), most: 4 * super::HELD as usize };
            match lzma_rs::xz_decompress(&mut read, &mut out) {
                Ok(()) => stream(out.bytes.as_slice(), members),
                Err(error) => {
                    let why = format!("{error:?}");
                    members.broken(if why.contains("too much") { "unpacks to too much".to_owned() } else { why });
                    stream(out.bytes.as_slice(), members);
                }
            }
        }
    }
}

/// Hands the content on: a tar by its members, everything else as the one member without the packer's ending.
fn stream<R: Read>(mut read: R, mut members: Members<'_>) {
    let mut head = vec![0; 512];
    let (got, broken) = windows::fill_kept(&mut read, &mut head);
    head.truncate(got);
    let read = windows::Ending { content: &mut read, broken };
    if bundle::is_tar(&head) {
        let Members { provenance, sink, account } = members;
        let left = super::LEFT.get().unwrap_or(super::LEAST);
        return tar(
            bundle::Bounded { inner: head.as_slice().chain(read), left },
            Members { provenance, sink, account },
        );
    }
    let name = name(members.provenance);
    members.member(&name, &mut head.as_slice().chain(read));
}

/// `dump.json` of `dump.json.gz`.
fn name(provenance: &Provenance) -> String {
    let place = content::place(provenance);
    let last = place.rsplit(['/', '!']).next().unwrap_or_default();
    let stem = [".gz", ".bz2", ".xz", ".zst", ".tgz"].iter().find_map(|ending| last.strip_suffix(ending));
    stem.unwrap_or("content").to_owned()
}

struct Full {
    bytes: Vec<u8>,
    most: usize,
}

impl std::io::Write for Full {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + part.len() > self.most {
            return Err(std::io::Error::other("unpacks to too much"));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
