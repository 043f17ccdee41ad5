//! The private file beside a store's file where new values wait and old ones stay until they are proven dead.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::action::ActionError;

/// A value on its way. This is store content, not a wire type: it lives where the value itself lives.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Waiting {
    /// The operation that put it there.
    pub(super) op: Uuid,
    /// The new value.
    pub(super) new: String,
    /// The value that it replaced, once it did.
    pub(super) old: Option<String>,
}

/// `.name.offkey` beside `name`, by key.
pub(super) struct Sidecar(PathBuf);

impl Sidecar {
    pub(super) fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Self(path.with_file_name(format!(".{}.offkey", name.trim_start_matches('.'))))
    }

    fn all(&self) -> Result<BTreeMap<String, Waiting>, ActionError> {
        let unreadable = |why: String| {
            ActionError::Stuck(format!("{} cannot be read ({why}): look at it by hand", self.0.display()))
        };
        match fs::read(&self.0) {
            Ok(bytes) => serde_json::from_slice(&Zeroizing::new(bytes)).map_err(|_| unreadable("not JSON".to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(unreadable(error.to_string())),
        }
    }

    pub(super) fn waiting(&self, key: &str) -> Result<Option<Waiting>, ActionError> {
        Ok(self.all()?.remove(key))
    }

    /// Adds or renews the entry of one operation; another operation's entry is a conflict.
    pub(super) fn add(&self, key: &str, waiting: Waiting) -> Result<(), ActionError> {
        let mut all = self.all()?;
        if all.get(key).is_some_and(|there| there.op != waiting.op) {
            return Err(ActionError::Conflict(format!("another operation has a value waiting for {key}")));
        }
        all.insert(key.to_owned(), waiting);
        self.write(&all)
    }

    pub(super) fn remove(&self, key: &str) -> Result<(), ActionError> {
        let mut all = self.all()?;
        all.remove(key);
        if all.is_empty() {
            return match fs::remove_file(&self.0) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(ActionError::Unknown(format!("{}: {error}", self.0.display())))
                }
                _ => Ok(()),
            };
        }
        self.write(&all)
    }

    fn write(&self, all: &BTreeMap<String, Waiting>) -> Result<(), ActionError> {
        let bytes = Zeroizing::new(serde_json::to_vec(all).expect("because strings always serialise"));
        let folder = self.0.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let write = || -> std::io::Result<()> {
            // Temporary files are made with mode 0600, which the rename keeps.
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(&bytes)?;
            file.as_file().sync_all()?;
            file.persist(&self.0).map_err(|error| error.error)?;
            fs::File::open(folder)?.sync_all()
        };
        write().map_err(|error| ActionError::Refused(format!("{} cannot be written: {error}", self.0.display())))
    }
}
