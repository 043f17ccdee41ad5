//! Reads the sources of a case again: to have found values at hand for a probe, and to see what still stands in the text.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::Values;
use crate::audit::Log;
use crate::case::{Findings, Request};
use crate::config::Config;
use crate::detect;
use crate::error::Result;
use crate::finding::{self, Credential, Finding};
use crate::rotation::Systems;
use crate::secret::{Fingerprint, Fingerprinter, SecretValue};
use crate::source::{Coverage, Document, OpenOptions, Progress, Provenance, Sink, Source};

/// What a second scan found.
pub(super) struct Again {
    pub(super) values: Values,
    credentials: Vec<Credential>,
    pub(super) partial: bool,
    sources: Vec<Box<dyn Source>>,
    typed: Vec<(String, String)>,
    fingerprinter: Fingerprinter,
}

/// Scans the case's sources with the rules and with what the stores hold now.
pub(super) fn found(
    request: &Request,
    systems: &Systems,
    config: &Config,
    fingerprinter: &Fingerprinter,
    log: &Log,
) -> Result<Again> {
    let sources = sources(request)?;
    let detector = super::detector(systems, config, log, fingerprinter)?;
    let (hits, coverage) = detect::run(&detector, &sources, &Progress::default(), None)?;
    let credentials = finding::collect(hits, fingerprinter);
    let values = credentials.iter().map(|c| (c.fingerprint, c.value.clone())).collect();
    let partial = coverage.iter().any(Coverage::is_partial);
    Ok(Again { values, credentials, partial, sources, typed: typed(request), fingerprinter: fingerprinter.clone() })
}

fn sources(request: &Request) -> Result<Vec<Box<dyn Source>>> {
    let options = OpenOptions {
        take_for: request.take_for.clone(),
        map: request.map.clone(),
        history: request.history,
        work_tree: request.work_tree,
        ..OpenOptions::default()
    };
    super::open(&request.paths, &options)
}

/// Each absolute path with the form in which it was typed: the sweep named its places by that.
fn typed(request: &Request) -> Vec<(String, String)> {
    let shown = |path: &std::path::PathBuf| path.display().to_string();
    request.paths.iter().zip(&request.typed).map(|(path, typed)| (shown(path), shown(typed))).collect()
}

/// The wanted values, from the places where the sweep found them: no rule is asked and no store is read. `None` when one of
/// them does not stand there as it is any more.
pub(super) fn at_known_places(
    request: &Request,
    known: &Findings,
    wanted: &HashSet<Fingerprint>,
    fingerprinter: &Fingerprinter,
) -> Result<Option<Values>> {
    let mut watched: HashMap<String, Vec<&Finding>> = HashMap::new();
    let records = known.credentials.iter().filter(|record| wanted.contains(&record.fingerprint));
    for place in records.flat_map(|record| &record.findings) {
        watched.entry(place.finding.location.provenance.to_string()).or_default().push(&place.finding);
    }
    let typed = typed(request);
    let watch = Watch { watched: &watched, fingerprinter, typed: &typed, seen: Mutex::default() };
    for source in &sources(request)? {
        source.read(&watch, &Progress::default())?;
    }
    let seen = watch.seen.into_inner().expect("because no thread panics with the lock held");
    let values: Values = seen.into_iter().filter_map(|((_, fingerprint), value)| Some((fingerprint, value?))).collect();
    Ok((values.len() == wanted.len()).then_some(values))
}

impl Again {
    /// Number of places where each known value still stands. A value that no rule knows and no store keeps any more is
    /// looked for at its known places, by fingerprint, and is at hand for a probe from then on.
    pub(super) fn places(&mut self, known: &Findings) -> HashMap<Fingerprint, usize> {
        let mut counts: HashMap<Fingerprint, usize> =
            self.credentials.iter().map(|c| (c.fingerprint, c.findings.len())).collect();
        let gone = known.credentials.iter().filter(|record| !counts.contains_key(&record.fingerprint));
        let mut watched: HashMap<String, Vec<&Finding>> = HashMap::new();
        for place in gone.flat_map(|record| &record.findings) {
            watched.entry(place.finding.location.provenance.to_string()).or_default().push(&place.finding);
        }
        if !watched.is_empty() {
            let (fingerprinter, typed) = (&self.fingerprinter, &self.typed);
            let watch = Watch { watched: &watched, fingerprinter, typed, seen: Mutex::default() };
            for source in &self.sources {
                // What cannot be read now was counted as partial by the scan before.
                let _ = source.read(&watch, &Progress::default());
            }
            let seen = watch.seen.into_inner().expect("because no thread panics with the lock held");
            for ((_, fingerprint), value) in seen {
                *counts.entry(fingerprint).or_default() += 1;
                if let Some(value) = value {
                    self.values.insert(fingerprint, value);
                }
            }
        }
        counts
    }
}

/// Looks at known places only.
struct Watch<'a> {
    watched: &'a HashMap<String, Vec<&'a Finding>>,
    fingerprinter: &'a Fingerprinter,
    typed: &'a [(String, String)],
    /// Places that still have text, with the value where it stands there as it is.
    seen: Mutex<HashMap<(String, Fingerprint), Option<SecretValue>>>,
}

impl Sink for Watch<'_> {
    fn document(&self, document: &Document<'_>) {
        let name = Provenance::to_string(document.provenance);
        let as_typed = |(path, typed): &(String, String)| Some(format!("{typed}{}", name.strip_prefix(path.as_str())?));
        let name = self.typed.iter().find_map(as_typed).unwrap_or(name);
        for finding in self.watched.get(&name).into_iter().flatten() {
            let text = at(document, finding.location.lines, finding.location.columns);
            let plain = text.is_some_and(|text| self.fingerprinter.fingerprint(text) == finding.fingerprint);
            // An encoded value cannot be compared by its fingerprint: a place that still has text there counts. Of a record whose
            // positions cannot be led back into its decoded text, the record itself is that place.
            let still = text.is_some() || document.spans.is_some() && !document.bytes.is_empty();
            if plain || still && !finding.encodings.is_empty() {
                let place = format!("{name}:{}:{}", finding.location.lines.0, finding.location.columns.0);
                let value = text.filter(|_| plain).map(SecretValue::new);
                let mut seen = self.seen.lock().expect("because no thread panics with the lock held");
                seen.insert((place, finding.fingerprint), value);
            }
        }
    }
}

/// The bytes at a finding's position. In decoded text the position is that of the raw file, where the decoder knew it; there it is led
/// back by halving, because raw positions ascend with the text.
fn at<'d>(document: &Document<'d>, lines: (u32, u32), columns: (u32, u32)) -> Option<&'d [u8]> {
    let Some(spans) = document.spans.filter(|spans| spans.raw_line(0).is_some()) else {
        return slice(document.bytes, lines, columns);
    };
    let first = |wanted: (u32, u32)| {
        let (mut from, mut to) = (0, document.bytes.len());
        while from < to {
            let middle = from.midpoint(to);
            let before = spans.raw_line(middle).is_some_and(|(line, column)| (line + 1, column) < wanted);
            (from, to) = if before { (middle + 1, to) } else { (from, middle) };
        }
        from
    };
    document.bytes.get(first((lines.0, columns.0))..first((lines.1, columns.1)))
}

/// The bytes between two positions, if the document still reaches that far.
fn slice(bytes: &[u8], lines: (u32, u32), columns: (u32, u32)) -> Option<&[u8]> {
    let line = |number: u32| {
        let before = number.checked_sub(2).map(|n| n as usize);
        match before {
            None => Some(0),
            Some(n) => memchr::memchr_iter(b'\n', bytes).nth(n).map(|at| at + 1),
        }
    };
    bytes.get(line(lines.0)? + columns.0 as usize..line(lines.1)? + columns.1 as usize)
}

#[cfg(test)]
mod tests {
    use super::slice;

    #[test]
    fn positions_lead_back_to_the_text() {
        assert_eq!(slice(b"ab\ncdef\ng", (2, 2), (1, 3)), Some(&b"de"[..]));
        assert_eq!(slice(b"abc", (1, 1), (0, 3)), Some(&b"abc"[..]));
        assert_eq!(slice(b"ab", (3, 3), (0, 1)), None);
        assert_eq!(slice(b"ab\nc\n", (1, 2), (1, 1)), Some(&b"b\nc"[..]));
    }
}
