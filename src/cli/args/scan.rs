//! What searches, and how results are written: `scan`, `explain`, `rules`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::cli::listing::Also;

/// Which text to read; shared by everything that scans.
#[derive(Clone, Debug, Args)]
pub(crate) struct SourceArgs {
    /// Repositories, folders, exports or files.
    #[arg(value_name = "PATH", required_unless_present = "repos_from")]
    pub(crate) paths: Vec<PathBuf>,
    /// Also read the clones that this file names, one path a line.
    #[arg(long, value_name = "FILE")]
    pub(crate) repos_from: Option<PathBuf>,
    /// Take the paths for this format instead of looking (see docs/sources.md).
    #[arg(long = "as", value_name = "FORMAT")]
    pub(crate) take_for: Option<String>,
    /// Read lists of records (JSON, JSON lines, CSV, XML) by these fields: text=body,author=user.login,time=created_at.
    #[arg(long, value_name = "FIELDS", conflicts_with = "take_for", value_parser = map)]
    pub(crate) map: Option<String>,
    /// Do not read the history of repositories.
    #[arg(long)]
    pub(crate) no_history: bool,
    /// Do not read the work tree of repositories.
    #[arg(long)]
    pub(crate) no_work_tree: bool,
    /// Rules beside the built-in ones: offkey, gitleaks or betterleaks TOML, kingfisher or Nosey Parker YAML.
    #[arg(long, value_name = "FILE")]
    pub(crate) rules: Vec<PathBuf>,
    /// A report of another scanner (gitleaks, betterleaks, kingfisher, TruffleHog, SARIF): its values are looked for in
    /// the paths, and everything known about their places is told.
    #[arg(long, value_name = "FILE")]
    pub(crate) findings: Vec<PathBuf>,
    /// Leave out files larger than this many bytes, and say so (default: no limit).
    #[arg(long, value_name = "BYTES")]
    pub(crate) max_file_size: Option<u64>,
    /// Threads (default: one a core).
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
}

/// A map whose fields exist: a wrong one would read the records without authors.
fn map(text: &str) -> Result<String, String> {
    crate::source::check_map(text).map(|()| text.to_owned())
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
pub(crate) struct ScanArgs {
    /// What to read.
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// How to write the results.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ListingFormat,
    /// Where to write them.
    #[command(flatten)]
    pub(crate) to: WriteArgs,
    /// Least probability that a finding must have, 0 to 1.
    #[arg(long, value_name = "P", default_value_t = 0.5, value_parser = super::probability)]
    pub(crate) min_confidence: f32,
    /// Also search for the exact values in this file, one a line (`-`: standard input). Never on the command line.
    #[arg(long, value_name = "FILE")]
    pub(crate) needles: Option<PathBuf>,
    /// Leave out the objects of a history in which an earlier scan with the same rules found nothing.
    #[arg(long, conflicts_with = "needles")]
    pub(crate) incremental: bool,
    /// Where earlier scans are remembered (default: `seen` in offkey's own folder).
    #[arg(long, value_name = "DIR", requires = "incremental")]
    pub(crate) state: Option<PathBuf>,
    /// Be polite to the machine: lowest priority, one thread unless --threads says more.
    #[arg(long)]
    pub(crate) nice: bool,
    /// Print the secrets themselves.
    #[arg(long)]
    pub(crate) reveal: bool,
    /// Print what the scan cost: bytes, rates, time.
    #[arg(long)]
    pub(crate) stats: bool,
    /// Exit with 0 even when there are findings.
    #[arg(long)]
    pub(crate) exit_zero: bool,
}

/// `offkey explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Files or folders.
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// How to write the results.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: ScanFormat,
    /// Show the numbers that the ranker saw.
    #[arg(long)]
    pub(crate) features: bool,
    /// Print values in clear.
    #[arg(long)]
    pub(crate) reveal: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// For people.
    Text,
    /// One JSON object for each finding and line.
    Jsonl,
    /// One JSON document: credentials, findings, coverage.
    Json,
}

/// How findings are written for people and pipelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListingFormat {
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

/// Where results go, and in which further forms.
#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Write the results to this file instead of standard output.
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write a further report, without values: `sarif=offkey.sarif`. May be given several times.
    #[arg(long, value_name = "FORM=FILE")]
    pub(crate) report: Vec<Also>,
}

/// How the list of rules is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RuleFormat {
    /// A line a rule.
    Text,
    /// One JSON object a line.
    Jsonl,
    /// One JSON list.
    Json,
    /// The page docs/rules.md: a line a provider.
    Markdown,
}

/// `offkey systems`
#[derive(Debug, Args)]
pub(crate) struct SystemsArgs {
    /// Which of them.
    #[arg(value_enum)]
    pub(crate) which: Systems,
    /// How to write them.
    #[arg(long, value_enum, default_value = "text")]
    pub(crate) format: SystemsFormat,
}

/// The two sides of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Systems {
    /// Where values are kept.
    Stores,
    /// Who issued them and can end them.
    Providers,
}

/// How the list of systems is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SystemsFormat {
    /// A line a type.
    Text,
    /// The page docs/stores.md or docs/providers.md.
    Markdown,
}

/// `offkey rules …`
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
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

/// `offkey mirror`
#[cfg(feature = "issuers")]
#[derive(Debug, Args)]
pub(crate) struct MirrorArgs {
    /// Whose repositories: github:NAME, gitlab:NAME (a group, with all below it) or gitea:NAME. The token, if one is needed, is
    /// read from GITHUB_TOKEN, GITLAB_TOKEN or GITEA_TOKEN.
    #[arg(value_name = "OWNER")]
    pub(crate) owner: String,
    /// Folder for the copies; `offkey scan --incremental FOLDER` reads them all.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) into: PathBuf,
    /// Address of an own server: https://git.example.com.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<String>,
    /// Leave out forks.
    #[arg(long)]
    pub(crate) no_forks: bool,
    /// Leave out archived repositories.
    #[arg(long)]
    pub(crate) no_archived: bool,
}
