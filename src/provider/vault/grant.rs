//! What a leaver has beside tokens, leases and entities, each ended by one call that can be observed.

use std::ops::ControlFlow;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{VaultAccess, transit};
use crate::action::{ActionError, Receipt};
use crate::clock;
use crate::finding::Liveness;
use crate::remote::{Failure, TokenFacts, Vault, read_audit_logs};

/// One of them, as its locator names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grant<'a> {
    /// `user:userpass/alice`.
    User { mount: &'a str, name: &'a str },
    /// `group:GROUP/ENTITY`: the membership, not the group.
    Member { group: &'a str, entity: &'a str },
    /// `secret-id:approle/ci/ACCESSOR`.
    SecretId { mount: &'a str, role: &'a str, accessor: &'a str },
    /// `certificate:pki/SERIAL`.
    Certificate { mount: &'a str, serial: &'a str },
    /// `static-role:database/shop@TIME`: the password that was read at that time.
    StaticRole { mount: &'a str, role: &'a str, read: Timestamp },
    /// `transit-key:transit/orders@TIME`: the versions that were exported at that time.
    TransitKey { mount: &'a str, key: &'a str, exported: Timestamp },
    /// `database-root:database/shop@TIME`: the password of the connection, set by a person at that time.
    DatabaseRoot { mount: &'a str, connection: &'a str, set: Timestamp },
    /// `ssh-certificate:ssh/admin@TIME`: signed at that time.
    SshCertificate { mount: &'a str, role: &'a str, signed: Timestamp },
}

impl<'a> Grant<'a> {
    /// Reads a locator.
    pub(super) fn of(locator: &'a str) -> Option<Self> {
        let (kind, rest) = locator.split_once(':')?;
        let (before, last) = rest.rsplit_once('/')?;
        Some(match kind {
            "user" => Self::User { mount: before, name: last },
            "group" => Self::Member { group: before, entity: last },
            "secret-id" => {
                let (mount, role) = before.rsplit_once('/')?;
                Self::SecretId { mount, role, accessor: last }
            }
            "certificate" => Self::Certificate { mount: before, serial: last },
            "static-role" | "transit-key" | "database-root" | "ssh-certificate" => {
                let (name, time) = last.rsplit_once('@')?;
                Self::dated(kind, before, name, time.parse().ok()?)
            }
            _ => return None,
        })
    }

    fn dated(kind: &str, mount: &'a str, name: &'a str, time: Timestamp) -> Self {
        match kind {
            "transit-key" => Self::TransitKey { mount, key: name, exported: time },
            "database-root" => Self::DatabaseRoot { mount, connection: name, set: time },
            "ssh-certificate" => Self::SshCertificate { mount, role: name, signed: time },
            _ => Self::StaticRole { mount, role: name, read: time },
        }
    }

    /// Name of the kind, in names of actions.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Member { .. } => "membership",
            Self::SecretId { .. } => "secret-id",
            Self::Certificate { .. } => "certificate",
            Self::StaticRole { .. } => "static-role",
            Self::TransitKey { .. } => "transit-key",
            Self::DatabaseRoot { .. } => "database-root",
            Self::SshCertificate { .. } => "ssh-certificate",
        }
    }

    /// Paths and rights that ending it needs.
    pub(super) fn needs(&self) -> Vec<(String, &'static str)> {
        let one = |path: String, right| vec![(path, right)];
        match self {
            Self::User { mount, name } => one(format!("auth/{mount}/users/{name}"), "delete"),
            Self::Member { group, .. } => one(format!("identity/group/id/{group}"), "update"),
            Self::SecretId { mount, role, .. } => {
                one(format!("auth/{mount}/role/{role}/secret-id-accessor/destroy"), "update")
            }
            Self::Certificate { mount, .. } => one(format!("{mount}/revoke"), "update"),
            Self::StaticRole { mount, role, .. } => one(format!("{mount}/rotate-role/{role}"), "update"),
            Self::TransitKey { mount, key, .. } => {
                let paths = [format!("keys/{key}/rotate"), format!("keys/{key}/config"), format!("rewrap/{key}")];
                paths.into_iter().map(|path| (format!("{mount}/{path}"), "update")).collect()
            }
            Self::DatabaseRoot { mount, connection, .. } => one(format!("{mount}/rotate-root/{connection}"), "update"),
            Self::SshCertificate { .. } => Vec::new(),
        }
    }

    /// What a person has to do where offkey must not or cannot act.
    pub(super) fn by_hand(&self, access: &VaultAccess) -> Option<String> {
        match self {
            Self::TransitKey { mount, key, .. } if access.rewrap.is_none() => Some(format!(
                "the key {mount}/{key} was exported: name the KV folders with its ciphertexts as `rewrap` of {} in \
                 offkey.toml (an empty list when there are none), then sweep again",
                access.name
            )),
            Self::DatabaseRoot { mount, connection, .. }
                if !access.rotate_root.contains(&format!("{mount}/{connection}")) =>
            {
                Some(format!(
                    "nobody would know the new password of the connection {mount}/{connection}: when its database has \
                     another administrator, name it in `rotate_root` of {} in offkey.toml, then sweep again",
                    access.name
                ))
            }
            Self::SshCertificate { mount, role, .. } => Some(format!(
                "the server cannot take back a certificate that {mount}/{role} signed: put it on the revocation list of the \
                 hosts (`RevokedKeys`), or wait until it has expired, then sweep again"
            )),
            _ => None,
        }
    }

    /// Whether offkey itself came in by it.
    pub(super) fn is_of(&self, own: &TokenFacts) -> bool {
        match self {
            Self::User { mount, name } => own.path == format!("auth/{mount}/login/{name}"),
            Self::Member { entity, .. } => !own.entity.is_empty() && own.entity == *entity,
            _ => false,
        }
    }

    /// Whether it has ended: the proof in words, or `None`.
    pub(super) async fn ended(&self, access: &VaultAccess) -> Result<Option<String>, Failure> {
        let vault = &access.vault;
        let gone = |is: bool, words: &str| (!is).then(|| words.to_owned());
        Ok(match *self {
            Self::User { mount, name } => gone(vault.has_user(mount, name).await?, "the server has no such user"),
            Self::Member { group, entity } => {
                let members = vault.group(group).await?.map(|group| group.members).unwrap_or_default();
                gone(members.iter().any(|member| member == entity), "the group does not list the entity")
            }
            Self::SecretId { mount, role, accessor } => {
                gone(vault.has_secret_id(mount, role, accessor).await?, "the server has no such secret id")
            }
            Self::Certificate { mount, serial } => match vault.revoked_at(mount, serial).await? {
                None => Some("the mount stores no such certificate".to_owned()),
                Some(0) => None,
                Some(time) => Some(format!("revoked at {time} (seconds since 1970)")),
            },
            Self::StaticRole { mount, role, read } => match vault.role_rotated(mount, role).await? {
                None => Some("the engine has no such role".to_owned()),
                Some(time) => {
                    let newer = time.parse::<Timestamp>().is_ok_and(|rotated| rotated > read);
                    newer.then(|| format!("the engine set another password on {time}"))
                }
            },
            Self::TransitKey { mount, key, exported } => transit::ended(vault, mount, key, exported).await?,
            Self::DatabaseRoot { mount, connection, set } => match vault.database_user(mount, connection).await? {
                None => Some("the engine has no such connection".to_owned()),
                Some(_) => root_rotated(&access.audit, &format!("{mount}/rotate-root/{connection}"), set)
                    .map(|time| format!("the engine set a password that it alone knows on {time}")),
            },
            Self::SshCertificate { mount, role, signed } => match vault.ssh_longest(mount, role).await? {
                None => None,
                Some(seconds) => {
                    let end = signed.as_second().saturating_add(seconds);
                    let over = end < clock::now().as_second();
                    over.then(|| format!("it has expired, {seconds} seconds after it was signed at the latest"))
                }
            },
        })
    }

    /// The same as a finding's state.
    pub(super) async fn liveness(&self, access: &VaultAccess) -> Result<Liveness, Failure> {
        Ok(self.ended(access).await?.map_or(Liveness::Live, Liveness::Dead))
    }

    /// Ends it and looks that it has ended.
    pub(super) async fn end(&self, access: &VaultAccess) -> Result<Receipt, ActionError> {
        if let Some(todo) = self.by_hand(access) {
            return Err(ActionError::Refused(todo));
        }
        let vault = &access.vault;
        let mut receipt = Receipt::default();
        let changing = |failure: Failure| ActionError::changing(&failure);
        let mut said = String::new();
        match *self {
            Self::User { mount, name } => vault.delete_user(mount, name).await.map_err(changing)?,
            Self::Member { group, entity } => leave(vault, group, entity).await?,
            Self::SecretId { mount, role, accessor } => {
                vault.destroy_secret_id(mount, role, accessor).await.map_err(changing)?;
            }
            Self::Certificate { mount, serial } => {
                said = vault.revoke_certificate(mount, serial).await.map_err(changing)?;
            }
            Self::StaticRole { mount, role, .. } => vault.rotate_role(mount, role).await.map_err(changing)?,
            Self::TransitKey { mount, key, exported } => {
                let folders = access.rewrap.as_deref().unwrap_or_default();
                receipt = transit::end(vault, mount, key, exported, folders).await?;
            }
            Self::DatabaseRoot { mount, connection, .. } => {
                vault.rotate_root(mount, connection).await.map_err(changing)?;
            }
            Self::SshCertificate { .. } => {}
        }
        match self.ended(access).await.map_err(|failure| ActionError::looking(&failure))? {
            Some(proof) => Ok(receipt.and(self.kind(), proof)),
            // Whoever revokes a certificate that has expired is warned, and nothing is recorded.
            None if said.contains("expired") => Ok(Receipt::of(self.kind(), said)),
            None => Err(ActionError::Unknown(format!("the server agreed, but the {} is still there", self.kind()))),
        }
    }
}

/// When the engine was last told to set the password of a connection, after `since`, by the audit log: it is the only record.
fn root_rotated(logs: &[PathBuf], path: &str, since: Timestamp) -> Option<String> {
    let mut last = None;
    read_audit_logs(logs, &mut |record| {
        if record.path == path && record.time.parse::<Timestamp>().is_ok_and(|time| time > since) {
            last = Some(record.time);
        }
        ControlFlow::Continue(())
    });
    last
}

/// Takes one entity out of a group and leaves the others in it.
async fn leave(vault: &Vault, group: &str, entity: &str) -> Result<(), ActionError> {
    let Some(before) = vault.group(group).await.map_err(|failure| ActionError::looking(&failure))? else {
        return Ok(());
    };
    if before.external {
        return Err(ActionError::Stuck(format!(
            "the members of {} come from an identity provider: remove the person there",
            before.name
        )));
    }
    let others: Vec<String> = before.members.into_iter().filter(|member| member != entity).collect();
    vault.set_members(group, &others).await.map_err(|failure| ActionError::changing(&failure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locators_name_one_thing_each_and_mounts_may_have_slashes() {
        assert_eq!(Grant::of("user:team/userpass/alice"), Some(Grant::User { mount: "team/userpass", name: "alice" }));
        let secret_id = Grant::SecretId { mount: "approle", role: "ci", accessor: "a-b" };
        assert_eq!(Grant::of("secret-id:approle/ci/a-b"), Some(secret_id));
        assert_eq!(
            Grant::of("certificate:pki/11:be:78"),
            Some(Grant::Certificate { mount: "pki", serial: "11:be:78" })
        );
        let role = Grant::of("static-role:database/shop@2026-11-01T08:00:00Z");
        assert_eq!(role.map(|role| role.needs()), Some(vec![("database/rotate-role/shop".to_owned(), "update")]));
        let key = Grant::of("transit-key:team/transit/orders@2026-11-01T08:00:00Z").expect("a key");
        assert_eq!((key.kind(), key.needs()[0].0.as_str()), ("transit-key", "team/transit/keys/orders/rotate"));
        for wrong in ["static-role:database/shop@yesterday", "secret-id:ci/a", "entity:x", "user:alice"] {
            assert_eq!(Grant::of(wrong), None, "{wrong}");
        }
    }
}
