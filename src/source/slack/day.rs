//! The messages of one channel and day, from a stream: those in which nothing is found are not parsed.

use std::io::Read;
use std::ops::Range;

use super::super::bundle::Bundle;
use super::super::{Coverage, Document, Provenance, Sink, SpanMap, encoded, windows};
use super::directory::Directory;
use super::glance::{Messages, locate};
use super::message::Day;
use super::{SlackExport, parts, workspace};

/// Bytes without any message that are searched as one document.
const REST: u64 = 16 << 20;

impl SlackExport {
    /// One day of one channel.
    pub(super) fn day(
        &self,
        bundle: &Bundle,
        directory: &Directory,
        name: &str,
        sink: &dyn Sink,
        coverage: &mut Coverage,
    ) {
        coverage.raw_bytes += bundle.size(name);
        let read = bundle.with(name, &mut |read| {
            self.messages(read, directory, name, sink, coverage);
            Ok(())
        });
        if let Err(why) = read {
            coverage.fail(name, why);
        }
    }

    /// The messages of a stream.
    pub(super) fn messages(
        &self,
        read: &mut dyn Read,
        directory: &Directory,
        name: &str,
        sink: &dyn Sink,
        coverage: &mut Coverage,
    ) {
        let mut messages = Messages::new(read);
        let read = (|| {
            let first = messages.first()?;
            let day = Day {
                directory,
                folder: name.rsplit_once('/').map_or("", |pair| pair.0),
                workspace: workspace(first).or_else(|| directory.workspace(parts::workspace_of(name))),
            };
            let shown = self.shown(name);
            loop {
                match messages.next() {
                    Ok(Some(one)) => self.message(&day, (name, &shown), &messages, one, sink, coverage),
                    Ok(None) => return Ok(()),
                    // Cut-off JSON is still text: better without an author than not at all.
                    Err(_) => {
                        coverage.fail(name, "not a JSON list, searched without authors");
                        return self.rest(name, &mut messages, sink, coverage);
                    }
                }
            }
        })();
        if let Err(why) = read {
            coverage.fail(name, why);
        }
    }

    fn message(
        &self,
        day: &Day<'_>,
        (name, shown): (&str, &str),
        messages: &Messages<'_>,
        (number, place): (usize, Range<usize>),
        sink: &dyn Sink,
        coverage: &mut Coverage,
    ) {
        let raw = messages.bytes(place.clone());
        let text = messages.glance().and_then(|glance| glance.text());
        if let Some(text) = text.filter(|text| !worth(text, shown, sink)) {
            if !text.trim().is_empty() {
                coverage.documents += 1;
                coverage.bytes += text.len() as u64;
            }
            return;
        }
        let Ok(message) = serde_json::from_slice(raw).or_else(|_| serde_json::from_str(&String::from_utf8_lossy(raw)))
        else {
            coverage.fail(name, "not a JSON list, searched without authors");
            return self.plain(name, raw, sink, coverage);
        };
        let lead = format!("/{number}");
        for piece in day.items(&message, &lead) {
            // A string of JSON stands in one line.
            let path = piece.0.pointer.as_deref().and_then(|pointer| pointer.strip_prefix(&lead)).unwrap_or_default();
            let (line, column) = messages.line(place.start + locate(raw, path));
            let mut spans = SpanMap::default();
            spans.line(0, line, column);
            self.hand(name, piece, Some(&spans), sink, coverage);
        }
    }

    fn rest(
        &self,
        name: &str,
        messages: &mut Messages<'_>,
        sink: &dyn Sink,
        coverage: &mut Coverage,
    ) -> Result<(), String> {
        let (mut rest, (offset, line, column)) = messages.rest();
        let mut raw = Vec::new();
        (&mut rest).take(REST).read_to_end(&mut raw).map_err(|error| error.to_string())?;
        let provenance = Provenance::File { path: self.shown(name), inside: Vec::new() };
        let mut hand = |bytes: &[u8], spans: &SpanMap| {
            sink.document(&Document { bytes, provenance: &provenance, spans: Some(spans) });
        };
        coverage.documents += u64::from(!raw.is_empty());
        if (raw.len() as u64) < REST {
            if raw.is_empty() {
                return Ok(());
            }
            coverage.bytes += raw.len() as u64;
            hand(&raw, &SpanMap::window(offset, line, column, 0..raw.len()));
            return Ok(());
        }
        let fed = windows::feed(&mut raw.as_slice().chain(rest), &mut hand).map_err(|error| error.to_string())?;
        match fed {
            Ok(bytes) => coverage.bytes += bytes,
            Err(why) => coverage.skip(name, why),
        }
        Ok(())
    }
}

/// Whether a text gives anything as it stands, or may in what it holds in an encoding.
fn worth(text: &str, path: &str, sink: &dyn Sink) -> bool {
    sink.finds(text.as_bytes(), path) || !encoded::whole(text.as_bytes()).is_empty()
}
