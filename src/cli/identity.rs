//! `offkey identity show`: every alias with the reason why we believe it.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::ui::Ui;
use crate::error::Result;
use crate::identity::{self, Alias};
use crate::source::{self, OpenOptions};

/// Runs the command.
pub(super) fn show(file: &Path, paths: &[PathBuf], ui: Ui) -> Result<Exit> {
    let mut identity = identity::load(file)?;
    for path in paths {
        for source in source::open(path, &OpenOptions::default())? {
            let roster = source.roster()?;
            let learnt = identity.widen(&roster);
            ui.note(format!("{}: {} groups of names, {learnt} new aliases", source.name(), roster.len()));
        }
    }
    let mut out = std::io::stdout().lock();
    let mut write = || -> std::io::Result<()> {
        writeln!(out, "{}", identity.name)?;
        identity.aliases.iter().try_for_each(|alias| line(&mut out, alias))?;
        if !identity.suggestions.is_empty() {
            writeln!(out, "\nNot used, because only the name is the same; state them in the file if they are theirs:")?;
            identity.suggestions.iter().try_for_each(|alias| line(&mut out, alias))?;
        }
        Ok(())
    };
    super::ended_early(write())?;
    Ok(Exit::Clean)
}

fn line(out: &mut dyn Write, alias: &Alias) -> std::io::Result<()> {
    writeln!(out, "  {:<12} {:<44} {}", alias.kind.label(), alias.value, alias.reason)
}
