//! Who read what, from the audit log of OpenBao or Vault.
//!
//! A read of KV v2 is joined to a value by path and version, which the log has in clear. A value that was found in text is
//! joined by its hash, which the server makes (`sys/audit-hash`): no right to read any secret is needed for that.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::StoreRead;
use crate::action::Target;
use crate::remote::{AuditRecord, Vault, read_audit_logs};
use crate::secret::{Fingerprint, SecretValue};
use crate::source::Coverage;

/// The logs of one audit device, oldest first, and the server that wrote them.
pub(super) struct AuditLog<'a> {
    pub(super) vault: &'a Vault,
    pub(super) store: &'a str,
    pub(super) logs: &'a [PathBuf],
    pub(super) device: &'a str,
}

/// One reader of one version of one place; the time of the last read is kept beside it.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Seen {
    what: Option<Fingerprint>,
    path: String,
    version: String,
    entity: String,
    display_name: String,
}

impl AuditLog<'_> {
    /// Every read of a version under `mount`.
    pub(super) async fn reads(&self, mount: &str) -> (Vec<StoreRead>, Coverage) {
        let mut seen = BTreeMap::new();
        let mut coverage = self.coverage();
        self.scan(&mut coverage, &mut |record| {
            if record.mount == mount && record.version.is_some() {
                note(None, record, &mut seen);
            }
        })
        .await;
        let reads = self.named(seen, &mut coverage).await;
        (reads.into_iter().map(|(_, read)| read).collect(), coverage)
    }

    /// Every read that served one of these values, at whatever place.
    pub(super) async fn served(&self, found: &[(Fingerprint, SecretValue)]) -> (Vec<super::Served>, Coverage) {
        let mut coverage = self.coverage();
        let mut wanted: HashMap<String, Fingerprint> = HashMap::new();
        for (fingerprint, value) in found.iter().take(if self.logs.is_empty() { 0 } else { usize::MAX }) {
            match self.vault.audit_hash(self.device, value).await {
                Ok(hash) => drop(wanted.insert(hash, *fingerprint)),
                Err(failure) => {
                    // What fails for one value fails for all of them.
                    coverage.fail(format!("sys/audit-hash/{}", self.device), failure.to_string());
                    break;
                }
            }
        }
        let mut seen = BTreeMap::new();
        if !wanted.is_empty() {
            self.scan(&mut coverage, &mut |record| {
                let mut prints: Vec<_> = record.hashes.iter().filter_map(|hash| wanted.get(hash)).copied().collect();
                prints.sort_unstable();
                prints.dedup();
                for print in prints {
                    note(Some(print), record, &mut seen);
                }
            })
            .await;
        }
        let reads = self.named(seen, &mut coverage).await;
        (reads.into_iter().filter_map(|(what, read)| Some((what?, read))).collect(), coverage)
    }

    fn coverage(&self) -> Coverage {
        let format = if self.logs.is_empty() { "none" } else { "vault-audit" };
        Coverage::new(format!("audit log of {}", self.store), format)
    }

    /// Hands out every read that was not ours.
    async fn scan(&self, coverage: &mut Coverage, visit: &mut (dyn FnMut(&AuditRecord) + Send)) {
        if self.logs.is_empty() {
            return;
        }
        let ours = self.ours(coverage).await;
        let read = read_audit_logs(self.logs, &mut |record| {
            if record.operation == "read" && !ours.contains(&record.accessor) {
                visit(&record);
            }
            ControlFlow::Continue(())
        });
        coverage.documents = read.lines;
        coverage.bytes = read.bytes;
        if let Some(from) = read.from {
            coverage.skip(format!("before {from}"), "the audit log begins there: earlier reads are not known");
        }
        for (place, why) in read.failed {
            coverage.fail(place, why);
        }
    }

    /// Accessors, as the log writes them, of the token that we work with ourselves.
    async fn ours(&self, coverage: &mut Coverage) -> Vec<String> {
        let own = match self.vault.own_token().await {
            Ok(own) => own.accessor,
            Err(failure) => {
                coverage.fail("auth/token/lookup-self", failure.to_string());
                return Vec::new();
            }
        };
        let hash = self.vault.audit_hash(self.device, &SecretValue::new(own.as_str())).await;
        hash.into_iter().chain([own]).collect()
    }

    /// Turns entities into the names that people know.
    async fn named(
        &self,
        seen: BTreeMap<Seen, String>,
        coverage: &mut Coverage,
    ) -> Vec<(Option<Fingerprint>, StoreRead)> {
        let mut names: HashMap<String, Vec<String>> = HashMap::new();
        let mut reads = Vec::with_capacity(seen.len());
        for (who, time) in seen {
            if !who.entity.is_empty() && !names.contains_key(&who.entity) {
                let aliases = match self.vault.entity(&who.entity).await {
                    Ok(entity) => entity.map_or(Vec::new(), |entity| entity.aliases),
                    Err(failure) => {
                        coverage.fail(format!("entity {}", who.entity), failure.to_string());
                        Vec::new()
                    }
                };
                names.insert(who.entity.clone(), aliases);
            }
            let mut aliases = names.get(&who.entity).cloned().unwrap_or_default();
            // An entity that is gone, or a token without one: the name that the log shows.
            if aliases.is_empty() {
                aliases.push(if who.display_name.is_empty() { who.entity } else { who.display_name });
            }
            let at = Target { system: self.store.to_owned(), locator: who.path };
            reads.push((who.what, StoreRead { at, version: who.version, aliases, time }));
        }
        reads
    }
}

fn note(what: Option<Fingerprint>, record: &AuditRecord, seen: &mut BTreeMap<Seen, String>) {
    let who = Seen {
        what,
        path: path_of(record),
        version: record.version.map_or(String::new(), |version| version.to_string()),
        entity: record.entity.clone(),
        display_name: record.display_name.clone(),
    };
    seen.insert(who, record.time.clone());
}

/// `secret/data/shop/db` → `secret/shop/db` for KV v2; other paths stay.
fn path_of(record: &AuditRecord) -> String {
    let inside = record.path.strip_prefix(&record.mount).and_then(|rest| rest.strip_prefix("data/"));
    match inside.filter(|_| record.mount_type == "kv") {
        Some(path) => format!("{}{path}", record.mount),
        None => record.path.clone(),
    }
}
