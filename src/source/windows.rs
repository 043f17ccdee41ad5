//! Content too large for memory, in overlapping windows: each match belongs to the one window that sees it whole.

use std::io::{self, Read};

use super::SpanMap;
use super::text;

/// Bytes of one window.
const SIZE: usize = 8 << 20;
/// Bytes on either side of a window that belong to its neighbour and are there as context: more than any rule reaches.
const MARGIN: usize = 128 << 10;

/// Reads content to its end and hands it on in windows. Gives the number of bytes, or why the content is not text.
///
/// # Errors
/// When reading fails; windows before that were handed on.
pub(super) fn feed(
    content: &mut dyn Read,
    each: &mut dyn FnMut(&[u8], &SpanMap),
) -> io::Result<Result<u64, &'static str>> {
    let mut head = vec![0; text::HEAD];
    let (got, broken) = fill_kept(content, &mut head);
    head.truncate(got);
    let content: &mut dyn Read = &mut Ending { content, broken };
    if memchr::memchr(0, &head).is_none() {
        return cut(&mut head.as_slice().chain(content), each).map(Ok);
    }
    match text::utf16(&head) {
        Some(encoding) => {
            let raw = head.as_slice().chain(content);
            let mut decoded =
                Decoded { raw, decoder: encoding.new_decoder_with_bom_removal(), held: Vec::new(), at: 0, done: false };
            cut(&mut decoded, each).map(Ok)
        }
        None => Ok(Err("binary content")),
    }
}

fn cut(content: &mut dyn Read, each: &mut dyn FnMut(&[u8], &SpanMap)) -> io::Result<u64> {
    let mut buffer = vec![0; SIZE];
    let (mut held, mut offset, mut line, mut column) = (0usize, 0u64, 0u32, 0u64);
    loop {
        let (got, broken) = fill_kept(content, &mut buffer[held..]);
        let full = held + got;
        let last = full < SIZE;
        let own = if offset == 0 { 0 } else { MARGIN }..if last { full } else { full - MARGIN };
        let window = &buffer[..full];
        each(window, &SpanMap::window(offset, line, column, own));
        // What came before the break was handed on.
        if let Some(error) = broken {
            return Err(error);
        }
        if last {
            return Ok(offset + full as u64);
        }
        let keep = full - 2 * MARGIN;
        let gone = &buffer[..keep];
        line += memchr::memchr_iter(b'\n', gone).count() as u32;
        column = match memchr::memrchr(b'\n', gone) {
            Some(newline) => (keep - newline - 1) as u64,
            None => column + keep as u64,
        };
        offset += keep as u64;
        buffer.copy_within(keep..full, 0);
        held = 2 * MARGIN;
    }
}

/// Reads until the buffer is full or the content ends.
pub(super) fn fill(content: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    match fill_kept(content, buffer) {
        (full, None) => Ok(full),
        (_, Some(error)) => Err(error),
    }
}

/// A content of which the beginning was read, and how that ended.
pub(super) struct Ending<'a> {
    pub(super) content: &'a mut dyn Read,
    pub(super) broken: Option<io::Error>,
}

impl Read for Ending<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.broken.take() {
            Some(error) => Err(error),
            None => self.content.read(into),
        }
    }
}

/// The same, with what was read before an error.
pub(super) fn fill_kept(content: &mut dyn Read, buffer: &mut [u8]) -> (usize, Option<io::Error>) {
    let mut full = 0;
    while full < buffer.len() {
        match content.read(&mut buffer[full..]) {
            Ok(0) => break,
            Ok(n) => full += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (full, Some(error)),
        }
    }
    (full, None)
}

/// UTF-16 as UTF-8, piece by piece.
struct Decoded<R> {
    raw: R,
    decoder: encoding_rs::Decoder,
    held: Vec<u8>,
    at: usize,
    done: bool,
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.held.len() && !self.done {
            let mut raw = vec![0; 64 << 10];
            let got = fill(&mut self.raw, &mut raw)?;
            self.done = got < raw.len();
            let most = self.decoder.max_utf8_buffer_length(got).expect("because 64 KiB does not overflow");
            self.held.resize(most, 0);
            let (_, _, written, _) = self.decoder.decode_to_utf8(&raw[..got], &mut self.held, self.done);
            self.held.truncate(written);
            self.at = 0;
        }
        let taken = into.len().min(self.held.len() - self.at);
        into[..taken].copy_from_slice(&self.held[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_own_every_byte_once_and_know_their_lines() {
        let line = b"0123456789abcdef0123456789abcde\n";
        let content: Vec<u8> = line.iter().copied().cycle().take(3 * SIZE + 17).collect();
        let mut next = 0u64;
        let bytes = feed(&mut content.as_slice(), &mut |window, spans| {
            let place = spans.place().expect("a window has a place");
            assert_eq!(place.offset + place.own.start as u64, next, "no gap and no overlap");
            next = place.offset + place.own.end as u64;
            assert_eq!(u64::from(place.line), place.offset / 32);
            assert_eq!(place.column, place.offset % 32);
            assert_eq!(window, &content[place.offset as usize..][..window.len()]);
        });
        assert_eq!(bytes.expect("reads").expect("text"), content.len() as u64);
        assert_eq!(next, content.len() as u64);
    }
}
