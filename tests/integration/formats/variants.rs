//! Formats as other versions, languages and tools write them.

use serde_json::json;

use super::{Seen, file, folder, token};

/// Asserts who wrote a text and when.
fn wrote(seen: &Seen, text: &str, who: &str, time: &str) {
    let all = seen.all(text);
    assert!(!all.is_empty(), "{text} is not found");
    let said: Vec<_> = all.iter().map(|piece| (piece.by(), piece.created())).collect();
    assert!(said.iter().any(|(by, at)| *by == who && at.starts_with(time)), "{text}: {said:?}, not {who} {time}");
    assert!(said.iter().all(|(by, _)| *by == who || by.is_empty()), "{text}: {said:?}");
}

#[test]
fn whatsapp_speaks_many_languages() {
    let key = token("wa");
    let chats = [
        (format!("31.12.23, 23:55 - Ende-zu-Ende\n01.01.24, 09:05 - Alice: {key}\n"), "2024-01-01T09:05:00"),
        (format!("[05/03/2024 à 09:05:01] Alice: {key}\n[06/03/2024 à 09:05:01] Bob: ok\n"), "2024-03-05T09:05:01"),
        (format!("5.3.2024 klo 9.05 - Alice: {key}\n15.3.2024 klo 9.06 - Bob: ok\n"), "2024-03-05T09:05:00"),
        (format!("2024/3/5 下午9:05 - Alice: {key}\n2024/3/6 上午9:06 - Bob: ok\n"), "2024-03-05T21:05:00"),
        (
            format!("2024년 3월 5일 오후 9:05, Alice : {key}\n2024년 3월 6일 오전 9:06, Bob : ok\n"),
            "2024-03-05T21:05:00",
        ),
        (
            format!("\u{200f}٥/٣/٢٠٢٤، ٩:٠٥ م - Alice: {key}\n\u{200f}١٥/٣/٢٠٢٤، ٩:٠٦ ص - Bob: ok\n"),
            "2024-03-05T21:05:00",
        ),
        (format!("09:05, 05/03/2024 - Alice: {key}\n09:06, 15/03/2024 - Bob: ok\n"), "2024-03-05T09:05:00"),
        (format!("5/3/2567 09:05 - Alice: {key}\n15/3/2567 09:06 - Bob: ok\n"), "2024-03-05T09:05:00"),
        (format!("[3/5/24, 9:05:11\u{202f}PM] Alice: {key}\n"), "2024-03-05T21:05:11"),
        (format!("3/5/24, 21:05 - Alice: {key}\n"), "3/5/24, 21:05"),
    ];
    for (text, time) in chats {
        wrote(&file("chat.txt", text), &key, "Alice", time);
    }
    let log =
        file("app.txt", format!("[2024-01-01 10:00:00] local.ERROR: {key}\n[2024-01-01 10:00:01] local.INFO: x\n"));
    assert!(log.one(&key).item.is_none());
}

#[test]
fn telegram_and_discord_as_pages_and_text() {
    let (own, joined, sent_on) = (token("own"), token("joined"), token("fwd"));
    let body = |head: &str, text: &str| {
        format!(
            "<div class=\"body\">\n<div class=\"pull_right date details\" title=\"05.03.2024 09:05:01 UTC+01:00\">\n09:05\n</div>\n{head}<div class=\"text\">\n{text}\n</div>\n</div></div>\n"
        )
    };
    let page = format!(
        "<!DOCTYPE html>\n<html><body><div class=\"page_wrap\">\n<div class=\"page_header\"><div class=\"text bold\">\nOps\n</div></div>\n<div class=\"history\">\n\
         <div class=\"message service\" id=\"message-1\"><div class=\"body details\">5 March 2024</div></div>\n\
         <div class=\"message default clearfix\" id=\"message12\">\n{}<div class=\"message default clearfix joined\" id=\"message13\">\n{}\
         <div class=\"message default clearfix\" id=\"message14\">\n{}",
        body("<div class=\"from_name\">\nAlice \n</div>\n", &format!("<code>{}<wbr>{}</code>", &own[..6], &own[6..])),
        body("", &joined),
        body(
            "<div class=\"from_name\">\nBob\n</div>\n<div class=\"forwarded body\"><div class=\"from_name\">\nCarol <span class=\"date details\" title=\"04.03.2024 08:00:00\"> x</span>\n</div>\n",
            &sent_on
        ),
    );
    let seen = file("messages.html", page);
    assert_eq!(seen.coverage[0].format, "telegram");
    wrote(&seen, &own, "Alice", "2024-03-05T08:05:01Z");
    wrote(&seen, &joined, "Alice", "2024-03-05T08:05:01Z");
    wrote(&seen, &sent_on, "Carol", "2024-03-04T08:00:00");
    assert_eq!(seen.one(&own).item().container.name, "Ops");

    let (first, next, reply) = (token("first"), token("next"), token("reply"));
    let message = |id: u64, inner: &str, text: &str| {
        format!(
            "<div id=chatlog__message-container-{id} class=chatlog__message-container data-message-id={id}>{inner}<div class=\"chatlog__content chatlog__markdown\"><span>{text}</span></div></div>"
        )
    };
    let head = |name: &str| {
        format!(
            "<span class=chatlog__author title={name} data-user-id=1>A name</span> <span class=chatlog__timestamp title=\"x\">5</span>"
        )
    };
    let group = "<div class=chatlog__message-group>";
    let (one, two, three) = (1_214_500_000_000_000_000u64, 1_214_500_000_000_000_001u64, 1_214_500_000_000_000_002u64);
    let page = format!(
        "<!DOCTYPE html><html><div class=preamble></div><div class=chatlog>{group}{}{}</div>{group}{}</div></div></html>",
        message(one, &head("alice"), &format!("{}<strong>{}</strong>", &first[..7], &first[7..])),
        message(two, "", &next),
        message(
            three,
            &format!(
                "<div class=chatlog__reply-author title=alice>A</div><div class=chatlog__reply-content>x</div>{}",
                head("bob")
            ),
            &reply
        ),
    );
    let seen = file("HF - general [901].html", page);
    assert_eq!(seen.coverage[0].format, "discord");
    for (text, who) in [(&first, "alice"), (&next, "alice"), (&reply, "bob")] {
        wrote(&seen, text, who, "2024-03-05T");
    }
    let ruler = "=".repeat(62);
    let text = format!(
        "{ruler}\nGuild: HF\nChannel: Text / general\n{ruler}\n\n[05-Mar-24 09:05 AM] alice#1234\nhello {first}\n\n[05-Mar-24 09:06 PM] bob (pinned)\nsecond\n{next}\n\n\n{ruler}\nExported 2 message(s)\n{ruler}\n"
    );
    let seen = file("general.txt", text);
    wrote(&seen, &first, "alice#1234", "2024-03-05T09:05:00");
    wrote(&seen, &next, "bob", "2024-03-05T21:06:00");
}

#[test]
fn what_is_beside_a_message_is_its_senders() {
    let (name, question, footer) = (token("file"), token("poll"), token("foot"));
    let chat = json!({"name": "Ops", "type": "private_group", "id": 5, "messages": [
        {"id": 3, "type": "message", "date": "2024-03-05T09:06:00", "from": "Bob", "from_id": 4321, "file_name": name, "text": ""},
        {"id": 4, "type": "message", "date": "2024-03-05T09:07:00", "from": "Bob", "from_id": "user4321",
            "poll": {"question": "?", "answers": [{"text": question, "voters": 1}]}, "text": ""}]});
    let seen = file("result.json", chat.to_string());
    wrote(&seen, &name, "Bob", "2024-03-05T09:06");
    wrote(&seen, &question, "Bob", "2024-03-05T09:07");
    let chat = json!({"guild": {"id": "900", "name": "HF"}, "channel": {"id": "901", "type": "GuildTextChat", "name": "general"}, "messages": [
        {"id": "1214500000000000000", "type": "Default", "timestamp": "2024-03-05T09:05:00+01:00", "content": "", "author": {"id": "1", "name": "bob", "discriminator": "0000"},
            "embeds": [{"title": "t", "author": {"name": "n"}, "footer": {"text": footer}}]}]});
    wrote(&file("general.json", chat.to_string()), &footer, "bob", "2024-03-05T08:05");
    // An account's own data: everything is the owner's.
    let own = token("own");
    let seen = folder(&[
        ("messages/c901/messages.json", &json!([{"ID": 1_214_500_000_000_000_000u64, "Timestamp": "2024-03-05 09:05:00", "Contents": own, "Attachments": ""}]).to_string()),
        ("messages/c901/channel.json", &json!({"id": "901", "type": 0, "name": "general", "guild": {"id": "900", "name": "HF"}}).to_string()),
        ("account/user.json", &json!({"id": "1", "username": "alice", "discriminator": 0, "email": "alice@harbourfinch.example"}).to_string()),
    ]);
    wrote(&seen, &own, "alice@harbourfinch.example", "2024-03-05T");
    assert_eq!(seen.one(&own).link(), "https://discord.com/channels/900/901/1214500000000000000");
}

#[test]
fn jira_tables_of_many_languages() {
    let (title, text) = (token("title"), token("comment"));
    let tables = [
        (
            "Zusammenfassung;Schlüssel;ID;Typ;Status;Projekt;Autor;Erstellt;Kommentar;Kommentar",
            ';',
            "05/Mär/24 9:05 AM",
        ),
        (
            "Résumé,Clé de ticket,ID de ticket,Type,État,Projet,Rapporteur,Création,Commentaire,Commentaire",
            ',',
            "05/mars/24 9:05 AM",
        ),
        (
            "要約,課題キー,課題 ID,課題タイプ,ステータス,プロジェクト,報告者,作成日,コメント,コメント",
            ',',
            "2024/03/05 9:05 午前",
        ),
        (
            "Podsumowanie,Klucz zgłoszenia,Id,Typ,Stan,Projekt,Zgłaszający,Utworzono,Komentarz,Komentarz",
            ',',
            "05-03-2024 09:05",
        ),
        ("Resumo,Chave da item,ID,Tipo,Status,Projeto,Relator,Criado,Comentário,Comentário", ',', "05/mar./24 09:05"),
        (
            "Summary,Issue key,Issue id,Issue Type,Status,Project key,Reporter,Created,Comment,Comment",
            ',',
            "05/Mar/24 9:05 AM",
        ),
    ];
    for (head, mark, time) in tables {
        let row = format!("s {title},OPS-1,10001,Bug,Done,OPS,amoreau,{time},\"{time};btanaka;hi; {text}\",")
            .replace(',', &mark.to_string());
        let seen = file("jira.csv", format!("{head}\n{row}\n"));
        assert_eq!(seen.coverage[0].format, "jira-csv", "{head}");
        wrote(&seen, &title, "amoreau", "2024-03-05T09:05:00");
        wrote(&seen, &text, "btanaka", "2024-03-05T09:05:00");
    }
    let table = format!(
        "Summary,Issue key,Issue id,Issue Type,Reporter,Created,Log Work,Log Work\ns,OPS-1,1,Bug,amoreau,05/Mar/24 9:05 AM,did {text};05/Mar/24 9:06 PM;btanaka;3600,\n"
    );
    wrote(&file("jira.csv", table), &text, "btanaka", "2024-03-05T21:06:00");
}

#[test]
fn jira_issues_under_their_keys_and_changes_alone() {
    let (text, change) = (token("text"), token("change"));
    let who = |name: &str| json!({"name": name, "displayName": "x"});
    let issue = json!({"id": "1", "key": "OPS-1", "self": "https://jira.harbourfinch.example/rest/api/2/issue/1",
        "fields": {"summary": text, "reporter": who("amoreau"), "created": "2024-03-05T09:05:00.000+0100"}});
    let seen = file("issues.json", json!({"OPS-1": issue}).to_string());
    wrote(&seen, &text, "amoreau", "2024-03-05T08:05:00Z");
    assert_eq!(seen.one(&text).link(), "https://jira.harbourfinch.example/browse/OPS-1");
    let page = json!({"self": "x", "total": 1, "values": [{"id": "3", "author": who("btanaka"), "created": "2024-03-05T09:09:00.000+0100",
        "items": [{"field": "description", "fromString": "", "toString": change}]}]});
    wrote(&file("changelog.json", page.to_string()), &change, "btanaka", "2024-03-05T08:09:00Z");
}
