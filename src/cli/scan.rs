//! `offkey scan`: sources × rules and needles → findings, on standard output.

use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::args::{ListingFormat, ScanArgs, SourceArgs};
use super::exit::Exit;
use super::listing;
use super::ui::Ui;
use crate::attribution;
use crate::clock;
use crate::config::Home;
use crate::detect::{self, Detector, Options, Values};
use crate::error::{Error, Result};
use crate::finding::{self, Credential, Report};
use crate::report::{self, Listing, Scan};
use crate::secret::{Fingerprinter, SecretValue};
use crate::source::{self, Coverage, OpenOptions, Progress, Seen, Source};

/// Runs the command.
pub(super) fn run(args: &ScanArgs, home: Option<&Path>, ui: Ui) -> Result<Exit> {
    let (started, began) = (Instant::now(), clock::now().to_string());
    listing::check(&args.to)?;
    if args.nice {
        yield_to_others(ui);
    }
    let rules = super::rules::with(&args.source.rules, ui)?;
    let reports = reports(&args.source)?;
    let mut needles = args.needles.as_deref().map_or_else(|| Ok(Values::default()), needles)?;
    reports.iter().flat_map(Report::needles).for_each(|needle| needles.push(&needle));
    let options = Options { min_confidence: args.min_confidence, paths_come_later: true };
    let detector = Detector::new(Arc::clone(&rules), needles, options)?;
    let mut refused = Coverage::new("needles", "exact-values");
    for one in detector.refused() {
        ui.warn(format!("a needle is not searched for: {one}"));
        refused.skip(&one.label, one.why);
    }
    let seen = seen(args, &detector, home, ui)?;
    let sources = open(&args.source, seen.clone())?;
    let (hits, mut coverage) = {
        let progress = Arc::new(Progress::default());
        let _bar = ui.bar("scanning", Arc::clone(&progress));
        detect::run(&detector, &sources, &progress, args.source.threads.or(args.nice.then_some(1)))?
    };
    if !refused.gaps.is_empty() {
        coverage.push(refused);
    }
    let (fingerprinter, keyed) = fingerprinter(home, ui);
    let credentials = finding::collect(hits, &fingerprinter);
    coverage.extend(reports.iter().map(|report| report.coverage(&credentials, &fingerprinter)));
    let facts = attribution::gather(&credentials, args.min_confidence)?;
    let credentials = facts.weigh(credentials, args.min_confidence);
    if let Some(seen) = &seen {
        let findings = credentials.iter().flat_map(|credential| &credential.findings);
        seen.save(findings.filter_map(|finding| finding.location.provenance.object()))?;
    }
    if args.reveal {
        ui.warn("--reveal prints secrets in clear; do not keep this output");
    }
    let scan =
        Scan { credentials: &credentials, facts: &facts, coverage: &coverage, rules: &rules, reveal: args.reveal };
    print(args, &scan, keyed, began)?;
    if args.stats {
        ui.note(super::stats::table(&coverage, &detector, started));
    }
    Ok(exit(args, &credentials, &coverage))
}

/// What earlier scans with the same rules left, for an incremental one.
fn seen(args: &ScanArgs, detector: &Detector, home: Option<&Path>, ui: Ui) -> Result<Option<Arc<Seen>>> {
    if !args.incremental {
        return Ok(None);
    }
    let Some(digest) = detector.digest() else {
        ui.warn("exact values are searched for in everything: this scan is not incremental");
        return Ok(None);
    };
    let folder = match &args.state {
        Some(folder) => folder.clone(),
        None => Home::open(home)?.file("seen"),
    };
    Ok(Some(Arc::new(Seen::open(&folder, digest)?)))
}

/// Lowest priority; threads that start later inherit it.
fn yield_to_others(ui: Ui) {
    let mut renice = std::process::Command::new("renice");
    renice.args(["-n", "19", "-p", &std::process::id().to_string()]);
    renice.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    if !renice.status().is_ok_and(|status| status.success()) {
        ui.warn("--nice: the priority cannot be lowered, because `renice` is not here or refuses");
    }
}

/// Reads the reports of other scanners.
pub(super) fn reports(args: &SourceArgs) -> Result<Vec<Report>> {
    let paths = paths(args)?;
    args.findings.iter().map(|file| Report::read(file, &paths)).collect()
}

/// Opens every path as what it is.
fn open(args: &SourceArgs, seen: Option<Arc<Seen>>) -> Result<Vec<Box<dyn Source>>> {
    let options = OpenOptions { seen, ..options(args) };
    let mut sources = Vec::new();
    for path in paths(args)? {
        sources.extend(source::open(&path, &options)?);
    }
    Ok(sources)
}

/// How the paths are opened.
pub(super) fn options(args: &SourceArgs) -> OpenOptions {
    OpenOptions {
        take_for: args.take_for.clone().or_else(|| args.map.as_ref().map(|_| "map".to_owned())),
        history: !args.no_history,
        work_tree: !args.no_work_tree,
        max_file_size: args.max_file_size,
        threads: args.threads,
        map: args.map.clone(),
        ..OpenOptions::default()
    }
}

/// The paths that were typed, and those of the list of repositories.
pub(super) fn paths(args: &SourceArgs) -> Result<Vec<PathBuf>> {
    let mut paths = args.paths.clone();
    if let Some(list) = &args.repos_from {
        paths.extend(source::listed(list)?);
    }
    Ok(paths)
}

/// One value a line; from a file or from standard input, never from the command line.
fn needles(path: &Path) -> Result<Values> {
    let shown = path.display().to_string();
    let mut text = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().read_to_end(&mut text)?;
    } else {
        text = std::fs::read(path).map_err(|cause| Error::unreadable(format!("the file of needles {shown}"), cause))?;
    }
    Ok(Values::lines(&shown, text))
}

/// A scan works without a folder of its own; its fingerprints then hold for this run only.
fn fingerprinter(home: Option<&Path>, ui: Ui) -> (Fingerprinter, bool) {
    match Home::open(home).and_then(|home| home.fingerprinter()) {
        Ok(fingerprinter) => (fingerprinter, true),
        Err(error) => {
            ui.warn(format!("{error}; fingerprints of this run cannot be compared with other runs"));
            (Fingerprinter::new(&SecretValue::new(clock::random::<32>())), false)
        }
    }
}

/// The forms of a scan know values and every commit; the others are those of the gate.
fn print(args: &ScanArgs, scan: &Scan<'_>, keyed: bool, began: String) -> Result<()> {
    let write = match args.format {
        ListingFormat::Text => report::scan_text,
        ListingFormat::Json => report::scan_json,
        ListingFormat::Jsonl => report::scan_jsonl,
        _ => {
            return listed(scan, keyed, began, |listing| listing::write(listing, args.format, &args.to));
        }
    };
    if !args.to.report.is_empty() {
        listed(scan, keyed, began, |listing| listing::reports(listing, &args.to.report))?;
    }
    let file = args
        .to
        .output
        .as_ref()
        .map(|path| std::fs::File::create(path).map_err(|cause| Error::unwritable(path.display(), cause)));
    let mut out: BufWriter<Box<dyn Write>> = BufWriter::new(match file.transpose()? {
        Some(file) => Box::new(file),
        None => Box::new(std::io::stdout().lock()),
    });
    super::ended_early(write(scan, &mut out).and_then(|()| out.flush()))
}

fn listed(scan: &Scan<'_>, keyed: bool, began: String, then: impl FnOnce(&Listing<'_>) -> Result<()>) -> Result<()> {
    let judged = scan.judged();
    let times = (began, clock::now().to_string());
    then(&Listing { judged: &judged, coverage: scan.coverage, notes: &[], rules: scan.rules, keyed, times })
}

fn exit(args: &ScanArgs, credentials: &[Credential], coverage: &[Coverage]) -> Exit {
    let partial = coverage.iter().any(Coverage::is_partial);
    match (credentials.is_empty() || args.exit_zero, partial) {
        (false, _) => Exit::Findings,
        (true, true) => Exit::Partial,
        (true, false) => Exit::Clean,
    }
}
