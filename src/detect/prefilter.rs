//! Finds the few places in a document where a rule could match: its keywords. Everything exact happens in small windows
//! around them.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

/// A place where a keyword of some rules stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Start and end of the keyword.
    pub(super) start: usize,
    pub(super) end: usize,
    /// Number of the route: see [`Prefilter::new`].
    pub(super) route: u32,
}

/// Looks for keywords.
pub(super) struct Prefilter {
    keywords: AhoCorasick,
    /// Routes of each keyword.
    routes: Vec<Vec<u32>>,
}

impl Prefilter {
    /// `routes` gives the keywords of each route (a rule); keywords are compared without case.
    pub(super) fn new(routes: &[Vec<String>]) -> Self {
        let mut words: Vec<String> = Vec::new();
        let mut of_word: Vec<Vec<u32>> = Vec::new();
        let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        for (route, keywords) in routes.iter().enumerate() {
            for keyword in keywords {
                let word = keyword.to_ascii_lowercase();
                let at = *seen.entry(word.clone()).or_insert_with(|| {
                    words.push(word);
                    of_word.push(Vec::new());
                    of_word.len() - 1
                });
                if !of_word[at].contains(&(route as u32)) {
                    of_word[at].push(route as u32);
                }
            }
        }
        let keywords = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(&words)
            .expect("because a few thousand short keywords always fit");
        Self { keywords, routes: of_word }
    }

    /// Calls `visit` for every keyword in the text, in order of their ends; overlapping ones too.
    pub(super) fn candidates(&self, bytes: &[u8], mut visit: impl FnMut(Candidate)) {
        for found in self.keywords.find_overlapping_iter(bytes) {
            for route in &self.routes[found.pattern().as_usize()] {
                visit(Candidate { start: found.start(), end: found.end(), route: *route });
            }
        }
    }

    /// Whether any keyword occurs.
    pub(super) fn any(&self, bytes: &[u8]) -> bool {
        self.keywords.find_overlapping_iter(bytes).next().is_some()
    }
}
