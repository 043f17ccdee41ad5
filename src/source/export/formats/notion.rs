//! Notion: pages in Markdown or HTML, databases in CSV. A file's name ends in the 32 digits of the page. Authors are known only
//! where a database has a column for them.

use serde_json::Value;

use super::super::dates;
use super::super::known::{Known, person};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::html;
use super::super::{Format, Input, table};
use crate::source::{ContainerKind, ItemKind, PersonRef};

pub(super) const FORMAT: Format =
    Format { id: "notion", claims: |peek| page(peek.base()).is_some(), learn: None, hand };

/// `Dune b001….md` → title, page id and extension.
fn page(base: &str) -> Option<(&str, &str, &str)> {
    let base = base.rsplit('!').next().unwrap_or(base);
    let (stem, extension) = base.rsplit_once('.')?;
    let stem = stem.strip_suffix("_all").unwrap_or(stem);
    let at = stem.len().checked_sub(32)?;
    let (title, id) = stem.split_at_checked(at)?;
    let known = matches!(extension, "md" | "csv" | "html");
    (known && id.bytes().all(|b| b.is_ascii_hexdigit()))
        .then(|| (title.trim_end_matches([' ', '-', '_']), id, extension))
}

/// Names of properties that hold who made or changed a page, in the languages that Notion speaks; the maker first.
const MAKERS: &[&str] = &[
    "created by",
    "créé par",
    "erstellt von",
    "creado por",
    "criado por",
    "作成者",
    "생성자",
    "创建者",
    "建立者",
    "aangemaakt door",
    "skapad av",
    "oprettet af",
    "opprettet av",
    "luonut",
    "last edited by",
    "dernière modification par",
    "zuletzt bearbeitet von",
    "última edición por",
    "última edição por",
    "最終更新者",
    "최종 편집자",
    "上次编辑者",
];

/// The same for the time.
const TIMES: &[&str] = &[
    "created time",
    "created",
    "date de création",
    "erstellt um",
    "erstellt am",
    "fecha de creación",
    "criado em",
    "作成日時",
    "생성 일시",
    "创建时间",
    "created at",
];

fn who(text: &str) -> Option<PersonRef> {
    let text = text.split(',').next()?.trim();
    let email = text.contains('@').then(|| text.trim_matches(['<', '>']).to_owned());
    let display = email.is_none().then(|| text.to_owned());
    person("notion", None, None, email, display)
}

fn hand(input: &mut Input<'_>, _: &Known, out: &mut Out<'_>) -> Result<(), String> {
    let name = input.name.to_owned();
    let base = name.rsplit('/').next().unwrap_or_default();
    let Some((title, id, extension)) = page(base) else { return Err("the name has no page id".to_owned()) };
    let id = id.to_ascii_lowercase();
    let draft =
        Draft::new(container(ContainerKind::Page, id.as_str(), title, false), ItemKind::Description, id.as_str())
            .link(Some(format!("https://www.notion.so/{id}")));
    if extension == "csv" {
        return table::rows(input.read, &mut |found| {
            let record = Rec::new(&found.value, &found.pointer);
            row(&record, &found.pointer, &draft, out);
        });
    }
    let mut text = String::new();
    let limit = super::super::json::LARGEST as u64;
    let mut raw = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(&mut *input.read, limit), &mut raw)
        .map_err(|error| error.to_string())?;
    text.push_str(&String::from_utf8_lossy(&raw));
    if extension == "html" {
        text = html::decode(&text).replace(":\t", ": ").replace('\t', ": ");
    }
    // Properties stand between the title and the text, a line each.
    let property = |names: &[&str]| {
        names.iter().find_map(|wanted| {
            text.lines().take(60).find_map(|line| {
                let (name, value) = line.split_once(':')?;
                (name.trim().to_lowercase() == *wanted && !value.trim().is_empty()).then(|| value.trim().to_owned())
            })
        })
    };
    let draft =
        draft.by(property(MAKERS).and_then(|text| who(&text))).at(property(TIMES).map(|time| dates::spelled(&time)));
    out.item(draft, &text);
    Ok(())
}

fn row(record: &Rec<'_>, pointer: &str, draft: &Draft, out: &mut Out<'_>) {
    let cells = || record.value.as_object().into_iter().flatten();
    let find = |names: &[&str]| {
        names
            .iter()
            .find_map(|wanted| cells().find(|pair| pair.0.to_lowercase() == *wanted))
            .and_then(|pair| pair.1.as_str())
    };
    let author = find(MAKERS).and_then(who);
    let time = find(TIMES).map(dates::spelled);
    let text: String = cells()
        .flat_map(|(name, value)| match value {
            Value::Array(all) => all.iter().map(|one| (name, one)).collect(),
            one => vec![(name, one)],
        })
        .map(|(name, value)| format!("{name}: {}\n", record.take(value)))
        .collect();
    out.item(draft.clone().kind(ItemKind::Field).id(pointer).by(author).at(time).pointer(pointer), &text);
}
