//! The folder of one departure: what was asked, found, planned, done and proven. Never a value.
//!
//! | file | holds |
//! |---|---|
//! | `case.json` | request: identity, sources, configuration |
//! | `findings.json` | credentials by fingerprint with their places, exposures, holdings, coverage |
//! | `plan.json` | the plan; its digest is what is approved |
//! | `log.db` | the append-only log |
//! | `checkpoint.txt` | signature over the log |
//!
//! The log seals the three JSON files by their digests; confirmations stand in the log alone.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::attribution::Exposure;
use crate::audit::{Entry, Log, Signer};
use crate::confirm::Verdict;
use crate::error::{Error, Result};
use crate::finding::{Finding, Liveness};
use crate::identity::Identity;
use crate::plan::Plan;
use crate::secret::Fingerprint;
use crate::source::Coverage;
use crate::store::Holding;

const REQUEST: &str = "case.json";
const FINDINGS: &str = "findings.json";
const PLAN: &str = "plan.json";

/// What was asked for: enough to read the same sources again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Version of this form.
    pub schema: String,
    /// The case.
    pub id: Uuid,
    /// When it was opened, RFC 3339.
    pub opened: String,
    /// Who leaves, with all aliases and reasons.
    pub identity: Identity,
    /// Paths that were read, absolute.
    pub paths: Vec<PathBuf>,
    /// The same paths as they were typed: places are named by them.
    #[serde(default)]
    pub typed: Vec<PathBuf>,
    /// `--as`, if it was given.
    pub take_for: Option<String>,
    /// `--map`, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<String>,
    /// Whether history was read.
    pub history: bool,
    /// Whether work trees were read.
    pub work_tree: bool,
    /// The configuration, absolute.
    pub config: PathBuf,
}

/// One distinct value, without it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// What a person calls it.
    pub label: String,
    /// Rule that knows it best.
    pub rule: String,
    /// Kind of credential.
    pub kind: String,
    /// Highest confidence.
    pub confidence: f32,
    /// What its issuer said during the sweep.
    pub liveness: Option<Liveness>,
    /// Every place, with paths of git objects where history names them.
    pub findings: Vec<Place>,
}

/// A finding with the path that a person would open.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Path, message or object, with line.
    pub shown: String,
    /// The finding.
    #[serde(flatten)]
    pub finding: Finding,
}

/// What the sweep found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Findings {
    /// Distinct values.
    pub credentials: Vec<Record>,
    /// Ties to people.
    pub exposures: Vec<Exposure>,
    /// Where values are kept.
    pub holdings: Vec<Holding>,
    /// The account of each source, store and provider.
    pub coverage: Vec<Coverage>,
    /// Values of stores that are too short or common to search for, and why.
    pub unsearched: Vec<String>,
}

/// An open case.
pub struct Case {
    dir: PathBuf,
    log: Log,
}

impl Case {
    /// Makes the folder of a new case.
    ///
    /// # Errors
    /// When there is a case already: a case is never overwritten.
    pub fn create(dir: &Path) -> Result<Self> {
        if dir.join(REQUEST).exists() {
            return Err(Error::user(format!("{} is a case already", dir.display()))
                .still("It was not touched.")
                .next("Choose another folder for a new sweep, or go on with `offkey apply` or `offkey confirm`."));
        }
        let failed = |cause| Error::user(format!("the folder {} cannot be made", dir.display())).because(cause);
        fs::create_dir_all(dir).map_err(failed)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(failed)?;
        }
        Ok(Self { dir: dir.to_owned(), log: Log::open(dir)? })
    }

    /// # Errors
    /// When the folder is not one of a case.
    pub fn is_there(dir: &Path) -> Result<()> {
        if dir.join(REQUEST).exists() {
            return Ok(());
        }
        Err(Error::user(format!("{} is not a case", dir.display())).next("`offkey sweep --case DIR` makes one."))
    }

    /// Opens a case that a sweep made; only one process can.
    ///
    /// # Errors
    /// When there is none, another process works on it, or its log is broken.
    pub fn open(dir: &Path) -> Result<Self> {
        Self::is_there(dir)?;
        Ok(Self { dir: dir.to_owned(), log: Log::open(dir)? })
    }

    /// The log.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes everything and seals it in the log; the request comes last: a folder without it is no case yet.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn fill(&self, request: &Request, findings: &Findings, plan: &Plan, signer: &Signer) -> Result<()> {
        let texts = [(FINDINGS, pretty(findings)), (PLAN, pretty(plan)), (REQUEST, pretty(request))];
        let files: BTreeMap<&str, String> = texts.iter().map(|(name, text)| (*name, digest(text))).collect();
        let [findings, plan_file, request] = &texts;
        for (name, text) in [findings, plan_file] {
            self.write_text(name, text)?;
        }
        self.log.append(
            "plan-sealed",
            json!({ "digest": plan.digest(), "treatments": plan.treatments.len(), "files": files }),
        )?;
        self.seal(signer)?;
        self.write_text(request.0, &request.1)
    }

    fn write_text(&self, name: &str, text: &[u8]) -> Result<()> {
        let path = self.dir.join(name);
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(&self.dir)?;
            file.write_all(text)?;
            file.as_file().sync_all()?;
            file.persist(&path).map(drop).map_err(|error| error.error)
        };
        write().map_err(|cause| Error::unwritable(path.display(), cause))
    }

    /// Signs the log as it is now.
    ///
    /// # Errors
    /// When the checkpoint cannot be written.
    pub fn seal(&self, signer: &Signer) -> Result<()> {
        self.write_text("checkpoint.txt", self.log.checkpoint(signer).to_text().as_bytes())
    }

    /// The request.
    ///
    /// # Errors
    /// When the file is missing or damaged; so for the others.
    pub fn request(&self) -> Result<Request> {
        self.read(REQUEST)
    }

    /// What the sweep found.
    ///
    /// # Errors
    /// See [`Case::request`].
    pub fn findings(&self) -> Result<Findings> {
        self.read(FINDINGS)
    }

    /// The plan, after checking that it is the one that the log sealed.
    ///
    /// # Errors
    /// When it was changed since; see also [`Case::request`].
    pub fn plan(&self) -> Result<Plan> {
        let plan: Plan = self.read(PLAN)?;
        let sealed = self.last("plan-sealed")?.and_then(|entry| entry.data["digest"].as_str().map(str::to_owned));
        if sealed.as_deref() == Some(plan.digest().as_str()) { Ok(plan) } else { Err(self.not_sealed(PLAN)) }
    }

    /// The last confirmation, if there was one.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn verdict(&self) -> Result<Option<Verdict>> {
        let Some(entry) = self.last("confirmed")? else { return Ok(None) };
        serde_json::from_value(entry.data).map(Some).map_err(|cause| {
            Error::integrity(format!("entry {} of the log is no confirmation", entry.seq)).because(cause)
        })
    }

    fn last(&self, kind: &str) -> Result<Option<Entry>> {
        Ok(self.log.entries()?.into_iter().rev().find(|entry| entry.kind == kind))
    }

    /// A file of the case, if it still has the bytes that the log sealed.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        let path = self.dir.join(name);
        let text = fs::read(&path).map_err(|cause| Error::unreadable(path.display(), cause))?;
        if self.last("plan-sealed")?.is_some_and(|entry| entry.data["files"][name] != digest(&text)) {
            return Err(self.not_sealed(name));
        }
        serde_json::from_slice(&text).map_err(|cause| {
            Error::integrity(format!("{} is damaged", path.display()))
                .because(cause)
                .next("Restore the case's folder from a backup.")
        })
    }

    fn not_sealed(&self, name: &str) -> Error {
        Error::integrity(format!("{} is not the file that the log sealed", self.dir.join(name).display()))
            .still("Nothing was changed.")
            .next("Restore it from a backup, or sweep again into a new case.")
    }
}

fn pretty<T: Serialize>(content: &T) -> Vec<u8> {
    serde_json::to_vec_pretty(content).expect("because the case's types always serialise")
}

fn digest(text: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(text))
}
