//! What the live systems know: values they keep, reads in their logs, whose accounts found values open.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use serde_json::json;

use crate::action::Slot;
use crate::attribution::ReadEvent;
use crate::audit::Log;
use crate::detect::Needle;
use crate::error::Result;
use crate::finding::{Credential, Liveness, ends};
use crate::identity::{AliasKind, Identity};
use crate::plan::{Account, Known};
use crate::provider::{Owned, Subject};
use crate::rotation::Systems;
use crate::rule::RuleSet;
use crate::secret::{Fingerprint, Fingerprinter};
use crate::source::Coverage;
use crate::store::{Copied, Held, Holding, StoreRead};

/// Everything that the stores handed out in one run; dropped with it.
pub(super) struct HeldValues {
    held: Vec<(Fingerprint, Held)>,
    reads: Vec<StoreRead>,
    /// Entries that their stores never show.
    copies: Vec<Copied>,
    pub(super) coverage: Vec<Coverage>,
}

/// Reads every store. That values were read, and how many, is logged before they are used.
pub(super) async fn held(systems: &Systems, log: &Log, fingerprinter: &Fingerprinter) -> Result<HeldValues> {
    let mut all = HeldValues { held: Vec::new(), reads: Vec::new(), copies: Vec::new(), coverage: Vec::new() };
    for store in &systems.stores {
        let mut held = Vec::new();
        let coverage = store
            .inventory(&mut |one| {
                held.push((fingerprinter.fingerprint(one.value.expose()), one));
                ControlFlow::Continue(())
            })
            .await;
        match coverage {
            Ok(coverage) => all.coverage.push(coverage),
            Err(error) => all.coverage.push(unreachable(&format!("store {}", store.name()), store.label(), &error)),
        }
        let places: Vec<&str> = held.iter().map(|(_, one)| one.at.locator.as_str()).collect();
        log.append("values-read", json!({ "store": store.name(), "places": places }))?;
        all.held.extend(held);
        match store.reads().await {
            Ok((reads, coverage)) => {
                all.reads.extend(reads);
                if coverage.format != "none" {
                    all.coverage.push(coverage);
                }
            }
            Err(error) => all.coverage.push(unreachable(&format!("reads of {}", store.name()), store.label(), &error)),
        }
        match store.copies().await {
            Ok(copies) => all.copies.extend(copies),
            Err(error) => all.coverage.push(unreachable(&format!("copies in {}", store.name()), store.label(), &error)),
        }
    }
    all.copies_without_their_place();
    Ok(all)
}

/// A system that could not be asked is a gap, not the end of the sweep.
fn unreachable(what: &str, format: &str, error: &crate::error::Error) -> Coverage {
    let mut coverage = Coverage::new(what, format);
    let next = error.next_step().map(|next| format!(". {next}")).unwrap_or_default();
    coverage.fail(what, format!("{error}{next}"));
    coverage
}

impl HeldValues {
    /// A copy of something that no store shows would be forgotten when that is rotated: it is a gap.
    fn copies_without_their_place(&mut self) {
        let shown = |copy: &Copied| self.held.iter().any(|(_, held)| held.at == copy.of);
        let lost: Vec<Copied> = self.copies.iter().filter(|copy| !shown(copy)).cloned().collect();
        for copy in lost {
            let name = format!("copies in {}", copy.at.system);
            let mut gap = Coverage::new(&name, "copies");
            gap.fail(
                copy.at.locator.clone(),
                format!("it is a copy of {} by what offkey.toml says, and no store showed that place", copy.of),
            );
            self.coverage.push(gap);
        }
    }

    /// Every kept value as a needle, older versions too.
    pub(super) fn needles(&self) -> Vec<Needle> {
        let mut seen = HashSet::new();
        let fresh = self.held.iter().filter(|(fingerprint, _)| seen.insert(*fingerprint));
        // User names, hosts and addresses are kept beside secrets and say little about anybody.
        let secret = |held: &Held| !is_plain(&held.at.locator);
        fresh
            .filter(|(_, held)| secret(held))
            .map(|(_, held)| Needle { label: held.at.to_string(), value: held.value.clone() })
            .collect()
    }

    /// Reads joined with what was read.
    pub(super) fn reads(&self) -> Vec<ReadEvent> {
        let mut events = Vec::new();
        for read in &self.reads {
            // One read of an entry shows all of its fields.
            let same = |held: &Held| {
                held.at.system == read.at.system
                    && is_version(&held.version, &read.version)
                    && (held.at == read.at || held.at.locator.starts_with(&format!("{}#", read.at.locator)))
            };
            events.extend(self.held.iter().filter(|(_, held)| same(held) && !is_plain(&held.at.locator)).map(
                |(fingerprint, held)| ReadEvent {
                    fingerprint: *fingerprint,
                    aliases: read.aliases.clone(),
                    place: format!("{} version {}", held.at, read.version),
                    time: read.time.clone(),
                },
            ));
        }
        events
    }

    /// Asks the records of every store which place served a value that no store showed us, and to whom.
    pub(super) async fn served(
        &self,
        systems: &Systems,
        credentials: &[Credential],
        coverage: &mut Vec<Coverage>,
    ) -> Vec<ReadEvent> {
        let kept: HashSet<Fingerprint> = self.held.iter().map(|(fingerprint, _)| *fingerprint).collect();
        let unknown = credentials.iter().filter(|credential| !kept.contains(&credential.fingerprint));
        let found: Vec<_> = unknown.map(|credential| (credential.fingerprint, credential.value.clone())).collect();
        let mut events = Vec::new();
        for store in &systems.stores {
            match store.served(&found).await {
                Ok((served, account)) => {
                    events.extend(served.into_iter().map(|(fingerprint, read)| ReadEvent {
                        fingerprint,
                        aliases: read.aliases,
                        place: format!("{} version {}", read.at, read.version),
                        time: read.time,
                    }));
                    // The log itself was accounted for when it was read for its reads.
                    if account.is_partial() {
                        coverage.push(account);
                    }
                }
                Err(error) => {
                    coverage.push(unreachable(&format!("records of {}", store.name()), store.label(), &error));
                }
            }
        }
        events
    }

    /// Adds what the leaver read and what no text shows: reading is enough.
    pub(super) fn add_read_by(&self, identity: &Identity, reads: &[ReadEvent], credentials: &mut Vec<Credential>) {
        let theirs = |read: &&ReadEvent| read.aliases.iter().any(|alias| identity.has(AliasKind::VaultAlias, alias));
        let mut known: HashSet<Fingerprint> = credentials.iter().map(|c| c.fingerprint).collect();
        for read in reads.iter().filter(theirs) {
            if !known.insert(read.fingerprint) {
                continue;
            }
            if let Some((_, held)) = self.held.iter().find(|(fingerprint, _)| *fingerprint == read.fingerprint) {
                credentials.push(Credential {
                    fingerprint: read.fingerprint,
                    value: held.value.clone(),
                    kind: "password".to_owned(),
                    rule: format!("needle:{}", held.at),
                    confidence: 0.99,
                    findings: Vec::new(),
                    part_of: None,
                    liveness: None,
                });
            }
        }
    }

    /// Who reads an entry by the store's own records, by the first of his names; the leaver is no consumer.
    fn consumers(&self, held: &Held, leaver: &Identity) -> Vec<String> {
        let theirs = |read: &StoreRead| read.aliases.iter().any(|alias| leaver.has(AliasKind::VaultAlias, alias));
        let same = |read: &&StoreRead| {
            read.at.system == held.at.system
                && (read.at == held.at || held.at.locator.starts_with(&format!("{}#", read.at.locator)))
        };
        let reads = self.reads.iter().filter(same).filter(|read| !theirs(read));
        let names: BTreeSet<&String> = reads.filter_map(|read| read.aliases.first()).collect();
        names.into_iter().cloned().collect()
    }

    /// Where found values are kept.
    pub(super) fn holdings(&self, credentials: &[Credential], leaver: &Identity) -> Vec<Holding> {
        let found: HashSet<Fingerprint> = credentials.iter().map(|c| c.fingerprint).collect();
        let kept = self.held.iter().filter(|(fingerprint, _)| found.contains(fingerprint));
        let mut holdings: Vec<Holding> = kept
            .map(|(fingerprint, held)| Holding {
                at: held.at.clone(),
                version: held.version.clone(),
                current: held.slot == Slot::Current,
                fingerprint: *fingerprint,
                hints: held.hints.clone(),
                consumers: self.consumers(held, leaver),
                copy_of: None,
            })
            .collect();
        for copy in &self.copies {
            let source = holdings.iter().find(|held| held.at == copy.of && held.current);
            if let Some(fingerprint) = source.map(|source| source.fingerprint) {
                holdings.push(Holding {
                    at: copy.at.clone(),
                    version: copy.version.clone(),
                    current: true,
                    fingerprint,
                    hints: Vec::new(),
                    consumers: Vec::new(),
                    copy_of: Some(copy.of.clone()),
                });
            }
        }
        holdings
    }
}

/// Whether a log means this version. A store may put more behind the number, after an `@`, than its log knows.
fn is_version(held: &str, read: &str) -> bool {
    held == read || held.strip_prefix(read).is_some_and(|rest| rest.starts_with('@'))
}

/// Names of fields that hold no secret.
fn is_plain(locator: &str) -> bool {
    const PLAIN: &[&str] = &[
        "user", "username", "login", "host", "hostname", "port", "dbname", "database", "engine", "region", "name",
        "url", "addr", "address",
    ];
    let field = locator.rsplit('#').next().unwrap_or(locator).to_lowercase();
    let last = field.rsplit(['_', '.', '-']).next().unwrap_or(&field);
    PLAIN.contains(&last)
}

/// Asks every provider about every credential that is tied to the leaver: is it yours, and does it live?
pub(super) async fn accounts(
    systems: &Systems,
    credentials: &mut [Credential],
    tied: &HashSet<Fingerprint>,
    holdings: &[Holding],
    coverage: &mut Vec<Coverage>,
) -> Vec<Account> {
    let mut accounts = Vec::new();
    let mut failed: HashMap<String, Coverage> = HashMap::new();
    for credential in credentials.iter_mut().filter(|credential| tied.contains(&credential.fingerprint)) {
        let subject = subject(credential, holdings);
        for provider in &systems.providers {
            match provider.recognise(&subject, &credential.value).await {
                Ok(Some(at)) => {
                    let liveness = provider.validate(&at, &credential.value).await;
                    credential.liveness = Some(liveness.clone());
                    let (settable, issuable) = (provider.settable(&at), provider.issuable(&at));
                    let (fingerprint, overlaps) = (credential.fingerprint, provider.overlaps(&at));
                    accounts.push(Account { fingerprint, at, liveness, settable, issuable, overlaps });
                    break;
                }
                Ok(None) => {}
                Err(error) => {
                    let name = format!("provider {}", provider.name());
                    let gap = failed.entry(name.clone()).or_insert_with(|| Coverage::new(name, provider.label()));
                    gap.fail(credential.fingerprint.to_string(), error.to_string());
                    credential.liveness = Some(Liveness::Unknown(error.to_string()));
                }
            }
        }
    }
    coverage.extend(failed.into_values());
    accounts
}

/// Facts about a credential from its findings and from the fields beside it in stores.
fn subject(credential: &Credential, holdings: &[Holding]) -> Subject {
    let parts = credential.findings.iter().flat_map(|finding| finding.parts.iter().cloned());
    let hints =
        holdings.iter().filter(|h| h.fingerprint == credential.fingerprint).flat_map(|h| h.hints.iter().cloned());
    Subject { rule: credential.rule.clone(), facts: parts.chain(hints).collect() }
}

/// What the providers themselves know to be the leaver's.
pub(super) async fn owned(systems: &Systems, identity: &Identity, coverage: &mut Vec<Coverage>) -> Vec<Owned> {
    let mut all = Vec::new();
    for provider in &systems.providers {
        match provider.owned(identity).await {
            Ok((owned, account)) => {
                all.extend(owned);
                coverage.push(account);
            }
            Err(error) => {
                coverage.push(unreachable(&format!("provider {}", provider.name()), provider.label(), &error))
            }
        }
    }
    all
}

/// What a person calls each credential.
pub(super) fn labels(credentials: &[Credential], rules: &RuleSet) -> Vec<Known> {
    let label = |credential: &Credential| match credential.rule.strip_prefix("needle:") {
        Some(place) => format!("value kept at {place}"),
        None => rules.name(&credential.rule).unwrap_or(&credential.kind).to_owned(),
    };
    credentials
        .iter()
        .map(|credential| Known {
            fingerprint: credential.fingerprint,
            label: label(credential),
            kinds: [credential.kind.clone(), credential.rule.clone()],
            confidence: credential.confidence,
            places: credential.findings.len(),
            ends: ends(&credential.value).map(|time| time.to_string()[..10].to_owned()),
        })
        .collect()
}
