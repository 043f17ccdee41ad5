//! Pairs and parts: the key id beside its secret, the user and the host beside a password. Together they are one credential,
//! which can be asked about and replaced; alone they are text.

use std::ops::Range;
use std::sync::OnceLock;

use regex::bytes::Regex;

use super::Match;
use crate::rule::{Rule, RuleSet};

/// What the note of a key id says whose secret stands beside it.
pub const HALF: &str = "half-of-a-pair";

/// How many lines apart id and secret may stand when their rules do not say.
const LINES: u32 = 5;

/// How many bytes around a password are looked through for user and host, and how many lines.
const AROUND: (usize, usize) = (500, 4);

/// Gives secrets their ids, and passwords their users and hosts. `least` is the confidence below which a secret is not reported
/// anyhow; an id that stands beside a secret may have less.
pub(super) fn join(found: &mut [Match], bytes: &[u8], rules: &RuleSet, least: f32) {
    if found.iter().all(|m| m.confidence < least) {
        return;
    }
    ids(found, bytes, rules, least);
    let stops: Vec<Range<usize>> =
        found.iter().filter(|m| chosen(m) && m.confidence >= least).map(|m| m.span.clone()).collect();
    for one in found.iter_mut().filter(|m| chosen(m) && m.confidence >= least) {
        url(one, bytes);
        beside(one, bytes, &stops);
    }
}

/// Kinds whose values people choose and which count for nothing without a user.
fn chosen(found: &Match) -> bool {
    matches!(&*found.kind, "password" | "connection-string")
}

/// The role of an id, by the kind of its rule.
fn role(kind: &str) -> Option<&'static str> {
    match kind {
        "key-id" => Some("key-id"),
        "identifier" => Some("id"),
        _ => None,
    }
}

/// How far apart in lines a secret and an id may stand, if they belong together at all.
fn reach(secret: &Rule, id: &Rule) -> Option<u32> {
    match (&secret.pair, &id.pair) {
        (Some(pair), _) if *pair.with == *id.id => Some(pair.lines),
        (_, Some(pair)) if *pair.with == *secret.id => Some(pair.lines),
        (Some(_), _) => None,
        _ => {
            let issued = matches!(&*secret.kind, "secret-key" | "oauth-secret" | "token" | "api-key");
            (issued && secret.provider.id == id.provider.id).then_some(LINES)
        }
    }
}

/// Gives every secret the nearest id of its vendor that no other secret has; of two as near the one before it.
fn ids(found: &mut [Match], bytes: &[u8], rules: &RuleSet, least: f32) {
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by_key(|at| found[*at].span.start);
    let all: Vec<usize> = order.iter().copied().filter(|at| role(&found[*at].kind).is_some()).collect();
    if all.is_empty() {
        return;
    }
    // Two rules may see one secret; its id is that of both.
    let mut taken: Vec<(usize, usize)> = Vec::new();
    for secret in order {
        if role(&found[secret].kind).is_some() || found[secret].confidence < least {
            continue;
        }
        let Some(rule) = rules.get(&found[secret].rule) else { continue };
        let named = found[secret].parts.iter().find(|(name, _)| matches!(name.as_str(), "id" | "key-id"));
        let named = named.map(|(_, value)| value.clone());
        let distance = |id: usize| {
            let lines = reach(rule, rules.get(&found[id].rule)?)?;
            let (a, b) = (&found[id].span, &found[secret].span);
            let gap = if a.end <= b.start { a.end..b.start } else { b.end..a.start };
            let apart = bytes.get(gap.clone())?.iter().filter(|byte| **byte == b'\n').count();
            let near = gap.len() <= 1000 && apart <= lines as usize;
            near.then_some((apart, a.start > b.start, gap.len()))
        };
        let fits = |id: &usize| {
            let begin = found[secret].span.start;
            taken.iter().all(|(other, by)| other != id || *by == begin)
                && named.as_ref().is_none_or(|named| found[*id].secret.expose() == named.as_bytes())
        };
        let twin = taken.iter().find(|(_, by)| *by == found[secret].span.start).map(|(id, _)| *id);
        let twin = twin.filter(|id| fits(id) && distance(*id).is_some());
        let nearest =
            || all.iter().copied().filter(fits).filter_map(|id| Some((distance(id)?, id))).min().map(|(_, id)| id);
        let Some(id) = twin.or_else(nearest) else { continue };
        taken.push((id, found[secret].span.start));
        let value = String::from_utf8_lossy(found[id].secret.expose()).into_owned();
        let name = role(&found[id].kind).unwrap_or("id").to_owned();
        // The rule of a pair calls every id `id`; the role says more.
        found[secret].parts.retain(|(known, text)| *text != value || *known == name);
        add(&mut found[secret], &name, &value);
        if !found[id].notes.contains(&HALF) {
            found[id].notes.push(HALF);
        }
    }
}

fn add(found: &mut Match, name: &str, value: &str) {
    if !value.is_empty() && !found.parts.iter().any(|(known, _)| known == name) {
        found.parts.push((name.to_owned(), value.to_owned()));
    }
}

/// The host, port and path behind the password of a URL.
fn url(found: &mut Match, bytes: &[u8]) {
    static AUTHORITY: OnceLock<Regex> = OnceLock::new();
    let pattern = AUTHORITY.get_or_init(|| {
        Regex::new(r"^@([A-Za-z0-9][A-Za-z0-9._-]{0,250})(?::([0-9]{2,5}))?(?:/([A-Za-z0-9_.-]{1,60}))?")
            .expect("because the pattern is fixed")
    });
    let after = &bytes[found.span.end..bytes.len().min(found.span.end + 360)];
    let line = memchr::memrchr(b'\n', &bytes[..found.span.start]).map_or(0, |at| at + 1);
    let before = &bytes[line.max(found.span.start.saturating_sub(200))..found.span.start];
    if memchr::memmem::find(before, b"://").is_none() {
        return;
    }
    let Some(caught) = pattern.captures(after) else { return };
    for (group, name) in [(1, "host"), (2, "port"), (3, "database")] {
        if let Some(text) = caught.get(group).and_then(|group| std::str::from_utf8(group.as_bytes()).ok()) {
            add(found, name, text.trim_end_matches('.'));
        }
    }
}

/// A name, an operator and a plain value: the settings beside a password.
fn settings() -> &'static Regex {
    static SETTINGS: OnceLock<Regex> = OnceLock::new();
    SETTINGS.get_or_init(|| {
        Regex::new(concat!(
            r#"(?i)(?P<prefix>[a-z][a-z0-9_.\-]*?)??(?P<role>user(?:[ _-]?name|[ _-]?id)?|login|uid|host(?:[ _-]?name)?|server|port|"#,
            r#"database|db[_-]?name)(?:["'`\])]{0,2}\s?[ \t]{0,8}(?:=>|:=|=|:)[ \t]{0,8}|</?\w{0,20}>|>)["'`]?"#,
            r#"(?P<value>[A-Za-z0-9][A-Za-z0-9._@+\-]{0,120})(?P<end>.?)"#
        ))
        .expect("because the pattern is fixed")
    })
}

/// Finds user, host, port and database in the lines around a password, no further than the next password.
fn beside(found: &mut Match, bytes: &[u8], stops: &[Range<usize>]) {
    let span = found.span.clone();
    let ends = stops.iter().filter(|stop| stop.end <= span.start).map(|stop| stop.end);
    let starts = stops.iter().filter(|stop| stop.start >= span.end).map(|stop| stop.start);
    let floor = ends.max().unwrap_or(0).max(span.start.saturating_sub(AROUND.0));
    let ceiling = starts.min().unwrap_or(bytes.len()).min(span.end + AROUND.0).min(bytes.len());
    let (floor, ceiling) = (lines_before(bytes, floor, span.start), lines_after(bytes, span.end, ceiling));
    let own = own_prefix(&bytes[floor..span.start]);
    let mut best: Vec<(&'static str, (bool, usize, usize), String)> = Vec::new();
    let windows = [(floor, span.start), (span.end, ceiling)];
    for (start, caught) in
        windows.iter().flat_map(|(from, to)| settings().captures_iter(&bytes[*from..*to]).map(|caught| (*from, caught)))
    {
        let text = |name: &str| {
            caught.name(name).map_or_else(String::new, |group| String::from_utf8_lossy(group.as_bytes()).into_owned())
        };
        let (value, prefix) = (text("value"), plain(&text("prefix")));
        let Some(role) = part(&text("role")) else { continue };
        let Some(place) = caught.name("value").map(|group| group.range()) else { continue };
        let (at, end) = (start + place.start, start + place.end);
        let fits = match role {
            "port" => value.len() <= 5 && value.bytes().all(|b| b.is_ascii_digit()),
            _ => value.bytes().any(|b| b.is_ascii_alphanumeric()) && !reference(&value) && text("end") != "(",
        };
        // `smtp_user` is not the user of `db_password`.
        if !fits || (!prefix.is_empty() && !own.is_empty() && prefix != own) {
            continue;
        }
        let gap = if end <= span.start { end..span.start } else { span.end..at };
        let apart = bytes[gap].iter().filter(|byte| **byte == b'\n').count();
        let rank = (prefix != own, apart * 2 + usize::from(at > span.start), at.abs_diff(span.start));
        match best.iter_mut().find(|(known, ..)| *known == role) {
            Some(known) if known.1 > rank => (known.1, known.2) = (rank, value),
            Some(_) => {}
            None => best.push((role, rank, value)),
        }
    }
    // A host alone says little of a word in a program; a user says whose it is.
    let user = found.parts.iter().any(|(name, _)| name == "user") || best.iter().any(|(role, ..)| *role == "user");
    for (role, _, value) in best.into_iter().filter(|(role, ..)| *role == "user" || user) {
        if value.as_bytes() != found.secret.expose() {
            add(found, role, &value);
        }
    }
}

/// What providers call a setting.
fn part(role: &str) -> Option<&'static str> {
    let role = plain(role);
    match role.as_str() {
        "host" | "hostname" | "server" => Some("host"),
        "port" => Some("port"),
        "database" | "dbname" => Some("database"),
        role if role.starts_with("user") || matches!(role, "login" | "uid") => Some("user"),
        _ => None,
    }
}

/// Letters and digits in small letters.
fn plain(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// What stands in the name of a password before the word for it: `db` in `DB_PASSWORD=`.
fn own_prefix(before: &[u8]) -> String {
    let name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let end = before.iter().rposition(name).map_or(0, |at| at + 1);
    let start = before[..end].iter().rposition(|b| !name(b)).map_or(0, |at| at + 1);
    let name = plain(&String::from_utf8_lossy(&before[start..end]));
    let words = ["password", "passwd", "passphrase", "passwort", "pass", "pwd", "pw", "secret"];
    words.iter().find_map(|word| name.strip_suffix(word)).unwrap_or_default().to_owned()
}

fn reference(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    let nothing = ["true", "false", "null", "none", "nil", "string", "str", "undefined", "required", "optional"];
    nothing.contains(&lower.as_str())
        || ["os.environ", "process.env", "self.", "this."].iter().any(|w| lower.starts_with(w))
}

/// The start of the lines before a place, not before `floor` nor before an empty line.
fn lines_before(bytes: &[u8], floor: usize, at: usize) -> usize {
    let mut start = at;
    for _ in 0..=AROUND.1 {
        match memchr::memrchr(b'\n', &bytes[floor..start]) {
            Some(end) => {
                let end = floor + end;
                if end > floor && bytes[end - 1] == b'\n' {
                    return end + 1;
                }
                start = end;
            }
            None => return floor,
        }
    }
    start + 1
}

/// The end of the lines behind a place, not behind `ceiling` nor behind an empty line.
fn lines_after(bytes: &[u8], at: usize, ceiling: usize) -> usize {
    let mut end = at;
    for _ in 0..=AROUND.1 {
        match memchr::memchr(b'\n', &bytes[end..ceiling]) {
            Some(next) => {
                end += next + 1;
                if bytes.get(end) == Some(&b'\n') {
                    return end;
                }
            }
            None => return ceiling,
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::super::{Detector, Options};
    use super::*;
    use crate::rule::expand;

    /// What is found, each with its parts in order.
    fn found(template: &str) -> Vec<(String, Vec<(String, String)>)> {
        let text = expand(template, template, None).expect("because the template is well-formed");
        let options = Options::from(0.3);
        let detector = Detector::new(RuleSet::builtin(), Vec::new(), options).expect("because rules are checked");
        let mut out = Vec::new();
        detector.scan(text.as_bytes(), None, &mut out);
        out.iter().map(|m| (m.rule.to_string(), m.parts.clone())).collect()
    }

    fn parts(template: &str) -> Vec<(String, String)> {
        found(template).into_iter().map(|(_, parts)| parts).max_by_key(Vec::len).unwrap_or_default()
    }

    fn named(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_secret_takes_the_id_of_its_vendor_that_stands_nearest() {
        let id = |at: &str| format!("AKIA{at}");
        let (one, two) = (id("QNZGKIQY56JQ7WML"), id("QNZGKIQY56JQ7WMA"));
        let text = format!(
            "[a]\naws_access_key_id = {one}\naws_secret_access_key = <<b64:40>>\n[b]\naws_access_key_id = {two}\naws_secret_access_key = <<b64:40>>\n"
        );
        let secrets: Vec<_> =
            found(&text).into_iter().filter(|(rule, _)| rule != "aws-access-key-id").map(|(_, p)| p).collect();
        assert_eq!(secrets, [named(&[("key-id", &one)]), named(&[("key-id", &two)])]);
    }

    /// What follows the prefix of a key id.
    const ID: &str = "QNZGKIQY56JQ7WML";

    #[test]
    fn ids_of_other_vendors_and_far_ids_are_nobody_s_half() {
        let far = format!("AKIA{ID}\n{}aws_secret_access_key = <<b64:40>>\n", "# a line of notes\n".repeat(9));
        assert!(found(&far).iter().all(|(_, parts)| parts.is_empty()), "{:?}", found(&far));
        let other = format!("AKIA{ID}\nSENDGRID_API_KEY=SG.<<an:22>>.<<an:43>>\n");
        assert!(found(&other).iter().all(|(_, parts)| parts.is_empty()), "{:?}", found(&other));
    }

    #[test]
    fn an_account_s_id_goes_with_its_token() {
        let text = "TWILIO_ACCOUNT_SID=AC<<hex:32>>\nTWILIO_AUTH_TOKEN=<<hex:32>>\n";
        let expanded = expand(text, text, None).expect("because the template is well-formed");
        let sid = expanded[expanded.find("=AC").expect("stands there") + 1..][..34].to_owned();
        assert_eq!(parts(text), named(&[("id", &sid)]));
    }

    #[test]
    fn a_password_has_a_user_and_a_host_around_it() {
        let whole = named(&[("user", "shop"), ("host", "db.harbourfinch.example")]);
        for text in [
            "DB_HOST=db.harbourfinch.example\nDB_USER=shop\nDB_PASSWORD=<<an:12>>\n",
            "db:\n  host: db.harbourfinch.example\n  username: shop\n  password: <<an:12>>\n",
            "connect(host=\"db.harbourfinch.example\", user=\"shop\", password=\"<<an:12>>\")\n",
            "{\"user\": \"shop\", \"password\": \"<<an:12>>\", \"host\": \"db.harbourfinch.example\"}\n",
        ] {
            let mut seen = parts(text);
            seen.sort_by(|a, b| b.cmp(a));
            assert_eq!(seen, whole, "{text}");
        }
    }

    #[test]
    fn the_user_of_another_service_is_not_taken() {
        let text = "SMTP_USER=mailer\nDB_PASSWORD=<<an:12>>\n";
        assert!(parts(text).is_empty(), "{:?}", parts(text));
        let list = "user: shop\npassword: <<an:12>>\nuser: billing\npassword: <<an:12>>\n";
        let users: Vec<_> = found(list).into_iter().map(|(_, parts)| parts).collect();
        assert_eq!(users, [named(&[("user", "shop")]), named(&[("user", "billing")])]);
        assert!(parts("user = os.environ['USER']\npassword = '<<an:12>>'\n").is_empty());
    }

    #[test]
    fn a_url_names_user_host_port_and_database() {
        let seen = parts("DATABASE_URL=postgres://shop:<<an:12>>@db.harbourfinch.example:5433/orders\n");
        for part in
            named(&[("user", "shop"), ("host", "db.harbourfinch.example"), ("port", "5433"), ("database", "orders")])
        {
            assert!(
                seen.contains(&part)
                    || part.0 == "host" && seen.iter().any(|(n, v)| n == "host" && v.starts_with(&part.1)),
                "{part:?} in {seen:?}"
            );
        }
    }
}
