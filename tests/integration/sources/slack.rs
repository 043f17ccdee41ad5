//! Slack in the shapes that only slackdump has, in Grid exports and in tars.

use std::io::Write;

use offkey::source::{ContainerKind, ItemKind};
use serde_json::json;

use super::{file, folder, read, token};

const BOB: &str = "bob@harbourfinch.example";

fn users() -> serde_json::Value {
    json!([{"id": "U0BOB", "name": "bob", "deleted": true, "profile": {"email": BOB, "real_name": "Bob Tanaka"}}])
}

fn message(ts: &str, text: &str) -> serde_json::Value {
    json!({"type": "message", "user": "U0BOB", "ts": ts, "text": text})
}

fn gzipped(text: &str) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(text.as_bytes()).expect("written");
    out.finish().expect("finished")
}

/// One answer of Slack a line.
fn chunks(name: &str) -> String {
    let member = json!({"t": 7, "ts": 1_700_000_000_000_000_000_u64, "id": "C0OPS", "cu": ["U0BOB"]});
    let channel = json!({"t": 5, "ts": 1, "id": "C0OPS", "ci": {"id": "C0OPS", "name": "ops", "is_private": true}});
    let known = json!({"t": 3, "ts": 1, "n": 1, "u": users()});
    let home = json!({"t": 6, "ts": 1, "w": {"url": "https://harbour-finch.slack.com/", "team_id": "T0"}});
    let said = json!({"t": 0, "ts": 1, "id": "C0OPS", "n": 1, "m": [message("1700000000.000100", &token(name))]});
    let reply = json!({"t": 1, "ts": 1, "id": "C0OPS", "r": "1700000000.000100", "p": message("1700000000.000100", "see below"),
        "m": [{"type": "message", "user": "U0BOB", "ts": "1700000001.000100", "thread_ts": "1700000000.000100", "text": token("reply")}]});
    // The people come last: the order is nobody's promise.
    [member, said, reply, channel, home, known].map(|line| line.to_string() + "\n").concat()
}

#[test]
fn chunks_of_slackdump_name_their_authors() {
    for packed in [true, false] {
        let text = chunks("chunk");
        let seen = if packed { file("C0OPS.json.gz", gzipped(&text)) } else { file("C0OPS.jsonl", text) };
        let piece = seen.one(&token("chunk"));
        assert_eq!((piece.by(), piece.pointer()), (BOB, "line 2/m/0"));
        assert_eq!(piece.link(), "https://harbour-finch.slack.com/archives/C0OPS/p1700000000000100");
        let item = piece.item();
        assert_eq!((item.container.name.as_str(), item.container.public, item.readers.len()), ("#ops", false, 1));
        assert!(seen.one(&token("reply")).link().ends_with("?thread_ts=1700000000.000100"));
    }
}

#[test]
fn chunks_that_are_cut_off_give_what_is_left() {
    let packed = gzipped(&chunks("cut"));
    let seen = file("C0OPS.json.gz", &packed[..packed.len() - 12]);
    assert_eq!(seen.coverage[0].format, "slack-export");
    assert!(seen.gaps().iter().any(|gap| gap.contains("cut off")), "{:?}", seen.gaps());
    assert!(!seen.all(&token("cut")).is_empty());
}

#[test]
fn a_dump_of_slackdump_holds_replies_inside_of_messages() {
    let mut parent = message("1700000000.000100", &token("parent"));
    parent["slackdump_thread_replies"] = json!([message("1700000002.000100", &token("inner"))]);
    let dump = json!({"channel_id": "D0X", "name": "bob", "messages": [parent]});
    let dump = dump.to_string();
    let users = users().to_string();
    let seen = folder(&[("D0X.json", &dump), ("users.json", &users), ("D0X/F012345-note.txt", &token("attached"))]);
    let piece = seen.one(&token("inner"));
    assert_eq!((piece.by(), piece.pointer()), (BOB, "/messages/0/slackdump_thread_replies/0"));
    assert_eq!(seen.one(&token("parent")).item().container.kind, ContainerKind::Dm);
    assert_eq!(seen.one(&token("attached")).item().container.id, "D0X");
}

#[test]
fn a_database_of_slackdump_is_read_with_earlier_texts() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("slackdump.sqlite");
    let base = rusqlite::Connection::open(&path).expect("a database");
    base.execute_batch(
        "CREATE TABLE CHUNK(ID INTEGER); CREATE TABLE S_USER(ID TEXT, CHUNK_ID INTEGER, DATA BLOB);
         CREATE TABLE CHANNEL(ID TEXT, CHUNK_ID INTEGER, DATA BLOB); CREATE TABLE WORKSPACE(URL TEXT);
         CREATE TABLE CHANNEL_USER(CHANNEL_ID TEXT, USER_ID TEXT);
         CREATE TABLE MESSAGE(CHANNEL_ID TEXT, TS TEXT, CHUNK_ID INTEGER, DATA BLOB);",
    )
    .expect("tables");
    let row = |sql: &str, values: &[&dyn rusqlite::ToSql]| base.execute(sql, values).expect("a row");
    row("INSERT INTO S_USER VALUES('U0BOB', 1, ?)", &[&users()[0].to_string()]);
    row("INSERT INTO CHANNEL VALUES('C0OPS', 1, ?)", &[&json!({"id": "C0OPS", "name": "ops"}).to_string()]);
    row("INSERT INTO WORKSPACE VALUES('https://harbour-finch.slack.com/')", &[]);
    row("INSERT INTO CHANNEL_USER VALUES('C0OPS', 'U0BOB')", &[]);
    for (chunk, text) in [(1, token("before")), (2, token("after")), (3, token("after"))] {
        let data = message("1700000000.000100", &text).to_string();
        row("INSERT INTO MESSAGE VALUES('C0OPS', '1700000000.000100', ?, ?)", &[&chunk, &data.as_bytes()]);
    }
    drop(base);
    for seen in [read(&path), read(dir.path())] {
        let (after, before) = (seen.one(&token("after")), seen.one(&token("before")));
        assert_eq!((after.by(), after.item().readers.len()), (BOB, 1));
        assert!(after.link().starts_with("https://harbour-finch.slack.com/archives/C0OPS/"));
        assert_eq!(before.item().kind, ItemKind::History);
    }
}

#[test]
fn grid_exports_keep_their_workspaces_apart() {
    let list = |id: &str| json!([{"id": id, "name": "ops", "members": ["U0BOB"]}]).to_string();
    let day = |workspace: &str, name: &str| {
        let link = format!("https://{workspace}.slack.com/files/U0BOB/F1/x");
        json!([{"type": "message", "user": "W0BOB", "ts": "1700000000.000100", "text": token(name), "files": [{"permalink": link}]}])
            .to_string()
    };
    let people = json!([{"id": "U0BOB", "enterprise_user": {"id": "W0BOB"}, "profile": {"email": BOB}}]).to_string();
    let (one, two) = (day("harbour", "one"), day("finch", "two"));
    let seen = folder(&[
        ("org_users.json", &people),
        ("teams/harbour/channels.json", &list("C1")),
        ("teams/harbour/ops/2023-11-14.json", &one),
        ("teams/finch/channels.json", &list("C2")),
        ("teams/finch/ops/2023-11-14.json", &two),
    ]);
    for (name, link) in
        [("one", "https://harbour.slack.com/archives/C1/"), ("two", "https://finch.slack.com/archives/C2/")]
    {
        let piece = seen.one(&token(name));
        assert_eq!(piece.by(), BOB);
        assert!(piece.link().starts_with(link), "{}", piece.link());
    }
}

#[test]
fn days_without_an_index_and_packed_exports_are_recognised() {
    let day = json!([message("1700000000.000100", &token("bare"))]).to_string();
    let seen = folder(&[("general/2015-10-12.json", &day)]);
    assert_eq!(seen.coverage[0].format, "slack-export");
    assert_eq!(seen.one(&token("bare")).author().and_then(|who| who.id.as_deref()), Some("U0BOB"));

    let mut tar = tar::Builder::new(Vec::new());
    for (name, text) in [("users.json", users().to_string()), ("general/2015-10-12.json", day)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, name, text.as_bytes()).expect("appended");
    }
    let seen = file("export.tar", tar.into_inner().expect("finished"));
    assert_eq!(seen.one(&token("bare")).by(), BOB);
}

#[test]
fn attachments_belong_to_who_posted_them() {
    let mut posted = message("1700000000.000100", "the key");
    posted["files"] = json!([{"id": "F0123ABC", "name": "key.txt", "user": "U0BOB"}]);
    let day = json!([posted]).to_string();
    let (users, list) = (users().to_string(), json!([{"id": "C1", "name": "ops", "members": []}]).to_string());
    let seen = folder(&[
        ("users.json", &users),
        ("channels.json", &list),
        ("ops/2023-11-14.json", &day),
        ("__uploads/F0123ABC/key.txt", &token("upload")),
    ]);
    let piece = seen.one(&token("upload"));
    assert_eq!((piece.by(), piece.item().container.name.as_str()), (BOB, "#ops"));
}

#[test]
fn an_export_packed_in_a_folder_is_read_as_a_whole() {
    let day = json!([message("1700000000.000100", &token("packed"))]).to_string();
    let list = json!([{"id": "C1", "name": "ops", "members": ["U0BOB"]}]).to_string();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let users = users().to_string();
    for (name, text) in [("users.json", &users), ("channels.json", &list), ("ops/2023-11-14.json", &day)] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("started");
        zip.write_all(text.as_bytes()).expect("written");
    }
    let zip = zip.finish().expect("finished").into_inner();
    // GitLab packs its exports as a tar.
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let issue = json!({"iid": 1, "title": "x", "description": token("issue"), "author_id": 7, "notes": []}).to_string();
    let member = json!({"user_id": 7, "user": {"id": 7, "username": "bob", "email": BOB}}).to_string();
    for (name, text) in [
        ("GITLAB_VERSION", "17.0.0"),
        ("tree/project/issues.ndjson", &issue),
        ("tree/project/project_members.ndjson", &member),
    ] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, format!("./{name}"), text.as_bytes()).expect("appended");
    }
    let tar = tar.into_inner().expect("finished").finish().expect("finished");
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("in")).expect("made");
    for (name, content) in
        [("in/acme.zip", zip.as_slice()), ("project.tar.gz", &tar), ("a.txt", token("plain").as_bytes())]
    {
        std::fs::write(dir.path().join(name), content).expect("written");
    }
    let seen = read(dir.path());
    let formats: Vec<&str> = seen.coverage.iter().map(|one| one.format.as_str()).collect();
    assert_eq!(formats, ["files", "slack-export", "gitlab"]);
    let piece = seen.one(&token("packed"));
    assert_eq!((piece.by(), piece.item().container.name.as_str()), (BOB, "#ops"));
    assert!(piece.place.contains("in/acme.zip/ops/2023-11-14.json"), "{}", piece.place);
    assert_eq!(seen.one(&token("issue")).by(), BOB);
    seen.one(&token("plain"));
    let sources = offkey::source::open(dir.path(), &offkey::source::OpenOptions::default()).expect("readable");
    let known: usize = sources.iter().map(|source| source.roster().expect("readable").len()).sum();
    assert_eq!(known, 2, "both exports know who bob is");
}
