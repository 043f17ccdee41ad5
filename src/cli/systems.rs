//! `offkey systems …`: the stores and providers that offkey.toml can name. The pages docs/stores.md and docs/providers.md are
//! made by it.

use std::io::Write;

use super::args::{Systems, SystemsArgs, SystemsFormat};
use super::exit::Exit;
use crate::config::{About, providers, stores};
use crate::error::Result;
use crate::rule::RuleSet;
use crate::rule::issuer::{Issuer, Table};

/// Runs the command.
pub(super) fn run(args: &SystemsArgs) -> Result<Exit> {
    let all: Vec<&About> = match args.which {
        Systems::Stores => stores().collect(),
        Systems::Providers => providers().collect(),
    };
    let mut out = std::io::stdout().lock();
    let print = match (args.format, args.which) {
        (SystemsFormat::Text, _) => lines(&all, &mut out),
        (SystemsFormat::Markdown, Systems::Stores) => store_page(&all, &mut out),
        (SystemsFormat::Markdown, Systems::Providers) => provider_page(&all, &mut out),
    };
    super::ended_early(print)?;
    Ok(Exit::Clean)
}

fn lines(all: &[&About], out: &mut impl Write) -> std::io::Result<()> {
    all.iter().try_for_each(|one| writeln!(out, "{:<12} {}: {}", one.kind, one.what, one.proof.words()))
}

const STORES: &str = "\
# Stores: where values are kept

Made by `offkey systems stores --format markdown`. How well each is proven: *live* on a real server by the tests; *emulator* on
one that enforces authentication; *contract* on a small server that keeps state by the documented rules; *own* is offkey's
code on both sides.

What all have in common: a new value waits where no consumer looks until the target accepts it; what somebody else wrote in the
meantime is never overwritten knowingly; an empty or masked text is neither taken for a value nor written back; older values
are made unreadable at the end. A store whose fence reads once more right before it writes has no check-and-set: a change in that
moment is lost.
";

fn store_page(all: &[&About], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{STORES}")?;
    table(["what", "new value waits", "fenced by"], all, out)?;
    writeln!(out, "\nKeys of their tables, and what the ones over HTTP leave out: `docs/config.md`, `docs/shelves.md`.")
}

const PROVIDERS: &str = "\
# Providers: who issued a value and can end it

Made by `offkey systems providers --format markdown`. The words for how well each is proven are those of `docs/stores.md`.
";

const ISSUERS: &str = "
## Issuers over HTTP

What the rule files describe (`docs/issuers.md`). Kinds are rule ids without the issuer's name; *needs* is what offkey.toml has to
give: `admin` and most `params` only for revocations. Every one is contract-tested: the exchanges that its pages document are played
on loopback, with 401, 403, 429, 5xx, web pages and silence. None was asked for real.
";

fn provider_page(all: &[&About], out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "{PROVIDERS}")?;
    table(["what", "does", "finds of the leaver"], all, out)?;
    writeln!(out, "{ISSUERS}")?;
    writeln!(out, "| issuer | asked whether it lives | issues | revokes | needs |\n|---|---|---|---|---|")?;
    for (id, issuer) in RuleSet::issuers() {
        let kinds = |tables: &[Table]| {
            let rules = tables.iter().flat_map(|table| &table.rules);
            let short = rules.map(|rule| rule.strip_prefix(id.as_str()).map_or(rule.as_str(), |rest| &rest[1..]));
            // Kinds of tokens under one rule may end in different ways, each by a table of its own.
            let mut named: Vec<&str> = Vec::new();
            short.for_each(|name| {
                if !named.contains(&name) {
                    named.push(name)
                }
            });
            or_dash(named)
        };
        let (live, issue, revoke) = (kinds(&issuer.validate), kinds(&issuer.issue), kinds(&issuer.revoke));
        writeln!(out, "| `{id}` | {live} | {issue} | {revoke} | {} |", or_dash(needs(issuer)))?;
    }
    Ok(())
}

fn table(columns: [&str; 3], all: &[&About], out: &mut impl Write) -> std::io::Result<()> {
    let [what, first, second] = columns;
    writeln!(out, "| type | {what} | {first} | {second} | proven | tests |\n|---|---|---|---|---|---|")?;
    all.iter().try_for_each(|one| {
        let tests: Vec<String> = one.tests.iter().map(|test| format!("`{test}`")).collect();
        let [first, second] = one.columns;
        let (kind, what, proof) = (one.kind, one.what, one.proof.words());
        writeln!(out, "| `{kind}` | {what} | {first} | {second} | {proof} | {} |", tests.join(", "))
    })
}

/// What a person has to give in offkey.toml.
fn needs(issuer: &Issuer) -> Vec<String> {
    let Some(about) = &issuer.about else { return Vec::new() };
    let address = about.base.is_none().then(|| "address".to_owned());
    let admin = about.admin.is_some().then(|| "admin".to_owned());
    let params = about.params.keys().map(|name| format!("params.{name}"));
    address.into_iter().chain(admin).chain(params).collect()
}

fn or_dash<T: AsRef<str>>(list: Vec<T>) -> String {
    let texts: Vec<&str> = list.iter().map(AsRef::as_ref).collect();
    if texts.is_empty() { "—".to_owned() } else { texts.join(", ") }
}
