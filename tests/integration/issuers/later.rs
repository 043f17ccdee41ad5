//! Faults after the first call of a revocation was answered as documented: whatever comes then, the step ends in a state that
//! says what is known, and the next look finds out the rest.

use std::collections::HashMap;
use std::time::Duration;

use offkey::action::{ActionError, Observed, wait};
use offkey::provider::{Provider, ProviderStep};
use offkey::rotation::Systems;
use offkey::rule::RuleSet;
use offkey::rule::issuer::Call;
use offkey::secret::SecretValue;

use super::cases::{Case, File};
use super::replay::{Answer, Played, Replay};
use super::{PATIENT, context, strange_answers};
use crate::steps::fingerprinter;

/// The calls of the table that kills what the case is about.
fn calls(file: &File, case: &Case) -> &'static [Call] {
    let (issuer, value) = (&RuleSet::issuers()[&file.id], file.value(case));
    let fits = |prefixes: &[String]| prefixes.is_empty() || prefixes.iter().any(|prefix| value.starts_with(prefix));
    let table = issuer.revoke.iter().find(|table| table.rules.contains(&case.rule) && fits(&table.prefixes));
    &table.unwrap_or_else(|| panic!("{}: nothing kills {}", file.id, case.rule)).steps
}

/// An exchange of the file that ends so, for the rule of a revocation.
fn asked<'f>(file: &'f File, rule: &str, ends: &str) -> &'f Case {
    let of_rule = |case: &&Case| case.does == "validate" && case.ends == ends && case.rule == rule;
    let any = |case: &&Case| case.does == "validate" && case.ends == ends;
    let found = file.case.iter().find(of_rule).or_else(|| file.case.iter().find(any));
    found.unwrap_or_else(|| panic!("{}: no exchange in which {rule} is {ends}", file.id))
}

/// Applies against the first script; then looks, and applies again if it has to, against the second.
fn twice(file: &File, case: &Case, first: Vec<Played>, then: Vec<Played>) -> (ActionError, Observed, Option<String>) {
    let value = file.value(case);
    let forbidden: Vec<String> = [Some(value.clone()), file.admin()].into_iter().flatten().collect();
    let print = fingerprinter().fingerprint(value.as_bytes());
    let secret = SecretValue::new(value.as_str());
    let mut locator = format!("{}:{print}", case.rule);
    for (name, fact) in &case.facts {
        locator.push_str(&format!(";{name}={fact}"));
    }
    let at = offkey::action::Target { system: "here".to_owned(), locator };
    let systems = Systems { found: HashMap::from([(print, secret)]), ..Systems::default() };
    let cx = context(&systems);
    let server = Replay::start(first, forbidden.clone());
    let issuer = file.issuer(&server, PATIENT);
    let action = issuer.action(&at, ProviderStep::Revoke).expect("offered");
    let error = match wait(action.apply(&cx)) {
        Err(error) => error,
        Ok(receipt) => panic!("{}: it must not work: {receipt:?}", file.id),
    };
    assert!(!error.to_string().contains(&value), "{}: the value is told", file.id);
    assert_eq!(server.faults(), Vec::<String>::new(), "{}", file.id);
    let server = Replay::start(then, forbidden);
    let issuer = file.issuer(&server, PATIENT);
    let action = issuer.action(&at, ProviderStep::Revoke).expect("offered");
    let seen = wait(action.observe(&cx)).unwrap_or_else(|error| panic!("{}, the next look: {error}", file.id));
    let done = (seen == Observed::NotDone).then(|| wait(action.apply(&cx)).expect("done").facts["revocation"].clone());
    assert_eq!(server.faults(), Vec::<String>::new(), "{}", file.id);
    (error, seen, done)
}

/// Each fault at each call but the first.
pub(super) fn faults(file: &File, case: &Case) -> usize {
    let calls = calls(file, case);
    let (alive, dead) = (asked(file, &case.rule, "live"), asked(file, &case.rule, "dead"));
    let probe = |kind: &Case| -> Vec<Played> {
        // The value of the revocation is asked about as the exchange asks.
        file.script(&case.with_calls_of(kind))
    };
    let mut tried = 0;
    for (number, call) in calls.iter().enumerate().skip(1) {
        let changes = !call.send.starts_with("GET ");
        let cut = [("cut", Answer::Cut)];
        for (name, answer) in strange_answers().into_iter().chain(cut) {
            let mut script = file.script(case);
            script.truncate(number + 1);
            script[number].answer = answer;
            let when = format!("{}, call {}: {name}", file.id, number + 1);
            let arrived = changes && name == "cut";
            let mut then = probe(if arrived { dead } else { alive });
            if !arrived {
                then.extend(file.script(case));
            }
            let (error, seen, done) = twice(file, case, script, then);
            let fits = match name {
                "rate limit" => {
                    matches!(error, ActionError::Unavailable { retry_after, .. } if retry_after == Some(Duration::from_secs(7)))
                }
                "unavailable" | "redirect" => matches!(error, ActionError::Unavailable { .. }),
                "forbidden" => matches!(error, ActionError::Refused(_)),
                "web page instead of success" | "web page instead of a rejection" if !changes => {
                    matches!(error, ActionError::Refused(_))
                }
                _ if changes => matches!(error, ActionError::Unknown(_)),
                _ => matches!(error, ActionError::Unavailable { .. }),
            };
            assert!(fits, "{when}: {error}");
            // A legal end: seen dead, or seen alive and killed by the same calls.
            match seen {
                Observed::Done(_) => assert!(arrived, "{when}"),
                _ => assert!(done.is_some_and(|done| done != "nothing left to revoke"), "{when}"),
            }
            tried += 1;
        }
    }
    tried
}
