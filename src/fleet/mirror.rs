//! Bare copies of the repositories of one owner, in one folder: cloned once, afterwards only what is new is fetched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result};
use crate::remote::Hosted;
use crate::secret::SecretValue;

/// File with what the copies hold: name of the repository and the server's time of its last change.
const STATE: &str = "offkey-mirror.json";

/// A folder of copies.
pub struct Mirror {
    folder: PathBuf,
    /// `https://github.com/`: the only place that gets the token.
    address: String,
    token: Option<SecretValue>,
    state: BTreeMap<String, String>,
}

/// What was done with one repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copied {
    /// Cloned anew.
    New,
    /// What is new was fetched.
    Updated,
    /// Nothing was pushed since the last time.
    Unchanged,
    /// Nothing to copy.
    Empty,
}

/// What was done with all of them.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Cloned.
    pub new: usize,
    /// Fetched.
    pub updated: usize,
    /// Left as they are.
    pub unchanged: usize,
    /// Without any content.
    pub empty: usize,
    /// Name and reason of each that could not be copied.
    pub failed: Vec<(String, String)>,
}

impl Mirror {
    /// Opens or makes the folder. `address` is that of the server's pages.
    ///
    /// # Errors
    /// When the folder cannot be made, or its list cannot be read.
    pub fn open(folder: &Path, address: &str, token: Option<SecretValue>) -> Result<Self> {
        std::fs::create_dir_all(folder)
            .map_err(|cause| Error::user(format!("{} cannot be made", folder.display())).because(cause))?;
        let list = folder.join(STATE);
        let state = match std::fs::read(&list) {
            Ok(text) => serde_json::from_slice(&text).map_err(|cause| {
                Error::user(format!("{} is damaged", list.display()))
                    .because(cause)
                    .next("Delete it: every repository is fetched once more then.")
            })?,
            Err(_) => BTreeMap::new(),
        };
        let address = format!("{}/", address.trim_end_matches('/'));
        Ok(Self { folder: folder.to_owned(), address, token, state })
    }

    /// Where the copy of a repository lies.
    ///
    /// # Errors
    /// When the name would lead elsewhere; the reason is part of a sentence.
    pub fn place(&self, name: &str) -> Result<PathBuf, String> {
        let safe = |part: &str| {
            let letters = part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+'));
            !part.is_empty() && part.len() < 200 && letters && !part.starts_with(['.', '-'])
        };
        if !name.split('/').all(safe) {
            return Err("its name is none that a folder can have".to_owned());
        }
        Ok(self.folder.join(format!("{name}.git")))
    }

    /// Copies every repository, or brings its copy up to date; goes on after a failure.
    ///
    /// # Errors
    /// When the list of what was copied cannot be written.
    pub fn update(
        &mut self,
        all: &[Hosted],
        each: &mut dyn FnMut(&Hosted, &Result<Copied, String>),
    ) -> Result<Summary> {
        let mut summary = Summary::default();
        for hosted in all {
            let done = self.one(hosted);
            each(hosted, &done);
            match done {
                Ok(Copied::New) => summary.new += 1,
                Ok(Copied::Updated) => summary.updated += 1,
                Ok(Copied::Unchanged) => summary.unchanged += 1,
                Ok(Copied::Empty) => summary.empty += 1,
                Err(why) => summary.failed.push((hosted.name.clone(), why)),
            }
            self.save()?;
        }
        Ok(summary)
    }

    fn one(&mut self, hosted: &Hosted) -> Result<Copied, String> {
        let place = self.place(&hosted.name)?;
        if hosted.empty {
            return Ok(Copied::Empty);
        }
        let here = place.join("HEAD").is_file();
        if here && hosted.changed.is_some() && self.state.get(&hosted.name) == hosted.changed.as_ref() {
            return Ok(Copied::Unchanged);
        }
        if !hosted.clone_url.starts_with(&self.address) {
            return Err(format!("its address is not below {}", self.address));
        }
        let text = |error: std::io::Error| error.to_string();
        let done = if here {
            self.git(&["-C", &place.to_string_lossy(), "fetch", "--quiet", "--prune", "--force", "origin"])?;
            Copied::Updated
        } else {
            // Half a clone must not be taken for a whole one.
            let half = place.with_extension("git.part");
            if half.exists() {
                std::fs::remove_dir_all(&half).map_err(text)?;
            }
            std::fs::create_dir_all(half.parent().unwrap_or(&self.folder)).map_err(text)?;
            self.git(&["clone", "--quiet", "--mirror", "--", &hosted.clone_url, &half.to_string_lossy()])?;
            std::fs::rename(&half, &place).map_err(text)?;
            Copied::New
        };
        match &hosted.changed {
            Some(changed) => self.state.insert(hosted.name.clone(), changed.clone()),
            None => self.state.remove(&hosted.name),
        };
        Ok(done)
    }

    /// Runs git. The token goes through the environment and to the server's own address only.
    fn git(&self, arguments: &[&str]) -> Result<(), String> {
        let mut git = Command::new("git");
        git.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        git.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", "http:https").env("GIT_ASKPASS", "true");
        if let Some(token) = &self.token {
            // Any user name will do for GitHub, GitLab and Gitea as long as the password is a token.
            let pair = [b"oauth2:", token.expose()].concat();
            let header = format!("Authorization: Basic {}", data_encoding::BASE64.encode(&pair));
            git.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_VALUE_0", header);
            git.env("GIT_CONFIG_KEY_0", format!("http.{}.extraHeader", self.address));
        }
        let done = git.output().map_err(|error| format!("git does not run: {error}"))?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("git gave no reason");
        Err(last.chars().take(300).collect())
    }

    fn save(&self) -> Result<()> {
        let (list, new) = (self.folder.join(STATE), self.folder.join(format!("{STATE}.new")));
        let text = serde_json::to_vec_pretty(&self.state).expect("because names and times are text");
        std::fs::write(&new, text)
            .and_then(|()| std::fs::rename(&new, &list))
            .map_err(|cause| Error::unwritable(list.display(), cause))
    }
}
