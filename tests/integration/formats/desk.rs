//! Tickets, boards and pages: Zendesk, ServiceNow, Trello, Notion and others.

use offkey::source::{Evidence, ItemKind, OpenOptions, Via};
use serde_json::json;

use super::{file, folder, read_as, token};

#[test]
fn zendesk_credits_whom_the_comment_names() {
    let (secret, html, old) = (token("ticket"), token("html"), token("old"));
    let audits = json!({"audits": [{"id": 1, "ticket_id": 7, "author_id": 11, "created_at": "2023-09-09T23:52:05Z", "events": [
        {"id": 2, "type": "Comment", "author_id": 22, "body": format!("key {secret}"), "html_body": format!("<p>key {secret}</p><a href=\"https://x.example/{html}\">x</a>"),
         "attachments": [{"file_name": "a.txt", "content_url": "https://x.zendesk.com/attachments/token/abc"}]},
        {"id": 3, "type": "Change", "field_name": "note", "previous_value": old, "value": "none"}]}], "next_page": null});
    let users = json!({"users": [{"id": 22, "name": "Bob", "email": "bob@harbourfinch.example", "role": "end-user", "suspended": true},
        {"id": 11, "name": "Alice", "email": "alice@harbourfinch.example", "role": "agent", "suspended": false}]});
    let seen = folder(&[("audits.json", &audits.to_string()), ("users.json", &users.to_string())]);
    let piece = seen.one(&secret);
    assert_eq!((piece.by(), piece.item().via), ("bob@harbourfinch.example", Via::OnBehalf));
    assert_eq!((piece.author().and_then(|who| who.active), piece.text.contains(&html)), (Some(false), true));
    assert_eq!((seen.one(&old).item().kind, seen.one(&old).by()), (ItemKind::History, ""));
    assert_eq!(seen.one("attachments/token").item().kind, ItemKind::Artefact);
}

#[test]
fn zendesk_by_lines_and_in_xml() {
    let secret = token("line");
    let line = |id: u32, text: &str| {
        json!({"url": "https://hf.zendesk.com/api/v2/tickets/1.json", "id": id, "subject": "s", "description": text, "requester_id": 5, "submitter_id": 5,
            "created_at": "2024-01-01T00:00:00Z", "via": {"channel": "email", "source": {"from": {"address": "bob@harbourfinch.example", "name": "Bob"}}},
            "comments": [{"id": 9, "author_id": 5, "body": format!("again {text}"), "html_body": "<p></p>"}]}).to_string()
    };
    let seen = file("tickets.json", format!("{}\n{}\n", line(1, "nothing"), line(2, &secret)));
    let all = seen.all(&secret);
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|piece| piece.by() == "bob@harbourfinch.example"));
    assert!(all.iter().all(|piece| piece.link() == "https://hf.zendesk.com/agent/tickets/2"));
    let rows = format!(
        "<?xml version=\"1.0\"?><tickets type=\"array\" count=\"1\"><ticket><nice-id>3</nice-id><requester-id>5</requester-id><subject>s</subject>\
         <comments type=\"array\"><comment><author-id>5</author-id><value>{secret}</value></comment></comments></ticket></tickets>"
    );
    let seen = file("tickets.xml", rows);
    assert_eq!(seen.one(&secret).author().and_then(|who| who.id.as_deref()), Some("5"));
}

#[test]
fn servicenow_journals_are_cut_at_their_heads() {
    let (first, second, table) = (token("first"), token("second"), token("table"));
    let journal = format!(
        "2024-01-02 10:00:00 - Alice Moreau (Work notes)\n{first}\n\n2024-01-01 10:00:00 - Bob Tanaka (Work notes)\n{second}\n"
    );
    let unload = format!(
        "<?xml version=\"1.0\"?><unload unload_date=\"2024-01-03\"><incident action=\"INSERT_OR_UPDATE\"><number>INC01</number><sys_id>s1</sys_id>\
         <caller_id display_value=\"Bob Tanaka\">b1</caller_id><sys_created_on>2024-01-01 09:00:00</sys_created_on><work_notes>{journal}</work_notes></incident>\
         <sys_journal_field action=\"x\"><element_id>s1</element_id><element>comments</element><value>{table}</value><sys_created_by>alice</sys_created_by></sys_journal_field>\
         <sys_user><sys_id>a1</sys_id><user_name>alice</user_name><name>Alice Moreau</name><email>alice@harbourfinch.example</email><active>false</active></sys_user></unload>"
    );
    let seen = file("incident.xml", unload);
    assert_eq!(
        (seen.one(&first).by(), seen.one(&first).created()),
        ("alice@harbourfinch.example", "2024-01-02 10:00:00")
    );
    assert_eq!(seen.one(&second).by(), "Bob Tanaka");
    assert_eq!(
        (seen.one(&table).by(), seen.one(&table).item().container.id.as_str()),
        ("alice@harbourfinch.example", "s1")
    );
    let rows = format!(
        "number,short_description,opened_by,sys_created_by,work_notes\nINC02,{table},Alice Moreau,alice,\"{journal}\"\n"
    );
    let seen = file("incident.csv", rows);
    assert_eq!((seen.one(&first).by(), seen.one(&second).by()), ("Alice Moreau", "Bob Tanaka"));
    let records =
        json!({"records": [{"sys_id": "s3", "number": "INC03", "sys_created_by": "alice", "description": table}]});
    assert_eq!(file("incident.json", records.to_string()).one(&table).by(), "alice");
}

#[test]
fn trello_old_texts_comments_and_the_cards_own_address() {
    let (comment, old, now) = (token("comment"), token("old"), token("now"));
    let address = format!("alice+{}@boards.trello.com", token("card"));
    let board = json!({"id": "b", "name": "Board", "desc": "", "shortLink": "q", "idOrganization": null, "idMemberCreator": "m1", "url": "https://trello.com/b/q",
        "prefs": {"permissionLevel": "private"},
        "actions": [
            {"id": "60e9d2869efe2e1141be2798", "idMemberCreator": "m1", "type": "commentCard", "date": "2021-07-10T17:01:58.636Z",
             "data": {"text": comment, "dateLastEdited": "2021-07-11T17:01:58.636Z", "card": {"id": "c1", "shortLink": "sl"}}},
            {"id": "a2", "idMemberCreator": "m2", "type": "updateCard", "date": "2021-07-10T17:01:58.636Z",
             "data": {"old": {"desc": old}, "card": {"id": "c1", "desc": "gone", "shortLink": "sl"}}}],
        "cards": [{"id": "c1", "name": "Card", "desc": now, "idList": "l", "shortUrl": "https://trello.com/c/sl", "email": address, "idMembers": ["m2"]}],
        "members": [{"id": "m1", "username": "amoreau", "fullName": "Alice Moreau"}]});
    let seen = file("board.json", board.to_string());
    let piece = seen.one(&comment);
    assert_eq!((piece.by(), piece.author().map(|who| who.evidence)), ("amoreau", Some(Evidence::E2)));
    assert_eq!(piece.link(), "https://trello.com/c/sl#comment-60e9d2869efe2e1141be2798");
    assert_eq!(piece.item().edited.as_deref(), Some("2021-07-11T17:01:58.636Z"));
    let piece = seen.one(&old);
    assert_eq!((piece.item().kind, piece.by(), piece.pointer()), (ItemKind::History, "", "/actions/1/data/old/desc"));
    assert_eq!(seen.one(&now).link(), "https://trello.com/c/sl");
    assert_eq!((seen.one(&address).item().kind, seen.one(&address).by()), (ItemKind::Artefact, ""));
}

#[test]
fn notion_pages_have_a_link_and_sometimes_an_author() {
    let (page, row) = (token("page"), token("row"));
    let id = "0b".repeat(16);
    let seen = folder(&[
        (&format!("Keys {id}.md"), &format!("# Keys\n\nCreated by: Alice Moreau\nAuthor: A Poet\n\n{page}\n")),
        (&format!("List {id}_all.csv"), &format!("\u{feff}Name,Created by,Value\nx,bob@harbourfinch.example,{row}\n")),
    ]);
    assert_eq!(
        (seen.one(&page).by(), seen.one(&page).link()),
        ("Alice Moreau", format!("https://www.notion.so/{id}").as_str())
    );
    assert_eq!(seen.one(&row).by(), "bob@harbourfinch.example");
}

#[test]
fn any_records_by_a_map() {
    let dir = tempfile::tempdir().expect("a folder");
    let secret = token("map");
    let options = OpenOptions {
        take_for: Some("map".to_owned()),
        map: Some("text=body,author=who.login,time=at,link=url".to_owned()),
        ..OpenOptions::default()
    };
    for (name, content) in [
        ("a.json", json!({"rows": [{"body": secret, "who": {"login": "alice"}, "at": 1700000000, "url": "https://x.example/1"}]}).to_string()),
        ("b.jsonl", format!("{}\n{{}}\n", json!({"body": secret, "who": {"login": "alice"}, "at": 1700000000, "url": "https://x.example/1"}))),
        ("c.csv", format!("body;who.login;at;url\n{secret};alice;1700000000;https://x.example/1\n")),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("writable");
        let seen = read_as(&path, &options);
        let piece = seen.one(&secret);
        assert_eq!((piece.by(), piece.created(), piece.link()), ("alice", "2023-11-14T22:13:20Z", "https://x.example/1"), "{name}");
    }
}

#[test]
fn linear_asana_and_their_tables() {
    let (title, notes, story) = (token("title"), token("notes"), token("story"));
    let table = format!(
        "ID,Team,Title,Description,Status,Creator,Assignee,Created\nHF-1,Ops,a,\"x\n{title}\",Todo,alice@harbourfinch.example,bob@harbourfinch.example,2024-01-01T00:00:00Z\n"
    );
    let seen = file("linear.csv", table);
    let piece = seen.one(&title);
    assert_eq!((piece.by(), piece.created()), ("alice@harbourfinch.example", "2024-01-01T00:00:00Z"));
    assert_eq!(piece.item().sent_to[0].email.as_deref(), Some("bob@harbourfinch.example"));
    let data = json!({"data": [{"gid": "1", "resource_type": "task", "name": "n", "notes": notes, "created_at": "2024-01-01T00:00:00Z", "created_by": {"gid": "9"},
        "stories": [{"gid": "2", "resource_type": "story", "type": "comment", "text": story, "created_by": {"gid": "9", "name": "Alice"}, "created_at": "2024-01-02T00:00:00Z"}]},
        {"gid": "9", "resource_type": "user", "name": "Alice", "email": "alice@harbourfinch.example"}]});
    let seen = file("asana.json", data.to_string());
    assert_eq!(
        (seen.one(&story).by(), seen.one(&story).link()),
        ("alice@harbourfinch.example", "https://app.asana.com/0/0/1")
    );
    assert_eq!(seen.one(&notes).by(), "alice@harbourfinch.example");
    let table = format!(
        "Task ID,Created At,Name,Assignee,Assignee Email,Notes\n1,2024-01-01,n,Bob,bob@harbourfinch.example,{notes}\n"
    );
    assert_eq!(
        file("asana.csv", table).one(&notes).item().sent_to[0].email.as_deref(),
        Some("bob@harbourfinch.example")
    );
}

#[test]
fn freshdesk_and_redmine() {
    let (body, note, old) = (token("body"), token("note"), token("old"));
    let tickets = json!([{"id": 1, "subject": "s", "description": format!("<p>{}<wbr>{}</p>", &body[..5], &body[5..]), "requester_id": 101, "responder_id": 201,
        "created_at": "2026-03-07T08:00:00Z", "conversations": [{"id": 5, "user_id": 201, "body_text": note, "incoming": false, "private": true}]}]);
    let contacts =
        json!([{"id": 101, "name": "Bob", "email": "bob@harbourfinch.example", "job_title": null, "time_zone": "UTC"}]);
    let seen = folder(&[("tickets.json", &tickets.to_string()), ("contacts.json", &contacts.to_string())]);
    assert_eq!(seen.one(&body).by(), "bob@harbourfinch.example");
    assert_eq!((seen.one(&note).by(), seen.one(&note).item().kind), ("201", ItemKind::Comment));
    let issues = json!({"issues": [{"id": 9, "tracker": {"id": 2}, "subject": "s", "done_ratio": 0, "author": {"id": 3, "name": "Alice"}, "description": "now", "created_on": "2011-12-08T09:51:07Z",
        "journals": [{"id": 1, "user": {"id": 24, "name": "Bob"}, "notes": note, "created_on": "2011-12-09T09:51:07Z",
            "details": [{"property": "attr", "name": "description", "old_value": old, "new_value": "now"}]}]}]});
    let user = json!({"user": {"id": 24, "login": "bob", "firstname": "Bob", "lastname": "Tanaka", "mail": "bob@harbourfinch.example", "status": 3}});
    let seen = folder(&[("issues.json", &issues.to_string()), ("user.json", &user.to_string())]);
    assert_eq!(
        (seen.one(&note).by(), seen.one(&note).author().and_then(|who| who.active)),
        ("bob@harbourfinch.example", Some(false))
    );
    // The old text is the reporter's, not that of the one who took it out.
    assert_eq!((seen.one(&old).by(), seen.one(&old).pointer()), ("Alice", "/issues/0/journals/0/details/0/old_value"));
}

#[test]
fn bugzilla_comments_attachments_marks_and_broken_bytes() {
    let (text, quoted, attached, mark) = (token("text"), token("quoted"), token("attached"), token("mark"));
    let data = data_encoding::BASE64.encode(format!("line\n{attached}\n").as_bytes());
    let bugs = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE bugzilla SYSTEM \"x.dtd\"><bugzilla version=\"4.2\" urlbase=\"https://bugs.example/\"><bug><bug_id>7</bug_id>\
         <creation_ts>2002-10-24 05:12:00 -0400</creation_ts><short_desc>s\u{0}\u{1}</short_desc><token>{mark}</token><reporter name=\"Alice\">alice@harbourfinch.example</reporter>\
         <long_desc isprivate=\"0\"><who name=\"Bob\">bob</who><comment_count>2</comment_count><bug_when>2002-10-24 05:12:34 -0400</bug_when>\
         <thetext>(In reply to Alice from comment #1)\n&gt; {quoted}\n\n{text}</thetext></long_desc>\
         <attachment><attachid>3</attachid><date>2002-10-24 06:00 -0400</date><filename>a.txt</filename><attacher>alice@harbourfinch.example</attacher><data encoding=\"base64\">{data}</data></attachment>\
         </bug></bugzilla>"
    );
    let seen = file("bugs.xml", bugs);
    let piece = seen.one(&text);
    assert_eq!(
        (piece.by(), piece.created(), piece.link()),
        ("bob", "2002-10-24T09:12:34Z", "https://bugs.example/show_bug.cgi?id=7#c2")
    );
    assert_eq!(seen.one(&quoted).item().via, Via::Quoted);
    assert_eq!(
        (seen.one(&attached).by(), seen.one(&attached).created()),
        ("alice@harbourfinch.example", "2002-10-24T10:00:00Z")
    );
    assert_eq!((seen.one(&mark).item().kind, seen.one(&mark).by()), (ItemKind::Artefact, ""));
}

#[test]
fn vault_names_who_sent_what() {
    let subject = token("subject");
    let list = format!(
        "<?xml version='1.0'?><Root DataInterchangeType='Update'><Batch name='x'><Documents><Document DocID='d1'><Tags>\
         <Tag TagName='#From' TagDataType='Text' TagValue='Alice Moreau &lt;alice@harbourfinch.example&gt;'/><Tag TagName='#Subject' TagDataType='Text' TagValue='{subject}'/>\
         <Tag TagName='#DateSent' TagDataType='DateTime' TagValue='2022-01-03T10:11:12Z'/></Tags></Document></Documents></Batch></Root>"
    );
    let seen = file("case-metadata.xml", list);
    assert_eq!(
        (seen.one(&subject).by(), seen.one(&subject).created()),
        ("alice@harbourfinch.example", "2022-01-03T10:11:12Z")
    );
}
