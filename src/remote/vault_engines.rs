//! Calls of OpenBao's and Vault's engines that keep keys: transit, SSH, and the connection of the database engine.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Failure;
use super::vault::Vault;
use super::vault_grants::absent;

/// A key of a transit mount. The key itself is never part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransitKey {
    /// Versions that still decrypt or verify, with the time of their making, oldest first.
    pub versions: Vec<(u64, Timestamp)>,
    /// The newest version.
    pub latest: u64,
    /// Oldest version that encrypts or signs when it is asked for; 0: every one.
    pub encrypts_from: u64,
}

impl Vault {
    /// A transit key; `None` when there is none.
    ///
    /// # Errors
    /// What failed.
    pub async fn transit_key(&self, mount: &str, key: &str) -> Result<Option<TransitKey>, Failure> {
        let answer = absent(self.ask("GET", &format!("{mount}/keys/{key}"), None).await)?;
        let data = &answer["data"];
        let (Some(latest), Some(keys)) = (data["latest_version"].as_u64(), data["keys"].as_object()) else {
            return Ok(None);
        };
        let strange =
            || Failure::Strange { place: self.place(), why: "times of key versions were expected".to_owned() };
        let mut versions = Vec::new();
        for (number, made) in keys {
            // Seconds for symmetric keys, a text beside the public half for the others.
            let time = match made {
                Value::Number(seconds) => seconds.as_i64().and_then(|seconds| Timestamp::from_second(seconds).ok()),
                other => other["creation_time"].as_str().and_then(|text| text.parse().ok()),
            };
            versions.push((number.parse().map_err(|_| strange())?, time.ok_or_else(strange)?));
        }
        versions.sort_unstable();
        Ok(Some(TransitKey { versions, latest, encrypts_from: data["min_encryption_version"].as_u64().unwrap_or(0) }))
    }

    /// Makes a new version of a transit key; the older ones still decrypt.
    ///
    /// # Errors
    /// What failed.
    pub async fn rotate_transit_key(&self, mount: &str, key: &str) -> Result<(), Failure> {
        self.ask("POST", &format!("{mount}/keys/{key}/rotate"), None).await.map(drop)
    }

    /// Sets `min_encryption_version` or `min_decryption_version` of a transit key.
    ///
    /// # Errors
    /// What failed.
    pub async fn limit_transit_key(&self, mount: &str, key: &str, limit: &str, version: u64) -> Result<(), Failure> {
        self.ask("POST", &format!("{mount}/keys/{key}/config"), Some(&json!({ limit: version }))).await.map(drop)
    }

    /// The same content under the newest version of the key; `None` when the text is no ciphertext of this key, or of
    /// a version that it does not open any more.
    ///
    /// # Errors
    /// What failed.
    pub async fn rewrap(&self, mount: &str, key: &str, ciphertext: &str) -> Result<Option<String>, Failure> {
        let body = json!({ "ciphertext": ciphertext });
        match self.ask("POST", &format!("{mount}/rewrap/{key}"), Some(&body)).await {
            Ok(answer) => match answer["data"]["ciphertext"].as_str() {
                Some(text) => Ok(Some(text.to_owned())),
                None => Err(Failure::Strange { place: self.place(), why: "a ciphertext was expected".to_owned() }),
            },
            Err(failure) if failure.status() == Some(400) && is_of_another_key(failure.message()) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Mount of a path with a slash at its end, type and version of that mount; `None` when the server does not tell.
    ///
    /// # Errors
    /// What failed.
    pub async fn mount_of(&self, path: &str) -> Result<Option<(String, String, String)>, Failure> {
        let answer = absent(self.ask("GET", &format!("sys/internal/ui/mounts/{path}"), None).await)?;
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        Ok(text("/data/path").map(|mount| {
            (mount, text("/data/type").unwrap_or_default(), text("/data/options/version").unwrap_or_default())
        }))
    }

    /// The longest that a certificate of an SSH role may be valid, in seconds: what the role allows or what the mount allows,
    /// whichever is more (the role may have been changed since); `None` when there is no such role.
    ///
    /// # Errors
    /// What failed.
    pub async fn ssh_longest(&self, mount: &str, role: &str) -> Result<Option<i64>, Failure> {
        let answer = absent(self.ask("GET", &format!("{mount}/roles/{role}"), None).await)?;
        if answer["data"].is_null() {
            return Ok(None);
        }
        let tuned = self.ask("GET", &format!("sys/mounts/{mount}/tune"), None).await?;
        let longest = [&answer["data"]["max_ttl"], &answer["data"]["ttl"], &tuned["data"]["max_lease_ttl"]];
        Ok(longest.into_iter().filter_map(Value::as_i64).max())
    }

    /// The user with which a connection of the database engine logs in; `None` when there is no such connection.
    ///
    /// # Errors
    /// What failed.
    pub async fn database_user(&self, mount: &str, connection: &str) -> Result<Option<String>, Failure> {
        let answer = absent(self.ask("GET", &format!("{mount}/config/{connection}"), None).await)?;
        let details = &answer["data"]["connection_details"];
        Ok(details.is_object().then(|| details["username"].as_str().unwrap_or("").to_owned()))
    }

    /// Lets the database engine give the user of a connection a password that nobody else knows.
    ///
    /// # Errors
    /// What failed.
    pub async fn rotate_root(&self, mount: &str, connection: &str) -> Result<(), Failure> {
        self.ask("POST", &format!("{mount}/rotate-root/{connection}"), None).await.map(drop)
    }
}

/// What the server says to a ciphertext that another key made, or that it has refused to open for longer (seen with
/// OpenBao 2.7: the version is looked at before the key).
fn is_of_another_key(said: &str) -> bool {
    ["message authentication failed", "version is too new", "disallowed by policy (too old)", "invalid ciphertext"]
        .iter()
        .any(|words| said.contains(words))
}
