//! Changed texts → judged findings.

use std::collections::HashSet;

use rayon::prelude::*;

use super::change::{Added, Change};
use super::judge::{Excuses, Known};
use crate::detect::{Detector, Hit, Match, allowance};
use crate::error::Result;
use crate::finding::{Finding, Judged};
use crate::ledger::Lookup;
use crate::secret::{Fingerprint, Fingerprinter};
use crate::source::{Coverage, as_text};

/// Texts are searched in batches of about this many bytes, so that a change of any size fits into memory.
const BATCH: usize = 8 << 20;

/// Above this size only the surroundings of new lines are searched: every rule whose words stand in the text costs the
/// making of its pattern, so that looking at less text saves half of a gate's time.
const WHOLE: usize = 12 << 10;

/// How far the surroundings of a new line reach: an RSA key of 4096 bits is smaller.
const AROUND: usize = 4 << 10;

/// Looks for credentials in what a change adds.
pub(super) struct Search<'a> {
    detector: &'a Detector,
    fingerprinter: &'a Fingerprinter,
    excuses: &'a Excuses,
    ledger: Option<&'a dyn Lookup>,
    waiting: Vec<Change>,
    size: usize,
    judged: Vec<Judged>,
    seen: HashSet<(Fingerprint, String)>,
    account: Coverage,
}

/// One finding before its verdict.
struct Found {
    finding: Finding,
    value: crate::secret::SecretValue,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        detector: &'a Detector,
        fingerprinter: &'a Fingerprinter,
        excuses: &'a Excuses,
        ledger: Option<&'a dyn Lookup>,
    ) -> Self {
        let (judged, seen) = (Vec::new(), HashSet::new());
        let account = Coverage::default();
        Self { detector, fingerprinter, excuses, ledger, waiting: Vec::new(), size: 0, judged, seen, account }
    }

    /// Takes one changed text.
    pub(super) fn take(&mut self, change: Change) -> Result<()> {
        if self.excuses.policy.excludes(&change.path) {
            self.account.skip(change.path, "left out by the policy");
            return Ok(());
        }
        self.size += change.bytes.len() + change.added.size();
        self.waiting.push(change);
        if self.size >= BATCH { self.search() } else { Ok(()) }
    }

    /// Everything found, what blocks first, and the account of it.
    pub(super) fn finish(mut self, coverage: &mut Coverage) -> Result<Vec<Judged>> {
        self.search()?;
        coverage.absorb(self.account);
        self.judged.sort_by_key(|one| (!one.blocks, one.verdict));
        Ok(self.judged)
    }

    fn search(&mut self) -> Result<()> {
        self.size = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let one = |change: &Change| found(self.detector, self.fingerprinter, change);
        let all: Vec<_> =
            if waiting.len() > 1 { waiting.par_iter().map(one).collect() } else { waiting.iter().map(one).collect() };
        for (change, found) in waiting.into_iter().zip(all) {
            match found {
                Err(why) => self.account.skip(change.path, why),
                Ok(found) => {
                    self.account.documents += 1;
                    self.account.bytes += change.bytes.len() as u64;
                    found.into_iter().try_for_each(|found| self.judge(&change, found))?;
                }
            }
        }
        Ok(())
    }

    fn judge(&mut self, change: &Change, found: Found) -> Result<()> {
        let Found { mut finding, value } = found;
        // The first commit that brings a value into a file stands for all that touch its line later.
        if !self.seen.insert((finding.fingerprint, change.path.clone())) {
            return Ok(());
        }
        let entry = match self.ledger {
            Some(ledger) => ledger.find(&finding.fingerprint, value.expose())?,
            None => None,
        };
        let said = self.excuses.judge(&finding, &Known { path: &change.path, entry: entry.as_ref() });
        finding.waived = said.waived;
        let title = self.detector.rules().name(&finding.rule).unwrap_or(&finding.kind).to_owned();
        self.judged.push(Judged {
            verdict: said.verdict,
            blocks: self.excuses.blocks(said.verdict),
            title,
            path: change.path.clone(),
            commit: change.by.as_ref().map(|by| by.commit.clone()),
            author: change.by.as_ref().map(|by| by.author.clone()),
            owner: entry.map(|entry| entry.owner).filter(|owner| !owner.is_empty()),
            why: said.why,
            finding,
        });
        Ok(())
    }
}

/// Findings on new lines of one text; an error says why it is not text.
fn found(detector: &Detector, fingerprinter: &Fingerprinter, change: &Change) -> Result<Vec<Found>, &'static str> {
    let text = as_text(&change.bytes)?;
    let mut all = Vec::new();
    for window in windows(&text, &change.added) {
        let part = &text[window.clone()];
        let mut matches: Vec<Match> = Vec::new();
        detector.scan(part, Some(&change.path), &mut matches);
        if matches.is_empty() {
            continue;
        }
        let added =
            change.added.by_lines(&change.bytes).map_err(|_| "it cannot be compared with what was before it")?;
        let before = count(&text[..window.start]);
        for found in matches {
            let (first, last) =
                (before + line(part, found.span.start), before + line(part, found.span.end.saturating_sub(1)));
            if !added.touches(first, last) {
                continue;
            }
            let columns = (column(part, found.span.start), column(part, found.span.end));
            let value = found.secret.clone();
            let lines = (first + change.offset, last + change.offset);
            let allowance = allowance(part, &found.span);
            let hit = Hit { provenance: change.provenance.clone(), lines, columns, found, allowance };
            all.push(Found { finding: Finding::of(&hit, fingerprinter), value });
        }
    }
    Ok(all)
}

/// The parts of a text that are searched: all of it, or in a large text the surroundings of new lines.
fn windows(text: &[u8], added: &Added) -> Vec<std::ops::Range<usize>> {
    let lines = match added {
        Added::Lines(lines) if text.len() > WHOLE => lines,
        Added::Since(before) if text.len() > WHOLE => {
            let between = between(before, text);
            return vec![between.start.saturating_sub(AROUND)..(between.end + AROUND).min(text.len()); 1];
        }
        _ => return vec![0..text.len(); 1],
    };
    let mut starts = vec![0];
    starts.extend(memchr::memchr_iter(b'\n', text).map(|at| at + 1));
    let start_of = |line: usize| starts.get(line).copied().unwrap_or(text.len());
    let mut windows: Vec<std::ops::Range<usize>> = Vec::new();
    for range in lines {
        let from = start_of(*range.start() as usize - 1).saturating_sub(AROUND);
        let to = (start_of(*range.end() as usize) + AROUND).min(text.len());
        match windows.last_mut() {
            Some(last) if from <= last.end => last.end = to,
            _ => windows.push(from..to),
        }
    }
    windows
}

/// From the first to the last byte in which a text differs from the one before it.
fn between(before: &[u8], text: &[u8]) -> std::ops::Range<usize> {
    let same = |pairs: &mut dyn Iterator<Item = (&u8, &u8)>| pairs.take_while(|(one, other)| one == other).count();
    let start = same(&mut before.iter().zip(text));
    let end = same(&mut before[start..].iter().rev().zip(text[start..].iter().rev()));
    start..text.len() - end
}

fn count(text: &[u8]) -> u32 {
    u32::try_from(memchr::memchr_iter(b'\n', text).count()).unwrap_or(u32::MAX)
}

/// Line of an offset, from 1.
fn line(text: &[u8], offset: usize) -> u32 {
    count(&text[..offset.min(text.len())]).saturating_add(1)
}

/// Column of an offset in bytes, from 0.
fn column(text: &[u8], offset: usize) -> u32 {
    let start = memchr::memrchr(b'\n', &text[..offset]).map_or(0, |at| at + 1);
    u32::try_from(offset - start).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_text_is_searched_around_its_new_lines() {
        let text = "0123456789abcde\n".repeat(4000).into_bytes();
        assert_eq!(windows(&text, &Added::All).first(), Some(&(0..text.len())));
        assert_eq!(windows(&text[..1600], &Added::Lines(vec![3..=3])).first(), Some(&(0..1600)));
        let lines = Added::Lines(vec![1..=2, 100..=100, 2000..=2001, 4000..=4000]);
        let expected = [0..16 * 100 + AROUND, 16 * 1999 - AROUND..16 * 2001 + AROUND, 16 * 3999 - AROUND..text.len()];
        assert_eq!(windows(&text, &lines), expected);
    }
}
