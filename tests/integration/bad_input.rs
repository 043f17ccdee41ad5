//! Whatever is handed to offkey: one clear answer, the documented exit code, and the rest is read all the same.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::crash::told as said;

/// A password that no other file has, made of parts.
fn password() -> String {
    ["Zk8vQ2mN4pX7", "rT1w"].concat()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        std::fs::write(path, bytes).expect("written");
    }

    fn offkey(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offkey"));
        command.args(arguments).env("OFFKEY_HOME", self.path("home")).current_dir(self.0.path());
        command.output().expect("offkey runs")
    }

    /// The command ends with this code and says each of these.
    fn expect(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let output = self.offkey(arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "offkey {arguments:?}: {text}");
        for word in words {
            assert!(text.contains(word), "offkey {arguments:?} does not say {word:?}: {text}");
        }
        assert!(!text.contains("panicked"), "{text}");
        assert!(!text.contains(&password()), "a value is shown: {text}");
    }

    fn git(&self, at: &str, arguments: &[&str]) {
        let done = Command::new("git").args(arguments).current_dir(self.path(at)).output().expect("git runs");
        assert!(done.status.success(), "{}", said(&done));
    }
}

fn zip(members: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, text) in members {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("begun");
        writer.write_all(text.as_bytes()).expect("written");
    }
    writer.finish().expect("finished").into_inner()
}

/// A Slack export with one message that holds the password, and a member that would leave the folder.
fn export(message: &str) -> Vec<u8> {
    let day = serde_json::json!([{ "type": "message", "user": "U1", "ts": "1767258060.000200", "text": message }]);
    zip(&[
        ("users.json", r#"[{"id":"U1","name":"alice"}]"#),
        ("channels.json", r#"[{"id":"C1","name":"ops","members":["U1"]}]"#),
        ("ops/2026-01-01.json", &day.to_string()),
        ("../outside.json", "out"),
    ])
}

#[test]
fn what_is_not_there_or_damaged_is_one_error_that_says_what_to_do() {
    let folder = Folder::new();
    folder.expect(&["scan", "nowhere"], 2, &["nowhere cannot be read", "next:"]);
    folder.put("nobody.toml", "name = \"Alice\"\n");
    folder.expect(&["identity", "show", "nobody.toml"], 2, &["names nobody", "next:"]);
    folder.put("broken.toml", "name = \n");
    folder.expect(&["identity", "show", "broken.toml"], 2, &["broken.toml"]);
    assert!(!folder.path("home").exists(), "a refused command leaves nothing behind");
}

#[test]
fn what_cannot_be_meant_is_refused_before_anything_is_read() {
    let folder = Folder::new();
    folder.put("text/a.txt", format!("password = \"{}\"\n", password()));
    folder.expect(&["scan", "--min-confidence", "3", "text"], 2, &["from 0 to 1"]);
    folder.expect(&["gate", "--staged", "--min-confidence", "50"], 2, &["from 0 to 1"]);
    folder.expect(&["scan", "--map", "body=text", "text"], 2, &["body is no field of a map", "author"]);
    folder.expect(&["scan", "--map", "text", "text"], 2, &["not of the form field=name"]);
    folder.expect(&["scan", "--report", "pdf=x", "text"], 2, &["no form is called pdf", "sarif", "junit"]);
    folder.expect(&["scan", "text"], 10, &["1 credential in 1 place, by rule:\n", "1 document"]);
}

/// Whoever writes a secret out where a source is wanted, or forgets a quote, finds the line named and not the secret.
#[test]
fn a_wrong_line_of_the_configuration_is_named_and_not_quoted() {
    let folder = Folder::new();
    folder.put("text/a.txt", "nothing here\n");
    folder.put("alice.toml", "name = \"Alice Moreau\"\nlogins = [\"amoreau\"]\n");
    let key = "[[provider]]\nname = \"keys\"\ntype = \"keyring\"\naddress = \"127.0.0.1:9\"\nadmin = ";
    for (text, line) in [
        (format!("{key}\"{}\"\n", password()), ", line 1 is not valid: a secret is"),
        (format!("{key}{{ value = \"{}\" }}\n", password()), ", line 1 is not valid: a secret is"),
        (format!("{key}\"{}\n", password()), ", line 5 is not valid"),
        (format!("# first\n\nbao_token = \"{}\"\n", password()), ", line 3 is not valid: unknown field `bao_token`"),
        ("[gate]\nmin_confidence = 50\n".to_owned(), ", line 2 is not valid: a probability"),
    ] {
        folder.put("offkey.toml", text);
        folder.expect(&["sweep", "--identity", "alice.toml", "--case", "case", "text"], 2, &[line, "next:"]);
    }
}

/// A leaver may have named a file or themselves so that reading about it does something to the terminal.
#[test]
fn names_of_files_and_people_cannot_steer_the_terminal() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("shop")).expect("made");
    folder.git("shop", &["init", "-q"]);
    folder.put("shop/a\u{1b}[31mred.env", format!("password = \"{}\"\n", password()));
    folder.git("shop", &["add", "-A"]);
    let who = ["-c", "user.name=Al\u{1b}[2Jice", "-c", "user.email=alice@harbourfinch.example"];
    folder.git("shop", &[&who[..], &["commit", "-q", "-m", "one"]].concat());
    folder.put("alice.toml", "name = \"Alice\"\nemails = [\"alice@harbourfinch.example\"]\n");
    folder.put("offkey.toml", "");
    for arguments in [
        &["scan", "shop"][..],
        &["identity", "show", "alice.toml", "shop"],
        &["sweep", "--identity", "alice.toml", "--case", "case", "shop"],
        &["report", "--case", "case"],
        &["plan", "--case", "case"],
        &["status", "--case", "case"],
        &["scan", "no\u{1b}[2Jwhere"],
    ] {
        let output = folder.offkey(arguments);
        let text = said(&output);
        assert!(!text.contains('\u{1b}'), "offkey {arguments:?} sends a command to the terminal: {text:?}");
        assert!(!text.contains("panicked") && !text.is_empty(), "{text}");
    }
    folder.expect(&["scan", "shop"], 10, &["a\\u{1b}[31mred.env", "by Al\\u{1b}[2Jice"]);
}

#[test]
fn an_archive_that_is_cut_off_is_read_as_far_as_it_goes_and_named() {
    let folder = Folder::new();
    let whole = export(&format!("password: {}", password()));
    folder.put("cut.zip", &whole[..whole.len() / 2]);
    folder.expect(
        &["scan", "cut.zip"],
        10,
        &["cut.zip!ops/2026-01-01.json", "not read: cut.zip", "cut off or damaged"],
    );
}

#[test]
fn a_name_that_leads_out_of_an_archive_is_left_out_and_the_rest_is_read() {
    let folder = Folder::new();
    folder.put("inner/chat.zip", export(&format!("password: {}", password())));
    folder.expect(&["scan", "inner/chat.zip"], 10, &["../outside.json", "#ops by alice"]);
    assert!(!folder.path("inner/../outside.json").exists(), "nothing is unpacked");
    folder.put("quiet.zip", export("nothing to see"));
    folder.expect(&["scan", "quiet.zip"], 12, &["No credentials found", "../outside.json"]);
}

#[test]
fn bytes_that_are_no_text_are_searched_too() {
    let folder = Folder::new();
    folder.put("odd.cfg", [b"\xc3\x28 \x80\xfe\n password = \"", password().as_bytes(), b"\"\n\xf5\n"].concat());
    folder.expect(&["scan", "odd.cfg"], 10, &["odd.cfg:2"]);
}

#[test]
fn a_line_of_300_mb_is_searched_to_its_end() {
    let folder = Folder::new();
    let mut file = std::io::BufWriter::new(std::fs::File::create(folder.path("long.txt")).expect("made"));
    let filler = vec![b'x'; 1_000_000];
    let mut fill = |millions: usize| {
        for _ in 0..millions {
            file.write_all(&filler).expect("written");
        }
        file.write_all(format!(" password = \"{}\" ", password()).as_bytes()).expect("written");
    };
    fill(150);
    fill(150);
    file.flush().expect("written");
    drop(file);
    let output = folder.offkey(&["scan", "long.txt", "--format", "jsonl"]);
    assert_eq!(output.status.code(), Some(10), "{}", said(&output));
    let text = String::from_utf8_lossy(&output.stdout);
    let columns: Vec<u64> = text
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["col_start"].as_u64())
        .collect();
    assert!(columns.iter().any(|column| *column > 150_000_000), "the first: {columns:?}");
    assert!(columns.iter().any(|column| *column > 300_000_000), "the second: {columns:?}");
}

#[test]
fn an_empty_repository_is_nothing_and_a_corrupt_pack_is_a_gap() {
    let folder = Folder::new();
    folder.put("empty/.keep", "");
    std::fs::remove_file(folder.path("empty/.keep")).expect("removed");
    folder.git("empty", &["init", "-q"]);
    folder.expect(&["scan", "empty"], 0, &["There was nothing to read"]);

    folder.put("repo/plain.txt", "nothing here\n");
    folder.git("repo", &["init", "-q"]);
    let author = ["-c", "user.name=Bob Tanaka", "-c", "user.email=bob@harbourfinch.example"];
    folder.git("repo", &["add", "."]);
    folder.git("repo", &[&author[..], &["commit", "-qm", "Begin"]].concat());
    folder.git("repo", &["gc", "-q"]);
    let pack = find(&folder.path("repo/.git/objects/pack"), "pack");
    let mut bytes = std::fs::read(&pack).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8].fill(0xff);
    std::fs::remove_file(&pack).expect("removed");
    std::fs::write(&pack, bytes).expect("written");
    folder.expect(&["scan", "repo"], 12, &["not read", "files of repo"]);
}

fn find(folder: &Path, extension: &str) -> PathBuf {
    let mut entries = std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("an entry").path());
    entries.find(|path| path.extension().is_some_and(|found| found == extension)).expect("a pack")
}

#[cfg(feature = "vault")]
#[test]
fn a_vault_with_a_wrong_token_sealed_or_away_is_named_and_nothing_is_changed() {
    let folder = Folder::new();
    folder.put("text/a.txt", "nothing here\n");
    folder.put("alice.toml", "name = \"Alice Moreau\"\nemails = [\"alice@harbourfinch.example\"]\n");
    let private = crate::lab::PrivateVault::start();
    let ask = |case: &str, token: &str, words: &[&str]| {
        folder.put("token", token);
        let address = &private.vault.addr;
        folder.put(
            "offkey.toml",
            format!("[[store]]\nname = \"bao\"\ntype = \"vault-kv\"\naddress = \"{address}\"\ntoken = {{ file = \"token\" }}\n"),
        );
        folder.expect(&["sweep", "--identity", "alice.toml", "--case", case, "text"], 12, words);
    };
    ask("one", "not-a-token", &["403", "permission denied", "Check address, token and mount"]);
    private.seal();
    ask("two", &private.vault.token, &["503", "sealed"]);
    private.stop();
    ask("three", &private.vault.token, &["cannot be reached", "Nothing to do"]);
}

#[cfg(feature = "aws")]
#[test]
fn an_aws_endpoint_that_is_away_and_a_dead_key_are_named() {
    let folder = Folder::new();
    folder.put("text/a.txt", "nothing here\n");
    folder.put("alice.toml", "name = \"Alice Moreau\"\naws_users = [\"alice\"]\n");
    folder.put("key", "a-key-that-is-nobodys");
    let lab = crate::lab::Lab::require().ministack();
    let ask = |case: &str, endpoint: &str, words: &[&str]| {
        let tables: String = [
            ("store", "aws", "aws-secrets"),
            ("store", "ssm", "aws-ssm"),
            ("provider", "iam", "aws-iam"),
        ]
        .map(|(table, name, kind)| {
            format!(
                "[[{table}]]\nname = \"{name}\"\ntype = \"{kind}\"\nregion = \"eu-west-1\"\nendpoint = \"{endpoint}\"\n\
                     key_id = \"AKIAQQQQQQQQQQQQQQQQ\"\nkey = {{ file = \"key\" }}\n\n"
            )
        })
        .concat();
        folder.put("offkey.toml", tables);
        folder.expect(&["sweep", "--identity", "alice.toml", "--case", case, "text"], 12, words);
    };
    ask(
        "one",
        "http://127.0.0.1:9",
        &["store aws", "store ssm", "cannot be reached", "Check region, endpoint and key"],
    );
    ask("two", &lab.url, &["store aws", "UnrecognizedClientException", "IAM user alice", "InvalidClientTokenId"]);
}

#[test]
fn a_path_that_leads_nowhere_is_named_before_any_work_with_what_to_do_next() {
    let folder = Folder::new();
    folder.put("notes.txt", format!("password = {}\n", password()));
    for arguments in [
        &["scan", "nothing"][..],
        &["scan", "notes.txt", "--rules", "nothing.toml"],
        &["scan", "notes.txt", "--needles", "nothing.txt"],
        &["scan", "notes.txt", "--findings", "nothing.json"],
        &["scan", "--repos-from", "nothing.txt"],
        &["scan", "notes.txt", "-o", "no-folder/out.txt"],
        &["scan", "notes.txt", "--report", "sarif=no-folder/out.sarif"],
        &["explain", "nothing"],
        &["rules", "test", "nothing.toml"],
        &["report", "--case", "nothing"],
        &["audit", "show", "nothing"],
        &["audit", "verify", "nothing"],
    ] {
        let output = folder.offkey(arguments);
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains("error: ") && text.contains("  next: "), "{arguments:?}: {text}");
        assert!(!text.contains("credential in"), "{arguments:?} worked first: {text}");
    }
}
