//! Stores that are spoken to over HTTP and keep named entries: Kubernetes, Google Secret Manager, GitLab CI. What they have in
//! common is here; each kind is one file that answers the questions of [`Backend`].
//!
//! A locator is `path#field`. A version is `native@fence`: the fence is the beginning of the value's keyed fingerprint, and
//! what a promotion compares, so that a value that somebody else replaced is never overwritten.
//!
//! A waiting value lies in an entry of its own beside the others (`offkey-pending-…`), with the old value and the operation:
//! these stores keep no older versions that could be read, or drop them at will. It is removed when the old value is retired.

mod action;

use std::ops::ControlFlow;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::action::ShelfAction;
use super::json::{self as fields};
use super::masked::{is_masked, must_be_value};
use super::{Held, Store, StoreStep};
use crate::action::{Action, ActionError, Pending, Slot, Target};
use crate::error::{Error, Result};
use crate::remote::Failure;
use crate::secret::{Fingerprinter, SecretValue};
use crate::source::Coverage;

/// Beginning of the names of entries in which values wait.
pub(super) const PENDING: &str = "offkey-pending-";

/// One entry.
pub(super) struct Entry {
    /// Its name, as locators have it.
    pub(super) path: String,
    /// The server's own version; empty where it has none.
    pub(super) version: String,
    /// Its texts.
    pub(super) fields: Map<String, Value>,
}

impl Entry {
    /// The entry that a text is: a JSON object field by field, every other text as the field `value`.
    pub(super) fn of_text(path: &str, version: String, text: String) -> Self {
        let fields = match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::from_iter([("value".to_owned(), Value::from(text))]),
        };
        Self { path: path.to_owned(), version, fields }
    }

    /// The text of the entry, in the form that `before` has.
    pub(super) fn text_like(&self, before: &str) -> String {
        let whole = matches!(serde_json::from_str(before), Ok(Value::Object(_)));
        match self.fields.get("value") {
            Some(Value::String(value)) if !whole => value.clone(),
            _ => Value::Object(self.fields.clone()).to_string(),
        }
    }
}

/// What a walk of the store brought.
#[derive(Default)]
pub(super) struct Listing {
    /// Entries that were read.
    pub(super) entries: Vec<Entry>,
    /// What holds nothing for us, and why.
    pub(super) left_out: Vec<(String, String)>,
    /// What could not be read, and why: the inventory is partial.
    pub(super) failed: Vec<(String, String)>,
}

/// What a kind of store does.
pub(super) trait Backend: Send + Sync {
    /// What a person calls it.
    fn label(&self) -> &'static str;

    /// Name of its actions and of its coverage.
    fn kind(&self) -> &'static str;

    /// Every entry that may be read, and what was not.
    fn list(&self) -> Pending<'_, Result<Listing, Failure>>;

    /// One entry; `None` when there is none.
    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>>;

    /// Writes the changed field of an entry if it is still the one that was read; false: it was changed in the meantime.
    fn put<'a>(&'a self, entry: &'a Entry, field: &'a str) -> Pending<'a, Result<bool, Failure>>;

    /// Makes an entry for a waiting value; false when there is one of this name.
    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>>;

    /// Content of such an entry.
    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>>;

    /// Removes such an entry; one that is not there is a success.
    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>>;

    /// Whether [`Backend::put`] writes the whole entry back, other fields included.
    fn writes_siblings(&self) -> bool {
        false
    }

    /// The first right that a rotation of `path` needs and that we lack, for stores that can be asked; a value would wait
    /// in `pending`.
    fn lacks<'a>(&'a self, _path: &'a str, _pending: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async { Ok(None) })
    }

    /// Older versions that could still be read.
    fn old_versions<'a>(&'a self, _path: &'a str) -> Pending<'a, Result<Vec<String>, Failure>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Makes an older version unreadable for good.
    fn destroy<'a>(&'a self, _path: &'a str, _version: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}

/// A store over HTTP.
pub struct Shelf {
    name: String,
    backend: Arc<dyn Backend>,
    fingerprinter: Fingerprinter,
}

/// A value that waits.
struct Waiting {
    op: String,
    new: String,
    old: String,
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

impl Shelf {
    pub(super) fn new(name: String, backend: Arc<dyn Backend>, fingerprinter: Fingerprinter) -> Self {
        Self { name, backend, fingerprinter }
    }

    fn place<'a>(&self, at: &'a Target) -> Result<(&'a str, &'a str), ActionError> {
        let parts = at.locator.split_once('#').filter(|(path, field)| !path.is_empty() && !field.is_empty());
        parts.ok_or_else(|| ActionError::Refused(format!("{} is not of the form path#field", at.locator)))
    }

    fn pending(&self, at: &Target) -> String {
        pending_name(&at.locator)
    }

    fn fence(&self, value: &str) -> String {
        data_encoding::HEXLOWER.encode(&self.fingerprinter.fingerprint(value.as_bytes()).as_bytes()[..8])
    }

    /// The current value with its entry.
    async fn current(&self, at: &Target) -> Result<Option<(Entry, String)>, ActionError> {
        let (path, field) = self.place(at)?;
        let Some(entry) = self.backend.get(path).await.map_err(looking)? else { return Ok(None) };
        let value = fields::get(&entry.fields, field).map(str::to_owned);
        Ok(value.map(|value| (entry, value)))
    }

    /// Refuses entries that would not survive being written back whole.
    fn can_be_written(&self, entry: &Entry) -> Result<(), ActionError> {
        match fields::unfit_to_write_back(&entry.fields).filter(|_| self.backend.writes_siblings()) {
            None => Ok(()),
            Some(why) => Err(ActionError::Refused(format!("{} cannot be written back: {why}", entry.path))),
        }
    }

    async fn waiting(&self, at: &Target) -> Result<Option<Waiting>, ActionError> {
        let Some(content) = self.backend.waiting(&self.pending(at)).await.map_err(looking)? else { return Ok(None) };
        let strange = || ActionError::Stuck(format!("{} holds something else than a waiting value", self.pending(at)));
        let parsed: Value = serde_json::from_slice(content.expose()).map_err(|_| strange())?;
        let text = |name: &str| parsed[name].as_str().map(str::to_owned).ok_or_else(strange);
        Ok(Some(Waiting { op: text("op")?, new: text("new")?, old: text("old")? }))
    }

    /// Puts a value beside the current one. What waits there already under the same operation counts.
    async fn put_aside(&self, at: &Target, op: Uuid, value: &SecretValue) -> Result<(), ActionError> {
        let new = value.expose_str().ok_or_else(|| ActionError::Refused("the value is not text".to_owned()))?;
        let gone = || ActionError::Conflict(format!("{at} is not there"));
        let (_, old) = self.current(at).await?.ok_or_else(gone)?;
        if is_masked(new) || is_masked(&old) {
            return Err(ActionError::Refused("an empty or masked text is no value, and is not written".to_owned()));
        }
        let content = json!({ "op": op.to_string(), "new": new, "old": old, "for": at.locator }).to_string();
        self.backend.create(&self.pending(at), &SecretValue::from(content)).await.map_err(changing)?;
        match self.waiting(at).await? {
            Some(waiting) if waiting.op == op.to_string() => Ok(()),
            Some(waiting) => {
                Err(ActionError::Conflict(format!("operation {} has a value waiting for {at}", waiting.op)))
            }
            None => Err(ActionError::Unknown(format!("the value that should wait for {at} cannot be read yet"))),
        }
    }
}

impl Store for Shelf {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        self.backend.label()
    }

    fn inventory<'a>(
        &'a self,
        visit: &'a mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Pending<'a, Result<Coverage>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("store {}", self.name), self.backend.kind());
            let listing = self.backend.list().await.map_err(|failure| {
                Error::remote(format!("the store {} cannot be listed", self.name))
                    .because(failure)
                    .still("Nothing was changed.")
                    .next("Check address and credentials of this store in offkey.toml.")
            })?;
            listing.left_out.into_iter().for_each(|(what, why)| coverage.skip(what, why));
            listing.failed.into_iter().for_each(|(what, why)| coverage.fail(what, why));
            for entry in listing.entries.iter().filter(|entry| !is_pending(&entry.path)) {
                coverage.documents += 1;
                let all = fields::leaves(&entry.fields);
                for leaf in &all {
                    coverage.bytes += leaf.value.len() as u64;
                    let held = Held {
                        at: Target { system: self.name.clone(), locator: format!("{}#{}", entry.path, leaf.field) },
                        slot: Slot::Current,
                        version: format!("{}@{}", entry.version, self.fence(&leaf.value)),
                        value: SecretValue::from(leaf.value.clone()),
                        hints: fields::hints(&leaf.field, &all, &entry.fields),
                    };
                    if visit(held).is_break() {
                        return Ok(coverage);
                    }
                }
            }
            Ok(coverage)
        })
    }

    fn read<'a>(&'a self, at: &'a Target, slot: &'a Slot) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async move {
            let value = match slot {
                Slot::Current => self.current(at).await?.map(|(_, value)| value),
                Slot::Staged(op) => {
                    self.waiting(at).await?.filter(|waiting| waiting.op == op.to_string()).map(|waiting| waiting.new)
                }
                Slot::Version(version) => {
                    let fits = |value: &String| fence_of(version) == self.fence(value);
                    match self.current(at).await?.map(|(_, value)| value).filter(fits) {
                        Some(value) => Some(value),
                        None => self.waiting(at).await?.map(|waiting| waiting.old).filter(fits),
                    }
                }
            };
            Ok(value.map(SecretValue::from))
        })
    }

    fn stage<'a>(&'a self, at: &'a Target, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            self.put_aside(at, op, value).await?;
            match self.waiting(at).await? {
                Some(waiting) if waiting.new.as_bytes() == value.expose() => Ok(()),
                _ => Err(ActionError::Conflict(format!("another value waits for {at} under the same operation"))),
            }
        })
    }

    fn action<'a>(&'a self, at: &'a Target, step: StoreStep) -> Box<dyn Action + 'a> {
        Box::new(ShelfAction { store: self, at, step })
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let (path, _) = self.place(at)?;
            if let Some(lacking) = self.backend.lacks(path, &self.pending(at)).await.map_err(looking)? {
                return Err(ActionError::Refused(format!("{} lacks {lacking}", self.name)));
            }
            // Reading the place where a value would wait shows more rights than reading the entry alone.
            self.waiting(at).await?;
            let current = self.current(at).await?;
            must_be_value(at, current.as_ref().map(|(_, value)| value.as_str()))?;
            current.map_or(Ok(()), |(entry, _)| self.can_be_written(&entry))
        })
    }
}

/// Name of the entry in which a value waits for a place.
pub(super) fn pending_name(locator: &str) -> String {
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(locator.as_bytes()));
    format!("{PENDING}{}", &digest[..24])
}

/// Whether an entry holds a waiting value; some stores shout names.
fn is_pending(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase().replace('_', "-");
    name.starts_with(PENDING)
}

/// What a version compares.
fn fence_of(version: &str) -> &str {
    version.rsplit_once('@').map_or("", |(_, fence)| fence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_end_in_their_fence_and_pending_entries_are_known_in_every_case() {
        assert_eq!(fence_of("12@0011223344556677"), "0011223344556677");
        assert_eq!(fence_of("@aa"), "aa");
        assert!(is_pending("shop/offkey-pending-0011"));
        assert!(is_pending("OFFKEY_PENDING_0011@offkey-pending"));
        assert!(!is_pending("shop/db"));
    }
}
