//! Folders of clones, lists of clones, submodules.

use std::path::Path;

use offkey::source::{self, OpenOptions};

use super::{file, read, read_as, token};

/// A repository whose only commit holds a file with this text.
fn repository(path: &Path, bare: bool, text: &str) {
    let mut options = git2::RepositoryInitOptions::new();
    let repo = git2::Repository::init_opts(path, options.bare(bare)).expect("a repository");
    let blob = repo.blob(text.as_bytes()).expect("a blob");
    let mut tree = repo.treebuilder(None).expect("a tree");
    tree.insert("config.txt", blob, 0o100_644).expect("inserted");
    let tree = repo.find_tree(tree.write().expect("written")).expect("a tree");
    let who = git2::Signature::now("Bob Tanaka", "bob@harbourfinch.example").expect("a name");
    repo.commit(Some("HEAD"), &who, &who, "first", &tree, &[]).expect("committed");
}

#[test]
fn a_folder_of_clones_gives_the_history_of_each() {
    let dir = tempfile::tempdir().expect("a folder");
    let names = ["shop", "team/api", "mirror/old.git"];
    for name in names {
        repository(&dir.path().join(name), name.ends_with(".git"), &token(name));
    }
    std::fs::write(dir.path().join("notes.txt"), token("notes")).expect("written");
    let seen = read(dir.path());
    for name in names.iter().chain(&["notes"]) {
        seen.one(&token(name));
    }
    let histories = seen.coverage.iter().filter(|part| part.format == "git").count();
    assert_eq!(histories, 3);
    let without = read_as(dir.path(), &OpenOptions { history: false, ..OpenOptions::default() });
    assert!(without.all(&token("shop")).is_empty(), "no history was asked for");
}

#[test]
fn linked_work_trees_share_their_history_and_submodules_have_their_own() {
    let dir = tempfile::tempdir().expect("a folder");
    let main = dir.path().join("main");
    repository(&main, false, &token("main"));
    let repo = git2::Repository::open(&main).expect("opened");
    repo.worktree("linked", &dir.path().join("linked"), None).expect("a work tree");
    let seen = read(dir.path());
    assert_eq!(seen.coverage.iter().filter(|part| part.format == "git").count(), 1);
    repository(&main.join(".git/modules/lib"), true, &token("lib"));
    read(&main).one(&token("lib"));
}

#[test]
fn a_list_names_clones_and_what_is_not_there() {
    let dir = tempfile::tempdir().expect("a folder");
    repository(&dir.path().join("shop"), false, "nothing");
    let list = dir.path().join("list");
    std::fs::write(&list, "# ours\n\nshop\n").expect("written");
    assert_eq!(source::listed(&list).expect("listed"), [dir.path().join("shop")]);
    std::fs::write(&list, "shop\ngone\n").expect("written");
    let error = source::listed(&list).expect_err("one is missing").to_string();
    assert!(error.contains("line 2") && error.contains("gone"), "{error}");
}

#[test]
fn unknown_lists_are_read_by_a_map_and_lines_of_programs_by_themselves() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("dump.json");
    let text = serde_json::json!([{"body": token("mapped"), "user": {"mail": "bob@harbourfinch.example"}, "at": 1_700_000_000}]);
    std::fs::write(&path, text.to_string()).expect("written");
    let options = OpenOptions {
        take_for: Some("map".to_owned()),
        map: Some("text=body,author=user.mail,time=at".to_owned()),
        ..OpenOptions::default()
    };
    let seen = read_as(&path, &options);
    let piece = seen.one(&token("mapped"));
    assert_eq!((piece.by(), piece.created()), ("bob@harbourfinch.example", "2023-11-14T22:13:20Z"));

    let line = serde_json::json!({"metadata": {"author": "alice@harbourfinch.example", "link": "https://wiki/1"}, "data": token("said")});
    let packed = serde_json::json!({"metadata": {"id": 7}, "data_b64": data_encoding::BASE64.encode(token("packed").as_bytes())});
    let seen = file("lines.json", format!("{line}\n{packed}\n"));
    let piece = seen.one(&token("said"));
    assert_eq!((piece.by(), piece.link()), ("alice@harbourfinch.example", "https://wiki/1"));
    assert_eq!(seen.one(&token("packed")).item().id, "7");
}
