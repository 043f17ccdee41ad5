//! What a leaver has beside tokens, leases and entities, each ended by one call that can be observed.

use jiff::Timestamp;

use crate::action::{ActionError, Receipt};
use crate::finding::Liveness;
use crate::remote::{Failure, TokenFacts, Vault};

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
            "static-role" => {
                let (role, read) = last.rsplit_once('@')?;
                Self::StaticRole { mount: before, role, read: read.parse().ok()? }
            }
            _ => return None,
        })
    }

    /// Name of the kind, in names of actions.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Member { .. } => "membership",
            Self::SecretId { .. } => "secret-id",
            Self::Certificate { .. } => "certificate",
            Self::StaticRole { .. } => "static-role",
        }
    }

    /// Path and right that ending it needs.
    pub(super) fn needs(&self) -> (String, &'static str) {
        match self {
            Self::User { mount, name } => (format!("auth/{mount}/users/{name}"), "delete"),
            Self::Member { group, .. } => (format!("identity/group/id/{group}"), "update"),
            Self::SecretId { mount, role, .. } => {
                (format!("auth/{mount}/role/{role}/secret-id-accessor/destroy"), "update")
            }
            Self::Certificate { mount, .. } => (format!("{mount}/revoke"), "update"),
            Self::StaticRole { mount, role, .. } => (format!("{mount}/rotate-role/{role}"), "update"),
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
    pub(super) async fn ended(&self, vault: &Vault) -> Result<Option<String>, Failure> {
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
        })
    }

    /// The same as a finding's state.
    pub(super) async fn liveness(&self, vault: &Vault) -> Result<Liveness, Failure> {
        Ok(self.ended(vault).await?.map_or(Liveness::Live, Liveness::Dead))
    }

    /// Ends it and looks that it has ended.
    pub(super) async fn end(&self, vault: &Vault) -> Result<Receipt, ActionError> {
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
        }
        match self.ended(vault).await.map_err(|failure| ActionError::looking(&failure))? {
            Some(proof) => Ok(Receipt::of(self.kind(), proof)),
            // Whoever revokes a certificate that has expired is warned, and nothing is recorded.
            None if said.contains("expired") => Ok(Receipt::of(self.kind(), said)),
            None => Err(ActionError::Unknown(format!("the server agreed, but the {} is still there", self.kind()))),
        }
    }
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
        assert_eq!(role.map(|role| role.needs().0), Some("database/rotate-role/shop".to_owned()));
        for wrong in ["static-role:database/shop@yesterday", "secret-id:ci/a", "entity:x", "user:alice"] {
            assert_eq!(Grant::of(wrong), None, "{wrong}");
        }
    }
}
