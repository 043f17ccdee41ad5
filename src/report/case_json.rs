//! A case for programs: one JSON document.

use std::io::{self, Write};

use serde::Serialize;

use super::CaseView;
use crate::audit::Entry;
use crate::case::{Findings, Request};
use crate::confirm::Verdict;
use crate::plan::Plan;
use crate::rotation::Execution;

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    version: &'static str,
    request: &'a Request,
    findings: &'a Findings,
    digest: String,
    plan: &'a Plan,
    execution: &'a Execution,
    verdict: Option<&'a Verdict>,
    log: &'a [Entry],
}

/// Writes the document.
///
/// # Errors
/// Those of the writer.
pub fn case_json(view: &CaseView, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        schema: "offkey.report/1",
        version: env!("CARGO_PKG_VERSION"),
        request: &view.request,
        findings: &view.findings,
        digest: view.plan.digest(),
        plan: &view.plan,
        execution: &view.execution,
        verdict: view.verdict.as_ref(),
        log: &view.log,
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}
