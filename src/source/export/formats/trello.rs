//! Trello: a board, or one card, with the newest thousand actions on it.

use serde_json::Value;

use super::super::known::{Known, list, listed, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json};
use crate::source::{ContainerKind, Evidence, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "trello",
    claims: |peek| {
        let board = peek.keys(&["shortLink"])
            && (peek.keys(&["idMemberCreator"]) || peek.keys(&["idBoard"]) || peek.keys(&["idOrganization"]));
        let simple =
            peek.has(&["trello.com/"]) && (peek.keys(&["lists"]) || peek.keys(&["cards"]) || peek.keys(&["idList"]));
        let actions = peek.keys(&["idMemberCreator", "data", "type", "date"]);
        board || simple || actions
    },
    learn: Some(learn),
    hand,
};

const LISTS: &[&str] = &["actions", "cards", "checklists", "comments"];

fn learn(input: &mut Input<'_>, known: &mut Known) -> Result<(), String> {
    json::gather(input.read, LISTS, &mut |found| {
        let value = &found.value;
        match found.key.as_str() {
            "cards" => card(value, known),
            "actions" | "" | "comments" => {
                for name in ["memberCreator", "member"] {
                    member(&value[name], known);
                }
                if let (Some(card), true) = (own(value, "data.card.id"), value["type"] == "createCard") {
                    known.note(format!("by {card}"), own(value, "idMemberCreator").unwrap_or_default());
                }
                if value.get("idBoard").is_some() {
                    card(value, known);
                }
            }
            "." => {
                list(value, "members").for_each(|one| member(one, known));
                let board = if value["board"].is_object() { &value["board"] } else { value };
                let public = value["prefs"]["permissionLevel"] == "public";
                let name = own(board, "name").unwrap_or_default();
                known.note("board", name);
                known.note("public", if public { "yes" } else { "no" });
                if value.get("idBoard").is_some() {
                    card(value, known);
                }
            }
            _ => {}
        }
    })
}

fn member(value: &Value, known: &mut Known) {
    let Some(id) = own(value, "id") else { return };
    let handle = own(value, "username");
    let who = person("trello", Some(id.clone()), handle.clone(), own(value, "email"), own(value, "fullName"));
    if let Some(mut who) = listed(who, value["deactivated"].as_bool().map(|gone| !gone)) {
        if who.email.is_none() && who.handle.is_some() {
            who.evidence = Evidence::E2;
        }
        known.add(&[Some(id), handle], who);
    }
}

fn card(value: &Value, known: &mut Known) {
    if let Some(id) = own(value, "id") {
        let name = own(value, "name").unwrap_or_else(|| id.clone());
        if let Some(link) = own(value, "shortUrl").or_else(|| own(value, "url")) {
            known.note(format!("link {id}"), link);
        }
        known.hold(id.as_str(), container(ContainerKind::Board, id.as_str(), name, false), Vec::new());
    }
}

/// The first eight digits of an id are the second in which it was given.
fn born(id: &str) -> Option<String> {
    let seconds = (id.len() == 24).then(|| i64::from_str_radix(id.get(..8)?, 16).ok())??;
    jiff::Timestamp::from_second(seconds).ok().map(|time| time.to_string())
}

fn draft(known: &Known, card: Option<&str>) -> Draft {
    let board = known.fact("board").unwrap_or("board");
    let id = card.unwrap_or(board);
    let mut of = known.container(id).map_or_else(|| container(ContainerKind::Board, id, id, false), |held| held.0);
    if card.is_some() && of.name != board && !board.is_empty() {
        of.name = format!("{board}/{}", of.name);
    }
    of.public = known.fact("public") == Some("yes");
    let link = known.fact(&format!("link {id}")).map(str::to_owned);
    Draft::new(of, ItemKind::Field, id).link(link)
}

fn who(known: &Known, id: Option<String>) -> Option<PersonRef> {
    known.person("trello", &id?)
}

fn hand(input: &mut Input<'_>, known: &Known, out: &mut Out<'_>) -> Result<(), String> {
    json::gather(input.read, LISTS, &mut |found| {
        let (value, pointer) = (&found.value, found.pointer.as_str());
        let record = Rec::new(value, pointer);
        let is_card = value.get("idList").is_some() || found.key == "cards";
        match found.key.as_str() {
            _ if is_card => one_card(&record, pointer, known, out),
            "actions" | "" | "comments" if value["data"].is_object() => action(&record, pointer, known, out),
            "checklists" => {
                let of = own(value, "idCard");
                let text: Vec<&str> = std::iter::once(record.at("name"))
                    .chain(list(value, "checkItems").map(|item| record.take(&item["name"])))
                    .collect();
                let draft = draft(known, of.as_deref()).id(own(value, "id").unwrap_or_default());
                out.item(draft.clone().pointer(pointer), &text.join("\n"));
                out.rest(draft.pointer(pointer), &record);
            }
            _ => {
                let board = if value["board"].is_object() { &value["board"] } else { value };
                let text = [record.take(&board["name"]), record.take(&board["desc"])].join("\n");
                let draft = draft(known, None).link(own(board, "shortUrl").or_else(|| own(board, "url")));
                let by = who(known, own(board, "idMemberCreator"));
                let first =
                    draft.clone().kind(ItemKind::Description).by(by).at(born(&own(board, "id").unwrap_or_default()));
                out.item(first.pointer(format!("{pointer}/desc")), &text);
                out.rest(draft.pointer(pointer), &record);
            }
        }
    })
}

fn one_card(record: &Rec<'_>, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let value = record.value;
    let id = own(value, "id").unwrap_or_default();
    let draft = draft(known, Some(&id)).id(id.as_str());
    let by = who(known, own(value, "idMemberCreator").or_else(|| known.fact(&format!("by {id}")).map(str::to_owned)));
    let to: Vec<PersonRef> = list(value, "idMembers").filter_map(|one| known.person("trello", one.as_str()?)).collect();
    let text = [record.at("name"), record.at("desc")].join("\n");
    let first = draft.clone().kind(ItemKind::Description).by(by).at(born(&id)).to(to);
    out.item(first.pointer(format!("{pointer}/desc")), &text);
    // Mail to this address writes to the card: the board made it, nobody who worked on the card.
    let artefact = draft.clone().kind(ItemKind::Artefact).via(Via::System);
    out.item(artefact.pointer(format!("{pointer}/email")), record.at("email"));
    for (n, file) in list(value, "attachments").enumerate() {
        let text = [record.take(&file["name"]), record.take(&file["url"]), record.take(&file["fileName"])].join("\n");
        let by = who(known, own(file, "idMember"));
        let draft = draft.clone().kind(ItemKind::File).id(own(file, "id").unwrap_or_default()).by(by);
        out.item(draft.at(when(&file["date"])).pointer(format!("{pointer}/attachments/{n}")), &text);
    }
    for (n, inner) in list(value, "actions").enumerate() {
        let place = format!("{pointer}/actions/{n}");
        if inner["data"].is_object() {
            record.skip(inner);
            action(&Rec::new(inner, &place), &place, known, out);
        }
    }
    out.rest(draft.pointer(pointer), record);
}

fn action(record: &Rec<'_>, pointer: &str, known: &Known, out: &mut Out<'_>) {
    let value = record.value;
    let card = own(value, "data.card.id").or_else(|| own(value, "data.idCard"));
    let id = own(value, "id").unwrap_or_default();
    let mut draft = draft(known, card.as_deref()).id(id.as_str()).at(when(&value["date"]));
    if let (true, Some(short)) = (card.is_some(), own(value, "data.card.shortLink")) {
        draft = draft.link(Some(format!("https://trello.com/c/{short}#comment-{id}")));
    }
    let by = who(known, own(value, "idMemberCreator").or_else(|| own(value, "memberCreator.id")));
    let via = if value["appCreator"].is_object() { Via::Bot } else { Via::Direct };
    let mine = draft.clone().by(by).via(via);
    let comment = mine.clone().kind(ItemKind::Comment).edited(when(&value["data"]["dateLastEdited"]));
    out.item(comment.pointer(format!("{pointer}/data/text")), record.at("data.text"));
    let history = mine.clone().kind(ItemKind::History);
    for name in ["desc", "name", "text"] {
        // The one who changed a text did not write what stood there before; the card's history may say who did.
        let old = record.take(&value["data"]["old"][name]);
        out.item(history.clone().by(None).pointer(format!("{pointer}/data/old/{name}")), old);
    }
    for holder in ["card", "checkItem", "attachment", "board", "customFieldItem"] {
        for name in ["desc", "name", "url"] {
            let text = record.take(&value["data"][holder][name]);
            if name == "desc" || holder == "checkItem" || holder == "attachment" {
                out.item(history.clone().pointer(format!("{pointer}/data/{holder}/{name}")), text);
            }
        }
    }
    record.skip(&value["memberCreator"]);
    record.skip(&value["member"]);
    out.rest(draft.pointer(pointer), record);
}
