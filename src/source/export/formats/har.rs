//! Recorded traffic: HAR files of browsers and the cassettes of test libraries. Cookies and what servers answer belong to the
//! instance, not to a person.

use serde_json::Value;

use super::super::known::{list, own, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json};
use crate::source::{ContainerKind, ItemKind, Via};

pub(super) const FORMAT: Format = Format {
    id: "har",
    claims: |peek| peek.keys(&["log"]) && (peek.keys(&["entries"]) || peek.keys(&["creator", "version"])),
    learn: None,
    hand: |input, _, out| {
        // The capture has no author; whoever attached the file is known elsewhere.
        json::members(input.read, &["log"], &mut |found| exchange(&found.value, &found.pointer, out))
    },
};

pub(super) const CASSETTE: Format = Format {
    id: "cassette",
    claims: |peek| {
        peek.keys(&["http_interactions"])
            || peek.keys(&["interactions", "request"])
            || peek.keys(&["interactions", "version"])
            || peek.has(&["http_interactions:"]) && peek.has(&["- request:"])
            || peek.starts("interactions:") && peek.has(&["request:"])
    },
    learn: None,
    hand: cassette,
};

/// Content of a body field: as it is, out of base64, and unpacked.
fn body(text: &str, base64: bool) -> Vec<u8> {
    if !base64 {
        return text.as_bytes().to_vec();
    }
    let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let decoded = data_encoding::BASE64.decode(&dense).or_else(|_| data_encoding::BASE64_NOPAD.decode(&dense));
    decoded.unwrap_or_else(|_| text.as_bytes().to_vec())
}

fn exchange(value: &Value, pointer: &str, out: &mut Out<'_>) {
    let record = Rec::new(value, pointer);
    let page = own(value, "pageref").unwrap_or_else(|| "traffic".to_owned());
    let of = container(ContainerKind::File, page.as_str(), page.as_str(), false);
    let id = own(value, "request.url").unwrap_or_default().split('?').next().unwrap_or_default().to_owned();
    let draft = Draft::new(of, ItemKind::Field, id).via(Via::System).at(when(&value["startedDateTime"]));
    for side in ["request", "response"] {
        let one = &value[side];
        let at = format!("{pointer}/{side}");
        let mut text = format!("{} {}\n", record.take(&one["method"]), record.take(&one["url"]));
        let mut cookies = String::new();
        for header in list(one, "headers").filter(|header| header.is_object()) {
            let (name, content) = (record.take(&header["name"]), record.take(&header["value"]));
            let own = name.eq_ignore_ascii_case("cookie") || name.eq_ignore_ascii_case("set-cookie");
            let into = if own { &mut cookies } else { &mut text };
            into.push_str(&format!("{name}: {content}\n"));
        }
        for pair in list(one, "queryString").chain(list(one, "postData.params")).filter(|pair| pair.is_object()) {
            text.push_str(&format!("{}={}\n", record.take(&pair["name"]), record.take(&pair["value"])));
        }
        for cookie in list(one, "cookies").filter(|cookie| cookie.is_object()) {
            let line = format!("{}={}\n", record.take(&cookie["name"]), record.take(&cookie["value"]));
            if !cookies.contains(line.trim_end()) {
                cookies.push_str(&line);
            }
        }
        text.push_str(record.take(&one["postData"]["text"]));
        out.item(draft.clone().pointer(at.as_str()), &text);
        out.item(draft.clone().kind(ItemKind::Artefact).pointer(format!("{at}/cookies")), &cookies);
        let content = &one["content"];
        let decoded = body(record.take(&content["text"]), content["encoding"] == "base64");
        if !decoded.is_empty() {
            out.inner(&format!("{}/content/text", at.trim_start_matches('/')), &decoded);
        }
    }
    out.rest(draft.pointer(pointer), &record);
}

fn cassette(input: &mut Input<'_>, _: &super::super::known::Known, out: &mut Out<'_>) -> Result<(), String> {
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut std::io::Read::take(&mut *input.read, json::LARGEST as u64 * 4), &mut all)
        .map_err(|error| error.to_string())?;
    if !all.trim_ascii_start().starts_with(b"{") {
        let text = String::from_utf8_lossy(&all);
        written(&text, out);
        return Ok(());
    }
    json::gather(&mut all.as_slice(), &["http_interactions", "interactions"], &mut |found| {
        let (value, pointer) = (&found.value, found.pointer.as_str());
        let record = Rec::new(value, pointer);
        let address = own(value, "request.uri").or_else(|| own(value, "request.url")).unwrap_or_default();
        let of = container(ContainerKind::File, "", "recorded traffic", false);
        let id = address.split('?').next().unwrap_or_default().to_owned();
        let draft = Draft::new(of, ItemKind::Artefact, id).via(Via::System).at(when(&value["recorded_at"]));
        for side in ["request", "response"] {
            let one = &value[side]["body"];
            let at = format!("{}/{side}/body", pointer.trim_start_matches('/'));
            for (name, packed) in [("base64_string", true), ("string", false), ("", false)] {
                let inner = if name.is_empty() { one } else { &one[name] };
                let decoded = body(record.take(inner), packed);
                if !decoded.is_empty() {
                    out.inner(&at, &decoded);
                }
            }
        }
        let mut headers = String::new();
        for (name, values) in
            ["request", "response"].iter().flat_map(|side| value[*side]["headers"].as_object()).flatten()
        {
            let all = values.as_array().map_or_else(|| vec![values], |all| all.iter().collect());
            all.iter().for_each(|one| headers.push_str(&format!("{name}: {}\n", record.take(one))));
        }
        out.item(draft.clone().pointer(format!("{pointer}/headers")), &headers);
        out.rest(draft.pointer(pointer), &record);
    })
}

/// A cassette in YAML: the text as it is, and each packed body by itself.
fn written(text: &str, out: &mut Out<'_>) {
    let of = container(ContainerKind::File, "", "recorded traffic", false);
    out.item(Draft::new(of, ItemKind::Artefact, "").via(Via::System), text);
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let Some(lead) =
            ["base64_string:", "!!binary"].iter().find_map(|mark| line.find(mark).map(|n| &line[n + mark.len()..]))
        else {
            continue;
        };
        let indent = line.len() - line.trim_start().len();
        let mut dense = lead.trim().trim_matches(['|', '-', '>', '"', '\'', ' ']).to_owned();
        for next in lines[at + 1..].iter().take_while(|next| next.len() - next.trim_start().len() > indent) {
            dense.push_str(next.trim());
        }
        out.inner(&format!("line {}", at + 1), &body(&dense, true));
    }
}
