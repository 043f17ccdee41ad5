//! Deltas: an object written as copies from another object and inserted bytes (gitformat-pack(5), "Deltified representation").

use super::super::Copied;
use super::Broken;

/// Sizes that a delta declares for its base and its result, and where its instructions start.
pub(super) fn sizes(delta: &[u8]) -> Result<(usize, usize, usize), Broken> {
    let (base, used) = varint(delta)?;
    let (result, more) = varint(&delta[used..])?;
    Ok((base, result, used + more))
}

fn varint(bytes: &[u8]) -> Result<(usize, usize), Broken> {
    let mut value = 0u64;
    for (n, &byte) in bytes.iter().enumerate().take(9) {
        value |= u64::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Ok((usize::try_from(value).map_err(|_| DAMAGED)?, n + 1));
        }
    }
    Err(DAMAGED)
}

const DAMAGED: Broken = "delta is damaged";

/// Bytes that the instructions of a delta give, without making them.
///
/// # Errors
/// Instructions that are cut off or not known.
pub(super) fn given(instructions: &[u8]) -> Result<u64, Broken> {
    let mut rest = instructions;
    let mut given = 0;
    while let Some((&op, after)) = rest.split_first() {
        rest = after;
        if op & 0x80 != 0 {
            given += copy_of(op, &mut rest)?.1 as u64;
        } else {
            rest = rest.get(usize::from(op)..).filter(|_| op != 0).ok_or(DAMAGED)?;
            given += u64::from(op);
        }
    }
    Ok(given)
}

/// Applies the instructions of a delta. `result` must have the declared size; `copied` receives the copies in order of the
/// result, neighbours that continue each other joined.
///
/// # Errors
/// An instruction that reaches outside of base or result, or a result that is not filled.
pub(super) fn apply(
    base: &[u8],
    instructions: &[u8],
    result: &mut [u8],
    copied: &mut Vec<Copied>,
) -> Result<(), Broken> {
    copied.clear();
    let mut rest = instructions;
    let mut to = 0usize;
    while let Some((&op, after)) = rest.split_first() {
        rest = after;
        if op & 0x80 != 0 {
            let (from, length) = copy_of(op, &mut rest)?;
            let source = base.get(from..from.checked_add(length).ok_or(DAMAGED)?).ok_or(DAMAGED)?;
            result.get_mut(to..to + length).ok_or(DAMAGED)?.copy_from_slice(source);
            match copied.last_mut() {
                Some(last) if last.to + last.length == to && last.from + last.length == from => last.length += length,
                _ => copied.push(Copied { from, to, length }),
            }
            to += length;
        } else if op != 0 {
            let length = usize::from(op);
            let source = rest.get(..length).ok_or(DAMAGED)?;
            result.get_mut(to..to + length).ok_or(DAMAGED)?.copy_from_slice(source);
            rest = &rest[length..];
            to += length;
        } else {
            return Err(DAMAGED);
        }
    }
    if to == result.len() { Ok(()) } else { Err(DAMAGED) }
}

fn copy_of(op: u8, rest: &mut &[u8]) -> Result<(usize, usize), Broken> {
    let mut fields = [0u8; 7];
    for (n, field) in fields.iter_mut().enumerate() {
        if op & (1 << n) != 0 {
            let (&byte, after) = rest.split_first().ok_or(DAMAGED)?;
            *field = byte;
            *rest = after;
        }
    }
    let from = u32::from_le_bytes([fields[0], fields[1], fields[2], fields[3]]) as usize;
    let length = u32::from_le_bytes([fields[4], fields[5], fields[6], 0]) as usize;
    Ok((from, if length == 0 { 0x10000 } else { length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_inserts_make_the_result() {
        // base 11 bytes, result 11 bytes: copy 6 at 0, insert "there"
        let mut delta = vec![11, 11, 0b1001_0000, 6, 5];
        delta.extend_from_slice(b"there");
        let (base, result, at) = sizes(&delta).expect("sizes");
        assert_eq!((base, result), (11, 11));
        let (mut out, mut copied) = (vec![0; result], Vec::new());
        apply(b"hello world", &delta[at..], &mut out, &mut copied).expect("applies");
        assert_eq!(out, b"hello there");
        assert_eq!(copied, [Copied { from: 0, to: 0, length: 6 }]);
        assert_eq!(given(&delta[at..]), Ok(11));
    }

    #[test]
    fn instructions_that_reach_outside_are_refused() {
        let mut copied = Vec::new();
        for bad in [&[0x91u8, 9, 9][..], &[5, b'a'], &[0], &[1, b'a'], &[0xff, 1]] {
            assert_eq!(apply(b"0123456789", bad, &mut [0; 4], &mut copied), Err(DAMAGED), "{bad:?}");
            assert_ne!(given(bad), Ok(4), "{bad:?}");
        }
        assert!(sizes(&[0x80; 12]).is_err() && sizes(&[]).is_err());
    }
}
