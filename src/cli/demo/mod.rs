//! `offkey demo`: builds a small company in a folder of its own, lets somebody leave, and walks the whole story on the
//! embedded systems: local files as stores, the keyring as issuer.

mod company;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::DemoArgs;
use super::exit::Exit;
use super::ui::Ui;
use crate::audit;
use crate::config::Home;
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::plan::{Step, Treatment};
use crate::report::{self, CaseView};
use crate::rotation::State;
use crate::source::{OpenOptions, Progress};
use crate::sweep::{self, Ask, Watcher};
use company::Company;

/// Runs the command.
pub(super) fn run(args: &DemoArgs, ui: Ui) -> Result<Exit> {
    let dir = folder(args.dir.as_deref())?;
    let mut stage = Stage { number: 0 };
    stage.title("A small company");
    let company = Company::found(&dir)?;
    stage.say(company.story());

    stage.title("Alice Moreau leaves: offkey looks, and changes nothing");
    let home = Home::open(Some(&dir.join("home")))?;
    let ask = Ask {
        identity: dir.join("alice.toml"),
        config: dir.join("offkey.toml"),
        case: dir.join("case"),
        paths: company.paths(),
        open: OpenOptions::default(),
        rules: crate::rule::RuleSet::builtin(),
        reports: Vec::new(),
    };
    let swept = sweep::sweep(&ask, &home, &Progress::default())?;
    let case = &ask.case;
    show(case, report::case_text)?;

    stage.title("The plan, and what is approved");
    show(case, report::plan_text)?;

    stage.title("Apply: each step is logged before it is done, and looked at after it");
    let digest = swept.plan.digest();
    let mut tell = |treatment: &Treatment, step: &Step, state: &State| {
        let done = if state.is_confirmed() { "done".to_owned() } else { format!("{state:?}") };
        ui.note(format!("  {} {} {}: {done}", treatment.id, step.action, short(&step.target.to_string(), &dir)));
    };
    let watcher = Watcher { tell: &mut tell, stop: Arc::default() };
    let (plan, execution) = sweep::apply(case, &digest, None, &home, watcher)?;
    let done = plan.treatments.iter().filter(|treatment| execution.is_done(treatment)).count();
    stage.say(&format!("{done} of {} items carried out.", plan.treatments.len()));

    stage.title("Confirm: ask the live service again, read all the text again");
    let (_, verdict) = sweep::confirm(case, &home)?;
    show(case, report::verdict_text)?;
    for (what, liveness) in company.try_old_values() {
        let answer = match liveness {
            Liveness::Live => "STILL WORKS".to_owned(),
            Liveness::Dead(why) => why,
            Liveness::Unknown(why) => format!("not known: {why}"),
        };
        stage.say(&format!("logging in with the old {what}: {answer}"));
    }

    stage.title("Evidence");
    let verified = audit::verify(case, Some(&swept.key_id))?;
    stage.say(&format!(
        "{} log entries, chained, in a Merkle tree, signed by key {}.",
        verified.entries, verified.key_id
    ));
    let page = dir.join("report.html");
    let mut html = Vec::new();
    super::ended_early(report::case_html(&CaseView::open(case)?, &mut html))?;
    std::fs::write(&page, html).map_err(|cause| Error::unwritable(page.display(), cause))?;
    stage.say(&format!("The report for people: {}", page.display()));
    stage.say(&format!("Look around in {}; nothing outside of it was touched.", dir.display()));
    Ok(if verdict.complete { Exit::Clean } else { Exit::Open })
}

/// A new folder in the place for temporary files, or the one that was asked for, which must be empty.
fn folder(asked: Option<&Path>) -> Result<PathBuf> {
    let failed = |cause| Error::user("the demo's folder cannot be made").because(cause);
    let Some(asked) = asked else {
        return Ok(tempfile::Builder::new().prefix("offkey-demo-").tempdir().map_err(failed)?.keep());
    };
    std::fs::create_dir_all(asked).map_err(failed)?;
    if std::fs::read_dir(asked).map_err(failed)?.next().is_some() {
        return Err(Error::user(format!("{} is not empty", asked.display())).next("Name a new folder."));
    }
    std::path::absolute(asked).map_err(failed)
}

/// Paths inside the demo's folder, without it.
fn short(text: &str, dir: &Path) -> String {
    text.replace(&format!("{}/", dir.display()), "")
}

fn show(case: &Path, render: fn(&CaseView, &mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut text = Vec::new();
    super::ended_early(render(&CaseView::open(case)?, &mut text))?;
    let dir = case.parent().unwrap_or(case);
    super::ended_early(std::io::stdout().lock().write_all(short(&String::from_utf8_lossy(&text), dir).as_bytes()))
}

/// Prints the story's headings.
struct Stage {
    number: u32,
}

impl Stage {
    fn title(&mut self, text: &str) {
        self.number += 1;
        self.say(&format!("\n=== {}. {text}\n", self.number));
    }

    fn say(&self, text: &str) {
        // A closed pipe ends the story early, which is the reader's wish.
        let _ = writeln!(std::io::stdout().lock(), "{text}");
    }
}
