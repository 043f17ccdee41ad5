//! Places that hold text: many repositories, Slack in every shape, archives, streams, hostile input.

mod clones;
mod hostile;
mod lazy;
mod mutation;
mod slack;

use super::formats::{Seen, file, folder, read, read_as, token};
