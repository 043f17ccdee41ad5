//! Atlassian Document Format → text: leaves of one block are joined without a blank, blocks are lines.

use serde_json::Value;

/// True for a value that is a document.
pub(in super::super) fn is(value: &Value) -> bool {
    value["type"] == "doc" && value["content"].is_array()
}

/// Text with link targets, mentions and titles.
pub(in super::super) fn decode(value: &Value) -> String {
    let (mut out, mut links) = (String::new(), String::new());
    node(value, &mut out, &mut links, 0);
    super::merged(out, &links)
}

fn node(value: &Value, out: &mut String, links: &mut String, depth: usize) {
    let kind = value["type"].as_str().unwrap_or_default();
    let attributes = &value["attrs"];
    for mark in value["marks"].as_array().into_iter().flatten() {
        if let Some(link) = mark["attrs"]["href"].as_str() {
            links.push_str(link.strip_prefix("mailto:").unwrap_or(link));
            links.push('\n');
        }
    }
    for key in ["url", "href", "title", "alt"] {
        if let Some(text) = attributes[key].as_str() {
            links.push_str(text);
            links.push('\n');
        }
    }
    match kind {
        "text" => out.push_str(value["text"].as_str().unwrap_or_default()),
        "hardBreak" => out.push('\n'),
        "mention" | "emoji" | "status" | "date" => out.push_str(attributes["text"].as_str().unwrap_or_default()),
        _ => {}
    }
    if depth < 100 {
        for inner in value["content"].as_array().into_iter().flatten() {
            node(inner, out, links, depth + 1);
        }
    }
    let block = !matches!(kind, "text" | "hardBreak" | "mention" | "emoji" | "inlineCard" | "status" | "date" | "doc");
    if block && !out.ends_with('\n') {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn marks_do_not_split_a_token() {
        let doc = serde_json::json!({"type": "doc", "content": [{"type": "paragraph", "content": [
            {"type": "text", "text": "tok_AB"}, {"type": "text", "text": "CDEF", "marks": [{"type": "link", "attrs": {"href": "https://x.example/k"}}]},
            {"type": "inlineCard", "attrs": {"url": "https://y.example"}}]}, {"type": "codeBlock", "content": [{"type": "text", "text": "a\nb"}]}]});
        assert!(super::is(&doc));
        assert_eq!(super::decode(&doc), "tok_ABCDEF\na\nb\n\nhttps://x.example/k\nhttps://y.example");
    }
}
