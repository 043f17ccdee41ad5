//! `offkey identity show`: every alias with the reason why we believe it.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::exit::Exit;
use super::ui::Ui;
use crate::error::Result;
use crate::identity::{self, Alias};
use crate::report::{Tame, counted};
use crate::source::{self, OpenOptions};

/// Runs the command.
pub(super) fn show(file: &Path, paths: &[PathBuf], ui: Ui) -> Result<Exit> {
    let mut identity = identity::load(file)?;
    for path in paths {
        for source in source::open(path, &OpenOptions::default())? {
            let roster = source.roster()?;
            let learnt = identity.widen(&roster);
            ui.note(format!(
                "{}: {} of names, {}",
                source.name(),
                counted(roster.len(), "group"),
                if learnt == 1 { "1 new alias".to_owned() } else { format!("{learnt} new aliases") }
            ));
        }
    }
    let mut stdout = std::io::stdout().lock();
    let mut out = Tame::new(&mut stdout);
    let mut write = || -> std::io::Result<()> {
        writeln!(out, "{}", identity.name)?;
        identity.aliases.iter().try_for_each(|alias| line(&mut out, alias))?;
        if !identity.suggestions.is_empty() {
            writeln!(out, "\nNot used, because only the name is the same; state them in the file if they are theirs:")?;
            identity.suggestions.iter().try_for_each(|alias| line(&mut out, alias))?;
        }
        out.flush()
    };
    super::ended_early(write())?;
    Ok(Exit::Clean)
}

fn line(out: &mut dyn Write, alias: &Alias) -> std::io::Result<()> {
    writeln!(out, "  {:<12} {:<44} {}", alias.kind.label(), alias.value, alias.reason)
}
