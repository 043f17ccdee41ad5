//! Chats: Teams, Google Chat, Mattermost and others.

use offkey::source::{ContainerKind, Evidence, ItemKind, Via};
use serde_json::json;

use super::{folder, token};

/// A message of the data export of Teams, as the export writes it.
fn teams(id: &str, from: &str, html: &str, chat: Option<&str>) -> serde_json::Value {
    let channel = if chat.is_none() { json!({"ChannelId": "19:c@thread.tacv2", "TeamId": "t1"}) } else { json!(null) };
    json!({"Id": id, "Body": {"ContentType": "html", "Content": html}, "CreatedDateTime": "2025-08-05T13:14:17.36+00:00",
        "LastEditedDateTime": null, "Subject": "", "ReplyToId": null, "WebUrl": chat.map_or(json!("https://teams.microsoft.com/l/message/1"), |_| json!(null)),
        "From": {"Application": null, "User": {"Id": from, "DisplayName": "somebody"}}, "Attachments": [], "MessageType": "message",
        "ChannelIdentity": channel, "ChatId": chat, "EventDetail": null})
}

#[test]
fn teams_authors_copies_quotes_and_code() {
    let (code, copied, forwarded, gone) = (token("code"), token("copy"), token("fwd"), token("gone"));
    let html = format!("<pre><code><span class=\"hljs-attr\">{}</span>{}<br>next</code></pre>", &code[..6], &code[6..]);
    let mut carrier = teams("3", "u1", "see below", None);
    let original = json!({"originalMessageId": "9", "originalMessageContent": format!("<p>{forwarded}</p>"),
        "originalMessageSender": {"user": {"id": "u2", "displayName": "Bob"}}});
    carrier["Attachments"] =
        json!([{"Id": "9", "ContentType": "forwardedMessageReference", "Content": original.to_string()}]);
    let dm = "19:u1_u2@unq.gbl.spaces";
    let chat = json!([teams("7", "u2", &copied, Some(dm))]).to_string();
    let channel = json!([teams("1", "u1", &html, None), carrier, teams("4", "u3", &gone, None)]).to_string();
    let people = json!([{"Id": "u1", "Mail": "alice@harbourfinch.example", "UserPrincipalName": "alice@harbourfinch.example", "DisplayName": "Alice"},
        {"Id": "u2", "Mail": null, "UserPrincipalName": format!("{}bob@harbourfinch.example", "0a".repeat(16)), "DisplayName": "Bob"}]);
    let channels = json!([{"Id": "19:c@thread.tacv2", "DisplayName": "General", "MembershipType": "standard"}]);
    let seen = folder(&[
        ("users/usersList.json", &people.to_string()),
        (
            "teams/teamsList.json",
            &json!([{"Id": "t1", "DisplayName": "Platform", "Visibility": "private"}]).to_string(),
        ),
        ("teams/t1/channels_t1.json", &channels.to_string()),
        ("teams/t1/messages_t1.json", &channel),
        ("users/u1/messages_u1.json", &chat),
        ("users/u2/messages_u2.json", &chat),
    ]);
    let piece = seen.one(&code);
    assert_eq!((piece.by(), piece.item().container.name.as_str()), ("alice@harbourfinch.example", "Platform/General"));
    assert_eq!(piece.author().map(|who| who.evidence), Some(Evidence::E1));
    assert!(
        piece.text.contains(&format!("{code}\nnext")) && piece.link().starts_with("https://teams"),
        "{}",
        piece.text
    );
    assert_eq!(piece.pointer(), "/0/Body/Content");
    // One copy of a direct message, by its writer and not by the folder's owner; an account that was deleted.
    let piece = seen.one(&copied);
    assert_eq!((piece.by(), piece.item().container.kind), ("bob@harbourfinch.example", ContainerKind::Dm));
    assert_eq!(piece.author().and_then(|who| who.active), Some(false));
    assert_eq!(piece.item().sent_to[0].email.as_deref(), Some("alice@harbourfinch.example"));
    let piece = seen.one(&forwarded);
    assert_eq!((piece.by(), piece.item().via), ("bob@harbourfinch.example", Via::Forwarded));
    // Whom no list names is not dropped.
    assert_eq!(seen.one(&gone).author().and_then(|who| who.id.as_deref()), Some("u3"));
    assert!(seen.gaps().is_empty(), "{:?}", seen.gaps());
}

#[test]
fn teams_by_graph_and_mail_by_graph() {
    let secret = token("graph");
    let page = json!({"@odata.context": "x", "value": [{"id": "1", "createdDateTime": "2024-01-02T03:04:05Z", "messageType": "message",
        "body": {"contentType": "html", "content": format!("<div>{}<wbr>{}</div>", &secret[..5], &secret[5..])},
        "from": {"application": null, "user": {"id": "u1", "displayName": "Alice"}}, "chatId": "19:x@thread.v2", "webUrl": "https://teams.microsoft.com/l/1"}]});
    let members = json!({"value": [{"userId": "u1", "email": "alice@harbourfinch.example", "displayName": "Alice", "roles": []}]});
    let seen = folder(&[("messages.json", &page.to_string()), ("members.json", &members.to_string())]);
    let piece = seen.one(&secret);
    assert_eq!((piece.by(), piece.created()), ("alice@harbourfinch.example", "2024-01-02T03:04:05Z"));
}

#[test]
fn google_chat_has_the_address_on_the_message() {
    let (secret, quoted) = (token("space"), token("quote"));
    let messages = json!({"messages": [{"creator": {"name": "Alice", "email": "alice@harbourfinch.example", "user_type": "Human"},
        "created_date": "Monday, January 3, 2022 at 10:11:12\u{202f}PM UTC", "text": format!("key {secret}"), "topic_id": "T", "message_id": "S/T/M",
        "quoted_message_metadata": {"creator": {"name": "Bob", "email": "bob@harbourfinch.example"}, "text": quoted}}]});
    let info = json!({"name": "Ops", "members": [{"name": "Alice", "email": "alice@harbourfinch.example", "user_type": "Human"},
        {"name": "Bob", "email": "bob@harbourfinch.example", "user_type": "Human"}]});
    let base = "Takeout/Google Chat/Groups/Space AAAA";
    let seen = folder(&[
        (&format!("{base}/messages.json"), &messages.to_string()),
        (&format!("{base}/group_info.json"), &info.to_string()),
    ]);
    let piece = seen.one(&secret);
    assert_eq!((piece.by(), piece.created()), ("alice@harbourfinch.example", "2022-01-03T22:11:12Z"));
    assert_eq!(piece.author().map(|who| who.evidence), Some(Evidence::E0));
    assert_eq!((piece.link(), piece.item().readers.len()), ("https://chat.google.com/room/S/T/M", 2));
    assert_eq!((piece.item().container.name.as_str(), piece.item().kind), ("Ops", ItemKind::Message));
    assert_eq!((seen.one(&quoted).by(), seen.one(&quoted).item().via), ("bob@harbourfinch.example", Via::Quoted));
}
