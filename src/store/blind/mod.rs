//! Stores that take values and never show them: secrets of GitHub Actions, credentials of Jenkins. What they have in common is
//! here; each kind is one file that answers the questions of [`Backend`].
//!
//! Nothing in such a store tells which value an entry holds, so offkey.toml does (`copies`): this entry is a copy of that place
//! of another store. When that place is rotated, the entry is written over, too, after the readable places.
//!
//! What can be proven: that the entry is there, when it was last written as far as the store tells, and that this operation
//! wrote it. What cannot: that it held the old value before, that it holds the new one now, and that programs got it. That the
//! old value is dead is proven at its issuer, as always. Before the write there is nothing to take back; after it the old value
//! can be written again only because the plan names the place that has it.
//!
//! Whether a write whose answer was lost has arrived cannot be read back, either. So a write leaves marks that can be read, and
//! where those leave a doubt the same value is written once more: twice is the same as once.

mod action;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use uuid::Uuid;

use self::action::{Overwriting, Retiring, Unreadable};
use super::{Copied, Held, Overwrite, Store, StoreStep};
use crate::action::{Action, ActionError, Pending, Slot, Target};
use crate::error::{Error, Result};
use crate::remote::Failure;
use crate::secret::SecretValue;
use crate::source::Coverage;

/// One entry, without its value.
#[derive(Clone, Debug)]
pub(super) struct Shown {
    /// Its name, as locators have it.
    pub(super) path: String,
    /// What changes when it is written, as far as the store tells; empty where the list does not tell it.
    pub(super) version: String,
}

/// What the marks of an entry say about one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// Nothing: it has not begun to write.
    None,
    /// It began to write; whether it did is not known.
    Begun {
        /// Whether the entry was last written about then: it may have been this operation.
        perhaps: bool,
    },
    /// It wrote the entry, and nobody did since.
    Written,
    /// It wrote the entry, or began to, and somebody else wrote it after that.
    Since,
    /// Another operation, whose id this is, is at work on the entry.
    Other(String),
}

/// What a kind of store does.
pub(super) trait Backend: Send + Sync {
    /// What a person calls it.
    fn label(&self) -> &'static str;

    /// Name of its actions and of its coverage.
    fn kind(&self) -> &'static str;

    /// Every entry.
    fn list(&self) -> Pending<'_, Result<Vec<Shown>, Failure>>;

    /// Version of an entry and what its marks say about an operation; `None` when there is none.
    fn marked<'a>(&'a self, path: &'a str, op: Uuid) -> Pending<'a, Result<Option<(String, Mark)>, Failure>>;

    /// Why an entry cannot be written over, as far as this can be seen without doing it.
    fn unfit<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<String>, Failure>>;

    /// Writes a value over an entry, with the operation's marks.
    fn write<'a>(&'a self, path: &'a str, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), Failure>>;

    /// Writes a value over an entry and takes the operation's marks away.
    fn restore<'a>(&'a self, path: &'a str, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), Failure>>;

    /// Takes the operation's marks away, as far as this can be done without the value.
    fn clear<'a>(&'a self, path: &'a str, op: Uuid) -> Pending<'a, Result<(), Failure>>;

    /// Whether marks stay when the operation is over.
    fn keeps_marks(&self) -> bool {
        false
    }
}

/// A store that never shows its values.
pub struct Blind {
    name: String,
    backend: Arc<dyn Backend>,
    /// Entry → the place of which it is a copy.
    copies: BTreeMap<String, Target>,
}

fn looking(failure: Failure) -> ActionError {
    ActionError::looking(&failure)
}

fn changing(failure: Failure) -> ActionError {
    ActionError::changing(&failure)
}

/// Why a value is not handed out.
fn unreadable() -> ActionError {
    ActionError::Refused("this store never shows its values".to_owned())
}

impl Blind {
    pub(super) fn new(name: String, backend: Arc<dyn Backend>, copies: BTreeMap<String, Target>) -> Self {
        Self { name, backend, copies }
    }

    fn listed(&self, failure: Failure) -> Error {
        Error::remote(format!("the store {} cannot be listed", self.name))
            .because(failure)
            .still("Nothing was changed.")
            .next("Check address and credentials of this store in offkey.toml.")
    }

    fn at(&self, path: &str) -> Target {
        Target { system: self.name.clone(), locator: path.to_owned() }
    }
}

impl Store for Blind {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        self.backend.label()
    }

    fn inventory<'a>(
        &'a self,
        _visit: &'a mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Pending<'a, Result<Coverage>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("store {}", self.name), self.backend.kind());
            let entries = self.backend.list().await.map_err(|failure| self.listed(failure))?;
            for entry in &entries {
                let why = match self.copies.get(&entry.path) {
                    Some(of) => format!("never shown: a copy of {of} by what offkey.toml says"),
                    None => "never shown, and copies in offkey.toml does not say what it holds".to_owned(),
                };
                coverage.skip(entry.path.clone(), why);
            }
            for path in self.copies.keys().filter(|path| !entries.iter().any(|entry| entry.path == **path)) {
                coverage.fail(path.clone(), "copies in offkey.toml names it, and it is not there".to_owned());
            }
            Ok(coverage)
        })
    }

    fn copies(&self) -> Pending<'_, Result<Vec<Copied>>> {
        Box::pin(async move {
            if self.copies.is_empty() {
                return Ok(Vec::new());
            }
            let mut copied = Vec::new();
            for entry in self.backend.list().await.map_err(|failure| self.listed(failure))? {
                let Some(of) = self.copies.get(&entry.path).cloned() else { continue };
                let mut version = entry.version;
                if version.is_empty() {
                    let marked = self.backend.marked(&entry.path, Uuid::nil()).await;
                    let marked = marked.map_err(|failure| self.listed(failure))?;
                    version = marked.map_or_else(String::new, |(version, _)| version);
                }
                copied.push(Copied { at: self.at(&entry.path), version, of });
            }
            Ok(copied)
        })
    }

    fn overwrite<'a>(&'a self, at: &'a Target, step: Overwrite) -> Option<Box<dyn Action + 'a>> {
        Some(Box::new(Overwriting { store: self, at, step }))
    }

    fn read<'a>(&'a self, _: &'a Target, _: &'a Slot) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async { Err(unreadable()) })
    }

    fn stage<'a>(&'a self, _: &'a Target, _: Uuid, _: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async { Err(unreadable()) })
    }

    fn action<'a>(&'a self, at: &'a Target, step: StoreStep) -> Box<dyn Action + 'a> {
        match step {
            StoreStep::Retire { replaced } => Box::new(Retiring { store: self, at, replaced }),
            step => Box::new(Unreadable { store: self, step }),
        }
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            // No operation has this id: only what the entry itself is counts here.
            if self.backend.marked(&at.locator, Uuid::nil()).await.map_err(looking)?.is_none() {
                return Err(ActionError::Conflict(format!("{at} is not there")));
            }
            match self.backend.unfit(&at.locator).await.map_err(looking)? {
                None => Ok(()),
                Some(why) => Err(ActionError::Refused(format!("{at} cannot be written over: {why}"))),
            }
        })
    }
}
