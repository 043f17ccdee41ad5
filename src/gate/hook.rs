//! Puts the gate into a repository's own hooks.

use std::fs;
use std::path::{Path, PathBuf};

use git2::Repository;

use crate::error::{Error, Result};

/// A hook of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::enum_variant_names, reason = "the names that git gives them")]
pub enum Hook {
    /// Before a commit: what is staged.
    PreCommit,
    /// Before a push, at the one who pushes.
    PrePush,
    /// On a server, before refs move.
    PreReceive,
}

/// The line by which a hook of ours is recognised.
const MARK: &str = "# Written by `offkey hook install`.";

impl Hook {
    /// Its name for git.
    pub fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PrePush => "pre-push",
            Self::PreReceive => "pre-receive",
        }
    }

    fn arguments(self) -> &'static str {
        match self {
            Self::PreCommit => "gate --staged",
            Self::PrePush => "gate --pre-push \"$1\"",
            Self::PreReceive => "gate --pre-receive",
        }
    }

    /// The script. `program` is where offkey is now; one on the PATH is taken first, so that an update needs no new hook.
    fn script(self, program: &Path, earlier: Option<&Path>) -> String {
        let program = quoted(program);
        let arguments = self.arguments();
        // Both hooks of a push read standard input, so the earlier one gets a copy.
        let run = match (earlier.map(quoted), self) {
            (None, _) => format!("exec \"$offkey\" {arguments}"),
            (Some(earlier), Self::PreCommit) => format!("{earlier} \"$@\" || exit\nexec \"$offkey\" {arguments}"),
            (Some(earlier), _) => format!(
                "refs=$(cat)\nprintf '%s\\n' \"$refs\" | {earlier} \"$@\" || exit\nprintf '%s\\n' \"$refs\" | \"$offkey\" {arguments}"
            ),
        };
        format!(
            "#!/bin/sh\n{MARK} Judges what this {} adds; see offkey's docs/ci.md.\n\
             offkey=$(command -v offkey) || offkey={program}\n{run}\n",
            self.name().trim_start_matches("pre-").replace("receive", "push")
        )
    }
}

/// In single quotes for sh.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub struct Installed {
    /// The hook.
    pub path: PathBuf,
    /// Where the hook went that stood there before; ours calls it first.
    pub earlier: Option<PathBuf>,
}

/// Writes a hook into the repository around `repo`.
///
/// # Errors
/// When there is no repository, when a hook of somebody else stands there and `chain` is off, or when the disk refuses.
pub fn install(repo: &Path, hook: Hook, program: &Path, chain: bool) -> Result<Installed> {
    let repository = Repository::discover(repo).map_err(|cause| super::commits::unopened(repo, cause))?;
    let folder = folder(&repository);
    let path = folder.join(hook.name());
    let failed = |cause: std::io::Error| Error::unwritable(path.display(), cause);
    fs::create_dir_all(&folder).map_err(failed)?;
    let aside = folder.join(format!("{}.before-offkey", hook.name()));
    let earlier = match fs::read_to_string(&path) {
        Ok(text) if text.contains(MARK) => aside.exists().then_some(aside),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        _ if chain && !aside.exists() => {
            fs::rename(&path, &aside).map_err(failed)?;
            Some(aside)
        }
        _ => {
            return Err(Error::user(format!("another {} hook stands at {}", hook.name(), path.display()))
                .still("It was not touched.")
                .next("Pass --chain to keep it: it is then called first. Or call offkey from it yourself."));
        }
    };
    write_program(&path, &hook.script(program, earlier.as_deref())).map_err(failed)?;
    Ok(Installed { path, earlier })
}

/// Where git looks for hooks: `core.hooksPath`, else the folder of all work trees.
fn folder(repository: &Repository) -> PathBuf {
    let configured = repository.config().and_then(|config| config.get_path("core.hooksPath"));
    match configured {
        // A relative path counts from the top of the work tree.
        Ok(path) => repository.workdir().unwrap_or(repository.path()).join(path),
        Err(_) => repository.commondir().join("hooks"),
    }
}

fn write_program(path: &Path, text: &str) -> std::io::Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(0o755))?;
    }
    fs::rename(&fresh, path)
}
