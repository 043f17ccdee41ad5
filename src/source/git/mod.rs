//! Git repositories, read straight from their object database.
//!
//! [`GitHistory`] hands on every blob of the database once, whether a ref reaches it or not, and the messages of commits
//! and annotated tags. [`Repository`] answers, for the few objects with hits, who brought them in and where.
//!
//! Packs are read by our own reader: the order is that of delta families, so each base is inflated once, and scanning
//! happens on the thread that made the object. `docs/design/engine.md` has the measurements behind that.

mod commits;
mod database;
mod delta;
mod forest;
mod history;
mod index;
mod introductions;
mod loose;
mod pack;
mod repository;
mod walk;

pub use history::GitHistory;
pub use repository::Repository;

/// Why an object cannot be read, as part of a sentence.
type Broken = &'static str;

/// A name in hexadecimal.
fn hex(name: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(name)
}

/// Whether a path is the top of a git repository: a work tree, its `.git`, or a bare repository.
pub fn is_repository(path: &std::path::Path) -> bool {
    database::git_dir(path).is_some()
}

/// The git folder of a path, if it is a repository.
pub(super) fn folder_of(path: &std::path::Path) -> Option<std::path::PathBuf> {
    database::git_dir(path)
}
