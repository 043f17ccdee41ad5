//! What a repository's history says about one object: who brought it in, where, when.

use super::PersonRef;

/// The people of one commit, as the repository's mailmap names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitPeople {
    /// Commit id in hexadecimal.
    pub commit: String,
    /// Who wrote the change.
    pub author: PersonRef,
    /// Who recorded it; often the author, a bot or the merge button.
    pub committer: PersonRef,
    /// From `Co-authored-by` lines.
    pub co_authors: Vec<PersonRef>,
    /// Author time, RFC 3339 in UTC.
    pub time: String,
    /// False for commits that no ref reaches: dangling, dropped stashes.
    pub reachable: bool,
}

/// One commit that brought a blob to a path where none of its parents had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Path in the repository.
    pub path: String,
    /// The commit and its people.
    pub by: std::sync::Arc<CommitPeople>,
}
