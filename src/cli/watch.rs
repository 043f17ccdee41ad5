//! `offkey watch`: many repositories, again and again; only what is new is told.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use super::args::WatchArgs;
use super::exit::Exit;
use super::listing;
use super::ui::Ui;
use crate::clock;
use crate::config::Home;
use crate::error::{Error, Result};
use crate::finding::Judged;
use crate::gate::{self, Ask, Looked, What};
use crate::report::Listing;
use crate::rule::RuleSet;
use crate::source::{Coverage, git};

/// Runs the command.
pub(super) fn run(args: &WatchArgs, home: Option<&Path>, ui: Ui) -> Result<Exit> {
    listing::check(&args.to)?;
    let home = Home::open(home)?;
    let rules = super::rules::with(&args.rules, ui)?;
    loop {
        let exit = once(args, &rules, &home, ui)?;
        let Some(seconds) = args.every else { return Ok(exit) };
        std::thread::sleep(Duration::from_secs(seconds));
    }
}

/// One look at every repository. One that fails does not keep the others from being looked at.
fn once(args: &WatchArgs, rules: &Arc<RuleSet>, home: &Home, ui: Ui) -> Result<Exit> {
    let began = clock::now().to_string();
    // The key is made at the first look, or no finding could be recognised at the second.
    home.fingerprinter()?;
    let (mut looked, mut failed) = (Vec::new(), Vec::new());
    for repo in repositories(&args.paths)? {
        match look(args, &repo, rules, home) {
            Ok(one) => looked.push((repo, one)),
            Err(error) => {
                ui.warn(format!("{}: {error}", repo.display()));
                failed.push((repo, error.to_string()));
            }
        }
    }
    let exit = report(args, &looked, &failed, rules, began, ui)?;
    looked.iter().try_for_each(|(_, one)| one.remember())?;
    Ok(exit)
}

fn look(args: &WatchArgs, repo: &Path, rules: &Arc<RuleSet>, home: &Home) -> Result<Looked> {
    if args.fetch {
        fetch(repo)?;
    }
    let ask = Ask {
        what: What::Staged,
        repo: repo.to_owned(),
        config: args.config.clone(),
        ledger: None,
        ledger_key: None,
        rules: Arc::clone(rules),
        min_confidence: args.min_confidence,
    };
    gate::watch(&ask, home)
}

/// Brings the remotes' refs by git itself, which knows every transport and where its passwords are.
fn fetch(repo: &Path) -> Result<()> {
    let mut command = Command::new("git");
    command.arg("-C").arg(repo).args(["fetch", "--quiet", "--all", "--prune", "--tags"]);
    command.env("GIT_TERMINAL_PROMPT", "0");
    let failed = |why: String| {
        Error::remote(format!("{} could not be fetched", repo.display()))
            .because(why)
            .still("Nothing of it was looked at.")
            .next("Try `git fetch` there.")
    };
    match command.output() {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(failed(String::from_utf8_lossy(&done.stderr).trim().to_owned())),
        Err(cause) => Err(failed(cause.to_string())),
    }
}

/// The paths that are repositories, and the repositories in those that are folders of them.
fn repositories(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if git::is_repository(path) {
            all.push(path.clone());
            continue;
        }
        let unreadable = |cause| Error::unreadable(path.display(), cause);
        let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
            .map_err(unreadable)?
            .filter_map(|entry| entry.ok().map(|entry| entry.path()).filter(|path| git::is_repository(path)))
            .collect();
        if inside.is_empty() {
            return Err(Error::user(format!("there is no git repository at {} or in it", path.display())));
        }
        inside.sort();
        all.append(&mut inside);
    }
    Ok(all)
}

fn report(
    args: &WatchArgs,
    looked: &[(PathBuf, Looked)],
    failed: &[(PathBuf, String)],
    rules: &RuleSet,
    began: String,
    ui: Ui,
) -> Result<Exit> {
    let (mut judged, mut coverage, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for (repo, one) in looked {
        ui.note(format!("{}: {}", repo.display(), one.how));
        // Many repositories stand in one report: a path alone would not say where.
        let whole = |found: &Judged| Judged { path: format!("{}/{}", repo.display(), found.path), ..found.clone() };
        judged.extend(one.outcome.judged.iter().map(whole));
        coverage.push(one.outcome.coverage.clone());
        notes.extend(one.outcome.notes.iter().map(|note| format!("{}: {note}", repo.display())));
    }
    for (repo, why) in failed {
        let mut account = Coverage::new(repo.display().to_string(), "watch");
        account.fail(repo.display().to_string(), why.clone());
        coverage.push(account);
    }
    judged.sort_by_key(|one| (!one.blocks, one.verdict));
    let times = (began, clock::now().to_string());
    let listing = Listing { judged: &judged, coverage: &coverage, notes: &notes, rules, keyed: true, times };
    listing::write(&listing, args.format, &args.to)?;
    let partial = coverage.iter().any(Coverage::is_partial);
    Ok(match (judged.iter().any(|one| one.blocks), partial) {
        (true, _) => Exit::Findings,
        (false, true) => Exit::Partial,
        (false, false) => Exit::Clean,
    })
}
