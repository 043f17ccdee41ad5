//! Many repositories at once: copies of all that an organisation has, kept up to date.
//!
//! Invariant: nothing on the server changes; a copy is replaced only by git itself, and names out of the server's answers
//! never lead out of the folder.

mod mirror;

pub use mirror::{Copied, Mirror, Summary};
