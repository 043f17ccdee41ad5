//! Changes and schedules: `gate`, `baseline`, `import`, `watch`, `hook`, `init`, `ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{ListingFormat, ScanFormat, WriteArgs};
use crate::secret::Fingerprint;

/// `offkey gate`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  offkey gate --staged                              what `git commit` would take; for a pre-commit hook
  offkey gate --base origin/main                    a merge request: every commit since it left its target
  offkey gate --ci                                  what the pipeline around it is about
  offkey gate --range v1.0..HEAD                    all commits between two points
  offkey gate --pre-receive < refs                  a server's hook; git writes the refs to standard input
  git diff main | offkey gate --patch -             a patch

Ends with 10 when something blocks, with 12 when nothing does but not everything could be compared. Policy, waivers and
baseline are read from the base of the change, never from the change itself (docs/ci.md).")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["staged", "range", "base", "pre_receive", "pre_push", "patch", "ci"])))]
pub(crate) struct GateArgs {
    /// What is staged for the next commit.
    #[arg(long)]
    pub(crate) staged: bool,
    /// All commits that lead to B and not to A; each is judged by itself, so that add-then-remove is seen.
    #[arg(long, value_name = "A..B")]
    pub(crate) range: Option<String>,
    /// The target of a merge request.
    #[arg(long, value_name = "REF")]
    pub(crate) base: Option<String>,
    /// The source of the merge request.
    #[arg(long, value_name = "REF", default_value = "HEAD", requires = "base")]
    pub(crate) head: String,
    /// Lines `OLD NEW REF` on standard input, as git gives them to a pre-receive hook.
    #[arg(long)]
    pub(crate) pre_receive: bool,
    /// Lines `REF NEW REMOTE-REF OLD` on standard input, as git gives them to a pre-push hook; NAME is the remote.
    #[arg(long, value_name = "NAME")]
    pub(crate) pre_push: Option<String>,
    /// The change that the pipeline around this is about: GitHub Actions, GitLab CI, Jenkins.
    #[arg(long)]
    pub(crate) ci: bool,
    /// A patch in git's form (`-`: standard input).
    #[arg(long, value_name = "FILE")]
    pub(crate) patch: Option<PathBuf>,
    /// The repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// A configuration kept outside of the repository, instead of offkey.toml at the base.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// An exported ledger (`offkey ledger export`), else the one that OFFKEY_LEDGER names; the key of its fingerprints comes
    /// from OFFKEY_FINGERPRINT_KEY.
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// The key id that must have signed the exported ledger, else the one in OFFKEY_LEDGER_SIGNER.
    #[arg(long, value_name = "KEY-ID")]
    pub(crate) ledger_key: Option<String>,
    /// Rules beside the built-in ones, kept outside of the change: offkey, gitleaks or betterleaks TOML, kingfisher or
    /// Nosey Parker YAML.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// Least probability that a finding must have, 0 to 1, instead of the policy's.
    #[arg(long, value_name = "P", value_parser = super::probability)]
    pub(crate) min_confidence: Option<f32>,
    /// How to write the results (default: text, with --ci what the server shows best).
    #[arg(long, value_enum)]
    pub(crate) format: Option<ListingFormat>,
    /// Where to write them.
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

/// A baseline.
#[derive(Clone, Debug, Args)]
pub(crate) struct BaselineArgs {
    /// The repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) repo: PathBuf,
    /// The baseline (default: where offkey.toml says, `.offkey-baseline.json`).
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// `offkey baseline …`
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Accept everything that stands in the repository and its history now
    Create {
        /// Which baseline.
        #[command(flatten)]
        at: BaselineArgs,
    },
    /// Drop entries whose finding is gone; say how much is found and not accepted
    Update {
        /// Which baseline.
        #[command(flatten)]
        at: BaselineArgs,
        /// Accept what is found and not accepted yet.
        #[arg(long)]
        add: bool,
    },
    /// List entries: still there, gone, stale by the ledger, looked at by whom; or explain one
    Audit {
        /// Which baseline.
        #[command(flatten)]
        at: BaselineArgs,
        /// Explain the entries of this fingerprint.
        #[arg(long, value_name = "FINGERPRINT", requires = "reason")]
        accept: Option<Fingerprint>,
        /// Why it may stay.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Who says so.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
    },
}

/// `offkey import`
#[derive(Debug, Args)]
#[command(after_help = "\
Reads .gitleaksignore, the allowlists of .gitleaks.toml, .secrets.baseline of detect-secrets, and baselines of kingfisher.
The repository is searched, and every finding that an entry means is accepted. An entry that means none is a warning.")]
pub(crate) struct ImportArgs {
    /// Files of other scanners.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Which baseline.
    #[command(flatten)]
    pub(crate) at: BaselineArgs,
}

/// `offkey watch`
#[derive(Debug, Args)]
#[command(after_help = "\
The first look reads everything, a later one only commits that came since; a changed rule alone is run over the rest. A
finding is told once, and again when it goes stale. docs/ci.md has a timer of systemd and a line for cron.")]
pub(crate) struct WatchArgs {
    /// Repositories, or folders of repositories.
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Fetch every repository first, with git.
    #[arg(long)]
    pub(crate) fetch: bool,
    /// Look again after this many seconds, until stopped.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) every: Option<u64>,
    /// A configuration for all of them, instead of each one's offkey.toml at HEAD.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Rules beside the built-in ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// Least probability that a finding must have, 0 to 1, instead of the policy's.
    #[arg(long, value_name = "P", value_parser = super::probability)]
    pub(crate) min_confidence: Option<f32>,
    /// How to write the results.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ListingFormat,
    /// Where to write them.
    #[command(flatten)]
    pub(crate) to: WriteArgs,
}

/// `offkey hook …`
#[derive(Debug, Subcommand)]
pub(crate) enum HookCommand {
    /// Write a hook that calls the gate
    Install {
        /// Which one: pre-commit and pre-push for developers, pre-receive for a server.
        #[arg(value_enum, default_value = "pre-commit")]
        kind: HookKind,
        /// The repository.
        #[arg(long, value_name = "DIR", default_value = ".")]
        repo: PathBuf,
        /// Keep a hook that stands there already: it is called first.
        #[arg(long)]
        chain: bool,
    },
}

/// A hook of git.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(clippy::enum_variant_names, reason = "the names that git gives them")]
pub(crate) enum HookKind {
    /// Before a commit.
    PreCommit,
    /// Before a push.
    PrePush,
    /// On a server, before refs move.
    PreReceive,
}

/// `offkey init`
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where; the top of a repository.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) folder: PathBuf,
}

/// `offkey ledger …`
#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// List what is known: fingerprints, states, owners; never a value
    List {
        /// How to write it.
        #[arg(long, value_enum, default_value = "text")]
        format: ScanFormat,
    },
    /// Write the ledger as one signed file for machines without this folder: fingerprints and facts, no values
    #[command(after_help = "\
The pipeline needs the key of the fingerprints as well: the 64 digits in fingerprint.key of this folder, given to it as
the protected variable OFFKEY_FINGERPRINT_KEY. Guessable values stand in the file behind a slow hash (docs/ci.md).")]
    Export {
        /// The file.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
        /// Leave out whose the credentials are.
        #[arg(long)]
        no_owners: bool,
    },
}
