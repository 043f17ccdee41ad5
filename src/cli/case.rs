//! The commands of a case: sweep, plan, approve, apply, resume, confirm, report.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::args::{ApplyArgs, ApproveArgs, CaseArgs, ConfirmArgs, ReportArgs, ReportFormat, ResumeArgs, SweepArgs};
use super::exit::Exit;
use super::interrupt::Interrupt;
use super::scan;
use super::ui::Ui;
use crate::audit::Signer;
use crate::config::Home;
use crate::confirm::Verdict;
use crate::error::{Error, Result};
use crate::plan::{Plan, Step, Treatment};
use crate::report::{self, CaseView};
use crate::rotation::{Execution, State};
use crate::source::{Coverage, Progress};
use crate::sweep::{self, Ask, Watcher};

/// `offkey sweep`
pub(super) fn sweep(args: &SweepArgs, home: &Home, ui: Ui) -> Result<Exit> {
    let ask = Ask {
        identity: args.identity.clone(),
        config: args.config.clone(),
        case: args.case.clone(),
        paths: scan::paths(&args.source)?,
        open: scan::options(&args.source),
        rules: super::rules::with(&args.source.rules, ui)?,
        reports: args.source.findings.clone(),
    };
    let swept = {
        let progress = Arc::new(Progress::default());
        let _bar = ui.bar("sweeping", Arc::clone(&progress));
        sweep::sweep(&ask, home, &progress)?
    };
    let view = CaseView::open(&args.case)?;
    print(|out| report::case_text(&view, out))?;
    ui.note(format!(
        "Evidence is signed by key {}; note it where nobody who can write the case can change it.",
        swept.key_id
    ));
    if swept.plan.changes() > 0 {
        let digest = &swept.plan.digest()[..12];
        ui.note(format!(
            "Nothing was changed. To carry the plan out: offkey apply --case {} --digest {digest}",
            args.case.display()
        ));
    }
    Ok(exit(&swept.plan, None, swept.findings.coverage.iter().any(Coverage::is_partial)))
}

/// `offkey plan`
pub(super) fn plan(args: &CaseArgs) -> Result<Exit> {
    let view = CaseView::open(&args.case)?;
    print(|out| report::plan_text(&view, out))?;
    Ok(exit(&view.plan, view.verdict.as_ref(), false))
}

/// `offkey approve`
pub(super) fn approve(args: &ApproveArgs, home: &Home, ui: Ui) -> Result<Exit> {
    let (Some(case), Some(digest)) = (&args.case, &args.digest) else {
        let key = Signer::new(&home.signing_seed()?)?.key_id();
        print(|out| writeln!(out, "{key}"))?;
        return Ok(Exit::Clean);
    };
    let (name, missing) = sweep::approve(case, digest, home)?;
    ui.note(match missing {
        0 => format!(
            "{name} approved. The plan can be carried out: offkey apply --case {} --digest {digest}",
            case.display()
        ),
        1 => format!("{name} approved; one more has to."),
        more => format!("{name} approved; {more} more have to."),
    });
    Ok(Exit::Clean)
}

/// `offkey apply`
pub(super) fn apply(args: &ApplyArgs, home: &Home, ui: Ui) -> Result<Exit> {
    let (case, mut tell, interrupt) = (&args.case.case, teller(ui), Interrupt::listen(&args.case.case, ui)?);
    let watcher = Watcher { tell: &mut tell, stop: interrupt.stop() };
    let (plan, execution) = sweep::apply(case, &args.digest, args.allow, home, watcher)?;
    Ok(carried_out(case, &plan, &execution, &interrupt, ui))
}

/// `offkey resume`
pub(super) fn resume(args: &ResumeArgs, home: &Home, ui: Ui) -> Result<Exit> {
    let (case, mut tell, interrupt) = (&args.case.case, teller(ui), Interrupt::listen(&args.case.case, ui)?);
    let watcher = Watcher { tell: &mut tell, stop: interrupt.stop() };
    let (plan, execution) = sweep::resume(case, &args.let_go, home, watcher)?;
    Ok(carried_out(case, &plan, &execution, &interrupt, ui))
}

/// Says of every step how it ended.
fn teller(ui: Ui) -> impl FnMut(&Treatment, &Step, &State) + Send {
    let mut ended = 0;
    move |treatment, step, state| {
        ended += 1;
        ui.note(format!("{ended:>4}  {}  {} {}: {state}", treatment.id, step.action, step.target));
    }
}

/// What is left to do after a run, and the exit code that says so.
fn carried_out(case: &Path, plan: &Plan, execution: &Execution, interrupt: &Interrupt, ui: Ui) -> Exit {
    let undone: Vec<_> = plan.treatments.iter().filter(|treatment| !execution.is_done(treatment)).collect();
    for treatment in &undone {
        if let Some((step, Some(state))) = execution.blocked(treatment) {
            ui.warn(format!("{} ({}) stopped at {} {}: {state}", treatment.id, treatment.label, step.id, step.action));
        }
    }
    let unknown =
        undone.iter().any(|t| matches!(execution.blocked(t), Some((_, Some(State::Unknown(_) | State::Intended)))));
    let waiting = undone.iter().any(|t| matches!(execution.blocked(t), Some((_, Some(State::Waiting(_))))));
    let shown = case.display();
    let next = if undone.is_empty() {
        format!("offkey confirm --case {shown}")
    } else if interrupt.came() {
        format!("offkey resume --case {shown} goes on where this stopped; offkey undo takes back what can be")
    } else {
        format!("offkey status --case {shown} tells what each of the others needs")
    };
    let (done, all) = (plan.treatments.len() - undone.len(), plan.treatments.len());
    ui.note(format!("{done} of {all} treatments are done. Next: {next}"));
    match (undone.is_empty(), unknown, waiting) {
        (true, ..) if sweep::open_items(plan) == 0 => Exit::Clean,
        (true, ..) => Exit::Open,
        (_, true, _) => Exit::Unknown,
        (_, _, true) => Exit::Remote,
        _ => Exit::Open,
    }
}

/// `offkey confirm`
pub(super) fn confirm(args: &ConfirmArgs, home: &Home, _ui: Ui) -> Result<Exit> {
    let (plan, verdict) = sweep::confirm(&args.case.case, home)?;
    let view = CaseView::open(&args.case.case)?;
    print(|out| report::verdict_text(&view, out))?;
    Ok(exit(&plan, Some(&verdict), verdict.partial))
}

/// `offkey report`
pub(super) fn report(args: &ReportArgs) -> Result<Exit> {
    let view = CaseView::open(&args.case.case)?;
    let render = |out: &mut dyn Write| match args.format {
        ReportFormat::Text => report::case_text(&view, out),
        ReportFormat::Json => report::case_json(&view, out),
        ReportFormat::Html => report::case_html(&view, out),
    };
    match &args.output {
        None => print(render)?,
        Some(path) => {
            let mut text = Vec::new();
            super::ended_early(render(&mut text))?;
            std::fs::write(path, text).map_err(|cause| Error::unwritable(path.display(), cause))?;
        }
    }
    let partial = view.findings.coverage.iter().any(Coverage::is_partial);
    Ok(exit(&view.plan, view.verdict.as_ref(), partial))
}

pub(super) fn print(render: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    super::ended_early(render(&mut out).and_then(|()| out.flush()))
}

/// 11 while something is open, 12 when something was not read, else 0.
fn exit(plan: &Plan, verdict: Option<&Verdict>, partial: bool) -> Exit {
    let open = match verdict {
        Some(verdict) => !verdict.complete,
        None => plan.changes() > 0 || sweep::open_items(plan) > 0,
    };
    match (open, partial) {
        (true, _) => Exit::Open,
        (false, true) => Exit::Partial,
        (false, false) => Exit::Clean,
    }
}
