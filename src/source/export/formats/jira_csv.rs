//! Jira's CSV export: headers repeat and are localised; a comment's cell is `date;author;text`.

use super::super::dates;
use super::super::known::{Known, list, own, person};
use super::super::out::{Draft, Out, Rec, container};
use super::super::text::wiki;
use super::super::{Format, Input, Peek, table};
use crate::source::{ContainerKind, ItemKind};

pub(super) const FORMAT: Format = Format { id: "jira-csv", claims, learn: None, hand };

/// The key's column in the languages seen; others are told by their cells.
const KEYS: &[&str] = &[
    "Issue key",
    "Work item key",
    "Clave de incidencia",
    "Clave",
    "Vorgangsschlüssel",
    "Schlüssel",
    "Clé de ticket",
    "Clé",
    "Chave da item",
    "Chave",
    "課題キー",
    "キー",
    "Ключ задачи",
    "Ключ",
    "Chiave segnalazione",
    "Chiave ticket",
    "Chiave",
    "项目键",
    "关键字",
    "問題金鑰",
    "Klucz zgłoszenia",
    "Klucz",
    "Issuesleutel",
    "Sleutel",
    "Ärendenyckel",
    "Nyckel",
    "Nøgle",
    "Nøkkel",
    "Saksnøkkel",
    "Avain",
    "Klíč",
    "Kulcs",
    "Anahtar",
    "이슈 키",
    "키",
    "Cheie",
    "Key",
];
const REPORTERS: &[&str] = &[
    "Reporter",
    "Zgłaszający",
    "Informador",
    "Autor",
    "Rapporteur",
    "Relator",
    "報告者",
    "Автор",
    "Richiedente",
    "Segnalatore",
    "报告人",
    "Melder",
    "Rapportör",
    "Rapportør",
    "Raportoija",
    "Ilmoittaja",
    "Zadavatel",
    "Bejelentő",
    "Raporlayan",
    "Bildiren",
    "보고자",
    "回報者",
    "Ініціатор",
    "Raportor",
    "Creator",
    "Creador",
    "Ersteller",
    "Créateur",
    "Criador",
    "作成者",
    "Reporter Id",
    "Creator Id",
    "ID do relator",
    "ID do criador",
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
    "Ambiente",
    "要約",
    "説明",
    "環境",
    "Описание",
    "Тема",
    "Окружение",
    "Riepilogo",
    "Descrizione",
    "概要",
    "描述",
    "环境",
    "摘要",
    "Podsumowanie",
    "Opis",
    "Środowisko",
    "Samenvatting",
    "Beschrijving",
    "Omgeving",
    "Sammanfattning",
    "Beskrivning",
    "Miljö",
    "Opsummering",
    "Sammendrag",
    "Beskrivelse",
    "Miljø",
    "Yhteenveto",
    "Kuvaus",
    "Ympäristö",
    "Souhrn",
    "Popis",
    "Prostředí",
    "Összefoglalás",
    "Leírás",
    "Környezet",
    "Özet",
    "Açıklama",
    "Ortam",
    "요약",
    "설명",
    "환경",
    "Підсумок",
    "Опис",
    "Rezumat",
    "Descriere",
];
const CREATED: &[&str] = &[
    "Created",
    "Creada",
    "Creado",
    "Erstellt",
    "Création",
    "Créée",
    "Criado",
    "作成日",
    "Создано",
    "Creato",
    "创建日期",
    "Utworzono",
    "Aangemaakt",
    "Skapad",
    "Oprettet",
    "Opprettet",
    "Luotu",
    "Vytvořeno",
    "Létrehozva",
    "Oluşturuldu",
    "만듦",
    "생성일",
    "建立日期",
    "Створено",
];
const UPDATED: &[&str] =
    &["Updated", "Actualizada", "Aktualisiert", "Mise à jour", "Atualizado(a)", "更新日", "Обновлено"];

fn claims(peek: &Peek<'_>) -> bool {
    let head = peek.head.trim_start_matches('\u{feff}');
    if head.starts_with(['{', '[', '<']) {
        return false;
    }
    // Of an issue with thousands of comments not even the names of the columns fit.
    let (first, rest) = head.split_once('\n').unwrap_or((head, ""));
    let names: Vec<&str> = first.split([',', ';', '\t']).map(|name| name.trim_matches(['"', '\r', ' '])).collect();
    let key = KEYS[..KEYS.len() - 1].iter().any(|key| names.contains(key));
    let jira = ["Issue id", "Issue Type", "Project key", "Issue key", "Work item id", "Work type"]
        .iter()
        .filter(|name| names.contains(name))
        .count()
        >= 2;
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
        .at(first(CREATED).map(|time| dates::spelled(&time)))
        .edited(first(UPDATED).map(|time| dates::spelled(&time)))
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
                let comment = draft.clone().kind(kind).id(date).by(someone(author)).at(Some(dates::spelled(date)));
                let comment = comment.edited(None);
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
        && date.contains(['/', '-', '.', ' ', '年'])
        && (date.contains(':') || dates::read(date).is_some_and(|date| date.clock.is_some()));
    if dated && author.len() < 200 && !author.contains('\n') {
        return Some((date.trim(), author.trim(), text));
    }
    work(cell)
}

/// `text;date;author;seconds`, as work is logged.
fn work(cell: &str) -> Option<(&str, &str, &str)> {
    let mut parts = cell.rsplitn(4, ';');
    let (seconds, author, date, text) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let timed = !seconds.is_empty() && seconds.len() < 10 && seconds.bytes().all(|b| b.is_ascii_digit());
    let dated = timed && dates::read(date).is_some_and(|date| date.clock.is_some() && date.strange < 10);
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
