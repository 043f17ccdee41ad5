//! What was typed. Parse first, act later: nothing here reads a file or opens a connection.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::listing::Also;
use crate::secret::Fingerprint;

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

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ScanFormat {
    /// For people.
    Text,
    /// One JSON object for each finding and line.
    Jsonl,
    /// One JSON document: credentials, findings, coverage.
    Json,
}

/// How the list of rules is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum RuleFormat {
    /// A line a rule.
    Text,
    /// One JSON object a line.
    Jsonl,
    /// One JSON list.
    Json,
    /// The page docs/rules.md: a line a provider.
    Markdown,
}

/// Which text to read; shared by everything that scans.
#[derive(Clone, Debug, Args)]
pub(super) struct SourceArgs {
    /// Repositories, folders, exports or files.
    #[arg(value_name = "PATH", required_unless_present = "repos_from")]
    pub(super) paths: Vec<PathBuf>,
    /// Also read the clones that this file names, one path a line.
    #[arg(long, value_name = "FILE")]
    pub(super) repos_from: Option<PathBuf>,
    /// Take the paths for this format instead of looking (see docs/sources.md).
    #[arg(long = "as", value_name = "FORMAT")]
    pub(super) take_for: Option<String>,
    /// Read lists of records (JSON, JSON lines, CSV, XML) by these fields: text=body,author=user.login,time=created_at.
    #[arg(long, value_name = "FIELDS", conflicts_with = "take_for")]
    pub(super) map: Option<String>,
    /// Do not read the history of repositories.
    #[arg(long)]
    pub(super) no_history: bool,
    /// Do not read the work tree of repositories.
    #[arg(long)]
    pub(super) no_work_tree: bool,
    /// Rules beside the built-in ones: offkey, gitleaks or betterleaks TOML, kingfisher or Nosey Parker YAML.
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Vec<PathBuf>,
    /// A report of another scanner (gitleaks, betterleaks, kingfisher, TruffleHog, SARIF): its values are looked for in
    /// the paths, and everything known about their places is told.
    #[arg(long, value_name = "FILE")]
    pub(super) findings: Vec<PathBuf>,
    /// Leave out files larger than this many bytes, and say so (default: no limit).
    #[arg(long, value_name = "BYTES")]
    pub(super) max_file_size: Option<u64>,
    /// Threads (default: one a core).
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
}

/// `offkey explain`
#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Files or folders.
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// How to write the results.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: ScanFormat,
    /// Show the numbers that the ranker saw.
    #[arg(long)]
    pub(super) features: bool,
    /// Print values in clear.
    #[arg(long)]
    pub(super) reveal: bool,
}

/// `offkey scan`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  offkey scan .                          work tree and full history of the repository here
  offkey scan --no-history src/          a folder only
  offkey scan slack-export.zip           an export; findings carry the author of each message
  offkey scan --format jsonl . | jq .    one JSON object a finding
  vault kv get -field=pw secret/x | offkey scan --needles - .    search for one exact value in every encoding")]
pub(super) struct ScanArgs {
    /// What to read.
    #[command(flatten)]
    pub(super) source: SourceArgs,
    /// How to write the results.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: ListingFormat,
    /// Write the results to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write a further report without values: `sarif=offkey.sarif`. May be given several times.
    #[arg(long, value_name = "FORM=FILE")]
    pub(super) report: Vec<Also>,
    /// Least probability that a finding must have, 0 to 1.
    #[arg(long, value_name = "P", default_value_t = 0.5)]
    pub(super) min_confidence: f32,
    /// Also search for the exact values in this file, one a line (`-`: standard input). Never on the command line.
    #[arg(long, value_name = "FILE")]
    pub(super) needles: Option<PathBuf>,
    /// Leave out the objects of a history in which an earlier scan with the same rules found nothing.
    #[arg(long, conflicts_with = "needles")]
    pub(super) incremental: bool,
    /// Where earlier scans are remembered (default: `seen` in offkey's own folder).
    #[arg(long, value_name = "DIR", requires = "incremental")]
    pub(super) state: Option<PathBuf>,
    /// Be polite to the machine: lowest priority, one thread unless --threads says more.
    #[arg(long)]
    pub(super) nice: bool,
    /// Print the secrets themselves.
    #[arg(long)]
    pub(super) reveal: bool,
    /// Print what the scan cost: bytes, rates, time.
    #[arg(long)]
    pub(super) stats: bool,
    /// Exit with 0 even when there are findings.
    #[arg(long)]
    pub(super) exit_zero: bool,
}

/// `offkey identity …`
#[derive(Debug, Subcommand)]
pub(super) enum IdentityCommand {
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
pub(super) struct CaseArgs {
    /// The case's folder.
    #[arg(long, value_name = "DIR")]
    pub(super) case: PathBuf,
}

/// `offkey sweep`
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  offkey sweep --identity alice.toml --config offkey.toml --case alice ./shop ./slack-export.zip

A sweep changes nothing. It ends with a plan and its digest; `offkey apply` asks for that digest.")]
pub(super) struct SweepArgs {
    /// Who leaves (docs/identity.md).
    #[arg(long, value_name = "FILE")]
    pub(super) identity: PathBuf,
    /// Stores, providers and policy.
    #[arg(long, value_name = "FILE", default_value = "offkey.toml")]
    pub(super) config: PathBuf,
    /// Folder for the case; made by the sweep.
    #[arg(long, value_name = "DIR")]
    pub(super) case: PathBuf,
    /// What to read.
    #[command(flatten)]
    pub(super) source: SourceArgs,
}

/// `offkey apply`
#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    /// The case.
    #[command(flatten)]
    pub(super) case: CaseArgs,
    /// The digest of the plan that was approved; its first twelve digits are enough.
    #[arg(long, value_name = "DIGEST")]
    pub(super) digest: String,
    /// Carry out at most this many credentials' changes although the policy's cap is lower.
    #[arg(long, value_name = "N")]
    pub(super) allow: Option<usize>,
}

/// `offkey approve`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  offkey approve --show-key                         the id of your key, for policy.approval.by in offkey.toml
  offkey plan --case alice                          read the plan first
  offkey approve --case alice --digest 4f0c1d2e3a4b  sign it with the key of your own offkey folder")]
pub(super) struct ApproveArgs {
    /// The case's folder.
    #[arg(long, value_name = "DIR", required_unless_present = "show_key")]
    pub(super) case: Option<PathBuf>,
    /// The digest of the plan that you read; its first twelve digits are enough.
    #[arg(long, value_name = "DIGEST", required_unless_present = "show_key")]
    pub(super) digest: Option<String>,
    /// Only print the id of your key.
    #[arg(long)]
    pub(super) show_key: bool,
}

/// `offkey status`
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The case.
    #[command(flatten)]
    pub(super) case: CaseArgs,
    /// For programs: one JSON object an item and line.
    #[arg(long)]
    pub(super) json: bool,
}

/// `offkey resume`
#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// The case.
    #[command(flatten)]
    pub(super) case: CaseArgs,
    /// Do not wait any longer for the consumers of this item: its old value ends although they did not read the new one.
    #[arg(long, value_name = "ITEM")]
    pub(super) let_go: Vec<String>,
}

/// `offkey undo`
#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// The case.
    #[command(flatten)]
    pub(super) case: CaseArgs,
    /// Items to take back, as `offkey status` names them (default: all that were begun).
    #[arg(value_name = "ITEM")]
    pub(super) items: Vec<String>,
}

/// `offkey confirm`
#[derive(Debug, Args)]
pub(super) struct ConfirmArgs {
    /// The case.
    #[command(flatten)]
    pub(super) case: CaseArgs,
}

/// How the report of a case is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    /// For the terminal.
    Text,
    /// Everything, for programs.
    Json,
    /// One self-contained page for people.
    Html,
}

/// `offkey report`
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The case.
    #[command(flatten)]
    pub(super) case: CaseArgs,
    /// How to write it.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: ReportFormat,
    /// Write to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// `offkey audit …`
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Check the log of a case: hashes, tree, checkpoint, signature. Needs no configuration
    Verify {
        /// The case's folder, or an exported log.
        #[arg(value_name = "CASE")]
        case: PathBuf,
        /// The key id that must have signed (printed when the case was made); without it any key is accepted and named.
        #[arg(long, value_name = "KEY-ID")]
        key: Option<String>,
    },
}

/// `offkey rules …`
#[derive(Debug, Subcommand)]
pub(super) enum RulesCommand {
    /// Check rule files: fields, patterns, every example and negative example
    Check {
        /// Rule files or folders (default: the built-in set).
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// List the rules
    List {
        /// How to write them.
        #[arg(long, value_enum, default_value = "text")]
        format: RuleFormat,
    },
    /// Print one rule
    Show {
        /// Its id.
        id: String,
    },
    /// Say which rules match a file, and why findings were kept or dropped
    Test {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// `offkey demo`
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Keep the company here instead of in a new temporary folder.
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
}

/// How findings are written for people and pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum ListingFormat {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a finding and line.
    Jsonl,
    /// SARIF 2.1.0.
    Sarif,
    /// Annotations of GitHub Actions; the page of the step gets the Markdown form.
    Github,
    /// GitLab's secret detection report.
    GitlabSecrets,
    /// GitLab's code quality report.
    GitlabQuality,
    /// JUnit's XML.
    Junit,
    /// One row a finding.
    Csv,
    /// A comment for a merge request.
    Markdown,
}

/// A baseline.
#[derive(Clone, Debug, Args)]
pub(super) struct BaselineArgs {
    /// The repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) repo: PathBuf,
    /// The baseline (default: where offkey.toml says, `.offkey-baseline.json`).
    #[arg(long, value_name = "FILE")]
    pub(super) file: Option<PathBuf>,
}

/// `offkey baseline …`
#[derive(Debug, Subcommand)]
pub(super) enum BaselineCommand {
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
pub(super) struct ImportArgs {
    /// Files of other scanners.
    #[arg(value_name = "FILE", required = true)]
    pub(super) files: Vec<PathBuf>,
    /// Which baseline.
    #[command(flatten)]
    pub(super) at: BaselineArgs,
}

/// `offkey watch`
#[derive(Debug, Args)]
#[command(after_help = "\
The first look reads everything, a later one only commits that came since; a changed rule alone is run over the rest. A
finding is told once, and again when it goes stale. docs/ci.md has a timer of systemd and a line for cron.")]
pub(super) struct WatchArgs {
    /// Repositories, or folders of repositories.
    #[arg(value_name = "PATH", required = true)]
    pub(super) paths: Vec<PathBuf>,
    /// Fetch every repository first, with git.
    #[arg(long)]
    pub(super) fetch: bool,
    /// Look again after this many seconds, until stopped.
    #[arg(long, value_name = "SECONDS")]
    pub(super) every: Option<u64>,
    /// A configuration for all of them, instead of each one's offkey.toml at HEAD.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Rules beside the built-in ones.
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Vec<PathBuf>,
    /// Least probability that a finding must have, 0 to 1, instead of the policy's.
    #[arg(long, value_name = "P")]
    pub(super) min_confidence: Option<f32>,
    /// How to write the results.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) format: ListingFormat,
    /// Write the results to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write a further report: `sarif=offkey.sarif`. May be given several times.
    #[arg(long, value_name = "FORM=FILE")]
    pub(super) report: Vec<Also>,
}

/// `offkey hook …`
#[derive(Debug, Subcommand)]
pub(super) enum HookCommand {
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
pub(super) enum HookKind {
    /// Before a commit.
    PreCommit,
    /// Before a push.
    PrePush,
    /// On a server, before refs move.
    PreReceive,
}

/// `offkey init`
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Where; the top of a repository.
    #[arg(value_name = "DIR", default_value = ".")]
    pub(super) folder: PathBuf,
}

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
pub(super) struct GateArgs {
    /// What is staged for the next commit.
    #[arg(long)]
    pub(super) staged: bool,
    /// All commits that lead to B and not to A; each is judged by itself, so that add-then-remove is seen.
    #[arg(long, value_name = "A..B")]
    pub(super) range: Option<String>,
    /// The target of a merge request.
    #[arg(long, value_name = "REF")]
    pub(super) base: Option<String>,
    /// The source of the merge request.
    #[arg(long, value_name = "REF", default_value = "HEAD", requires = "base")]
    pub(super) head: String,
    /// Lines `OLD NEW REF` on standard input, as git gives them to a pre-receive hook.
    #[arg(long)]
    pub(super) pre_receive: bool,
    /// Lines `REF NEW REMOTE-REF OLD` on standard input, as git gives them to a pre-push hook; NAME is the remote.
    #[arg(long, value_name = "NAME")]
    pub(super) pre_push: Option<String>,
    /// The change that the pipeline around this is about: GitHub Actions, GitLab CI, Jenkins.
    #[arg(long)]
    pub(super) ci: bool,
    /// A patch in git's form (`-`: standard input).
    #[arg(long, value_name = "FILE")]
    pub(super) patch: Option<PathBuf>,
    /// The repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(super) repo: PathBuf,
    /// A configuration kept outside of the repository, instead of offkey.toml at the base.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// An exported ledger (`offkey ledger export`), else the one that OFFKEY_LEDGER names; the key of its fingerprints comes
    /// from OFFKEY_FINGERPRINT_KEY.
    #[arg(long, value_name = "FILE")]
    pub(super) ledger: Option<PathBuf>,
    /// The key id that must have signed the exported ledger, else the one in OFFKEY_LEDGER_SIGNER.
    #[arg(long, value_name = "KEY-ID")]
    pub(super) ledger_key: Option<String>,
    /// Rules beside the built-in ones, kept outside of the change: offkey, gitleaks or betterleaks TOML, kingfisher or
    /// Nosey Parker YAML.
    #[arg(long, value_name = "FILE")]
    pub(super) rules: Vec<PathBuf>,
    /// Least probability that a finding must have, 0 to 1, instead of the policy's.
    #[arg(long, value_name = "P")]
    pub(super) min_confidence: Option<f32>,
    /// How to write the results (default: text, with --ci what the server shows best).
    #[arg(long, value_enum)]
    pub(super) format: Option<ListingFormat>,
    /// Write a further report: `sarif=offkey.sarif`. May be given several times.
    #[arg(long, value_name = "FORM=FILE")]
    pub(super) report: Vec<Also>,
    /// Write the results to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// `offkey ledger …`
#[derive(Debug, Subcommand)]
pub(super) enum LedgerCommand {
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
