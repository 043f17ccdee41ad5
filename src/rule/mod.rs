//! What to look for: rule files → [`RuleSet`]. The format is described in docs/rule-format.md.
//!
//! Invariant: this room holds data and checks it; it never looks at a document.

pub mod check;
mod check_issuer;
pub mod import;
pub mod issuer;
mod schema;
mod structure;
mod template;
mod yaml;

pub use schema::{Confidence, Pair, Provider, Rule, Shape};
pub use structure::{Structure, Verdict};
pub use template::expand;
pub use yaml::yaml;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::error::{Error, Result};

/// The rule files as they are written, for `rules check` and `rules show`.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rule_files.rs"));

/// The same without examples, quick to read.
const COMPACT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rules.json"));

/// A set of rules with unique ids.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Rule>,
    by_id: HashMap<Arc<str>, usize>,
}

impl RuleSet {
    /// The rules inside the program, read once.
    ///
    /// # Panics
    /// Never in a released build: `rules check` runs on the built-in set in the tests.
    pub fn builtin() -> Arc<Self> {
        static SET: OnceLock<Arc<RuleSet>> = OnceLock::new();
        Arc::clone(SET.get_or_init(|| {
            let files: Vec<schema::File> =
                serde_json::from_slice(COMPACT).expect("because the tests check the built-in rules");
            Arc::new(Self::new(files.into_iter().flat_map(schema::File::into_rules).collect()))
        }))
    }

    /// What the built-in rule files say about their issuers' HTTP interfaces, by the provider's id; read at first use.
    ///
    /// # Panics
    /// Never in a released build: `rules check` runs on the built-in set in the tests.
    pub fn issuers() -> &'static BTreeMap<String, issuer::Issuer> {
        static ISSUERS: OnceLock<BTreeMap<String, issuer::Issuer>> = OnceLock::new();
        ISSUERS.get_or_init(|| {
            let files: Vec<issuer::Issuer> =
                serde_json::from_slice(COMPACT).expect("because the tests check the built-in rules");
            let callable = files.into_iter().filter(|file| file.about.is_some());
            callable.map(|file| (file.provider.id.clone(), file)).collect()
        })
    }

    /// The built-in rule files: name and text.
    pub fn builtin_files() -> &'static [(&'static str, &'static str)] {
        FILES
    }

    /// A set of these rules; of two rules with one id the first is kept (`rules check` reports the second).
    pub fn new(rules: Vec<Rule>) -> Self {
        let mut set = Self::default();
        for rule in rules {
            if !set.by_id.contains_key(&rule.id) {
                set.by_id.insert(Arc::clone(&rule.id), set.rules.len());
                set.rules.push(rule);
            }
        }
        set
    }

    /// Reads rule files, or every `*.toml` of a folder.
    ///
    /// # Errors
    /// When a file cannot be read or has problems; all problems of all files are in the message, one a line.
    pub fn load(path: &Path) -> Result<Self> {
        let files = files(path)?;
        let problems = check::check(&files);
        if !problems.is_empty() {
            let list: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return Err(Error::config(format!("the rules at {} have problems:\n{}", path.display(), list.join("\n")))
                .next(
                    "Mend them and try `offkey rules check` on the files; docs/rule-format.md explains the fields.",
                ));
        }
        let parsed = files.iter().filter_map(|(_, text)| toml::from_str::<schema::File>(text).ok());
        Ok(Self::new(parsed.flat_map(schema::File::into_rules).collect()))
    }

    /// All rules, in order of their files.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// One rule.
    pub fn get(&self, id: &str) -> Option<&Rule> {
        self.by_id.get(id).map(|at| &self.rules[*at])
    }

    /// What a person calls what the rule finds.
    pub fn name(&self, id: &str) -> Option<&str> {
        self.get(id).map(|rule| rule.name.as_str())
    }
}

/// Rule files at a path, by name: the file itself, or every `*.toml` of a folder.
///
/// # Errors
/// When the path or a file cannot be read.
pub fn files(path: &Path) -> Result<Vec<(String, String)>> {
    let unreadable =
        |path: &Path, cause: std::io::Error| Error::unreadable(format!("the rule file {}", path.display()), cause);
    let mut paths: Vec<PathBuf> = if path.is_dir() {
        let entries = std::fs::read_dir(path).map_err(|cause| unreadable(path, cause))?;
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect()
    } else {
        vec![path.to_owned()]
    };
    paths.retain(|p| p == path || p.extension().is_some_and(|ending| ending == "toml"));
    paths.sort();
    let read = |path: PathBuf| match std::fs::read_to_string(&path) {
        Ok(text) => Ok((path.display().to_string(), text)),
        Err(cause) => Err(unreadable(&path, cause)),
    };
    paths.into_iter().map(read).collect()
}
