//! Bad input of every kind costs one line of the coverage; what lies beside it is read.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::{Seen, read, token};

/// Reads a folder with one bad file and a good one.
fn beside(name: &str, content: &[u8]) -> Seen {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join(name), content).expect("written");
    std::fs::write(dir.path().join("zz-good.txt"), token("good")).expect("written");
    let seen = read(dir.path());
    seen.one(&token("good"));
    // The same file named by itself.
    read(&dir.path().join(name));
    seen
}

fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let mut zip = zip::ZipWriter::new(&mut out);
    zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("started");
    zip.write_all(content).expect("written");
    zip.finish().expect("finished");
    out.into_inner()
}

#[test]
fn nesting_of_ten_thousand_levels_is_bounded() {
    let deep = 10_000;
    let issue =
        |inside: &str| format!(r#"{{"issues":[{{"key":"OPS-1","fields":{{"summary":"x","description":{inside}}}}}]}}"#);
    let nested = |open: &str, close: &str| format!("{}{}{}", open.repeat(deep), token("core"), close.repeat(deep));
    let mail = |body: &str| {
        format!(
            "From: bob@harbourfinch.example\nTo: a@harbourfinch.example\nSubject: x\nContent-Type: text/html\n\n{body}"
        )
    };
    let mut parts = String::from("From: bob@harbourfinch.example\nTo: a@harbourfinch.example\nSubject: x\n");
    for level in 0..deep {
        parts.push_str(&format!("Content-Type: multipart/mixed; boundary=b{level}\n\n--b{level}\n"));
    }
    let files: &[(&str, String)] = &[
        ("lists.json", nested("[", "]").replace(&token("core"), "1")),
        ("objects.json", format!("{}1{}", "{\"a\":".repeat(deep), "}".repeat(deep))),
        ("issue.json", issue(&format!("{}1{}", "[".repeat(deep), "]".repeat(deep)))),
        ("adf.json", issue(&format!("{}null{}", r#"{"type":"doc","content":["#.repeat(deep), "]}".repeat(deep)))),
        ("tree.xml", nested("<a>", "</a>")),
        (
            "jira.xml",
            format!("<?xml version=\"1.0\"?><entity-engine-xml>{}</entity-engine-xml>", nested("<Issue>", "</Issue>")),
        ),
        (
            "page.xml",
            format!(
                "<?xml version=\"1.0\"?><hibernate-generic>{}</hibernate-generic>",
                nested("<object>", "</object>")
            ),
        ),
        ("html.eml", mail(&nested("<div>", "</div>"))),
        ("quoted.eml", mail(&format!("{} {}", ">".repeat(deep), token("core")))),
        ("parts.eml", parts),
        ("book.ipynb", format!(r#"{{"cells":{}{},"nbformat":4}}"#, "[".repeat(deep), "]".repeat(deep))),
    ];
    for (name, content) in files {
        let seen = beside(name, content.as_bytes());
        assert!(seen.coverage.iter().all(|part| part.documents > 0), "{name}");
    }
}

#[test]
fn truncated_exports_are_searched_to_the_end() {
    let issue =
        json!({"key": "OPS-1", "fields": {"summary": "x", "description": token("first"), "reporter": {"name": "bob"}}});
    let whole = json!({"expand": "x", "startAt": 0, "issues": [issue, issue]}).to_string();
    let cut = whole[..whole.len() - 12].replacen(&token("first"), &token("kept"), 1);
    let seen = beside("issues.json", cut.as_bytes());
    assert!(!seen.all(&token("kept")).is_empty());
    assert!(!seen.all(&token("first")).is_empty(), "the half record is searched, too");
    assert!(seen.gaps().iter().any(|gap| gap.contains("issues.json")), "{:?}", seen.gaps());
}

#[test]
fn encrypted_archives_are_gaps_and_no_successes() {
    let mut zip = zipped("secret.txt", b"nothing to see");
    let central = zip.windows(4).rposition(|four| four == b"PK\x01\x02").expect("a list");
    zip[6] |= 1;
    zip[central + 8] |= 1;
    let seen = beside("locked.zip", &zip);
    assert!(seen.coverage.iter().any(offkey::source::Coverage::is_partial));
    assert!(seen.gaps().iter().any(|gap| gap.contains("encrypted")), "{:?}", seen.gaps());
}

#[test]
fn links_out_of_the_tree_are_not_followed() {
    let dir = tempfile::tempdir().expect("a folder");
    let (inside, outside) = (dir.path().join("in"), dir.path().join("out.txt"));
    std::fs::create_dir(&inside).expect("a folder");
    std::fs::write(&outside, token("outside")).expect("written");
    std::os::unix::fs::symlink(&outside, inside.join("link.txt")).expect("a link");
    std::os::unix::fs::symlink(&inside, inside.join("loop")).expect("a link");
    std::fs::write(inside.join("good.txt"), token("good")).expect("written");
    let seen = read(&inside);
    assert!(seen.all(&token("outside")).is_empty());
    seen.one(&token("good"));
    assert_eq!(seen.gaps().iter().filter(|gap| gap.contains("symbolic link")).count(), 2);
}

#[test]
fn links_in_archives_are_not_followed() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "evil", "/etc/passwd").expect("appended");
    let mut header = tar::Header::new_ustar();
    let text = token("member");
    header.set_size(text.len() as u64);
    tar.append_data(&mut header, "good.txt", text.as_bytes()).expect("appended");
    let seen = beside("links.tar", &tar.into_inner().expect("finished"));
    seen.one(&token("member"));
    assert!(seen.all("root:").is_empty());
}

#[test]
fn entities_are_not_expanded() {
    let mut bomb = String::from("<?xml version=\"1.0\"?><!DOCTYPE x [<!ENTITY a \"aaaaaaaaaa\">");
    for level in b'b'..=b'z' {
        let (this, before) = (char::from(level), char::from(level - 1));
        bomb.push_str(&format!("<!ENTITY {this} \"{}\">", format!("&{before};").repeat(10)));
    }
    bomb.push_str("<!ENTITY f SYSTEM \"file:///etc/passwd\">]><entity-engine-xml>");
    bomb.push_str(&format!(
        "<Issue id=\"1\" key=\"OPS-1\" description=\"&z;&f;{}\"/></entity-engine-xml>",
        token("core")
    ));
    let seen = beside("entities.xml", bomb.as_bytes());
    assert!(!seen.all(&token("core")).is_empty());
    assert!(seen.all("root:").is_empty());
    assert!(seen.pieces.iter().map(|piece| piece.text.len()).sum::<usize>() < 100_000, "nothing is expanded");
}

#[test]
fn tables_of_thousands_of_columns_and_bad_bytes_are_read() {
    let header = format!("Issue key,Summary,Reporter{}\n", ",Comment".repeat(2_258));
    let row = format!("OPS-1,x,bob{}\n", format!(",\"01/Jan/24 1:00 AM;557058:u7;{}\"", token("cell")).repeat(2_258));
    let seen = beside("issues.csv", format!("{header}{row}").as_bytes());
    assert!(seen.all(&token("cell")).len() >= 2_000, "{}", seen.all(&token("cell")).len());

    let mut xml = format!("<?xml version=\"1.0\"?><entity-engine-xml><Action id=\"1\" issue=\"2\" type=\"comment\" author=\"bob\" body=\"{} ", token("control")).into_bytes();
    xml.extend([0x02, 0x08, 0x1c, 0xe2, 0x80, 0xa8, 0xff]);
    xml.extend(b" end\"/></entity-engine-xml>");
    assert!(!beside("entities.xml", &xml).all(&token("control")).is_empty());
}

#[test]
fn broken_mime_is_searched() {
    let text = format!(
        "From: bob@harbourfinch.example\nTo: a@harbourfinch.example\nSubject: =?utf-8?B?broken\nContent-Type: multipart/mixed; boundary=\"x\n\n--x\nContent-Transfer-Encoding: base64\n\n!!!!\n--y\n{}\n",
        token("mime")
    );
    assert!(!beside("message.eml", text.as_bytes()).all(&token("mime")).is_empty());
}

#[test]
fn a_folder_that_cannot_be_read_is_a_gap() {
    let error = offkey::source::open(Path::new("no/such/place"), &offkey::source::OpenOptions::default());
    assert!(error.is_err_and(|error| error.to_string().contains("no/such/place")));
}
