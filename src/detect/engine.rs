//! From keywords to matches, for whole documents and for documents made from one that was scanned before.
//!
//! Every answer is local: what a route says about one keyword depends on the bytes in a window around that keyword, and on
//! nothing else. So when a document repeats a window of its base byte for byte, the answer is carried over, and only
//! windows that touch new bytes are looked at. The result is the same as that of a scan of the whole document; a property
//! test compares the two.

use std::iter::Peekable;
use std::ops::Range;
use std::sync::Arc;

use super::Match;
use super::prefilter::{Occurrence, Prefilter};
use crate::source::Copied;

/// What is done at a keyword. A route is a rule, or a reader of some generic shape.
pub(super) trait Routes {
    /// Bytes before and after a keyword that the route looks at.
    fn window(&self, route: u16) -> (usize, usize);

    /// Adds what the route finds in a window; spans are offsets in the window. `edges` says whether the window starts and
    /// ends where the document does.
    fn probe(&self, route: u16, window: &[u8], keyword: Range<usize>, edges: (bool, bool), out: &mut Vec<Match>);
}

/// What a scan knows of a document, for the documents made from it.
#[derive(Default)]
pub(super) struct Carried {
    /// Every keyword, sorted.
    occurrences: Vec<Occurrence>,
    pub(super) finds: Vec<Find>,
    /// Bytes that were searched for keywords.
    pub(super) scanned: usize,
}

/// An answer of a route.
pub(super) struct Find {
    /// The keyword and the route that gave it: the order in which a scan of the whole document finds things.
    by: (Occurrence, u16),
    /// Start and end of the window that it depends on; they may lie outside of the document.
    window: (i64, i64),
    /// Offset that the span of the match counts from.
    offset: usize,
    found: Arc<Match>,
}

impl Find {
    /// The match with its place in the document.
    pub(super) fn place(&self) -> Match {
        let mut found = Match::clone(&self.found);
        found.span = found.span.start + self.offset..found.span.end + self.offset;
        found
    }
}

/// Scans a document, all of it.
pub(super) fn whole(filter: &Prefilter, routes: &impl Routes, bytes: &[u8]) -> Carried {
    let mut carried = Carried { scanned: bytes.len(), ..Carried::default() };
    filter.occurrences(bytes, 0..bytes.len(), &mut |one| carried.occurrences.push(one));
    carried.occurrences.sort_unstable();
    let mut scratch = Vec::new();
    for &one in &carried.occurrences {
        let keyword = &filter.keywords[usize::from(one.keyword)];
        for &route in &keyword.routes {
            probe(routes, route, bytes, one, keyword.text.len(), &mut scratch, &mut carried.finds);
        }
    }
    carried
}

/// Scans a document made from one that was scanned: `copied` are the runs of the base that it repeats, in order.
pub(super) fn revision(
    filter: &Prefilter,
    routes: &impl Routes,
    bytes: &[u8],
    base: &Carried,
    copied: &[Copied],
) -> Carried {
    let mut carried = Carried::default();
    carried.occurrences.reserve(base.occurrences.len() + 16);
    let mut new = Vec::new();
    carried.scanned = new_keywords(filter, bytes, copied, &mut new);
    new.sort_unstable();
    old_keywords(filter, base, copied, new.into_iter().peekable(), &mut carried.occurrences);
    old_finds(base, copied, &mut carried.finds);
    let mut scratch = Vec::new();
    let mut runs = copied.iter().peekable();
    for &one in &carried.occurrences {
        let keyword = &filter.keywords[usize::from(one.keyword)];
        let (start, end) = (one.at as usize, one.at as usize + keyword.text.len());
        while runs.next_if(|run| run.to + run.length < end).is_some() {}
        // The only run that can hold the keyword's windows, if any does.
        let run = runs.peek().filter(|run| run.to <= start).map(|run| (run.to as i64, (run.to + run.length) as i64));
        let widest = *keyword.widest.get_or_init(|| {
            let all = keyword.routes.iter().map(|route| routes.window(*route));
            all.fold((0, 0), |a, b| (a.0.max(b.0), a.1.max(b.1)))
        });
        if run.is_some_and(|run| start as i64 - widest.0 as i64 >= run.0 && (end + widest.1) as i64 <= run.1) {
            continue;
        }
        for &route in &keyword.routes {
            let (back, forward) = routes.window(route);
            let (from, to) = (start as i64 - back as i64, (end + forward) as i64);
            if run.is_none_or(|run| from < run.0 || to > run.1) {
                probe(routes, route, bytes, one, keyword.text.len(), &mut scratch, &mut carried.finds);
            }
        }
    }
    // Of equals the first one counts, so the order must not depend on what was carried over.
    carried.finds.sort_by_key(|find| find.by);
    carried
}

/// Asks one route about one keyword.
fn probe(
    routes: &impl Routes,
    route: u16,
    bytes: &[u8],
    one: Occurrence,
    length: usize,
    scratch: &mut Vec<Match>,
    finds: &mut Vec<Find>,
) {
    let (back, forward) = routes.window(route);
    let at = one.at as usize;
    let (start, end) = (at.saturating_sub(back), (at + length + forward).min(bytes.len()));
    let edges = (start == 0, end == bytes.len());
    routes.probe(route, &bytes[start..end], at - start..at - start + length, edges, scratch);
    let window = (at as i64 - back as i64, (at + length + forward) as i64);
    finds.extend(scratch.drain(..).map(|found| Find {
        by: (one, route),
        window,
        offset: start,
        found: Arc::new(found),
    }));
}

/// Keywords that touch inserted bytes or a seam between two runs. Gives the number of bytes searched.
fn new_keywords(filter: &Prefilter, bytes: &[u8], copied: &[Copied], into: &mut Vec<Occurrence>) -> usize {
    let margin = filter.longest.saturating_sub(1);
    let mut zone = 0..0;
    let mut before = 0;
    let mut scanned = 0;
    let mut scan = |zone: Range<usize>| {
        scanned += zone.len();
        if !zone.is_empty() {
            filter.occurrences(bytes, zone, &mut |one| into.push(one));
        }
    };
    let ends = copied.iter().map(|run| (run.to, run.to + run.length)).chain([(bytes.len(), bytes.len())]);
    for (start, end) in ends {
        // From the end of the last run to the start of this one.
        let next = before.max(margin) - margin..(start + margin).min(bytes.len());
        // Where a document starts or ends with a run, keywords there lie in the run.
        let seam = !(start == 0 || before == bytes.len());
        if seam && next.start <= zone.end {
            zone.end = zone.end.max(next.end);
        } else if seam {
            scan(std::mem::replace(&mut zone, next));
        }
        before = end;
    }
    scan(zone);
    scanned
}

/// Keywords that lie in a run, from where they are in the base, merged with the new ones, which are sorted.
fn old_keywords(
    filter: &Prefilter,
    base: &Carried,
    copied: &[Copied],
    mut new: Peekable<impl Iterator<Item = Occurrence>>,
    into: &mut Vec<Occurrence>,
) {
    let all = &base.occurrences;
    let mut at = 0;
    for run in copied {
        let end = run.from + run.length;
        at = seek(all, at, run.from);
        while let Some(one) = all.get(at).filter(|one| (one.at as usize) < end) {
            if one.at as usize + filter.keywords[usize::from(one.keyword)].text.len() <= end {
                let old = Occurrence { at: (one.at as usize - run.from + run.to) as u32, keyword: one.keyword };
                while let Some(one) = new.next_if(|one| *one <= old) {
                    if one != old {
                        push(into, one);
                    }
                }
                push(into, old);
            }
            at += 1;
        }
    }
    new.for_each(|one| push(into, one));
}

/// Two zones may overlap and see a keyword twice.
fn push(into: &mut Vec<Occurrence>, one: Occurrence) {
    if into.last() != Some(&one) {
        into.push(one);
    }
}

/// The first keyword at an offset or behind it, in steps that double from a guess: runs mostly follow each other.
fn seek(all: &[Occurrence], guess: usize, offset: usize) -> usize {
    let before = |one: &Occurrence| (one.at as usize) < offset;
    if guess > 0 && !all.get(guess - 1).is_none_or(before) {
        return all[..guess].partition_point(before);
    }
    let (mut low, mut step) = (guess, 1);
    while all.get(low + step).is_some_and(before) {
        low += step;
        step *= 2;
    }
    let high = (low + step).min(all.len());
    low + all[low..high].partition_point(before)
}

/// Finds whose whole window lies in a run.
fn old_finds(base: &Carried, copied: &[Copied], into: &mut Vec<Find>) {
    for find in &base.finds {
        for run in copied {
            let (from, to) = (run.from as i64, (run.from + run.length) as i64);
            if from <= find.window.0 && find.window.1 <= to {
                let shift = run.to as i64 - from;
                let (one, route) = find.by;
                into.push(Find {
                    by: (Occurrence { at: (i64::from(one.at) + shift) as u32, ..one }, route),
                    window: (find.window.0 + shift, find.window.1 + shift),
                    offset: (find.offset as i64 + shift) as usize,
                    found: Arc::clone(&find.found),
                });
            }
        }
    }
}
