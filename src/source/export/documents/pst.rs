//! Outlook's mail stores: folders of messages with sender, addressees and text. Attachments are named, not opened.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;

use outlook_pst::ltp::prop_context::PropertyValue;
use outlook_pst::ltp::table_context::TableContext;
use outlook_pst::messaging::folder::Folder;
use outlook_pst::messaging::message::Message;
use outlook_pst::messaging::store::{AnsiStore, Store, UnicodeStore};
use outlook_pst::ndb::node_id::NodeId;
use outlook_pst::{AnsiPstFile, UnicodePstFile};

use super::super::formats::quoted;
use super::super::known::person;
use super::super::out::{Draft, Out, container};
use super::super::text::{html, merged};
use super::with_out;
use crate::source::content::{self, Wrapped};
use crate::source::{ContainerKind, Coverage, ItemKind, PersonRef, Provenance, Sink, Via};

pub(super) const MAGIC: &[u8] = b"!BDN";

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !wrapped.bytes.starts_with(MAGIC) {
        return false;
    }
    with_out(wrapped, sink, account, "pst", |out| {
        let bytes = || Box::new(Cursor::new(wrapped.bytes.to_vec()));
        guarded(out, || match UnicodePstFile::read_from(bytes()) {
            Ok(file) => UnicodeStore::read(Rc::new(file)).map(|store| store as Rc<dyn Store>),
            Err(_) => AnsiStore::read(Rc::new(AnsiPstFile::read_from(bytes())?)).map(|store| store as Rc<dyn Store>),
        });
    });
    true
}

/// A store too large for memory.
pub(super) fn large(path: &Path, provenance: &Provenance, sink: &dyn Sink, account: &mut Coverage) {
    let shown = content::place(provenance);
    let mut out = Out { sink, coverage: account, shown: &shown, format: "pst", outer: None };
    guarded(&mut out, || outlook_pst::open_store(path));
}

/// Odd stores make the parser panic; that is one line of the coverage, not the end of the program.
fn guarded(out: &mut Out<'_>, open: impl FnOnce() -> std::io::Result<Rc<dyn Store>>) {
    let done = catch_unwind(AssertUnwindSafe(|| -> std::io::Result<()> {
        let store = open()?;
        let root = store.properties().ipm_sub_tree_entry_id()?;
        let top = store.open_folder(&root)?;
        folder(&store, &top, "", 0, out)
    }));
    match done {
        Ok(Ok(())) => {}
        Ok(Err(error)) => out.fail("", format!("not all of this mail store could be read: {error}")),
        Err(_) => out.fail("", "this mail store is damaged in a way that its parser does not bear"),
    }
}

fn folder(
    store: &Rc<dyn Store>,
    folder: &Rc<dyn Folder>,
    above: &str,
    depth: usize,
    out: &mut Out<'_>,
) -> std::io::Result<()> {
    let name = folder.properties().display_name().unwrap_or_default();
    let path = if above.is_empty() { name } else { format!("{above}/{name}") };
    for row in folder.contents_table().into_iter().flat_map(|table| table.rows_matrix()) {
        let id = u32::from(row.id());
        let entry = store.properties().make_entry_id(NodeId::from(id))?;
        match store.open_message(&entry, None) {
            Ok(one) => message(one.as_ref(), &path, id, out),
            Err(error) => out.fail(&format!("{path} message {id}"), error.to_string()),
        }
    }
    for row in folder.hierarchy_table().into_iter().flat_map(|table| table.rows_matrix()) {
        let entry = store.properties().make_entry_id(NodeId::from(u32::from(row.id())))?;
        match store.open_folder(&entry) {
            Ok(inner) if depth < 60 => self::folder(store, &inner, &path, depth + 1, out)?,
            Ok(_) => out.fail(&path, "folders nested too deep"),
            Err(error) => out.fail(&path, error.to_string()),
        }
    }
    Ok(())
}

fn text(value: Option<&PropertyValue>) -> Option<String> {
    let text = match value? {
        PropertyValue::Unicode(text) => text.to_string(),
        PropertyValue::String8(bytes) => encoding_rs::WINDOWS_1252.decode(bytes.buffer()).0.into_owned(),
        PropertyValue::Binary(bytes) => String::from_utf8_lossy(bytes.buffer()).into_owned(),
        _ => return None,
    };
    Some(text.trim_matches('\0').to_owned()).filter(|text| !text.trim().is_empty())
}

/// Hundreds of nanoseconds since 1601.
fn time(value: Option<&PropertyValue>) -> Option<String> {
    let PropertyValue::Time(ticks) = value? else { return None };
    let seconds = ticks / 10_000_000 - 11_644_473_600;
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

/// Inside a company an address is a distinguished name, which is a handle and no e-mail.
fn who(mail: Option<String>, other: Option<String>, name: Option<String>) -> Option<PersonRef> {
    let email = mail.filter(|mail| mail.contains('@')).or_else(|| other.clone().filter(|other| other.contains('@')));
    let handle = other.filter(|other| !other.contains('@'));
    person("mail", None, handle, email, name)
}

fn recipients(table: &Rc<dyn TableContext>) -> Vec<PersonRef> {
    let context = table.context();
    let mut all = Vec::new();
    for row in table.rows_matrix() {
        let Ok(cells) = row.columns(context) else { continue };
        let cell = |id: u16| {
            let (column, value) = context.columns().iter().zip(&cells).find(|pair| pair.0.prop_id() == id)?;
            text(table.read_column(value.as_ref()?, column.prop_type()).ok().as_ref())
        };
        all.extend(who(cell(0x39FE), cell(0x3003), cell(0x3001)));
    }
    all
}

fn message(one: &dyn Message, path: &str, id: u32, out: &mut Out<'_>) {
    let properties = one.properties();
    let get = |id: u16| properties.get(id);
    let headers = text(get(0x007D)).unwrap_or_default();
    let header = |name: &str| {
        headers.lines().find_map(|line| {
            line.get(..name.len()).filter(|lead| lead.eq_ignore_ascii_case(name)).map(|_| &line[name.len()..])
        })
    };
    let mut author = who(
        text(get(0x5D02)).or_else(|| text(get(0x5D01))),
        text(get(0x0065)).or_else(|| text(get(0x0C1F))),
        text(get(0x0042)).or_else(|| text(get(0x0C1A))),
    );
    if author.as_ref().is_none_or(|author| author.email.is_none())
        && let Some(from) = header("From:").and_then(quoted::address)
    {
        author = Some(from);
    }
    let name = text(get(0x1035)).unwrap_or_else(|| format!("message {id}"));
    let draft = Draft::new(container(ContainerKind::Mailbox, path, path, false), ItemKind::Message, name)
        .by(author)
        .at(time(get(0x0039)).or_else(|| time(get(0x0E06))).or_else(|| time(get(0x3007))))
        .to(one.recipient_table().map(recipients).unwrap_or_default())
        .pointer(format!("{path} message {id}"));
    // The first two characters of a subject may say where its prefix ends.
    let subject = text(get(0x0037)).unwrap_or_default();
    let subject = if subject.starts_with('\u{1}') { subject.chars().skip(2).collect() } else { subject };
    let rich = text(get(0x1013)).map(|rich| html::decode(&rich)).unwrap_or_default();
    let body = merged(text(get(0x1000)).unwrap_or_default(), &rich);
    for piece in quoted::pieces(&format!("{subject}\n{body}")) {
        let draft = draft.clone();
        let draft = if piece.quoted { draft.by(piece.author).via(Via::Quoted).to(Vec::new()) } else { draft };
        out.item(draft, &piece.text);
    }
    out.item(draft.clone().kind(ItemKind::Field).by(None).pointer(format!("{path} message {id} headers")), &headers);
    // Tasks, contacts and appointments keep their words in other properties.
    let others: Vec<String> = properties
        .iter()
        .filter(|pair| !matches!(*pair.0, 0x0037 | 0x1000 | 0x1013 | 0x007D | 0x1009))
        .filter(|pair| matches!(pair.1, PropertyValue::Unicode(_) | PropertyValue::String8(_)))
        .filter_map(|pair| text(Some(pair.1)))
        .collect();
    out.item(
        draft.clone().kind(ItemKind::Field).by(None).pointer(format!("{path} message {id} properties")),
        &others.join("\n"),
    );
    if body.is_empty() && get(0x1009).is_some() {
        out.fail(&format!("{path} message {id}"), "its text is in compressed RTF only, which is not read");
    }
    let attached = one.attachment_table().map_or(0, |table| table.rows_matrix().count());
    if attached > 0 {
        out.fail(&format!("{path} message {id}"), format!("{attached} attachments are not opened"));
    }
}
