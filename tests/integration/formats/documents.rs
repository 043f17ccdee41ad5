//! Office and OpenDocument files, PDF and databases.

use std::io::Write;

use offkey::source::{Evidence, ItemKind};

use super::{Seen, file, token};

fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    let mut zip = zip::ZipWriter::new(&mut out);
    for (name, content) in parts {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).expect("started");
        zip.write_all(content.as_bytes()).expect("written");
    }
    zip.finish().expect("finished");
    out.into_inner()
}

const CORE: &str = "<cp:coreProperties><dc:creator>Alice Moreau</dc:creator><dcterms:created>2024-01-02T03:04:05Z</dcterms:created></cp:coreProperties>";

fn by<'s>(seen: &'s Seen, text: &str, kind: ItemKind) -> Vec<&'s str> {
    seen.all(text).into_iter().filter(|piece| piece.item().kind == kind).map(|piece| piece.by()).collect()
}

#[test]
fn word_runs_changes_and_comments() {
    let (split, gone, added, said) = (token("split"), token("gone"), token("added"), token("said"));
    let run = |text: &str| format!("<w:r><w:t xml:space=\"preserve\">{text}</w:t></w:r>");
    let body = format!(
        "<?xml version=\"1.0\"?><w:document><w:body><w:p>{}<w:proofErr w:type=\"spellStart\"/>{}</w:p>\
         <w:p>{}<w:del w:id=\"1\" w:author=\"Bob Tanaka\" w:date=\"2024-02-03T04:05:06Z\"><w:r><w:delText>{}</w:delText></w:r><w:r><w:delText>{}</w:delText></w:r></w:del>\
         <w:ins w:id=\"2\" w:author=\"carol@harbourfinch.example\" w:date=\"2024-02-03T04:05:07Z\">{}</w:ins></w:p></w:body></w:document>",
        run(&format!("key {}", &split[..6])),
        run(&split[6..]),
        run(&format!("old={}", &gone[..4])),
        &gone[4..8],
        &gone[8..],
        run(&format!(" new={added}")),
    );
    let comments = format!(
        "<w:comments><w:comment w:id=\"0\" w:author=\"Bob Tanaka\" w:date=\"2024-03-03T00:00:00Z\"><w:p>{}{}</w:p></w:comment></w:comments>",
        run(&said[..5]),
        run(&said[5..])
    );
    let seen = file(
        "keys.docx",
        zipped(&[
            ("[Content_Types].xml", "<Types/>"),
            ("docProps/core.xml", CORE),
            ("word/document.xml", &body),
            ("word/comments.xml", &comments),
            (
                "word/_rels/document.xml.rels",
                &format!(
                    "<Relationships><Relationship Target=\"https://x.example/{said}\" TargetMode=\"External\"/></Relationships>"
                ),
            ),
        ]),
    );
    let piece = &seen.all(&split)[0];
    assert_eq!((piece.by(), piece.author().map(|who| who.evidence)), ("Alice Moreau", Some(Evidence::E4)));
    assert_eq!((piece.pointer(), piece.item().format.as_str()), ("word/document.xml paragraph 1", "office"));
    assert_eq!(by(&seen, &gone, ItemKind::History), ["Bob Tanaka"]);
    assert_eq!(by(&seen, &added, ItemKind::History), ["carol@harbourfinch.example"]);
    assert_eq!(by(&seen, &said, ItemKind::Comment), ["Bob Tanaka"]);
    assert_eq!(seen.all(&gone)[0].created(), "2024-02-03T04:05:06Z");
    assert_eq!(by(&seen, &said, ItemKind::Field).len(), 1);
    assert!(seen.gaps().is_empty(), "{:?}", seen.gaps());
}

#[test]
fn excel_hidden_sheets_shared_strings_and_comments() {
    let (cell, note, thread) = (token("cell"), token("note"), token("thread"));
    let seen = file(
        "keys.xlsx",
        zipped(&[
            ("[Content_Types].xml", "<Types/>"),
            ("docProps/core.xml", CORE),
            (
                "xl/workbook.xml",
                "<workbook><sheets><sheet name=\"secrets\" sheetId=\"1\" state=\"hidden\"/></sheets></workbook>",
            ),
            (
                "xl/sharedStrings.xml",
                &format!(
                    "<sst><si><t>password</t></si><si><r><t>{}</t></r><r><t>{}</t></r></si></sst>",
                    &cell[..5],
                    &cell[5..]
                ),
            ),
            (
                "xl/worksheets/sheet1.xml",
                "<worksheet><sheetData><row r=\"3\"><c r=\"A3\" t=\"s\"><v>0</v></c><c r=\"B3\" t=\"s\"><v>1</v></c></row></sheetData></worksheet>",
            ),
            (
                "xl/comments1.xml",
                &format!(
                    "<comments><authors><author>Bob Tanaka</author></authors><commentList><comment ref=\"B3\" authorId=\"0\"><text><r><t>{note}</t></r></text></comment></commentList></comments>"
                ),
            ),
            (
                "xl/persons/person.xml",
                "<personList><person displayName=\"Carol\" id=\"{1}\" userId=\"S::carol@harbourfinch.example::0\"/></personList>",
            ),
            (
                "xl/threadedComments/threadedComment1.xml",
                &format!(
                    "<ThreadedComments><threadedComment ref=\"A1\" dT=\"2024-01-01T00:00:00Z\" personId=\"{{1}}\"><text>{thread}</text></threadedComment></ThreadedComments>"
                ),
            ),
        ]),
    );
    assert_eq!(seen.one(&cell).text, format!("password\t{cell}"));
    assert_eq!(seen.one(&cell).pointer(), "xl/worksheets/sheet1.xml row 3");
    assert_eq!((seen.one(&note).by(), seen.one(&note).item().kind), ("Bob Tanaka", ItemKind::Comment));
    assert_eq!(
        (seen.one(&thread).by(), seen.one(&thread).created()),
        ("carol@harbourfinch.example", "2024-01-01T00:00:00Z")
    );
}

#[test]
fn powerpoint_notes_and_comments() {
    let (slide, comment) = (token("slide"), token("comment"));
    let seen = file(
        "talk.pptx",
        zipped(&[
            ("[Content_Types].xml", "<Types/>"),
            ("ppt/commentAuthors.xml", "<p:cmAuthorLst><p:cmAuthor id=\"0\" name=\"Bob Tanaka\"/></p:cmAuthorLst>"),
            (
                "ppt/slides/slide1.xml",
                &format!(
                    "<p:sld><a:p><a:r><a:t>{}</a:t></a:r><a:r><a:t>{}</a:t></a:r></a:p></p:sld>",
                    &slide[..5],
                    &slide[5..]
                ),
            ),
            (
                "ppt/comments/comment1.xml",
                &format!(
                    "<p:cmLst><p:cm authorId=\"0\" dt=\"2024-01-01T00:00:00\" idx=\"1\"><p:text>{comment}</p:text></p:cm></p:cmLst>"
                ),
            ),
        ]),
    );
    assert_eq!(seen.one(&slide).pointer(), "ppt/slides/slide1.xml paragraph 1");
    assert_eq!(seen.one(&comment).by(), "Bob Tanaka");
}

#[test]
fn opendocument_annotations_and_changes() {
    let (text, said, gone, added) = (token("text"), token("said"), token("gone"), token("added"));
    let info = |who: &str| {
        format!(
            "<office:change-info><dc:creator>{who}</dc:creator><dc:date>2024-01-01T00:00:00</dc:date></office:change-info>"
        )
    };
    let body = format!(
        "<office:document-content><office:body><office:text><text:tracked-changes>\
         <text:changed-region text:id=\"c1\"><text:deletion>{}<text:p>{gone}</text:p></text:deletion></text:changed-region>\
         <text:changed-region text:id=\"c2\"><text:insertion>{}</text:insertion></text:changed-region></text:tracked-changes>\
         <text:p>{}<text:span>{}</text:span><office:annotation office:name=\"1\"><dc:creator>Bob Tanaka</dc:creator><dc:date>2024-02-01T00:00:00</dc:date><text:p>{said}</text:p></office:annotation></text:p>\
         <text:p>x <text:change-start text:change-id=\"c2\"/>{added}<text:change-end text:change-id=\"c2\"/></text:p></office:text></office:body></office:document-content>",
        info("Carol"),
        info("Bob Tanaka"),
        &text[..5],
        &text[5..]
    );
    let seen = file(
        "keys.odt",
        zipped(&[
            ("mimetype", "application/vnd.oasis.opendocument.text"),
            ("META-INF/manifest.xml", "<m/>"),
            ("content.xml", &body),
            (
                "meta.xml",
                "<office:document-meta><meta:initial-creator>Alice Moreau</meta:initial-creator></office:document-meta>",
            ),
        ]),
    );
    assert_eq!((seen.one(&text).by(), seen.one(&text).item().format.as_str()), ("Alice Moreau", "opendocument"));
    assert_eq!((seen.one(&said).by(), seen.one(&said).created()), ("Bob Tanaka", "2024-02-01T00:00:00"));
    assert_eq!((seen.one(&gone).by(), seen.one(&gone).item().kind), ("Carol", ItemKind::History));
    assert_eq!(by(&seen, &added, ItemKind::History), ["Bob Tanaka"]);
}

#[test]
fn databases_rows_documents_and_what_was_deleted() {
    let (row, nested, deleted) = (token("row"), token("nested"), token("deleted"));
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("app.db");
    let database = rusqlite::Connection::open(&path).expect("opens");
    database.execute_batch("CREATE TABLE \"set\" (name TEXT, value); CREATE TABLE old (value TEXT)").expect("makes");
    database.execute("INSERT INTO \"set\" VALUES ('password', ?1)", [&row]).expect("inserts");
    // A JSON document whose escapes hide the value from a search of the raw bytes.
    let hidden: String = nested.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    database
        .execute("INSERT INTO \"set\" VALUES ('json', ?1)", [format!("{{\"key\": \"{hidden}\"}}")])
        .expect("inserts");
    database.execute("INSERT INTO old VALUES (?1)", [format!("{deleted}{}", " padding".repeat(400))]).expect("inserts");
    database.execute("DELETE FROM old", []).expect("deletes");
    drop(database);
    let seen = super::read(&path);
    assert!(seen.one(&row).text.contains("name: password"), "{}", seen.one(&row).text);
    assert_eq!((seen.one(&row).pointer(), seen.one(&row).item().format.as_str()), ("set row 1", "sqlite"));
    assert!(seen.one(&nested).text.contains(&format!("key: {nested}")));
    assert_eq!(seen.one(&deleted).item().kind, ItemKind::History);
    // A database that is cut off is named, and searched as it lies.
    let bytes = std::fs::read(&path).expect("readable");
    let seen = file("cut.db", &bytes[..bytes.len() - 1000]);
    assert!(!seen.all(&row).is_empty() || !seen.gaps().is_empty());
}

#[cfg(feature = "documents")]
#[test]
fn pdf_pages_and_annotations() {
    use lopdf::{Document, Object, Stream, dictionary};
    let (page_text, note) = (token("page"), token("note"));
    let mut document = Document::with_version("1.5");
    let pages = document.new_object_id();
    let font = document.add_object(dictionary! {"Type" => "Font", "Subtype" => "Type1", "BaseFont" => "Courier"});
    let content = format!("BT /F1 12 Tf 50 700 Td (key {page_text}) Tj ET");
    let content = document.add_object(Stream::new(dictionary! {}, content.into_bytes()));
    let annotation = document
        .add_object(dictionary! {"Type" => "Annot", "Subtype" => "Text", "T" => Object::string_literal("Bob Tanaka"),
        "Contents" => Object::string_literal(note.as_str()), "M" => Object::string_literal("D:20240102030405Z")});
    let page = document.add_object(dictionary! {"Type" => "Page", "Parent" => pages, "Contents" => content, "Annots" => vec![annotation.into()],
        "Resources" => dictionary! {"Font" => dictionary! {"F1" => font}}, "MediaBox" => vec![0.into(), 0.into(), 595.into(), 842.into()]});
    document
        .objects
        .insert(pages, Object::Dictionary(dictionary! {"Type" => "Pages", "Kids" => vec![page.into()], "Count" => 1}));
    let catalog = document.add_object(dictionary! {"Type" => "Catalog", "Pages" => pages});
    let info = document.add_object(dictionary! {"Author" => Object::string_literal("Alice Moreau")});
    document.trailer.set("Root", catalog);
    document.trailer.set("Info", info);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).expect("saves");
    let seen = file("keys.pdf", &bytes);
    assert_eq!((seen.one(&page_text).by(), seen.one(&page_text).pointer()), ("Alice Moreau", "page 1"));
    assert_eq!((seen.one(&note).by(), seen.one(&note).created()), ("Bob Tanaka", "2024-01-02T03:04:05Z"));
    let cut = file("cut.pdf", &bytes[..bytes.len() / 2]);
    assert!(!cut.gaps().is_empty() || !cut.pieces.is_empty(), "half a file is not passed over in silence");
}

/// A document in another wrapping keeps who wrote what.
#[test]
fn a_document_in_a_mail_in_an_archive() {
    let said = token("said");
    let comments = format!(
        "<w:comments><w:comment w:id=\"0\" w:author=\"Bob Tanaka\"><w:p><w:r><w:t>{said}</w:t></w:r></w:p></w:comment></w:comments>"
    );
    let document = zipped(&[("[Content_Types].xml", "<Types/>"), ("word/comments.xml", &comments)]);
    let mail = format!(
        "From: Alice Moreau <alice@harbourfinch.example>\r\nTo: bob@harbourfinch.example\r\nDate: Tue, 2 Jan 2024 03:04:05 +0000\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n--b\r\n\
         Content-Type: application/octet-stream; name=keys.docx\r\nContent-Disposition: attachment; filename=keys.docx\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        data_encoding::BASE64.encode(&document)
    );
    let seen = file("mail.zip", zipped(&[("mail.eml", &mail)]));
    let piece = seen.one(&said);
    assert_eq!(piece.by(), "Bob Tanaka");
    assert_eq!(piece.item().sent_to.first().and_then(|who| who.email.as_deref()), Some("bob@harbourfinch.example"));
}
