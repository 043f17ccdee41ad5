//! PDF: the text of each page, what stands in annotations with the name of its author, and the properties.

use std::panic::{AssertUnwindSafe, catch_unwind};

use lopdf::{Dictionary, Document, Object};

use super::super::out::{Draft, Out, container};
use super::office::file_name;
use super::{maker, named, with_out};
use crate::source::content::Wrapped;
use crate::source::{ContainerKind, Coverage, ItemKind, Sink};

/// Most bytes that the content of one page may unpack to.
const PAGE: usize = 32 << 20;

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !wrapped.bytes.trim_ascii_start().starts_with(b"%PDF-") {
        return false;
    }
    with_out(wrapped, sink, account, "pdf", |out| {
        // Odd files make the parser panic; that is one line of the coverage, not the end of the program.
        let parsed = catch_unwind(AssertUnwindSafe(|| Document::load_mem(wrapped.bytes)));
        match parsed {
            Ok(Ok(document)) if document.is_encrypted() => out.fail("", "an encrypted PDF"),
            Ok(Ok(document)) => read(&document, out),
            Ok(Err(error)) => broken(wrapped.bytes, &format!("the PDF is cut off or damaged: {error}"), out),
            Err(_) => broken(wrapped.bytes, "the PDF is damaged in a way that its parser does not bear", out),
        }
    });
    true
}

/// What cannot be parsed is searched as it lies.
fn broken(bytes: &[u8], why: &str, out: &mut Out<'_>) {
    out.fail("", why);
    let shown = file_name(out);
    let of = container(ContainerKind::File, shown.as_str(), shown.as_str(), false);
    let mut text = String::new();
    super::runs(bytes, &mut text);
    out.item(Draft::new(of, ItemKind::Field, ""), &text);
}

fn text_of(dictionary: &Dictionary, key: &[u8]) -> Option<String> {
    let object = dictionary.get(key).ok()?;
    lopdf::decode_text_string(object).ok().filter(|text| !text.trim().is_empty())
}

/// `D:20240102030405+01'00'` → `2024-01-02T03:04:05+01:00`
fn time(text: Option<String>) -> Option<String> {
    let text = text?;
    let digits = text.strip_prefix("D:").unwrap_or(&text);
    let part = |from: usize, to: usize| digits.get(from..to).filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let clock = [part(8, 10), part(10, 12), part(12, 14)].map(|part| part.unwrap_or("00")).join(":");
    let zone = digits.get(14..).unwrap_or_default().trim_end_matches('\'').replace('\'', ":");
    let written = format!("{year}-{month}-{day}T{clock}{}", if zone == "Z" { "+00:00".to_owned() } else { zone });
    Some(written.parse::<jiff::Timestamp>().map_or(written, |time| time.to_string()))
}

fn read(document: &Document, out: &mut Out<'_>) {
    let shown = file_name(out);
    let about = document.trailer.get(b"Info").ok().and_then(|info| match info {
        Object::Reference(id) => document.get_dictionary(*id).ok(),
        Object::Dictionary(inner) => Some(inner),
        _ => None,
    });
    let fact = |key: &[u8]| about.and_then(|about| text_of(about, key));
    let base =
        Draft::new(container(ContainerKind::File, shown.as_str(), shown.as_str(), false), ItemKind::Description, "")
            .by(maker("pdf", fact(b"Author")))
            .at(time(fact(b"CreationDate")))
            .edited(time(fact(b"ModDate")));
    let about: Vec<String> =
        [b"Title".as_slice(), b"Subject", b"Keywords"].iter().filter_map(|key| fact(key)).collect();
    out.item(base.clone().kind(ItemKind::Field).pointer("Info"), &about.join("\n"));
    for (number, page) in document.get_pages() {
        let pointer = format!("page {number}");
        let chunks = catch_unwind(AssertUnwindSafe(|| document.extract_text_chunks_with_limit(&[number], PAGE)));
        match chunks {
            Ok(chunks) => {
                let bad = chunks.iter().filter(|chunk| chunk.is_err()).count();
                let text: String = chunks.into_iter().flatten().collect();
                out.item(base.clone().id(pointer.as_str()).pointer(pointer.as_str()), &text);
                if bad > 0 && text.trim().is_empty() {
                    out.fail(&pointer, "the text of this page cannot be read");
                }
            }
            Err(_) => out.fail(&pointer, "the text of this page cannot be read"),
        }
        for (n, note) in document.get_page_annotations(page).unwrap_or_default().into_iter().enumerate() {
            let who = text_of(note, b"T").and_then(|name| named("pdf", name, None));
            let text: Vec<String> =
                [b"Contents".as_slice(), b"Subj", b"V"].iter().filter_map(|key| text_of(note, key)).collect();
            let when = time(text_of(note, b"M").or_else(|| text_of(note, b"CreationDate")));
            let draft = base.clone().kind(ItemKind::Comment).id(format!("annotation {}", n + 1)).edited(None);
            let draft = if who.is_some() { draft.by(who) } else { draft.by(None) };
            out.item(draft.at(when).pointer(format!("{pointer} annotation {}", n + 1)), &text.join("\n"));
            let link = note.get(b"A").ok().and_then(|action| match action {
                Object::Reference(id) => document.get_dictionary(*id).ok(),
                Object::Dictionary(inner) => Some(inner),
                _ => None,
            });
            if let Some(address) = link.and_then(|link| text_of(link, b"URI")) {
                let draft = base.clone().kind(ItemKind::Field).id("link");
                out.item(draft.pointer(format!("{pointer} annotation {}", n + 1)), &address);
            }
        }
    }
}
