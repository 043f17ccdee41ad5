//! What every step must survive: seen undone, done, seen done, done again.

#![allow(dead_code, reason = "which part is used depends on the features that the tests are built with")]

use std::time::Duration;

use offkey::action::{Action, ActionError, Context, Effect, Observed, Receipt, Values, wait};
use offkey::secret::{Fingerprinter, SecretValue};
use offkey::store::{StoreStep, Supply};
use uuid::Uuid;

/// A context whose values come from `values`.
pub(crate) fn context(values: &dyn Values, op: u128) -> Context<'_> {
    Context { op: Uuid::from_u128(op), values, deadline: Duration::from_secs(10) }
}

/// Seen undone → done → seen done → done again → seen done. Gives the first receipt.
pub(crate) fn drive(action: &dyn Action, cx: &Context<'_>) -> Receipt {
    let name = action.name();
    assert_eq!(wait(action.observe(cx)), Ok(Observed::NotDone), "{name} before");
    let receipt = wait(action.apply(cx)).unwrap_or_else(|error| panic!("{name}: {error}"));
    if action.effect() != Effect::ReadOnly {
        assert!(
            matches!(wait(action.observe(cx)), Ok(Observed::Done(_))),
            "{name} after: {:?}",
            wait(action.observe(cx))
        );
        wait(action.apply(cx)).unwrap_or_else(|error| panic!("{name} again: {error}"));
        assert!(matches!(wait(action.observe(cx)), Ok(Observed::Done(_))), "{name} after the second time");
    }
    receipt
}

/// What a step that must fail says.
pub(crate) fn refusal(action: &dyn Action, cx: &Context<'_>) -> ActionError {
    match wait(action.apply(cx)) {
        Err(error) => error,
        Ok(receipt) => panic!("{} must not work: {receipt:?}", action.name()),
    }
}

/// Stages a generated value.
pub(crate) fn generate() -> StoreStep {
    StoreStep::Stage(Supply::Generate { length: 24, alphabet: "abcdefghjkmnpqrstuvwxyz23456789".to_owned() })
}

/// Fingerprints of tests.
pub(crate) fn fingerprinter() -> Fingerprinter {
    Fingerprinter::new(&SecretValue::new("tests only"))
}

/// Text of a value.
pub(crate) fn text(value: &SecretValue) -> String {
    value.expose_str().expect("text").to_owned()
}
