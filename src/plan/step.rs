//! The parts of a plan.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::period::Period;
use super::policy::Approval;
use crate::action::{ActionName, Effect, Target};
use crate::provider::ProviderStep;
use crate::secret::Fingerprint;
use crate::store::{Overwrite, StoreStep};

/// What one step asks of one system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Does {
    /// Of a store.
    Store(StoreStep),
    /// Of a store that takes values and never shows them.
    Overwrite(Overwrite),
    /// Of a provider.
    Provider(ProviderStep),
    /// Of a consumer, that it reads the new value.
    Hook(HookStep),
    /// Of nobody: the records of the stores are read until every consumer has read the new value.
    Converge(Converge),
}

/// A program or a web address that makes a consumer read its new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookStep {
    /// Its name in the policy.
    pub name: String,
    /// Program and arguments; no shell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<String>,
    /// Address that takes a POST, instead of a program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
    /// What was changed.
    pub targets: Vec<String>,
}

/// Who has to read the new value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converge {
    /// As the stores' records name them.
    pub consumers: Vec<String>,
    /// How long they may take.
    pub within: Period,
    /// Whether the old value still works, and goes on working until they have.
    pub holds: bool,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the plan: `c2.3`.
    pub id: String,
    /// Stable name of what is done: `store.promote`, `provider.set`.
    pub action: ActionName,
    /// Where.
    pub target: Target,
    /// What.
    pub does: Does,
    /// What it does to the world.
    pub effect: Effect,
}

/// How a credential ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Disposition {
    /// The account takes no new sessions.
    Freeze,
    /// Killed at its issuer.
    Revoke,
    /// Replaced where it is kept, and the old value killed.
    Rotate,
    /// Its issuer rejects it already.
    AlreadyDead {
        /// The rejection.
        proof: String,
    },
    /// It ended by itself: its issuer wrote the time into it, and that has passed.
    Expired {
        /// The day on which it ended.
        on: String,
    },
    /// A dated, owned exception.
    Waived {
        /// The waiver's id.
        waiver: String,
        /// Day on which it ends.
        until: String,
    },
    /// They go on using it: they change role, and the identity file says so.
    Kept {
        /// What the file says.
        by: String,
    },
    /// Left to end by itself, as policy decided or because nobody here can end it; open until it was seen dead.
    LetExpire {
        /// Day after which it must be dead.
        by: String,
        /// Whether its issuer wrote that day into it: then it is dead after it, whoever looks.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        signed: bool,
    },
    /// Somebody replaces it by hand, as policy decided; open until it was seen dead.
    HandOver {
        /// Who.
        to: String,
        /// What that person has to do.
        todo: String,
    },
    /// Nobody here can reach it: a person has to act.
    Open {
        /// What the person has to do.
        todo: String,
    },
}

/// One credential (or account) and everything that is done about it, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treatment {
    /// Unique in the plan: `c2`.
    pub id: String,
    /// The credential; `None` for what a provider knows without a value.
    pub credential: Option<Fingerprint>,
    /// What a person calls it.
    pub label: String,
    /// Where its issuer has it, if a configured issuer knows it: `confirm` asks there, whoever ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Target>,
    /// How it ends.
    pub disposition: Disposition,
    /// Programs that read it where it is kept, as far as the stores' records tell; the leaver is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumers: Vec<String>,
    /// Why it is in the plan: relations to the leaver, places.
    pub why: Vec<String>,
    /// Class of risk, by policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// Before all other rotations.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub urgent: bool,
    /// How long the old value goes on working after consumers were given the new one.
    #[serde(default, skip_serializing_if = "Period::is_zero")]
    pub grace: Period,
    /// Identity of the operation: staged values carry it, and AWS takes it as `ClientRequestToken`.
    pub op: Uuid,
    /// What is done, one after the other. A step starts when the one before is confirmed.
    pub steps: Vec<Step>,
}

impl Treatment {
    /// Whether it changes anything.
    pub fn acts(&self) -> bool {
        !self.steps.is_empty()
    }

    /// Whether a person has to do something before it can end.
    pub fn is_open(&self) -> bool {
        use Disposition::{HandOver, LetExpire, Open};
        matches!(self.disposition, Open { .. } | HandOver { .. } | LetExpire { .. })
    }
}

/// What should happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this form.
    pub schema: String,
    /// The case.
    pub case: Uuid,
    /// Who leaves.
    pub identity: String,
    /// Most treatments that may act without being allowed by name.
    pub cap: usize,
    /// Treatments that have to work before the other rotations begin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub canaries: Vec<String>,
    /// Who has to agree beside the person who applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
    /// What somebody who approves it should know beside it: waivers that fit nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Accounts first, then credentials.
    pub treatments: Vec<Treatment>,
}

impl Plan {
    /// SHA-256 of the canonical JSON, hexadecimal: what is approved.
    pub fn digest(&self) -> String {
        let canonical = serde_json::to_vec(self).expect("because a plan holds only strings and numbers");
        data_encoding::HEXLOWER.encode(&Sha256::digest(canonical))
    }

    /// How many treatments act.
    pub fn changes(&self) -> usize {
        self.treatments.iter().filter(|treatment| treatment.acts()).count()
    }
}
