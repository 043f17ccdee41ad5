//! A case at the terminal.

use std::io::{self, Write};

use super::words::{Tame, account, counted, items};
use super::{CaseView, verb};
use crate::confirm::Evidence;
use crate::plan::Treatment;
use crate::source::Coverage;

/// Lines shown of a long list.
const SHOWN: usize = 5;

/// Everything: what was found, whose, where, what is done about it, what is open, what was not looked at.
///
/// # Errors
/// Those of the writer; so for the others.
pub fn case_text(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let (identity, out) = (&view.request.identity, &mut Tame::new(out));
    writeln!(out, "Case of {}, opened {}", identity.name, super::moment(&view.request.opened))?;
    writeln!(
        out,
        "{}: {}",
        counted(identity.aliases.len(), "name"),
        identity.aliases.iter().map(|a| a.value.as_str()).collect::<Vec<_>>().join(", ")
    )?;
    writeln!(out)?;
    view.plan.treatments.iter().try_for_each(|treatment| item(view, treatment, out))?;
    others(view, out)?;
    coverage(view, out)?;
    notes(view, out)?;
    writeln!(out, "Evidence: {}", view.evidence())?;
    writeln!(out)?;
    summary(view, out)?;
    out.flush()
}

/// The plan with its steps and its digest.
///
/// # Errors
/// Those of the writer.
pub fn plan_text(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let out = &mut Tame::new(out);
    for treatment in &view.plan.treatments {
        writeln!(out, "{}  {}: {}", treatment.id, verb(&treatment.disposition), treatment.label)?;
        for step in &treatment.steps {
            let state = view
                .execution
                .steps
                .get(&step.id)
                .map_or("", |(state, _)| if state.is_confirmed() { "  done" } else { "  begun" });
            writeln!(out, "    {:<6} {:<16} {}{state}", step.id, step.action, step.target)?;
        }
        if treatment.steps.is_empty() {
            writeln!(out, "    {}", view.outcome(treatment).1)?;
        }
    }
    notes(view, out)?;
    writeln!(out, "\n{}, {} allowed at once", counted(view.plan.changes(), "change"), view.plan.cap)?;
    writeln!(out, "digest {}", view.plan.digest())?;
    out.flush()
}

/// What the second look said.
///
/// # Errors
/// Those of the writer.
pub fn verdict_text(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let out = &mut Tame::new(out);
    for treatment in &view.plan.treatments {
        let (state, why) = view.outcome(treatment);
        writeln!(out, "{:<4} {state:<8} {}: {why}", treatment.id, treatment.label)?;
    }
    summary(view, out)?;
    out.flush()
}

fn item(view: &CaseView, treatment: &Treatment, out: &mut dyn Write) -> io::Result<()> {
    let (state, why) = view.outcome(treatment);
    writeln!(out, "{}  {}  [{}, {state}]", treatment.id, treatment.label, verb(&treatment.disposition))?;
    writeln!(out, "    {why}")?;
    if treatment.credential.is_none() {
        treatment.why.iter().take(SHOWN).try_for_each(|why| writeln!(out, "    because {why}"))?;
    }
    for exposure in view.exposures(treatment.credential).take(SHOWN) {
        let reason = exposure.reasons.first().map_or("", String::as_str);
        writeln!(out, "    {} {}: {reason}", exposure.person, exposure.relation.label())?;
    }
    if let Some(record) = view.record(treatment.credential) {
        record.findings.iter().take(SHOWN).try_for_each(|place| writeln!(out, "    at {}", place.shown))?;
        if record.findings.len() > SHOWN {
            writeln!(out, "    and {}", counted(record.findings.len() - SHOWN, "more place"))?;
        }
    }
    writeln!(out)
}

/// What somebody who approves the plan should know beside it.
fn notes(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    view.plan.notes.iter().try_for_each(|note| writeln!(out, "note: {note}"))?;
    if !view.plan.canaries.is_empty() {
        let (go, have) = if view.plan.canaries.len() == 1 { ("goes", "has") } else { ("go", "have") };
        let canaries = view.plan.canaries.join(", ");
        writeln!(out, "note: {canaries} {go} first and {have} to work before the others begin")?;
    }
    if let Some(approval) = &view.plan.approval {
        let names: Vec<&str> = approval.by.iter().map(|one| one.name.as_str()).collect();
        writeln!(out, "note: {} of these have to approve it: {}", approval.needed, names.join(", "))?;
    }
    Ok(())
}

fn others(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let others: Vec<_> = view.others().collect();
    if others.is_empty() {
        return Ok(());
    }
    writeln!(out, "Found as well, nothing ties it to {}:", view.request.identity.name)?;
    for record in others.iter().take(SHOWN) {
        let place = record.findings.first().map_or("", |place| place.shown.as_str());
        writeln!(out, "    {} at {place}", record.label)?;
    }
    if others.len() > SHOWN {
        writeln!(out, "    and {} more", others.len() - SHOWN)?;
    }
    writeln!(out)
}

fn coverage(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Looked at:")?;
    view.findings.coverage.iter().try_for_each(|one| account(one, "    ", out))?;
    for refused in view.findings.unsearched.iter().take(SHOWN) {
        writeln!(out, "    not searched for: {refused}")?;
    }
    Ok(())
}

fn summary(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let open = view.plan.treatments.iter().filter(|t| matches!(view.outcome(t).0, "open")).count();
    let partial = view.findings.coverage.iter().any(Coverage::is_partial);
    let state = match &view.verdict {
        Some(verdict) if verdict.complete && verdict.items.iter().any(|item| item.evidence == Evidence::Kept) => {
            "COMPLETE: every old value is dead, covered by a waiver or kept for the new role".to_owned()
        }
        Some(verdict) if verdict.complete => "COMPLETE: every old value is dead or covered by a waiver".to_owned(),
        Some(_) => format!("NOT COMPLETE: {}", items(open, "is open", "are open")),
        None if view.plan.changes() == 0 && open == 0 => "Nothing to do".to_owned(),
        None => {
            let people = items(open, "needs a person", "need a person");
            format!("{} planned, {people}", counted(view.plan.changes(), "change"))
        }
    };
    writeln!(out, "{state}{}", if partial { " (not everything could be read, see above)" } else { "" })
}
