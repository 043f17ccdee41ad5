//! Local files as a store: dotenv, JSON, YAML and TOML, edited in place, atomically, comments and order kept.
//!
//! A locator is `path#key`. A new value waits in a sidecar beside the file (`.name.offkey`, mode 0600), which also takes the
//! old value when the new one is promoted and is removed at the end. A version is the keyed fingerprint of the value.

pub(super) mod edit;
mod sidecar;

use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::masked::must_be_value;
use super::{Held, Store, StoreStep, no_own_rotation};
use crate::action::{Action, ActionError, ActionName, Context, Effect, Observed, Pending, Receipt, Slot, Target, Work};
use crate::error::Result;
use crate::secret::{Fingerprinter, SecretValue};
use crate::source::Coverage;
use edit::{Field, Format};
use sidecar::{Sidecar, Waiting};

/// A set of local files.
pub struct FileStore {
    name: String,
    paths: Vec<PathBuf>,
    fingerprinter: Fingerprinter,
}

impl FileStore {
    /// A store of these files; the fingerprinter makes versions that say nothing about the value.
    pub fn new(name: impl Into<String>, paths: Vec<PathBuf>, fingerprinter: Fingerprinter) -> Self {
        Self { name: name.into(), paths, fingerprinter }
    }

    fn version(&self, value: &str) -> String {
        self.fingerprinter.fingerprint(value.as_bytes()).to_string()
    }

    /// File and key of a locator; the path must be one of the configured ones.
    fn place(&self, at: &Target) -> Result<(PathBuf, String), ActionError> {
        let (path, key) = at.locator.rsplit_once('#').unwrap_or((&at.locator, ""));
        let path = PathBuf::from(path);
        if self.paths.contains(&path) {
            Ok((path, key.to_owned()))
        } else {
            Err(ActionError::Refused(format!("{} is not a file of the store {}", path.display(), self.name)))
        }
    }

    fn current(&self, path: &Path, key: &str) -> Result<Option<String>, ActionError> {
        let (format, text) = open(path)?;
        let fields = format.fields(&text).map_err(|why| ActionError::Stuck(format!("{}: {why}", path.display())))?;
        Ok(fields.into_iter().find(|field| field.key == key).map(|field| field.value))
    }

    fn read_slot(&self, at: &Target, slot: &Slot) -> Result<Option<String>, ActionError> {
        let (path, key) = self.place(at)?;
        let waiting = || Sidecar::of(&path).waiting(&key);
        match slot {
            Slot::Current => self.current(&path, &key),
            Slot::Staged(op) => Ok(waiting()?.filter(|waiting| waiting.op == *op).map(|waiting| waiting.new)),
            Slot::Version(version) => {
                let current = self.current(&path, &key)?.filter(|value| self.version(value) == *version);
                match current {
                    Some(value) => Ok(Some(value)),
                    None => Ok(waiting()?.and_then(|waiting| waiting.old).filter(|old| self.version(old) == *version)),
                }
            }
        }
    }
}

impl Store for FileStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        "local files"
    }

    fn inventory<'a>(
        &'a self,
        visit: &'a mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Pending<'a, Result<Coverage>> {
        Box::pin(async move {
            let mut coverage = Coverage::new(format!("store {}", self.name), "local-files");
            for path in &self.paths {
                let shown = path.display().to_string();
                let read = open(path).and_then(|(format, text)| format.fields(&text).map_err(ActionError::Stuck));
                match read {
                    Err(error) => coverage.fail(shown, error.to_string()),
                    Ok(fields) => {
                        coverage.documents += 1;
                        for field in fields.iter().filter(|field| !field.value.is_empty()) {
                            if visit(self.held(&shown, field, &fields)).is_break() {
                                return Ok(coverage);
                            }
                        }
                    }
                }
            }
            Ok(coverage)
        })
    }

    fn read<'a>(&'a self, at: &'a Target, slot: &'a Slot) -> Pending<'a, Result<Option<SecretValue>, ActionError>> {
        Box::pin(async move { Ok(self.read_slot(at, slot)?.map(SecretValue::from)) })
    }

    fn stage<'a>(&'a self, at: &'a Target, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let (path, key) = self.place(at)?;
            let new = value.expose_str().ok_or_else(|| ActionError::Refused("the value is not text".to_owned()))?;
            Sidecar::of(&path).add(&key, Waiting { op, new: new.to_owned(), old: None })
        })
    }

    fn action<'a>(&'a self, at: &'a Target, step: StoreStep) -> Box<dyn Action + 'a> {
        Box::new(FileAction { store: self, at, step })
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let (path, key) = self.place(at)?;
            must_be_value(at, self.current(&path, &key)?.as_deref())?;
            let (format, text) = open(&path)?;
            format
                .replace(&text, &key, "offkey-preflight")
                .map_err(|why| ActionError::Refused(format!("{} cannot be edited: {why}", at.locator)))?;
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
            tempfile::NamedTempFile::new_in(folder)
                .map(drop)
                .map_err(|error| ActionError::Refused(format!("{} cannot be written: {error}", folder.display())))
        })
    }
}

impl FileStore {
    fn held(&self, shown: &str, field: &Field, all: &[Field]) -> Held {
        Held {
            at: Target { system: self.name.clone(), locator: format!("{shown}#{}", field.key) },
            slot: Slot::Current,
            version: self.version(&field.value),
            value: SecretValue::from(field.value.clone()),
            hints: hints(field, all),
        }
    }
}

/// Words in names of fields that say what a secret beside them is for.
const HINTS: &[(&str, &str)] = &[
    ("user", "user"),
    ("login", "user"),
    ("host", "host"),
    ("port", "port"),
    ("url", "url"),
    ("addr", "url"),
    ("database", "dbname"),
    ("dbname", "dbname"),
];

/// Fields with the same beginning (`DB_USER` beside `DB_PASSWORD`, or the same table) that say what it is for.
fn hints(field: &Field, all: &[Field]) -> Vec<(String, String)> {
    let stem = |key: &str| key.rfind(['_', '.', '-']).map_or(String::new(), |at| key[..at].to_lowercase());
    let mine = stem(&field.key);
    let beside = all.iter().filter(|other| other.key != field.key && stem(&other.key) == mine);
    let named = beside.filter_map(|other| {
        let last = other.key[stem(&other.key).len()..].to_lowercase();
        let hint = HINTS.iter().find(|(word, _)| last.contains(word))?;
        Some((hint.1.to_owned(), other.value.clone()))
    });
    named.collect()
}

fn open(path: &Path) -> Result<(Format, String), ActionError> {
    let shown = path.display();
    let format = Format::of(path)
        .ok_or_else(|| ActionError::Refused(format!("{shown} is none of dotenv, JSON, YAML and TOML by its name")))?;
    match fs::read_to_string(path) {
        Ok(text) => Ok((format, text)),
        Err(error) => {
            Err(ActionError::Unavailable { why: format!("{shown} cannot be read: {error}"), retry_after: None })
        }
    }
}

/// Replaces a file in one step: whoever reads it sees the old text or the new one. Mode is kept; the folder is synced.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let target = fs::canonicalize(path)?;
    let folder = target.parent().unwrap_or(Path::new("/"));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    let old = fs::metadata(&target)?;
    file.as_file().set_permissions(old.permissions())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        // Keeping the owner needs rights that only root has; for everybody else owner and writer are the same.
        let _ = std::os::unix::fs::fchown(file.as_file(), Some(old.uid()), Some(old.gid()));
    }
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    fs::File::open(folder)?.sync_all()
}

struct FileAction<'a> {
    store: &'a FileStore,
    at: &'a Target,
    step: StoreStep,
}

impl Work for FileAction<'_> {
    fn name(&self) -> ActionName {
        ActionName(format!("file.{}", self.step.word()))
    }

    fn effect(&self) -> Effect {
        self.step.effect()
    }

    async fn look(&self, cx: &Context<'_>) -> Result<Observed, ActionError> {
        let (path, key) = self.store.place(self.at)?;
        let waiting = Sidecar::of(&path).waiting(&key)?;
        let current = self.store.current(&path, &key)?;
        Ok(match (&self.step, waiting, current) {
            (_, Some(other), _) if other.op != cx.op => {
                Observed::Conflict(format!("another operation, {}, has a value waiting at {}", other.op, self.at))
            }
            (StoreStep::Stage(_), Some(_), _) => Observed::Done(Receipt::of("staged", "beside the file")),
            (StoreStep::Stage(_), None, _) => Observed::NotDone,
            (StoreStep::Promote { expect }, Some(waiting), Some(current)) => {
                if current == waiting.new {
                    Observed::Done(Receipt::of("version", self.store.version(&current)))
                } else if self.store.version(&current) == *expect {
                    Observed::NotDone
                } else {
                    Observed::Conflict(format!("{} was changed by somebody else", self.at))
                }
            }
            (StoreStep::Promote { .. }, None, _) => Observed::Conflict(format!("nothing is staged for {}", self.at)),
            (StoreStep::Rotate { .. }, ..) => return Err(no_own_rotation()),
            (StoreStep::Retire { .. }, None, Some(_)) => Observed::Done(Receipt::of("old value", "removed")),
            (StoreStep::Retire { .. }, Some(_), Some(_)) => Observed::NotDone,
            (_, _, None) => Observed::Conflict(format!("{} is gone", self.at)),
        })
    }

    async fn act(&self, cx: &Context<'_>) -> Result<Receipt, ActionError> {
        let (path, key) = self.store.place(self.at)?;
        let sidecar = Sidecar::of(&path);
        match &self.step {
            StoreStep::Stage(supply) => {
                let new = supply.value(cx).await?;
                let new = new.expose_str().ok_or_else(|| ActionError::Refused("the value is not text".to_owned()))?;
                sidecar.add(&key, Waiting { op: cx.op, new: new.to_owned(), old: None })?;
                Ok(Receipt::of("staged", "beside the file"))
            }
            StoreStep::Promote { .. } => {
                let gone = || ActionError::Conflict(format!("nothing is staged for {}", self.at));
                let mut waiting = sidecar.waiting(&key)?.ok_or_else(gone)?;
                let (format, text) = open(&path)?;
                // The old value must be safe before the file forgets it: the last probe needs it.
                waiting.old = self.store.current(&path, &key)?;
                sidecar.add(&key, waiting.clone())?;
                let changed = format
                    .replace(&text, &key, &waiting.new)
                    .map_err(|why| ActionError::Refused(format!("{} cannot be edited: {why}", self.at)))?;
                replace(&path, &changed)
                    .map_err(|error| ActionError::Unknown(format!("{}: {error}", path.display())))?;
                Ok(Receipt::of("version", self.store.version(&waiting.new)))
            }
            StoreStep::Retire { .. } => {
                sidecar.remove(&key)?;
                Ok(Receipt::of("old value", "removed"))
            }
            StoreStep::Rotate { .. } => Err(no_own_rotation()),
        }
    }

    async fn take_back(&self, _: &Context<'_>) -> Result<Receipt, ActionError> {
        let (path, key) = self.store.place(self.at)?;
        match &self.step {
            StoreStep::Stage(_) => {
                Sidecar::of(&path).remove(&key)?;
                Ok(Receipt::of("staged value", "removed"))
            }
            _ => Err(ActionError::Refused("only staging can be taken back".to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
