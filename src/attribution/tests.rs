//! One token, many people: everybody is named, with the right relation.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::finding::{Finding, Location};
use crate::identity::AliasKind;
use crate::secret::{Fingerprinter, SecretValue};
use crate::source::{Container, ContainerKind, Evidence, GitObjectKind, Item, ItemKind, PersonRef, Provenance};

fn person(platform: &str, id: &str, name: &str, email: Option<&str>) -> PersonRef {
    let mut person = PersonRef::by_id(platform, id);
    person.display = Some(name.to_owned());
    person.email = email.map(str::to_owned);
    person.evidence = if email.is_some() { Evidence::E1 } else { Evidence::E3 };
    person
}

fn alice() -> Identity {
    let mut identity = Identity { name: "Alice Moreau".to_owned(), ..Identity::default() };
    identity.learn(AliasKind::Email, "alice@harbourfinch.example", "stated in alice.toml");
    identity.learn(AliasKind::VaultAlias, "userpass/alice", "stated in alice.toml");
    identity
}

fn fingerprint() -> Fingerprint {
    Fingerprinter::new(&SecretValue::new("key")).fingerprint(b"value")
}

fn finding(provenance: Provenance) -> Finding {
    Finding {
        rule: "r".to_owned(),
        kind: "token".to_owned(),
        location: Location { provenance, lines: (4, 4), columns: (0, 9) },
        fingerprint: fingerprint(),
        confidence: 0.9,
        parts: Vec::new(),
        encodings: Vec::new(),
        notes: Vec::new(),
        waived: None,
        allowance: None,
    }
}

fn credential(findings: Vec<Finding>) -> Credential {
    Credential {
        fingerprint: fingerprint(),
        value: SecretValue::new("value"),
        kind: "token".to_owned(),
        rule: "r".to_owned(),
        confidence: 0.9,
        findings,
        part_of: None,
        liveness: None,
    }
}

fn commit(id: &str, author: PersonRef, co_authors: Vec<PersonRef>) -> Arc<CommitPeople> {
    let committer = author.clone();
    let time = "2026-03-02T09:00:00Z".to_owned();
    Arc::new(CommitPeople { commit: id.to_owned(), author, committer, co_authors, time, reachable: true })
}

#[test]
fn every_introducing_commit_and_co_author_is_named() {
    let repo: Arc<str> = "./shop".into();
    let oid = "ab".repeat(20);
    let place = Provenance::Git { repo: repo.clone(), oid: oid.clone(), object: GitObjectKind::Blob, inside: vec![] };
    let bob = person("git", "", "Bob Tanaka", Some("bob@harbourfinch.example"));
    let alice_ref = person("git", "", "Alice", Some("alice@harbourfinch.example"));
    let dan = person("git", "", "Dan", Some("dan@elsewhere.example"));
    let introductions = vec![
        Introduction { path: ".env".to_owned(), by: commit("1111111111aa", bob, vec![alice_ref]) },
        Introduction { path: "copy/.env".to_owned(), by: commit("2222222222bb", dan, vec![]) },
    ];
    let facts = Facts { introductions: HashMap::from([((repo, oid), introductions)]), ..Facts::default() };
    let exposures = attribute(&[credential(vec![finding(place)])], &alice(), &facts);
    let people: Vec<_> = exposures.iter().map(|e| (e.person.as_str(), e.leaver, e.relation)).collect();
    assert_eq!(
        people,
        [
            ("Alice Moreau", true, Relation::Wrote),
            ("Bob Tanaka <bob@harbourfinch.example>", false, Relation::Wrote),
            ("Dan <dan@elsewhere.example>", false, Relation::Wrote),
        ]
    );
    assert!(exposures[0].reasons[0].starts_with("co-author of commit 1111111111 (2026-03-02): .env line 4"));
}

fn message(kind: ItemKind, author: PersonRef, readers: Vec<PersonRef>) -> Provenance {
    let container =
        Container { kind: ContainerKind::Channel, id: "C1".to_owned(), name: "#ops".to_owned(), public: false };
    let item = Item {
        format: "slack-export".to_owned(),
        author: Some(author),
        readers: readers.into(),
        ..Item::new(container, kind, "1700000000.000100")
    };
    Provenance::Export { path: "ops/2026-01-01.json".to_owned(), item: Arc::new(item) }
}

#[test]
fn a_channel_exposes_its_members_to_what_another_wrote() {
    let bob = person("slack", "U01BOB", "Bob Tanaka", Some("bob@harbourfinch.example"));
    let alice_ref = person("slack", "U02ALICE", "Alice", Some("alice@harbourfinch.example"));
    let place = message(ItemKind::Message, bob.clone(), vec![bob, alice_ref]);
    let exposures = attribute(&[credential(vec![finding(place)])], &alice(), &Facts::default());
    let people: Vec<_> = exposures.iter().map(|e| (e.leaver, e.relation)).collect();
    assert_eq!(people, [(true, Relation::CouldRead), (false, Relation::Wrote)]);
}

#[test]
fn an_artefact_of_the_export_accuses_nobody() {
    let poster = person("slack", "U02ALICE", "Alice", Some("alice@harbourfinch.example"));
    let place = message(ItemKind::Artefact, poster, vec![]);
    assert!(attribute(&[credential(vec![finding(place)])], &alice(), &Facts::default()).is_empty());
}

#[test]
fn an_audit_log_shows_who_did_read() {
    let read = |alias: &str| ReadEvent {
        fingerprint: fingerprint(),
        aliases: vec![alias.to_owned()],
        place: "bao:secret/shop/db version 3".to_owned(),
        time: "2026-05-01T10:00:00Z".to_owned(),
    };
    let facts = Facts { reads: vec![read("userpass/alice"), read("approle/ci")], ..Facts::default() };
    let exposures = attribute(&[credential(vec![])], &alice(), &facts);
    assert_eq!(exposures.len(), 2);
    assert!(exposures[0].leaver && exposures[0].relation == Relation::DidRead);
    assert_eq!(exposures[1].person, "approle/ci");
}

#[test]
fn a_credential_that_names_the_leaver_is_theirs() {
    let mut found = finding(Provenance::Stream { name: "-".to_owned() });
    found.parts = vec![("user".to_owned(), "alice@harbourfinch.example".to_owned())];
    let exposures = attribute(&[credential(vec![found])], &alice(), &Facts::default());
    assert_eq!((exposures[0].relation, exposures[0].leaver), (Relation::Theirs, true));
}

#[test]
fn what_history_holds_is_judged_by_its_paths_and_by_the_one_that_says_least_against_it() {
    let repo: Arc<str> = "./shop".into();
    let by = || commit("1111111111aa", person("git", "", "Bob Tanaka", Some("bob@harbourfinch.example")), vec![]);
    let judged = |paths: &[&str], rule: &str| {
        let oid = "ab".repeat(20);
        let place =
            Provenance::Git { repo: repo.clone(), oid: oid.clone(), object: GitObjectKind::Blob, inside: vec![] };
        let introductions =
            paths.iter().map(|path| Introduction { path: (*path).to_owned(), by: by() }).collect::<Vec<_>>();
        let facts = Facts { introductions: HashMap::from([((repo.clone(), oid), introductions)]), ..Facts::default() };
        let found = Finding { notes: vec!["ranked".to_owned()], rule: rule.to_owned(), ..finding(place) };
        facts.weigh(vec![credential(vec![found])], 0.5).first().map(|credential| credential.confidence)
    };
    assert_eq!(judged(&["config/locales/de.yml"], "generic-password"), None, "a word of a translation");
    assert_eq!(judged(&["config/locales/de.yml", "config/app.yml"], "generic-password"), Some(0.9), "a password, too");
    assert_eq!(judged(&["config/app.yml"], "generic-password"), Some(0.9));
    assert_eq!(
        judged(&["config/locales/de.yml"], "needle:bao:secret/shop"),
        Some(0.9),
        "exact values are never doubted"
    );
    assert_eq!(judged(&[], "generic-password"), Some(0.9), "nobody knows where it lay");
}
