//! Jira's and Confluence's wiki markup → text: escapes, links, colours and code fences.

/// Decodes one text. Code keeps its characters; everywhere else a backslash escapes the next one.
pub(in super::super) fn decode(text: &str) -> String {
    if memchr::memchr3(b'{', b'[', b'\\', text.as_bytes()).is_none() && !text.contains("}}") {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut code: Option<&str> = None;
    while let Some(at) = rest.find(['{', '}', '\\', '[']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let used = match (code, rest.as_bytes()[0]) {
            (Some(name), b'{') if rest[1..].starts_with(name) && rest[1 + name.len()..].starts_with('}') => {
                code = None;
                name.len() + 2
            }
            (None, b'{') => opened(rest, &mut out, &mut code),
            (None, b'\\') if rest[1..].starts_with(|c: char| c.is_ascii_punctuation()) => {
                out.push_str(&rest[1..2]);
                2
            }
            (None, b'}') if rest.starts_with("}}") => 2,
            (None, b'[') => link(rest, &mut out),
            _ => {
                out.push_str(&rest[..1]);
                1
            }
        };
        rest = &rest[used..];
    }
    out.push_str(rest);
    out
}

fn opened<'a>(rest: &'a str, out: &mut String, code: &mut Option<&'a str>) -> usize {
    if rest.starts_with("{{") {
        return 2;
    }
    let Some(end) = rest.char_indices().take(200).find(|c| c.1 == '}').map(|c| c.0) else {
        out.push('{');
        return 1;
    };
    let name = rest[1..end].split(':').next().unwrap_or_default();
    match name {
        "code" | "noformat" => *code = Some(name),
        "color" | "quote" | "panel" => {}
        _ => {
            out.push('{');
            return 1;
        }
    }
    end + 1
}

/// `[text|url]`, `[url]`, `[~user]`: both parts are shown.
fn link(rest: &str, out: &mut String) -> usize {
    let end = rest.char_indices().take(500).find(|c| matches!(c.1, ']' | '\n')).filter(|c| c.1 == ']').map(|c| c.0);
    let inside = end
        .map(|end| &rest[1..end])
        .filter(|inside| inside.contains('|') || inside.contains("://") || inside.starts_with("mailto:"));
    match (end, inside) {
        (Some(end), Some(inside)) => {
            let mut parts = inside.split('|');
            let shown = parts.next().unwrap_or_default();
            out.push_str(shown);
            if let Some(target) =
                parts.next().map(|t| t.trim_start_matches("mailto:")).filter(|target| *target != shown)
            {
                out.push_str(&format!(" ({target})"));
            }
            end + 1
        }
        _ => {
            out.push('[');
            1
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_fences() {
        assert_eq!(decode(r"tok\_AB\-CD\{x\} {{mono}} {color:red}ab{color}cd"), "tok_AB-CD{x} mono abcd");
        assert_eq!(
            decode("{code:java}a\\_b {x} [y|z]{code} [here|https://x.example] [1]"),
            "a\\_b {x} [y|z] here (https://x.example) [1]"
        );
        assert_eq!(decode("{noformat}\npw={code}1\n{noformat}"), "\npw={code}1\n");
    }
}
