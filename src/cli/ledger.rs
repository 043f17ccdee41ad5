//! `offkey ledger …`: what is known across cases.

use std::io::Write;
use std::path::Path;

use super::args::{LedgerCommand, ScanFormat};
use super::exit::Exit;
use super::ui::Ui;
use crate::audit::Signer;
use crate::clock;
use crate::config::Home;
use crate::error::Result;
use crate::ledger::{self, Entry, Ledger};
use crate::report::counted;

/// Runs the command.
pub(super) fn run(command: &LedgerCommand, home: Option<&Path>, ui: Ui) -> Result<Exit> {
    let home = Home::open(home)?;
    let entries = Ledger::open(&home.file(ledger::FILE))?.entries()?;
    match command {
        LedgerCommand::List { format } => list(&entries, *format),
        LedgerCommand::Export { output, no_owners } => export(&home, &entries, !no_owners, output, ui),
    }
}

fn export(home: &Home, entries: &[Entry], owners: bool, output: &Path, ui: Ui) -> Result<Exit> {
    let signer = Signer::new(&home.signing_seed()?)?;
    let file = ledger::export(entries, owners, &home.fingerprinter()?, &signer, &clock::now().to_string());
    super::listing::to_file(output, &file)?;
    ui.note(format!(
        "{}, {} bytes; signed by {}: pin it with OFFKEY_LEDGER_SIGNER",
        counted(entries.len(), "credential"),
        file.len(),
        signer.key_id()
    ));
    Ok(Exit::Clean)
}

fn list(entries: &[Entry], format: ScanFormat) -> Result<Exit> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut print = || -> std::io::Result<()> {
        match format {
            ScanFormat::Json => writeln!(out, "{}", serde_json::json!(entries))?,
            ScanFormat::Jsonl => entries.iter().try_for_each(|one| writeln!(out, "{}", serde_json::json!(one)))?,
            ScanFormat::Text => {
                for one in entries {
                    let left = one.departed.as_ref().map_or("", |_| " (left)");
                    let (state, since) = (one.state.word(), one.since.get(..10).unwrap_or(&one.since));
                    writeln!(
                        out,
                        "{}  {state:<8} since {since}  {}{left}  {}",
                        one.fingerprint.short(),
                        one.owner,
                        one.label
                    )?;
                }
                writeln!(out, "{}", counted(entries.len(), "credential"))?;
            }
        }
        out.flush()
    };
    super::ended_early(print())?;
    Ok(Exit::Clean)
}
