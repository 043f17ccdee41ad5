//! One repository looked at again and again: what came since the last time, judged; only what is new is told.
//!
//! What was seen is kept by the tips of all refs: every commit that leads to one of them was searched. Beside it stands a
//! hash of every rule, so that a changed rule alone is run over what was seen, and what was told, so that a credential
//! that goes stale later is told again.
//!
//! Invariant: what could not be read is told at every look, and tried again when it may have become readable (gaps.rs).
//! New commits that could not be read whole do not move the tips.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use git2::{Oid, Repository};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::commits::Changes;
use super::gaps::Gaps;
use super::parts::Parts;
use super::survey::{self, Survey};
use super::{Ask, Outcome};
use crate::config::Home;
use crate::error::{Error, Result};
use crate::finding::{Finding, Judged, Verdict};
use crate::rule::{Rule, RuleSet};
use crate::secret::Fingerprint;
use crate::source::Coverage;

const SCHEMA: &str = "offkey.watch/1";

/// What is remembered of a repository.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Memory {
    schema: String,
    repository: String,
    /// Refs and the commits that they had.
    tips: BTreeMap<String, String>,
    /// Rules and the hash of each.
    rules: BTreeMap<String, String>,
    told: Vec<Told>,
    #[serde(default)]
    gaps: Gaps,
}

/// A finding that was told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Told {
    verdict: Verdict,
    title: String,
    path: String,
    commit: Option<String>,
    author: Option<String>,
    finding: Finding,
}

/// What a look at a repository gave, and what is to be remembered once it was reported.
pub struct Looked {
    /// What is new.
    pub outcome: Outcome,
    /// How it was looked at: `everything`, `3 new commits`, `2 changed rules`.
    pub how: String,
    memory: Memory,
    file: PathBuf,
}

impl Looked {
    /// Remembers what was reported. Called after the report is out: a run that dies before tells it again.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remember(&self) -> Result<()> {
        let failed = |cause: std::io::Error| {
            Error::unwritable(self.file.display(), cause).still("The next run tells the same findings again.")
        };
        let folder = self.file.parent().expect("because the file is in a folder of offkey's own");
        std::fs::create_dir_all(folder).map_err(failed)?;
        let text = serde_json::to_vec(&self.memory).expect("because a memory holds only text");
        let file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        std::fs::write(file.path(), text).map_err(failed)?;
        file.persist(&self.file).map(drop).map_err(|error| failed(error.error))
    }
}

/// Looks at what came to a repository since the last look.
///
/// # Errors
/// When the repository or what is remembered of it cannot be read.
pub fn watch(ask: &Ask, home: &Home) -> Result<Looked> {
    let (repo, rules) = (&ask.repo, &ask.rules);
    let top = survey::top(repo)?;
    let top = top.canonicalize().unwrap_or(top);
    let file = home.file("watch").join(format!("{}.json", hex(top.display().to_string().as_bytes())));
    let mut memory = recall(&file)?;
    let now = hashes(rules);
    let tips = tips(&top)?;
    let mut changes = Changes::open(&top)?;
    let mut parts = Parts::of(ask, Some(&changes), changes.head(), Some(home))?;
    let (mut fresh, mut how) = (Vec::new(), Vec::new());
    let mut coverage = Coverage::new(top.display().to_string(), "watch");

    // What may be readable now is read with all rules; what was told before is not told again.
    let heals = memory.as_ref().is_some_and(|memory| memory.gaps.changed(&top));
    let known = memory.as_ref().filter(|_| !heals).map(|memory| &memory.rules);
    let changed = changed(rules, known, &now);
    let (count, is_first) = (changed.rules().len(), changed.rules().len() == rules.rules().len());
    if count > 0 {
        how.push(if is_first { "everything".to_owned() } else { format!("{count} changed rules on everything") });
        let all = survey::survey(&top, Arc::new(changed), &parts.fingerprinter, parts.min_confidence)?;
        fresh.extend(surveyed(&all, &parts, &mut coverage)?);
    }
    let mut gaps = Gaps::default();
    match memory.as_mut().filter(|_| count == 0) {
        Some(memory) => {
            gaps = std::mem::take(&mut memory.gaps);
            gaps.tell(&mut coverage);
        }
        None => gaps.add(&top, &coverage),
    }
    let known = memory.as_ref().filter(|_| !is_first).map(|memory| ids(&memory.tips));
    let mut unread = false;
    if let Some(known) = known {
        let span = changes.since(&known, &ids(&tips))?;
        how.push(format!("{} new commits", span.len()));
        let mut search = parts.search();
        changes.committed(&span, &mut |change| search.take(change))?;
        let mut account = Coverage::default();
        fresh.extend(search.finish(&mut account)?);
        gaps.add(&top, &account);
        unread = changes.coverage.is_partial();
        coverage.absorb(account);
        coverage.absorb(std::mem::take(&mut changes.coverage));
        parts.notes.append(&mut changes.notes);
    }
    let memory = memory.unwrap_or_else(|| Memory::new(&top));
    let (judged, told) = news(&parts, fresh, memory.told)?;
    let tips = if unread { memory.tips } else { tips };
    let memory = Memory { tips, rules: now, told, gaps, ..Memory::new(&top) };
    let Parts { notes, keyed, .. } = parts;
    Ok(Looked { outcome: Outcome { judged, coverage, notes, keyed }, how: how.join(", "), memory, file })
}

impl Memory {
    fn new(top: &Path) -> Self {
        let (tips, rules, told, gaps) = Default::default();
        Self { schema: SCHEMA.to_owned(), repository: top.display().to_string(), tips, rules, told, gaps }
    }
}

fn ids(tips: &BTreeMap<String, String>) -> BTreeSet<Oid> {
    tips.values().filter_map(|id| Oid::from_str(id).ok()).collect()
}

fn recall(file: &Path) -> Result<Option<Memory>> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(Error::unreadable(file.display(), cause)),
    };
    let memory: Option<Memory> = serde_json::from_slice(&text).ok();
    memory.filter(|memory| memory.schema == SCHEMA).map(Some).ok_or_else(|| {
        Error::integrity(format!("{} is damaged or of another version", file.display()))
            .still("Nothing was changed.")
            .next("Remove it: the next run looks at everything again.")
    })
}

/// Every ref and its commit.
fn tips(top: &Path) -> Result<BTreeMap<String, String>> {
    let read = || -> Result<BTreeMap<String, String>, git2::Error> {
        let repository = Repository::open(top)?;
        let mut tips = BTreeMap::new();
        for one in repository.references()? {
            let one = one?;
            // What leads to no commit has no history: a tag of a tree, a broken ref.
            if let (Ok(name), Ok(commit)) = (one.name(), one.peel_to_commit()) {
                tips.insert(name.to_owned(), commit.id().to_string());
            }
        }
        Ok(tips)
    };
    read().map_err(|cause| Error::user(format!("the refs of {} cannot be read", top.display())).because(cause))
}

/// The hash of every rule, this program's version in it: a reader in code changes with the program.
fn hashes(rules: &RuleSet) -> BTreeMap<String, String> {
    let hash = |rule: &Rule| {
        let text = format!(
            "{}\0{}\0{:?}\0{:?}\0{:?}\0{:?}\0{:?}",
            env!("CARGO_PKG_VERSION"),
            rule.shape.regex(),
            rule.keywords,
            rule.confidence,
            rule.check,
            rule.min_entropy,
            rule.pair
        );
        hex(text.as_bytes())
    };
    rules.rules().iter().map(|rule| (rule.id.to_string(), hash(rule))).collect()
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)[..8])
}

/// Rules that are new or other than remembered; all of them when nothing is.
fn changed(rules: &RuleSet, known: Option<&BTreeMap<String, String>>, now: &BTreeMap<String, String>) -> RuleSet {
    let is_changed = |rule: &&Rule| known.is_none_or(|known| known.get(&*rule.id) != now.get(&*rule.id));
    RuleSet::new(rules.rules().iter().filter(is_changed).cloned().collect())
}

fn surveyed(survey: &Survey, parts: &Parts, into: &mut Coverage) -> Result<Vec<Judged>> {
    survey.coverage.iter().for_each(|one| into.absorb(one.clone()));
    let wanted = survey.places().filter(|place| !parts.excuses.excludes(&place.path));
    let judged = wanted.map(|place| {
        let judged = parts.judge(place.finding.clone(), &place.path, place.value.expose())?;
        Ok(Judged { commit: place.commit.map(str::to_owned), author: place.author.map(str::to_owned), ..judged })
    });
    judged.collect()
}

/// What is told now: findings that were never told, and told ones that went stale since. And all that was told by then.
fn news(parts: &Parts, fresh: Vec<Judged>, mut told: Vec<Told>) -> Result<(Vec<Judged>, Vec<Told>)> {
    let mut news = Vec::new();
    for one in told.iter_mut().filter(|one| one.verdict != Verdict::Stale) {
        let now = parts.judge(one.finding.clone(), &one.path, b"")?;
        if now.verdict == Verdict::Stale {
            one.verdict = now.verdict;
            let (title, commit, author) = (one.title.clone(), one.commit.clone(), one.author.clone());
            news.push(Judged { title, commit, author, ..now });
        }
    }
    let mut known: BTreeSet<(Fingerprint, String)> =
        told.iter().map(|one| (one.finding.fingerprint, one.path.clone())).collect();
    for one in fresh {
        if known.insert((one.finding.fingerprint, one.path.clone())) {
            told.push(Told::of(&one));
            news.push(one);
        }
    }
    news.sort_by_key(|one| (!one.blocks, one.verdict));
    Ok((news, told))
}

impl Told {
    fn of(one: &Judged) -> Self {
        Self {
            verdict: one.verdict,
            title: one.title.clone(),
            path: one.path.clone(),
            commit: one.commit.clone(),
            author: one.author.clone(),
            finding: one.finding.clone(),
        }
    }
}
