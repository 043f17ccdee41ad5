//! `offkey gate`: judges what a change adds to a repository.

use std::io::Read;
use std::path::Path;

use super::args::GateArgs;
use super::exit::Exit;
use super::listing;
use super::ui::Ui;
use crate::clock;
use crate::config::Home;
use crate::error::{Error, Result};
use crate::gate::{self, Ask, What};
use crate::report::Listing;
use crate::rule::RuleSet;

/// Runs the command.
pub(super) fn run(args: &GateArgs, home: Option<&Path>, ui: Ui) -> Result<Exit> {
    let began = clock::now().to_string();
    let ask = Ask {
        what: what(args)?,
        repo: args.repo.clone(),
        config: args.config.clone(),
        ledger: args.ledger.clone(),
        ledger_key: args.ledger_key.clone(),
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
        rules: &RuleSet::builtin(),
        keyed: outcome.keyed,
        times: (began, clock::now().to_string()),
    };
    listing::write(&listing, args.format, args.output.as_deref(), &args.report)?;
    Ok(match (outcome.blocks(), outcome.coverage.is_partial()) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Partial,
        (false, false) => Exit::Clean,
    })
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
        return pushed(&input(Path::new("-"))?);
    }
    Ok(What::Staged)
}

fn pushed(text: &[u8]) -> Result<What> {
    let text = String::from_utf8_lossy(text);
    let line = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        words.next().zip(words.next()).zip(words.next()).map(|((old, new), name)| (old, new, name)).ok_or_else(|| {
            Error::user("standard input does not hold the lines of a pre-receive hook")
                .next("Each line is OLD NEW REF; git writes them when it calls the hook.")
        })
    };
    text.lines().filter(|l| !l.trim().is_empty()).map(line).collect::<Result<_>>().map(What::Push)
}

fn input(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    read.map_err(|cause| Error::user(format!("{} cannot be read", path.display())).because(cause))
}
