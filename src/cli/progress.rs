//! Where a case is, and the way back: status and undo.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::args::{StatusArgs, UndoArgs};
use super::case::print;
use super::exit::Exit;
use super::ui::Ui;
use crate::config::Home;
use crate::error::Result;
use crate::plan::{Plan, Treatment};
use crate::report::{CaseView, Tame};
use crate::rotation::{State, TakenBack};
use crate::sweep;

/// `offkey status`
pub(super) fn status(args: &StatusArgs) -> Result<Exit> {
    let view = CaseView::open(&args.case.case)?;
    let case = &args.case.case;
    let lines: Vec<Line> = view.plan.treatments.iter().map(|treatment| line(&view, case, treatment)).collect();
    print(|out| {
        let out = &mut Tame::new(out);
        for (treatment, line) in view.plan.treatments.iter().zip(&lines) {
            if args.json {
                let object = json!({
                    "item": treatment.id, "label": treatment.label, "state": line.word, "why": line.why, "next": line.next,
                    "steps": treatment.steps.len(), "done": line.done,
                });
                writeln!(out, "{object}")?;
                continue;
            }
            writeln!(out, "{:<5}{:<9}{}", treatment.id, line.word, treatment.label)?;
            line.why.iter().try_for_each(|why| writeln!(out, "     {why}"))?;
            line.next.iter().try_for_each(|next| writeln!(out, "     next: {next}"))?;
        }
        if !args.json {
            let count = |word: &str| lines.iter().filter(|line| line.word == word).count();
            let words = ["closed", "done", "planned", "waits", "unknown", "stuck", "undone", "open"];
            let tally: Vec<String> =
                words.iter().filter(|word| count(word) > 0).map(|word| format!("{} {word}", count(word))).collect();
            writeln!(out, "{}", tally.join(", "))?;
        }
        out.flush()
    })?;
    Ok(match () {
        () if lines.iter().any(|line| line.word == "unknown") => Exit::Unknown,
        () if lines.iter().all(|line| line.next.is_none()) => Exit::Clean,
        () => Exit::Open,
    })
}

/// What is said of one item.
struct Line {
    word: &'static str,
    why: Option<String>,
    /// The exact next command, or what a person does.
    next: Option<String>,
    done: usize,
}

fn line(view: &CaseView, case: &Path, treatment: &Treatment) -> Line {
    let of = |step: &crate::plan::Step| view.execution.steps.get(&step.id).map(|(state, _)| state);
    let done = treatment.steps.iter().filter(|step| of(step).is_some_and(State::is_confirmed)).count();
    let shown = case.display();
    let resume = format!("offkey resume --case {shown}");
    let again = "offkey sweep … into a new case, which plans with what is there now".to_owned();
    let new = |word, why, next| Line { word, why, next, done };
    let confirmed = view.verdict.as_ref().and_then(|v| v.items.iter().find(|item| item.treatment == treatment.id));
    if let Some(item) = confirmed.filter(|item| item.closed) {
        return new("closed", Some(format!("{:?}", item.evidence).to_lowercase()), None);
    }
    if treatment.steps.is_empty() {
        let todo = confirmed.and_then(|item| item.todo.clone()).unwrap_or_else(|| view.outcome(treatment).1);
        return if treatment.is_open() {
            new("open", Some(todo), Some(format!("offkey confirm --case {shown}, once that is done")))
        } else {
            new("done", Some(todo), None)
        };
    }
    let Some((step, state)) = view.execution.blocked(treatment) else {
        return new("done", None, Some(format!("offkey confirm --case {shown}")));
    };
    let why = state.map(|state| format!("{} {} {}: {state}", step.id, step.action, step.target));
    match state {
        None if done == 0 => {
            let digest = &view.plan.digest()[..12];
            new("planned", None, Some(format!("offkey apply --case {shown} --digest {digest}")))
        }
        None => new("waits", why, Some(resume)),
        Some(State::Confirmed) => new("done", why, None),
        Some(State::Intended | State::Unknown(_)) => {
            new("unknown", why, Some(format!("{resume} (it looks before it repeats anything)")))
        }
        Some(State::Waiting(_)) => new("waits", why, Some(resume)),
        Some(State::NotYet(_)) => new("waits", why, Some(format!("{resume}, when that time has come"))),
        Some(state) if state.is_taken_back_by_hand() => {
            let digest = &view.plan.digest()[..12];
            let after_all =
                format!("offkey apply --case {shown} --digest {digest} carries it out after all; or {again}");
            new("undone", why, Some(after_all))
        }
        Some(State::Undone(_)) => new("undone", why, Some(again)),
        Some(state) if state.wants_another_plan() => new("stuck", why, Some(again)),
        Some(State::Failed(_) | State::Stuck(_)) => new("stuck", why, Some(format!("do what it says, then {resume}"))),
    }
}

/// `offkey undo`
pub(super) fn undo(args: &UndoArgs, home: &Home, ui: Ui) -> Result<Exit> {
    let (plan, taken) = sweep::undo(&args.case.case, &args.items, home, &mut |treatment, step, state| {
        ui.note(format!("{}  {} {}: {state}", treatment.id, step.action, step.target));
    })?;
    let mut clean = true;
    for (id, how) in &taken {
        let label = label(&plan, id);
        match how {
            TakenBack::NotBegun => {}
            TakenBack::Clean => ui.note(format!("{id} ({label}) is as it was before")),
            TakenBack::TooFar(why) => {
                clean = false;
                ui.warn(format!("{id} ({label}) cannot be taken back: {why}"));
            }
            TakenBack::Blocked => {
                clean = false;
                ui.warn(format!("{id} ({label}) is not wholly taken back: offkey status tells more"));
            }
        }
    }
    if taken.iter().all(|(_, how)| *how == TakenBack::NotBegun) {
        ui.note("Nothing was begun, so there is nothing to take back.");
    }
    Ok(if clean { Exit::Clean } else { Exit::Open })
}

fn label<'p>(plan: &'p Plan, id: &str) -> &'p str {
    plan.treatments.iter().find(|one| one.id == id).map_or("", |one| one.label.as_str())
}
