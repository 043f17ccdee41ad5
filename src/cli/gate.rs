//! `offkey gate`: judges what a change adds to a repository.

use std::io::Read;
use std::path::Path;

use super::args::{GateArgs, ListingFormat};
use super::exit::Exit;
use super::listing;
use super::pipeline;
use super::ui::Ui;
use crate::clock;
use crate::config::Home;
use crate::error::{Error, Result};
use crate::gate::{self, Ask, Pushed, What};
use crate::report::Listing;

/// Runs the command.
pub(super) fn run(args: &GateArgs, home: Option<&Path>, ui: Ui) -> Result<Exit> {
    let began = clock::now().to_string();
    listing::check(&args.to)?;
    let (what, format) = if args.ci {
        let found = pipeline::find(&variable)?;
        (found.what, found.format)
    } else {
        (what(args)?, ListingFormat::Text)
    };
    let ask = Ask {
        what,
        repo: args.repo.clone(),
        config: args.config.clone(),
        ledger: args.ledger.clone().or_else(|| variable("OFFKEY_LEDGER").map(Into::into)),
        ledger_key: args.ledger_key.clone().or_else(|| variable("OFFKEY_LEDGER_SIGNER")),
        rules: super::rules::with(&args.rules, ui)?,
        min_confidence: args.min_confidence,
    };
    let outcome = gate::gate(&ask, Home::existing(home).as_ref())?;
    for note in &outcome.notes {
        ui.note(format!("note: {note}"));
    }
    let listing = Listing {
        judged: &outcome.judged,
        coverage: std::slice::from_ref(&outcome.coverage),
        notes: &outcome.notes,
        rules: &ask.rules,
        keyed: outcome.keyed,
        times: (began, clock::now().to_string()),
    };
    listing::write(&listing, args.format.unwrap_or(format), &args.to)?;
    Ok(match (outcome.blocks(), outcome.coverage.is_partial()) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Partial,
        (false, false) => Exit::Clean,
    })
}

/// A variable that is set to something: pipelines set what they do not know to nothing.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn what(args: &GateArgs) -> Result<What> {
    if let Some(range) = &args.range {
        let (from, to) =
            range.split_once("..").filter(|(from, to)| !from.is_empty() && !to.is_empty()).ok_or_else(|| {
                Error::user(format!("{range} is not a range")).next("Write A..B, for example v1.0..HEAD.")
            })?;
        return Ok(match to.strip_prefix('.') {
            Some(to) => What::MergeRequest { base: from.to_owned(), head: to.to_owned() },
            None => What::Range(from.to_owned(), to.to_owned()),
        });
    }
    if let Some(base) = &args.base {
        return Ok(What::MergeRequest { base: base.clone(), head: args.head.clone() });
    }
    if let Some(path) = &args.patch {
        return Ok(What::Patch(input(path)?));
    }
    if args.pre_receive {
        let refs = refs(&input(Path::new("-"))?, "pre-receive", "OLD NEW REF", received)?;
        return Ok(What::Push(refs));
    }
    if let Some(remote) = &args.pre_push {
        let refs = refs(&input(Path::new("-"))?, "pre-push", "REF NEW REMOTE-REF OLD", pushing)?;
        return Ok(What::Pushing { refs, remote: remote.clone() });
    }
    Ok(What::Staged)
}

/// Lines of words, as git gives them to a hook.
fn refs(text: &[u8], hook: &str, form: &str, one: fn(&[&str]) -> Option<Pushed>) -> Result<Vec<Pushed>> {
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        one(&line.split_whitespace().collect::<Vec<_>>()).ok_or_else(|| {
            Error::user(format!("standard input does not hold the lines of a {hook} hook"))
                .next(format!("Each line is {form}; git writes them when it calls the hook."))
        })
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(line).collect()
}

fn received(words: &[&str]) -> Option<Pushed> {
    let [old, new, name] = words else { return None };
    Some(Pushed { old: (*old).to_owned(), new: (*new).to_owned(), name: (*name).to_owned() })
}

fn pushing(words: &[&str]) -> Option<Pushed> {
    let [_, new, name, old] = words else { return None };
    Some(Pushed { old: (*old).to_owned(), new: (*new).to_owned(), name: (*name).to_owned() })
}

fn input(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|cause| Error::unreadable(path.display(), cause))
}
