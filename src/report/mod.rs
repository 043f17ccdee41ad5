//! A scan or a case in the form that somebody reads. One file a form.
//!
//! Invariant: nothing here decides anything; a report says what the case says. Values appear only in the forms of a scan,
//! and only when the caller passes `reveal`.

mod case_html;
mod case_json;
mod case_text;
mod gate_csv;
mod gate_json;
mod gate_text;
mod github;
mod gitlab_quality;
mod gitlab_secrets;
mod junit;
mod listing;
mod log_text;
mod markdown;
mod sarif;
mod scan_json;
mod scan_jsonl;
mod scan_text;
mod words;

/// A time stamp of a log as people read it, to the minute: `2026-11-22 09:14 UTC`.
fn moment(stamp: &str) -> String {
    match (stamp.get(..10), stamp.get(11..16)) {
        (Some(day), Some(time)) if stamp.ends_with('Z') => format!("{day} {time} UTC"),
        _ => stamp.to_owned(),
    }
}

#[cfg(test)]
mod tests;

pub use case_html::case_html;
pub use case_json::case_json;
pub use case_text::{case_text, plan_text, verdict_text};
pub use gate_csv::gate_csv;
pub use gate_json::{gate_json, gate_jsonl};
pub use gate_text::gate_text;
pub use github::github;
pub use gitlab_quality::gitlab_quality;
pub use gitlab_secrets::gitlab_secrets;
pub use junit::junit;
pub use listing::Listing;
pub use log_text::log_text;
pub use markdown::markdown;
pub use sarif::sarif;
pub use scan_json::scan_json;
pub use scan_jsonl::scan_jsonl;
pub use scan_text::scan_text;
pub use words::{Tame, counted, shown};

use std::collections::HashMap;
use std::path::Path;

use crate::attribution::{Exposure, Facts};
use crate::audit::{self, Entry, Verified};
use crate::case::{Case, Findings, Record, Request};
use crate::confirm::{Confirmation, Verdict};
use crate::error::Result;
use crate::finding::{self, Credential, Finding, Judged};
use crate::plan::{Disposition, Plan, Treatment};
use crate::rotation::{Execution, Journal};
use crate::rule::RuleSet;
use crate::secret::{Fingerprint, SecretValue};
use crate::source::{Coverage, Introduction, Provenance};

/// What a scan found, and what it read to find it.
pub struct Scan<'a> {
    /// Every distinct value.
    pub credentials: &'a [Credential],
    /// What is known about the places of git objects.
    pub facts: &'a Facts,
    /// The account of each source.
    pub coverage: &'a [Coverage],
    /// For the names of rules.
    pub rules: &'a RuleSet,
    /// Whether values are printed.
    pub reveal: bool,
}

impl Scan<'_> {
    /// The value as it may be printed: whole when revealed, otherwise only how long it is.
    fn value(&self, value: &SecretValue) -> String {
        if self.reveal {
            String::from_utf8_lossy(value.expose()).into_owned()
        } else {
            format!("[{} characters]", value.len())
        }
    }

    /// A part as it may be printed: names of users and hosts whole, an id only by its first letters unless revealed.
    fn part(&self, name: &str, text: &str) -> String {
        if self.reveal || !matches!(name, "key-id" | "id") {
            return text.to_owned();
        }
        let start: String = text.chars().take(4).collect();
        format!("{start}… [{} characters]", text.chars().count())
    }

    /// Commits that brought the object of a finding in; empty for everything but git blobs.
    fn introductions(&self, finding: &Finding) -> &[Introduction] {
        let Provenance::Git { repo, oid, .. } = &finding.location.provenance else { return &[] };
        self.facts.introductions.get(&(repo.clone(), oid.clone())).map_or(&[], Vec::as_slice)
    }

    /// Every finding in the form that pipelines read. A scan knows no policy: everything is new, and all of it counts.
    pub fn judged(&self) -> Vec<Judged> {
        let one = |finding: &Finding| {
            let first = self.introductions(finding).first();
            Judged {
                verdict: finding::Verdict::New,
                blocks: true,
                title: self.rules.name(&finding.rule).unwrap_or(&finding.kind).to_owned(),
                path: self.path(finding),
                commit: first.map(|first| first.by.commit.clone()),
                author: first.and_then(|first| first.by.author.display.clone().or(first.by.author.email.clone())),
                owner: None,
                why: "found by a scan".to_owned(),
                finding: finding.clone(),
            }
        };
        self.credentials.iter().flat_map(|credential| &credential.findings).map(one).collect()
    }

    /// Path that a tool would open: the file, the path in the repository, the raw file of an export.
    fn path(&self, finding: &Finding) -> String {
        match &finding.location.provenance {
            Provenance::Git { oid, inside, .. } => {
                let path = self.introductions(finding).first().map_or(oid.as_str(), |first| first.path.as_str());
                std::iter::once(path).chain(inside.iter().map(String::as_str)).collect::<Vec<_>>().join("!")
            }
            Provenance::Export { path, .. } => path.clone(),
            other => other.to_string(),
        }
    }
}

/// A case as reports see it: read once, never written.
pub struct CaseView {
    /// What was asked for.
    pub request: Request,
    /// What was found.
    pub findings: Findings,
    /// What should happen.
    pub plan: Plan,
    /// What happened so far.
    pub execution: Execution,
    /// What a second look said, if there was one.
    pub verdict: Option<Verdict>,
    /// The log.
    pub log: Vec<Entry>,
    /// What was checked of it and found in order.
    pub verified: Verified,
}

impl CaseView {
    /// Reads a case.
    ///
    /// # Errors
    /// When there is none, another process works on it, or it does not verify: a report says nothing that evidence denies.
    pub fn open(dir: &Path) -> Result<Self> {
        Case::is_there(dir)?;
        let verified = audit::verify(dir, None)?;
        let case = Case::open(dir)?;
        let plan = case.plan()?;
        let execution = Execution { steps: Journal::new(case.log(), &plan.digest()).states()? };
        Ok(Self {
            request: case.request()?,
            findings: case.findings()?,
            execution,
            verdict: case.verdict()?,
            log: case.log().entries()?,
            verified,
            plan,
        })
    }

    /// How much of the log is signed, and by whom.
    pub fn evidence(&self) -> String {
        let Verified { entries, signed, key_id, time, .. } = &self.verified;
        let entries = if *entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
        format!("a log of {entries}, in order; {signed} signed by key {key_id}, {}", moment(time))
    }

    fn record(&self, fingerprint: Option<Fingerprint>) -> Option<&Record> {
        self.findings.credentials.iter().find(|record| Some(record.fingerprint) == fingerprint)
    }

    fn exposures(&self, fingerprint: Option<Fingerprint>) -> impl Iterator<Item = &Exposure> {
        self.findings.exposures.iter().filter(move |exposure| Some(exposure.fingerprint) == fingerprint)
    }

    fn confirmation(&self, treatment: &Treatment) -> Option<&Confirmation> {
        self.verdict.as_ref()?.items.iter().find(|item| item.treatment == treatment.id)
    }

    /// Credentials that nothing ties to the leaver: found on the way, not treated in this case.
    fn others(&self) -> impl Iterator<Item = &Record> {
        let treated = |record: &&Record| self.plan.treatments.iter().any(|t| t.credential == Some(record.fingerprint));
        self.findings.credentials.iter().filter(move |record| !treated(record))
    }

    /// The state of an item in one word and one sentence.
    pub fn outcome(&self, treatment: &Treatment) -> (&'static str, String) {
        if let Some(item) = self.confirmation(treatment) {
            let evidence = format!("{:?}", item.evidence).to_lowercase();
            return match (&item.todo, item.closed) {
                (Some(todo), _) => ("open", todo.clone()),
                (None, true) => ("closed", format!("{evidence}{}", still(item.still_in_text))),
                (None, false) => ("open", "not confirmed".to_owned()),
            };
        }
        match &treatment.disposition {
            Disposition::Open { todo } | Disposition::HandOver { todo, .. } => ("open", todo.clone()),
            Disposition::LetExpire { by, signed } => ("open", waiting(by, *signed)),
            Disposition::Kept { by } => ("kept", format!("still theirs in another role: {by}")),
            Disposition::Waived { waiver, until } => ("waived", format!("waiver {waiver}, until {until}")),
            Disposition::AlreadyDead { proof } => ("closed", format!("its issuer rejects it already: {proof}")),
            Disposition::Expired { on } => {
                ("closed", format!("it ended by itself on {on}, as its issuer wrote into it"))
            }
            _ if self.execution.is_done(treatment) => ("done", "carried out, not confirmed yet".to_owned()),
            _ if treatment.steps.iter().any(|step| self.execution.steps.contains_key(&step.id)) => {
                ("begun", "apply again to go on".to_owned())
            }
            _ => ("planned", format!("{} steps, nothing done yet", treatment.steps.len())),
        }
    }
}

/// What is done about a value that ends by itself.
fn waiting(by: &str, signed: bool) -> String {
    match signed {
        true => format!(
            "it ends by itself on {by}, as its issuer wrote into it: end it there before, or confirm after that"
        ),
        false => format!("ends by itself until {by}: confirm after that"),
    }
}

fn still(places: usize) -> String {
    match places {
        0 => String::new(),
        1 => ", the dead value still stands in one place".to_owned(),
        many => format!(", the dead value still stands in {many} places"),
    }
}

/// A disposition as a verb.
fn verb(disposition: &Disposition) -> &'static str {
    match disposition {
        Disposition::Freeze => "freeze",
        Disposition::Revoke => "revoke",
        Disposition::Rotate => "rotate",
        Disposition::AlreadyDead { .. } => "dead already",
        Disposition::Expired { .. } => "expired",
        Disposition::Kept { .. } => "keep",
        Disposition::Waived { .. } => "waived",
        Disposition::LetExpire { .. } => "let expire",
        Disposition::HandOver { .. } => "hand over",
        Disposition::Open { .. } => "open item",
    }
}

/// Number of findings for each rule, most frequent first.
fn tally<'a>(findings: impl Iterator<Item = &'a Finding>) -> Vec<(&'a str, usize)> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for finding in findings {
        *counts.entry(&finding.rule).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    counts
}
