//! All sources through one detector.

use std::any::Any;
use std::sync::Mutex;

use super::allow::{Allowance, allowance};
use super::engine::Carried;
use super::{Detector, Match};
use crate::error::Result;
use crate::source::{Coverage, Document, Edit, Place, Progress, Provenance, Sink, Source};

/// A match with its place.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The document.
    pub provenance: Provenance,
    /// First and last line, from 1.
    pub lines: (u32, u32),
    /// Columns in bytes: start in the first line from 0, end (exclusive) in the last line.
    pub columns: (u32, u32),
    /// The match.
    pub found: Match,
    /// What a comment beside it allows.
    pub allowance: Option<Allowance>,
}

/// Reads every source through the detector. The order of hits is that of the sources, inside a source that of places.
///
/// # Errors
/// When a source cannot be read at all.
pub fn run(
    detector: &Detector,
    sources: &[Box<dyn Source>],
    progress: &Progress,
    threads: Option<usize>,
) -> Result<(Vec<Hit>, Vec<Coverage>)> {
    let read = || {
        let mut hits = Vec::new();
        let mut coverage = Vec::new();
        for source in sources {
            let sink = Collector { detector, hits: Mutex::new(Vec::new()) };
            coverage.push(source.read(&sink, progress)?);
            let mut found = sink.hits.into_inner().expect("because no thread panics with the lock held");
            found.sort_by_cached_key(place);
            hits.append(&mut found);
        }
        Ok((hits, coverage))
    };
    match threads {
        None => read(),
        Some(threads) => rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|cause| crate::error::Error::internal("threads cannot be started").because(cause))?
            .install(read),
    }
}

fn place(hit: &Hit) -> (String, (u32, u32), (u32, u32)) {
    (hit.provenance.to_string(), hit.lines, hit.columns)
}

struct Collector<'a> {
    detector: &'a Detector,
    hits: Mutex<Vec<Hit>>,
}

impl Sink for Collector<'_> {
    fn document(&self, document: &Document<'_>) {
        let mut found = Vec::new();
        self.detector.scan(document.bytes, path(document), &mut found);
        self.take(document, found);
    }

    fn revision(&self, document: &Document<'_>, edit: Option<Edit<'_>>) -> Option<Box<dyn Any + Send>> {
        let mut found = Vec::new();
        let base = edit.and_then(|edit| Some((edit.base.downcast_ref::<Carried>()?, edit.copied)));
        let carried = self.detector.revise(document.bytes, base, path(document), &mut found);
        self.take(document, found);
        Some(Box::new(carried))
    }

    fn wants(&self, raw: &[u8]) -> bool {
        self.detector.wants(raw)
    }

    fn finds(&self, text: &[u8], path: &str) -> bool {
        let mut found = Vec::new();
        self.detector.scan(text, Some(path), &mut found);
        !found.is_empty()
    }
}

/// Path of a document, where it has one of its own.
fn path<'a>(document: &Document<'a>) -> Option<&'a str> {
    match document.provenance {
        Provenance::File { path, .. } | Provenance::Export { path, .. } => Some(path.as_str()),
        // A member of an archive has a name of its own.
        Provenance::Git { inside, .. } => inside.last().map(String::as_str),
        _ => None,
    }
}

impl Collector<'_> {
    fn take(&self, document: &Document<'_>, mut found: Vec<Match>) {
        let place = document.spans.and_then(|spans| spans.place());
        if let Some(own) = document.spans.and_then(|spans| spans.own()) {
            found.retain(|found| own.contains(&found.span.start));
        }
        if found.is_empty() {
            return;
        }
        let mut lines = Lines::new(document.bytes);
        let hits = found.into_iter().map(|found| {
            let record = document.spans.and_then(|spans| spans.record_line());
            let mut locate = |offset: usize| {
                let (line, column) = lines.locate(offset);
                record.map_or_else(|| shifted(place, line, column), |record| (record + 1, column))
            };
            // The end is that of the last byte, which may stand in another raw line than what comes behind it.
            let raw = |offset: usize| document.spans?.raw_line(offset).map(|(line, column)| (line + 1, column));
            let last = found.span.end.saturating_sub(1).max(found.span.start);
            let in_record = document.spans.and_then(|spans| spans.in_record(document.bytes, found.span.clone()));
            let (first, last, start, end) = match in_record {
                Some(((first, start), (last, end))) => (first + 1, last + 1, start, end),
                None => {
                    let (first, start) = raw(found.span.start).unwrap_or_else(|| locate(found.span.start));
                    let (last, end) =
                        raw(last).map(|(line, column)| (line, column + 1)).unwrap_or_else(|| locate(found.span.end));
                    (first, last, start, end)
                }
            };
            let allowance = allowance(document.bytes, &found.span);
            Hit {
                provenance: document.provenance.clone(),
                lines: (first, last),
                columns: (start, end),
                found,
                allowance,
            }
        });
        let hits: Vec<Hit> = hits.collect();
        self.hits.lock().expect("because no thread panics with the lock held").extend(hits);
    }
}

/// A line and column of a window as those of the whole content.
fn shifted(place: Option<&Place>, line: u32, column: u32) -> (u32, u32) {
    match place {
        None => (line, column),
        Some(place) if line == 1 => {
            (place.line + 1, column.saturating_add(u32::try_from(place.column).unwrap_or(u32::MAX)))
        }
        Some(place) => (place.line + line, column),
    }
}

/// Turns offsets into lines and columns; offsets usually ascend, so counting goes on from the last one.
struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u32,
    line_start: usize,
}

impl<'a> Lines<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0, line: 1, line_start: 0 }
    }

    fn locate(&mut self, offset: usize) -> (u32, u32) {
        if offset < self.offset {
            *self = Self::new(self.bytes);
        }
        for newline in memchr::memchr_iter(b'\n', &self.bytes[self.offset..offset]) {
            self.line += 1;
            self.line_start = self.offset + newline + 1;
        }
        self.offset = offset;
        (self.line, (offset - self.line_start) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_become_lines_and_columns() {
        let mut lines = Lines::new(b"ab\ncd\n\nef");
        assert_eq!(lines.locate(1), (1, 1));
        assert_eq!(lines.locate(4), (2, 1));
        assert_eq!(lines.locate(8), (4, 1));
        assert_eq!(lines.locate(0), (1, 0));
    }
}
