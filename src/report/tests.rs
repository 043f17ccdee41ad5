//! Snapshots of every form for pipelines, from one listing with every verdict and with hostile names.

use std::io::Write;
use std::sync::Arc;

use super::*;
use crate::finding::Location;
use crate::finding::Verdict;
use crate::source::GitObjectKind;

fn judged(at: u8, verdict: Verdict, blocks: bool, path: &str) -> Judged {
    let oid = format!("{at:02x}").repeat(20);
    let provenance =
        Provenance::Git { repo: Arc::from("shop"), oid: oid.clone(), object: GitObjectKind::Blob, inside: Vec::new() };
    Judged {
        verdict,
        blocks,
        title: "GitLab personal access token".to_owned(),
        path: path.to_owned(),
        commit: (at != 2).then_some(oid),
        author: (at != 2).then(|| "Bob Tanaka".to_owned()),
        owner: (verdict == Verdict::Stale).then(|| "Alice Moreau".to_owned()),
        why: match verdict {
            Verdict::Stale => "revoked since 2026-03-01; it was Alice Moreau's, who left".to_owned(),
            Verdict::New => "not known yet".to_owned(),
            Verdict::Waived => "allowed where it stands: a dead | fixture".to_owned(),
            Verdict::Known => "in the ledger as live since 2026-02-01".to_owned(),
        },
        finding: Finding {
            rule: "gitlab-personal-access-token".to_owned(),
            kind: "token".to_owned(),
            location: Location { provenance, lines: (7, 7), columns: (11, 37) },
            fingerprint: Fingerprint::from_bytes([at; 16]),
            confidence: 0.95,
            parts: Vec::new(),
            encodings: Vec::new(),
            notes: Vec::new(),
            waived: (verdict == Verdict::Waived).then(|| "inline".to_owned()),
            allowance: None,
        },
    }
}

/// A function that writes a report.
type Form = fn(&Listing<'_>, &mut dyn Write) -> std::io::Result<()>;

/// What a form makes of the sample.
fn form(write: Form) -> String {
    let judged = [
        judged(1, Verdict::Stale, true, "deploy/prod.env"),
        judged(2, Verdict::New, true, "=a b/<ü>,|@all\n::error::.py"),
        judged(3, Verdict::New, false, "docs/guide.md"),
        judged(4, Verdict::Waived, false, "tests/data.txt"),
        judged(5, Verdict::Known, false, "app.yaml"),
    ];
    let mut coverage = Coverage::new("changes in shop", "git-changes");
    (coverage.documents, coverage.bytes) = (5, 4_096);
    coverage.skip("logo.png", "binary content");
    coverage.fail("main", "a shallow clone hides where the change left its base");
    let notes = ["policy: offkey.toml of 0123456789".to_owned()];
    let rules = RuleSet::default();
    let times = ("2026-03-02T10:00:00.5Z".to_owned(), "2026-03-02T10:00:01Z".to_owned());
    let coverage = [coverage];
    let listing = Listing { judged: &judged, coverage: &coverage, notes: &notes, rules: &rules, keyed: true, times };
    let mut out = Vec::new();
    write(&listing, &mut out).expect("memory takes everything");
    String::from_utf8(out).expect("text").replace(VERSION, "[version]")
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn every_form_stays_as_it_is() {
    let forms: [(&str, Form); 10] = [
        ("text", gate_text),
        ("json", gate_json),
        ("jsonl", gate_jsonl),
        ("sarif", sarif),
        ("github", github),
        ("gitlab_secrets", gitlab_secrets),
        ("gitlab_quality", gitlab_quality),
        ("junit", junit),
        ("csv", gate_csv),
        ("markdown", markdown),
    ];
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../../tests/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for (name, write) in forms {
            insta::assert_snapshot!(format!("report_{name}"), form(write));
        }
    });
}

#[test]
fn without_a_kept_key_no_report_repeats_a_fingerprint_that_means_nothing_tomorrow() {
    let one = [judged(1, Verdict::New, true, "a.env")];
    let rules = RuleSet::default();
    let listing =
        |keyed| Listing { judged: &one, coverage: &[], notes: &[], rules: &rules, keyed, times: Default::default() };
    let text = |keyed| {
        let mut out = Vec::new();
        sarif(&listing(keyed), &mut out).expect("written");
        String::from_utf8(out).expect("text")
    };
    assert!(text(true).contains("offkeyCredential/v1") && !text(false).contains("offkeyCredential/v1"));
    assert_ne!(listing(true).places(), listing(false).places());
}
