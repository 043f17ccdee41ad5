//! Places that hold text: many repositories, Slack in every shape, archives, streams, hostile input.

mod clones;

use super::formats::{file, read, read_as, token};
