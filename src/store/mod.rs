//! Where values are kept for consumers. A store is asked for what it holds, and takes a new value in its own native,
//! resumable sequence. It does not know who issued a value; that is the provider's side.
//!
//! The native sequences, as actions:
//!
//! | store | stage | promote | retire |
//! |---|---|---|---|
//! | KV v2 | `cas=0` write to the pending path | check-and-set write, siblings kept | destroy old versions, remove the pending path |
//! | Secrets Manager | `PutSecretValue` as `AWSPENDING` | move `AWSCURRENT` | evict `AWSPREVIOUS` |
//! | Secrets Manager with a rotation function | (the function) | `RotateSecret`, a second time where two users take turns | evict `AWSPREVIOUS` |
//! | files | sidecar file, mode 0600 | edit in place, atomic rename | remove backup and sidecar |
//! | what is never shown ([`Overwrite`]) | nothing waits there | write the value that waits elsewhere, between two marks | remove the marks |

#[cfg(feature = "aws")]
mod aws_secrets;
#[cfg(feature = "aws")]
mod aws_ssm;
#[cfg(feature = "issuers")]
mod azure_vault;
#[cfg(feature = "issuers")]
mod blind;
mod file;
#[cfg(feature = "issuers")]
mod gcp_secrets;
#[cfg(feature = "issuers")]
mod github_actions;
#[cfg(feature = "issuers")]
mod gitlab_ci;
#[cfg(feature = "issuers")]
mod jenkins;
#[cfg(any(feature = "vault", feature = "aws", feature = "issuers"))]
mod json;
#[cfg(feature = "issuers")]
mod kubernetes;
#[cfg(feature = "issuers")]
mod locked;
mod masked;
#[cfg(feature = "issuers")]
mod rest;
#[cfg(feature = "issuers")]
mod sealed_box;
#[cfg(feature = "issuers")]
mod shelf;
#[cfg(feature = "vault")]
mod vault_kv;
#[cfg(feature = "vault")]
mod vault_kv1;
#[cfg(feature = "vault")]
mod vault_reads;

#[cfg(feature = "aws")]
pub use aws_secrets::AwsSecrets;
#[cfg(feature = "aws")]
pub use aws_ssm::aws_parameters;
#[cfg(feature = "issuers")]
pub use azure_vault::azure_vault;
#[cfg(feature = "issuers")]
pub use blind::Blind;
pub use file::FileStore;
#[cfg(feature = "issuers")]
pub use gcp_secrets::gcp_secrets;
#[cfg(feature = "issuers")]
pub use github_actions::{GithubPlace, github_actions};
#[cfg(feature = "issuers")]
pub use gitlab_ci::gitlab_variables;
#[cfg(feature = "issuers")]
pub use jenkins::jenkins_credentials;
#[cfg(feature = "issuers")]
pub use kubernetes::kubernetes_secrets;
#[cfg(feature = "issuers")]
pub use locked::{LockedFiles, age_files, sops_files};
#[cfg(feature = "issuers")]
pub use rest::Rest;
#[cfg(feature = "issuers")]
pub use shelf::Shelf;
#[cfg(feature = "vault")]
pub use vault_kv::VaultKv;
#[cfg(feature = "vault")]
pub use vault_kv1::vault_kv1;

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::action::{Action, ActionError, Context, Effect, Pending, Slot, Target, ValueRef};
use crate::clock;
use crate::error::Result;
use crate::secret::{Fingerprint, SecretValue};
use crate::source::Coverage;

/// One value as a store hands it out during an inventory; never leaves memory.
#[derive(Debug)]
pub struct Held {
    /// Where it is.
    pub at: Target,
    /// Current, or an older version that is still readable.
    pub slot: Slot,
    /// Version as the store names it.
    pub version: String,
    /// The value.
    pub value: SecretValue,
    /// Other fields beside it that say what it is for: `username`, `host`, `port`, `dbname`, `engine`. No secrets.
    pub hints: Vec<(String, String)>,
}

/// One entry of a store that holds a credential, found by fingerprint, not by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// Where it is.
    pub at: Target,
    /// Version as the store names it.
    pub version: String,
    /// True when this is what consumers read now.
    pub current: bool,
    /// The value's fingerprint.
    pub fingerprint: Fingerprint,
    /// What it is for, from fields beside it; no secrets.
    pub hints: Vec<(String, String)>,
    /// Programs that read it, if known.
    pub consumers: Vec<String>,
    /// The place of which this is a copy, by what offkey.toml says. Its own store never shows what it keeps: fingerprint and
    /// value are those of that place, and nobody can prove that they are the same here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy_of: Option<Target>,
}

/// An entry of a store that takes values and never shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// Where it is.
    pub at: Target,
    /// Version as the store names it: for stores that tell no more, when the entry was last written.
    pub version: String,
    /// The place of another store of which it is a copy, by what offkey.toml says.
    pub of: Target,
}

/// Writing over a value that cannot be read.
///
/// It is done after the readable places were changed. The old value comes from such a place, too: what really was in the entry
/// before is not known, so taking the step back writes what should have been there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overwrite {
    /// Version that the plan saw; another one is a conflict.
    pub expect: String,
    /// Where the new value waits.
    pub new: ValueRef,
    /// Where the value is that should be there now.
    pub old: ValueRef,
}

/// A value by its fingerprint, and one read that served it.
pub type Served = (Fingerprint, StoreRead);

/// One read of a value, as the store's own audit log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreRead {
    /// The place that was read.
    pub at: Target,
    /// The version that was read, as the store names it.
    pub version: String,
    /// Who read it, as the store names them: `userpass/alice`, the entity id.
    pub aliases: Vec<String>,
    /// When, RFC 3339.
    pub time: String,
}

/// What a store is asked to do for one step of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StoreStep {
    /// Put a new value beside the current one, under the operation's id. The value comes from the supply.
    Stage(Supply),
    /// Make the staged value current. `expect` is the version that the plan saw; another one is a conflict.
    Promote {
        /// Version that must still be current.
        expect: String,
    },
    /// Make every older value unreadable and remove what staging left.
    Retire {
        /// Version that was replaced.
        replaced: String,
    },
    /// Let the store's own machinery make a new value and set it at its target; nothing is written beside it.
    Rotate {
        /// Version that was current when the plan was made.
        replaced: String,
        /// Which of two turns.
        turn: Turn,
    },
}

/// A store that rotates by itself may have two users take turns, so that the value before goes on working.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// Consumers get a new value.
    First,
    /// The user of the replaced value gets a new one, too: a second rotation where users take turns, nothing otherwise.
    Last,
}

/// How a store replaces a value without anybody writing to it. Hints carry it from an inventory to a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnRotation {
    /// When it is asked to.
    Asked,
    /// When it is asked to, and two users take turns.
    TwoUsers,
    /// Only a person can start it.
    ByHand,
}

impl OwnRotation {
    /// Name of the hint that says how.
    const HOW: &str = "own-rotation";
    /// Name of the hint with the command that starts it.
    const COMMAND: &str = "own-rotation-command";
    const ALL: [Self; 3] = [Self::Asked, Self::TwoUsers, Self::ByHand];

    fn word(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::TwoUsers => "two-users",
            Self::ByHand => "by-hand",
        }
    }

    /// The hints of a value that is rotated like this; `command` is what a person would type.
    pub fn hints(self, command: &str) -> Vec<(String, String)> {
        vec![(Self::HOW.to_owned(), self.word().to_owned()), (Self::COMMAND.to_owned(), command.to_owned())]
    }
}

impl Holding {
    fn hint(&self, name: &str) -> Option<&str> {
        self.hints.iter().find(|(hint, _)| hint == name).map(|(_, text)| text.as_str())
    }

    /// How its store replaces it by itself, if it does.
    pub fn own_rotation(&self) -> Option<OwnRotation> {
        let word = self.hint(OwnRotation::HOW)?;
        OwnRotation::ALL.into_iter().find(|how| how.word() == word)
    }

    /// What a person types to start that.
    pub fn rotation_command(&self) -> &str {
        self.hint(OwnRotation::COMMAND).unwrap_or_default()
    }
}

/// What a store without a rotation of its own says when it is asked for one.
fn no_own_rotation() -> ActionError {
    ActionError::Refused("this store does not rotate by itself".to_owned())
}

impl StoreStep {
    /// The step in one word, the second half of an action's name.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stage(_) => "stage",
            Self::Promote { .. } => "promote",
            Self::Retire { .. } => "retire",
            Self::Rotate { turn: Turn::First, .. } => "rotate",
            Self::Rotate { turn: Turn::Last, .. } => "rotate-again",
        }
    }

    /// What the step does to the world, in every store alike.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Stage(_) | Self::Promote { .. } => Effect::Reversible,
            Self::Retire { .. } | Self::Rotate { .. } => Effect::Final,
        }
    }
}

/// Where a staged value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Supply {
    /// Made now: length and alphabet.
    Generate {
        /// Characters.
        length: usize,
        /// ASCII characters to draw from.
        alphabet: String,
    },
    /// Copied from another store's slot (one secret kept in two places).
    Copy(crate::action::ValueRef),
    /// Issued by a provider's own step, which stages it itself.
    Issued,
}

impl Supply {
    /// The value to stage: made now, or read from where it is copied from.
    ///
    /// # Errors
    /// `Conflict` when there is nothing to copy, or when the provider that issues the value has not staged it.
    pub async fn value(&self, cx: &Context<'_>) -> Result<SecretValue, ActionError> {
        match self {
            Self::Generate { length, alphabet } => Ok(clock::new_password(*length, alphabet.as_bytes())),
            Self::Copy(from) => {
                let missing = || ActionError::Conflict(format!("the value to copy from {} is not there", from.at));
                cx.values.read(from).await?.ok_or_else(missing)
            }
            Self::Issued => Err(ActionError::Conflict("the provider has not staged its value".to_owned())),
        }
    }
}

/// A place that keeps values.
pub trait Store: Send + Sync {
    /// Its name in the configuration, the `system` of its targets.
    fn name(&self) -> &str;

    /// What sort of store, for people and documents: `OpenBao KV v2`.
    fn label(&self) -> &'static str;

    /// Hands out every value that policy lets us read. Each read is logged by the caller; what may not or could not be
    /// read is a gap in the coverage. `visit` may stop the walk.
    fn inventory<'a>(
        &'a self,
        visit: &'a mut (dyn FnMut(Held) -> ControlFlow<()> + Send),
    ) -> Pending<'a, Result<Coverage>>;

    /// Who read what, for stores with an audit log; the coverage says which time the log covers.
    fn reads<'a>(&'a self) -> Pending<'a, Result<(Vec<StoreRead>, Coverage)>> {
        Box::pin(async { Ok((Vec::new(), Coverage::new(format!("reads of {}", self.name()), "none"))) })
    }

    /// Which places served one of these values, and to whom, for stores whose records can be searched by value. The value
    /// may be kept where we may not read.
    fn served<'a>(&'a self, _found: &'a [(Fingerprint, SecretValue)]) -> Pending<'a, Result<(Vec<Served>, Coverage)>> {
        Box::pin(async { Ok((Vec::new(), Coverage::new(format!("records of {}", self.name()), "none"))) })
    }

    /// Entries whose values the store never shows, with the places of which offkey.toml says that they are copies.
    fn copies(&self) -> Pending<'_, Result<Vec<Copied>>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// The action that writes over a value that cannot be read; `None` for stores whose values can be read.
    fn overwrite<'a>(&'a self, _at: &'a Target, _step: Overwrite) -> Option<Box<dyn Action + 'a>> {
        None
    }

    /// Reads one value; `Ok(None)` when there is definitely none.
    fn read<'a>(&'a self, at: &'a Target, slot: &'a Slot) -> Pending<'a, Result<Option<SecretValue>, ActionError>>;

    /// Writes a value that a provider just issued into the staging slot of operation `op` (create only).
    fn stage<'a>(&'a self, at: &'a Target, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), ActionError>>;

    /// The action for one step.
    fn action<'a>(&'a self, at: &'a Target, step: StoreStep) -> Box<dyn Action + 'a>;

    /// A cheap call that shows that we may do what a rotation of `at` needs; run before the first change.
    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>>;
}
