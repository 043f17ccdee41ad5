//! Small inputs of every kind that the fuzzer starts from; made when they are needed.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::json;

/// A small export.
pub(crate) struct Seed {
    /// Name of the file.
    pub(crate) name: &'static str,
    /// The target that reads it, or for [`of`] the format that `any_format` takes it for.
    target: &'static str,
    pub(crate) content: Vec<u8>,
}

fn seed(name: &'static str, target: &'static str, content: impl Into<Vec<u8>>) -> Seed {
    Seed { name, target, content: content.into() }
}

/// A small export of each format.
pub(crate) fn exports() -> Vec<Seed> {
    let who =
        json!({"id": 7, "login": "bob", "name": "bob", "accountId": "u7", "emailAddress": "bob@harbourfinch.example"});
    let jira = json!({"issues": [{"key": "OPS-1", "fields": {"summary": "x", "reporter": who, "description": {"type": "doc", "content": [{"type": "paragraph", "content": [{"type": "text", "text": "pw"}]}]},
        "comment": {"total": 1, "comments": [{"author": who, "body": "{code}pw{code}", "created": "2024-01-01T00:00:00.000+0000"}]}},
        "changelog": {"histories": [{"author": who, "items": [{"field": "description", "fromString": "old", "toString": "new"}]}]}}]});
    let github = json!([{"number": 1, "title": "x", "body": "pw", "user": who, "html_url": "https://github.com/o/r/issues/1", "created_at": "2024-01-01T00:00:00Z", "comments": 0}]);
    let gitlab = json!({"iid": 1, "title": "x", "description": "pw", "author_id": 7, "notes": [{"note": "pw", "author_id": 7, "author": {"name": "Bob"}, "system": false}]});
    let day = json!([{"type": "message", "user": "U1", "ts": "1700000000.000100", "text": "<http://x|y> &amp;", "blocks": [{"type": "rich_text", "elements": []}]}]);
    let chunk = json!({"t": 0, "ts": 1_700_000_000, "id": "C1", "m": day});
    let dump = json!({"channel_id": "C1", "name": "x", "messages": day});
    let har = json!({"log": {"entries": [{"request": {"url": "https://x/?t=1", "headers": [], "cookies": []}, "response": {"content": {"text": "cHc=", "encoding": "base64"}}}]}});
    let book = json!({"cells": [{"cell_type": "code", "source": ["pw"], "outputs": [{"text": "x"}], "metadata": {}}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    let board = json!({"name": "b", "lists": [], "cards": [{"id": "5f0000000000000000000000", "name": "c", "desc": "pw", "shortLink": "abc", "idBoard": "1"}], "actions": [{"type": "commentCard", "data": {"text": "pw", "card": {"id": "1"}}, "memberCreator": {"id": "m", "username": "bob"}, "date": "2024-01-01T00:00:00Z"}]});
    let postman = json!({"info": {"_postman_id": "1", "name": "x", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"}, "item": [{"name": "r", "request": {"url": "https://x", "auth": {"type": "bearer"}}}]});
    let jira_xml = "<?xml version=\"1.0\"?><entity-engine-xml><Issue id=\"1\" key=\"OPS-1\" reporter=\"bob\"><description><![CDATA[pw]]></description></Issue><Action id=\"2\" issue=\"1\" type=\"comment\" author=\"bob\" body=\"x\"/></entity-engine-xml>";
    let wiki = "<?xml version=\"1.0\"?><hibernate-generic><object class=\"Page\" package=\"x\"><id name=\"id\">1</id><property name=\"title\"><![CDATA[t]]></property></object><object class=\"BodyContent\" package=\"x\"><id name=\"id\">2</id><property name=\"body\"><![CDATA[<p>pw</p>]] ></property><property name=\"content\" class=\"Page\" package=\"x\"><id name=\"id\">1</id></property></object></hibernate-generic>";
    let rss = "<?xml version=\"1.0\"?><rss version=\"0.92\"><channel><title>x</title><item><title>[OPS-1]</title><key id=\"1\">OPS-1</key><description>&lt;p&gt;pw&lt;/p&gt;</description><reporter username=\"bob\">Bob</reporter><comments><comment id=\"1\" author=\"bob\" created=\"Mon, 1 Jan 2024 00:00:00 +0000\">x</comment></comments></item></channel></rss>";
    let csv = "Issue key,Summary,Reporter,Comment,Comment\nOPS-1,x,bob,\"01/Jan/24 1:00 AM;u7;pw; more\",\n";
    let mail = "From bob@harbourfinch.example Mon Jan  1 00:00:00 2024\nFrom: Bob <bob@harbourfinch.example>\nTo: a@harbourfinch.example\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nSubject: =?utf-8?Q?x?=\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\npw=3D=\n1\n> quoted\n--b\nContent-Type: text/html\n\n<p>p<wbr>w</p>\n--b--\n";
    vec![
        seed("jira.json", "jira_json", jira.to_string()),
        seed("github.json", "github", github.to_string()),
        seed("issues.ndjson", "gitlab", format!("{gitlab}\n{gitlab}\n")),
        seed("day.json", "slack_day", day.to_string()),
        seed("chunk.jsonl", "slack_chunks", format!("{chunk}\n{chunk}\n")),
        seed("dump.json", "slack_dump", dump.to_string()),
        seed("traffic.har", "har", har.to_string()),
        seed("book.ipynb", "ipynb", book.to_string()),
        seed("board.json", "trello", board.to_string()),
        seed("collection.json", "postman", postman.to_string()),
        seed("jira.xml", "jira_xml", jira_xml),
        seed("wiki.xml", "confluence", wiki),
        seed("rss.xml", "jira-rss", rss),
        seed("issues.csv", "jira_csv", csv),
        seed("box.mbox", "mail", mail),
        seed("lines.json", "json-enumerator", "{\"metadata\":{\"author\":\"bob\"},\"data\":\"pw\"}\n"),
        seed(
            "job.log",
            "ci-log",
            "2024-05-22T12:43:46.9626460Z 00O \u{1b}[36;1mpw\u{1b}[0m\n2024-05-22T12:43:47.0000000Z 00O+ more\nsection_start:1560896352:build\r\u{1b}[0Kx\n2024-05-22T12:43:48.0000000Z end\n",
        ),
        seed(
            "messages.html",
            "telegram",
            "<!DOCTYPE html>\n<div class=\"page_wrap\"><div class=\"history\">\n<div class=\"message default clearfix\" id=\"message12\">\n<div class=\"pull_right date details\" title=\"05.03.2024 09:05:01 UTC+01:00\">\n09:05\n</div>\n<div class=\"from_name\">\nBob\n</div>\n<div class=\"text\">\np<wbr>w\n</div>\n</div>\n",
        ),
        seed(
            "general.html",
            "discord",
            "<!DOCTYPE html><div class=chatlog><div class=chatlog__message-group><div id=chatlog__message-container-12 class=chatlog__message-container data-message-id=1214500000000000000><span class=chatlog__author title=bob data-user-id=1>B</span><span class=chatlog__timestamp title=\"x\">5</span><div class=chatlog__content>pw</div></div></div></div>",
        ),
        seed("chat.txt", "whatsapp", "12/9/20, 23:55 - Bob: pw\nmore\n12/9/20, 23:56 - Alice: ok\n"),
    ]
}

/// The seeds of a target.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    let exports = exports();
    match target {
        "any_format" => {
            let formats = offkey::source::formats();
            let number = |format: &str| formats.iter().position(|one| *one == format).expect("a format") as u8;
            let others = exports.into_iter().filter(|one| !one.target.contains('_') && formats.contains(&one.target));
            others.map(|one| [&[number(one.target)][..], &one.content].concat()).collect()
        }
        "mail" => {
            let mbox = exports.into_iter().find(|one| one.target == "mail").expect("a mailbox").content;
            let forwarded = "From: a@harbourfinch.example\nSubject: x\nContent-Type: message/rfc822\n\nFrom: b@harbourfinch.example\nContent-Transfer-Encoding: base64\n\ncHcgPSAx\n";
            vec![mbox, forwarded.into()]
        }
        "mapped_json" => vec![
            b"[{\"body\": \"pw\", \"user\": {\"login\": \"bob\"}, \"at\": 1700000000}]".to_vec(),
            b"{\"body\": \"pw\", \"room\": \"ops\"}\n{\"body\": [\"x\"]}\n".to_vec(),
        ],
        "mapped_csv" => vec![b"\xef\xbb\xbfbody,mail,at\n\"a \"\"b\"\"\nc\",bob@harbourfinch.example,1\nx;y\n".to_vec()],
        "mapped_xml" => vec![b"<?xml version=\"1.0\"?><list><row body=\"a &amp; b\"><at>1</at></row><row><body><![CDATA[pw]]></body></row></list>".to_vec()],
        "archive" => archives(),
        "document" => documents(),
        "encoded" => encoded(),
        "pack" => vec![packed()],
        "delta" => vec![deltas()],
        _ => exports.into_iter().filter(|one| one.target == target).map(|one| one.content).collect(),
    }
}

fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("started");
        zip.write_all(content.as_bytes()).expect("written");
    }
    zip.finish().expect("finished").into_inner()
}

fn archives() -> Vec<Vec<u8>> {
    let inner = "key = value of some length\n".repeat(20);
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(inner.len() as u64);
    tar.append_data(&mut header, "a.txt", inner.as_bytes()).expect("appended");
    let tar = tar.into_inner().expect("finished");
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gz.write_all(&tar).expect("written");
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(inner.as_bytes()).expect("written");
    let mut ar = b"!<arch>\n".to_vec();
    ar.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "control/", 0, 0, 0, 644, inner.len()).bytes());
    ar.extend(inner.bytes());
    let mut xz = Vec::new();
    lzma_rs::xz_compress(&mut inner.as_bytes(), &mut xz).expect("written");
    let cpio = [format!("070701{}", "0".repeat(104)), "x\0\0\0".to_owned()].concat();
    let zip = zipped(&[("a.txt", &inner), ("deep/b.json", "{\"a\": 1}")]);
    vec![zip, tar, gz.finish().expect("finished"), bz.finish().expect("finished"), ar, xz, cpio.into()]
}

fn documents() -> Vec<Vec<u8>> {
    let word = "<w:document><w:body><w:p><w:r><w:t>pw</w:t></w:r><w:del w:author=\"Bob\"><w:r><w:delText>old</w:delText></w:r></w:del></w:p></w:body></w:document>";
    let comments =
        "<w:comments><w:comment w:author=\"Bob\"><w:p><w:r><w:t>said</w:t></w:r></w:p></w:comment></w:comments>";
    let docx =
        zipped(&[("[Content_Types].xml", "<Types/>"), ("word/document.xml", word), ("word/comments.xml", comments)]);
    let sheet = "<worksheet><sheetData><row r=\"1\"><c r=\"A1\" t=\"s\"><v>0</v></c></row></sheetData></worksheet>";
    let xlsx = zipped(&[
        ("[Content_Types].xml", "<Types/>"),
        ("xl/workbook.xml", "<workbook/>"),
        ("xl/sharedStrings.xml", "<sst><si><t>pw</t></si></sst>"),
        ("xl/worksheets/sheet1.xml", sheet),
    ]);
    let odt = zipped(&[
        ("mimetype", "application/vnd.oasis.opendocument.text"),
        (
            "content.xml",
            "<office:document-content><text:p>pw<office:annotation><dc:creator>Bob</dc:creator><text:p>x</text:p></office:annotation></text:p></office:document-content>",
        ),
    ]);
    let pdf = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n4 0 obj<</Length 30>>stream\nBT /F 9 Tf (pw = 1) Tj ET\nendstream endobj\n5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Courier>>endobj\ntrailer<</Root 1 0 R/Size 6>>\n%%EOF\n";
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("base.sqlite");
    let base = rusqlite::Connection::open(&path).expect("a database");
    base.execute_batch("CREATE TABLE t(id INTEGER, body TEXT); INSERT INTO t VALUES(1, 'pw'), (2, '{\"a\": 1}');")
        .expect("made");
    drop(base);
    vec![docx, xlsx, odt, pdf.into(), std::fs::read(path).expect("readable")]
}

fn encoded() -> Vec<Vec<u8>> {
    let text = "password: a long value that nobody knows, 1234567890";
    let base64 = data_encoding::BASE64.encode(text.as_bytes());
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let lines: Vec<&str> = (0..base64.len()).step_by(20).map(|at| &base64[at..base64.len().min(at + 20)]).collect();
    let hex = data_encoding::HEXLOWER.encode(base64.as_bytes());
    vec![
        format!("key: {base64}\nother: {hex}\n").into(),
        lines.join("\r\n").into(),
        utf16,
        utf32,
        text.replace('a', "%61").replace('e', "\\u0065").into(),
    ]
}

/// A real pack of a small history behind its index.
fn packed() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(folder.path()).args(["-c", "init.defaultBranch=main"]).args(arguments);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        command
    };
    assert!(git(&["init", "-q", "--bare", "."]).status().expect("git runs").success());
    let mut import = git(&["fast-import", "--quiet"]).stdin(Stdio::piped()).spawn().expect("git runs");
    let mut stream = import.stdin.take().expect("a pipe");
    let lines: Vec<String> = (0..40).map(|n| format!("line {n} of a file\n")).collect();
    for round in 0..4 {
        let text = [&lines[..10 * round], &["a new line\n".to_owned()], &lines[10 * round..]].concat().concat();
        let commit = format!("committer A <a@harbourfinch.example> {} +0000\ndata 1\nr\n", 1_700_000_000 + round);
        write!(stream, "commit refs/heads/main\n{commit}M 100644 inline f\ndata {}\n{text}\n", text.len())
            .expect("git reads");
    }
    drop(stream);
    assert!(import.wait().expect("git ends").success());
    assert!(git(&["repack", "-q", "-adf"]).status().expect("git runs").success());
    let mut files: Vec<_> = std::fs::read_dir(folder.path().join("objects/pack"))
        .expect("readable")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let of =
        |ending: &str| files.iter().find(|path| path.extension().is_some_and(|last| last == ending)).expect("a pack");
    let index = std::fs::read(of("idx")).expect("readable");
    let pack = std::fs::read(of("pack")).expect("readable");
    [&(index.len() as u32).to_be_bytes()[..], &index, &pack].concat()
}

/// A blob and deltas of it: copies, inserted bytes, one that reaches outside of its base.
fn deltas() -> Vec<u8> {
    let object =
        |kind: u8, content: &[u8]| [&[kind, (content.len() >> 8) as u8, content.len() as u8][..], content].concat();
    let blob = "0123456789abcdef".repeat(16);
    let copy = [&[0x80, 2, 38, 0x90, 32, 6][..], b"secret"].concat();
    let again = [&[38, 44, 0x90, 38, 6][..], b"insert"].concat();
    let outside = [0x80, 2, 16, 0x91, 250, 16];
    let commit = "tree 0007070707070707070707070707070707070707\nauthor A <a@harbourfinch.example> 1 +0000\n\nx";
    [
        object(3, blob.as_bytes()),
        object(6, &copy),
        object(6, &again),
        object(6, &outside),
        object(7, &[&[0][..], &copy].concat()),
        object(1, commit.as_bytes()),
    ]
    .concat()
}
