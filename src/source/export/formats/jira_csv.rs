//! Jira's CSV export: headers repeat and are localised; a comment's cell is `date;author;text`.

use super::super::known::{Known, list, own, person};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::wiki;
use super::super::{Format, Input, Peek, table};
use crate::source::{ContainerKind, ItemKind};

pub(super) const FORMAT: Format = Format { id: "jira-csv", claims, learn: None, hand };

/// The key's column in the languages seen; others are told by their cells.
const KEYS: &[&str] = &[
    "Issue key",
    "Clave de incidencia",
    "Clave",
    "Vorgangsschlüssel",
    "Schlüssel",
    "Clé de ticket",
    "Clé",
    "Chave da item",
    "Chave",
    "課題キー",
    "Ключ задачи",
    "Chiave segnalazione",
    "项目键",
    "Key",
];
const REPORTERS: &[&str] = &[
    "Reporter",
    "Creator",
    "Reporter Id",
    "Creator Id",
    "Informador",
    "Creador",
    "Autor",
    "Ersteller",
    "Rapporteur",
    "Créateur",
    "Relator",
    "Criador",
    "報告者",
    "作成者",
    "Автор",
    "Richiedente",
    "报告人",
];
const TEXTS: &[&str] = &[
    "Summary",
    "Description",
    "Environment",
    "Resumen",
    "Descripción",
    "Entorno",
    "Zusammenfassung",
    "Beschreibung",
    "Umgebung",
    "Résumé",
    "Environnement",
    "Resumo",
    "Descrição",
    "要約",
    "説明",
    "Описание",
    "Тема",
    "Riepilogo",
    "Descrizione",
    "概要",
    "描述",
];
const CREATED: &[&str] =
    &["Created", "Creada", "Erstellt", "Création", "Créée", "Criado", "作成日", "Создано", "Creato", "创建日期"];

fn claims(peek: &Peek<'_>) -> bool {
    let head = peek.head.trim_start_matches('\u{feff}');
    if head.starts_with(['{', '[', '<']) {
        return false;
    }
    // Of an issue with thousands of comments not even the names of the columns fit.
    let (first, rest) = head.split_once('\n').unwrap_or((head, ""));
    let names: Vec<&str> = first.split([',', ';', '\t']).map(|name| name.trim_matches(['"', '\r', ' '])).collect();
    let key = KEYS[..KEYS.len() - 1].iter().any(|key| names.contains(key));
    let jira =
        ["Issue id", "Issue Type", "Project key", "Issue key"].iter().filter(|name| names.contains(name)).count() >= 2;
    let repeated =
        names.len() > 8 && names.iter().enumerate().any(|(at, name)| !name.is_empty() && names[..at].contains(name));
    let keyed = rest.split([',', ';', '\t', '\n']).take(400).any(|cell| is_key(cell.trim_matches(['"', '\r'])));
    let long = rest.is_empty() && key && names.len() > 500;
    names.len() >= 4 && (keyed || long) && (key || jira || repeated)
}

/// `OPS-12`
fn is_key(cell: &str) -> bool {
    cell.split_once('-').is_some_and(|(project, number)| {
        project.len() >= 2
            && project.starts_with(|c: char| c.is_ascii_uppercase())
            && project.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !number.is_empty()
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

fn hand(input: &mut Input<'_>, _: &Known, out: &mut Out<'_>) -> Result<(), String> {
    table::rows(input.read, &mut |found| {
        let record = Rec::new(&found.value, &found.pointer);
        let Some(row) = found.value.as_object() else { return };
        let first = |names: &[&str]| names.iter().find_map(|name| own(&found.value, name));
        let key = first(KEYS)
            .filter(|key| is_key(key))
            .or_else(|| row.values().filter_map(|v| v.as_str()).find(|cell| is_key(cell)).map(str::to_owned));
        let key = key.unwrap_or_else(|| found.pointer.clone());
        let mut reporter = first(REPORTERS).and_then(|name| someone(&name));
        if let (Some(who), Some(id)) = (reporter.as_mut(), first(&["Reporter Id", "Creator Id"])) {
            who.id = Some(id);
        }
        let draft = Draft::new(
            container(ContainerKind::Issue, key.as_str(), key.as_str(), false),
            ItemKind::Description,
            key.as_str(),
        )
        .by(reporter)
        .at(first(CREATED))
        .link(base(row).filter(|_| is_key(&key)).map(|base| format!("{base}/browse/{key}")));
        for name in TEXTS {
            for cell in list(&found.value, name).filter(|_| row.contains_key(*name)) {
                let text = wiki::decode(record.take(cell));
                out.item(draft.clone().pointer(format!("{} {name}", found.pointer)), &text);
            }
        }
        for (name, cells) in row {
            for cell in cells.as_array().into_iter().flatten().chain((!cells.is_array()).then_some(cells)) {
                let Some((date, author, text)) = parts(cell.as_str().unwrap_or_default()) else { continue };
                record.take(cell);
                // Attachments have four parts, the last of which is a link.
                let file = text.rsplit(';').next().is_some_and(|last| last.starts_with("http"));
                let kind = if file { ItemKind::File } else { ItemKind::Comment };
                let comment = draft.clone().kind(kind).id(date).by(someone(author)).at(Some(date.to_owned()));
                out.item(comment.pointer(format!("{} {name}", found.pointer)), &wiki::decode(text));
            }
        }
        out.rest(draft.by(None).pointer(found.pointer.as_str()), &record);
    })
}

/// The address of the instance, out of the link of an attachment.
fn base(row: &serde_json::Map<String, serde_json::Value>) -> Option<&str> {
    let cells = row.values().flat_map(|cells| cells.as_array().into_iter().flatten().chain(Some(cells)));
    cells.filter_map(serde_json::Value::as_str).find_map(|cell| {
        let link = cell.rsplit(';').next().filter(|link| link.starts_with("http"))?;
        let end = ["/secure/attachment/", "/rest/api/"].iter().find_map(|mark| link.find(mark))?;
        Some(&link[..end])
    })
}

/// `date;author;text`: split at the first two semicolons only, the text may have more.
fn parts(cell: &str) -> Option<(&str, &str, &str)> {
    let (date, rest) = cell.split_once(';')?;
    let (author, text) = rest.split_once(';')?;
    let dated = date.bytes().filter(u8::is_ascii_digit).count() >= 5
        && date.len() < 40
        && date.contains(['/', '-', '.', ' ', '年']);
    (dated && author.len() < 200 && !author.contains('\n')).then_some((date.trim(), author.trim(), text))
}

/// An account id, a login or an address; a name with blanks is only a name.
fn someone(text: &str) -> Option<crate::source::PersonRef> {
    let text = text.trim();
    if text.contains('@') {
        return person("jira", None, None, Some(text.to_owned()), None);
    }
    if text.contains(' ') {
        return person("jira", None, None, None, Some(text.to_owned()));
    }
    let id = text.contains(':') || (text.len() >= 24 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
    let (id, handle) = if id { (Some(text.to_owned()), None) } else { (None, Some(text.to_owned())) };
    person("jira", id, handle, None, None)
}
