//! Writes a listing in any form, to standard output and to files.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use super::args::{ListingFormat, WriteArgs};
use crate::error::{Error, Result};
use crate::report::{self, Listing};

/// Variable in which GitHub names the file whose Markdown it shows on the page of a step.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// A further report: `sarif=offkey.sarif`.
#[derive(Clone, Debug)]
pub(super) struct Also {
    format: ListingFormat,
    path: PathBuf,
}

impl std::str::FromStr for Also {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, path) = text.split_once('=').filter(|(_, path)| !path.is_empty()).ok_or("write FORM=FILE")?;
        let format = <ListingFormat as clap::ValueEnum>::from_str(format, false).map_err(|_| {
            let known = ListingFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let known: Vec<String> = known.map(|one| one.get_name().to_owned()).collect();
            format!("no form is called {format}; forms are {}", known.join(", "))
        })?;
        Ok(Self { format, path: path.into() })
    }
}

/// Writes the main form to its file (standard output without one), and every further report to its own.
pub(super) fn write(listing: &Listing<'_>, format: ListingFormat, to: &WriteArgs) -> Result<()> {
    reports(listing, &to.report)?;
    if format == ListingFormat::Github {
        step_summary(listing)?;
    }
    let text = render(listing, format)?;
    match &to.output {
        None => super::ended_early(std::io::stdout().lock().write_all(&text)),
        Some(path) => to_file(path, &text),
    }
}

/// Before long work: whether the folders of all files that shall be written are there.
pub(super) fn check(to: &WriteArgs) -> Result<()> {
    let all = to.output.iter().chain(to.report.iter().map(|also| &also.path));
    all.into_iter().try_for_each(|path| match std::fs::metadata(folder(path)) {
        Ok(_) => Ok(()),
        Err(cause) => Err(Error::unwritable(path.display(), cause).still("Nothing was read yet.")),
    })
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Writes every further report to its file.
pub(super) fn reports(listing: &Listing<'_>, also: &[Also]) -> Result<()> {
    also.iter().try_for_each(|one| to_file(&one.path, &render(listing, one.format)?))
}

fn render(listing: &Listing<'_>, format: ListingFormat) -> Result<Vec<u8>> {
    let write = match format {
        ListingFormat::Text => report::gate_text,
        ListingFormat::Json => report::gate_json,
        ListingFormat::Jsonl => report::gate_jsonl,
        ListingFormat::Sarif => report::sarif,
        ListingFormat::Github => report::github,
        ListingFormat::GitlabSecrets => report::gitlab_secrets,
        ListingFormat::GitlabQuality => report::gitlab_quality,
        ListingFormat::Junit => report::junit,
        ListingFormat::Csv => report::gate_csv,
        ListingFormat::Markdown => report::markdown,
    };
    let mut text = Vec::new();
    write(listing, &mut text).map_err(|cause| Error::internal("a report could not be made").because(cause))?;
    Ok(text)
}

/// Whole or not at all: a pipeline must not upload half a report or read half a ledger.
pub(super) fn to_file(path: &Path, text: &[u8]) -> Result<()> {
    let written = tempfile::NamedTempFile::new_in(folder(path)).and_then(|mut file| {
        file.write_all(text)?;
        #[cfg(unix)]
        {
            // Other steps of a pipeline run as other users and must be able to read it; no report holds a value.
            use std::os::unix::fs::PermissionsExt;
            file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        file.persist(path).map(drop).map_err(|error| error.error)
    });
    written.map_err(|cause| Error::unwritable(path.display(), cause))
}

fn step_summary(listing: &Listing<'_>) -> Result<()> {
    let Some(path) = std::env::var_os(STEP_SUMMARY).filter(|path| !path.is_empty()) else { return Ok(()) };
    let text = render(listing, ListingFormat::Markdown)?;
    let written = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    written
        .and_then(|mut file| file.write_all(&text))
        .map_err(|cause| Error::unwritable(format!("the page of this step ({STEP_SUMMARY})"), cause))
}
