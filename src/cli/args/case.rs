//! One departure: `identity`, `sweep`, `plan`, `apply` and what follows, `audit`, `demo`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::SourceArgs;

/// `offkey identity …`
#[derive(Debug, Subcommand)]
pub(crate) enum IdentityCommand {
    /// Print every alias with the reason why we believe it
    Show {
        /// The identity file (docs/identity.md).
        #[arg(value_name = "FILE")]
        identity: PathBuf,
        /// Repositories and exports that may know further names.
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
}

/// A case.
#[derive(Clone, Debug, Args)]
pub(crate) struct CaseArgs {
    /// The case's folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) case: PathBuf,
}

/// `offkey sweep`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  offkey sweep --identity alice.toml --config offkey.toml --case alice ./shop ./slack-export.zip

A sweep changes nothing. It ends with a plan and its digest; `offkey apply` asks for that digest.")]
pub(crate) struct SweepArgs {
    /// Who leaves (docs/identity.md).
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: PathBuf,
    /// Stores, providers and policy.
    #[arg(long, value_name = "FILE", default_value = "offkey.toml")]
    pub(crate) config: PathBuf,
    /// Folder for the case; made by the sweep.
    #[arg(long, value_name = "DIR")]
    pub(crate) case: PathBuf,
    /// What to read.
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// `offkey apply`
#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    /// The case.
    #[command(flatten)]
    pub(crate) case: CaseArgs,
    /// The digest of the plan that was approved; its first twelve digits are enough.
    #[arg(long, value_name = "DIGEST")]
    pub(crate) digest: String,
    /// Carry out at most this many credentials' changes although the policy's cap is lower.
    #[arg(long, value_name = "N")]
    pub(crate) allow: Option<usize>,
}

/// `offkey approve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  offkey approve --show-key                         the id of your key, for policy.approval.by in offkey.toml
  offkey plan --case alice                          read the plan first
  offkey approve --case alice --digest 4f0c1d2e3a4b  sign it with the key of your own offkey folder")]
pub(crate) struct ApproveArgs {
    /// The case's folder.
    #[arg(long, value_name = "DIR", required_unless_present = "show_key")]
    pub(crate) case: Option<PathBuf>,
    /// The digest of the plan that you read; its first twelve digits are enough.
    #[arg(long, value_name = "DIGEST", required_unless_present = "show_key")]
    pub(crate) digest: Option<String>,
    /// Only print the id of your key.
    #[arg(long)]
    pub(crate) show_key: bool,
}

/// `offkey status`
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The case.
    #[command(flatten)]
    pub(crate) case: CaseArgs,
    /// For programs: one JSON object an item and line.
    #[arg(long)]
    pub(crate) json: bool,
}

/// `offkey resume`
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The case.
    #[command(flatten)]
    pub(crate) case: CaseArgs,
    /// Do not wait any longer for the consumers of this item: its old value ends although they did not read the new one.
    #[arg(long, value_name = "ITEM")]
    pub(crate) let_go: Vec<String>,
}

/// `offkey undo`
#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The case.
    #[command(flatten)]
    pub(crate) case: CaseArgs,
    /// Items to take back, as `offkey status` names them (default: all that were begun).
    #[arg(value_name = "ITEM")]
    pub(crate) items: Vec<String>,
}

/// `offkey confirm`
#[derive(Debug, Args)]
pub(crate) struct ConfirmArgs {
    /// The case.
    #[command(flatten)]
    pub(crate) case: CaseArgs,
}

/// How the report of a case is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportFormat {
    /// For the terminal.
    Text,
    /// Everything, for programs.
    Json,
    /// One self-contained page for people.
    Html,
}

/// `offkey report`
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The case.
    #[command(flatten)]
    pub(crate) case: CaseArgs,
    /// How to write it.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ReportFormat,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// `offkey audit …`
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the log of a case, one line an entry
    Show {
        /// The case's folder, or an exported log.
        #[arg(value_name = "CASE")]
        case: PathBuf,
        /// Only what happened to this item, as `offkey status` names it.
        #[arg(long, value_name = "ITEM")]
        item: Option<String>,
        /// The entries as they are hashed, JSON, one a line: with `checkpoint.txt` beside it, `offkey audit verify` reads it, too.
        #[arg(long, conflicts_with = "item")]
        json: bool,
    },
    /// Check the log of a case: hashes, tree, checkpoint, signature, and the files it seals. Needs no configuration
    Verify {
        /// The case's folder, or an exported log with the case's `checkpoint.txt` beside it.
        #[arg(value_name = "CASE")]
        case: PathBuf,
        /// The key id that must have signed (printed when the case was made); without it any key is accepted and named.
        #[arg(long, value_name = "KEY-ID")]
        key: Option<String>,
    },
}

/// `offkey demo`
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the company here instead of in a new temporary folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}
