//! Exit codes, documented in docs/exit-codes.md.

use std::process::ExitCode;

use crate::error::{Error, Kind};

/// How a run ended. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Nothing to do, everything in order.
    Clean = 0,
    /// A fault of offkey itself.
    Internal = 1,
    /// Bad usage, bad configuration, unreadable input.
    Usage = 2,
    /// Credentials were found.
    Findings = 10,
    /// A case has items that are not in a terminal state.
    Open = 11,
    /// Nothing found, but not everything could be read.
    Partial = 12,
    /// A live system refused or could not be reached.
    Remote = 20,
    /// It is not known whether an effect took place.
    Unknown = 21,
    /// Evidence does not verify.
    Integrity = 30,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&Error> for Exit {
    fn from(error: &Error) -> Self {
        match error.kind() {
            Kind::User | Kind::Config => Self::Usage,
            Kind::Remote => Self::Remote,
            Kind::Unknown => Self::Unknown,
            Kind::Integrity => Self::Integrity,
            Kind::Internal => Self::Internal,
        }
    }
}
