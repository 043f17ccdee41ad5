//! What was typed. Parse first, act later: nothing here reads a file or opens a connection.

mod case;
mod gate;
mod scan;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(super) use case::*;
pub(super) use gate::*;
pub(super) use scan::*;

/// A number that can be a probability: with a larger one nothing would ever be found.
fn probability(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("a probability is a number from 0 to 1".to_owned()) }
}

/// offkey changes the locks when someone leaves.
#[derive(Debug, Parser)]
#[command(
    name = "offkey",
    version,
    max_term_width = 110,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
#[command(after_help = "\
Examples:
  offkey demo                                   walk one departure on a small made-up company, no server needed
  offkey scan .                                 search a repository, its history, a folder or an export
  offkey sweep --identity alice.toml --case alice ./shop ./slack-export.zip
  offkey apply --case alice --digest 4f0c…      carry out the plan whose digest was approved
  offkey report --case alice --format html

Nothing is changed without `apply`. Values are never printed unless --reveal is given.
Exit codes: 0 nothing to do, 2 bad usage, 10 findings, 11 open items, 12 partial coverage, 20 remote failure,
21 outcome unknown, 30 evidence does not verify. See docs/exit-codes.md.")]
pub(super) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(super) command: Command,
    /// Say more on standard error (-v what happens, -vv details).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// No progress, no notes: results and errors only.
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Where offkey keeps its own key for fingerprints and signatures.
    #[arg(long, global = true, value_name = "DIR", env = "OFFKEY_HOME")]
    pub(super) home: Option<PathBuf>,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Search repositories, folders and exports for credentials
    Scan(ScanArgs),
    /// Show who a person is, under which names, and why
    Identity {
        /// What to do with it.
        #[command(subcommand)]
        command: IdentityCommand,
    },
    /// Walk one departure up to the plan: find, attribute, locate, ask, plan (changes nothing)
    Sweep(SweepArgs),
    /// Show the plan of a case and its digest
    Plan(CaseArgs),
    /// Sign the plan of a case, where policy asks for approvals
    Approve(ApproveArgs),
    /// Carry out the approved plan of a case; after a crash, run it again
    Apply(ApplyArgs),
    /// Show where each item of a case is, and what to do next
    Status(StatusArgs),
    /// Go on with an apply that was cut off or had to wait
    Resume(ResumeArgs),
    /// Take back what was begun, as long as no consumer was given a new value
    Undo(UndoArgs),
    /// Ask again, independently: old values dead, new ones live, text clean
    Confirm(ConfirmArgs),
    /// Write the report of a case
    Report(ReportArgs),
    /// Look at or check the evidence of a case
    Audit {
        /// What to do with it.
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Look at or check detection rules
    Rules {
        /// What to do with them.
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// List the stores or providers that offkey.toml can name, and how well each is proven
    Systems(SystemsArgs),
    /// Judge what a commit, a push or a merge request adds: stale, new, waived or known credentials
    Gate(GateArgs),
    /// Put the gate into a repository's own hooks
    Hook {
        /// What to do with it.
        #[command(subcommand)]
        command: HookCommand,
    },
    /// Write a first offkey.toml, commented
    Init(InitArgs),
    /// Look at repositories again and again: only what came since the last look, only what is new
    Watch(WatchArgs),
    /// Copy every repository of an organisation on GitHub, GitLab or Gitea into a folder, or bring the copies up to date
    #[cfg(feature = "issuers")]
    Mirror(MirrorArgs),
    /// Findings of a repository that are known and accepted for now
    Baseline {
        /// What to do with it.
        #[command(subcommand)]
        command: BaselineCommand,
    },
    /// Take what other scanners were told to let pass into the baseline
    Import(ImportArgs),
    /// Look at what is known across cases
    Ledger {
        /// What to do with it.
        #[command(subcommand)]
        command: LedgerCommand,
    },
    /// Show what was looked at in files, what was kept, what was dropped and why
    Explain(ExplainArgs),
    /// Build a small company, let somebody leave, and walk the whole story
    Demo(DemoArgs),
}
