//! Files that tools write: Postman, recorded traffic, notebooks, documents and databases.

use data_encoding::BASE64;
use offkey::source::ItemKind;
use serde_json::json;

use super::{file, token};

#[test]
fn postman_collections_and_environments() {
    let (header, value, script) = (token("header"), token("value"), token("script"));
    let collection = json!({"info": {"_postman_id": "p", "name": "API", "schema": "https://schema.getpostman.com/json/collection/v2.1.0/collection.json", "_exporter_id": "640245"},
        "item": [{"name": "folder", "item": [{"name": "r", "request": {"method": "GET", "header": [{"key": "X-Api-Key", "value": header}],
            "url": {"raw": "https://x.example/?k={{apiKey}}"}}, "event": [{"script": {"exec": ["// a", script]}}]}]}],
        "variable": [{"key": "apiKey", "value": value}]});
    let seen = file("api.json", collection.to_string());
    let piece = seen.one(&header);
    assert!(piece.text.contains(&format!("X-Api-Key: {header}")));
    assert_eq!((piece.by(), piece.pointer()), ("640245", "/item/0/item/0/request"));
    assert!(seen.all(&value).iter().any(|piece| piece.text.contains(&format!("apiKey={value}"))));
    assert!(piece.text.contains(&format!("?k={value}")), "variables are filled in: {}", piece.text);
    assert_eq!(seen.one(&script).pointer(), "/item/0/item/0/event/0/script/exec");
    // A file in UTF-16 with a mark of the byte order.
    let environment = json!({"id": "e", "name": "prod", "values": [{"key": "token", "value": value, "enabled": true}], "_postman_variable_scope": "environment"});
    let wide: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(environment.to_string().encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert!(file("prod.postman_environment.json", wide).one(&value).text.contains(&format!("token={value}")));
}

#[test]
fn recorded_traffic_belongs_to_nobody() {
    let (header, cookie, answer) = (token("header"), token("cookie"), token("answer"));
    let har = json!({"log": {"version": "1.2", "creator": {"name": "x"}, "entries": [{"startedDateTime": "2017-02-23T16:25:18.141Z",
        "request": {"method": "GET", "url": "https://x.example/a", "headers": [{"name": "Authorization", "value": format!("Bearer {header}")},
            {"name": "Cookie", "value": format!("sid={cookie}")}], "cookies": [{"name": "sid", "value": cookie}]},
        "response": {"headers": [], "content": {"text": BASE64.encode(format!("{{\"k\":\"{answer}\"}}").as_bytes()), "encoding": "base64"}}}]}});
    let seen = file("a.har", har.to_string());
    assert_eq!((seen.one(&header).by(), seen.one(&header).created()), ("", "2017-02-23T16:25:18.141Z"));
    assert_eq!(seen.one(&cookie).item().kind, ItemKind::Artefact);
    assert!(seen.one(&answer).place.contains("response/content/text"), "{}", seen.one(&answer).place);
}

#[test]
fn cassettes_are_unpacked() {
    let answer = token("cassette");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(
        &mut packed,
        json!({"users": [{"id": 1, "email": "a@x.example", "role": "agent", "suspended": false, "notes": answer}]})
            .to_string()
            .as_bytes(),
    )
    .expect("packs");
    let body = BASE64.encode(&packed.finish().expect("packs"));
    let cassette = json!({"http_interactions": [{"request": {"uri": "https://x.example", "body": {"string": ""}, "headers": {}},
        "response": {"body": {"base64_string": body}, "headers": {"Set-Cookie": ["a=b"]}}}], "recorded_with": "betamax"});
    assert!(!file("c.json", cassette.to_string()).all(&answer).is_empty());
    let yaml = format!(
        "---\nhttp_interactions:\n- request:\n    uri: https://x.example\n  response:\n    body:\n      base64_string: |\n        {}\n        {}\n",
        &body[..40],
        &body[40..]
    );
    assert!(!file("c.yml", yaml).all(&answer).is_empty());
}

#[test]
fn notebooks_of_all_versions() {
    let (source, output, trace) = (token("source"), token("output"), token("trace"));
    let cell = |source: serde_json::Value, name: &str| {
        json!({"cell_type": "code", "id": "c1", name: source, "metadata": {"executionInfo": {"user": {"displayName": "Alice Moreau", "userId": "0123"}}},
            "outputs": [{"output_type": "stream", "text": [output.as_str()]}, {"output_type": "error", "ename": "E", "evalue": "",
                "traceback": [format!("{}\u{1b}[0;31m{}\u{1b}[0m", &trace[..5], &trace[5..])]}]})
    };
    for (name, book) in [
        (
            "list",
            json!({"cells": [cell(json!(["k = 1\n", source.as_str()]), "source")], "nbformat": 4, "metadata": {}}),
        ),
        ("text", json!({"cells": [cell(json!(format!("k = 1\n{source}")), "source")], "nbformat": 4, "metadata": {}})),
        (
            "third",
            json!({"worksheets": [{"cells": [cell(json!([source.as_str()]), "input")]}], "nbformat": 3, "metadata": {}}),
        ),
    ] {
        let seen = file(&format!("{name}.ipynb"), book.to_string());
        assert_eq!(seen.one(&source).by(), "Alice Moreau", "{name}");
        assert!(seen.all(&output).len() == 1 && seen.all(&trace).len() == 1, "{name}");
    }
}
