//! Why a call gave no usable answer, told so that the caller knows what may have changed.

use std::fmt;
use std::time::Duration;

/// A call that failed. Holds no value and no query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Nothing was sent: refused connection, unknown host, TLS failure, unusable settings.
    Unreachable {
        /// Host and port.
        place: String,
        /// What happened.
        why: String,
    },
    /// It was sent, and no whole answer came back: time-out, cut connection, answer over the size limit.
    Lost {
        /// Host and port.
        place: String,
        /// What happened.
        why: String,
    },
    /// The system answered with an error.
    Answered {
        /// Host and port.
        place: String,
        /// HTTP status; 0 for protocols without one.
        status: u16,
        /// The system's own machine-readable code, if it has one: `InvalidClientTokenId`, `28P01`.
        code: String,
        /// What it said, cut to one line.
        message: String,
        /// When to try again, if it said so.
        retry_after: Option<Duration>,
    },
    /// An answer that is not in the documented form.
    Strange {
        /// Host and port.
        place: String,
        /// What was expected.
        why: String,
    },
}

impl Failure {
    /// HTTP status of an answer.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The system's own code of an answer; empty when it gave none.
    pub fn code(&self) -> &str {
        match self {
            Self::Answered { code, .. } => code,
            _ => "",
        }
    }

    /// What the system said in an answer; empty otherwise.
    pub fn message(&self) -> &str {
        match self {
            Self::Answered { message, .. } => message,
            _ => "",
        }
    }

    /// True when the call certainly changed nothing and may work later: nothing was sent, a rate limit, a system that says
    /// that it does not serve now.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Answered { status, .. } => matches!(status, 429 | 503),
            Self::Lost { .. } | Self::Strange { .. } => false,
        }
    }

    /// True when the call may have had its effect although it failed.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Lost { .. } | Self::Strange { .. } => true,
            Self::Answered { status, .. } => *status >= 500 && *status != 503,
            Self::Unreachable { .. } => false,
        }
    }

    /// When to try again, if the system said so.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Answered { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { place, why } => write!(f, "{place} cannot be reached: {why}"),
            Self::Lost { place, why } => write!(f, "the answer of {place} was lost: {why}"),
            Self::Answered { place, status: 0, code, message, .. } => write!(f, "{place} answered {code}: {message}"),
            Self::Answered { place, status, code, message, .. } if code.is_empty() => {
                write!(f, "{place} answered {status}: {message}")
            }
            Self::Answered { place, status, code, message, .. } => {
                write!(f, "{place} answered {status} {code}: {message}")
            }
            Self::Strange { place, why } => write!(f, "{place} gave an answer that is not understood: {why}"),
        }
    }
}

impl std::error::Error for Failure {}

/// One line of at most 300 characters of what a system said.
#[cfg_attr(
    not(any(feature = "vault", feature = "postgres", feature = "aws")),
    allow(dead_code, reason = "the clients use it, and so does its test")
)]
pub(crate) fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Failure {
        let place = "127.0.0.1:1".to_owned();
        Failure::Answered { place, status, code: String::new(), message: "no".to_owned(), retry_after: None }
    }

    #[test]
    fn only_a_failure_that_changed_nothing_may_pass() {
        let lost = Failure::Lost { place: "h".to_owned(), why: "time-out".to_owned() };
        assert!(lost.is_ambiguous() && !lost.may_pass());
        assert!(answered(503).may_pass() && answered(429).may_pass());
        assert!(answered(502).is_ambiguous() && !answered(502).may_pass());
        assert!(!answered(403).is_ambiguous() && !answered(403).may_pass());
    }

    #[test]
    fn messages_are_cut_to_one_line() {
        assert_eq!(one_line("1 error occurred:\n\t* invalid accessor\n\n"), "1 error occurred: * invalid accessor");
        assert_eq!(one_line(&"é".repeat(400)).chars().count(), 301);
    }
}
