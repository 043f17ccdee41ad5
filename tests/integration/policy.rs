//! What the organisation decided beforehand holds when the program runs: who approves, what goes first, what is handed over.

use std::fs;

use offkey::clock;
use offkey::plan::{Disposition, Plan};

use crate::crash::{Office, text, told};

fn with_policy(policy: &str) -> Office {
    let office = Office::open();
    let path = office.path("offkey.toml");
    let config = fs::read_to_string(&path).expect("readable");
    fs::write(&path, format!("{config}\n{policy}")).expect("written");
    office
}

fn plan(office: &Office) -> Plan {
    serde_json::from_slice(&fs::read(office.path("case/plan.json")).expect("a plan")).expect("a plan")
}

#[test]
fn a_plan_that_wants_approvals_is_carried_out_only_with_them() {
    let office = Office::open();
    let shown = office.offkey(&["approve", "--show-key"], None);
    let key = String::from_utf8_lossy(&shown.stdout).trim().to_owned();
    assert_eq!(key.len(), 16, "{}", told(&shown));
    let config = fs::read_to_string(office.path("offkey.toml")).expect("readable");
    let approval = format!("[policy.approval]\nneeded = 1\nby = [{{ name = \"Bob Tanaka\", key = \"{key}\" }}]\n");
    fs::write(office.path("offkey.toml"), format!("{config}\n{approval}")).expect("written");
    let digest = office.sweep();
    let early = office.apply(&digest);
    assert_eq!(early.status.code(), Some(2), "{}", told(&early));
    assert!(told(&early).contains("Bob Tanaka"), "{}", told(&early));
    let stranger = office.offkey(&["approve", "--case", "case", "--digest", &digest, "--home", "stranger"], None);
    assert_eq!(stranger.status.code(), Some(2), "{}", told(&stranger));
    assert!(office.accepts("shop", text(&office.old["shop"])), "nothing was changed");
    let approved = office.offkey(&["approve", "--case", "case", "--digest", &digest], None);
    assert_eq!(approved.status.code(), Some(0), "{}", told(&approved));
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(0), "{}", told(&applied));
    let verified = office.offkey(&["audit", "verify", "case"], None);
    assert_eq!(verified.status.code(), Some(0), "{}", told(&verified));
}

#[test]
fn nothing_follows_a_canary_that_does_not_work() {
    let billing = |office: &Office| format!("files:{}#password", office.path("stores/billing.json").display());
    let office = Office::open();
    let config = fs::read_to_string(office.path("offkey.toml")).expect("readable");
    let order = format!("[policy]\norder = [\"{}\"]\ncanary = 1\n", billing(&office));
    fs::write(office.path("offkey.toml"), format!("{config}\n{order}")).expect("written");
    let digest = office.sweep();
    let before = office.stores();
    // Somebody changed the canary behind the plan: it is called off.
    let by_hand = clock::new_password(26, b"abcdefghijkmnopqrstuvwxyz23456789");
    let changed = before["billing.json"].replace(text(&office.old["billing"]), text(&by_hand));
    fs::write(office.path("stores/billing.json"), &changed).expect("written");
    office.server.enrol("billing", None, &by_hand).expect("enrolled");
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(11), "{}", told(&applied));
    assert!(told(&applied).contains("goes first and is not done"), "{}", told(&applied));
    assert_eq!(office.stores()["shop.env"], before["shop.env"], "the shop's password waits for the canary");
    assert!(office.accepts("shop", text(&office.old["shop"])));
}

#[test]
fn what_is_handed_over_or_left_to_expire_keeps_the_case_open_until_it_is_seen_dead() {
    let office = with_policy(
        "[[policy.treat]]\ntargets = [\"keyring:role:shop\"]\nas = \"hand-over\"\nto = \"Bob Tanaka\"\n\
         [[policy.treat]]\ntargets = [\"keyring:role:billing\"]\nas = \"let-expire\"\nwithin = \"3d\"\n",
    );
    let digest = office.sweep();
    let plan = plan(&office);
    let endings: Vec<_> = plan.treatments.iter().map(|treatment| &treatment.disposition).collect();
    assert!(
        endings.iter().any(|one| matches!(one, Disposition::HandOver { to, .. } if to == "Bob Tanaka")),
        "{endings:?}"
    );
    assert!(endings.iter().any(|one| matches!(one, Disposition::LetExpire { .. })), "{endings:?}");
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(11), "items are open: {}", told(&applied));
    assert!(office.accepts("shop", text(&office.old["shop"])), "neither was touched");
    assert_eq!(office.confirm().status.code(), Some(11));
    for account in ["shop", "billing"] {
        let other = clock::new_password(24, b"abcdefghijkmnopqrstuvwxyz23456789");
        office.server.enrol(account, None, &other).expect("enrolled");
    }
    let confirmed = office.confirm();
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
    assert_eq!(ledger(&office).iter().filter(|entry| entry["state"] == "revoked").count(), 3, "all were seen dead");
}

/// What is remembered across cases.
fn ledger(office: &Office) -> Vec<serde_json::Value> {
    let known = office.offkey(&["ledger", "list", "--format", "jsonl"], None);
    let text = String::from_utf8_lossy(&known.stdout).into_owned();
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_waiver_that_ended_or_fits_nothing_is_never_silent() {
    let waiver = |id: &str, fingerprint: &str, until: &str| {
        format!(
            "[[waiver]]\nid = \"{id}\"\nfingerprint = \"{fingerprint}\"\nowner = \"bob\"\nreason = \"r\"\nuntil = \"{until}\"\n"
        )
    };
    let office = Office::open();
    office.sweep();
    let shop = plan(&office).treatments.iter().find_map(|one| {
        one.steps.iter().any(|step| step.target.locator == "role:shop").then_some(one.credential).flatten()
    });
    let shop = shop.expect("the shop's password is in the plan").to_string();
    let config = fs::read_to_string(office.path("offkey.toml")).expect("readable");
    let nothing = format!("fp:{}", "0".repeat(32));
    let waivers = waiver("over", &shop, "2020-01-01") + &waiver("astray", &nothing, "2999-01-01");
    fs::write(office.path("offkey.toml"), format!("{config}\n{waivers}")).expect("written");
    fs::remove_dir_all(office.path("case")).expect("removed");
    office.sweep();
    let shown = office.offkey(&["plan", "--case", "case"], None);
    assert!(told(&shown).contains("its waiver over ended on 2020-01-01"), "{}", told(&shown));
    assert!(told(&shown).contains("the waiver astray of bob fits nothing"), "{}", told(&shown));
}

#[test]
fn a_hook_runs_after_the_promotion_and_is_told_targets_and_no_value() {
    let office = Office::open();
    let (script, trace) = (office.path("restart.sh"), office.path("restarted"));
    let body = format!("#!/bin/sh\nenv > '{}'\ngrep -q \"$1\" '{}'\n", trace.display(), trace.display());
    fs::write(&script, body).expect("written");
    let hook = |argument: &str| {
        format!(
            "[[policy.hook]]\nname = \"restart the shop\"\ntargets = [\"keyring:role:shop\"]\nexec = [\"sh\", \"{}\", \"{argument}\"]\n",
            script.display()
        )
    };
    let config = fs::read_to_string(office.path("offkey.toml")).expect("readable");
    fs::write(office.path("offkey.toml"), format!("{config}\n{}", hook("no such line"))).expect("written");
    let digest = office.sweep();
    let failed = office.apply(&digest);
    assert_eq!(failed.status.code(), Some(11), "{}", told(&failed));
    assert!(told(&failed).contains("the hook restart the shop failed"), "{}", told(&failed));
    let shop = office.stores()["shop.env"].clone();
    assert!(!shop.contains(text(&office.old["shop"])), "it ran after the promotion");
    let environment = fs::read_to_string(&trace).expect("the hook ran");
    assert!(environment.contains("keyring:role:shop"), "{environment}");
    for value in office.old.values().map(text) {
        assert!(!environment.contains(value), "a value reached the hook");
    }
    assert!(!environment.contains("OFFKEY_HOME"), "our own environment reached the hook");
    // The plan names the command: another one is another plan.
    fs::write(&script, "exit 0\n").expect("written");
    let resumed = office.offkey(&["resume", "--case", "case"], None);
    assert_eq!(resumed.status.code(), Some(0), "{}", told(&resumed));
    assert_eq!(office.confirm().status.code(), Some(0));
}

#[test]
fn who_changes_role_keeps_what_the_identity_file_lists_and_loses_the_rest() {
    let office = Office::open();
    let identity = fs::read_to_string(office.path("alice.toml")).expect("readable");
    let keeps = |patterns: &str| {
        fs::write(office.path("alice.toml"), format!("{identity}keeps = {patterns}\n")).expect("written")
    };
    keeps(r#"["nobody:*"]"#);
    let wrong = office.offkey(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"], None);
    assert_eq!(wrong.status.code(), Some(2), "{}", told(&wrong));
    assert!(told(&wrong).contains("names no store or provider"), "{}", told(&wrong));
    assert!(!office.path("case").exists(), "nothing was begun");

    // The shop's account alone would not do: its value stands in two files, too. Billing is kept whole.
    let all = office.path("stores/billing.json").display().to_string();
    keeps(&format!("[\"keyring:role:*\", \"files:{all}#*\", \"keyring:token:nothing\"]"));
    let digest = office.sweep();
    let plan = plan(&office);
    let kept: Vec<_> =
        plan.treatments.iter().filter(|one| matches!(one.disposition, Disposition::Kept { .. })).collect();
    assert_eq!(kept.len(), 1, "{:?}", plan.treatments);
    assert!(kept[0].label.contains("billing"), "{}", kept[0].label);
    let departed = |entry: &&serde_json::Value| !entry["departed"].is_null();
    assert_eq!(ledger(&office).iter().filter(departed).count(), 2, "what they keep is not a departed person's");
    assert!(
        plan.notes.iter().any(|note| note.contains("keyring:token:nothing, which fits nothing")),
        "{:?}",
        plan.notes
    );
    let applied = office.apply(&digest);
    assert_eq!(applied.status.code(), Some(0), "{}", told(&applied));
    assert!(office.accepts("billing", text(&office.old["billing"])), "kept");
    assert!(
        !office.accepts("shop", text(&office.old["shop"]))
            && !office.accepts("alice-token", text(&office.old["alice-token"]))
    );
    let confirmed = office.confirm();
    assert_eq!(confirmed.status.code(), Some(0), "{}", told(&confirmed));
    assert!(told(&confirmed).contains("kept for the new role"), "{}", told(&confirmed));
}

/// A signed token with a time at which it ends.
fn signed_until(end: jiff::Timestamp) -> String {
    let part = |text: String| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let header = part(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned());
    let claims = part(format!(r#"{{"sub":"amoreau","exp":{}}}"#, end.as_second()));
    let signature = clock::new_password(43, b"abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789");
    format!("{header}.{claims}.{}", text(&signature))
}

#[test]
fn a_token_that_says_when_it_ended_needs_nobody_and_one_that_will_end_is_waited_for() {
    let office = Office::open();
    let now = clock::now();
    let (past, future) = (now - jiff::SignedDuration::from_hours(72), now + jiff::SignedDuration::from_hours(72));
    let tokens = [signed_until(past), signed_until(future)];
    let lines = tokens.each_ref().map(|token| format!("Authorization: Bearer {token}\n"));
    fs::write(office.path("repo/notes.txt"), lines.concat()).expect("written");
    crate::steps::alice_commits(&office.path("repo"), "notes.txt", "Notes");
    let shown = office.offkey(&["scan", "repo", "--format", "jsonl"], None);
    let ends = |time: &jiff::Timestamp| format!("\"ends\":\"{}", &time.to_string()[..19]);
    assert!(told(&shown).contains(&ends(&past)) && told(&shown).contains(&ends(&future)), "{}", told(&shown));

    let digest = office.sweep();
    let endings: Vec<_> = plan(&office).treatments.into_iter().map(|treatment| treatment.disposition).collect();
    let day = |time: jiff::Timestamp| time.to_string()[..10].to_owned();
    assert!(endings.contains(&Disposition::Expired { on: day(past) }), "{endings:?}");
    assert!(endings.contains(&Disposition::LetExpire { by: day(future), signed: true }), "{endings:?}");
    assert_eq!(office.apply(&digest).status.code(), Some(11), "one is still to end");
    let confirmed = office.confirm();
    assert_eq!(confirmed.status.code(), Some(11), "{}", told(&confirmed));
    assert!(told(&confirmed).contains("JSON Web Token: expired"), "{}", told(&confirmed));
    assert!(told(&confirmed).contains("it ends by itself on"), "{}", told(&confirmed));
    let told = told(&confirmed);
    assert!(tokens.iter().all(|token| !told.contains(token.as_str())), "a value was printed");
}
