//! Where a document is, precisely enough to go and look.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Item;

/// What sort of git object a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GitObjectKind {
    /// File content.
    Blob,
    /// Message (and headers) of a commit.
    Commit,
    /// Message of an annotated tag.
    Tag,
}

/// Where a document is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "kebab-case")]
pub enum Provenance {
    /// A file of a directory tree.
    File {
        /// Path as the user would type it.
        path: String,
        /// Members passed through on the way in, outermost first: `app.jar`, `config.properties`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<String>,
    },
    /// An object of a repository's database. Its paths and commits are found later, only if it has a hit.
    Git {
        /// Path of the repository.
        repo: Arc<str>,
        /// Object id in hexadecimal.
        oid: String,
        /// What sort of object.
        object: GitObjectKind,
        /// Archive members passed through inside the blob.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        inside: Vec<String>,
    },
    /// An authored item of an export.
    Export {
        /// Path of the raw file (inside the export), as the user would find it.
        path: String,
        /// The item.
        item: Arc<Item>,
    },
    /// A value kept in a store, as the store names it.
    Store {
        /// Store name from the configuration.
        store: String,
        /// Path and field.
        locator: String,
    },
    /// A patch, standard input or another stream with a name of its own.
    Stream {
        /// The name.
        name: String,
    },
}

impl Provenance {
    /// Id of the git object that the document is or lies in.
    pub fn object(&self) -> Option<&str> {
        match self {
            Self::Git { oid, .. } => Some(oid),
            _ => None,
        }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chain = |f: &mut fmt::Formatter<'_>, inside: &[String]| inside.iter().try_for_each(|m| write!(f, "!{m}"));
        match self {
            Self::File { path, inside } => {
                f.write_str(path)?;
                chain(f, inside)
            }
            Self::Git { repo, oid, inside, .. } => {
                write!(f, "{repo}@{}", &oid[..oid.len().min(12)])?;
                chain(f, inside)
            }
            Self::Export { path, item } => write!(f, "{path} ({} {})", item.container.name, item.id),
            Self::Store { store, locator } => write!(f, "{store}:{locator}"),
            Self::Stream { name } => f.write_str(name),
        }
    }
}
