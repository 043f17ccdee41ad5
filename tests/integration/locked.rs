//! Encrypted files: with the real age, and with a program that behaves as the documentation of SOPS says (SOPS itself cannot be
//! had from the registries that the tests install from, so what its part proves is the contract).

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use offkey::action::{ActionError, Observed, Slot, Target, wait};
use offkey::rotation::Systems;
use offkey::store::{LockedFiles, Shelf, Store, StoreStep, age_files, sops_files};

use crate::crash::{Office, told};
use crate::lab::unique;
use crate::steps::{context, drive, fingerprinter, generate, inventory, refusal, text, version_of};

/// `decrypt` and `set --value-stdin` as they are documented, with a cipher that only looks like one. The key is a file beside it;
/// every call is written down.
const STAND_IN: &str = r#"#!/usr/bin/env python3
import base64, hashlib, json, os, re, sys
here = os.path.dirname(os.path.abspath(__file__))
with open(here + "/calls", "a") as log:
    log.write(json.dumps(sys.argv[1:]) + "\n")
def fail(code, text):
    print(text, file=sys.stderr)
    sys.exit(code)
def lock(tree, name=""):
    if isinstance(tree, dict):
        return {k: lock(v, k) for k, v in tree.items()}
    if name.endswith("_unencrypted") or not isinstance(tree, str):
        return tree
    return "ENC[" + base64.b64encode(tree.encode()[::-1]).decode() + "]"
def unlock(tree):
    if isinstance(tree, dict):
        return {k: unlock(v) for k, v in tree.items()}
    if isinstance(tree, str) and tree.startswith("ENC["):
        return base64.b64decode(tree[4:-1])[::-1].decode()
    return tree
def mac(tree):
    return hashlib.sha512(json.dumps(tree, sort_keys=True).encode()).hexdigest()
def load(path):
    if not os.path.exists(path):
        fail(2, "no such file")
    if not os.path.exists(here + "/key"):
        fail(128, "Failed to get the data key required to decrypt the SOPS file.")
    whole = json.load(open(path))
    meta = whole.pop("sops", None)
    if meta is None:
        fail(1, "sops metadata not found")
    tree = unlock(whole)
    if meta["mac"] != mac(tree):
        fail(51, "MAC mismatch")
    return tree
def store(path, tree):
    json.dump({**lock(tree), "sops": {"mac": mac(tree)}}, open(path, "w"), indent=1)
words = sys.argv[1:]
if words[0] == "seal":
    store(words[1], json.load(sys.stdin))
elif words[0] == "decrypt" and words[1:3] == ["--output-type", "json"] and len(words) == 4:
    print(json.dumps(load(words[3])))
elif words[0] == "set" and words[1] == "--value-stdin" and len(words) == 4:
    tree, at = load(words[2]), re.findall(r'\["([^"]*)"\]', words[3])
    if "".join('["%s"]' % part for part in at) != words[3]:
        fail(7, "Invalid set index format")
    node = tree
    for part in at[:-1]:
        node = node.setdefault(part, {})
    try:
        node[at[-1]] = json.loads(sys.stdin.read())
    except ValueError:
        fail(7, "Value should be a valid JSON encoded string")
    store(words[2], tree)
else:
    fail(1, "unknown command")
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Age,
    Armoured,
    Sops,
}

const KINDS: [Kind; 3] = [Kind::Age, Kind::Armoured, Kind::Sops];

/// One encrypted file with a password and a neighbour, in a folder of its own.
struct Ground {
    kind: Kind,
    dir: tempfile::TempDir,
    file: PathBuf,
    old: String,
    at: Target,
}

fn run(program: &Path, arguments: &[&str], input: &str) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; run tests/lab/up all", program.display()));
    std::io::Write::write_all(&mut child.stdin.take().expect("piped"), input.as_bytes()).expect("taken");
    let output = child.wait_with_output().expect("ended");
    assert!(output.status.success(), "{} {arguments:?}", program.display());
    output.stdout
}

impl Ground {
    fn open(kind: Kind) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (name, field) = match kind {
            Kind::Age => ("shop.env.age", "DB_PASSWORD"),
            Kind::Armoured => ("shop.yaml.age", "db.password"),
            Kind::Sops => ("shop.enc.json", "/db/password"),
        };
        let file = dir.path().join(name);
        let locator = format!("{}#{field}", file.display());
        let at = Target { system: "locked".to_owned(), locator };
        let ground = Self { kind, file, old: unique("old-value"), at, dir };
        if kind == Kind::Sops {
            fs::write(ground.path("sops"), STAND_IN).expect("written");
            fs::set_permissions(ground.path("sops"), fs::Permissions::from_mode(0o755)).expect("set");
            fs::write(ground.path("key"), "").expect("written");
        } else {
            // The leaver's successor and an operator may open it.
            let mut recipients = String::from("# who may open it\n");
            for who in ["identity", "operator"] {
                run(Path::new("age-keygen"), &["-o", ground.path(who).to_str().expect("text")], "");
                let key = fs::read_to_string(ground.path(who)).expect("a key");
                let public = key.lines().find_map(|line| line.strip_prefix("# public key: ")).expect("its public part");
                recipients.push_str(&format!("{public}\n"));
            }
            fs::write(ground.path("recipients"), recipients).expect("written");
        }
        ground.write(&ground.old);
        ground
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Somebody writes the file with the organisation's own tool.
    fn write(&self, value: &str) {
        let file = self.file.to_str().expect("text");
        if self.kind == Kind::Sops {
            let tree = serde_json::json!({ "db": { "user": "shop", "password": value, "n_unencrypted": "7" } });
            run(&self.path("sops"), &["seal", file], &tree.to_string());
            return;
        }
        let plain = match self.kind {
            Kind::Age => format!("# the shop\nDB_USER=shop\nDB_PASSWORD={value} # keep\n"),
            _ => format!("db:\n  user: shop\n  password: '{value}'  # the same\n"),
        };
        let recipients = self.path("recipients");
        let mut arguments = vec!["-e", "-R", recipients.to_str().expect("text"), "-o", file];
        if self.kind == Kind::Armoured {
            arguments.push("-a");
        }
        run(Path::new("age"), &arguments, &plain);
    }

    /// What the organisation's own tool shows.
    fn shown(&self) -> String {
        let file = self.file.to_str().expect("text");
        let operator = self.path("operator");
        let bytes = match self.kind {
            Kind::Sops => run(&self.path("sops"), &["decrypt", "--output-type", "json", file], ""),
            _ => run(Path::new("age"), &["-d", "-i", operator.to_str().expect("text"), file], ""),
        };
        String::from_utf8(bytes).expect("text")
    }

    fn files(&self, program: Option<PathBuf>, deadline: u64) -> LockedFiles {
        let usual = if self.kind == Kind::Sops { self.path("sops") } else { PathBuf::from("age") };
        LockedFiles {
            paths: vec![self.file.clone()],
            program: program.unwrap_or(usual),
            deadline: Duration::from_secs(deadline),
        }
    }

    fn store_with(&self, files: LockedFiles) -> Shelf {
        match self.kind {
            Kind::Sops => sops_files("locked", files, fingerprinter()),
            _ => age_files("locked", files, self.path("identity"), self.path("recipients"), fingerprinter()),
        }
    }

    fn store(&self) -> Shelf {
        self.store_with(self.files(None, 60))
    }

    /// Files of ours beside it.
    fn beside(&self) -> Vec<PathBuf> {
        let all = fs::read_dir(self.dir.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        all.filter(|path| path.file_name().expect("a name").to_string_lossy().starts_with(".offkey")).collect()
    }

    fn holds(&self, value: &str) -> bool {
        let all = fs::read_dir(self.dir.path()).expect("a folder").map(|entry| entry.expect("an entry").path());
        all.filter(|path| path.is_file())
            .any(|path| memchr::memmem::find(&fs::read(path).expect("read"), value.as_bytes()).is_some())
    }
}

fn current(store: &Shelf, at: &Target) -> String {
    text(&wait(store.read(at, &Slot::Current)).expect("reads").expect("there"))
}

#[test]
fn a_value_is_replaced_and_nothing_of_the_old_one_is_left() {
    for kind in KINDS {
        let ground = Ground::open(kind);
        fs::set_permissions(&ground.file, fs::Permissions::from_mode(0o640)).expect("set");
        let before = ground.shown();
        let store = ground.store();
        let at = &ground.at;
        assert!(inventory(&store).iter().any(|held| held.at == *at && text(&held.value) == ground.old), "{kind:?}");
        let version = version_of(&store, at);
        let systems = Systems::default();
        let cx = context(&systems, 1);
        wait(store.preflight(at)).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        drive(store.action(at, generate()).as_ref(), &cx);
        let staged = text(&wait(store.read(at, &Slot::Staged(cx.op))).expect("reads").expect("waits"));
        assert_eq!((staged.len(), ground.shown()), (24, before.clone()), "{kind:?}");
        assert_eq!(ground.beside().len(), 1, "{kind:?}");
        let mode = fs::metadata(&ground.beside()[0]).expect("there").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{kind:?}");
        assert!(!ground.holds(&staged) && !ground.holds(&ground.old), "{kind:?}: a value lies in clear text");

        let promote = store.action(at, StoreStep::Promote { expect: version.clone() });
        drive(promote.as_ref(), &cx);
        assert_eq!(ground.shown(), before.replace(&ground.old, &staged), "{kind:?}: only the value changed");
        wait(promote.undo(&cx)).expect("taken back");
        assert_eq!(current(&store, at), ground.old);
        drive(promote.as_ref(), &cx);
        let old =
            wait(store.read(at, &Slot::Version(version.clone()))).expect("reads").expect("kept for the last probe");
        assert_eq!(text(&old), ground.old);
        drive(store.action(at, StoreStep::Retire { replaced: version.clone() }).as_ref(), &cx);
        assert_eq!((current(&store, at), ground.beside().len()), (staged.clone(), 0), "{kind:?}");
        assert_eq!(wait(store.read(at, &Slot::Version(version))), Ok(None), "{kind:?}");
        assert_eq!(ground.shown(), before.replace(&ground.old, &staged), "{kind:?}: the operator opens it, too");
        assert_eq!(fs::metadata(&ground.file).expect("there").permissions().mode() & 0o777, 0o640, "{kind:?}");
        let armoured = fs::read(&ground.file).expect("read").starts_with(b"-----BEGIN AGE");
        assert_eq!(armoured, kind == Kind::Armoured);
        if kind == Kind::Sops {
            let calls = fs::read_to_string(ground.path("calls")).expect("written down");
            assert!(
                calls.contains("--value-stdin") && !calls.contains(&staged) && !calls.contains(&ground.old),
                "{calls}"
            );
        }
    }
}

#[test]
fn what_somebody_else_wrote_is_respected() {
    for kind in KINDS {
        let ground = Ground::open(kind);
        let store = ground.store();
        let version = version_of(&store, &ground.at);
        let systems = Systems::default();
        let cx = context(&systems, 1);
        let stage = store.action(&ground.at, generate());
        wait(stage.apply(&cx)).expect("staged");
        let other = context(&systems, 2);
        assert!(matches!(refusal(store.action(&ground.at, generate()).as_ref(), &other), ActionError::Conflict(_)));
        let foreign = unique("foreign");
        ground.write(&foreign);
        let promote = store.action(&ground.at, StoreStep::Promote { expect: version });
        assert!(matches!(wait(promote.observe(&cx)), Ok(Observed::Conflict(_))), "{kind:?}");
        assert!(matches!(refusal(promote.as_ref(), &cx), ActionError::Conflict(_)), "{kind:?}");
        assert!(ground.shown().contains(&foreign), "{kind:?}");
        wait(stage.undo(&cx)).expect("taken back");
        assert_eq!((wait(stage.observe(&cx)), ground.beside().len()), (Ok(Observed::NotDone), 0), "{kind:?}");
    }
}

#[test]
fn a_program_that_is_missing_fails_or_hangs_changes_nothing() {
    for kind in KINDS {
        let ground = Ground::open(kind);
        let before = fs::read(&ground.file).expect("read");
        let systems = Systems::default();
        let cx = context(&systems, 1);
        let script = |name: &str, text: &str| {
            fs::write(ground.path(name), text).expect("written");
            fs::set_permissions(ground.path(name), fs::Permissions::from_mode(0o755)).expect("set");
            ground.path(name)
        };
        let loud = format!("#!/bin/sh\necho {} >&2\nexit 128\n", ground.old);
        let hangs = script("hangs", "#!/bin/sh\nexec sleep 600\n");
        for (program, deadline) in [(PathBuf::from("no-such-program"), 60), (script("fails", &loud), 60), (hangs, 1)] {
            let store = ground.store_with(ground.files(Some(program.clone()), deadline));
            let mut count = 0;
            let coverage = wait(store.inventory(&mut |_| {
                count += 1;
                ControlFlow::Continue(())
            }));
            let coverage = coverage.expect("a gap, not an error");
            assert!(coverage.is_partial() && count == 0, "{kind:?} {}: {coverage:?}", program.display());
            let error = refusal(store.action(&ground.at, generate()).as_ref(), &cx);
            assert!(matches!(error, ActionError::Unavailable { .. } | ActionError::Refused(_)), "{kind:?}: {error}");
            let told = format!("{coverage:?} {error}");
            assert!(told.contains(&program.display().to_string()) && !told.contains(&ground.old), "{told}");
        }
        assert_eq!((fs::read(&ground.file).expect("read"), ground.beside().len()), (before, 0), "{kind:?}");
    }
}

#[test]
fn nobody_is_locked_out_of_a_file_of_age_and_nobody_let_in() {
    let ground = Ground::open(Kind::Age);
    let store = ground.store();
    let list = fs::read_to_string(ground.path("recipients")).expect("there");
    let systems = Systems::default();
    let cx = context(&systems, 1);
    for changed in
        [list.lines().take(2).collect::<Vec<_>>().join("\n"), format!("{list}{}", list.lines().last().expect("a line"))]
    {
        fs::write(ground.path("recipients"), changed).expect("written");
        let error = wait(store.preflight(&ground.at)).expect_err("refused");
        assert!(matches!(&error, ActionError::Refused(why) if why.contains("encrypted for 2")), "{error}");
        let error = refusal(store.action(&ground.at, generate()).as_ref(), &cx);
        assert!(matches!(error, ActionError::Refused(_)), "{error}");
    }
    fs::write(ground.path("recipients"), list).expect("written");
    wait(store.preflight(&ground.at)).expect("as before");
    // Somebody else's key opens nothing.
    fs::remove_file(ground.path("identity")).expect("there");
    run(Path::new("age-keygen"), &["-o", ground.path("identity").to_str().expect("text")], "");
    let error = wait(store.preflight(&ground.at)).expect_err("refused");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("identity")), "{error}");
}

#[test]
fn no_value_waits_in_a_field_that_sops_leaves_in_clear_text() {
    let ground = Ground::open(Kind::Sops);
    let store = ground.store();
    let locator = format!("{}#/db/n_unencrypted", ground.file.display());
    let at = Target { system: "locked".to_owned(), locator };
    let systems = Systems::default();
    let error = refusal(store.action(&at, generate()).as_ref(), &context(&systems, 1));
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("clear text")), "{error}");
    assert_eq!(ground.beside().len(), 0);
}

#[test]
fn a_file_that_was_changed_without_sops_is_named() {
    let ground = Ground::open(Kind::Sops);
    let text =
        fs::read_to_string(&ground.file).expect("read").replace("\"n_unencrypted\": \"7\"", "\"n_unencrypted\": \"8\"");
    fs::write(&ground.file, text).expect("written");
    let error = wait(ground.store().preflight(&ground.at)).expect_err("refused");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("check sum")), "{error}");
}

/// The office's shop password lies in an encrypted file, too.
#[test]
fn a_departure_changes_an_encrypted_file_however_often_it_is_killed() {
    let mut killed = 0;
    for writes in (3..60).step_by(7) {
        let ground = Ground::open(Kind::Age);
        let office = Office::open();
        ground.write(office.old["shop"].expose_str().expect("text"));
        let table = format!(
            "\n[[store]]\nname = \"locked\"\ntype = \"age\"\npaths = [\"{}\"]\nidentity = \"{}\"\nrecipients = \"{}\"\n",
            ground.file.display(),
            ground.path("identity").display(),
            ground.path("recipients").display()
        );
        let file = office.path("offkey.toml");
        let config = fs::read_to_string(&file).expect("there") + &table;
        fs::write(file, config).expect("written");
        let digest = office.sweep();
        let first = office.offkey(&["apply", "--case", "case", "--digest", &digest], Some(writes));
        let when = format!("killed after write {writes}: {}", told(&first));
        let over = first.status.code().is_some();
        if !over {
            killed += 1;
            let second = office.apply(&digest);
            assert_eq!(second.status.code(), Some(0), "{when}{}", told(&second));
        }
        let shown = ground.shown();
        let new = shown.split("DB_PASSWORD=").nth(1).and_then(|rest| rest.split(' ').next()).expect("a value");
        assert!(office.accepts("shop", new), "{when}");
        assert!(office.stores()["shop.env"].contains(&format!("DB_PASSWORD={new} # keep")), "{when}");
        assert_eq!(ground.beside(), Vec::<PathBuf>::new(), "{when}");
        if over {
            break;
        }
    }
    assert!(killed > 2, "killed only {killed} times");
}
