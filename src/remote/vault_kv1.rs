//! Calls of KV version 1, and which version a mount has. Version 1 knows no versions and no check-and-set: a write replaces
//! the whole entry.

use serde_json::{Map, Value};

use super::Failure;
use super::vault::Vault;
use super::vault_grants::absent;

impl Vault {
    /// The version of a KV mount: 1 or 2; `None` when the server does not tell our token.
    ///
    /// # Errors
    /// What failed; a refusal is no failure.
    pub async fn kv_mount_version(&self, mount: &str) -> Result<Option<u64>, Failure> {
        match self.ask("GET", &format!("sys/internal/ui/mounts/{mount}"), None).await {
            Ok(answer) if answer["data"]["type"] == "kv" => {
                Ok(answer["data"]["options"]["version"].as_str().map_or(Some(1), |version| version.parse().ok()))
            }
            Ok(_) => Ok(None),
            Err(failure) if matches!(failure.status(), Some(403 | 404)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// An entry of KV version 1; `None` when there is none.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv1_read(&self, mount: &str, path: &str) -> Result<Option<Map<String, Value>>, Failure> {
        let mut answer = absent(self.ask("GET", &format!("{mount}/{path}"), None).await)?;
        match answer["data"].take() {
            Value::Object(fields) => Ok(Some(fields)),
            _ => Ok(None),
        }
    }

    /// Replaces a whole entry of KV version 1.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv1_write(&self, mount: &str, path: &str, fields: &Map<String, Value>) -> Result<(), Failure> {
        let body = Value::Object(fields.clone());
        self.ask("POST", &format!("{mount}/{path}"), Some(&body)).await.map(drop)
    }

    /// Names under a folder of KV version 1; folders end with a slash.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv1_list(&self, mount: &str, folder: &str) -> Result<Vec<String>, Failure> {
        let path = format!("{mount}/{folder}");
        let answer = absent(self.ask("LIST", path.trim_end_matches('/'), None).await)?;
        let keys = answer["data"]["keys"].as_array();
        Ok(keys.into_iter().flatten().filter_map(|key| key.as_str().map(str::to_owned)).collect())
    }

    /// Deletes an entry of KV version 1; one that is not there is a success.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv1_delete(&self, mount: &str, path: &str) -> Result<(), Failure> {
        absent(self.ask("DELETE", &format!("{mount}/{path}"), None).await).map(drop)
    }
}
