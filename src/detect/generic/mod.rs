//! Secrets without a shape of their own: a telling name, an operator, a value.
//!
//! The prefilter finds the telling words; [`assignment`] and [`shapes`] read what stands around one, in a small window and
//! without regular expressions; [`features`] describes name, value and surroundings in numbers; the [`ranker`] turns the
//! numbers into a probability. What cannot be a value at all (a variable, a template, a call) is dropped by name first.

mod assignment;
mod chosen;
mod features;
mod impossible;
mod ranker;
mod shapes;
mod spoken;
mod value;
mod words;

pub(super) use features::Features;
pub(super) use ranker::Ranker;
pub(super) use words::commonness;

use std::ops::Range;

use crate::rule::RuleSet;
use words::has;

/// Words in whose neighbourhood a value may be a secret; compared without case.
const TELLING: &[&str] = &[
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "auth",
    "cred",
    "api",
    "salt",
    "sign",
    "hmac",
    "pw",
    "senha",
    "contrase",
    "wachtwoord",
    "kennwort",
    "haslo",
    "has\u{142}o",
    "l\u{f6}senord",
    "\u{43f}\u{430}\u{440}\u{43e}\u{43b}\u{44c}",
    "\u{5bc6}\u{7801}",
    "\u{5bc6}\u{78bc}",
    "\u{30d1}\u{30b9}\u{30ef}\u{30fc}\u{30c9}",
    "\u{be44}\u{bc00}\u{bc88}\u{d638}",
    "totp",
    "seed",
    "pin",
];

/// A way to read the text around a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Name, operator, value.
    Assignment,
    /// `scheme://user:password@host`.
    Url,
    /// `Basic` and `Bearer` in front of a credential.
    Scheme,
    /// `IDENTIFIED BY 'x'`.
    Sql,
    /// `curl -u user:password`.
    Curl,
    /// What people say: `the password is x`.
    Spoken,
}

impl Route {
    /// All routes with their keywords.
    pub(super) const ALL: &[(Route, &[&str])] = &[
        (Route::Assignment, TELLING),
        (Route::Url, &["://"]),
        (Route::Scheme, &["basic ", "bearer "]),
        (Route::Sql, &["identified"]),
        (Route::Curl, &["curl", "--user", "wget "]),
        (Route::Spoken, spoken::WORDS),
    ];
}

/// What the notes of a match say when its confidence comes from the ranker.
pub(super) const NOTE: &str = "ranked";

/// Matches below this are not carried on; those between this and the threshold still weigh on rules that see the same value.
pub(super) const NEGLIGIBLE: f32 = 0.01;

impl Route {
    /// Bytes before and after a keyword that a reader looks at, surroundings included.
    pub(super) fn window(self) -> (usize, usize) {
        match self {
            Self::Assignment => (560, 1500),
            Self::Url => (500, 900),
            Self::Scheme => (500, 2400),
            Self::Sql | Self::Curl => (500, 1400),
            Self::Spoken => (500, 1500),
        }
    }
}

/// What a value was found as; names the rule and is a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Assignment,
    Url,
    Basic,
    Bearer,
    Sql,
    Curl,
    /// By the pattern of a provider's rule whose values people choose.
    Rule,
}

/// What stands between name and value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equals,
    Colon,
    ColonEquals,
    Arrow,
    Compare,
    Comma,
    Call,
    Space,
    Phrase,
    Element,
    Attribute,
    Default,
    Table,
    None,
}

/// How the value is delimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    Bare,
    Double,
    Single,
    Backtick,
    Escaped,
    Element,
}

/// A value that stands where a secret could stand.
#[derive(Clone, Debug)]
pub(super) struct Site {
    pub(super) kind: Kind,
    /// The telling name; empty when the shape itself tells.
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    pub(super) operator: Operator,
    pub(super) quote: Quote,
    /// The name stands in quotes of its own.
    pub(super) name_quoted: bool,
    /// The value is an argument of a call that stands where the value was expected.
    pub(super) in_call: bool,
    /// Position in a list; 0 for a single value.
    pub(super) nth: u8,
    /// The value stands on another line than its name.
    pub(super) next_line: bool,
    /// A part of the site that is not secret: the user of a URL.
    pub(super) user: Option<Range<usize>>,
    /// Least probability, where the words around the value say what it is.
    pub(super) sure: f32,
}

impl Site {
    /// A value that a rule found, with no name that tells.
    pub(super) fn of_rule(value: Range<usize>) -> Self {
        Self::new(Kind::Rule, value.start..value.start, value)
    }

    fn new(kind: Kind, name: Range<usize>, value: Range<usize>) -> Self {
        Self {
            kind,
            name,
            value,
            operator: Operator::None,
            quote: Quote::Bare,
            name_quoted: false,
            in_call: false,
            nth: 0,
            next_line: false,
            user: None,
            sure: 0.0,
        }
    }
}

/// Reads the text around a keyword at `keyword` and hands every value that could be a secret to `visit`. A name with two
/// telling words is read at the first of them only.
pub(super) fn read(route: Route, bytes: &[u8], keyword: Range<usize>, visit: &mut dyn FnMut(Site)) {
    match route {
        Route::Assignment => assignment::read(bytes, keyword, visit),
        Route::Url => shapes::url(bytes, keyword, visit),
        Route::Scheme => shapes::scheme(bytes, keyword, visit),
        Route::Sql => shapes::sql(bytes, keyword, visit),
        Route::Curl => shapes::curl(bytes, keyword, visit),
        Route::Spoken => spoken::read(bytes, keyword, visit),
    }
}

/// Least probability of a site, whatever the ranker says: where a password is named plainly and looks like one.
pub(super) fn floor(site: &Site, bytes: &[u8]) -> f32 {
    chosen::floor(site, bytes)
}

/// Whether a value looks like a password and like nothing else.
pub(super) fn strong(value: &[u8]) -> bool {
    chosen::strength(value) == chosen::Strength::Strong
}

/// Whether a value mixes small letters, capitals and digits as no word does.
pub(super) fn mixed(value: &[u8]) -> bool {
    chosen::mixed(value)
}

/// Why a value cannot be a secret at all, or nothing.
pub(super) fn impossible(site: &Site, bytes: &[u8]) -> Option<&'static str> {
    impossible::impossible(site, bytes)
}

/// The id of the rule that a site belongs to; the rules themselves are in rules/generic.toml.
pub(super) fn rule_id(site: &Site, bytes: &[u8]) -> &'static str {
    match site.kind {
        Kind::Url => "generic-url-password",
        Kind::Basic => "generic-basic-auth",
        Kind::Bearer => "generic-bearer-token",
        Kind::Sql => "generic-sql-password",
        Kind::Curl => "generic-curl-user",
        Kind::Assignment | Kind::Rule => {
            let name = bytes[site.name.clone()].to_ascii_lowercase();
            let has = |word: &str| has(&name, word.as_bytes());
            if has("pass") || has("pwd") || has("pw") {
                "generic-password"
            } else if has("secret") {
                "generic-secret"
            } else if has("token") {
                "generic-token"
            } else if has("key") {
                "generic-key"
            } else if has("auth") || has("cred") || has("sign") || has("api") {
                "generic-credential"
            } else {
                "generic-password"
            }
        }
    }
}

/// Whether a set holds the rules of this reader; a set of the user's own may leave them out.
pub(super) fn wanted(rules: &RuleSet) -> bool {
    rules.get("generic-password").is_some()
}
