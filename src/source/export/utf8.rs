//! Any encoding that a file announces, as UTF-8.

use std::io::{self, Read};

use encoding_rs::{Encoding, UTF_8};

/// Reads as UTF-8 what begins with a mark of UTF-16 or names its encoding in an XML declaration.
pub(super) struct Utf8<R> {
    raw: R,
    decoder: Option<encoding_rs::Decoder>,
    held: Vec<u8>,
    at: usize,
    done: bool,
}

/// The encoding that the first bytes announce; `None` for UTF-8 and everything that keeps ASCII.
pub(super) fn announced(head: &[u8]) -> Option<&'static Encoding> {
    if let Some(encoding) = super::super::text::utf16(head) {
        return Some(encoding);
    }
    let head = String::from_utf8_lossy(&head[..head.len().min(200)]);
    let declaration = head.trim_start().strip_prefix("<?xml")?.split("?>").next()?.to_owned();
    let label = super::text::html::attribute(&format!("x {declaration}"), "encoding")?;
    Encoding::for_label(label.as_bytes()).filter(|encoding| *encoding != UTF_8)
}

impl<R: Read> Utf8<R> {
    pub(super) fn new(raw: R, encoding: Option<&'static Encoding>) -> Self {
        Self {
            raw,
            decoder: encoding.map(Encoding::new_decoder_with_bom_removal),
            held: Vec::new(),
            at: 0,
            done: false,
        }
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let Some(decoder) = self.decoder.as_mut() else { return self.raw.read(into) };
        while self.at == self.held.len() && !self.done {
            let mut raw = vec![0; 64 << 10];
            let got = self.raw.read(&mut raw)?;
            self.done = got == 0;
            let most = decoder.max_utf8_buffer_length(got).expect("because 64 KiB does not overflow");
            self.held.resize(most, 0);
            let (_, _, written, _) = decoder.decode_to_utf8(&raw[..got], &mut self.held, self.done);
            self.held.truncate(written);
            self.at = 0;
        }
        let taken = into.len().min(self.held.len() - self.at);
        into[..taken].copy_from_slice(&self.held[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}
