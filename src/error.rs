//! What went wrong, what is still true, and what to do next.
//!
//! Invariant: no secret value is ever put into an error; callers pass locators and fingerprints.

use std::fmt;
use std::io;

/// Result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure it is; decides the exit code (docs/exit-codes.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request cannot be carried out as it was typed.
    User,
    /// A configuration, rule, identity or policy file is wrong.
    Config,
    /// A live system refused or could not be reached.
    Remote,
    /// It is not known whether an effect took place.
    Unknown,
    /// Evidence, a log or an object does not have the content that it must have.
    Integrity,
    /// A fault of offkey itself.
    Internal,
}

/// One failure, told to a person.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    still_true: Option<String>,
    next: Option<String>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// A failure of the given kind; `what` is one sentence without a full stop.
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), still_true: None, next: None, cause: None }
    }

    /// Shorthand for [`Kind::User`].
    pub fn user(what: impl Into<String>) -> Self {
        Self::new(Kind::User, what)
    }

    /// Shorthand for [`Kind::Config`].
    pub fn config(what: impl Into<String>) -> Self {
        Self::new(Kind::Config, what)
    }

    /// Shorthand for [`Kind::Remote`].
    pub fn remote(what: impl Into<String>) -> Self {
        Self::new(Kind::Remote, what)
    }

    /// Shorthand for [`Kind::Unknown`].
    pub fn unknown(what: impl Into<String>) -> Self {
        Self::new(Kind::Unknown, what)
    }

    /// Shorthand for [`Kind::Integrity`].
    pub fn integrity(what: impl Into<String>) -> Self {
        Self::new(Kind::Integrity, what)
    }

    /// Shorthand for [`Kind::Internal`].
    pub fn internal(what: impl Into<String>) -> Self {
        Self::new(Kind::Internal, what)
    }

    /// A file or folder that was typed and cannot be read; what to do next depends on why.
    pub fn unreadable(what: impl fmt::Display, cause: io::Error) -> Self {
        Self::user(format!("{what} cannot be read"))
            .because_of(cause, "Check the path: it is taken from where you are.")
    }

    /// A file or folder that was typed and cannot be written.
    pub fn unwritable(what: impl fmt::Display, cause: io::Error) -> Self {
        Self::user(format!("{what} cannot be written")).because_of(cause, "Make its folder first, or choose another.")
    }

    fn because_of(self, cause: io::Error, missing: &str) -> Self {
        let next = match cause.kind() {
            io::ErrorKind::NotFound => missing,
            io::ErrorKind::PermissionDenied => "Run offkey as somebody who may, or change its rights.",
            io::ErrorKind::IsADirectory => "A folder is there; pass a file.",
            io::ErrorKind::StorageFull => "Make room on the disk.",
            io::ErrorKind::InvalidData => "It has to be text in UTF-8.",
            _ => return self.because(cause),
        };
        self.because(cause).next(next)
    }

    /// Adds what is still true: "nothing was changed", "the old value still works".
    #[must_use]
    pub fn still(mut self, still_true: impl Into<String>) -> Self {
        self.still_true = Some(still_true.into());
        self
    }

    /// Adds what the reader can do next, as a whole sentence.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What sort of failure it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is still true, if it was said.
    pub fn still_true(&self) -> Option<&str> {
        self.still_true.as_deref()
    }

    /// What to do next, if it was said.
    pub fn next_step(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::user("reading or writing failed").because(error)
    }
}
