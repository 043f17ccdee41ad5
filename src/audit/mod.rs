//! The append-only log of a case: journal and audit trail in one.
//!
//! Each entry is canonical JSON that names the hash of the entry before it; all entries are the leaves of a Merkle tree
//! (RFC 6962 hashing) whose root is signed (ed25519). An intent is logged, synced to disk, before its effect; the outcome
//! after it. A log write that fails means that nothing is done.
//!
//! Invariant: no value ever enters an entry; [`verify()`] shares no code and no state with the writer.

mod checkpoint;
mod entry;
mod log;
mod statement;
mod tree;
mod verify;

pub use checkpoint::{Checkpoint, Signer, is_signed, key_id};
pub use entry::Entry;
pub use log::{FILE, Log};
pub use statement::Signed;
pub use tree::{Hash, Tree, extends, includes};
pub use verify::{Verified, lines, verify};
