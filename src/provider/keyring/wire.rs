//! What client and service of the keyring say to each other: one JSON object a line.

use serde::{Deserialize, Serialize};

/// A question, with the administrator's word where it needs one.
#[derive(Serialize, Deserialize)]
pub(super) struct Request {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) admin: Option<String>,
    pub(super) ask: Ask,
}

/// The questions.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Ask {
    Login { account: String, value: String },
    WhoAmI { value: String },
    Show { account: String },
    Owned { owner: String },
    Set { account: String, value: String },
    Revoke { account: String },
}

/// One account as an administrator sees it.
#[derive(Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) account: String,
    pub(super) owner: Option<String>,
    pub(super) live: bool,
}

/// The answers.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    Accepted { account: String },
    Rejected,
    Forbidden,
    Entries(Vec<Entry>),
    Failed(String),
}
