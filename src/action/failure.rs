//! What a failed call means for the step that made it.

use super::ActionError;
use crate::remote::Failure;

impl ActionError {
    /// A look failed: nothing was changed by it.
    pub fn looking(failure: &Failure) -> Self {
        match failure {
            // Protocols without a status refuse by code: of all their refusals rights are the most frequent.
            Failure::Answered { status: 0 | 401 | 403, .. } => Self::Refused(not_allowed(failure)),
            Failure::Answered { status, .. } if *status < 500 && *status != 429 => Self::Refused(failure.to_string()),
            _ => Self::Unavailable { why: failure.to_string(), retry_after: failure.retry_after() },
        }
    }

    /// A change failed: it may have had its effect unless the failure rules that out.
    pub fn changing(failure: &Failure) -> Self {
        if failure.is_ambiguous() { Self::Unknown(failure.to_string()) } else { Self::looking(failure) }
    }
}

fn not_allowed(failure: &Failure) -> String {
    format!("{failure}; check the credentials and rights that offkey.toml gives for this system")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Failure {
        let place = "127.0.0.1:1".to_owned();
        Failure::Answered { place, status, code: String::new(), message: "no".to_owned(), retry_after: None }
    }

    #[test]
    fn a_lost_answer_is_unknown_after_a_change_and_harmless_after_a_look() {
        let lost = Failure::Lost { place: "h".to_owned(), why: "time-out".to_owned() };
        assert!(matches!(ActionError::changing(&lost), ActionError::Unknown(_)));
        assert!(matches!(ActionError::looking(&lost), ActionError::Unavailable { .. }));
        assert!(matches!(ActionError::changing(&answered(502)), ActionError::Unknown(_)));
        assert!(matches!(ActionError::changing(&answered(503)), ActionError::Unavailable { .. }));
    }

    #[test]
    fn a_wrong_token_is_refused_and_says_where_to_look() {
        let ActionError::Refused(why) = ActionError::changing(&answered(403)) else { panic!("refused") };
        assert!(why.contains("offkey.toml"), "{why}");
    }
}
