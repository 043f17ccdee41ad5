//! The command line: the only room that prints. Results go to standard output, everything else to standard error.

mod args;
mod audit;
mod baseline;
mod case;
mod demo;
mod exit;
mod explain;
mod gate;
mod hook;
mod identity;
mod init;
mod interrupt;
mod ledger;
mod listing;
#[cfg(feature = "issuers")]
mod mirror;
mod pipeline;
mod progress;
mod rules;
mod scan;
mod stats;
mod systems;
mod ui;
mod watch;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use crate::config::Home;
use crate::error::{Error, Result};
use args::{AuditCommand, Cli, Command, IdentityCommand};
use exit::Exit;
use ui::Ui;

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.verbose, cli.quiet);
    match run(&cli, ui) {
        Ok(exit) => exit.into(),
        Err(error) => {
            Ui::error(&error);
            Exit::from(&error).into()
        }
    }
}

fn run(cli: &Cli, ui: Ui) -> Result<Exit> {
    let home = cli.home.as_deref();
    match &cli.command {
        Command::Scan(args) => scan::run(args, home, ui),
        Command::Identity { command: IdentityCommand::Show { identity, paths } } => identity::show(identity, paths, ui),
        Command::Sweep(args) => case::sweep(args, &Home::open(home)?, ui),
        Command::Plan(args) => case::plan(args),
        Command::Approve(args) => case::approve(args, &Home::open(home)?, ui),
        Command::Apply(args) => case::apply(args, &Home::open(home)?, ui),
        Command::Status(args) => progress::status(args),
        Command::Resume(args) => case::resume(args, &Home::open(home)?, ui),
        Command::Undo(args) => progress::undo(args, &Home::open(home)?, ui),
        Command::Confirm(args) => case::confirm(args, &Home::open(home)?, ui),
        Command::Report(args) => case::report(args),
        Command::Audit { command: AuditCommand::Show { case, item, json } } => {
            audit::show(case, item.as_deref(), *json)
        }
        Command::Audit { command: AuditCommand::Verify { case, key } } => audit::verify(case, key.as_deref()),
        Command::Rules { command } => rules::run(command),
        Command::Systems(args) => systems::run(args),
        Command::Gate(args) => gate::run(args, home, ui),
        #[cfg(feature = "issuers")]
        Command::Mirror(args) => mirror::run(args, ui),
        Command::Watch(args) => watch::run(args, home, ui),
        Command::Baseline { command } => baseline::run(command, home, ui),
        Command::Import(args) => baseline::import(args, home, ui),
        Command::Hook { command } => hook::run(command, ui),
        Command::Init(args) => init::run(args, ui),
        Command::Ledger { command } => ledger::run(command, home, ui),
        Command::Explain(args) => explain::run(args, ui),
        Command::Demo(args) => demo::run(args, ui),
    }
}

/// A reader that closes early (`| head`) is not an error; anything else is.
fn ended_early(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Error::user("standard output could not be written").because(error)),
        Ok(()) => Ok(()),
    }
}
