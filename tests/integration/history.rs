//! The history of repositories that the git command line builds: everything is read once, damage is said and survived.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use offkey::source::git::{GitHistory, Repository};
use offkey::source::{Coverage, Document, GitObjectKind, Progress, Provenance, Sink, Source};

/// Runs git with people and dates of our own, away from the user's configuration.
pub(crate) fn git(at: &Path, arguments: &[&str]) -> String {
    git_as(at, ("Alice Moreau", "alice@harbourfinch.example"), arguments)
}

fn git_as(at: &Path, (name, email): (&str, &str), arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(at)
        .args(["-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", "-c", "protocol.file.allow=always"])
        .args(["-c", "gc.auto=0", "-c", "merge.conflictStyle=merge"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .envs([("GIT_AUTHOR_NAME", name), ("GIT_AUTHOR_EMAIL", email)])
        .envs([("GIT_COMMITTER_NAME", name), ("GIT_COMMITTER_EMAIL", email)])
        .envs([("GIT_AUTHOR_DATE", "2026-03-02T10:00:00Z"), ("GIT_COMMITTER_DATE", "2026-03-02T10:00:00Z")])
        .output()
        .expect("git runs");
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    text
}

/// Keeps every document by object id.
#[derive(Default)]
struct Keeper(Mutex<Documents>);

type Documents = BTreeMap<String, (GitObjectKind, Vec<u8>, u32)>;

impl Sink for Keeper {
    fn document(&self, document: &Document<'_>) {
        let Provenance::Git { oid, object, .. } = document.provenance else { panic!("not from git") };
        let mut kept = self.0.lock().expect("no panic");
        let entry = kept.entry(oid.clone()).or_insert((*object, document.bytes.to_vec(), 0));
        entry.2 += 1;
    }
}

fn read(at: &Path) -> (Documents, Coverage) {
    let keeper = Keeper::default();
    let coverage = GitHistory::new(at).read(&keeper, &Progress::default()).expect("reads");
    (keeper.0.into_inner().expect("no panic"), coverage)
}

/// Compares what was read with what git itself lists: every blob, commit and tag once, with the same content.
fn same_as_git(at: &Path) -> (usize, Coverage) {
    let (documents, coverage) = read(at);
    let list = git(at, &["cat-file", "--batch-all-objects", "--batch-check=%(objectname) %(objecttype)"]);
    let mut expected = 0;
    for line in list.lines() {
        let (oid, kind) = line.split_once(' ').expect("two words");
        if kind == "tree" {
            assert!(!documents.contains_key(oid), "a tree is no document");
            continue;
        }
        expected += 1;
        let (_, bytes, times) = documents.get(oid).unwrap_or_else(|| panic!("{kind} {oid} was not read"));
        assert_eq!(*times, 1, "{oid} was read more than once");
        let output = Command::new("git").current_dir(at).args(["cat-file", kind, oid]).output().expect("git runs");
        assert!(output.stdout == *bytes, "{kind} {oid} differs");
    }
    assert_eq!(documents.len(), expected);
    assert_eq!(coverage.documents, expected as u64);
    (expected, coverage)
}

pub(crate) fn write(at: &Path, name: &str, content: &str) {
    let file = at.join(name);
    fs::create_dir_all(file.parent().expect("a folder")).expect("folder");
    fs::write(file, content).expect("file");
}

pub(crate) fn commit(at: &Path, message: &str) -> String {
    git(at, &["add", "-A"]);
    git(at, &["commit", "-q", "--allow-empty", "-m", message]);
    git(at, &["rev-parse", "HEAD"])
}

/// A history with long delta chains, renames, a merge with content of its own, a stash, a note, tags and a dangling commit.
fn varied(at: &Path, format: &str) {
    git(at, &["init", "-q", "--object-format", format]);
    let mut text: Vec<String> = (0..400).map(|n| format!("line {n} of a file that changes often\n")).collect();
    for round in 0..60 {
        text[(round * 37) % 400] = format!("changed in round {round}\n");
        if round % 7 == 0 {
            text.insert(round, format!("added in round {round}\n"));
        }
        write(at, "src/long.txt", &text.concat());
        write(at, &format!("docs/{}.md", round % 5), &format!("# page {round}\n"));
        commit(at, &format!("round {round}"));
    }
    git(at, &["tag", "-a", "v1", "-m", "first tag"]);
    git(at, &["checkout", "-q", "-b", "side", "HEAD~20"]);
    write(at, "side.txt", "from the side\n");
    commit(at, "side");
    git(at, &["checkout", "-q", "main"]);
    write(at, "main.txt", "from main\n");
    commit(at, "main");
    git(at, &["merge", "-q", "--no-commit", "side"]);
    write(at, "merged.txt", "only in the merge\n");
    commit(at, "merge");
    write(at, "main.txt", "stashed\n");
    git(at, &["stash", "-q"]);
    git(at, &["notes", "add", "-m", "a note"]);
    write(at, "gone.txt", "dangling content\n");
    commit(at, "dangling");
    git(at, &["reset", "-q", "--hard", "HEAD~1"]);
}

#[test]
fn every_object_is_read_once_loose_packed_and_mixed() {
    for format in ["sha1", "sha256"] {
        let folder = tempfile::tempdir().expect("folder");
        let at = folder.path();
        varied(at, format);
        let (loose, _) = same_as_git(at);
        git(at, &["repack", "-q", "-ad", "--depth=250", "--window=250"]);
        let (mixed, coverage) = same_as_git(at);
        assert!(!coverage.is_partial(), "{:?}", coverage.gaps);
        assert_eq!(loose, mixed);
        write(at, "new.txt", "after the repack\n");
        commit(at, "new");
        // A second pack that shares objects with the first.
        git(at, &["repack", "-q", "-a"]);
        assert!(same_as_git(at).0 > mixed);
        git(at, &["multi-pack-index", "write"]);
        same_as_git(at);
    }
}

#[test]
fn bare_worktree_and_alternates_are_the_same_repository() {
    let folder = tempfile::tempdir().expect("folder");
    let main = folder.path().join("main");
    fs::create_dir(&main).expect("folder");
    varied(&main, "sha1");
    let all = same_as_git(&main).0;
    git(&main, &["worktree", "add", "-q", "../other", "side"]);
    assert_eq!(same_as_git(&folder.path().join("other")).0, all);
    git(folder.path(), &["clone", "-q", "--bare", "--shared", "main", "shared.git"]);
    assert_eq!(same_as_git(&folder.path().join("shared.git")).0, all, "objects of the alternate are read");
    assert!(read(&main.join(".git")).0.len() == all);
}

#[test]
fn a_repository_without_commits_is_empty_and_not_an_error() {
    let folder = tempfile::tempdir().expect("folder");
    git(folder.path(), &["init", "-q"]);
    let (documents, coverage) = read(folder.path());
    assert!(documents.is_empty() && !coverage.is_partial());
    let repository = Repository::open(folder.path()).expect("opens");
    assert!(repository.introductions(&["00".repeat(20)]).is_empty());
    assert!(GitHistory::new(&folder.path().join("nothing")).read(&Keeper::default(), &Progress::default()).is_err());
}

/// The one pack of a repository.
fn pack(at: &Path) -> std::path::PathBuf {
    let mut packs =
        fs::read_dir(at.join(".git/objects/pack")).expect("packs").map(|entry| entry.expect("entry").path());
    packs.find(|path| path.extension().is_some_and(|e| e == "pack")).expect("a pack")
}

fn writable(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).expect("permissions");
}

#[test]
fn damage_costs_the_damaged_objects_and_is_said() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    varied(at, "sha1");
    git(at, &["repack", "-q", "-ad", "--depth=10", "--window=20"]);
    git(at, &["prune-packed"]);
    let whole = read(at).0;
    let file = pack(at);
    writable(&file);
    let bytes = fs::read(&file).expect("pack");
    // A flipped bit at any of many places: never a panic, never silence, and what is still read is right.
    let mut partial = 0;
    for step in 0..40 {
        let mut damaged = bytes.clone();
        let place = 12 + (bytes.len() - 12) * step / 40;
        damaged[place] ^= 0x10;
        fs::write(&file, &damaged).expect("write");
        let (documents, coverage) = read(at);
        // Trees are no documents; damage in one costs nothing here and is not looked for.
        assert!(coverage.is_partial() || documents.len() == whole.len(), "a flipped bit at {place} went unnoticed");
        partial += usize::from(coverage.is_partial());
        for (oid, (_, content, _)) in &documents {
            assert!(whole[oid].1 == *content, "{oid} was read wrong after a flip at {place}");
        }
    }
    assert!(partial > 20, "{partial}");
    // The bit that turns a blob into a tree, which nobody would read.
    fs::write(&file, &bytes).expect("write");
    let list = git(at, &["verify-pack", "-v", &file.with_extension("idx").display().to_string()]);
    let whole_blobs = list.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let whole_blobs = whole_blobs.filter(|parts| parts.len() == 5 && parts[1] == "blob");
    let mut disguised = 0;
    for parts in whole_blobs {
        let mut damaged = bytes.clone();
        damaged[parts[4].parse::<usize>().expect("an offset")] ^= 0x10;
        fs::write(&file, &damaged).expect("write");
        let (documents, coverage) = read(at);
        assert!(coverage.is_partial() && !documents.contains_key(parts[0]), "{} was lost without a word", parts[0]);
        disguised += 1;
    }
    assert!(disguised > 3, "{disguised} blobs are packed whole");
    // Cut off in the middle: the front is still read.
    fs::write(&file, &bytes[..bytes.len() / 2]).expect("write");
    let (documents, coverage) = read(at);
    assert!(coverage.is_partial() && !documents.is_empty() && documents.len() < whole.len());
    fs::write(&file, b"PACK").expect("write");
    assert!(read(at).1.is_partial());
    fs::write(&file, &bytes).expect("write");
    let index = file.with_extension("idx");
    writable(&index);
    let bytes = fs::read(&index).expect("index");
    for step in 0..60 {
        let mut damaged = bytes.clone();
        let place = bytes.len() * step / 60;
        damaged[place] ^= 0x81;
        fs::write(&index, &damaged).expect("write");
        let _ = read(at);
    }
    fs::write(&index, &bytes[..900]).expect("write");
    assert!(read(at).1.is_partial());
    fs::write(&index, &bytes).expect("write");
    assert!(!read(at).1.is_partial());
}

#[test]
fn damaged_loose_objects_are_said() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    git(at, &["init", "-q"]);
    write(at, "a.txt", "one\n");
    commit(at, "one");
    let oid = git(at, &["rev-parse", "HEAD:a.txt"]);
    let other = git(at, &["rev-parse", "HEAD"]);
    let file = |oid: &str| at.join(".git/objects").join(&oid[..2]).join(&oid[2..]);
    writable(&file(&oid));
    fs::copy(file(&other), file(&oid)).expect("copy");
    let coverage = read(at).1;
    assert!(coverage.gaps.iter().any(|gap| gap.place == oid && gap.why.contains("name")), "{:?}", coverage.gaps);
    fs::write(file(&oid), b"x\x9cnothing").expect("write");
    assert!(read(at).1.is_partial());
}

#[test]
fn shallow_and_partial_clones_say_what_is_not_there() {
    let folder = tempfile::tempdir().expect("folder");
    let main = folder.path().join("main");
    fs::create_dir(&main).expect("folder");
    varied(&main, "sha1");
    git(&main, &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", main.display());
    git(folder.path(), &["clone", "-q", "--depth=3", &url, "shallow"]);
    let coverage = read(&folder.path().join("shallow")).1;
    assert!(coverage.gaps.iter().any(|gap| gap.why.contains("shallow")), "{:?}", coverage.gaps);
    git(folder.path(), &["clone", "-q", "--no-checkout", "--filter=blob:none", &url, "partial"]);
    let coverage = read(&folder.path().join("partial")).1;
    let promised = coverage.counts.iter().find(|(why, _)| why.contains("promised")).expect("promised objects").1;
    assert!(*promised > 60, "{promised}");
}

#[test]
fn introductions_name_every_commit_path_and_person() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    git(at, &["init", "-q"]);
    write(at, ".mailmap", "Bob Tanaka <bob@harbourfinch.example> <bt@old.example>\n");
    commit(at, "start");
    write(at, "config/app.env", "KEY=value-one\n");
    git(at, &["add", "-A"]);
    let message = "add\n\nCo-authored-by: Bob Tanaka <bt@old.example>";
    git(at, &["commit", "-q", "-m", message]);
    let first = git(at, &["rev-parse", "HEAD"]);
    write(at, "copy/deep/app.env", "KEY=value-one\n");
    git(at, &["add", "-A"]);
    git_as(at, ("bt", "bt@old.example"), &["commit", "-q", "-m", "copy"]);
    let second = git(at, &["rev-parse", "HEAD"]);
    fs::remove_file(at.join("config/app.env")).expect("removed");
    commit(at, "remove");
    write(at, "config/app.env", "KEY=value-one\n");
    let third = commit(at, "again");
    git(at, &["checkout", "-q", "-b", "side", &first]);
    write(at, "side.txt", "x\n");
    commit(at, "side");
    git(at, &["checkout", "-q", "main"]);
    git(at, &["merge", "-q", "--no-commit", "side"]);
    write(at, "merge.env", "KEY=merge-only\n");
    let merge = commit(at, "merge");
    write(at, "dropped.env", "KEY=dropped\n");
    let dropped = commit(at, "dropped");
    git(at, &["reset", "-q", "--hard", "HEAD~1"]);
    write(at, "staged.env", "KEY=staged\n");
    git(at, &["add", "staged.env"]);
    let oid = |text: &str| {
        write(folder.path(), ".git/tmp.txt", text);
        git(at, &["hash-object", ".git/tmp.txt"])
    };
    let blobs: Vec<String> =
        ["KEY=value-one\n", "KEY=merge-only\n", "KEY=dropped\n", "KEY=staged\n"].iter().map(|text| oid(text)).collect();
    for packed in [false, true] {
        let repository = Repository::open(at).expect("opens");
        let found = repository.introductions(&blobs);
        let places = |n: usize| -> Vec<(String, String)> {
            let mut places: Vec<_> =
                found[&blobs[n]].iter().map(|one| (one.path.clone(), one.by.commit.clone())).collect();
            places.sort();
            places
        };
        let mut expected = vec![
            ("config/app.env".to_owned(), first.clone()),
            ("config/app.env".to_owned(), third.clone()),
            ("copy/deep/app.env".to_owned(), second.clone()),
        ];
        expected.sort();
        assert_eq!(places(0), expected);
        assert_eq!(places(1), [("merge.env".to_owned(), merge.clone())]);
        assert_eq!(places(2), [("dropped.env".to_owned(), dropped.clone())]);
        assert!(!found.contains_key(&blobs[3]));
        assert_eq!(repository.staged(&blobs)[&blobs[3]], ["staged.env"]);
        let by = |commit: &str| {
            found.values().flatten().find(|one| one.by.commit == commit).expect("an introduction").by.clone()
        };
        assert_eq!(by(&first).author.email.as_deref(), Some("alice@harbourfinch.example"));
        assert_eq!(by(&first).co_authors[0].email.as_deref(), Some("bob@harbourfinch.example"));
        assert_eq!(by(&second).author.display.as_deref(), Some("Bob Tanaka"));
        assert_eq!(by(&first).time, "2026-03-02T10:00:00Z");
        assert!(by(&first).reachable && !by(&dropped).reachable);
        assert!(repository.people(&first).is_some());
        let kin = repository.kin().expect("kin");
        assert!(kin.iter().any(|one| one.reason.contains(".mailmap") && one.people.len() == 3), "{kin:?}");
        if !packed {
            git(at, &["repack", "-q", "-ad"]);
        }
    }
}

#[test]
fn a_weak_password_in_a_deleted_file_for_credentials_is_found_by_its_path() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    git(at, &["init", "-q"]);
    // A word that says little by itself: the name of the file decides, in a history as in a folder.
    write(at, "shop/.env", concat!("SMTP_PASS=", "harbour\n"));
    write(at, "shop/notes.cfg", concat!("SMTP_PASS=", "lantern\n"));
    commit(at, "start");
    fs::remove_file(at.join("shop/.env")).expect("removed");
    commit(at, "remove");
    for packed in [false, true] {
        let mut offkey = Command::new(env!("CARGO_BIN_EXE_offkey"));
        offkey.args(["scan", "--no-work-tree", "--format", "jsonl", "--reveal"]).arg(at);
        let output = offkey.env("OFFKEY_HOME", at.join(".git/home")).output().expect("offkey runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.lines().count() == 1 && text.contains("shop/.env") && text.contains("harbour"), "{text}");
        if !packed {
            git(at, &["repack", "-q", "-ad"]);
        }
    }
}
