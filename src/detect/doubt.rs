//! Second thoughts over the matches of a document: what one match says about another, and what the place of a value says about
//! it whatever found it.

use std::ops::Range;

use super::place::Doubt;
use super::{Match, generic, place, sample, vendor};

/// Lowers the matches that what stands around them rules out.
pub(super) fn second_thoughts(found: &mut [Match], bytes: &[u8], path: Option<&str>) {
    let exact = |m: &Match| m.rule.starts_with("needle:");
    for own in found.iter_mut().filter(|m| !exact(m) && fingerprint(bytes, &m.span)) {
        lower(own, 0.0, "own-fingerprint");
    }
    for one in found.iter_mut().filter(|m| !exact(m) && m.confidence > 0.2) {
        let of_path = path.map(|path| place::doubts(one, path)).unwrap_or_default();
        let all = [by_itself(one, bytes), by_its_place(one, bytes)].into_iter().flatten().chain(of_path);
        all.for_each(|(factor, why)| lower(one, factor, why));
    }
    let special = |m: &&Match| !m.notes.contains(&generic::NOTE);
    let named = found.iter().any(|m| m.notes.contains(&vendor::NAMED));
    let known = if named { places(found.iter().filter(special)) } else { Vec::new() };
    known_by_a_rule(found);
    for one in found.iter_mut().filter(|m| m.notes.contains(&generic::NOTE)) {
        if let Some(at) = one.notes.iter().position(|note| *note == vendor::NAMED) {
            one.notes.remove(at);
            if !touches(&known, &one.span) {
                lower(one, 0.4, vendor::FORMLESS);
            }
        }
    }
}

/// What a value says against itself.
fn by_itself(one: &Match, bytes: &[u8]) -> Option<Doubt> {
    let value = one.secret.expose();
    let stands_in =
        || sample::in_url(&bytes[..one.span.start], value) || sample::in_basic(value, one.rule.contains("-basic"));
    if sample::published(value) {
        return Some((0.2, "published-sample"));
    }
    stands_in().then_some((0.4, "stands-for-a-log-in"))
}

/// What stands around a value and is not a name of it.
fn by_its_place(one: &Match, bytes: &[u8]) -> Option<Doubt> {
    let value = one.secret.expose();
    let formed = !one.notes.contains(&generic::NOTE) && &*one.kind != "password";
    match &*one.kind {
        _ if place::is_digest(bytes, &one.span) => Some((0.1, "digest")),
        "private-key" => sample::key_of_code(value).then_some((0.3, "made-by-code")),
        _ if place::in_armour(bytes, &one.span) => Some((0.1, "inside-armour")),
        _ if place::in_block(bytes, &one.span) => Some((0.2, "inside-base64")),
        _ if !formed && place::in_badge(bytes, &one.span) => Some((0.4, "badge")),
        _ => (formed && sample::is_name(value)).then_some((0.3, "a-name")),
    }
}

/// Of a value that a vendor's rule and its mere name both find the rule says more; it takes the better confidence of the two.
fn known_by_a_rule(found: &mut [Match]) {
    let special = |m: &Match| !m.notes.contains(&generic::NOTE) && !m.rule.starts_with("needle:");
    let mut ranked: Vec<(Range<usize>, usize)> =
        found.iter().enumerate().filter(|(_, m)| !special(m)).map(|(at, m)| (m.span.clone(), at)).collect();
    ranked.sort_by_key(|(span, _)| (span.start, span.end));
    for at in 0..found.len() {
        if !special(&found[at]) || found[at].confidence < 0.5 {
            continue;
        }
        let span = found[at].span.clone();
        let first = ranked.partition_point(|(other, _)| (other.start, other.end) < (span.start, span.end));
        for (_, same) in ranked[first..].iter().take_while(|(other, _)| *other == span) {
            if found[*same].notes.contains(&generic::NOTE) && found[*same].confidence >= found[at].confidence {
                found[at].confidence = found[*same].confidence;
                found[*same].confidence *= 0.99;
            }
        }
    }
}

fn lower(found: &mut Match, factor: f32, why: &'static str) {
    found.confidence *= factor;
    found.notes.push(why);
}

/// Places of matches in order, those that overlap as one.
fn places<'a>(found: impl Iterator<Item = &'a Match>) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = found.map(|m| m.span.clone()).collect();
    all.sort_by_key(|span| (span.start, span.end));
    let mut joined: Vec<Range<usize>> = Vec::with_capacity(all.len());
    for span in all {
        match joined.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => joined.push(span),
        }
    }
    joined
}

fn touches(places: &[Range<usize>], span: &Range<usize>) -> bool {
    let next = places.partition_point(|place| place.end <= span.start);
    places.get(next).is_some_and(|place| place.start < span.end)
}

/// Whether a value is a fingerprint as this program prints it: `fp:` and 32 hexadecimal digits. Its own reports lie in many
/// of the folders that it reads.
fn fingerprint(bytes: &[u8], span: &Range<usize>) -> bool {
    let value = &bytes[span.clone()];
    let digits = match value.strip_prefix(b"fp:") {
        Some(digits) => digits,
        None if bytes[..span.start].ends_with(b"fp:") => value,
        None => return false,
    };
    digits.len() >= 32
        && digits[..32].iter().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(b))
        && !digits.get(32).is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Detector, Options};
    use super::*;
    use crate::rule::{RuleSet, expand};
    use crate::secret::{Fingerprinter, SecretValue};

    fn all(text: &str, path: Option<&str>) -> Vec<Match> {
        let detector =
            Detector::new(RuleSet::builtin(), Vec::new(), Options::from(0.5)).expect("because rules are checked");
        let mut found = Vec::new();
        detector.scan(text.as_bytes(), path, &mut found);
        found
    }

    /// Text with values made here.
    fn made(template: &str) -> String {
        expand(template, "doubt", None).expect("because the template is well-formed")
    }

    #[test]
    fn own_fingerprints_are_no_secrets() {
        let fingerprint = Fingerprinter::new(&SecretValue::new("k")).fingerprint(b"a value").to_string();
        let digits = fingerprint.trim_start_matches("fp:");
        for line in [
            format!("secret_key = \"{fingerprint}\"\n"),
            format!("token: {fingerprint}\n"),
            format!("{{\"api_key\": \"fp:{digits}\"}}\n"),
            format!("password is fp:{digits}\n"),
            format!("twilio token fp:{digits}\n"),
        ] {
            assert!(all(&line, None).is_empty(), "{line}: {:?}", all(&line, None));
        }
        assert_eq!(all(&format!("secret_key = \"{digits}\"\n"), None).len(), 1, "without the sign it is a value");
    }

    #[test]
    fn a_value_named_after_a_vendor_needs_the_vendor_s_form() {
        let shape = |digits: &str| format!("telegram_api_token = \"{digits}:A{}\"\n", made("<<an:34>>"));
        assert!(all(&shape("4425"), None).is_empty(), "{:?}", all(&shape("4425"), None));
        let found = all(&shape("442583920"), None);
        assert!(found.iter().all(|m| m.rule.starts_with("telegram")) && found.len() == 1, "{found:?}");
        let nobody = made("session_api_token = \"4425:A<<an:34>>\"\n");
        assert_eq!(all(&nobody, None).len(), 1, "without a vendor's name the value speaks for itself");
    }

    #[test]
    fn what_is_made_for_one_request_cut_or_denied_is_no_secret() {
        let token = made("<<an:30>>");
        for line in [
            "Sec-WebSocket-Key: NDMyMTUzMjE2MzIxNzMyMQ==\n".to_owned(),
            format!("nonMatchingToken := \"{token}\"\n"),
            format!("SERVICE_ACCOUNT_TOKEN={token}...\n"),
            "redis_url = redis://user:password@localhost:6379\n".to_owned(),
        ] {
            assert!(all(&line, None).is_empty(), "{line}: {:?}", all(&line, None));
        }
        assert_eq!(all(&format!("matchingToken := \"{token}\"\n"), None).len(), 1);
        let value = made("<<an:16>>");
        let found = all(&format!("password={value},host=db7\n"), None);
        assert!(found.len() == 1 && found[0].secret.expose() == value.as_bytes(), "{found:?}");
    }

    #[test]
    fn code_of_others_in_a_bundle_counts_less() {
        let text = &made("client_secret = \"<<an:24>>\"\n");
        let (mine, theirs) = (all(text, Some("src/app.js")), all(text, Some(".yarn/releases/yarn-1.22.19.cjs")));
        assert!(mine.len() == 1 && theirs.is_empty(), "{mine:?} {theirs:?}");
    }

    #[test]
    fn names_in_code_are_no_tokens() {
        for name in ["md-footer-nav__link--next", "md-header-topic-container"] {
            assert!(all(&format!("mandrill .{name} {{\n"), None).is_empty(), "{name}");
        }
        assert_eq!(all(&made("mandrill_key = \"md-<<an:22>>\"\n"), None).len(), 1);
        for (value, name) in [
            ("AWS_SECRET_ACCESS_KEY_NAME_OF_BUILDS", true),
            ("one-two-three", true),
            ("hunter-horse-4-staple", false),
            ("one-two", false),
            ("abCd-eFgh-ijkl-mnOp", false),
        ] {
            assert_eq!(sample::is_name(value.as_bytes()), name, "{value}");
        }
    }

    #[test]
    fn joined_places_answer_for_what_they_hold() {
        let at = |span: Range<usize>| Match {
            rule: Arc::from("r"),
            kind: Arc::from("token"),
            span,
            secret: SecretValue::new("x"),
            confidence: 0.5,
            parts: Vec::new(),
            encodings: Vec::new(),
            notes: Vec::new(),
        };
        let joined = places([at(10..20), at(2..4), at(15..30)].iter());
        assert_eq!(joined, [2..4, 10..30]);
        assert!(touches(&joined, &(3..5)) && touches(&joined, &(29..40)) && !touches(&joined, &(4..10)));
        assert!(!touches(&joined, &(30..31)));
    }
}
