//! `offkey hook install`: the gate in a repository's own hooks.

use super::args::{HookCommand, HookKind};
use super::exit::Exit;
use super::ui::Ui;
use crate::error::{Error, Result};
use crate::gate::{self, Hook};

/// Runs the command.
pub(super) fn run(command: &HookCommand, ui: Ui) -> Result<Exit> {
    let HookCommand::Install { kind, repo, chain } = command;
    let hook = match kind {
        HookKind::PreCommit => Hook::PreCommit,
        HookKind::PrePush => Hook::PrePush,
        HookKind::PreReceive => Hook::PreReceive,
    };
    let program =
        std::env::current_exe().map_err(|cause| Error::internal("this program has no path").because(cause))?;
    let installed = gate::install(repo, hook, &program, *chain)?;
    if let Some(earlier) = installed.earlier {
        ui.note(format!("the earlier hook is now {} and is called first", earlier.display()));
    }
    ui.note(format!("{} written", installed.path.display()));
    Ok(Exit::Clean)
}
