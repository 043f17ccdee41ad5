//! What a person has at OpenBao or Vault beside tokens and leases: log-in accounts, memberships, secret ids of AppRoles,
//! certificates, and passwords that the database engine keeps. `vaultrs` has few of these calls, so all go through
//! [`Vault::ask`].

use serde_json::{Value, json};

use super::Failure;
use super::vault::Vault;

/// One way in which an entity logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginAlias {
    /// Mount without `auth/`: `userpass`.
    pub mount: String,
    /// Type of the mount: `userpass`, `approle`, `jwt` …
    pub kind: String,
    /// Name there: a user, for AppRoles the role id.
    pub name: String,
}

/// A group with its direct members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Its name.
    pub name: String,
    /// Its members come from an identity provider at each log-in; here they cannot be removed.
    pub external: bool,
    /// Ids of the entities in it.
    pub members: Vec<String>,
}

impl Vault {
    /// How an entity logs in.
    ///
    /// # Errors
    /// What failed.
    pub async fn logins_of(&self, entity: &str) -> Result<Vec<LoginAlias>, Failure> {
        let answer = self.ask("GET", &format!("identity/entity/id/{entity}"), None).await?;
        let all = answer["data"]["aliases"].as_array().cloned().unwrap_or_default();
        Ok(all
            .iter()
            .map(|alias| LoginAlias {
                mount: bare_mount(&text(&alias["mount_path"])),
                kind: text(&alias["mount_type"]),
                name: text(&alias["name"]),
            })
            .collect())
    }

    /// Whether a user of a userpass mount exists.
    ///
    /// # Errors
    /// What failed.
    pub async fn has_user(&self, mount: &str, name: &str) -> Result<bool, Failure> {
        let answer = absent(self.ask("GET", &format!("auth/{mount}/users/{name}"), None).await)?;
        Ok(!answer["data"].is_null())
    }

    /// Deletes a user of a userpass mount. Tokens that were made by its log-in live on; so does the entity.
    ///
    /// # Errors
    /// What failed.
    pub async fn delete_user(&self, mount: &str, name: &str) -> Result<(), Failure> {
        absent(self.ask("DELETE", &format!("auth/{mount}/users/{name}"), None).await).map(drop)
    }

    /// A group; `None` when there is none with this id.
    ///
    /// # Errors
    /// What failed.
    pub async fn group(&self, id: &str) -> Result<Option<GroupFacts>, Failure> {
        let answer = absent(self.ask("GET", &format!("identity/group/id/{id}"), None).await)?;
        let data = &answer["data"];
        Ok(data["id"].as_str().map(|_| GroupFacts {
            name: text(&data["name"]),
            external: data["type"].as_str() == Some("external"),
            members: texts(&data["member_entity_ids"]),
        }))
    }

    /// Sets the direct members of a group. The server has no check-and-set here: read, write, and read again.
    ///
    /// # Errors
    /// What failed.
    pub async fn set_members(&self, id: &str, members: &[String]) -> Result<(), Failure> {
        let body = json!({ "member_entity_ids": members });
        self.ask("POST", &format!("identity/group/id/{id}"), Some(&body)).await.map(drop)
    }

    /// Roles of an AppRole mount.
    ///
    /// # Errors
    /// What failed.
    pub async fn app_roles(&self, mount: &str) -> Result<Vec<String>, Failure> {
        let answer = absent(self.ask("LIST", &format!("auth/{mount}/role"), None).await)?;
        Ok(texts(&answer["data"]["keys"]))
    }

    /// The role id of an AppRole: the name of its alias.
    ///
    /// # Errors
    /// What failed.
    pub async fn role_id(&self, mount: &str, role: &str) -> Result<String, Failure> {
        let answer = absent(self.ask("GET", &format!("auth/{mount}/role/{role}/role-id"), None).await)?;
        Ok(text(&answer["data"]["role_id"]))
    }

    /// Accessors of the secret ids of an AppRole.
    ///
    /// # Errors
    /// What failed.
    pub async fn secret_ids(&self, mount: &str, role: &str) -> Result<Vec<String>, Failure> {
        let answer = absent(self.ask("LIST", &format!("auth/{mount}/role/{role}/secret-id"), None).await)?;
        Ok(texts(&answer["data"]["keys"]))
    }

    /// Whether a secret id exists.
    ///
    /// # Errors
    /// What failed.
    pub async fn has_secret_id(&self, mount: &str, role: &str, accessor: &str) -> Result<bool, Failure> {
        let body = json!({ "secret_id_accessor": accessor });
        let path = format!("auth/{mount}/role/{role}/secret-id-accessor/lookup");
        // An unknown one is a 404 with a sentence in `data` (seen with OpenBao 2.7).
        let answer = absent(self.ask("POST", &path, Some(&body)).await)?;
        Ok(answer["data"]["secret_id_accessor"].is_string())
    }

    /// Destroys a secret id. Tokens that were made with it live on.
    ///
    /// # Errors
    /// What failed.
    pub async fn destroy_secret_id(&self, mount: &str, role: &str, accessor: &str) -> Result<(), Failure> {
        let body = json!({ "secret_id_accessor": accessor });
        let path = format!("auth/{mount}/role/{role}/secret-id-accessor/destroy");
        match absent(self.ask("POST", &path, Some(&body)).await) {
            Err(failure) if failure.message().contains("failed to find accessor entry") => Ok(()),
            other => other.map(drop),
        }
    }

    /// Serial numbers of the certificates that a PKI mount stores, with colons.
    ///
    /// # Errors
    /// What failed.
    pub async fn certificates(&self, mount: &str) -> Result<Vec<String>, Failure> {
        let answer = absent(self.ask("LIST", &format!("{mount}/certs"), None).await)?;
        Ok(texts(&answer["data"]["keys"]).iter().map(|serial| serial.replace('-', ":")).collect())
    }

    /// When a certificate was revoked, seconds since 1970; 0: it was not. `None` when the mount does not store it.
    ///
    /// # Errors
    /// What failed.
    pub async fn revoked_at(&self, mount: &str, serial: &str) -> Result<Option<u64>, Failure> {
        let answer = absent(self.ask("GET", &format!("{mount}/cert/{serial}"), None).await)?;
        let stored = answer["data"]["certificate"].is_string();
        Ok(stored.then(|| answer["data"]["revocation_time"].as_u64().unwrap_or(0)))
    }

    /// Revokes a certificate; returns what the server warns of.
    ///
    /// # Errors
    /// What failed.
    pub async fn revoke_certificate(&self, mount: &str, serial: &str) -> Result<String, Failure> {
        let body = json!({ "serial_number": serial });
        let answer = self.ask("POST", &format!("{mount}/revoke"), Some(&body)).await?;
        Ok(texts(&answer["warnings"]).join("; "))
    }

    /// When the database engine last set the password of a static role, RFC 3339; `None` when there is no such role. The
    /// password is not asked for.
    ///
    /// # Errors
    /// What failed.
    pub async fn role_rotated(&self, mount: &str, role: &str) -> Result<Option<String>, Failure> {
        let answer = absent(self.ask("GET", &format!("{mount}/static-roles/{role}"), None).await)?;
        Ok(answer["data"]["last_vault_rotation"].as_str().map(str::to_owned))
    }

    /// Lets the database engine set a new password for a static role at once: the old one stops working, and who uses the
    /// role has to read it again.
    ///
    /// # Errors
    /// What failed.
    pub async fn rotate_role(&self, mount: &str, role: &str) -> Result<(), Failure> {
        self.ask("POST", &format!("{mount}/rotate-role/{role}"), None).await.map(drop)
    }
}

/// What is not there is an empty answer; a mount that is not there stays a failure.
pub(super) fn absent(result: Result<Value, Failure>) -> Result<Value, Failure> {
    match result {
        Err(failure) if failure.status() == Some(404) && !failure.message().contains("route") => Ok(Value::Null),
        other => other,
    }
}

/// `auth/userpass/` → `userpass`.
pub(crate) fn bare_mount(path: &str) -> String {
    let path = path.trim_matches('/');
    path.strip_prefix("auth/").unwrap_or(path).to_owned()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().map_or(Vec::new(), |all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}
