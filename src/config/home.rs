//! offkey's own folder: the key for fingerprints and the key that signs evidence. Kept outside of every case, because a
//! case may be handed to an auditor and a fingerprint is only safe while its key is not beside it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::clock;
use crate::error::{Error, Result};
use crate::secret::{Fingerprinter, SecretValue};

/// Environment variable with the key of fingerprints, for machines that have no folder of their own.
pub const KEY_VARIABLE: &str = "OFFKEY_FINGERPRINT_KEY";

/// The folder, mode 0700.
#[derive(Clone, Debug)]
pub struct Home(PathBuf);

impl Home {
    /// Opens the folder, or makes it: `dir`, else `$XDG_DATA_HOME/offkey`, else `~/.local/share/offkey`.
    ///
    /// # Errors
    /// When no place is known or the folder cannot be made.
    pub fn open(dir: Option<&Path>) -> Result<Self> {
        let dir = dir.map(Path::to_owned).or_else(default_dir).ok_or_else(|| {
            Error::user("there is no place for offkey's own keys: HOME is not set")
                .next("Pass --home DIR or set OFFKEY_HOME.")
        })?;
        make_private(&dir).map_err(|cause| {
            Error::user(format!("the folder for offkey's own keys, {}, cannot be made", dir.display()))
                .because(cause)
                .next("Pass --home DIR or set OFFKEY_HOME to a folder that you may write.")
        })?;
        Ok(Self(dir))
    }

    /// The folder as it is, for programs that only look: nothing is made. `None` when there is no such folder.
    pub fn existing(dir: Option<&Path>) -> Option<Self> {
        dir.map(Path::to_owned).or_else(default_dir).filter(|dir| dir.is_dir()).map(Self)
    }

    /// A file of this folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Makes fingerprints with the key in the environment variable [`KEY_VARIABLE`], if it is set: how a pipeline gets it.
    ///
    /// # Errors
    /// When the variable holds something else than 64 hexadecimal digits.
    pub fn fingerprinter_from_environment() -> Result<Option<Fingerprinter>> {
        let Some(text) = std::env::var_os(KEY_VARIABLE).filter(|value| !value.is_empty()) else { return Ok(None) };
        let key = text.to_str().and_then(|t| data_encoding::HEXLOWER_PERMISSIVE.decode(t.trim().as_bytes()).ok());
        match key.filter(|key| key.len() == 32) {
            Some(key) => Ok(Some(Fingerprinter::new(&SecretValue::new(key)))),
            None => Err(Error::config(format!("{KEY_VARIABLE} does not hold a key"))
                .next("It wants the 64 hexadecimal digits of fingerprint.key in offkey's own folder.")),
        }
    }

    /// Whether this folder has a key for fingerprints already.
    pub fn has_key(&self) -> bool {
        self.0.join("fingerprint.key").is_file()
    }

    /// Makes fingerprints with this folder's key; the key is made at first use.
    pub fn fingerprinter(&self) -> Result<Fingerprinter> {
        Ok(Fingerprinter::new(&self.key("fingerprint.key")?))
    }

    /// The 32-byte seed of the ed25519 key that signs evidence; made at first use.
    pub fn signing_seed(&self) -> Result<SecretValue> {
        self.key("signing.key")
    }

    fn key(&self, name: &str) -> Result<SecretValue> {
        let path = self.0.join(name);
        let shown = path.display();
        if !path.exists() {
            let fresh = data_encoding::HEXLOWER.encode(&clock::random::<32>());
            write_private(&path, fresh.as_bytes())
                .map_err(|cause| Error::unwritable(format!("the key file {shown}"), cause))?;
        }
        let text = SecretValue::new(
            fs::read(&path).map_err(|cause| Error::unreadable(format!("the key file {shown}"), cause))?,
        );
        let key = text.expose_str().and_then(|t| data_encoding::HEXLOWER_PERMISSIVE.decode(t.trim().as_bytes()).ok());
        key.filter(|key| key.len() == 32).map(SecretValue::new).ok_or_else(|| {
            Error::integrity(format!("the key file {shown} is damaged"))
                .still("Nothing was changed.")
                .next("Restore it from a backup. With a new key, fingerprints of earlier cases do not match any more.")
        })
    }
}

fn default_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_DATA_HOME").or_else(|| set("HOME").map(|home| home.join(".local/share"))).map(|base| base.join("offkey"))
}

fn make_private(dir: &Path) -> std::io::Result<()> {
    fs::create_dir_all(dir)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(dir, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Writes through a temporary file that is private from the start and linked only if nobody was faster.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        // Another process made the key in the same moment: that one counts.
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_private_and_apart() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(&dir.path().join("own"))).expect("made");
        let first = home.fingerprinter().expect("key").fingerprint(b"v");
        assert_eq!(first, home.fingerprinter().expect("same key").fingerprint(b"v"));
        assert_ne!(home.signing_seed().expect("seed").expose(), home.key("fingerprint.key").expect("key").expose());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(dir.path().join("own/fingerprint.key")).expect("there").permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
    }

    #[test]
    fn a_damaged_key_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = Home::open(Some(dir.path())).expect("made");
        fs::write(dir.path().join("fingerprint.key"), "abc").expect("written");
        let error = home.fingerprinter().expect_err("damaged");
        assert!(error.to_string().contains("damaged"), "{error}");
    }
}
