//! Every example of every rule through the whole detector: a filter that speaks against what a rule's author took from an issuer's
//! page would hide every such credential, however good the pattern is.

use std::path::Path;

use offkey::detect::{Detector, Options};
use offkey::rule::{Confidence, Rule, RuleSet, expand};

/// Rules of which an example or two stays below the threshold, and why.
const BELOW: [(&str, &str); 6] = [
    ("apple-app-specific-password", "sixteen small letters are four words to the ranker"),
    ("bundler-contribsys-credential", "two times eight hexadecimal digits name a commit as well"),
    ("commandline-net-use", "letters alone may be a word"),
    ("commandline-sqlplus", "letters alone may be a word"),
    ("commandline-psexec", "three times the same letter hides something"),
    ("jenkins-encrypted-secret", "the value is sealed"),
];

#[test]
fn what_the_rules_were_written_for_is_found_at_the_default_threshold() {
    let rules = RuleSet::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")).expect("the rules load");
    let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::from(0.5)).expect("rules are checked");
    let mut missed = Vec::new();
    let mut tried = 0;
    // What a hash is worth depends on the file that it stands in.
    let sure = |rule: &&Rule| rule.confidence != Confidence::Low && &*rule.kind != "hash";
    for rule in rules.rules().iter().filter(sure) {
        for (number, template) in rule.examples.iter().enumerate() {
            let text = expand(template, &format!("{}/{number}", rule.id), rule.check).expect("expands");
            let mut found = Vec::new();
            detector.scan(text.as_bytes(), None, &mut found);
            tried += 1;
            if found.is_empty() && BELOW.iter().all(|(id, _)| *id != &*rule.id) {
                missed.push(format!("{} example {}: {text}", rule.id, number + 1));
            }
        }
    }
    assert!(tried > 3_000, "{tried}");
    assert!(missed.is_empty(), "{} of {tried}:\n{}", missed.len(), missed.join("\n"));
}
