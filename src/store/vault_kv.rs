//! OpenBao and Vault KV version 2.
//!
//! A locator is `mount/path#field`. A version is `number@fence`: the number of the server, and the beginning of the value's
//! keyed fingerprint. The fence is what a promotion compares: two fields of one entry can be rotated one after the other
//! although the first one moves the number, and a value that somebody else replaced is never overwritten. Between reading
//! and writing the server's check-and-set fences.
//!
//! New values wait under the pending folder of the same mount, one path an operation and place, written with `cas=0` (create
//! only), removed when the old versions are destroyed.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::json::{self as fields};
use super::masked::{is_masked, must_be_value};
use super::vault_reads::AuditLog;
use super::{Held, Store, StoreRead, StoreStep, Supply, no_own_rotation};
use crate::action::{Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Slot, Target, Work};
use crate::error::{Error, Result};
use crate::remote::{Content, Vault, is_cas_mismatch};
use crate::secret::{Fingerprint, Fingerprinter, SecretValue};
use crate::source::Coverage;

/// How many older versions of an entry an inventory reads.
const OLDER: usize = 5;

/// How often a promotion reads again when other fields of the entry change under it.
const RACES: usize = 4;

/// A KV v2 mount, or folders of one.
pub struct VaultKv {
    name: String,
    vault: Arc<Vault>,
    mount: String,
    folders: Vec<String>,
    pending: String,
    fingerprinter: Fingerprinter,
    audit: Vec<PathBuf>,
    device: String,
}

/// Path inside the mount, and field.
struct Place<'a> {
    path: &'a str,
    field: &'a str,
}

impl VaultKv {
    /// The store `name` on `mount`. Only `folders` are read in an inventory (all when empty); `pending` is the folder for
    /// waiting values, which consumers should not be able to read.
    pub fn new(
        name: impl Into<String>,
        vault: Arc<Vault>,
        mount: impl Into<String>,
        folders: Vec<String>,
        pending: impl Into<String>,
        fingerprinter: Fingerprinter,
    ) -> Self {
        let clean = |text: String| text.trim_matches('/').to_owned();
        Self {
            name: name.into(),
            vault,
            mount: clean(mount.into()),
            folders: folders.into_iter().map(clean).collect(),
            pending: clean(pending.into()),
            fingerprinter,
            audit: Vec::new(),
            device: String::new(),
        }
    }

    /// Tells the store where the audit device `device` writes its logs, oldest first.
    #[must_use]
    pub fn with_audit(mut self, logs: Vec<PathBuf>, device: impl Into<String>) -> Self {
        self.audit = logs;
        self.device = device.into();
        self
    }

    fn log(&self) -> AuditLog<'_> {
        AuditLog { vault: &self.vault, store: &self.name, logs: &self.audit, device: &self.device }
    }

    fn place<'a>(&self, at: &'a Target) -> Result<Place<'a>, ActionError> {
        let inside = at.locator.strip_prefix(self.mount.as_str()).and_then(|rest| rest.strip_prefix('/'));
        let parts =
            inside.and_then(|rest| rest.rsplit_once('#')).filter(|(path, field)| !path.is_empty() && !field.is_empty());
        let (path, field) = parts.ok_or_else(|| {
            ActionError::Refused(format!("{} is not of the form {}/path#field", at.locator, self.mount))
        })?;
        Ok(Place { path, field })
    }

    /// Folder of everything that waits for one place.
    fn waiting_room(&self, at: &Target) -> String {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(at.locator.as_bytes()));
        format!("{}/{}", self.pending, &digest[..16])
    }

    fn fence(&self, value: &str) -> String {
        data_encoding::HEXLOWER.encode(&self.fingerprinter.fingerprint(value.as_bytes()).as_bytes()[..8])
    }

    fn version(&self, number: u64, value: &str) -> String {
        format!("{number}@{}", self.fence(value))
    }

    async fn content(&self, path: &str, version: Option<u64>) -> Result<Option<Content>, ActionError> {
        self.vault.kv_read(&self.mount, path, version).await.map_err(|failure| ActionError::looking(&failure))
    }

    async fn staged(&self, at: &Target, op: Uuid) -> Result<Option<String>, ActionError> {
        let waiting = self.content(&format!("{}/{op}", self.waiting_room(at)), None).await?;
        Ok(waiting.and_then(|waiting| waiting.fields.get("value")?.as_str().map(str::to_owned)))
    }

    /// Value of a version; when that version is gone, the same value in a version that still has it.
    async fn at_version(&self, place: &Place<'_>, version: &str) -> Result<Option<String>, ActionError> {
        let (number, fence) = split_version(version)?;
        let fits = |content: Content| {
            let value = fields::get(&content.fields, place.field)?.to_owned();
            fence.is_none_or(|fence| self.fence(&value) == fence).then_some(value)
        };
        if let Some(value) = self.content(place.path, Some(number)).await?.and_then(fits) {
            return Ok(Some(value));
        }
        if fence.is_none() {
            return Ok(None);
        }
        let versions = self.vault.kv_versions(&self.mount, place.path).await;
        let versions = versions.map_err(|failure| ActionError::looking(&failure))?;
        for other in versions.into_iter().flat_map(|versions| versions.kept).rev().filter(|other| *other > number) {
            if let Some(value) = self.content(place.path, Some(other)).await?.and_then(fits) {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    async fn put_aside(&self, at: &Target, op: Uuid, value: &str) -> Result<bool, ActionError> {
        if is_masked(value) {
            return Err(ActionError::Refused("an empty or masked text is not a new value".to_owned()));
        }
        let path = format!("{}/{op}", self.waiting_room(at));
        let mut entry = Map::new();
        entry.insert("value".to_owned(), json!(value));
        entry.insert("for".to_owned(), json!(at.locator));
        match self.vault.kv_write(&self.mount, &path, 0, entry).await {
            Ok(_) => Ok(true),
            Err(failure) if is_cas_mismatch(&failure) => Ok(false),
            Err(failure) => Err(ActionError::changing(&failure)),
        }
    }

    async fn others_waiting(&self, at: &Target, op: Uuid) -> Result<Option<String>, ActionError> {
        let waiting = self.vault.kv_list(&self.mount, &self.waiting_room(at)).await;
        let waiting = waiting.map_err(|failure| ActionError::looking(&failure))?;
        Ok(waiting.into_iter().find(|other| *other != op.to_string()))
    }

    /// Walks the folders; calls `visit` for every value.
    async fn walk(
        &self,
        coverage: &mut Coverage,
        visit: &mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Result<()> {
        // A mount of version 1 answers calls of version 2 with "nothing here", which must not be taken for an empty store.
        if self.vault.kv_mount_version(&self.mount).await.ok().flatten() == Some(1) {
            return Err(Error::config(format!("the store {}: {} is KV version 1", self.name, self.mount))
                .still("Nothing was changed.")
                .next("Write type = \"vault-kv1\" for this store in offkey.toml."));
        }
        let roots = if self.folders.is_empty() { vec![String::new()] } else { self.folders.clone() };
        let mut todo: Vec<String> = Vec::new();
        for root in roots {
            let listed = self.vault.kv_list(&self.mount, &root).await;
            let listed = listed.map_err(|failure| {
                Error::remote(format!("the store {} cannot be listed at {}/{root}", self.name, self.mount))
                    .because(failure)
                    .still("Nothing was changed.")
                    .next("Check address, token and mount of this store in offkey.toml.")
            })?;
            // A configured name may be an entry instead of a folder.
            if listed.is_empty() && !root.is_empty() {
                todo.push(root);
            } else {
                todo.extend(listed.into_iter().rev().map(|entry| join(&root, &entry)));
            }
        }
        while let Some(path) = todo.pop() {
            if path.trim_end_matches('/') == self.pending {
                continue;
            }
            if !path.ends_with('/') {
                if self.entry(&path, coverage, visit).await.is_break() {
                    return Ok(());
                }
                continue;
            }
            match self.vault.kv_list(&self.mount, path.trim_end_matches('/')).await {
                Ok(listed) => todo.extend(listed.into_iter().rev().map(|entry| join(&path, &entry))),
                Err(failure) => coverage.fail(format!("{}/{path}", self.mount), failure.to_string()),
            }
        }
        Ok(())
    }

    async fn entry(
        &self,
        path: &str,
        coverage: &mut Coverage,
        visit: &mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> ControlFlow<()> {
        let shown = format!("{}/{path}", self.mount);
        let current = match self.vault.kv_read(&self.mount, path, None).await {
            Ok(Some(content)) => content,
            Ok(None) => {
                coverage.skip(shown, "newest version deleted");
                return ControlFlow::Continue(());
            }
            Err(failure) => {
                coverage.fail(shown, failure.to_string());
                return ControlFlow::Continue(());
            }
        };
        coverage.documents += 1;
        let newest = current.version;
        self.hand_out(path, &current, true, coverage, visit)?;
        if newest < 2 {
            return ControlFlow::Continue(());
        }
        let kept = match self.vault.kv_versions(&self.mount, path).await {
            Ok(versions) => versions.map_or(Vec::new(), |versions| versions.kept),
            Err(failure) => {
                coverage.fail(format!("{shown} (older versions)"), failure.to_string());
                return ControlFlow::Continue(());
            }
        };
        let older: Vec<u64> = kept.into_iter().rev().filter(|version| *version < newest).collect();
        for version in older.iter().take(OLDER) {
            match self.vault.kv_read(&self.mount, path, Some(*version)).await {
                Ok(Some(content)) => self.hand_out(path, &content, false, coverage, visit)?,
                Ok(None) => {}
                Err(failure) => coverage.fail(format!("{shown} version {version}"), failure.to_string()),
            }
        }
        if older.len() > OLDER {
            coverage.skip(shown, "versions older than the newest six");
        }
        ControlFlow::Continue(())
    }

    fn hand_out(
        &self,
        path: &str,
        content: &Content,
        current: bool,
        coverage: &mut Coverage,
        visit: &mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> ControlFlow<()> {
        let all = fields::leaves(&content.fields);
        for leaf in &all {
            coverage.bytes += leaf.value.len() as u64;
            let version = self.version(content.version, &leaf.value);
            visit(Held {
                at: Target { system: self.name.clone(), locator: format!("{}/{path}#{}", self.mount, leaf.field) },
                slot: if current { Slot::Current } else { Slot::Version(version.clone()) },
                version,
                value: SecretValue::from(leaf.value.clone()),
                hints: fields::hints(&leaf.field, &all, &content.fields),
            })?;
        }
        ControlFlow::Continue(())
    }
}

fn join(folder: &str, entry: &str) -> String {
    if folder.is_empty() { entry.to_owned() } else { format!("{}/{entry}", folder.trim_end_matches('/')) }
}

fn split_version(version: &str) -> Result<(u64, Option<&str>), ActionError> {
    let (number, fence) = match version.split_once('@') {
        Some((number, fence)) => (number, Some(fence)),
        None => (version, None),
    };
    let number =
        number.parse().map_err(|_| ActionError::Refused(format!("{version} is not a version of a KV entry")))?;
    Ok((number, fence))
}

impl Store for VaultKv {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "OpenBao KV v2"
    }

    fn inventory<'a>(
        &'a self,
        visit: &'a mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Pending<'a, Result<Coverage>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("store {}", self.name), "vault-kv2");
            self.walk(&mut coverage, visit).await?;
            Ok(coverage)
        })
    }

    fn read<'a>(&'a self, at: &'a Target, slot: &'a Slot) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async move {
            let place = self.place(at)?;
            let value = match slot {
                Slot::Current => self
                    .content(place.path, None)
                    .await?
                    .and_then(|content| fields::get(&content.fields, place.field).map(str::to_owned)),
                Slot::Staged(op) => self.staged(at, *op).await?,
                Slot::Version(version) => self.at_version(&place, version).await?,
            };
            Ok(value.map(SecretValue::from))
        })
    }

    fn stage<'a>(&'a self, at: &'a Target, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            self.place(at)?;
            let text = value.expose_str().ok_or_else(|| ActionError::Refused("the value is not text".to_owned()))?;
            if self.put_aside(at, op, text).await? || self.staged(at, op).await?.as_deref() == Some(text) {
                return Ok(());
            }
            Err(ActionError::Conflict(format!("another value waits for {at} under the same operation")))
        })
    }

    fn reads<'a>(&'a self) -> Pending<'a, Result<(Vec<StoreRead>, Coverage)>> {
        Box::pin(async move { Ok(self.log().reads(&format!("{}/", self.mount)).await) })
    }

    fn served<'a>(
        &'a self,
        found: &'a [(Fingerprint, SecretValue)],
    ) -> Pending<'a, Result<(Vec<super::Served>, Coverage)>> {
        Box::pin(async move { Ok(self.log().served(found).await) })
    }

    fn action<'a>(&'a self, at: &'a Target, step: StoreStep) -> Box<dyn Action + 'a> {
        Box::new(KvAction { store: self, at, step })
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let place = self.place(at)?;
            if let Some(fault) = self.vault.clock_fault().await {
                return Err(ActionError::Refused(fault));
            }
            let room = self.waiting_room(at);
            let mount = &self.mount;
            let needs: [(String, &[&str]); 6] = [
                (format!("{mount}/data/{}", place.path), &["read"]),
                (format!("{mount}/data/{}", place.path), &["patch", "update"]),
                (format!("{mount}/metadata/{}", place.path), &["read"]),
                (format!("{mount}/destroy/{}", place.path), &["update"]),
                (format!("{mount}/data/{room}/op"), &["create"]),
                (format!("{mount}/metadata/{room}/op"), &["delete"]),
            ];
            let paths: Vec<String> = needs.iter().map(|(path, _)| path.clone()).collect();
            let granted = self.vault.capabilities(&paths).await.map_err(|failure| ActionError::looking(&failure))?;
            for ((path, wanted), has) in needs.iter().zip(granted) {
                if !has.iter().any(|right| right == "root" || wanted.contains(&right.as_str())) {
                    let wanted = wanted.join(" or ");
                    return Err(ActionError::Refused(format!("the token of {} lacks {wanted} on {path}", self.name)));
                }
            }
            let value = self.read(at, &Slot::Current).await?;
            must_be_value(at, value.as_ref().and_then(SecretValue::expose_str))
        })
    }
}

struct KvAction<'a> {
    store: &'a VaultKv,
    at: &'a Target,
    step: StoreStep,
}

/// What a promotion finds.
enum Now {
    /// The field has the staged value, in this version.
    Ours(u64),
    /// The field is as the plan saw it, in this version.
    AsPlanned(u64, Content),
    /// Somebody else replaced it.
    Foreign(String),
}

impl KvAction<'_> {
    async fn now(&self, cx: &Context<'_>, place: &Place<'_>, expect: &str) -> Result<Now, ActionError> {
        let store = self.store;
        let (number, fence) = split_version(expect)?;
        let staged = store.staged(self.at, cx.op).await?;
        let Some(content) = store.content(place.path, None).await? else {
            return Ok(Now::Foreign(format!("{} is gone", self.at)));
        };
        let Some(value) = fields::get(&content.fields, place.field) else {
            return Ok(Now::Foreign(format!("{} is gone", self.at)));
        };
        let Some(staged) = staged else {
            return Ok(Now::Foreign(format!("nothing is staged for {}", self.at)));
        };
        if value == staged {
            return Ok(Now::Ours(content.version));
        }
        let same = fence.map_or(content.version == number, |fence| store.fence(value) == fence);
        Ok(if same {
            Now::AsPlanned(content.version, content)
        } else {
            Now::Foreign(format!("{} was changed by somebody else (version {})", self.at, content.version))
        })
    }

    /// Versions that still hold the old value or are as old as it; `None` when consumers still read it.
    async fn left(&self, place: &Place<'_>, replaced: &str) -> Result<Option<Vec<u64>>, ActionError> {
        let store = self.store;
        let (number, fence) = split_version(replaced)?;
        let Some(current) = store.content(place.path, None).await? else { return Ok(None) };
        let value = fields::get(&current.fields, place.field).unwrap_or("");
        if current.version <= number || fence.is_some_and(|fence| store.fence(value) == fence) {
            return Ok(None);
        }
        let versions = store.vault.kv_versions(&store.mount, place.path).await;
        let versions = versions.map_err(|failure| ActionError::looking(&failure))?;
        let mut left = Vec::new();
        for version in versions.into_iter().flat_map(|versions| versions.kept).filter(|v| *v < current.version) {
            let old = version <= number
                || match store.content(place.path, Some(version)).await? {
                    Some(content) => {
                        let value = fields::get(&content.fields, place.field).unwrap_or("");
                        fence.is_some_and(|fence| store.fence(value) == fence)
                    }
                    None => false,
                };
            if old {
                left.push(version);
            }
        }
        Ok(Some(left))
    }

    async fn stage(&self, cx: &Context<'_>, supply: &Supply) -> Result<Receipt, ActionError> {
        let value = supply.value(cx).await?;
        let text = value.expose_str().ok_or_else(|| ActionError::Refused("the value is not text".to_owned()))?;
        // Somebody with the same operation was faster: that is us, before a lost answer. What waits there counts.
        self.store.put_aside(self.at, cx.op, text).await?;
        Ok(Receipt::of("staged", "in the pending folder"))
    }

    async fn promote(&self, cx: &Context<'_>, expect: &str) -> Result<Receipt, ActionError> {
        let place = self.store.place(self.at)?;
        for _ in 0..RACES {
            let (version, content) = match self.now(cx, &place, expect).await? {
                Now::Ours(version) => return Ok(Receipt::of("version", version)),
                Now::Foreign(why) => return Err(ActionError::Conflict(why)),
                Now::AsPlanned(version, content) => (version, content),
            };
            let staged = self.store.staged(self.at, cx.op).await?;
            let new = staged.ok_or_else(|| ActionError::Conflict(format!("nothing is staged for {}", self.at)))?;
            match self.write(&place, version, content.fields, &new).await? {
                Some(version) => return Ok(Receipt::of("version", version)),
                None => continue,
            }
        }
        Err(ActionError::Unavailable { why: format!("{} keeps changing under us", self.at), retry_after: None })
    }

    /// Writes one field; `None` when the entry changed in the meantime: read again.
    async fn write(
        &self,
        place: &Place<'_>,
        cas: u64,
        mut entry: Map<String, Value>,
        new: &str,
    ) -> Result<Option<u64>, ActionError> {
        let store = self.store;
        let patch = fields::patch(place.field, new);
        let written = match store.vault.kv_patch(&store.mount, place.path, cas, &patch).await {
            // Without the right to patch the whole entry is written back, under the same check.
            Err(failure) if matches!(failure.status(), Some(403 | 405)) => {
                if let Some(why) = fields::unfit_to_write_back(&entry) {
                    return Err(ActionError::Refused(format!("{} cannot be written back: {why}", place.path)));
                }
                if !fields::set(&mut entry, place.field, new) {
                    return Err(ActionError::Conflict(format!("{} is gone", self.at)));
                }
                store.vault.kv_write(&store.mount, place.path, cas, entry).await
            }
            other => other,
        };
        match written {
            Ok(version) => Ok(Some(version)),
            Err(failure) if is_cas_mismatch(&failure) => Ok(None),
            Err(failure) => Err(ActionError::changing(&failure)),
        }
    }

    async fn retire(&self, cx: &Context<'_>, replaced: &str) -> Result<Receipt, ActionError> {
        let store = self.store;
        let place = store.place(self.at)?;
        let kept = || ActionError::Conflict(format!("{} still has the old value, or is gone", self.at));
        let left = self.left(&place, replaced).await?.ok_or_else(kept)?;
        let shown = left.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let changing = |failure| ActionError::changing(&failure);
        if !left.is_empty() {
            store.vault.kv_destroy(&store.mount, place.path, left).await.map_err(changing)?;
        }
        let waiting = format!("{}/{}", store.waiting_room(self.at), cx.op);
        store.vault.kv_remove(&store.mount, &waiting).await.map_err(changing)?;
        Ok(Receipt::of("destroyed versions", shown))
    }
}

impl Work for KvAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("vault-kv.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let place = self.store.place(self.at)?;
        if let Some(other) = self.store.others_waiting(self.at, cx.op).await? {
            return Ok(Observed::Conflict(format!("operation {other} has a value waiting for {}", self.at)));
        }
        match &self.step {
            StoreStep::Stage(_) => Ok(match self.store.staged(self.at, cx.op).await? {
                Some(_) => Observed::Done(Receipt::of("staged", "in the pending folder")),
                None => Observed::NotDone,
            }),
            StoreStep::Promote { expect } => Ok(match self.now(cx, &place, expect).await? {
                Now::Ours(version) => Observed::Done(Receipt::of("version", version)),
                Now::AsPlanned(..) => Observed::NotDone,
                Now::Foreign(why) => Observed::Conflict(why),
            }),
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
            StoreStep::Retire { replaced } => {
                let Some(left) = self.left(&place, replaced).await? else {
                    return Ok(Observed::Conflict(format!("{} still has the old value, or is gone", self.at)));
                };
                let waiting = self.store.staged(self.at, cx.op).await?.is_some();
                let done = left.is_empty() && !waiting;
                Ok(if done { Observed::Done(Receipt::of("old versions", "destroyed")) } else { Observed::NotDone })
            }
        }
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        match &self.step {
            StoreStep::Stage(supply) => self.stage(cx, supply).await,
            StoreStep::Promote { expect } => self.promote(cx, expect).await,
            StoreStep::Retire { replaced } => self.retire(cx, replaced).await,
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
        }
    }

    async fn take_back(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let store = self.store;
        match &self.step {
            StoreStep::Stage(_) => {
                let waiting = format!("{}/{}", store.waiting_room(self.at), cx.op);
                let removed = store.vault.kv_remove(&store.mount, &waiting).await;
                removed.map_err(|failure| ActionError::changing(&failure))?;
                Ok(Receipt::of("staged value", "removed"))
            }
            StoreStep::Promote { expect } => {
                let place = store.place(self.at)?;
                let version = match self.now(cx, &place, expect).await? {
                    Now::AsPlanned(version, _) => return Ok(Receipt::of("version", version)),
                    Now::Foreign(why) => return Err(ActionError::Conflict(why)),
                    Now::Ours(version) => version,
                };
                let old = store.at_version(&place, expect).await?;
                let old = old.ok_or_else(|| ActionError::Stuck(format!("the old value of {} is gone", self.at)))?;
                let entry = store.content(place.path, None).await?.map(|content| content.fields).unwrap_or_default();
                let written = self.write(&place, version, entry, &old).await?;
                let raced = || ActionError::Conflict(format!("{} changed in the meantime", self.at));
                Ok(Receipt::of("version", written.ok_or_else(raced)?))
            }
            StoreStep::Retire { .. } => Err(ActionError::Refused("destroyed versions do not come back".to_owned())),
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
        }
    }
}
