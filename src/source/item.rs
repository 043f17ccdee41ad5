//! One authored thing in an export: a message, a comment, a field, with who wrote it and who could read it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How sure a source is of a person, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Evidence {
    /// The e-mail address stands on the record itself.
    E0,
    /// The export's own directory maps the id to an e-mail address.
    E1,
    /// The id maps to a handle; an e-mail address needs a map from the user.
    E2,
    /// Handle or display name only.
    E3,
    /// Only the container or file has an owner.
    E4,
}

/// A person as the export names them. Never merged with another on display name alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonRef {
    /// The system: `slack`, `jira`, `github`, `mail`.
    pub platform: String,
    /// The system's own id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub id: Option<String>,
    /// Login or handle.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub handle: Option<String>,
    /// E-mail address.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub email: Option<String>,
    /// Display name.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub display: Option<String>,
    /// False when the export marks the account as deactivated; `None` when it does not say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active: Option<bool>,
    /// How the e-mail or handle is known.
    pub evidence: Evidence,
}

impl PersonRef {
    /// Somebody known by the system's id only.
    pub fn by_id(platform: &str, id: impl Into<String>) -> Self {
        Self {
            platform: platform.to_owned(),
            id: Some(id.into()),
            handle: None,
            email: None,
            display: None,
            active: None,
            evidence: Evidence::E3,
        }
    }
}

/// Names that a source believes to be one person, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kin {
    /// The names; one entry for each account or address.
    pub people: Vec<PersonRef>,
    /// Why they are one person, as part of a sentence: `user list of the Slack export acme.zip`, `.mailmap of ./shop`.
    pub reason: String,
}

/// What holds an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the field's own words")]
pub enum ContainerKind {
    Channel,
    Dm,
    GroupDm,
    Issue,
    Page,
    Ticket,
    Board,
    Mailbox,
    Repo,
    File,
}

/// The channel, issue, mailbox … that an item lies in.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Container {
    /// What sort of container.
    pub kind: ContainerKind,
    /// The system's id.
    pub id: String,
    /// The name that people use.
    pub name: String,
    /// False for private channels, direct messages, restricted projects.
    pub public: bool,
}

/// What sort of thing an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the field's own words")]
pub enum ItemKind {
    Message,
    Comment,
    Description,
    File,
    Field,
    History,
    /// Text that the export or instance made, not a person: export tokens, password hashes, licence texts.
    Artefact,
}

/// How the text came to stand under the author's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the field's own words")]
pub enum Via {
    Direct,
    Bot,
    Webhook,
    Import,
    OnBehalf,
    Quoted,
    Forwarded,
    System,
}

/// One authored thing in an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Item {
    /// Format id: `slack-export`, `jira-csv`.
    pub format: String,
    /// The channel, issue, mailbox … that it lies in.
    pub container: Container,
    /// Id in its container: message ts, comment id.
    pub id: String,
    /// What sort of thing it is.
    pub kind: ItemKind,
    /// Who wrote it; `None` when the export does not say (an artefact, an anonymous comment).
    pub author: Option<PersonRef>,
    /// How the text came to stand under the author's name.
    pub via: Via,
    /// When, as RFC 3339 in UTC where the zone is known, else as the export writes it.
    pub created: Option<String>,
    /// Last edit, same form.
    pub edited: Option<String>,
    /// Link that opens it in the live system, where the format lets us make one.
    pub permalink: Option<String>,
    /// Path of the field inside the raw file: JSON pointer, MIME part, column name.
    pub pointer: Option<String>,
    /// People it was addressed to: DM peers, To and Cc, assignee.
    pub sent_to: Vec<PersonRef>,
    /// People who could read it, if the export lists the members; shared between the items of a container.
    pub readers: Arc<[PersonRef]>,
}

impl Item {
    /// An item of which nothing but its place is known yet.
    pub fn new(container: Container, kind: ItemKind, id: impl Into<String>) -> Self {
        Self {
            format: String::new(),
            container,
            id: id.into(),
            kind,
            author: None,
            via: Via::Direct,
            created: None,
            edited: None,
            permalink: None,
            pointer: None,
            sent_to: Vec::new(),
            readers: Arc::from([]),
        }
    }
}
