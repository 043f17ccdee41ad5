//! One document → its matches.

use std::sync::{Arc, OnceLock};

use regex::bytes::Regex;

use super::needle::{Needle, Needles, Refused};
use super::prefilter::{Candidate, Prefilter};
use super::{Match, filter};
use crate::error::{Error, Result};
use crate::rule::{Rule, RuleSet, Shape, Verdict, check};
use crate::secret::SecretValue;

/// How far a match of an unbounded pattern may reach, if its rule does not say.
const REACH: usize = 4096;

/// What a detector lets through.
#[derive(Clone, Debug)]
pub struct Options {
    /// Least probability of a match, 0 to 1.
    pub min_confidence: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self { min_confidence: 0.5 }
    }
}

/// Runs rules and needles over documents. One for a run, shared by all threads.
pub struct Detector {
    rules: Arc<RuleSet>,
    matchers: Vec<Matcher>,
    prefilter: Prefilter,
    needles: Needles,
    options: Options,
}

/// A rule made ready: its pattern is compiled at its first candidate.
struct Matcher {
    regex: OnceLock<Regex>,
    /// Bytes before and after a keyword that a match may cover.
    reach: usize,
}

impl Detector {
    /// A detector for a set of rules and exact values.
    ///
    /// # Errors
    /// When a rule's pattern does not compile; `offkey rules check` says why.
    pub fn new(rules: Arc<RuleSet>, needles: Vec<Needle>, options: Options) -> Result<Self> {
        let keywords: Vec<Vec<String>> = rules.rules().iter().map(|rule| rule.keywords.clone()).collect();
        let matchers = rules.rules().iter().map(matcher).collect::<Result<_>>()?;
        Ok(Self { prefilter: Prefilter::new(&keywords), matchers, rules, needles: Needles::new(needles), options })
    }

    /// Needles that are not searched for.
    pub fn refused(&self) -> &[Refused] {
        &self.needles.refused
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
        let first = out.len();
        let mut done = vec![0usize; 0];
        self.prefilter.candidates(bytes, |candidate| {
            if done.is_empty() {
                done = vec![0; self.matchers.len()];
            }
            self.candidate(bytes, candidate, &mut done, out);
        });
        let _ = path_hint;
        self.needles.search(bytes, out);
        let mut found = out.split_off(first);
        found.retain(|found| found.confidence >= self.options.min_confidence);
        out.append(&mut best_of_each_place(found));
    }

    /// Runs one rule in the window around one keyword. `done` holds, for each rule, up to where it has looked already.
    fn candidate(&self, bytes: &[u8], candidate: Candidate, done: &mut [usize], out: &mut Vec<Match>) {
        let at = candidate.route as usize;
        let (rule, matcher) = (&self.rules.rules()[at], &self.matchers[at]);
        let end = (candidate.end + matcher.reach).min(bytes.len());
        let mut start = candidate.start.saturating_sub(matcher.reach).max(done[at].min(candidate.start));
        let regex = matcher.regex.get_or_init(|| check::compile(rule).expect("because `new` compiled or vetted it"));
        let group = check::secret_group(regex);
        // `\b` looks at the byte before: search in the whole text up to the end, from `start` on.
        while let Some(captures) = (start <= end).then(|| regex.captures_at(&bytes[..end], start)).flatten() {
            let whole = captures.get(0).expect("because group 0 is the match");
            start = whole.end().max(start + 1);
            done[at] = done[at].max(whole.end());
            if let Some(secret) = captures.get(group) {
                out.extend(self.judge(rule, secret.range(), secret.as_bytes(), parts(regex, group, &captures)));
            }
        }
    }

    /// Structure checks and filters.
    fn judge(
        &self,
        rule: &Rule,
        span: std::ops::Range<usize>,
        secret: &[u8],
        parts: Vec<(String, String)>,
    ) -> Option<Match> {
        if rule.min_entropy.is_some_and(|least| check::entropy(secret) < least) {
            return None;
        }
        let opinion = match rule.shape {
            Shape::Near { .. } => filter::generic(secret),
            Shape::Pattern(_) => filter::shaped(secret),
        };
        let mut confidence = rule.confidence.probability() * opinion.factor;
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

fn matcher(rule: &Rule) -> Result<Matcher> {
    let shape = rule.shape.regex();
    let parsed =
        regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(&shape).map_err(|cause| {
            Error::config(format!("the pattern of rule {} does not parse", rule.id))
                .because(cause)
                .next("`offkey rules check` names the file and line.")
        })?;
    let reach = parsed.properties().maximum_len().filter(|length| *length <= REACH);
    Ok(Matcher { regex: OnceLock::new(), reach: rule.reach.or(reach).unwrap_or(REACH) })
}

/// Named captures beside the secret: user, host, id.
fn parts(regex: &Regex, group: usize, captures: &regex::bytes::Captures<'_>) -> Vec<(String, String)> {
    let named = regex.capture_names().enumerate().filter_map(|(at, name)| name.map(|name| (at, name)));
    named
        .filter(|(at, name)| *at != group && *name != "secret")
        .filter_map(|(at, name)| {
            Some((name.to_owned(), String::from_utf8_lossy(captures.get(at)?.as_bytes()).into_owned()))
        })
        .collect()
}

/// Of matches with the same or an overlapping secret the most confident one is kept; a needle beats all.
fn best_of_each_place(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by(|a, b| {
        let exact = |m: &Match| !m.rule.starts_with("needle:");
        (exact(a), b.confidence, b.span.len())
            .partial_cmp(&(exact(b), a.confidence, a.span.len()))
            .expect("because confidences are numbers")
    });
    let mut kept: Vec<Match> = Vec::new();
    for candidate in found {
        let overlaps = |k: &Match| k.span.start < candidate.span.end && candidate.span.start < k.span.end;
        if !kept.iter().any(overlaps) {
            kept.push(candidate);
        }
    }
    kept.sort_by_key(|found| found.span.start);
    kept
}
