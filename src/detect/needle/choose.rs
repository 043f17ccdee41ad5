//! Which six letters or digits of a needle are its anchors.

use zeroize::Zeroize;

use super::form::{ANCHOR, Form};
use super::index::{class, mix, scale};
use super::letters::codes;

/// Anchors of one form that are weighed.
const WEIGHED: usize = 32;
/// Needles of which every anchor is counted; then only one in [`RARELY`] is.
const COUNTED: usize = 1 << 15;
const RARELY: usize = 32;

/// Chooses anchors of one needle after the other.
pub(super) struct Chooser {
    /// How often a key was chosen, roughly: what many needles share makes a poor anchor. Small enough to stay near the processor.
    crowd: Vec<u8>,
    /// Needles so far.
    seen: usize,
    /// A needle in one form.
    bytes: Vec<u8>,
    /// What was chosen for this needle.
    chosen: Vec<u64>,
}

impl Drop for Chooser {
    fn drop(&mut self) {
        self.bytes.zeroize();
        self.chosen.zeroize();
    }
}

impl Chooser {
    pub(super) fn new(needles: usize) -> Self {
        let crowd = vec![0; (needles * 8).next_power_of_two().clamp(1 << 10, 8 * COUNTED)];
        Self { crowd, seen: 0, bytes: Vec::new(), chosen: Vec::new() }
    }

    /// Gives the number of each form and its anchor, of several the least crowded with a rare start; nothing for a value
    /// without any.
    pub(super) fn choose(&mut self, value: &[u8], mut add: impl FnMut(u32, u64)) {
        self.chosen.clear();
        self.seen += 1;
        let counted = self.seen < COUNTED || self.seen.is_multiple_of(RARELY);
        let mut whole = true;
        for (number, form) in Form::ALL.into_iter().enumerate() {
            let spelled = matches!(form, Form::Url | Form::Html | Form::Json);
            if whole && spelled {
                continue;
            }
            self.bytes.clear();
            form.write(value, &mut self.bytes);
            let mut best = self.best(form != Form::Text, |_| true);
            if form == Form::Text && best.is_none() {
                whole = false;
                best = self.best(true, |_| true);
                if best.is_none() {
                    return;
                }
            }
            let Some((key, place)) = best else { continue };
            // A second one, apart from the first, for values that are broken inside the first.
            if form == Form::Text
                && let Some((second, _)) = self.best(!whole, |at| at.abs_diff(place) >= ANCHOR)
            {
                add(number as u32, second);
                self.chosen.push(second);
            }
            if spelled && self.chosen.contains(&key) {
                continue;
            }
            let spot = scale(mix(key), self.crowd.len());
            self.crowd[spot] = self.crowd[spot].saturating_add(u8::from(counted));
            add(number as u32, key);
            self.chosen.push(key);
        }
    }

    /// The best anchor of the form at hand at some places: its key and the place of its first letter; `across` what stands between
    /// the letters, which may be spelled with other letters.
    fn best(&self, across: bool, wanted: impl Fn(usize) -> bool) -> Option<(u64, usize)> {
        let mut best: Option<(u32, u64, usize)> = None;
        let (mut key, mut run, mut weighed) = (0, 0, 0);
        let mut places = [0usize; 8];
        for (at, code) in codes(&self.bytes).enumerate() {
            if code == 0 {
                run = if across { run } else { 0 };
                continue;
            }
            key = key >> 8 | u64::from(code) << (8 * (ANCHOR - 1));
            places[run & 7] = at;
            run += 1;
            if run < ANCHOR || !wanted(places[(run - ANCHOR) & 7]) {
                continue;
            }
            weighed += 1;
            let least = best.map_or(u32::MAX, |(cost, ..)| cost);
            let start = u32::from(class(key));
            if start < least {
                // A few needles may share an anchor; what dozens share makes a poor one.
                let cost = start + u32::from(self.crowd[scale(mix(key), self.crowd.len())] >> 3) * 3;
                if cost < least {
                    best = Some((cost, key, places[(run - ANCHOR) & 7]));
                }
                if cost == 0 {
                    break;
                }
            }
            if weighed == WEIGHED {
                break;
            }
        }
        best.map(|(_, key, place)| (key, place))
    }
}

/// How many anchors [`Chooser::choose`] can give for a value.
pub(super) fn most(value: &[u8]) -> usize {
    let whole =
        value.chunk_by(|a, b| a.is_ascii_alphanumeric() && b.is_ascii_alphanumeric()).any(|run| run.len() > ANCHOR);
    Form::ALL.len() + 1 - if whole { 3 } else { 0 }
}
