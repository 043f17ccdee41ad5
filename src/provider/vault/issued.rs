//! Log-in accounts and memberships of the leaver's entities, and what the audit log shows that they had issued: secret ids,
//! certificates, passwords of static roles.

use std::collections::{BTreeMap, BTreeSet};

use super::grant::Grant;
use super::owned::{Search, Trail};
use crate::finding::Liveness;
use crate::provider::Owned;
use crate::remote::{AuditRecord, Failure, bare_mount};
use crate::secret::SecretValue;

/// A call of the leaver by which the server issued something that is neither token nor lease.
pub(super) struct Issue {
    time: String,
    mount: String,
    path: String,
    /// Hashed texts of the answer: accessor or serial number is among them.
    hashes: Vec<String>,
    what: Issued,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Issued {
    SecretId,
    Certificate,
    SshCertificate,
    StaticPassword,
    /// Export or backup of a transit key.
    TransitKey,
    /// Plaintext of a data key.
    DataKey,
    /// The leaver wrote the password of a connection.
    DatabaseRoot,
}

impl Issue {
    /// What a record of the log says was issued.
    pub(super) fn of(record: &AuditRecord) -> Option<Self> {
        let within = record.path.strip_prefix(record.mount.as_str())?;
        let verb = within.split('/').next().unwrap_or("");
        let what = match (record.mount_type.as_str(), verb) {
            ("approle", _) if within.ends_with("/secret-id") || within.ends_with("/custom-secret-id") => {
                Issued::SecretId
            }
            ("pki", "issue" | "sign" | "sign-verbatim" | "issuer") => Issued::Certificate,
            ("ssh", "sign" | "issue") => Issued::SshCertificate,
            ("database", "static-creds") => Issued::StaticPassword,
            ("database", "config") => Issued::DatabaseRoot,
            ("transit", "export" | "backup") => Issued::TransitKey,
            ("transit", "datakey") if within.starts_with("datakey/plaintext/") => Issued::DataKey,
            _ => return None,
        };
        // Lists of secret ids have the same path.
        let wrote = matches!(record.operation.as_str(), "create" | "update");
        let read = matches!(what, Issued::StaticPassword | Issued::TransitKey) && record.operation == "read";
        (wrote || read).then(|| Self {
            time: record.time.clone(),
            mount: bare_mount(&record.mount),
            path: record.path.clone(),
            hashes: record.hashes.clone(),
            what,
        })
    }

    /// What it was made of: the role, the key, the connection.
    fn name(&self) -> Option<&str> {
        let mut parts = self.path.strip_prefix(self.mount.as_str())?.trim_matches('/').split('/').skip(1);
        match self.what {
            // The kind of key stands before the name, the version may stand behind it.
            Issued::TransitKey if !self.path[self.mount.len()..].starts_with("/backup/") => parts.nth(1),
            _ => parts.next(),
        }
    }
}

impl Search<'_> {
    /// Everything of this module.
    pub(super) async fn grants(&mut self, trail: &Trail) {
        let mut app_roles = self.logins().await;
        for issue in trail.issues.iter().filter(|issue| issue.what == Issued::SecretId) {
            app_roles.entry(issue.mount.clone()).or_default();
        }
        for (mount, ids) in app_roles {
            if let Err(failure) = self.secret_ids(trail, &mount, &ids).await {
                self.coverage.fail(format!("auth/{mount}/role"), failure.to_string());
            }
        }
        let mounts: BTreeSet<&str> = trail.of(Issued::Certificate).map(|issue| issue.mount.as_str()).collect();
        for mount in mounts {
            if let Err(failure) = self.certificates(trail, mount).await {
                self.coverage.fail(format!("{mount}/certs"), failure.to_string());
            }
        }
        for issue in trail.of(Issued::DataKey) {
            let why = format!(
                "they were given a data key on {}: what was encrypted with it has to be encrypted again, and no server knows where that is",
                issue.time
            );
            self.coverage.fail(&issue.path, why);
        }
        self.latest(trail, Issued::SshCertificate, "ssh-certificate", "SSH certificate", made).await;
        let exported = |time: &str| format!("the audit log shows that they exported it on {time}");
        self.latest(trail, Issued::TransitKey, "transit-key", "Transit key", exported).await;
        let set = |time: &str| format!("the audit log shows that they set its password on {time}");
        self.latest(trail, Issued::DatabaseRoot, "database-root", "Password of a database connection", set).await;
        self.static_roles(trail).await;
    }

    /// Userpass accounts and memberships of each entity. Returns the role ids that lead to them, by AppRole mount.
    async fn logins(&mut self) -> BTreeMap<String, BTreeMap<String, String>> {
        let mut app_roles: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (entity, reason) in self.entities.clone() {
            let logins = match self.access.vault.logins_of(&entity).await {
                Ok(logins) => logins,
                Err(failure) => {
                    self.coverage.fail(format!("entity {entity}"), failure.to_string());
                    continue;
                }
            };
            for login in logins {
                match login.kind.as_str() {
                    "userpass" => {
                        let locator = format!("user:{}/{}", login.mount, login.name);
                        self.grant("OpenBao user", locator, format!("it logs in as their entity ({reason})")).await;
                    }
                    "approle" => {
                        app_roles.entry(login.mount).or_default().insert(login.name, reason.clone());
                    }
                    _ => {}
                }
            }
            self.memberships(&entity).await;
        }
        app_roles
    }

    async fn memberships(&mut self, entity: &str) {
        let groups = match self.access.vault.entity(entity).await {
            Ok(facts) => facts.map(|facts| facts.groups).unwrap_or_default(),
            Err(failure) => return self.coverage.fail(format!("entity {entity}"), failure.to_string()),
        };
        for id in groups {
            match self.access.vault.group(&id).await {
                Ok(Some(group)) if group.external => {
                    let why = "its members come from an identity provider: the person has to be removed there";
                    self.coverage.skip(format!("group {}", group.name), why);
                }
                Ok(Some(group)) => {
                    let reason = format!("their entity is a member of {}", group.name);
                    self.grant("OpenBao group membership", format!("group:{id}/{entity}"), reason).await;
                }
                Ok(None) => {}
                Err(failure) => self.coverage.fail(format!("group {id}"), failure.to_string()),
            }
        }
    }

    /// Secret ids that they made, and all of roles that log in as them.
    async fn secret_ids(&mut self, trail: &Trail, mount: &str, ids: &BTreeMap<String, String>) -> Result<(), Failure> {
        let vault = self.access.vault.clone();
        for role in vault.app_roles(mount).await? {
            let theirs = ids.get(&vault.role_id(mount, &role).await?);
            for accessor in vault.secret_ids(mount, &role).await? {
                self.coverage.documents += 1;
                let reason = match theirs {
                    Some(reason) => Some(format!("its role logs in as their entity ({reason})")),
                    None => self.issued(trail, Issued::SecretId, &accessor).await?.map(|issue| made(&issue.time)),
                };
                if let Some(reason) = reason {
                    let locator = format!("secret-id:{mount}/{role}/{accessor}");
                    self.grant("OpenBao AppRole secret id", locator, reason).await;
                }
            }
        }
        Ok(())
    }

    async fn certificates(&mut self, trail: &Trail, mount: &str) -> Result<(), Failure> {
        let mut stored = BTreeSet::new();
        for serial in self.access.vault.certificates(mount).await? {
            self.coverage.documents += 1;
            if let Some(issue) = self.issued(trail, Issued::Certificate, &serial).await? {
                stored.insert(issue.hashes.as_slice());
                let reason = made(&issue.time);
                self.grant("OpenBao certificate", format!("certificate:{mount}/{serial}"), reason).await;
            }
        }
        for issue in trail.of(Issued::Certificate).filter(|issue| issue.mount == mount) {
            if !stored.contains(issue.hashes.as_slice()) {
                let why =
                    format!("issued for them on {}, but not stored: it cannot be revoked by its number", issue.time);
                self.coverage.fail(&issue.path, why);
            }
        }
        Ok(())
    }

    async fn static_roles(&mut self, trail: &Trail) {
        let read = |time: &str| format!("the audit log shows that they read its password on {time}");
        self.latest(trail, Issued::StaticPassword, "static-role", "Password of an OpenBao static role", read).await;
    }

    /// Of the calls that gave the same thing the last one counts: what is changed after it ends what they know.
    async fn latest(&mut self, trail: &Trail, what: Issued, kind: &str, label: &str, reason: impl Fn(&str) -> String) {
        let mut last: BTreeMap<String, &str> = BTreeMap::new();
        for issue in trail.of(what) {
            if let Some(name) = issue.name() {
                last.insert(format!("{}/{name}", issue.mount), &issue.time);
            }
        }
        for (name, time) in last {
            self.grant(label, format!("{kind}:{name}@{time}"), reason(time)).await;
        }
    }

    /// The call by which the leaver had this accessor or serial number issued: the log has it hashed.
    async fn issued<'t>(&self, trail: &'t Trail, what: Issued, name: &str) -> Result<Option<&'t Issue>, Failure> {
        if trail.of(what).next().is_none() {
            return Ok(None);
        }
        let hash = self.access.vault.audit_hash(&self.access.device, &SecretValue::new(name)).await?;
        Ok(trail.of(what).find(|issue| issue.hashes.contains(&hash)))
    }

    async fn grant(&mut self, label: &str, locator: String, reason: String) {
        let Some(grant) = Grant::of(&locator) else {
            return self.coverage.fail(locator, "its name cannot be told apart from its place");
        };
        let liveness = match grant.liveness(self.access).await {
            Ok(liveness) => liveness,
            Err(failure) => {
                self.coverage.fail(&locator, failure.to_string());
                Liveness::Unknown(failure.to_string())
            }
        };
        let (kind, id) = locator.split_once(':').unwrap_or(("", &locator));
        let facts = grant.by_hand(self.access).map(|todo| ("by hand".to_owned(), todo)).into_iter().collect();
        self.owned.push(Owned { at: self.access.target(kind, id), label: label.to_owned(), reason, facts, liveness });
    }
}

impl Trail {
    fn of(&self, what: Issued) -> impl Iterator<Item = &Issue> {
        self.issues.iter().filter(move |issue| issue.what == what)
    }
}

fn made(time: &str) -> String {
    format!("the audit log shows that they had it issued on {time}")
}
