//! `offkey audit`: the evidence of a case, read and checked.

use std::path::Path;

use super::case::print;
use super::exit::Exit;
use crate::audit::{self, Entry};
use crate::error::{Error, Result};
use crate::report;

/// `offkey audit show`
pub(super) fn show(case: &Path, item: Option<&str>, json: bool) -> Result<Exit> {
    let lines = audit::lines(case)?;
    if json {
        print(|out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
        return Ok(Exit::Clean);
    }
    let entries: std::result::Result<Vec<Entry>, _> = lines.iter().map(|line| serde_json::from_str(line)).collect();
    let mut entries = entries.map_err(|cause| {
        Error::integrity("an entry of the log is not one").because(cause).next("`offkey audit verify` tells more.")
    })?;
    if let Some(item) = item {
        entries.retain(|entry| {
            let step = entry.data["step"].as_str().and_then(|step| step.split('.').next());
            step == Some(item) || entry.data["treatment"] == item
        });
    }
    print(|out| report::log_text(&entries, out))?;
    Ok(Exit::Clean)
}

/// `offkey audit verify`
pub(super) fn verify(case: &Path, key: Option<&str>) -> Result<Exit> {
    let verified = audit::verify(case, key)?;
    print(|out| {
        writeln!(
            out,
            "The log is in order: {} entries, {} of them signed on {}.",
            verified.entries, verified.signed, verified.time
        )?;
        if !verified.files.is_empty() {
            writeln!(out, "What it seals is unchanged: {}.", verified.files.join(", "))?;
        }
        let compared = if key.is_some() { ", as asked for" } else { ": compare it with the one you noted" };
        writeln!(out, "Signed by key {}{compared}.", verified.key_id)
    })?;
    Ok(Exit::Clean)
}
