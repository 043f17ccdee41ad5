//! Everything at one server that is the leaver's: entities by alias, tokens by entity, and by the audit log the orphans
//! and leases that no entity leads to. What else they have is in `issued`.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::ControlFlow;

use super::VaultAccess;
use super::issued::Issue;
use crate::finding::Liveness;
use crate::identity::{AliasKind, Identity};
use crate::provider::Owned;
use crate::remote::{AuditRecord, EntityFacts, TokenFacts, read_audit_logs};
use crate::secret::SecretValue;
use crate::source::Coverage;

pub(super) async fn collect(access: &VaultAccess, identity: &Identity) -> (Vec<Owned>, Coverage) {
    let mut search = Search {
        access,
        coverage: Coverage::new(format!("provider {}", access.name), "vault-access"),
        owned: Vec::new(),
        entities: BTreeMap::new(),
    };
    search.entities(identity).await;
    let trail = search.trail();
    search.tokens(&trail).await;
    search.leases(&trail).await;
    search.grants(&trail).await;
    (search.owned, search.coverage)
}

pub(super) struct Search<'a> {
    pub(super) access: &'a VaultAccess,
    pub(super) coverage: Coverage,
    pub(super) owned: Vec<Owned>,
    /// Reason by entity id.
    pub(super) entities: BTreeMap<String, String>,
}

/// What the audit log says about the leaver's tokens.
#[derive(Default)]
pub(super) struct Trail {
    /// Accessors as the log writes them, of tokens that acted for the leaver's entities or were made by such tokens.
    accessors: HashSet<String>,
    /// Tokens made, with the time: orphans are among them.
    made: BTreeMap<String, String>,
    /// Leases made, with the time.
    leases: BTreeMap<String, String>,
    /// What else they had issued, oldest first.
    pub(super) issues: Vec<Issue>,
}

impl Search<'_> {
    async fn entities(&mut self, identity: &Identity) {
        let aliases = match self.access.vault.aliases().await {
            Ok(aliases) => aliases,
            Err(failure) => return self.coverage.fail("identity/entity-alias", failure.to_string()),
        };
        self.coverage.documents += aliases.len() as u64;
        for (alias, entity) in aliases {
            if let Some(reason) = whose(identity, &alias) {
                let reasons = self.entities.entry(entity).or_default();
                *reasons = if reasons.is_empty() { reason } else { format!("{reasons}, {reason}") };
            }
        }
        for (id, reason) in self.entities.clone() {
            match self.access.vault.entity(&id).await {
                Ok(Some(entity)) => self.owned.push(frozen(self.access, entity, reason)),
                Ok(None) => {}
                Err(failure) => self.coverage.fail(format!("entity {id}"), failure.to_string()),
            }
        }
    }

    /// Follows the leaver's tokens through the logs.
    fn trail(&mut self) -> Trail {
        let mut trail = Trail::default();
        if self.access.audit.is_empty() {
            self.coverage.skip("audit log", "no audit log is configured: orphan tokens and leases are not found");
            return trail;
        }
        let entities: BTreeSet<String> = self.entities.keys().cloned().collect();
        let read = read_audit_logs(&self.access.audit, &mut |record| {
            trail.follow(&entities, record);
            ControlFlow::Continue(())
        });
        self.coverage.documents += read.lines;
        self.coverage.bytes += read.bytes;
        for (place, why) in read.failed {
            self.coverage.fail(place, why);
        }
        trail
    }

    async fn tokens(&mut self, trail: &Trail) {
        let vault = &self.access.vault;
        let own = match vault.own_token().await {
            Ok(own) => own.accessor,
            Err(failure) => return self.coverage.fail("auth/token/lookup-self", failure.to_string()),
        };
        let accessors = match vault.accessors().await {
            Ok(accessors) => accessors,
            Err(failure) => return self.coverage.fail("auth/token/accessors", failure.to_string()),
        };
        self.coverage.documents += accessors.len() as u64;
        self.coverage.skip("batch tokens", "have no accessor: they end with their time to live");
        for accessor in accessors {
            let token = match vault.token_of(&accessor).await {
                Ok(Some(token)) => token,
                // It ended since the list was made.
                Ok(None) => continue,
                Err(failure) => {
                    self.coverage.fail(format!("accessor {accessor}"), failure.to_string());
                    continue;
                }
            };
            let Some(reason) = self.reason(&token, trail).await else { continue };
            if token.accessor == own {
                self.coverage.fail(format!("accessor {accessor}"), "offkey itself works with this token of the leaver");
                continue;
            }
            self.owned.push(held(self.access, token, reason));
        }
    }

    /// Why a token is the leaver's.
    async fn reason(&mut self, token: &TokenFacts, trail: &Trail) -> Option<String> {
        if let Some(reason) = self.entities.get(&token.entity) {
            return Some(format!("it acts for their entity ({reason})"));
        }
        // Only orphans act for nobody; the log writes their accessors hashed, and only the server can hash.
        if !token.entity.is_empty() || trail.made.is_empty() {
            return None;
        }
        let hash =
            match self.access.vault.audit_hash(&self.access.device, &SecretValue::new(token.accessor.as_str())).await {
                Ok(hash) => hash,
                Err(failure) => {
                    self.coverage.fail(format!("accessor {}", token.accessor), failure.to_string());
                    return None;
                }
            };
        let made = trail.made.get(&hash).or_else(|| trail.made.get(&token.accessor))?;
        Some(format!("the audit log shows that they made it on {made}"))
    }

    async fn leases(&mut self, trail: &Trail) {
        for (lease, time) in &trail.leases {
            match self.access.vault.has_lease(lease).await {
                Ok(true) => self.owned.push(Owned {
                    at: self.access.target("lease", lease),
                    label: "OpenBao lease".to_owned(),
                    reason: format!("the audit log shows that they took it on {time}"),
                    facts: BTreeMap::new(),
                    liveness: Liveness::Live,
                }),
                Ok(false) => {}
                Err(failure) => self.coverage.fail(format!("lease {lease}"), failure.to_string()),
            }
        }
    }
}

impl Trail {
    fn follow(&mut self, entities: &BTreeSet<String>, mut record: AuditRecord) {
        let theirs = entities.contains(&record.entity) || self.accessors.contains(&record.accessor);
        if let Some((entity, accessor)) = record.made.take() {
            let logged_in = entities.contains(&entity);
            if (theirs || logged_in) && !accessor.is_empty() {
                self.accessors.insert(accessor.clone());
                self.made.insert(accessor, record.time.clone());
            }
        }
        if theirs {
            self.issues.extend(Issue::of(&record));
            // Records of calls without a token have no accessor: those are nobody's.
            if !record.accessor.is_empty() {
                self.accessors.insert(record.accessor);
            }
            if let Some(lease) = record.lease {
                self.leases.insert(lease, record.time);
            }
        }
    }
}

/// Why an alias of the server is the leaver's.
fn whose(identity: &Identity, alias: &str) -> Option<String> {
    let (mount, name) = alias.rsplit_once('/')?;
    let stated = identity.of_kind(AliasKind::VaultAlias).any(|known| {
        let known = known.value.trim_matches('/');
        known.strip_prefix("auth/").unwrap_or(known).eq_ignore_ascii_case(alias)
    });
    if stated {
        return Some(format!("vault alias {alias}"));
    }
    if identity.owns_email(name) {
        return Some(format!("alias {alias} is their e-mail"));
    }
    identity.owns_login(mount, name).then(|| format!("alias {alias} is their login"))
}

fn frozen(access: &VaultAccess, entity: EntityFacts, reason: String) -> Owned {
    let mut facts = BTreeMap::from([("freeze".to_owned(), "tokens and log-ins are refused".to_owned())]);
    facts.insert("name".to_owned(), entity.name);
    facts.insert("aliases".to_owned(), entity.aliases.join(", "));
    facts.insert("groups".to_owned(), entity.groups.len().to_string());
    let disabled = || Liveness::Dead("the entity is disabled".to_owned());
    Owned {
        at: access.target("entity", &entity.id),
        label: "OpenBao entity".to_owned(),
        reason,
        facts,
        liveness: if entity.disabled { disabled() } else { Liveness::Live },
    }
}

fn held(access: &VaultAccess, token: TokenFacts, reason: String) -> Owned {
    let ttl = if token.ttl == 0 { "none".to_owned() } else { format!("{} s", token.ttl) };
    let facts = [
        ("display-name", token.display_name),
        ("path", token.path),
        ("policies", token.policies.join(", ")),
        ("time to live", ttl),
        ("orphan", token.orphan.to_string()),
    ];
    Owned {
        at: access.target("accessor", &token.accessor),
        label: "OpenBao token".to_owned(),
        reason,
        facts: facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect(),
        liveness: Liveness::Live,
    }
}
