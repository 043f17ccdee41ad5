//! What a server says to a name and a password.

use super::Failure;

/// The answer to one log-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Authentication succeeded.
    Accepted,
    /// Definitively rejected; the text begins with the server's own code.
    Rejected(String),
    /// Not known: unreachable, too many connections, an address that may not connect at all.
    Unclear(Failure),
}
