//! One document → its matches.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::engine::{self, Carried, Find, Routes};
use super::escape::Between;
use super::matcher::{Cost, Matcher};
use super::needle::{Needles, Refused, Values};
use super::prefilter::{self, Prefilter};
use super::{Match, doubt, escape, filter, generic, pair, prior, sample, vendor};
use crate::error::Result;
use crate::rule::{Rule, RuleSet, Shape, Verdict, check};
use crate::secret::SecretValue;
use crate::source::Copied;

/// To be raised when the code (not a rule) finds something else than before in the same text.
const RESULTS: u32 = 6;

/// What a detector lets through.
#[derive(Clone, Debug)]
pub struct Options {
    /// Least probability of a match, 0 to 1.
    pub min_confidence: f32,
    /// Somebody learns later under which paths a document without one lies: what the right path would raise to `min_confidence`
    /// is let through, too.
    pub paths_come_later: bool,
}

impl Options {
    /// Everything from a probability on.
    pub fn from(min_confidence: f32) -> Self {
        Self { min_confidence, paths_come_later: false }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self::from(0.5)
    }
}

/// Runs rules and needles over documents. One for a run, shared by all threads.
pub struct Detector {
    rules: Arc<RuleSet>,
    matchers: Vec<Matcher>,
    prefilter: Prefilter,
    needles: Needles,
    /// Made when a value with a telling name is first seen.
    vendors: OnceLock<vendor::Vendors>,
    options: Options,
    scanned: AtomicU64,
    spared: AtomicU64,
}

impl Detector {
    /// A detector for a set of rules and exact values: a list of needles, or [`Values`].
    ///
    /// # Errors
    /// When a rule's pattern does not compile; `offkey rules check` says why.
    pub fn new(rules: Arc<RuleSet>, needles: impl Into<Values>, options: Options) -> Result<Self> {
        let mut keywords: Vec<Vec<String>> = rules.rules().iter().map(|rule| rule.keywords.clone()).collect();
        if generic::wanted(&rules) {
            let telling = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
            keywords.extend(generic::Route::ALL.iter().map(|(_, words)| telling(words)));
        }
        for words in &mut keywords {
            let escaped: Vec<String> = words.iter().flat_map(|word| escape::spellings(word)).collect();
            words.extend(escaped);
        }
        let prefilter = Prefilter::new(keywords.iter().map(Vec::as_slice));
        let matchers = rules.rules().iter().map(|_| Matcher::default()).collect();
        Ok(Self {
            prefilter,
            matchers,
            vendors: OnceLock::new(),
            rules,
            needles: Needles::new(needles.into()),
            options,
            scanned: AtomicU64::new(0),
            spared: AtomicU64::new(0),
        })
    }

    /// Needles that are not searched for.
    pub fn refused(&self) -> &[Refused] {
        self.needles.refused()
    }

    /// Digest of everything that decides what is found: rules, ranker, options, version. `None` with needles, whose values
    /// must not be guessable from a digest.
    pub fn digest(&self) -> Option<[u8; 32]> {
        use sha2::Digest as _;
        let mut hash = sha2::Sha256::new();
        hash.update(format!("{} {RESULTS} {:?}", env!("CARGO_PKG_VERSION"), self.options));
        self.rules.rules().iter().for_each(|rule| hash.update(format!("{rule:?}\n")));
        hash.update(generic::Ranker::table());
        self.needles.is_empty().then(|| hash.finalize().into())
    }

    /// The rules of this detector.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }

    /// Whether raw bytes could hold a match; `true` when in doubt.
    pub fn wants(&self, raw: &[u8]) -> bool {
        !self.needles.is_empty() || self.prefilter.any(raw)
    }

    /// Adds every match in `bytes` to `out`. `path_hint` is the path of the document, if it is known.
    pub fn scan(&self, bytes: &[u8], path_hint: Option<&str>, out: &mut Vec<Match>) {
        let carried = engine::whole(&self.prefilter, self, bytes);
        self.count(&carried, bytes);
        self.finish(&carried, bytes, path_hint, out);
    }

    fn count(&self, carried: &Carried, bytes: &[u8]) {
        self.scanned.fetch_add(carried.scanned as u64, Ordering::Relaxed);
        self.spared.fetch_add(bytes.len().saturating_sub(carried.scanned) as u64, Ordering::Relaxed);
    }

    /// Bytes that were searched for keywords so far, and bytes that were spared because a delta repeats them.
    pub fn work(&self) -> (u64, u64) {
        (self.scanned.load(Ordering::Relaxed), self.spared.load(Ordering::Relaxed))
    }

    /// The same for a document that was made from one scanned before (`base`), of which it repeats the runs `copied`:
    /// looks only at what is new. Gives what the next revision needs.
    pub(super) fn revise(
        &self,
        bytes: &[u8],
        base: Option<(&Carried, &[Copied])>,
        path_hint: Option<&str>,
        out: &mut Vec<Match>,
    ) -> Carried {
        let carried = match base {
            Some((base, copied)) => engine::revision(&self.prefilter, self, bytes, base, copied),
            None => engine::whole(&self.prefilter, self, bytes),
        };
        self.count(&carried, bytes);
        self.finish(&carried, bytes, path_hint, out);
        carried
    }

    /// From the answers of all routes to the matches of the document.
    fn finish(&self, carried: &Carried, bytes: &[u8], path_hint: Option<&str>, out: &mut Vec<Match>) {
        let mut found: Vec<Match> = carried.finds.iter().map(Find::place).collect();
        self.needles.search(bytes, &mut found);
        if !found.is_empty() {
            self.settle(&mut found, bytes, path_hint, &mut |_, _| ());
            prefer_readings(&mut found, self.options.min_confidence);
            found.iter_mut().for_each(|found| undo_userinfo(found, bytes));
            pair::join(&mut found, bytes, &self.rules, self.options.min_confidence);
            let later = self.options.paths_come_later && path_hint.is_none();
            let least = self.options.min_confidence;
            let least = if later { prior::before(least) } else { least };
            found.retain(|found| found.confidence >= least);
            out.append(&mut best_of_each_place(found));
        }
    }

    /// What the surroundings and the name of the file say about the matches of a document.
    fn settle(
        &self,
        found: &mut [Match],
        bytes: &[u8],
        path_hint: Option<&str>,
        visit: &mut dyn FnMut(&Match, generic::Features),
    ) {
        let keeper = path_hint.is_some_and(prior::keeper);
        self.weigh(found, bytes, keeper, visit);
        doubt::second_thoughts(found, bytes, path_hint);
        found.iter_mut().filter(|m| &*m.kind == "hash").for_each(|m| prior::quoted_hash(m, bytes));
        if keeper {
            found.iter_mut().for_each(prior::raise);
        }
    }

    /// Where a rule finds a value without a shape of its own (a password in a URL, in a command), the ranker's judgement of
    /// value and surroundings counts, under the rule's name. `visit` sees what only a rule found, with its numbers.
    fn weigh(&self, found: &mut [Match], bytes: &[u8], keeper: bool, visit: &mut dyn FnMut(&Match, generic::Features)) {
        let ranked: Vec<(Range<usize>, f32)> =
            found.iter().filter(|m| m.notes.contains(&generic::NOTE)).map(|m| (m.span.clone(), m.confidence)).collect();
        for found in found.iter_mut().filter(|m| !m.notes.contains(&generic::NOTE) && shapeless(m)) {
            let site = generic::Site::of_rule(found.span.clone());
            if let Some(why) = generic::impossible(&site, bytes) {
                found.confidence *= 0.1;
                found.notes.push(why);
                continue;
            }
            // A file that is made for credentials needs no second opinion.
            if keeper {
                continue;
            }
            found.notes.push("weighed-by-ranker");
            let overlaps =
                |(span, _): &&(Range<usize>, f32)| span.start < found.span.end && found.span.start < span.end;
            let best = ranked.iter().filter(overlaps).map(|(_, p)| *p).max_by(f32::total_cmp);
            let features = best.is_none().then(|| generic::Features::of(bytes, &site));
            let said = match &features {
                Some(features) => generic::Ranker::get().probability_from(&features.values, 0.0),
                None => best.unwrap_or_default(),
            };
            // The grammar of a command or a file says as much as the value; that of a URL says nothing.
            let grammar = &*found.kind == "password" && !found.rule.starts_with("url-");
            found.confidence = match grammar {
                true if generic::strong(found.secret.expose()) => said.max(0.85 * found.confidence),
                true if generic::mixed(found.secret.expose()) => said.max(0.7 * found.confidence),
                true => said.max(0.4 * found.confidence + 0.6 * said),
                false => said,
            };
            if let Some(features) = features {
                visit(found, features);
            }
        }
    }

    /// Everything that the rules and readers see in a document, whatever its confidence; see [`Self::explain`].
    pub(super) fn everything(
        &self,
        bytes: &[u8],
        path_hint: Option<&str>,
        visit: &mut dyn FnMut(Match, Option<&'static str>, Option<generic::Features>),
    ) {
        self.sites(bytes, visit);
        let carried = engine::whole(&self.prefilter, self, bytes);
        let mut found: Vec<Match> = carried.finds.iter().map(Find::place).collect();
        let mut seen: Vec<(Range<usize>, Arc<str>)> = Vec::new();
        self.settle(&mut found, bytes, path_hint, &mut |found, features| {
            seen.push((found.span.clone(), Arc::clone(&found.rule)));
            visit(found.clone(), None, Some(features));
        });
        found.retain(|m| !m.notes.contains(&generic::NOTE) && !seen.contains(&(m.span.clone(), Arc::clone(&m.rule))));
        best_of_each_place(found).into_iter().for_each(|found| visit(found, None, None));
    }

    /// The generic reader that a route number stands for.
    fn reader(&self, route: u16) -> Option<generic::Route> {
        let at = usize::from(route).checked_sub(self.matchers.len())?;
        Some(generic::Route::ALL[at].0)
    }

    /// What the generic readers see in a window: each site with the filter that drops it or its match, if its probability is
    /// `least` or more.
    fn read(
        &self,
        route: generic::Route,
        window: &[u8],
        keyword: Range<usize>,
        least: f32,
        visit: &mut dyn FnMut(Match, Option<&'static str>, Option<generic::Features>),
    ) {
        generic::read(route, window, keyword, &mut |site| {
            let dropped = generic::impossible(&site, window);
            let features = dropped.is_none().then(|| generic::Features::of(window, &site));
            let rank = |f: &generic::Features| generic::Ranker::get().probability_from(&f.values, least);
            let confidence = features.as_ref().map_or(0.0, |f| rank(f).max(generic::floor(&site, window)));
            if confidence < least {
                return;
            }
            let Some(rule) = self.rules.get(generic::rule_id(&site, window)) else { return };
            let user = site.user.clone().map(|user| String::from_utf8_lossy(&window[user]).into_owned());
            let mut notes = vec![generic::NOTE];
            let (name, value) = (&window[site.name.clone()], &window[site.value.clone()]);
            let doubt = (confidence > 0.1).then(|| sample::doubt(name, value)).flatten();
            notes.extend(doubt.map(|(_, why)| why));
            let confidence = confidence * doubt.map_or(1.0, |(factor, _)| factor);
            let vendors = || self.vendors.get_or_init(|| vendor::Vendors::of(&self.rules));
            if confidence > 0.1 && vendors().name(name) {
                notes.push(vendor::NAMED);
            }
            let found = Match {
                rule: Arc::clone(&rule.id),
                kind: Arc::clone(&rule.kind),
                span: site.value.clone(),
                secret: SecretValue::new(value),
                confidence,
                parts: user.map(|user| ("user".to_owned(), user)).into_iter().collect(),
                encodings: Vec::new(),
                notes,
            };
            visit(found, dropped, features);
        });
    }

    /// Everything the generic readers see in a document, kept or not.
    fn sites(&self, bytes: &[u8], visit: &mut dyn FnMut(Match, Option<&'static str>, Option<generic::Features>)) {
        self.prefilter.occurrences(bytes, 0..bytes.len(), &mut |one| {
            let keyword = &self.prefilter.keywords[usize::from(one.keyword)];
            for (route, reader) in keyword.routes.iter().filter_map(|route| Some((*route, self.reader(*route)?))) {
                let (back, forward) = self.window(route);
                let (at, end) = (one.at as usize, one.at as usize + keyword.text.len());
                let (start, stop) = (at.saturating_sub(back), (end + forward).min(bytes.len()));
                let keyword = at - start..end - start;
                self.each_reading(route, &bytes[start..stop], &keyword, &mut |text, keyword, _, reading| {
                    self.read(reader, text, keyword.clone(), 0.0, &mut |found, dropped, features| {
                        if let Some(mut found) = placed(found, reading, &keyword, Some(reader)) {
                            found.span = found.span.start + start..found.span.end + start;
                            visit(found, dropped, features);
                        }
                    });
                });
            }
        });
    }

    /// What each rule cost that had a keyword so far, the dearest first.
    pub fn costs(&self) -> Vec<Cost> {
        let pairs = self.matchers.iter().zip(self.rules.rules());
        let mut costs: Vec<Cost> =
            pairs.map(|(matcher, rule)| matcher.cost(rule)).filter(|cost| cost.windows > 0).collect();
        costs.sort_by_key(|cost| std::cmp::Reverse((cost.bytes, cost.windows)));
        costs
    }

    /// Structure checks and filters.
    fn judge(&self, rule: &Rule, span: Range<usize>, secret: &[u8], parts: Vec<(String, String)>) -> Option<Match> {
        if rule.min_entropy.is_some_and(|least| check::entropy(secret) < least) {
            return None;
        }
        let opinion = match rule.shape {
            Shape::Near { .. } => filter::generic(secret),
            Shape::Pattern(_) | Shape::Reader => filter::shaped(secret, &rule.kind),
        };
        let mut confidence = rule.confidence.probability();
        let mut notes = opinion.notes;
        match rule.check.map(|check| check.verdict(secret)) {
            None => {}
            Some(Verdict::Sound) => {
                confidence = confidence.max(1.0 - (1.0 - confidence) / 4.0);
                notes.push("structure-is-sound");
            }
            Some(Verdict::Doubtful(why)) => {
                confidence *= 0.7;
                notes.push(why);
            }
            Some(Verdict::Broken(why)) => {
                confidence *= 0.3;
                notes.push(why);
            }
        }
        // A sample of the documentation is well-formed too: what the filters say counts after the structure.
        confidence *= opinion.factor;
        Some(Match {
            rule: Arc::clone(&rule.id),
            kind: Arc::clone(&rule.kind),
            span,
            secret: SecretValue::new(secret),
            confidence,
            parts,
            encodings: Vec::new(),
            notes,
        })
    }
}

impl Routes for Detector {
    fn window(&self, route: u16) -> (usize, usize) {
        if let Some(reader) = self.reader(route) {
            return reader.window();
        }
        let at = usize::from(route);
        self.matchers[at].window(&self.rules.rules()[at])
    }

    fn probe(&self, route: u16, window: &[u8], keyword: Range<usize>, edges: (bool, bool), out: &mut Vec<Match>) {
        self.each_reading(route, window, &keyword, &mut |text, keyword, whole, reading| {
            let edges = (edges.0 && whole.0, edges.1 && whole.1);
            if let Some(reader) = self.reader(route) {
                self.read(reader, text, keyword.clone(), generic::NEGLIGIBLE, &mut |found, dropped, _| {
                    if dropped.is_none() && found.confidence > generic::NEGLIGIBLE {
                        out.extend(placed(found, reading, &keyword, Some(reader)));
                    }
                });
                return;
            }
            let (rule, matcher) = (&self.rules.rules()[usize::from(route)], &self.matchers[usize::from(route)]);
            matcher.search(rule, text, &keyword, edges, &mut |(secret, parts)| {
                let found = self.judge(rule, secret.clone(), &text[secret], parts);
                out.extend(found.and_then(|found| placed(found, reading, &keyword, None)));
            });
        });
    }
}

/// A reading of a window and where it starts there.
type Read<'a> = Option<(&'a escape::Reading, usize)>;

/// What is done with a text, a keyword in it, and whether the text starts and ends where the window does.
type See<'a> = &'a mut dyn FnMut(&[u8], Range<usize>, (bool, bool), Read<'_>);

impl Detector {
    /// The text around a keyword as it stands, and as those read it who know its escapes.
    fn each_reading(&self, route: u16, window: &[u8], keyword: &Range<usize>, see: See<'_>) {
        let here = &window[keyword.clone()];
        let spelling =
            escape::escaped(here) && !self.words(route).any(|word| prefilter::known(word).eq_ignore_ascii_case(here));
        if !spelling {
            let end = window.len().min(keyword.end + self.reach(route));
            see(&window[..end], keyword.clone(), (true, end == window.len()), None);
        }
        if !spelling && !escape::follows(window, keyword.end, self.between(route)) {
            return;
        }
        let start = keyword.start.saturating_sub(ESCAPED);
        let end = window.len().min(keyword.end + if self.reader(route).is_some() { 3 * ESCAPED } else { window.len() });
        for reading in escape::readings(&window[start..end]) {
            if let Some(keyword) = reading.keyword(keyword.start - start, self.words(route)) {
                see(&reading.text, keyword, (start == 0, end == window.len()), Some((&reading, start)));
            }
        }
    }

    /// Bytes behind a keyword that a route looks at where nothing is escaped.
    fn reach(&self, route: u16) -> usize {
        let at = usize::from(route);
        self.reader(route).map_or_else(|| self.matchers[at].reach(&self.rules.rules()[at]), |reader| reader.window().1)
    }

    /// What stands between a keyword of a route and an escape in its match.
    fn between(&self, route: u16) -> Between {
        let near = || matches!(self.rules.rules()[usize::from(route)].shape, Shape::Near { .. });
        let of_rule = || if near() { Between::Operator } else { Between::Line };
        self.reader(route).map_or_else(of_rule, Between::of)
    }

    /// The keywords of a route.
    fn words(&self, route: u16) -> Box<dyn Iterator<Item = &str> + '_> {
        match usize::from(route).checked_sub(self.matchers.len()) {
            Some(at) => Box::new(generic::Route::ALL[at].1.iter().copied()),
            None => Box::new(self.rules.rules()[usize::from(route)].keywords.iter().map(String::as_str)),
        }
    }
}

/// Bytes before a keyword that are read without their escapes; behind it, a generic reader gets three times as many.
const ESCAPED: usize = 240;

/// A match with its place in the window, if it counts there.
fn placed(found: Match, reading: Read<'_>, keyword: &Range<usize>, reader: Option<generic::Route>) -> Option<Match> {
    let Some((reading, start)) = reading else { return Some(found) };
    let mut found = reading.place(found, keyword, reader)?;
    found.span = found.span.start + start..found.span.end + start;
    Some(found)
}

/// What an escape hid is better known without it: such a match replaces those of the raw text that overlap it. One without
/// a form of its own replaces its like only: a token that a rule sees in the raw text needs no reading.
fn prefer_readings(found: &mut Vec<Match>, least: f32) {
    let exact = |m: &Match| m.rule.starts_with("needle:");
    let formless = |m: &Match| m.notes.contains(&generic::NOTE);
    let better = |m: &&Match| !m.encodings.is_empty() && m.confidence >= least && !exact(m);
    let read: Vec<(Range<usize>, bool)> = found.iter().filter(better).map(|m| (m.span.clone(), formless(m))).collect();
    if read.is_empty() {
        return;
    }
    found.retain(|m| {
        let hides = |(span, loose): &(Range<usize>, bool)| {
            span.start < m.span.end && m.span.start < span.end && (!loose || formless(m))
        };
        !m.encodings.is_empty() || exact(m) || !read.iter().any(hides)
    });
}

/// Passwords of URLs that still have their escapes lose them.
fn undo_userinfo(found: &mut Match, bytes: &[u8]) {
    if found.encodings.is_empty()
        && let Some(plain) = escape::of_userinfo(bytes, &found.span)
    {
        found.secret = SecretValue::new(&plain[..]);
        found.encodings.push("url");
    }
}

/// Kinds whose values are chosen by people.
fn shapeless(found: &Match) -> bool {
    matches!(&*found.kind, "password" | "connection-string") && !found.rule.starts_with("needle:")
}

/// Of matches with the same or an overlapping secret the most confident one is kept; a needle beats all.
fn best_of_each_place(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by(|a, b| {
        let exact = |m: &Match| !m.rule.starts_with("needle:");
        (exact(a), b.confidence, b.span.len())
            .partial_cmp(&(exact(b), a.confidence, a.span.len()))
            .expect("because confidences are numbers")
    });
    // The kept ones do not overlap, so only the neighbours of a place can.
    let mut kept: BTreeMap<usize, Match> = BTreeMap::new();
    for candidate in found {
        let before = kept.range(..candidate.span.end.max(candidate.span.start + 1)).next_back();
        if before.is_none_or(|(_, before)| before.span.end <= candidate.span.start) {
            kept.entry(candidate.span.start).or_insert(candidate);
        }
    }
    kept.into_values().collect()
}
