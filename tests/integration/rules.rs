//! `offkey rules`, `offkey explain` and `offkey scan --needles` as an author of rules and an operator type them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn offkey(folder: &Path, arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
    command.args(arguments).current_dir(folder).env("OFFKEY_HOME", folder.join("own"));
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("offkey starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("read");
    let Output { status, stdout, stderr } = child.wait_with_output().expect("offkey ends");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (status.code().expect("a code"), text(stdout), text(stderr))
}

const GOOD: &str = r#"[provider]
id   = "acme"
name = "Acme"
site = "https://acme.example"

[[rule]]
id         = "acme-token"
name       = "Acme token"
kind       = "token"
pattern    = '''\b(acme_[a-z0-9]{24})\b'''
keywords   = ["acme_"]
confidence = "high"
source     = "https://acme.example/docs"
examples   = ["acme_<<lan:24>>", "token: acme_<<lan:24>>"]
negative_examples = ["acme_<<lan:4>>", "bcme_<<lan:24>>"]
"#;

#[test]
fn a_good_rule_file_passes_and_each_bad_one_is_refused_with_file_line_and_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("acme.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).expect("written");
        offkey(folder.path(), &["rules", "check", "acme.toml"], "")
    };
    let (code, said, _) = check(GOOD);
    assert_eq!((code, said.contains("1 rules in 1 files, 0 problems")), (0, true), "{said}");
    let twice = format!("{GOOD}\n{}", &GOOD[GOOD.find("[[rule]]").expect("a rule")..]);
    let cases = [
        ("too large", GOOD.replace("{24})", "{24}(?:[a-z]{1000}){1000})"), "does not compile"),
        ("empty", GOOD.replace(r"\b(acme_[a-z0-9]{24})\b", "(acme_)?"), "matches the empty text"),
        ("no examples", GOOD.replace("\"acme_<<lan:24>>\", ", ""), "needs two examples"),
        ("an example that fails", GOOD.replace("token: acme_<<lan:24>>", "token: acme"), "example 2 does not match"),
        ("a negative that matches", GOOD.replace("bcme_", "acme_"), "negative example 2 matches"),
        ("an id twice", twice, "the id is taken"),
    ];
    for (name, text, reason) in cases {
        let (code, said, _) = check(&text);
        assert_eq!(code, 2, "{name}: {said}");
        assert!(said.starts_with("acme.toml:7: acme-token: ") || said.contains("\nacme.toml:"), "{name}: {said}");
        assert!(said.contains(reason), "{name}: {said}");
    }
    let (code, said, _) = check(&GOOD.replace("kind ", "colour = \"red\"\nkind "));
    assert!(code == 2 && said.contains("acme.toml:") && said.contains("colour"), "{said}");
}

#[test]
fn rules_of_a_scanned_folder_are_not_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let shop = folder.path().join("shop/rules");
    std::fs::create_dir_all(&shop).expect("made");
    std::fs::write(shop.join("acme.toml"), GOOD).expect("written");
    std::fs::write(shop.join("notes.txt"), ["acme", "_k2j4h5g6f7d8s9a1q2w3e4r5\n"].concat()).expect("written");
    let (code, said, _) = offkey(folder.path(), &["scan", "shop"], "");
    assert!(code == 0 && !said.contains("acme-token"), "{said}");
}

#[test]
fn rules_are_listed_and_shown_and_the_page_of_all_rules_is_current() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, said, _) = offkey(folder.path(), &["rules", "list"], "");
    assert!(code == 0 && said.lines().count() >= 450, "{}", said.lines().count());
    let (code, said, _) = offkey(folder.path(), &["rules", "show", "github-pat"], "");
    let (other, listed, _) = offkey(folder.path(), &["rules", "show", "no-such-rule"], "");
    assert!(other == 2 && !listed.contains("pattern"), "{other} {listed}");
    assert!(code == 0 && said.contains("pattern") && said.contains("https://"), "{said}");
    let (code, page, _) = offkey(folder.path(), &["rules", "list", "--format", "markdown"], "");
    assert_eq!(code, 0);
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md")).expect("docs/rules.md");
    assert!(page == kept, "docs/rules.md is old: offkey rules list --format markdown > docs/rules.md");
}

#[test]
fn explain_names_the_filter_that_dropped_a_value() {
    let folder = tempfile::tempdir().expect("a folder");
    let password = ["tR4v!x", "9QzK2m"].concat();
    let text = format!("DB_PASSWORD={password}\nAPI_PASSWORD=${{API_PASSWORD}}\nOLD_PASSWORD=********\n");
    std::fs::write(folder.path().join("app.conf"), text).expect("written");
    let (code, said, _) = offkey(folder.path(), &["explain", "app.conf"], "");
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("app.conf:1:12 generic-password (12 characters): kept"), "{said}");
    assert!(said.contains("dropped: reference") && said.contains("dropped: mask"), "{said}");
    assert!(!said.contains(&password), "no value without --reveal");
}

#[test]
fn needles_come_from_standard_input_and_refused_ones_are_a_gap() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("chat")).expect("made");
    let value = ["blue kettle ", "on mars 7"].concat();
    std::fs::write(folder.path().join("chat/log.txt"), format!("it is {value}, ok?\n")).expect("written");
    let input = format!("{value}\nabc\npassword\n");
    let (code, said, warned) = offkey(folder.path(), &["scan", "--needles", "-", "--format", "jsonl", "chat"], &input);
    assert_eq!(code, 10, "{said} {warned}");
    assert!(said.contains("\"rule\":\"needle:-:1\""), "{said}");
    assert!(
        warned.contains("-:2: shorter than six characters") && warned.contains("-:3: a value that half"),
        "{warned}"
    );
    let (_, said, _) = offkey(folder.path(), &["scan", "--needles", "-", "--format", "json", "chat"], &input);
    assert!(said.contains("exact-values") && said.contains("shorter than six characters"), "{said}");
    assert!(!warned.contains(&value) && !said.contains(&value));
}

/// What a cluster keeps: a Secret in base64, and a release as Helm writes it, packed and encoded twice.
#[test]
fn needles_are_found_in_kubernetes_secrets_and_in_what_is_packed_and_encoded() {
    use std::io::Write;

    let folder = tempfile::tempdir().expect("a folder");
    let all = folder.path().join("cluster");
    std::fs::create_dir(&all).expect("made");
    let value = ["teal lantern", "!", "under 9 bridges"].concat();
    let plain = data_encoding::BASE64.encode(value.as_bytes());
    let secret = format!("apiVersion: v1\nkind: Secret\ndata:\n  note: aGVsbG8=\n  password: {plain}\n");
    std::fs::write(all.join("secret.yaml"), &secret).expect("written");
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let values = format!("{{\"config\":{{\"db\":{{\"password\":\"{value}\",\"host\":\"db\"}}}},\"name\":\"shop\"}}");
    zip.write_all(values.as_bytes()).expect("packed");
    let packed = zip.finish().expect("packed");
    let once = data_encoding::BASE64.encode(&packed);
    std::fs::write(all.join("once.txt"), format!("kept for later: {once}\n")).expect("written");
    let twice = data_encoding::BASE64.encode(once.as_bytes());
    let release = format!("kind: Secret\ntype: helm.sh/release.v1\ndata:\n  release: {twice}\n");
    std::fs::write(all.join("release.yaml"), release).expect("written");
    // The same forms of another value are nothing.
    let other = data_encoding::BASE64.encode(value.replace('9', "8").as_bytes());
    std::fs::write(all.join("other.yaml"), format!("kind: Secret\ndata:\n  password: {other}\n")).expect("written");
    let arguments = ["scan", "--needles", "-", "--format", "jsonl", "cluster"];
    let (code, said, _) = offkey(folder.path(), &arguments, &format!("{value}\n"));
    assert_eq!(code, 10, "{said}");
    let exact = |line: &&str| line.contains("\"rule\":\"needle:-:1\"");
    let found: Vec<&str> = said.lines().filter(exact).collect();
    for place in ["cluster/secret.yaml\",\"line_start\":5,", "cluster/once.txt", "cluster/release.yaml"] {
        assert!(found.iter().any(|found| found.contains(&format!("\"path\":\"{place}"))), "{place}: {said}");
    }
    assert!(found.iter().all(|found| !found.contains("other.yaml")), "{said}");
}
