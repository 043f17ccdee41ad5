//! The guard against taking what a system shows instead of a value for the value.

use crate::action::{ActionError, Target};

/// True for what systems show instead of a value: empty, stars, dots, `<redacted>`, an audit hash. Writing such a text back
/// would wipe the real one.
pub(super) fn is_masked(value: &str) -> bool {
    let text = value.trim();
    let lower = text.to_lowercase();
    let word = lower.trim_matches(|c: char| !c.is_alphanumeric());
    text.is_empty()
        || text.chars().all(|c| matches!(c, '*' | '•' | '●' | '·' | '.' | '-' | '_' | '█'))
        || (text.len() >= 3 && text.chars().all(|c| matches!(c, 'x' | 'X')))
        || matches!(
            word,
            "redacted" | "masked" | "hidden" | "sensitive" | "sensitive value" | "filtered" | "null" | "none"
        )
        || lower.starts_with("hmac-sha256:")
}

/// Refuses to rotate what is not there, or what a system shows instead of a value.
pub(super) fn must_be_value(at: &Target, current: Option<&str>) -> Result<(), ActionError> {
    match current {
        None => Err(ActionError::Conflict(format!("{at} is not there"))),
        Some(text) if is_masked(text) => {
            Err(ActionError::Refused(format!("{at} is empty or masked: it is not written back")))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_value_is_not_one() {
        for masked in
            ["", "  ", "****", "••••••", "<redacted>", "[REDACTED]", "(sensitive value)", "xxxxxxxx", "hmac-sha256:ab"]
        {
            assert!(is_masked(masked), "{masked:?}");
        }
        for value in ["hunter2", "x1", "a*b", "redacted-but-real"] {
            assert!(!is_masked(value), "{value:?}");
        }
    }
}
