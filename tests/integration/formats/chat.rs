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

#[test]
fn mattermost_posts_replies_hooks_and_passwords() {
    let (post, reply, hook, direct, password) =
        (token("post"), token("reply"), token("hook"), token("direct"), token("password"));
    // Users may come after the posts, and types that nobody knows are passed over.
    let lines = [
        json!({"type": "version", "version": 1}),
        json!({"type": "channel-banner", "banner": {"text": "x"}}),
        json!({"type": "channel", "channel": {"team": "t", "name": "ops", "display_name": "Ops", "type": "P"}}),
        json!({"type": "post", "post": {"team": "t", "channel": "ops", "user": "alice", "message": post, "create_at": 1553166512493u64, "edit_at": 1553166512999u64,
            "replies": [{"user": "gone", "message": reply, "create_at": 1553166512500u64}]}}),
        json!({"type": "post", "post": {"team": "t", "channel": "ops", "user": "alice", "message": "", "create_at": 1553166512493u64,
            "props": {"from_webhook": "true", "attachments": [{"text": hook}]}}}),
        json!({"type": "direct_post", "direct_post": {"channel_members": ["alice", "bob"], "user": "bob", "message": direct, "create_at": 1566376137676u64}}),
        json!({"type": "user", "user": {"username": "alice", "email": "alice@harbourfinch.example", "password": password, "teams": null}}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let seen = super::file("export.jsonl", text);
    let piece = seen.one(&post);
    assert_eq!((piece.by(), piece.item().container.name.as_str()), ("alice@harbourfinch.example", "Ops"));
    assert!(piece.created().starts_with("2019-03-21T") && !piece.item().container.public);
    assert_eq!((seen.one(&reply).by(), seen.one(&reply).pointer()), ("gone", "line 4/post/replies/0/message"));
    assert_eq!(seen.one(&hook).item().via, Via::Webhook);
    let piece = seen.one(&direct);
    assert_eq!((piece.by(), piece.item().container.kind, piece.item().sent_to.len()), ("bob", ContainerKind::Dm, 2));
    assert_eq!((seen.one(&password).item().kind, seen.one(&password).by()), (ItemKind::Artefact, ""));
}

#[test]
fn discord_has_ids_links_and_no_addresses() {
    let (text, embed, moved) = (token("text"), token("embed"), token("moved"));
    let chat = json!({"guild": {"id": "7", "name": "HF"}, "channel": {"id": "8", "type": "GuildTextChat", "name": "general"}, "dateRange": {"after": null},
        "messages": [{"id": "1064990824305274930", "type": "Default", "timestamp": "2023-01-17T19:33:19.087+00:00", "timestampEdited": "2023-01-18T19:33:19+00:00",
            "content": text, "author": {"id": "33", "name": "alice", "discriminator": "6597", "nickname": "Alice", "isBot": false},
            "embeds": [{"title": "t", "description": embed}], "attachments": [], "forwardedMessage": {"content": moved, "timestamp": "2022-01-01T00:00:00Z"}}]});
    let seen = super::file("general.json", chat.to_string());
    let piece = seen.one(&text);
    assert_eq!((piece.by(), piece.link()), ("alice#6597", "https://discord.com/channels/7/8/1064990824305274930"));
    assert_eq!((piece.created(), piece.item().container.name.as_str()), ("2023-01-17T19:33:19.087Z", "HF/general"));
    assert_eq!(seen.one(&embed).by(), "alice#6597");
    assert_eq!((seen.one(&moved).by(), seen.one(&moved).item().via), ("", Via::Forwarded));
    let table = format!(
        "AuthorID,Author,Date,Content,Attachments,Reactions\n\"33\",\"alice\",\"2023-01-17T19:33:19Z\",\"{text}\",\"\",\"\"\n"
    );
    assert_eq!(super::file("part.csv", table).one(&text).by(), "alice");
}

#[test]
fn rocketchat_pages_and_dumps() {
    let (text, quoted, hash) = (token("text"), token("quoted"), token("hash"));
    let page = json!({"messages": [{"_id": "m", "rid": "r", "msg": text, "ts": "2020-05-02T07:31:26.007Z", "u": {"_id": "u1", "username": "alice"},
        "attachments": [{"author_name": "bob", "text": quoted}]}], "success": true});
    let users = json!({"users": [{"_id": "u1", "username": "alice", "emails": [{"address": "alice@harbourfinch.example"}], "active": false,
        "services": {"password": {"bcrypt": hash}}}]});
    let seen = folder(&[("messages.json", &page.to_string()), ("users.json", &users.to_string())]);
    assert_eq!(
        (seen.one(&text).by(), seen.one(&text).created()),
        ("alice@harbourfinch.example", "2020-05-02T07:31:26.007Z")
    );
    assert_eq!((seen.one(&quoted).by(), seen.one(&quoted).item().via), ("bob", Via::Quoted));
    assert_eq!(seen.one(&hash).item().kind, ItemKind::Artefact);
    // The dump of the database.
    let dir = tempfile::tempdir().expect("a folder");
    for (name, document) in [
        (
            "users.bson",
            bson::doc! {"_id": "u1", "username": "alice", "emails": [{"address": "alice@harbourfinch.example"}], "services": {"password": {"bcrypt": &hash}}},
        ),
        (
            "rocketchat_message.bson",
            bson::doc! {"_id": "m", "rid": "r", "msg": &text, "ts": bson::DateTime::from_millis(1_588_404_686_007), "u": {"_id": "u1", "username": "alice"}},
        ),
    ] {
        std::fs::write(dir.path().join(name), document.to_vec().expect("encodes")).expect("writable");
    }
    let seen = super::read(dir.path());
    assert_eq!(seen.one(&text).by(), "alice@harbourfinch.example");
    assert!(seen.one(&text).created().starts_with("2020-05-02T07:31:26"));
}

#[test]
fn zulip_finds_what_was_edited_out() {
    let (now, before, key) = (token("now"), token("before"), token("apikey"));
    let realm = json!({"zerver_userprofile": [{"id": 5, "email": "user5@zulip.example", "delivery_email": "alice@harbourfinch.example", "full_name": "Alice", "is_bot": false,
        "is_active": false, "api_key": key}], "zerver_stream": [{"id": 3, "name": "ops", "invite_only": true}], "zerver_recipient": [{"id": 9, "type": 2, "type_id": 3}],
        "zerver_subscription": [{"id": 1, "recipient": 9, "user_profile": 5}], "zerver_realm": [{"id": 1, "string_id": "hf"}]});
    let history = json!([{"user_id": 5, "prev_content": before, "timestamp": 1700000000}]).to_string();
    let messages = json!({"zerver_message": [{"id": 77, "sender": 5, "recipient": 9, "subject": "keys", "content": now, "rendered_content": format!("<p>{now}</p>"),
        "date_sent": 1700000000.25, "edit_history": history}], "zerver_usermessage": []});
    let seen = folder(&[("realm.json", &realm.to_string()), ("messages-000001.json", &messages.to_string())]);
    let piece = seen.one(&now);
    assert_eq!((piece.by(), piece.item().container.name.as_str()), ("alice@harbourfinch.example", "ops/keys"));
    assert!(piece.link().ends_with("#narrow/near/77") && piece.item().readers.len() == 1);
    assert_eq!(
        (seen.one(&before).item().kind, seen.one(&before).by()),
        (ItemKind::History, "alice@harbourfinch.example")
    );
    assert_eq!(seen.one(&key).item().kind, ItemKind::Artefact);
}

#[test]
fn telegram_joins_marked_text_and_credits_forwards() {
    let (split, link, moved) = (token("split"), token("link"), token("moved"));
    let chat = json!({"name": "Ops", "type": "private_supergroup", "id": 222, "messages": [
        {"id": 1, "type": "message", "date": "2023-05-01T12:01:00", "date_unixtime": "1682942460", "from": "Alice", "from_id": "user111",
         "text": ["key ", &split[..6], {"type": "bold", "text": &split[6..]}, {"type": "text_link", "text": "x", "href": format!("https://x.example/{link}")}], "text_entities": []},
        {"id": 2, "type": "message", "date": "2023-05-01T12:01:00", "from": "Alice", "from_id": 111, "forwarded_from": "Bob", "text": moved}]});
    let seen = super::file("result.json", chat.to_string());
    assert_eq!((seen.one(&split).by(), seen.one(&split).created()), ("Alice", "2023-05-01T12:01:00Z"));
    assert_eq!(seen.one(&link).link(), "https://t.me/c/222/1");
    assert_eq!((seen.one(&moved).by(), seen.one(&moved).item().via), ("Bob", Via::Forwarded));
    assert_eq!(seen.one(&moved).created(), "2023-05-01T12:01:00");
    let whole = json!({"personal_information": {"user_id": 111, "first_name": "Alice", "username": "@amoreau"}, "chats": {"about": "x", "list": [chat]}});
    let seen = super::file("all.json", whole.to_string());
    assert_eq!((seen.one(&split).by(), seen.one(&split).item().container.name.as_str()), ("@amoreau", "Ops"));
}

#[test]
fn whatsapp_of_any_telephone() {
    let (first, second) = (token("first"), token("second"));
    let chats = [
        (
            format!("12/25/20, 11:55 PM - Alice: {first}\n12/26/20, 1:00 AM - +1 123 456: a\n{second}\n"),
            "2020-12-25T23:55:00",
        ),
        (
            format!(
                "\u{200e}[25/12/2020, 23:55:01] Alice: {first}\r\n[26/12/2020, 01:00:01] +1 123 456: a\r\n{second}\r\n"
            ),
            "2020-12-25T23:55:01",
        ),
        (
            format!("2020-12-25, 23:55 - Alice: {first}\n2020-12-26, 01:00 - +1 123 456: a\n{second}\n"),
            "2020-12-25T23:55:00",
        ),
        (format!("1.2.20, 23:55 - Alice: {first}\n3.1.20, 23:57 - Messages are now secured.\n"), "1.2.20, 23:55"),
    ];
    for (n, (text, time)) in chats.iter().enumerate() {
        let seen = super::file("WhatsApp Chat with Ops.txt", text);
        assert_eq!((seen.one(&first).by(), seen.one(&first).item().container.name.as_str()), ("Alice", "Ops"), "{n}");
        if n < 3 {
            assert_eq!(seen.one(&first).created(), *time, "{n}");
            assert_eq!((seen.one(&second).by(), seen.one(&second).pointer()), ("+1 123 456", "line 2"), "{n}");
        }
    }
}
