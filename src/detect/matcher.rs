//! One rule at one keyword: cheap refusals first, the regular expression last.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use regex_automata::meta::{self, Regex};
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::Hir;

use super::guarantee::{self, Beside, Bytes, Folded, Run};
use super::prefilter;
use crate::rule::{Rule, Shape};

/// How far a match of an unbounded pattern may reach, if its rule does not say.
const REACH: usize = 4096;
/// Distances from match to keyword up to which every start is tried for itself.
const NEAR: usize = 48;
/// How far from a match a keyword may stand that is no part of it.
const CONTEXT: usize = 40;
/// Compiled size that no rule needs, in bytes.
const SIZE_LIMIT: usize = 2 << 20;

/// A rule made ready: its syntax tree is read at its first keyword, its pattern compiled at its first candidate.
#[derive(Default)]
pub(super) struct Matcher {
    plan: OnceLock<Plan>,
    pattern: OnceLock<Pattern>,
    windows: AtomicU64,
    searches: AtomicU64,
    searched: AtomicU64,
}

/// What one rule cost in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Id of the rule.
    pub rule: Arc<str>,
    /// Keywords at which its window was looked at.
    pub windows: u64,
    /// Windows that its regular expression searched.
    pub searches: u64,
    /// Bytes in those.
    pub bytes: u64,
}

/// What the syntax tree of a rule says about its matches.
struct Plan {
    /// Bytes before and after a keyword that a match may cover.
    back: usize,
    forward: usize,
    /// Longest distance from the start of a match to its keyword, if the pattern fixes it.
    lead: Option<usize>,
    /// Bytes that a match can start with.
    first: Option<Box<Bytes>>,
    /// Runs that every match holds.
    runs: Vec<Run>,
    /// What every match holds before and behind its keyword.
    beside: Beside,
}

impl Plan {
    fn of(rule: &Rule) -> Self {
        let hir = tree(rule);
        let longest = hir.properties().maximum_len().filter(|length| *length <= REACH);
        let reach = rule.reach.or(longest).unwrap_or(REACH);
        let keywords: Vec<Vec<u8>> = rule.keywords.iter().map(|word| prefilter::known(word)).collect();
        let keywords: Vec<&[u8]> = keywords.iter().map(Vec::as_slice).collect();
        let folded = Folded::of(&hir);
        let lead = match &rule.shape {
            Shape::Near { words, .. } if *words == rule.keywords => Some(0),
            _ => guarantee::lead(&folded, &keywords),
        };
        // A keyword that is no part of the pattern stands beside the match: `MOLLIE_API_KEY=live_…`.
        let apart = match &rule.shape {
            Shape::Pattern(_) if !guarantee::holds(&folded, &keywords) => CONTEXT,
            _ => 0,
        };
        let reach = reach + apart;
        let back = lead.map_or(reach + 1, |lead| lead + 1 + LONGEST_ESCAPE);
        let beside = match &rule.shape {
            Shape::Near { .. } => Beside::default(),
            _ => Beside::of(&folded, &keywords),
        };
        Self { back, forward: reach + 1, lead, first: guarantee::first(&hir), runs: guarantee::runs(&hir), beside }
    }

    /// Whether a match around a keyword is possible at all.
    fn allows(&self, window: &[u8], keyword: &Range<usize>) -> bool {
        self.beside.allows(window, keyword) && self.runs.iter().all(|run| run.within(window))
    }
}

/// A compiled pattern.
struct Pattern {
    regex: Regex,
    /// The group that is the secret: the one named so, else the first, else the whole match.
    secret: usize,
    /// Named groups beside the secret.
    parts: Vec<(usize, String)>,
}

impl Pattern {
    fn of(rule: &Rule) -> Self {
        let regex = meta::Builder::new()
            .configure(meta::Config::new().nfa_size_limit(Some(SIZE_LIMIT)).utf8_empty(false))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .build(&rule.shape.regex())
            .expect("because rule sets are checked");
        let info = regex.group_info();
        let names = info.pattern_names(regex_automata::PatternID::ZERO);
        let names: Vec<Option<String>> = names.map(|name| name.map(str::to_owned)).collect();
        let secret = names.iter().position(|name| name.as_deref() == Some("secret"));
        let secret = secret.unwrap_or(usize::from(names.len() > 1));
        let parts = names.into_iter().enumerate().filter_map(|(group, name)| Some((group, name?)));
        let parts = parts.filter(|(group, name)| *group != secret && name != "secret").collect();
        Self { regex, secret, parts }
    }
}

fn tree(rule: &Rule) -> Hir {
    let hir = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build().parse(&rule.shape.regex());
    hir.expect("because rule sets are checked")
}

/// Where a secret is in a window, and the other named parts of the match.
pub(super) type Caught = (Range<usize>, Vec<(String, String)>);

impl Matcher {
    /// Bytes before and after a keyword that the rule looks at, with room for escapes.
    pub(super) fn window(&self, rule: &Rule) -> (usize, usize) {
        let plan = self.plan.get_or_init(|| Plan::of(rule));
        (plan.back, plan.forward + plan.forward / 4 + 24)
    }

    /// Bytes after a keyword that a match without escapes can cover.
    pub(super) fn reach(&self, rule: &Rule) -> usize {
        self.plan.get_or_init(|| Plan::of(rule)).forward
    }

    /// Finds the rule's matches around a keyword. `edges` says whether the window starts and ends where the document does.
    pub(super) fn search(
        &self,
        rule: &Rule,
        window: &[u8],
        keyword: &Range<usize>,
        edges: (bool, bool),
        found: &mut dyn FnMut(Caught),
    ) {
        let plan = self.plan.get_or_init(|| Plan::of(rule));
        self.windows.fetch_add(1, Ordering::Relaxed);
        if !plan.allows(window, keyword) {
            return;
        }
        self.searches.fetch_add(1, Ordering::Relaxed);
        self.searched.fetch_add(window.len() as u64, Ordering::Relaxed);
        let pattern = self.pattern.get_or_init(|| Pattern::of(rule));
        // At the edge of a window `^` and `\b` hold without reason; a match there belongs to another keyword.
        let real = |start: usize| start > 0 || edges.0;
        match plan.lead {
            Some(lead) if lead <= NEAR => {
                let from = keyword.start.saturating_sub(lead);
                let (mut start, mut none) = (from, true);
                while start <= keyword.start {
                    let possible = plan.first.as_ref().is_none_or(|first| first[usize::from(window[start])]);
                    let end = (possible && real(start)).then(|| pattern.at(window, start, found)).flatten();
                    none &= end.is_none();
                    start = end.map_or(start + 1, |end| end.max(start + 1));
                }
                // In `\nghp_…` and `%3Dghp_…` no word ends where the token starts, but for who reads the escape.
                let behind_escape = (from..=keyword.start).filter(|start| none && escape_ends(&window[..*start]));
                for start in behind_escape {
                    let shifted =
                        &mut |(secret, parts): Caught| found((secret.start + start..secret.end + start, parts));
                    pattern.at(&window[start..], 0, shifted);
                }
            }
            _ => {
                let last = if plan.lead.is_some() { keyword.start } else { window.len() };
                let mut start = 0;
                while start <= last {
                    let Some(next) = pattern.regex.search(&Input::new(window).range(start..)) else { break };
                    if next.start() > last {
                        break;
                    }
                    if real(next.start()) {
                        pattern.at(window, next.start(), found);
                    }
                    start = next.end().max(next.start() + 1);
                }
            }
        }
    }

    /// What the rule cost so far.
    pub(super) fn cost(&self, rule: &Rule) -> Cost {
        Cost {
            rule: Arc::clone(&rule.id),
            windows: self.windows.load(Ordering::Relaxed),
            searches: self.searches.load(Ordering::Relaxed),
            bytes: self.searched.load(Ordering::Relaxed),
        }
    }
}

/// The longest of the escapes that [`escape_ends`] knows.
const LONGEST_ESCAPE: usize = 7;

/// Whether a text ends in an escape of JSON, of program strings or of URLs: `\n`, `\t`, `\r`, `\u003d`, `%3D`.
fn escape_ends(text: &[u8]) -> bool {
    let hex = |count: usize| text.len() > count && text[text.len() - count..].iter().all(u8::is_ascii_hexdigit);
    let before = |count: usize| &text[..text.len() - count];
    let backslash =
        |text: &[u8]| text.iter().rev().take(LONGEST_ESCAPE).take_while(|byte| **byte == b'\\').count() % 2 == 1;
    match text.last() {
        Some(b'n' | b't' | b'r') => backslash(before(1)),
        _ if hex(4) && before(4).ends_with(b"u") => backslash(before(5)),
        _ => hex(2) && before(2).ends_with(b"%"),
    }
}

impl Pattern {
    /// Reports the match that starts at an offset; gives its end.
    fn at(&self, window: &[u8], start: usize, found: &mut dyn FnMut(Caught)) -> Option<usize> {
        let input = Input::new(window).range(start..).anchored(Anchored::Yes);
        self.regex.search_half(&input)?;
        let mut captures = self.regex.create_captures();
        self.regex.search_captures(&input, &mut captures);
        let whole = captures.get_match()?;
        if let Some(secret) = captures.get_group(self.secret) {
            let part = |(group, name): &(usize, String)| {
                let span = captures.get_group(*group)?;
                Some((name.clone(), String::from_utf8_lossy(&window[span.range()]).into_owned()))
            };
            found((unquoted(window, secret.range()), self.parts.iter().filter_map(part).collect()));
        }
        Some(whole.end())
    }
}

/// A value without the quotes around it, where a pattern takes both kinds: they are no part of what is rotated.
fn unquoted(window: &[u8], value: Range<usize>) -> Range<usize> {
    match &window[value.clone()] {
        [first @ (b'"' | b'\''), _, .., last] if first == last => value.start + 1..value.end - 1,
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Detector, Options};
    use crate::rule::{RuleSet, expand};

    fn found(text: &str) -> Vec<(String, String)> {
        let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::default()).expect("rules are checked");
        let mut out = Vec::new();
        detector.scan(text.as_bytes(), None, &mut out);
        out.iter().map(|m| (m.rule.to_string(), text[m.span.clone()].to_owned())).collect()
    }

    #[test]
    fn a_token_is_found_right_behind_an_escape() {
        let token = expand("SG.<<an:22>>.<<an:43>>", "escape", None).expect("because the template is well-formed");
        let rule = found(&format!("key {token} here")).pop().expect("found in plain text").0;
        for before in ["\\n", "a\\t", "\\r\\n", "token\\u003d", "u%3D", "\\\\\\n"] {
            let text = format!("{{\"a\": \"{before}{token}\\u0026\"}}");
            assert_eq!(found(&text), [(rule.clone(), token.clone())], "{text}");
        }
        for before in ["in", "\\\\n", "3D", "u003d", "\\\\u003d"] {
            let text = format!("{{\"a\": \"{before}{token}\"}}");
            assert!(found(&text).is_empty(), "{text}: {:?}", found(&text));
        }
    }
}
