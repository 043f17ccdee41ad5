//! A transit key that somebody has exported: new version, ciphertexts wrapped again, old versions refused.
//!
//! Whoever has the key reads what it encrypted and forges what it signed. Raising the oldest version that the server accepts
//! ends the second, and for the first the ciphertexts have to be wrapped again before; so the person who configures offkey
//! says where they lie (KV version 2). Ciphertexts that lie elsewhere would be lost: without that list offkey leaves the
//! key to a person.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::action::{ActionError, Receipt};
use crate::clock;
use crate::remote::{Failure, TransitKey, Vault, is_cas_mismatch};

/// How often an entry is read again when it changes under us.
const RACES: usize = 4;

/// The newest version that existed at that time. Times of the server have whole seconds: a version of the same second counts.
pub(super) fn known(key: &TransitKey, exported: Timestamp) -> u64 {
    let older = key.versions.iter().filter(|(_, made)| made.as_second() <= exported.as_second());
    older.map(|(number, _)| *number).max().unwrap_or(0)
}

/// The proof that the exported versions are worth nothing to the server any more.
pub(super) async fn ended(
    vault: &Vault,
    mount: &str,
    name: &str,
    exported: Timestamp,
) -> Result<Option<String>, Failure> {
    let Some(key) = vault.transit_key(mount, name).await? else {
        return Ok(Some("the mount has no such key".to_owned()));
    };
    let oldest = key.versions.first().map_or(0, |(number, _)| *number);
    let refused = known(&key, exported) == 0 && key.encrypts_from >= oldest;
    Ok(refused.then(|| format!("the server accepts version {oldest} and newer, all made after that")))
}

/// Ends it.
pub(super) async fn end(
    vault: &Vault,
    mount: &str,
    name: &str,
    exported: Timestamp,
    rewrap: &[String],
) -> Result<Receipt, ActionError> {
    let looking = |failure: Failure| ActionError::looking(&failure);
    let changing = |failure: Failure| ActionError::changing(&failure);
    let gone = || ActionError::Conflict(format!("the key {mount}/{name} is gone"));
    let mut key = vault.transit_key(mount, name).await.map_err(looking)?.ok_or_else(gone)?;
    // A version that is made in the second of the export cannot be told from the exported ones: then another one is made.
    for _ in 0..2 {
        if known(&key, exported) == key.latest {
            tokio::time::sleep(until_next_second(exported)).await;
            vault.rotate_transit_key(mount, name).await.map_err(changing)?;
            key = vault.transit_key(mount, name).await.map_err(looking)?.ok_or_else(gone)?;
        }
    }
    if known(&key, exported) == key.latest {
        let why = format!("the server's clock makes the new version of {mount}/{name} older than the export");
        return Err(ActionError::Stuck(why));
    }
    vault.limit_transit_key(mount, name, "min_encryption_version", key.latest).await.map_err(changing)?;
    let mut wrapped = 0;
    for folder in rewrap {
        wrapped += wrap_folder(vault, mount, name, folder, key.latest).await?;
    }
    vault.limit_transit_key(mount, name, "min_decryption_version", key.latest).await.map_err(changing)?;
    Ok(Receipt::of("ciphertexts wrapped again", wrapped.to_string())
        .and("oldest version accepted", key.latest.to_string())
        .and("not known here", "ciphertexts outside of the configured folders, and in older versions of entries"))
}

/// Waits for a second that is not the one of the export; not at all when that has passed.
fn until_next_second(exported: Timestamp) -> Duration {
    if clock::now().as_second() > exported.as_second() { Duration::ZERO } else { Duration::from_millis(1100) }
}

/// Whether the configured folders are where the ciphertexts can be.
pub(super) async fn preflight(vault: &Vault, folders: &[String]) -> Result<(), ActionError> {
    for folder in folders {
        let folder = folder.trim_matches('/');
        let kv = kv_of(vault, folder).await?;
        let below = format!("{kv}/data/{}", folder.strip_prefix(kv.as_str()).unwrap_or("").trim_matches('/'));
        let below = below.trim_end_matches('/').to_owned();
        // A folder, or a single entry.
        let paths = [format!("{below}/any"), below];
        let granted = vault.capabilities(&paths).await.map_err(|failure| ActionError::looking(&failure))?;
        for right in ["read", "patch"] {
            if !granted.iter().flatten().any(|has| has == "root" || has == right) {
                return Err(ActionError::Refused(format!("rewrap: our token lacks {right} on {}", paths[0])));
            }
        }
    }
    Ok(())
}

/// Mount of a folder, which has to be KV version 2.
async fn kv_of(vault: &Vault, folder: &str) -> Result<String, ActionError> {
    let found = vault.mount_of(folder).await.map_err(|failure| ActionError::looking(&failure))?;
    let fits = found.filter(|(_, kind, version)| kind == "kv" && version == "2");
    let unfit = || ActionError::Refused(format!("rewrap: {folder} is not in a mount of KV version 2 that we may see"));
    fits.map(|(mount, _, _)| mount.trim_end_matches('/').to_owned()).ok_or_else(unfit)
}

async fn wrap_folder(vault: &Vault, mount: &str, name: &str, folder: &str, latest: u64) -> Result<u64, ActionError> {
    let looking = |failure: Failure| ActionError::looking(&failure);
    let folder = folder.trim_matches('/');
    let kv = kv_of(vault, folder).await?;
    let kv = kv.as_str();
    let root = folder.strip_prefix(kv).unwrap_or("").trim_matches('/');
    let mut todo = vec![root.to_owned()];
    let mut wrapped = 0;
    while let Some(path) = todo.pop() {
        let names = vault.kv_list(kv, &path).await.map_err(looking)?;
        if names.is_empty() && !path.is_empty() {
            wrapped += wrap_entry(vault, (mount, name), kv, &path, latest).await?;
        }
        for below in names {
            let whole = if path.is_empty() { below } else { format!("{path}/{below}") };
            match whole.strip_suffix('/') {
                Some(folder) => todo.push(folder.to_owned()),
                None => wrapped += wrap_entry(vault, (mount, name), kv, &whole, latest).await?,
            }
        }
    }
    Ok(wrapped)
}

/// Wraps what one entry has of this key again, under check-and-set.
async fn wrap_entry(
    vault: &Vault,
    (mount, name): (&str, &str),
    kv: &str,
    path: &str,
    latest: u64,
) -> Result<u64, ActionError> {
    for _ in 0..RACES {
        let content = vault.kv_read(kv, path, None).await.map_err(|failure| ActionError::looking(&failure))?;
        let Some(content) = content else { return Ok(0) };
        let mut fresh = BTreeMap::new();
        for old in ciphertexts(&content.fields, latest) {
            let new = vault.rewrap(mount, name, &old).await.map_err(|failure| ActionError::looking(&failure))?;
            new.map(|new| fresh.insert(old, new));
        }
        let Some(patch) = patch(&content.fields, &fresh) else { return Ok(0) };
        match vault.kv_patch(kv, path, content.version, &Value::Object(patch)).await {
            Ok(_) => return Ok(fresh.len() as u64),
            Err(failure) if is_cas_mismatch(&failure) => {}
            Err(failure) => return Err(ActionError::changing(&failure)),
        }
    }
    Err(ActionError::Unavailable { why: format!("{kv}/{path} keeps changing under us"), retry_after: None })
}

/// Every `vault:vN:…` of an older version than `latest`.
fn ciphertexts(fields: &Map<String, Value>, latest: u64) -> Vec<String> {
    fn collect(value: &Value, latest: u64, found: &mut Vec<String>) {
        match value {
            Value::String(text) => {
                let number = text.strip_prefix("vault:v").and_then(|rest| rest.split_once(':')?.0.parse::<u64>().ok());
                if number.is_some_and(|number| number < latest) && !found.contains(text) {
                    found.push(text.clone());
                }
            }
            Value::Array(all) => all.iter().for_each(|one| collect(one, latest, found)),
            Value::Object(all) => all.values().for_each(|one| collect(one, latest, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    fields.values().for_each(|value| collect(value, latest, &mut found));
    found
}

/// The merge patch that puts the fresh texts in place of the old ones; `None` when nothing changes.
fn patch(fields: &Map<String, Value>, fresh: &BTreeMap<String, String>) -> Option<Map<String, Value>> {
    let changed: Map<String, Value> =
        fields.iter().filter_map(|(name, value)| Some((name.clone(), change(value, fresh)?))).collect();
    (!changed.is_empty()).then_some(changed)
}

fn change(value: &Value, fresh: &BTreeMap<String, String>) -> Option<Value> {
    match value {
        Value::String(text) => fresh.get(text).map(|new| Value::from(new.as_str())),
        Value::Object(fields) => patch(fields, fresh).map(Value::Object),
        // A merge patch replaces lists as a whole.
        Value::Array(all) => {
            let new: Vec<Option<Value>> = all.iter().map(|one| whole(one, fresh)).collect();
            let any = new.iter().any(Option::is_some);
            any.then(|| all.iter().zip(new).map(|(old, new)| new.unwrap_or_else(|| old.clone())).collect())
        }
        _ => None,
    }
}

/// Like [`change`], with the unchanged fields kept: inside a list there is no merging.
fn whole(value: &Value, fresh: &BTreeMap<String, String>) -> Option<Value> {
    match value {
        Value::Object(fields) => {
            let new: Vec<(&String, Option<Value>)> =
                fields.iter().map(|(name, value)| (name, whole(value, fresh))).collect();
            let any = new.iter().any(|(_, value)| value.is_some());
            let kept = |name: &String| fields.get(name).cloned().unwrap_or(Value::Null);
            any.then(|| new.into_iter().map(|(name, new)| (name.clone(), new.unwrap_or_else(|| kept(name)))).collect())
        }
        other => change(other, fresh),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_older_ciphertexts_are_changed_and_lists_stay_whole() {
        let Value::Object(fields) = json!({
            "a": "vault:v1:eA==", "b": "vault:v2:eA==", "c": "plain", "deep": { "d": "vault:v1:eQ==", "n": 5 },
            "list": [{ "keep": 1, "e": "vault:v1:eA==" }, "other"], "same": [1, 2],
        }) else {
            panic!("an object")
        };
        let old = ciphertexts(&fields, 2);
        assert_eq!(old, ["vault:v1:eA==", "vault:v1:eQ=="]);
        let fresh = old.into_iter().map(|old| (old.clone(), old.replace("v1", "v2"))).collect();
        let patch = patch(&fields, &fresh).map(Value::Object);
        let list = json!([{ "keep": 1, "e": "vault:v2:eA==" }, "other"]);
        assert_eq!(patch, Some(json!({ "a": "vault:v2:eA==", "deep": { "d": "vault:v2:eQ==" }, "list": list })));
        assert_eq!(super::patch(&fields, &BTreeMap::new()), None);
    }

    #[test]
    fn versions_made_until_the_export_are_known() {
        let at = |second: i64| Timestamp::from_second(second).expect("a time");
        let key = TransitKey { versions: vec![(1, at(10)), (2, at(20)), (3, at(30))], latest: 3, encrypts_from: 0 };
        assert_eq!((known(&key, at(9)), known(&key, at(10)), known(&key, at(29)), known(&key, at(40))), (0, 1, 2, 3));
    }
}
