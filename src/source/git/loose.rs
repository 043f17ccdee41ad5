//! Loose objects: one zlib stream a file, `blob 12\0` in front of the content.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::ZlibDecoder;
use libdeflater::Decompressor;

use super::Broken;
use super::pack::Kind;

/// Opens a loose object for reading in pieces: its kind, its size, and the content that follows.
pub(super) fn open(file: &Path) -> Result<(Kind, u64, ZlibDecoder<File>), Broken> {
    let mut stream = ZlibDecoder::new(File::open(file).map_err(|_| "loose object cannot be opened")?);
    let mut head = Vec::new();
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).map_err(|_| DAMAGED)?;
        if byte[0] == 0 {
            break;
        }
        head.push(byte[0]);
        if head.len() > 40 {
            return Err(DAMAGED);
        }
    }
    let (kind, size) = parse(&head)?;
    Ok((kind, size, stream))
}

/// Reads a loose object whole.
pub(super) fn read(file: &Path, zlib: &mut Decompressor) -> Result<(Kind, Vec<u8>), Broken> {
    let (kind, size, _) = open(file)?;
    let packed = fs::read(file).map_err(|_| "loose object cannot be opened")?;
    if size > (packed.len() as u64 + 64) * 1040 {
        return Err(DAMAGED);
    }
    let head = head_length(kind, size);
    let total = usize::try_from(size).map_err(|_| DAMAGED)? + head;
    let mut content = vec![0; total];
    match zlib.zlib_decompress(&packed, &mut content) {
        Ok(written) if written == total => Ok((kind, content.split_off(head))),
        _ => Err(DAMAGED),
    }
}

const DAMAGED: Broken = "loose object is damaged";

fn parse(head: &[u8]) -> Result<(Kind, u64), Broken> {
    let text = std::str::from_utf8(head).map_err(|_| DAMAGED)?;
    let (kind, size) = text.split_once(' ').ok_or(DAMAGED)?;
    let kind = match kind {
        "blob" => Kind::Blob,
        "tree" => Kind::Tree,
        "commit" => Kind::Commit,
        "tag" => Kind::Tag,
        _ => return Err("loose object of an unknown type"),
    };
    Ok((kind, size.parse().map_err(|_| DAMAGED)?))
}

/// Length of `blob 12\0`.
fn head_length(kind: Kind, size: u64) -> usize {
    header(kind, size).len()
}

/// What stands in front of the content, and is hashed with it.
pub(super) fn header(kind: Kind, size: u64) -> Vec<u8> {
    let word = match kind {
        Kind::Blob => "blob",
        Kind::Tree => "tree",
        Kind::Commit => "commit",
        Kind::Tag => "tag",
    };
    format!("{word} {size}\0").into_bytes()
}

/// Whether content hashes to the name that it is stored under; the length of the name says which hash.
pub(super) fn has_name(kind: Kind, content: &[u8], name: &[u8]) -> bool {
    use sha2::Digest;
    let head = header(kind, content.len() as u64);
    if name.len() == 20 {
        sha1::Sha1::new().chain_update(&head).chain_update(content).finalize().as_slice() == name
    } else {
        sha2::Sha256::new().chain_update(&head).chain_update(content).finalize().as_slice() == name
    }
}
