//! HTML → the text that people saw, with link targets. Tags inside a word leave nothing behind, blocks are lines.

/// Tags that end a line.
const BLOCKS: &[&str] = &[
    "p",
    "div",
    "br",
    "li",
    "ul",
    "ol",
    "tr",
    "table",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "pre",
    "blockquote",
    "hr",
    "section",
    "article",
    "header",
    "footer",
    "dt",
    "dd",
    "ac:structured-macro",
    "ac:plain-text-body",
    "ac:rich-text-body",
    "ac:parameter",
    "title",
    "style",
    "script",
    "attachment",
    "systemeventmessage",
];

/// Attributes whose value people may have pasted a secret into.
const SHOWN: &[&str] = &["href", "src", "ri:value", "ac:name", "title", "alt", "content", "value"];

/// Decodes one fragment or page.
pub(in super::super) fn decode(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let (mut rest, mut absent, mut late) = (html, 0, String::new());
    while let Some(at) = rest.find('<') {
        push_text(&rest[..at], &mut out);
        rest = &rest[at..];
        if let Some(inner) = rest.strip_prefix("<![CDATA[") {
            // An export inside XML writes the end of an inner section as `]] >`.
            let end = section(inner, &mut absent);
            out.push_str(&inner[..end]);
            rest = inner[end..].trim_start_matches(']').trim_start_matches(' ');
            rest = rest.strip_prefix('>').unwrap_or(rest);
        } else if let Some(comment) = rest.strip_prefix("<!--") {
            let end = comment.find("-->").unwrap_or(comment.len());
            out.push_str(comment[..end].trim());
            out.push('\n');
            rest = comment.get(end + 3..).unwrap_or_default();
        } else if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?')) {
            let end = tag_end(rest);
            tag(&rest[1..end], &mut out, &mut late);
            rest = rest.get(end + 1..).unwrap_or_default();
        } else {
            out.push('<');
            rest = &rest[1..];
        }
    }
    push_text(rest, &mut out);
    if !late.is_empty() {
        out.push('\n');
        out.push_str(&late);
    }
    out
}

/// The same for the page of a mail: what stands in a quotation of a mail program gets `> ` before its lines, as in plain mail.
pub(in super::super) fn decode_mail(html: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(html.len()), html);
    let mut quoted: Vec<bool> = Vec::new();
    loop {
        let (part, tag) = match next_quotation(rest) {
            Some((at, end)) => (&rest[..at], Some(&rest[at..end])),
            None => (rest, None),
        };
        let text = decode(part);
        if quoted.contains(&true) {
            text.lines().filter(|line| !line.trim().is_empty()).for_each(|line| out.push_str(&format!("> {line}\n")));
        } else {
            out.push_str(&text);
        }
        let Some(tag) = tag else { return out };
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        if tag.starts_with("</") {
            quoted.pop();
        } else {
            let lower = tag.to_ascii_lowercase();
            quoted.push(
                lower.contains("cite")
                    || lower.contains("quote ")
                    || lower.contains("_quote")
                    || lower.contains("quote\""),
            );
        }
        rest = &rest[part.len() + tag.len()..];
    }
}

/// The next tag that begins or ends a quotation.
fn next_quotation(html: &str) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let at = from + memchr::memchr(b'<', &html.as_bytes()[from..])?;
        let name = html[at + 1..].strip_prefix('/').unwrap_or(&html[at + 1..]);
        if name.get(..10).is_some_and(|name| name.eq_ignore_ascii_case("blockquote")) {
            return Some((at, (at + tag_end(&html[at..]) + 1).min(html.len())));
        }
        from = at + 1;
    }
}

/// Where a section ends. Marks that do not come any more are not looked for again: they are the first `absent` ones.
fn section(inner: &str, absent: &mut usize) -> usize {
    const MARKS: &[&str] = &["]]></", "]] ></", "]]>", "]] >"];
    while let Some(mark) = MARKS.get(*absent) {
        if let Some(end) = inner.find(mark) {
            return end;
        }
        *absent += 1;
    }
    inner.len()
}

/// Whether a text has tags in it: some fields hold either.
pub(in super::super) fn looks(text: &str) -> bool {
    ["</", "<br", "<p>", "/>", "<span"].iter().any(|mark| text.contains(mark))
}

/// Decodes a text that may be markup or not.
pub(in super::super) fn decode_if(text: &str) -> String {
    if looks(text) { decode(text) } else { text.to_owned() }
}

fn push_text(text: &str, out: &mut String) {
    for character in entities(text).chars() {
        match character {
            '\u{a0}' => out.push(' '),
            // Soft hyphens and zero-width marks are where a browser may break a word: nobody sees them.
            '\u{ad}' | '\u{200b}' | '\u{200c}' | '\u{200d}' | '\u{2060}' | '\u{feff}' => {}
            other => out.push(other),
        }
    }
}

fn tag_end(rest: &str) -> usize {
    let mut quote = None;
    for (at, byte) in rest.bytes().enumerate().take(1 << 20) {
        match (quote, byte) {
            (None, b'>') => return at,
            (None, b'"' | b'\'') if rest.as_bytes()[at - 1] == b'=' => quote = Some(byte),
            (Some(open), byte) if open == byte => quote = None,
            _ => {}
        }
    }
    rest.find('>').unwrap_or(rest.len())
}

/// Lines up to this length get what their tags hold above them; what those of longer lines hold comes at the end.
const LINE: usize = 8 << 10;

fn tag(tag: &str, out: &mut String, late: &mut String) {
    let closing = tag.starts_with('/');
    let name: String = tag.trim_start_matches('/').chars().take_while(|c| !c.is_whitespace() && *c != '/').collect();
    let name = name.to_ascii_lowercase();
    if BLOCKS.contains(&name.as_str()) && !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    if matches!(name.as_str(), "td" | "th") && !out.ends_with(['\n', '\t']) && !out.is_empty() {
        out.push('\t');
    }
    if closing {
        return;
    }
    for wanted in SHOWN {
        if let Some(value) =
            attribute(tag, wanted).filter(|value| value.len() > 3 && !value.contains("/hostedContents/"))
        {
            // The link goes to a line of its own below the text, so that it does not part what it stands in.
            let shown = value.strip_prefix("mailto:").unwrap_or(&value);
            let near = &out.as_bytes()[out.len().saturating_sub(LINE)..];
            match memchr::memrchr(b'\n', near).or((near.len() == out.len()).then_some(usize::MAX)) {
                Some(last) => {
                    let at = out.len() - near.len() + last.wrapping_add(1);
                    out.insert_str(at, &format!("{shown}\n"));
                }
                None => late.push_str(&format!("{shown}\n")),
            }
        }
    }
}

/// Value of an attribute inside a tag.
pub(in super::super) fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut from = 0;
    while let Some(found) = tag[from..].find(name) {
        let at = from + found;
        let after = tag[at + name.len()..].trim_start();
        if tag[..at].ends_with(char::is_whitespace)
            && let Some(value) = after.strip_prefix('=').map(str::trim_start)
        {
            let quote = value.chars().next()?;
            return Some(entities(match quote {
                '"' | '\'' => value[1..].split(quote).next()?,
                _ => value.split(char::is_whitespace).next()?,
            }));
        }
        from = at + name.len();
    }
    None
}

/// Character references and the named entities that matter in text; unknown ones stay.
pub(in super::super) fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, one(&rest[1..end])?))) {
            Some((end, character)) => {
                out.push(character);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn one(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" | "QUOT" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        "shy" => '\u{ad}',
        "sol" => '/',
        "plus" => '+',
        "equals" => '=',
        "colon" => ':',
        "commat" => '@',
        "lowbar" => '_',
        "dollar" => '$',
        "percnt" => '%',
        "ndash" => '\u{2013}',
        "mdash" => '\u{2014}',
        "hellip" => '\u{2026}',
        "rsquo" => '\u{2019}',
        "lsquo" => '\u{2018}',
        "rdquo" => '\u{201d}',
        "ldquo" => '\u{201c}',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_of_mail_programs_are_marked() {
        let page = "mine<div>Bob wrote:<br></div><blockquote class=\"gmail_quote\"><div>his</div><blockquote type=cite>hers</blockquote>more</blockquote>end<blockquote>aside</blockquote></blockquote>";
        assert_eq!(decode_mail(page), "mine\nBob wrote:\n> his\n> hers\n> more\nend\naside\n");
        assert_eq!(decode_mail("a<b <blockquote"), "a\n");
    }

    #[test]
    fn tags_inside_a_word_leave_nothing() {
        let code =
            "<pre><code><span class=\"hljs-attr\">key</span>=AB<span>CD</span><wbr>EF&nbsp;x<br>next</code></pre>";
        assert_eq!(decode(code), "key=ABCDEF x\nnext\n");
        assert_eq!(decode("svc:<a href=\"mailto:p@db.io\">p@db.io</a>").trim(), "p@db.io\nsvc:p@db.io");
        assert_eq!(decode("a &lt; b &#x41;&#66; &unknown; <3 1 < 2"), "a < b AB &unknown; <3 1 < 2");
        assert_eq!(decode("<![CDATA[x <b>]] > y"), "x <b> y");
        assert_eq!(
            decode("<p title='abcd>b'>x"),
            "abcd>b
x"
        );
    }
}
