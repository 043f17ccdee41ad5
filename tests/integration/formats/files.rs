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

/// Lines with the time in front, one second each.
fn stamped(lines: &[String], stream: &str) -> String {
    lines
        .iter()
        .enumerate()
        .map(|(n, line)| format!("2024-05-22T12:{:02}:{:02}.9626460Z {stream}{line}\n", n / 60, n % 60))
        .collect()
}

#[test]
fn times_of_a_job_log_split_no_key_and_date_the_finding() {
    use offkey::detect::{Detector, Options, run};
    let body: Vec<String> = (0..8).map(|n| format!("{}{n}", "kQ7dZx2".repeat(9))).collect();
    let key = [
        vec![concat!("-----BEGIN RSA PRI", "VATE KEY-----").to_owned()],
        body,
        vec![concat!("-----END RSA PRI", "VATE KEY-----").to_owned()],
    ];
    let token = format!("{}{}", concat!("glpat", "-"), "Xy7Kq2Lm9Pz4Rw8Tn3Vb");
    let mut lines: Vec<String> = (0..30).map(|n| format!("step {n}")).collect();
    lines.extend(key.concat());
    lines.push(format!("\u{1b}[36;1mexport TOKEN={}\u{1b}[0m{}\u{1b}[0m", &token[..12], &token[12..]));
    let whole = format!("\u{feff}{}", stamped(&lines, ""));
    // GitLab's runner cuts long lines, and says so.
    let cut = format!(
        "{}2024-05-22T13:00:00.000000Z 00O TOKEN={}\n2024-05-22T13:00:01.000000Z 00O+{}\n",
        stamped(&lines[..3], "00O "),
        &token[..9],
        &token[9..]
    );
    let detector = Detector::new(offkey::rule::RuleSet::builtin(), Vec::new(), Options::default())
        .expect("built-in rules compile");
    let dir = tempfile::tempdir().expect("a folder");
    let found = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        let sources = offkey::source::open(&path, &offkey::source::OpenOptions::default()).expect("readable");
        let (hits, coverage) = run(&detector, &sources, &offkey::source::Progress::default(), None).expect("read");
        assert_eq!(coverage[0].format, "ci-log");
        hits.into_iter()
            .map(|hit| {
                let offkey::source::Provenance::Export { item, .. } = &hit.provenance else { panic!("an item") };
                (hit.found.secret.expose().to_vec(), hit.lines, item.created.clone().unwrap_or_default())
            })
            .collect::<Vec<_>>()
    };
    let hits = found("1_build.txt", &whole);
    let one = hits.iter().find(|hit| hit.0 == token.as_bytes()).expect("the token between two colours");
    assert_eq!((one.1, one.2.as_str()), ((41, 41), "2024-05-22T12:00:40Z"));
    let pem = hits.iter().find(|hit| hit.0.starts_with(b"-----BEGIN")).expect("the key of many lines");
    assert_eq!((pem.1, pem.2.as_str()), ((31, 40), "2024-05-22T12:00:30Z"));
    assert!(!String::from_utf8_lossy(&pem.0).contains("2024-05-22"));
    let hits = found("job.log", &cut);
    let one = hits.iter().find(|hit| hit.0 == token.as_bytes()).expect("the token that was cut");
    assert_eq!((one.1, one.2.as_str()), ((4, 5), "2024-05-22T13:00:00Z"));
}
