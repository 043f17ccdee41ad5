//! A scan for people at a terminal: one paragraph a credential, then what was read and what was not.

use std::io::{self, Write};

use super::words::{Tame, account, counted};
use super::{Scan, tally};
use crate::finding::{Credential, Finding, ends};
use crate::source::Provenance;

/// Places shown for one credential; all are in the JSON forms.
const PLACES: usize = 8;

/// Writes the scan.
///
/// # Errors
/// Those of the writer.
pub fn scan_text(scan: &Scan<'_>, out: &mut dyn Write) -> io::Result<()> {
    let out = &mut Tame::new(out);
    for credential in scan.credentials {
        paragraph(scan, credential, out)?;
    }
    summary(scan, out)?;
    scan.coverage.iter().try_for_each(|coverage| account(coverage, "", out))?;
    out.flush()
}

fn paragraph(scan: &Scan<'_>, credential: &Credential, out: &mut dyn Write) -> io::Result<()> {
    let name = scan.rules.name(&credential.rule).unwrap_or(&credential.kind);
    writeln!(out, "{name}  {}", scan.value(&credential.value))?;
    writeln!(
        out,
        "  {}  confidence {:.2}  fingerprint {}",
        credential.rule,
        credential.confidence,
        credential.fingerprint.short()
    )?;
    if let Some(secret) = &credential.part_of {
        writeln!(out, "  belongs to {}", secret.short())?;
    }
    if let Some(time) = ends(&credential.value) {
        writeln!(out, "  its issuer wrote into it that it ends at {time}")?;
    }
    if let Some(parts) = parts(scan, credential) {
        writeln!(out, "  with {parts}")?;
    }
    for finding in credential.findings.iter().take(PLACES) {
        writeln!(out, "  {}", place(scan, finding))?;
    }
    if credential.findings.len() > PLACES {
        writeln!(out, "  and {} (--format json lists all)", counted(credential.findings.len() - PLACES, "more place"))?;
    }
    writeln!(out)
}

/// What belongs to the credential: `user shop, host db.example`; each part once.
fn parts(scan: &Scan<'_>, credential: &Credential) -> Option<String> {
    let shown = ["key-id", "id", "user", "host", "port", "database"];
    let mut all: Vec<String> = Vec::new();
    for name in shown {
        let texts = credential.findings.iter().flat_map(|finding| &finding.parts).filter(|(part, _)| part == name);
        for (_, text) in texts {
            let said = format!("{} {}", name.replace('-', " "), scan.part(name, text));
            if !all.contains(&said) {
                all.push(said);
            }
        }
    }
    let more = all.len().saturating_sub(PLACES);
    all.truncate(PLACES);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    (!all.is_empty()).then(|| all.join(", "))
}

/// Where a finding is, and by whom, in one line.
fn place(scan: &Scan<'_>, finding: &Finding) -> String {
    let (line, column) = (finding.location.lines.0, finding.location.columns.0 + 1);
    let path = scan.path(finding);
    let encodings =
        if finding.encodings.is_empty() { String::new() } else { format!("  in {}", finding.encodings.join(" in ")) };
    let whose = match &finding.location.provenance {
        Provenance::Export { item, .. } => {
            let author = item.author.as_ref();
            let name = author.and_then(|a| a.display.as_deref().or(a.handle.as_deref()).or(a.id.as_deref()));
            format!("  {} by {}", item.container.name, name.unwrap_or("nobody named"))
        }
        Provenance::Git { .. } => scan.introductions(finding).first().map_or_else(String::new, |first| {
            let name = first.by.author.display.as_deref().unwrap_or("?");
            let commit = &first.by.commit[..first.by.commit.len().min(10)];
            let more = scan.introductions(finding).len() - 1;
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("  commit {commit} by {name}{more}")
        }),
        _ => String::new(),
    };
    format!("{path}:{line}:{column}{whose}{encodings}")
}

fn summary(scan: &Scan<'_>, out: &mut dyn Write) -> io::Result<()> {
    let findings: usize = scan.credentials.iter().map(|c| c.findings.len()).sum();
    if findings == 0 {
        let read = scan.coverage.iter().any(|coverage| coverage.documents > 0);
        return writeln!(out, "{}", if read { "No credentials found." } else { "There was nothing to read." });
    }
    writeln!(out, "{} in {}, by rule:", counted(scan.credentials.len(), "credential"), counted(findings, "place"))?;
    let all = scan.credentials.iter().flat_map(|c| &c.findings);
    for (rule, count) in tally(all).into_iter().take(10) {
        writeln!(out, "  {count:>6}  {rule}")?;
    }
    Ok(())
}
