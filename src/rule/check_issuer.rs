//! Checks the tables of an issuer: what would send a value where it does not belong, or call something dead that is not.

use std::collections::BTreeSet;

use super::issuer::{About, Answer, Call, Issuer, Table, filters, names};

/// What a top-level table of a rule file may be called.
const TABLES: &[&str] = &["provider", "rule", "issuer", "validate", "issue", "revoke"];

/// Filters of templates.
const FILTERS: &[&str] =
    &["sha256", "sha512", "last4", "last6", "last8", "first8", "first16", "part2", "dash3", "json"];

/// Which list of tables is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Validate,
    Issue,
    Revoke,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::Issue => "issue",
            Self::Revoke => "revoke",
        }
    }
}

/// Line and reason of everything that is wrong with the tables of a file.
pub(super) fn check(text: &str) -> Vec<(usize, String)> {
    let mut problems = Vec::new();
    if let Ok(file) = text.parse::<toml::Table>() {
        for name in file.keys().filter(|name| !TABLES.contains(&name.as_str())) {
            problems.push((line_of(text, name, 0), format!("unknown table {name}")));
        }
    }
    let issuer: Issuer = match toml::from_str(text) {
        Ok(issuer) => issuer,
        Err(error) => {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            problems.push((line, error.message().to_owned()));
            return problems;
        }
    };
    let lists = [(Kind::Validate, &issuer.validate), (Kind::Issue, &issuer.issue), (Kind::Revoke, &issuer.revoke)];
    let Some(about) = &issuer.about else {
        for (kind, list) in lists {
            if !list.is_empty() {
                problems.push((line_of(text, kind.name(), 0), "needs an [issuer] table".to_owned()));
            }
        }
        return problems;
    };
    problems.extend(about_issuer(about).into_iter().map(|why| (line_of(text, "issuer", 0), why)));
    for (kind, list) in lists {
        let mut taken: BTreeSet<(&str, &str)> = BTreeSet::new();
        for (number, table) in list.iter().enumerate() {
            let why = of_table(&issuer, about, table, kind, &mut taken);
            problems.extend(why.into_iter().map(|why| (line_of(text, kind.name(), number), why)));
        }
    }
    problems
}

fn line_of(text: &str, table: &str, number: usize) -> usize {
    let (one, many) = (format!("[{table}]"), format!("[[{table}]]"));
    let is_head = |line: &&str| line.trim_start().starts_with(&one) || line.trim_start().starts_with(&many);
    let mut heads = text.lines().enumerate().filter(|(_, line)| is_head(line));
    heads.nth(number).map_or(0, |(line, _)| line + 1)
}

fn about_issuer(about: &About) -> Vec<String> {
    let mut why = Vec::new();
    for base in about.base.iter().chain(about.also.values()) {
        if !base.starts_with("https://") || base.ends_with('/') || base.contains(['?', '#', '@']) {
            why.push("an address begins with https:// and ends without a slash".to_owned());
        }
    }
    if !about.source.starts_with("https://") {
        why.push("source is not an address".to_owned());
    }
    if about.rate.is_some_and(|rate| rate.calls == 0 || rate.seconds == 0) {
        why.push("a rate of nothing".to_owned());
    }
    if about.headers.values().any(|value| names(value).any(|name| name == "secret" || name == "admin")) {
        why.push("a header of every call holds no value: say in each step what it sends".to_owned());
    }
    why
}

fn of_table<'t>(
    issuer: &Issuer,
    about: &About,
    table: &'t Table,
    kind: Kind,
    taken: &mut BTreeSet<(&'t str, &'t str)>,
) -> Vec<String> {
    let mut why = Vec::new();
    let mut wrong = |bad: bool, text: String| {
        if bad {
            why.push(text);
        }
    };
    wrong(table.rules.is_empty(), "names no rule".to_owned());
    wrong(!table.source.starts_with("https://"), "source is not an address".to_owned());
    wrong(table.steps.is_empty(), "has no step".to_owned());
    wrong((kind == Kind::Validate) == table.retry.is_some(), "retry belongs to [issue] and [revoke] only".to_owned());
    wrong(kind != Kind::Validate && !table.learn.is_empty(), "learn belongs to [validate] only".to_owned());
    let public = ["{{secret|part2}}", "{{secret|dash3}}"];
    wrong(
        table.learn.values().any(|template| !public.contains(&template.as_str())),
        "only a public part of the value may be learned: {{secret|part2}}, {{secret|dash3}}".to_owned(),
    );
    wrong(kind != Kind::Issue && !table.discard.is_empty(), "discard belongs to [issue] only".to_owned());
    for rule in &table.rules {
        wrong(!issuer.rule.iter().any(|known| known.id == *rule), format!("there is no rule {rule} in this file"));
        let any = [String::new()];
        let prefixes = if table.prefixes.is_empty() { &any[..] } else { &table.prefixes[..] };
        let mut twice = taken.contains(&(rule.as_str(), ""));
        for prefix in prefixes {
            twice |= taken.iter().any(|(other, known)| *other == rule && known.starts_with(prefix.as_str()));
        }
        wrong(twice, format!("{rule} has such a table already"));
        let proven = Issuer::table(&issuer.validate, rule).is_some();
        wrong(kind != Kind::Validate && !proven, format!("{rule} has no [validate]: nothing could prove it dead"));
    }
    wrong(
        table.uses("admin") && about.admin.is_none(),
        "uses {{admin}}, and [issuer] does not say what it is".to_owned(),
    );
    let keeps_secret = table.steps.iter().any(|call| call.kept().any(|name| name == "secret"));
    wrong(kind == Kind::Issue && !keeps_secret, "keeps no secret".to_owned());
    if kind == Kind::Validate {
        wrong(!table.steps.iter().any(|call| !call.dead.is_empty()), "no answer of its steps says dead".to_owned());
        wrong(!table.uses("secret"), "never sends the value".to_owned());
    }
    let mut known: BTreeSet<&str> = BTreeSet::from(["secret", "admin", "op"]);
    for (number, call) in table.steps.iter().enumerate() {
        let last = number + 1 == table.steps.len();
        why.extend(
            of_call(about, call, kind, last, &known).into_iter().map(|text| format!("step {}: {text}", number + 1)),
        );
        known.extend(call.kept());
    }
    let mut known: BTreeSet<&str> = BTreeSet::from(["secret", "admin", "op"]);
    for (number, call) in table.discard.iter().enumerate() {
        let found = of_call(about, call, Kind::Revoke, number + 1 == table.discard.len(), &known);
        why.extend(found.into_iter().map(|text| format!("discard {}: {text}", number + 1)));
        known.extend(call.kept());
    }
    why
}

fn of_call(about: &About, call: &Call, kind: Kind, last: bool, known: &BTreeSet<&str>) -> Vec<String> {
    let mut why = Vec::new();
    let mut wrong = |bad: bool, text: &str| {
        if bad {
            why.push(text.to_owned());
        }
    };
    let (method, path) = call.method_and_path();
    wrong(!["GET", "POST", "PUT", "PATCH", "DELETE"].contains(&method), "send is METHOD /path");
    wrong(!path.starts_with('/') || path.starts_with("//") || path.contains("://"), "the path begins with one slash");
    wrong(call.elsewhere().is_some_and(|name| !about.also.contains_key(name)), "[issuer] has no such address");
    wrong(kind == Kind::Validate && last && !call.next.is_empty(), "there is no next step");
    wrong(kind != Kind::Validate && (call.enough || !call.next.is_empty()), "next and enough belong to [validate]");
    // A hash gives nothing away, and this part of such tokens is their public id.
    let harmless = ["{{secret|sha512}}", "{{secret|sha256}}", "{{secret|part2}}", "{{secret|dash3}}"];
    let in_path = harmless.iter().fold(path.to_owned(), |path, name| path.replace(name, ""));
    wrong(
        names(&in_path).any(|name| name == "secret" || name == "admin"),
        "a value never stands in an address: addresses are logged everywhere",
    );
    let ways = [call.bearer.is_some(), call.basic.is_some()].iter().filter(|way| **way).count();
    wrong(ways > 1, "bearer and basic are one header");
    wrong(call.json.is_some() && !call.form.is_empty(), "json and form are one body");
    let decides = if kind == Kind::Validate { &call.live } else { &call.done };
    let later = kind == Kind::Revoke && last && !call.accepted.is_empty();
    wrong(decides.is_empty() && !later, if kind == Kind::Validate { "needs live" } else { "needs done" });
    let foreign = match kind {
        Kind::Validate => !call.done.is_empty() || !call.accepted.is_empty() || !call.gone.is_empty(),
        _ => !call.live.is_empty() || !call.dead.is_empty(),
    };
    wrong(foreign, "live and dead belong to [validate], done, accepted and gone to the others");
    wrong(!call.accepted.is_empty() && (!last || kind != Kind::Revoke), "only the last step of [revoke] is accepted");
    wrong(
        call.dead.iter().chain(&call.gone).any(proves_nothing),
        "429 and 5xx prove nothing, 403 and 2xx only by what the body says",
    );
    let asks_as_admin = call.templates().flat_map(names).any(|name| name == "admin");
    let unauthorised = call.dead.iter().chain(&call.gone).any(|answer| answer.status == 401 && !answer.looks_inside());
    wrong(asks_as_admin && unauthorised, "401 to the administrator's credential says nothing about the value");
    wrong(
        call.live.iter().chain(&call.done).any(|answer| !(200..300).contains(&answer.status) && !answer.looks_inside()),
        "a success is 2xx, or says so in its body",
    );
    let answers = [&call.live, &call.dead, &call.done, &call.accepted, &call.gone];
    wrong(answers.into_iter().flatten().any(|answer| answer.at.is_none() && !answer.is.is_empty()), "is needs at");
    for name in call.templates().chain([path]).flat_map(names) {
        let fine = match name.split_once('.') {
            Some(("param", param)) => about.params.contains_key(param),
            Some(("fact", fact)) => !fact.is_empty(),
            _ => known.contains(name),
        };
        wrong(!fine, &format!("{{{{{name}}}}} is not known here"));
    }
    for (_, filter) in call.templates().chain([path]).flat_map(filters) {
        wrong(!FILTERS.contains(&filter), &format!("unknown filter {filter}"));
    }
    why
}

/// Answers that may come although the credential lives.
fn proves_nothing(answer: &Answer) -> bool {
    match answer.status {
        429 | 500.. => true,
        403 | 200..300 => !answer.looks_inside(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"[provider]
id = "x"
name = "X"
site = "https://x.example"

[issuer]
base = "https://api.x.example"
source = "https://x.example/api"
admin = "a token of an administrator"
rate = { calls = 60, seconds = 60 }

[validate]
rules = ["x-token"]
source = "https://x.example/api#me"
[[validate.step]]
send = "GET /me"
bearer = "{{secret}}"
live = [200]
dead = [401, { status = 403, at = "/code", is = ["revoked"] }]

[revoke]
rules = ["x-token"]
source = "https://x.example/api#delete"
retry = "safe"
[[revoke.step]]
send = "GET /tokens"
bearer = "{{admin}}"
done = [200]
pick = { list = "/tokens", at = "/hash", is = "{{secret|sha512}}", keep = { id = "/id" } }
[[revoke.step]]
send = "DELETE /tokens/{{id}}"
bearer = "{{admin}}"
done = [204]
accepted = [202]
gone = [404]

[[rule]]
id = "x-token"
"#;

    #[test]
    fn good_tables_pass() {
        assert_eq!(check(GOOD), []);
    }

    #[test]
    fn each_fault_is_named_with_its_line() {
        let cases = [
            ("https://api.x.example\"", "http://api.x.example\"", 6, "begins with https://"),
            ("GET /me", "GET /me/{{secret}}", 12, "never stands in an address"),
            ("GET /me", "FETCH /me", 12, "METHOD"),
            ("dead = [401,", "dead = [403,", 12, "403 and 2xx only by what the body says"),
            ("dead = [401,", "dead = [503,", 12, "prove nothing"),
            ("live = [200]\n", "", 12, "needs live"),
            ("live = [200]", "live = [200]\ncolour = 1", 19, "unknown field `colour`"),
            ("live = [200]", "live = [\"yes\"]", 18, "a status"),
            ("admin = \"a token of an administrator\"\n", "", 20, "does not say what it is"),
            ("retry = \"safe\"\n", "", 21, "retry belongs"),
            ("{{id}}", "{{other}}", 21, "{{other}} is not known here"),
            ("gone = [404]", "gone = [401]", 21, "says nothing about the value"),
            ("sha512", "rot13", 21, "unknown filter"),
            ("id = \"x-token\"", "id = \"x-other\"", 12, "there is no rule x-token"),
            ("[revoke]", "[revocation]", 21, "unknown table revocation"),
        ];
        for (from, to, line, expected) in cases {
            let problems = check(&GOOD.replacen(from, to, 1));
            assert!(problems.iter().any(|(at, why)| *at == line && why.contains(expected)), "{expected}: {problems:?}");
        }
    }

    #[test]
    fn what_cannot_be_proven_dead_is_not_revoked() {
        let text = GOOD.replace("[validate]\nrules = [\"x-token\"]", "[validate]\nrules = [\"x-other\"]");
        let text = format!("{text}\n[[rule]]\nid = \"x-other\"\n");
        assert!(check(&text).iter().any(|(_, why)| why.contains("nothing could prove it dead")), "{:?}", check(&text));
    }
}
