//! A case as one self-contained page that a manager can read: no script, nothing loaded from elsewhere.

use std::fmt;
use std::io::{self, Write};

use super::words::{counted, items};
use super::{CaseView, verb};
use crate::plan::Treatment;
use crate::source::{Coverage, GapKind};

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--good:#1a7f4b;--bad:#b3261e;--wait:#8a6d00}\
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem;border-bottom:1px solid var(--line)}\
.verdict{font-size:1.15rem;padding:.7rem 1rem;border-left:6px solid var(--wait);background:var(--soft);margin:1rem 0}\
.verdict.good{border-color:var(--good)}.verdict.bad{border-color:var(--bad)}\
article{border:1px solid var(--line);border-radius:6px;padding:.7rem 1rem;margin:.7rem 0}\
article h3{font-size:1rem;margin:0 0 .3rem}.tag{font-size:.8rem;border:1px solid var(--line);border-radius:1rem;padding:0 .6rem;margin-left:.4rem}\
.tag.closed{color:var(--good)}.tag.open{color:var(--bad)}ul{margin:.3rem 0 .3rem 1.2rem;padding:0}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line);vertical-align:top}\
code{font-size:.85em;overflow-wrap:anywhere}summary{cursor:pointer}.soft{opacity:.75}@media print{details{display:block}}";

/// Places and reasons listed of one credential.
const LISTED: usize = 30;

/// Text of foreign origin: never markup.
struct Safe<'a>(&'a str);

impl fmt::Display for Safe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c if c.is_control() && c != '\n' => f.write_str("\u{fffd}"),
            c => write!(f, "{c}"),
        })
    }
}

/// Writes the page.
///
/// # Errors
/// Those of the writer.
pub fn case_html(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let name = Safe(&view.request.identity.name);
    writeln!(out, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">")?;
    writeln!(
        out,
        "<meta name=\"viewport\" content=\"width=device-width\"><title>offkey: {name}</title><style>{STYLE}</style></head><body>"
    )?;
    writeln!(
        out,
        "<h1>Access of {name}</h1><p class=\"soft\">Case <code>{}</code>, opened {}</p>",
        view.request.id,
        Safe(&super::moment(&view.request.opened))
    )?;
    verdict(view, out)?;
    numbers(view, out)?;
    for (title, wanted) in [("Open: a person has to act", true), ("Handled", false)] {
        let items: Vec<_> = view.plan.treatments.iter().filter(|t| (view.outcome(t).0 == "open") == wanted).collect();
        if !items.is_empty() {
            writeln!(out, "<h2>{title}</h2>")?;
            items.into_iter().try_for_each(|treatment| item(view, treatment, out))?;
        }
    }
    others(view, out)?;
    coverage(view, out)?;
    identity(view, out)?;
    evidence(view, out)?;
    writeln!(out, "</body></html>")
}

fn verdict(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let open = view.plan.treatments.iter().filter(|t| view.outcome(t).0 == "open").count();
    let partial =
        view.findings.coverage.iter().any(Coverage::is_partial) || view.verdict.as_ref().is_some_and(|v| v.partial);
    let (class, text) = match &view.verdict {
        Some(verdict) if verdict.complete && !partial => {
            ("good", "Complete. Every old value was seen to be rejected, or a dated exception covers it.".to_owned())
        }
        Some(verdict) if verdict.complete => {
            ("", "Every known old value is dead, but not everything could be read.".to_owned())
        }
        Some(_) => ("bad", format!("Not complete: {}.", items(open, "is open", "are open"))),
        None => ("", {
            let (changes, items) = (counted(view.plan.changes(), "change"), counted(open, "item"));
            format!("Planned: {changes}, {items} for a person. Nothing is confirmed yet.")
        }),
    };
    writeln!(out, "<p class=\"verdict {class}\">{text}</p>")
}

fn numbers(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let places: usize =
        view.plan.treatments.iter().filter_map(|t| view.record(t.credential)).map(|r| r.findings.len()).sum();
    let documents: u64 = view.findings.coverage.iter().map(|c| c.documents).sum();
    writeln!(
        out,
        "<p>{} credentials and accounts are tied to this person, in {places} places of {documents} documents and stores.</p>",
        view.plan.treatments.len()
    )
}

fn item(view: &CaseView, treatment: &Treatment, out: &mut dyn Write) -> io::Result<()> {
    let (state, why) = view.outcome(treatment);
    writeln!(
        out,
        "<article><h3>{} {}<span class=\"tag\">{}</span><span class=\"tag {state}\">{state}</span></h3><p>{}</p>",
        treatment.id,
        Safe(&treatment.label),
        verb(&treatment.disposition),
        Safe(&why)
    )?;
    let people: Vec<_> = view.exposures(treatment.credential).collect();
    if people.is_empty() {
        writeln!(out, "<ul>")?;
        treatment.why.iter().try_for_each(|why| writeln!(out, "<li>{}</li>", Safe(why)))?;
        writeln!(out, "</ul>")?;
    } else {
        writeln!(
            out,
            "<details{}><summary>Whose, and why ({})</summary><ul>",
            if people.len() < 6 { " open" } else { "" },
            people.len()
        )?;
        for exposure in people.iter().take(LISTED) {
            let reasons = exposure.reasons.join("; ");
            writeln!(
                out,
                "<li><b>{}</b> {}: {}</li>",
                Safe(&exposure.person),
                exposure.relation.label(),
                Safe(&reasons)
            )?;
        }
        writeln!(out, "</ul></details>")?;
    }
    places(view, treatment, out)?;
    steps(view, treatment, out)?;
    writeln!(out, "</article>")
}

fn places(view: &CaseView, treatment: &Treatment, out: &mut dyn Write) -> io::Result<()> {
    let Some(record) = view.record(treatment.credential).filter(|record| !record.findings.is_empty()) else {
        return Ok(());
    };
    writeln!(out, "<details><summary>Where ({})</summary><ul>", record.findings.len())?;
    for place in record.findings.iter().take(LISTED) {
        let encoded = if place.finding.encodings.is_empty() {
            String::new()
        } else {
            format!(" in {}", place.finding.encodings.join(" in "))
        };
        writeln!(out, "<li><code>{}</code>{}</li>", Safe(&place.shown), Safe(&encoded))?;
    }
    writeln!(out, "</ul></details>")
}

fn steps(view: &CaseView, treatment: &Treatment, out: &mut dyn Write) -> io::Result<()> {
    if treatment.steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "<details><summary>What was done</summary><table>")?;
    for step in &treatment.steps {
        let (state, facts) = match view.execution.steps.get(&step.id) {
            Some((state, receipt)) => {
                let facts: Vec<String> = receipt.facts.iter().map(|(name, fact)| format!("{name}: {fact}")).collect();
                (if state.is_confirmed() { "done".to_owned() } else { format!("{state:?}") }, facts.join(", "))
            }
            None => ("not begun".to_owned(), String::new()),
        };
        writeln!(
            out,
            "<tr><td>{}</td><td><code>{}</code></td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            step.id,
            step.action,
            Safe(&step.target.to_string()),
            Safe(&state),
            Safe(&facts)
        )?;
    }
    writeln!(out, "</table></details>")
}

fn others(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let others: Vec<_> = view.others().collect();
    if others.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "<h2>Found as well</h2><details><summary>{} credentials that nothing ties to this person; they were left alone</summary><ul>",
        others.len()
    )?;
    for record in others.iter().take(200) {
        let place = record.findings.first().map_or("", |place| place.shown.as_str());
        writeln!(out, "<li>{} <code>{}</code></li>", Safe(&record.label), Safe(place))?;
    }
    writeln!(out, "</ul></details>")
}

fn coverage(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<h2>What was looked at, and what was not</h2><table><tr><th>Source</th><th>Read</th><th>Left out</th><th>Failed</th></tr>"
    )?;
    for account in &view.findings.coverage {
        let reasons: Vec<String> = account
            .counts
            .iter()
            .filter_map(|(reason, count)| Some(format!("{} ({count})", reason.strip_prefix("skipped: ")?)))
            .collect();
        let failed: Vec<String> = account
            .gaps
            .iter()
            .filter(|gap| gap.kind == GapKind::Failed)
            .take(LISTED)
            .map(|gap| format!("{}: {}", gap.place, gap.why))
            .collect();
        writeln!(
            out,
            "<tr><td>{} <span class=\"soft\">{}</span></td><td>{}</td><td>{} <span class=\"soft\">{}</span></td><td>{} <span class=\"soft\">{}</span></td></tr>",
            Safe(&account.source),
            Safe(&account.format),
            account.amount(),
            account.count(GapKind::Skipped),
            Safe(&reasons.join("; ")),
            account.count(GapKind::Failed),
            Safe(&failed.join("; "))
        )?;
    }
    writeln!(out, "</table>")?;
    if !view.findings.unsearched.is_empty() {
        writeln!(out, "<p>Kept values that were not searched for: {}</p>", Safe(&view.findings.unsearched.join("; ")))?;
    }
    Ok(())
}

fn identity(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "<h2>Names of this person</h2><table>")?;
    for alias in &view.request.identity.aliases {
        writeln!(
            out,
            "<tr><td>{}</td><td><code>{}</code></td><td class=\"soft\">{}</td></tr>",
            alias.kind.label(),
            Safe(&alias.value),
            Safe(&alias.reason)
        )?;
    }
    writeln!(out, "</table>")
}

fn evidence(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "<h2>Evidence</h2><p>Plan digest <code>{}</code>. When this page was written there was {}; <code>offkey audit verify</code> on the case checks its chain, its tree, its signature and the files that it seals without any configuration. This page holds no secret value.</p>",
        view.plan.digest(),
        Safe(&view.evidence())
    )
}
