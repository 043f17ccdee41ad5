//! Where parsers of exports go wrong: one test for each trap.

use offkey::source::{Evidence, ItemKind, Via};
use serde_json::json;

use super::{Seen, file, folder, token};

fn jira(rows: &str) -> Seen {
    file(
        "entities.xml",
        format!("<?xml version=\"1.0\"?><!-- 1 janvier 2024, Zoé -->\n<entity-engine-xml>{rows}</entity-engine-xml>"),
    )
}

fn confluence(rows: &str) -> Seen {
    file("entities.xml", format!("<?xml version=\"1.0\"?><hibernate-generic datetime=\"x\">{rows}</hibernate-generic>"))
}

#[test]
fn t01_long_values_of_jira_move_from_attributes_to_elements() {
    let (short, long) = (token("short"), token("long"));
    let seen = jira(&format!(
        "<Issue id=\"1\" key=\"HF-1\" reporter=\"alice\" created=\"2024-01-01 00:00:00.0\"/>\
         <Action id=\"2\" issue=\"1\" author=\"alice\" type=\"comment\" body=\"{short}\" created=\"2024-01-01 00:00:00.0\"/>\
         <Action id=\"3\" issue=\"1\" author=\"alice\" type=\"comment\" created=\"2024-01-01 00:00:00.0\"><body><![CDATA[a\n{long}]]></body></Action>"
    ));
    assert_eq!((seen.one(&short).by(), seen.one(&long).by()), ("alice", "alice"));
    assert_eq!(
        (seen.one(&long).item().container.name.as_str(), seen.one(&long).item().kind),
        ("HF-1", ItemKind::Comment)
    );
}

#[test]
fn t02_a_renamed_user_of_jira_is_found_by_key() {
    let secret = token("renamed");
    let seen = jira(&format!(
        "<Action id=\"2\" issue=\"1\" author=\"alice\" type=\"comment\" body=\"{secret}\"/>\
         <ApplicationUser id=\"9\" userKey=\"alice\" lowerUserName=\"amoreau\"/><ApplicationUser id=\"10\" userKey=\"JIRAUSER10\" lowerUserName=\"alice\"/>\
         <User id=\"1\" lowerUserName=\"amoreau\" emailAddress=\"alice@harbourfinch.example\" active=\"0\"/>\
         <User id=\"2\" lowerUserName=\"alice\" emailAddress=\"other@harbourfinch.example\" active=\"1\"/>"
    ));
    let who = seen.one(&secret).author().expect("an author");
    assert_eq!(
        (who.email.as_deref(), who.active, who.evidence),
        (Some("alice@harbourfinch.example"), Some(false), Evidence::E1)
    );
}

#[test]
fn t03_a_removed_user_keeps_the_handle_and_an_anonymous_one_has_none() {
    let (gone, nobody) = (token("gone"), token("nobody"));
    let seen = jira(&format!(
        "<Action id=\"2\" issue=\"1\" author=\"removed_user\" type=\"comment\" body=\"{gone}\"/><Action id=\"3\" issue=\"1\" type=\"comment\" body=\"{nobody}\"/>"
    ));
    let who = seen.one(&gone).author().expect("not dropped");
    assert_eq!((who.handle.as_deref(), who.email.as_deref()), (Some("removed_user"), None));
    assert_eq!(seen.one(&nobody).author(), None);
}

#[test]
fn t04_what_jira_itself_made_is_nobodys() {
    let (hash, mark) = (token("hash"), token("remember"));
    let seen = jira(&format!(
        "<User id=\"1\" lowerUserName=\"alice\" emailAddress=\"alice@harbourfinch.example\" credential=\"{{PKCS5S2}}{hash}\"/><RememberMeToken id=\"1\" token=\"{mark}\" username=\"alice\"/>"
    ));
    for secret in [&hash, &mark] {
        assert_eq!((seen.one(secret).item().kind, seen.one(secret).author()), (ItemKind::Artefact, None));
    }
}

#[test]
fn t05_the_change_that_took_a_value_out_is_not_its_author() {
    let old = token("old");
    let seen = jira(&format!(
        "<Issue id=\"1\" key=\"HF-1\" reporter=\"alice\"/><ChangeGroup id=\"5\" issue=\"1\" author=\"bob\" created=\"2024-01-01 00:00:00.0\"/>\
         <ChangeItem id=\"6\" group=\"5\" field=\"description\" oldstring=\"{old}\" newstring=\"gone\"/>"
    ));
    assert_eq!(seen.one(&old).item().kind, ItemKind::History);
    assert_ne!(seen.one(&old).by(), "bob");
}

#[test]
fn t06_control_characters_do_not_stop_a_parser() {
    let secret = token("after");
    let seen = jira(&format!(
        "<Action id=\"2\" issue=\"1\" author=\"alice\" body=\"a\u{2}\u{8}&#x1c;\u{2028} & b\"/><Action id=\"3\" issue=\"1\" author=\"alice\" body=\"{secret}\"/>"
    ));
    assert_eq!(seen.one(&secret).by(), "alice");
}

#[test]
fn t07_a_code_block_of_confluence_inside_of_a_section_of_xml() {
    let (code, after) = (token("code"), token("after"));
    let seen = confluence(&format!(
        "<object class=\"BodyContent\" package=\"p\"><id name=\"id\">7</id><property name=\"body\"><![CDATA[<ac:structured-macro ac:name=\"code\"><ac:plain-text-body><![CDATA[if (a[b[0]] >1)\n{code}]] ></ac:plain-text-body></ac:structured-macro><p>{after}</p>]]></property>\
         <property name=\"bodyType\">2</property><property name=\"content\" class=\"Page\" package=\"p\"><id name=\"id\">3</id></property></object>\
         <object class=\"Page\" package=\"p\"><id name=\"id\">3</id><property name=\"title\">Keys</property><property name=\"creator\" class=\"ConfluenceUserImpl\" package=\"p\"><id name=\"key\">k1</id></property></object>\
         <object class=\"ConfluenceUserImpl\" package=\"p\"><id name=\"key\">k1</id><property name=\"name\">alice@harbourfinch.example</property></object>"
    ));
    for secret in [&code, &after] {
        let piece = seen.one(secret);
        assert_eq!((piece.by(), piece.item().container.name.as_str()), ("alice@harbourfinch.example", "Keys"));
    }
}

#[test]
fn t08_columns_of_a_table_repeat_and_cells_hold_everything() {
    let (first, second) = (token("first"), token("second"));
    let seen = file(
        "jira.csv",
        format!(
            "\u{feff}Summary,Issue key,Issue id,Issue Type,Comment,Comment\ns,HF-1,1,Bug,\"01/Jan/24 1:00 AM;5f1;a, \"\"b\"\";c\n{first}\",\"02/Jan/24 1:00 AM;5f2;x;{second}\"\n"
        ),
    );
    assert_eq!((seen.one(&first).by(), seen.one(&second).by()), ("5f1", "5f2"));
    assert!(seen.one(&first).text.contains("a, \"b\";c\n"), "{}", seen.one(&first).text);
}

#[test]
fn t09_escapes_and_links_of_markup_part_tokens() {
    let (escaped, linked) = (format!("{}_x-y", token("esc")), token("link"));
    let issue = json!({"key": "HF-1", "self": "https://jira.example/rest/api/3/issue/1", "fields": {"reporter": {"displayName": "Alice", "emailAddress": "alice@harbourfinch.example"},
        "environment": escaped.replace('_', "\\_").replace('-', "\\-"),
        "description": {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": &linked[..5]},
            {"type": "text", "text": &linked[5..], "marks": [{"type": "link", "attrs": {"href": "https://x.example"}}]}]}]}}});
    let seen = file("issue.json", issue.to_string());
    for secret in [&escaped, &linked] {
        let piece = seen.one(secret);
        assert_eq!((piece.by(), piece.link()), ("alice@harbourfinch.example", "https://jira.example/browse/HF-1"));
    }
}

#[test]
fn t10_breaks_inside_of_mail_are_undone() {
    let (soft, packed) = (token(&"soft".repeat(20)), token(&"packed".repeat(20)));
    let base = data_encoding::BASE64.encode(format!("key {packed}\n").as_bytes());
    let folded: Vec<&str> = base.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).expect("text")).collect();
    let mail = format!(
        "From: =?utf-8?q?Alice_Moreau?= <alice@harbourfinch.example>\r\nTo: Bob <bob@harbourfinch.example>\r\nDate: Tue, 2 Jan 2024 03:04:05 +0100\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nkey =3D {}=\r\n{}\r\n--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        &soft[..30],
        &soft[30..],
        folded.join("\r\n")
    );
    let seen = file("mail.eml", mail);
    let piece = seen.one(&soft);
    assert_eq!((piece.by(), piece.created()), ("alice@harbourfinch.example", "2024-01-02T02:04:05Z"));
    assert_eq!(piece.author().map(|who| who.evidence), Some(Evidence::E0));
    assert_eq!(piece.item().sent_to[0].email.as_deref(), Some("bob@harbourfinch.example"));
    assert_eq!(seen.one(&packed).by(), "alice@harbourfinch.example");
}

#[test]
fn t11_quoted_text_is_not_the_senders() {
    let (own, quoted) = (token("own"), token("quoted"));
    let seen = file(
        "mail.eml",
        format!(
            "From: alice@harbourfinch.example\nTo: bob@harbourfinch.example\nDate: Tue, 2 Jan 2024 03:04:05 +0000\nSubject: x\n\n{own}\n\nOn Mon, Jan 1, 2024, Bob Tanaka <bob@harbourfinch.example> wrote:\n> {quoted}\n"
        ),
    );
    assert_eq!(seen.one(&own).by(), "alice@harbourfinch.example");
    assert_eq!((seen.one(&quoted).by(), seen.one(&quoted).item().via), ("bob@harbourfinch.example", Via::Quoted));
}

#[test]
fn t12_an_entity_bomb_and_endless_nesting_cost_nothing() {
    let secret = token("after");
    let bomb = format!(
        "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY a \"ha\">{}]><entity-engine-xml><Action id=\"1\" body=\"&x9;{secret}\" author=\"alice\"/></entity-engine-xml>",
        (0..10)
            .map(|n| format!("<!ENTITY x{n} \"{}\">", format!("&x{};", n.max(1) - 1).repeat(10)))
            .collect::<String>()
    );
    assert_eq!(file("bomb.xml", bomb).one(&secret).by(), "alice");
    let deep = format!("{{\"cells\": [{{\"cell_type\": \"code\", \"source\": \"{secret}\"}}, {}", "[".repeat(10_000));
    let seen = file("deep.ipynb", deep);
    assert!(!seen.all(&secret).is_empty(), "what came before the break is searched");
    assert!(!seen.gaps().is_empty(), "the break is named");
}

#[test]
fn t13_a_file_that_is_cut_off_is_searched_as_far_as_it_goes() {
    let secret = token("whole");
    let whole = json!({"guild": {"id": "7"}, "channel": {"id": "8", "name": "g"}, "dateRange": {}, "messages": [
        {"id": "1", "content": secret, "author": {"id": "3", "name": "alice"}, "timestamp": "2024-01-01T00:00:00Z"}, {"id": "2", "content": "cut", "author": {"id": "3"}}]}).to_string();
    let seen = file("cut.json", &whole[..whole.len() - 20]);
    assert!(seen.all(&secret).iter().any(|piece| piece.item.is_some() && piece.by() == "alice"));
    assert!(seen.gaps().iter().any(|gap| gap.contains("cut off")), "{:?}", seen.gaps());
}

#[test]
fn t14_two_people_of_one_name_are_not_merged() {
    let secret = token("same");
    let user = |id: &str| {
        format!(
            "<sys_user><sys_id>{id}</sys_id><user_name>{id}</user_name><name>Alex Doe</name><email>{id}@harbourfinch.example</email></sys_user>"
        )
    };
    let seen = file(
        "x.xml",
        format!(
            "<unload>{}{}<incident><number>INC1</number><sys_id>s</sys_id><work_notes>2024-01-02 10:00:00 - Alex Doe (Work notes)\n{secret}\n</work_notes></incident></unload>",
            user("a1"),
            user("a2")
        ),
    );
    let who = seen.one(&secret).author().expect("an author");
    assert_eq!((who.email.as_deref(), who.display.as_deref(), who.evidence), (None, Some("Alex Doe"), Evidence::E3));
}

#[test]
fn t15_an_export_beside_other_files_and_in_an_archive() {
    let (inside, beside) = (token("inside"), token("beside"));
    let chat = json!({"name": "Ops", "type": "private_group", "id": 2, "messages": [{"id": 1, "type": "message", "date": "2024-01-01T00:00:00", "from": "Alice", "from_id": "user1", "text": inside, "text_entities": []}]});
    let seen = folder(&[("backup/result.json", &chat.to_string()), ("notes.txt", &format!("plain {beside}\n"))]);
    assert_eq!(seen.one(&inside).by(), "Alice");
    assert!(seen.one(&beside).item.is_none(), "a file of its own has no author");
}

#[test]
fn findings_in_exports_carry_their_place_in_the_file() {
    use offkey::detect::{Detector, Options, run};
    let token = format!("{}{}", concat!("glpat", "-"), "Xy7Kq2Lm9Pz4Rw8Tn3Vb");
    let issue = |key: &str, text: &str| {
        format!(
            "  {{\n   \"key\": \"{key}\",\n   \"fields\": {{\"summary\": \"x\", \"description\": \"{text}\"}}\n  }}"
        )
    };
    let filler = "{\n\"deep\": [1,\n2]\n}".repeat(5000);
    let mail = |text: &str| {
        format!(
            "From bob@harbourfinch.example Mon Jan  1 00:00:00 2024\nFrom: Bob <bob@harbourfinch.example>\nTo: a@harbourfinch.example\nSubject: x\n\nhello\n{text}\n\n"
        )
    };
    let filled = serde_json::to_string(&filler).expect("written");
    let files = [
        (
            "issues.json",
            format!(
                "{{\n \"startAt\": 0,\n \"issues\": [\n{},\n{}\n ]\n}}\n",
                issue("OPS-1", "no"),
                issue("OPS-2", &token)
            ),
        ),
        (
            "issues.csv",
            format!(
                "Issue key,Issue id,Summary,Comment\nOPS-1,1,x,\"01/Jan/24 1:00 AM;u7;two\nlines\"\nOPS-2,2,x,\"01/Jan/24 1:00 AM;u7;{token}\"\n"
            ),
        ),
        (
            "entities.xml",
            format!(
                "<?xml version=\"1.0\"?>\n<entity-engine-xml>\n<Issue id=\"1\" key=\"OPS-1\">\n<description><![CDATA[a\nb]]></description>\n</Issue>\n<Action id=\"2\" issue=\"1\" type=\"comment\"\n body=\"{token}\"/>\n</entity-engine-xml>\n"
            ),
        ),
        ("box.mbox", format!("{}{}", mail("no"), mail(&token))),
        (
            "issues.ndjson",
            format!(
                "{{\"iid\": 1, \"title\": \"x\", \"description\": \"no\", \"author_id\": 7, \"notes\": [], \"state\": {filled}}}\n{{\"iid\": 2, \"title\": \"x\", \"description\": \"{token}\", \"author_id\": 7, \"notes\": []}}\n"
            ),
        ),
    ];
    let said = |text: &str| json!({"type": "message", "user": "U1", "ts": "1700000000.000100", "text": text});
    let line = |text: &str| json!({"t": 0, "ts": 1, "id": "C0OPS", "n": 1, "m": [said("no"), said(text)]}).to_string();
    let dump =
        json!({"channel_id": "C0OPS", "name": "ops", "messages": [said("no"), said(&format!("say \"{token}\""))]});
    let dumps = [
        ("C0OPS.jsonl", format!("{}\n{}\n", line("no"), line(&format!("a\n\"b\": {token}")))),
        ("C0OPS.json", serde_json::to_string_pretty(&dump).expect("written")),
    ];
    let detector = Detector::new(offkey::rule::RuleSet::builtin(), Vec::new(), Options::default())
        .expect("built-in rules compile");
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files.into_iter().chain(dumps) {
        let path = dir.path().join(name);
        std::fs::write(&path, &text).expect("written");
        let before = &text[..text.find(&token).expect("the token")];
        let line = before.matches('\n').count() as u32 + 1;
        let column = (before.len() - before.rfind('\n').map_or(0, |last| last + 1)) as u32;
        let place = ((line, line), (column, column + token.len() as u32));
        let sources = offkey::source::open(&path, &offkey::source::OpenOptions::default()).expect("readable");
        let (hits, coverage) = run(&detector, &sources, &offkey::source::Progress::default(), None).expect("read");
        assert_ne!(coverage[0].format, "files", "{name}");
        let theirs = hits.iter().filter(|hit| hit.found.secret.expose() == token.as_bytes());
        let places: Vec<_> = theirs.map(|hit| (hit.lines, hit.columns)).collect();
        assert!(!places.is_empty() && places.iter().all(|one| *one == place), "{name}: {places:?} and not {place:?}");
    }
}

#[test]
fn ids_of_a_confluence_export_are_no_credentials_and_what_it_made_is_nobodys() {
    let (key, hash) = ("8a8e1ff3".repeat(4), "x61Ey612Kl2gpFL5".repeat(4));
    let seen = confluence(&format!(
        r#"<object class="DefaultHibernateUser"><id name="id">9</id><property name="name">bob</property><property name="password">{hash}</property>
        <property name="email">bob@harbourfinch.example</property><property name="fullName">Bob Tanaka</property></object>
        <object class="ConfluenceUserImpl"><id name="key">{key}</id><property name="name">bob</property></object>
        <object class="ConfluenceRememberMeToken"><id name="id">3</id><property name="username">bob</property><property name="token">{hash}</property></object>
        <object class="Page"><id name="id">7</id><property name="title">Notes</property><property name="creator" class="ConfluenceUserImpl"><id name="key">{key}</id></property>
        <property name="creationDate">2024-01-31 10:11:12.345</property></object>
        <object class="BodyContent"><id name="id">8</id><property name="content" class="Page"><id name="id">7</id></property><property name="bodyType">2</property>
        <property name="body">&lt;p&gt;the {}&lt;/p&gt;</property></object>"#,
        token("note")
    ));
    assert!(seen.all(&key).is_empty(), "the key of a user is searched as text");
    assert!(seen.all(&hash).len() == 2 && seen.all(&hash).iter().all(|piece| piece.item().kind == ItemKind::Artefact));
    let piece = seen.one(&token("note"));
    assert_eq!((piece.by(), piece.created()), ("bob@harbourfinch.example", "2024-01-31 10:11:12.345"));
    assert_eq!(piece.item().container.name, "Notes");
}

#[test]
fn values_of_a_jira_backup_stand_beside_the_names_that_other_elements_give_them() {
    let seen = jira(&format!(
        r#"<CustomField id="10001" name="Deploy token"/><OSPropertyEntry id="55" propertyKey="smtp.password"/>
        <Issue id="1" key="OPS-1" reporter="bob"/><CustomFieldValue id="3" issue="1" customfield="10001" stringvalue="{}"/>
        <OSPropertyString id="55" value="{}"/>"#,
        token("field"),
        token("property")
    ));
    let field = seen.one(&token("field"));
    assert_eq!(
        (field.text.trim(), &*field.item().container.name),
        (&*format!("Deploy token: {}", token("field")), "OPS-1")
    );
    let property = seen.one(&token("property"));
    assert_eq!(
        (property.text.trim(), property.item().kind),
        (&*format!("smtp.password: {}", token("property")), ItemKind::Artefact)
    );
    assert!(seen.all("smtp.password").len() == 1);
}

#[test]
fn a_token_of_the_exporters_session_is_nobodys() {
    let session = token("session");
    let page = format!(
        r#"{{"key": "OPS-1", "self": "https://jira.harbourfinch.example/rest/api/2/issue/1", "fields": {{"reporter": {{"name": "bob"}}, "summary": "Disk"}},
        "operations": {{"linkGroups": [{{"links": [{{"href": "/secure/Vote.jspa?atl_token={session}&id=1"}}]}}]}}}}"#
    );
    let piece = file("issue.json", page);
    let piece = piece.one(&session);
    assert_eq!((piece.item().kind, piece.author().is_none()), (ItemKind::Artefact, true));
}

#[test]
fn nothing_beside_the_parts_of_a_mail_is_lost_and_lengths_may_be_wrong() {
    let mail = |length: i64, inside: &str| {
        format!(
            "From - \nFrom: Bob <bob@harbourfinch.example>\nSubject: x\nContent-Type: multipart/mixed; boundary=\"b\"\nContent-Length: {length}\n\n\
            before {inside}\n--b\nContent-Type: text/plain\n\nhello {inside}\n--b--\nbehind {inside}\n"
        )
    };
    // The body is longer than the header says, and the next message follows without a blank line.
    let text = format!(
        "{}{}From - \nFrom: Alice <alice@harbourfinch.example>\nSubject: y\n\n{}\n",
        mail(40, &token("one")),
        mail(9, &token("two")),
        token("last")
    );
    let seen = file("box.mbox", text);
    assert_eq!(seen.one(&token("last")).by(), "alice@harbourfinch.example");
    for name in ["one", "two"] {
        let all = seen.all(&token(name));
        let said = |word: &str| {
            all.iter().find(|piece| piece.text.contains(&format!("{word} {}", token(name)))).map(|piece| piece.by())
        };
        assert_eq!(
            (said("before"), said("hello"), said("behind")),
            (Some(""), Some("bob@harbourfinch.example"), Some("")),
            "{name}"
        );
    }
}
