//! `offkey baseline …` and `offkey import`: living with findings that are known.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::{BaselineArgs, BaselineCommand, ImportArgs};
use super::exit::Exit;
use super::ui::Ui;
use crate::clock;
use crate::config::{self, Home};
use crate::error::{Error, Result};
use crate::gate::{self, Baseline, Survey};
use crate::ledger::{self, Entry, Ledger};
use crate::report::counted;
use crate::rule::RuleSet;
use crate::secret::{Fingerprint, Fingerprinter};
use crate::source::Coverage;

/// A baseline and the ground that it stands on.
struct At {
    file: PathBuf,
    keyed: Fingerprinter,
    min_confidence: f32,
    repo: PathBuf,
    today: String,
}

impl At {
    /// The baseline of a repository, at the place that the policy of its work tree names.
    fn open(args: &BaselineArgs, home: &Home) -> Result<Self> {
        let top = gate::top(&args.repo)?;
        let config = config::load(&top.join("offkey.toml"), true)?;
        let file = args.file.clone().unwrap_or_else(|| top.join(&config.gate.baseline));
        let keyed = match Home::fingerprinter_from_environment()? {
            Some(keyed) => keyed,
            None => home.fingerprinter()?,
        };
        let today = clock::now().to_string()[..10].to_owned();
        Ok(Self { file, keyed, min_confidence: config.gate.min_confidence, repo: args.repo.clone(), today })
    }

    fn survey(&self) -> Result<Survey> {
        gate::survey(&self.repo, RuleSet::builtin(), &self.keyed, self.min_confidence)
    }

    /// The baseline that is there.
    fn read(&self) -> Result<Option<Baseline>> {
        let shown = self.file.display().to_string();
        let text = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(cause) => return Err(Error::unreadable(format!("the baseline {shown}"), cause)),
        };
        let baseline = Baseline::parse(&text, &shown)?;
        if !baseline.is_of(&self.keyed) {
            return Err(Error::config(format!("the baseline {shown} was made with another key for fingerprints"))
                .still("It was not touched.")
                .next(
                    "Set OFFKEY_FINGERPRINT_KEY or --home to the key that made it, or remove it and create a new one.",
                ));
        }
        Ok(Some(baseline))
    }

    fn needed(&self) -> Result<Baseline> {
        self.read()?.ok_or_else(|| {
            Error::user(format!("there is no baseline at {}", self.file.display()))
                .next("Make one with `offkey baseline create`.")
        })
    }

    fn write(&self, baseline: &Baseline) -> Result<()> {
        super::listing::to_file(&self.file, baseline.text().as_bytes())
    }
}

/// Runs `offkey baseline …`.
pub(super) fn run(command: &BaselineCommand, home: Option<&Path>, ui: Ui) -> Result<Exit> {
    let home = Home::open(home)?;
    match command {
        BaselineCommand::Create { at } => create(&At::open(at, &home)?, ui),
        BaselineCommand::Update { at, add } => update(&At::open(at, &home)?, *add, ui),
        BaselineCommand::Audit { at, accept, reason, by } => {
            let at = At::open(at, &home)?;
            match accept {
                Some(fingerprint) => note(&at, *fingerprint, reason.as_deref(), by.as_deref(), ui),
                None => audit(&at, &home),
            }
        }
    }
}

fn create(at: &At, ui: Ui) -> Result<Exit> {
    if at.read()?.is_some() {
        return Err(Error::user(format!("there is a baseline at {} already", at.file.display()))
            .still("It was not touched.")
            .next("`offkey baseline update` drops what is gone; with --add it takes in what is new."));
    }
    let survey = at.survey()?;
    let mut baseline = Baseline::new(&at.keyed);
    let change = baseline.update(&survey, true, &at.today);
    at.write(&baseline)?;
    ui.note(format!(
        "{}: {} accepted for now; look at them with `offkey baseline audit`",
        at.file.display(),
        counted(change.added, "finding")
    ));
    Ok(partial(&survey.coverage))
}

fn update(at: &At, add: bool, ui: Ui) -> Result<Exit> {
    let mut baseline = at.needed()?;
    let survey = at.survey()?;
    let change = baseline.update(&survey, add, &at.today);
    // A scan that did not see everything must not drop what it may have missed.
    if survey.coverage.iter().any(Coverage::is_partial) && !change.gone.is_empty() {
        return Err(Error::user("not everything could be read, so nothing is known to be gone")
            .still("The baseline was not touched.")
            .next("`offkey scan` says what could not be read."));
    }
    at.write(&baseline)?;
    for gone in &change.gone {
        ui.note(format!("gone: {} in {}", gone.rule, gone.path));
    }
    ui.note(format!("{} added, {} gone, {} found and not accepted", change.added, change.gone.len(), change.left));
    Ok(if change.left > 0 { Exit::Findings } else { partial(&survey.coverage) })
}

fn note(at: &At, fingerprint: Fingerprint, reason: Option<&str>, by: Option<&str>, ui: Ui) -> Result<Exit> {
    let mut baseline = at.needed()?;
    let meant = baseline.findings.iter_mut().filter(|one| one.fingerprint == fingerprint);
    let mut count = 0;
    for one in meant {
        one.reason = reason.unwrap_or_default().to_owned();
        one.by = by.unwrap_or_default().to_owned();
        count += 1;
    }
    if count == 0 {
        return Err(
            Error::user(format!("{fingerprint} is not in the baseline")).next("`offkey baseline audit` lists it.")
        );
    }
    at.write(&baseline)?;
    ui.note(format!("{count} entries explained"));
    Ok(Exit::Clean)
}

/// Every entry with what is known of it today; what has become stale needs somebody.
fn audit(at: &At, home: &Home) -> Result<Exit> {
    let baseline = at.needed()?;
    let survey = at.survey()?;
    let there: HashSet<(String, Fingerprint)> =
        survey.places().map(|place| (place.path, place.finding.fingerprint)).collect();
    let ledger = Ledger::read(&home.file(ledger::FILE))?;
    let (mut stale, mut unexplained) = (0, 0);
    let mut out = Vec::new();
    for one in &baseline.findings {
        let known = ledger.as_ref().map(|ledger| ledger.get(&one.fingerprint)).transpose()?.flatten();
        let is_stale = known.as_ref().is_some_and(|entry| entry.state.is_dead() || entry.departed.is_some());
        stale += usize::from(is_stale);
        unexplained += usize::from(one.reason.is_empty());
        let state = known.as_ref().map_or("not in the ledger", |entry: &Entry| entry.state.word());
        let mark = match (is_stale, there.contains(&(one.path.clone(), one.fingerprint))) {
            (true, _) => "STALE",
            (false, true) => "there",
            (false, false) => "gone",
        };
        let reason = if one.reason.is_empty() { "nobody has looked at it" } else { &one.reason };
        let by = if one.by.is_empty() { String::new() } else { format!(" ({})", one.by) };
        writeln!(out, "{mark:<5}  {}  {}  since {}", one.path, one.rule, one.added)?;
        writeln!(out, "       {}  {state}  {reason}{by}", one.fingerprint)?;
    }
    writeln!(out, "{} accepted, {stale} stale, {unexplained} that nobody has looked at", baseline.findings.len())?;
    super::ended_early(std::io::stdout().lock().write_all(&out))?;
    Ok(if stale > 0 { Exit::Findings } else { partial(&survey.coverage) })
}

/// Runs `offkey import`.
pub(super) fn import(args: &ImportArgs, home: Option<&Path>, ui: Ui) -> Result<Exit> {
    let at = At::open(&args.at, &Home::open(home)?)?;
    let mut wishes = Vec::new();
    for file in &args.files {
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|cause| Error::unreadable(&shown, cause))?;
        let (format, read) = gate::import(&text, &shown)?;
        ui.note(format!("{shown}: {format}, {} entries", read.entries.len() + read.untranslated.len()));
        read.untranslated.iter().for_each(|why| ui.warn(format!("not imported: {why}")));
        wishes.extend(read.entries);
    }
    let survey = at.survey()?;
    let mut baseline = at.read()?.unwrap_or_else(|| Baseline::new(&at.keyed));
    let mut added = 0;
    for wish in &wishes {
        let mut meant = false;
        for place in survey.places().filter(|place| wish.covers(place)) {
            meant = true;
            let said = wish.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
            let reason = format!("imported from {}{said}", wish.origin);
            let (fingerprint, rule) = (place.finding.fingerprint, place.finding.rule.clone());
            added += usize::from(baseline.accept(fingerprint, place.path, rule, &at.today, reason));
        }
        if !meant {
            ui.warn(format!("nothing found for {}", wish.origin));
        }
    }
    at.write(&baseline)?;
    ui.note(format!("{} accepted in {}", counted(added, "finding"), at.file.display()));
    Ok(partial(&survey.coverage))
}

fn partial(coverage: &[Coverage]) -> Exit {
    if coverage.iter().any(Coverage::is_partial) { Exit::Partial } else { Exit::Clean }
}
