//! Places that hold text: many repositories, Slack in every shape, archives, streams, hostile input.

mod clones;
mod fuzz;
mod hostile;
mod lazy;
mod seeds;
mod slack;

use super::formats::{Seen, file, folder, read, read_as, token};
