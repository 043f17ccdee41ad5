//! The story of one departure, one call a stage. Each arrow points down the page:
//!
//! identity → needles from the stores → matches → credentials → exposures → holdings → liveness → plan, sealed. A sweep ends
//! there and has changed nothing. [`apply`] carries the approved plan out, [`confirm()`] asks again.

mod approve;
mod gather;
mod remember;
mod rescan;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::json;

use crate::action::{ValueRef, wait};
use crate::attribution;
use crate::audit::{Log, Signer};
use crate::case::{Case, Findings, Place, Record, Request};
use crate::clock;
use crate::config::{self, Config, Home};
use crate::confirm::{self, Verdict};
use crate::detect::{self, Detector, Needle, Options};
use crate::error::{Error, Result};
use crate::finding::{self, Credential, Report};
use crate::identity;
use crate::ledger;
use crate::plan::{self, Inputs, Plan, Step, Treatment};
use crate::provider::ProviderStep;
use crate::rotation::{self, Execution, Journal, Patience, State, Systems, TakenBack};
use crate::rule::RuleSet;
use crate::secret::{Fingerprint, Fingerprinter};
use crate::source::{self, OpenOptions, Progress, Source};

pub use approve::sign as approve;

/// What a sweep is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The identity file.
    pub identity: PathBuf,
    /// `offkey.toml`.
    pub config: PathBuf,
    /// Folder of the new case.
    pub case: PathBuf,
    /// Repositories, folders, exports.
    pub paths: Vec<PathBuf>,
    /// How they are read.
    pub open: OpenOptions,
    /// What to look for beside values out of stores.
    pub rules: Arc<RuleSet>,
    /// Reports of other scanners about the same paths.
    pub reports: Vec<PathBuf>,
}

/// What a sweep ends with.
pub struct Swept {
    /// What was found.
    pub findings: Findings,
    /// What should happen.
    pub plan: Plan,
    /// Id of the key that signed the log: worth noting elsewhere.
    pub key_id: String,
}

/// Finds, attributes, locates, asks and plans. Changes nothing but the case's own folder.
///
/// # Errors
/// When an input cannot be read at all; what fails in part is in the coverage.
pub fn sweep(ask: &Ask, home: &Home, progress: &Progress) -> Result<Swept> {
    let (fingerprinter, signer) = (home.fingerprinter()?, Signer::new(&home.signing_seed()?)?);
    let config = config::load(&ask.config, false)?;
    let systems = config.systems(&fingerprinter)?;
    let mut identity = identity::load(&ask.identity)?;
    if let Some(pattern) = identity.keeps.iter().find(|pattern| !config.knows(pattern)) {
        let (file, config) = (ask.identity.display(), ask.config.display());
        return Err(Error::config(format!("{file} keeps {pattern:?}, which names no store or provider of {config}"))
            .still("Nothing was read or changed.")
            .next("A target is system:place, * at its end."));
    }
    let sources = open(&ask.paths, &ask.open)?;
    for source in &sources {
        identity.widen(&source.roster()?);
    }
    let case = Case::create(&ask.case)?;
    let request = request(ask, identity)?;
    case.log().append(
        "case-opened",
        json!({ "case": request.id, "identity": request.identity.name, "key": signer.key_id() }),
    )?;

    let held = wait(gather::held(&systems, case.log(), &fingerprinter))?;
    let reports: Vec<Report> = ask.reports.iter().map(|file| Report::read(file, &ask.paths)).collect::<Result<_>>()?;
    let mut needles = held.needles();
    needles.extend(reports.iter().flat_map(Report::needles));
    let options = Options { min_confidence: config.policy.min_confidence, paths_come_later: true };
    let detector = Detector::new(Arc::clone(&ask.rules), needles, options)?;
    let (hits, mut coverage) = detect::run(&detector, &sources, progress, ask.open.threads)?;
    let mut credentials = finding::collect(hits, &fingerprinter);
    coverage.extend(reports.iter().map(|report| report.coverage(&credentials, &fingerprinter)));
    let mut facts = attribution::gather(&credentials, config.policy.min_confidence)?;
    credentials = facts.weigh(credentials, config.policy.min_confidence);
    facts.reads = held.reads();
    facts.reads.extend(wait(held.served(&systems, &credentials, &mut coverage)));
    held.add_read_by(&request.identity, &facts.reads, &mut credentials);
    let exposures = attribution::attribute(&credentials, &request.identity, &facts);
    let holdings = held.holdings(&credentials, &request.identity);
    let tied: HashSet<Fingerprint> = exposures.iter().filter(|e| e.leaver).map(|e| e.fingerprint).collect();
    let accounts = wait(gather::accounts(&systems, &mut credentials, &tied, &holdings, &mut coverage));
    let owned = wait(gather::owned(&systems, &request.identity, &mut coverage));
    let labels = gather::labels(&credentials, detector.rules());

    let plan = plan::draft(&Inputs {
        case: request.id,
        identity: &request.identity.name,
        keeps: &request.identity.keeps,
        today: &clock::now().to_string()[..10],
        credentials: &labels,
        exposures: &exposures,
        holdings: &holdings,
        accounts: &accounts,
        owned: &owned,
        own: &config.own(&fingerprinter),
        waivers: &config.waivers,
        policy: &config.policy,
    });
    coverage.extend(held.coverage);
    let unsearched = detector.refused().iter().map(ToString::to_string).collect();
    let guessable = credentials.iter().filter(|c| ledger::guessable(c.value.expose())).map(|c| c.fingerprint).collect();
    let credentials = records(&credentials, &labels, &facts);
    let findings = Findings { credentials, exposures, holdings, coverage, unsearched };
    case.fill(&request, &findings, &plan, &signer)?;
    remember::swept(home, &request, &findings, &plan, &guessable);
    Ok(Swept { findings, plan, key_id: signer.key_id() })
}

fn open(paths: &[PathBuf], options: &OpenOptions) -> Result<Vec<Box<dyn Source>>> {
    let mut sources = Vec::new();
    for path in paths {
        sources.extend(source::open(path, options)?);
    }
    Ok(sources)
}

/// The request with absolute paths: a case can be taken up from another folder.
fn request(ask: &Ask, identity: identity::Identity) -> Result<Request> {
    let absolute = |path: &Path| {
        std::path::absolute(path)
            .map_err(|cause| Error::user(format!("{} has no absolute path", path.display())).because(cause))
    };
    Ok(Request {
        schema: "offkey.case/1".to_owned(),
        id: clock::new_id(),
        opened: clock::now().to_string(),
        identity,
        paths: ask.paths.iter().map(|path| absolute(path)).collect::<Result<_>>()?,
        typed: ask.paths.clone(),
        take_for: ask.open.take_for.clone(),
        map: ask.open.map.clone(),
        history: ask.open.history,
        work_tree: ask.open.work_tree,
        config: absolute(&ask.config)?,
    })
}

fn records(credentials: &[Credential], labels: &[plan::Known], facts: &attribution::Facts) -> Vec<Record> {
    let place = |finding: &finding::Finding| Place { shown: facts.place(finding), finding: finding.clone() };
    let record = |(credential, known): (&Credential, &plan::Known)| Record {
        fingerprint: credential.fingerprint,
        label: known.label.clone(),
        rule: credential.rule.clone(),
        kind: credential.kind.clone(),
        confidence: credential.confidence,
        liveness: credential.liveness.clone(),
        findings: credential.findings.iter().map(place).collect(),
    };
    credentials.iter().zip(labels).map(record).collect()
}

/// What [`apply`] and [`confirm`] work with.
struct Reopened {
    case: Case,
    request: Request,
    plan: Plan,
    systems: Systems,
    config: Config,
    signer: Signer,
    fingerprinter: Fingerprinter,
}

fn reopen(dir: &Path, home: &Home) -> Result<Reopened> {
    let case = Case::open(dir)?;
    let (request, plan) = (case.request()?, case.plan()?);
    let (fingerprinter, signer) = (home.fingerprinter()?, Signer::new(&home.signing_seed()?)?);
    let config = config::load(&request.config, false)?;
    let systems = config.systems(&fingerprinter)?;
    Ok(Reopened { case, request, plan, systems, config, signer, fingerprinter })
}

/// Who follows a run step by step, and may end it early.
pub struct Watcher<'w> {
    /// Hears of every step as it ends.
    pub tell: &'w mut (dyn FnMut(&Treatment, &Step, &State) + Send),
    /// See [`Patience::stop`].
    pub stop: Arc<AtomicBool>,
}

/// Carries the approved plan out, as far as it goes; after a crash the same call goes on.
///
/// `allow` lifts the cap on the number of changes.
///
/// # Errors
/// When the digest is not that of the plan, the cap is exceeded, a system says in advance that it will refuse, or the log
/// cannot be written. Nothing was changed then, unless an earlier call did.
pub fn apply(
    dir: &Path,
    digest: &str,
    allow: Option<usize>,
    home: &Home,
    watcher: Watcher<'_>,
) -> Result<(Plan, Execution)> {
    carry_out(dir, digest, allow, home, None, watcher)
}

fn carry_out(
    dir: &Path,
    digest: &str,
    allow: Option<usize>,
    home: &Home,
    resuming: Option<&[String]>,
    watcher: Watcher<'_>,
) -> Result<(Plan, Execution)> {
    let mut at = reopen(dir, home)?;
    let sealed = at.plan.digest();
    allowed(&at.plan, digest, allow, at.case.log())?;
    let journal_digest = sealed.clone();
    let begun = Execution { steps: Journal::new(at.case.log(), &journal_digest).states()? };
    if begun.steps.is_empty() {
        at.case.log().append("approved", json!({ "digest": sealed, "allow": allow }))?;
    }
    preflight(&at, &begun)?;
    let wanted = wanted_values(&at.plan, &begun);
    if !wanted.is_empty() {
        at.systems.found = match rescan::at_known_places(&at.request, &at.case.findings()?, &wanted, &at.fingerprinter)?
        {
            Some(values) => values,
            None => rescan::found(&at.request, &at.systems, &at.config, &at.fingerprinter, at.case.log())?.values,
        };
    }
    let journal = Journal::new(at.case.log(), &sealed);
    let mut patience = Patience { stop: watcher.stop, ..Patience::default() };
    if let Some(let_go) = resuming {
        patience.leave = journal.taken_back()?;
        for item in let_go {
            at.case.log().append("let-go", json!({ "plan": sealed, "treatment": item }))?;
        }
        patience.let_go = let_go.iter().cloned().collect();
    }
    let execution = wait(rotation::execute_with(&at.plan, &journal, &at.systems, &patience, watcher.tell))?;
    at.case.seal(&at.signer)?;
    remember::applied(home, &at.plan, &execution);
    Ok((at.plan, execution))
}

/// Goes on with what an earlier [`apply`] began: what was approved then needs no digest again. What a person took back stays so.
/// `let_go`: ids of treatments whose consumers are not waited for any longer.
///
/// # Errors
/// When nothing was approved yet; see also [`apply`].
pub fn resume(dir: &Path, let_go: &[String], home: &Home, watcher: Watcher<'_>) -> Result<(Plan, Execution)> {
    let (digest, allow) = {
        let case = Case::open(dir)?;
        let digest = case.plan()?.digest();
        let entries = case.log().entries()?;
        let approved = |entry: &&crate::audit::Entry| entry.kind == "approved" && entry.data["digest"] == digest;
        let Some(entry) = entries.iter().rev().find(approved) else {
            return Err(Error::user("nobody approved this case's plan yet")
                .still("Nothing was changed.")
                .next("Read it with `offkey plan`, then `offkey apply --digest` the digest that it shows."));
        };
        let allow = entry.data["allow"].as_u64().and_then(|allow| usize::try_from(allow).ok());
        (digest, allow)
    };
    carry_out(dir, &digest, allow, home, Some(let_go), watcher)
}

/// Takes back what was begun and no consumer has seen yet; `which`: ids of treatments, empty: all.
///
/// # Errors
/// When the case cannot be read, or its log cannot be written.
pub fn undo(
    dir: &Path,
    which: &[String],
    home: &Home,
    tell: &mut (dyn FnMut(&Treatment, &Step, &State) + Send),
) -> Result<(Plan, Vec<(String, TakenBack)>)> {
    let at = reopen(dir, home)?;
    if let Some(id) = which.iter().find(|id| !at.plan.treatments.iter().any(|one| one.id == **id)) {
        return Err(Error::user(format!("the plan has no item {id}")).next("`offkey status --case DIR` lists them."));
    }
    let digest = at.plan.digest();
    let journal = Journal::new(at.case.log(), &digest);
    let (_, taken) = wait(rotation::undo(&at.plan, &journal, &at.systems, &Patience::default(), which, tell))?;
    at.case.seal(&at.signer)?;
    Ok((at.plan, taken))
}

/// Whether this plan may be carried out: the digest fits, the cap is kept, those who have to agree did.
fn allowed(plan: &Plan, digest: &str, allow: Option<usize>, log: &Log) -> Result<()> {
    approve::fits(&plan.digest(), digest)?;
    let (changes, cap) = (plan.changes(), allow.unwrap_or(plan.cap));
    if changes > cap {
        return Err(Error::user(format!("the plan changes {changes} things, the policy allows {cap} at once"))
            .still("Nothing was changed.")
            .next(format!("If that is right, pass --allow {changes}.")));
    }
    approve::check(plan, log)
}

/// Asks every system beforehand whether it will let us: a refusal in the middle costs more than one before the start.
fn preflight(at: &Reopened, begun: &Execution) -> Result<()> {
    let mut targets: Vec<_> = at.plan.treatments.iter().filter(|t| !begun.is_done(t)).flat_map(|t| &t.steps).collect();
    targets.retain(|step| !begun.steps.contains_key(&step.id) && !matches!(step.does, plan::Does::Hook(_)));
    targets.sort_by(|a, b| a.target.cmp(&b.target));
    targets.dedup_by(|a, b| a.target == b.target);
    for step in targets {
        wait(at.systems.preflight(&step.target)).map_err(|error| {
            Error::remote(format!("{} will not let us do {}", step.target, step.action))
                .because(error)
                .still("Nothing was changed by this call.")
                .next("Mend the access and apply again with the same digest.")
        })?;
    }
    Ok(())
}

/// Values that only the text still has and that an open step probes.
fn wanted_values(plan: &Plan, begun: &Execution) -> HashSet<Fingerprint> {
    let open = plan.treatments.iter().filter(|treatment| !begun.is_done(treatment));
    let probed = open.flat_map(|treatment| &treatment.steps).filter_map(|step| match &step.does {
        plan::Does::Provider(ProviderStep::Verify { old, .. }) if old.at.system == ValueRef::FOUND => Some(old),
        _ => None,
    });
    probed.filter_map(|old| old.at.locator.parse().ok()).collect()
}

/// Asks again: every old value, every new one, all the text.
///
/// # Errors
/// When the case or a source cannot be read at all.
pub fn confirm(dir: &Path, home: &Home) -> Result<(Plan, Verdict)> {
    let mut at = reopen(dir, home)?;
    let digest = at.plan.digest();
    let execution = Execution { steps: Journal::new(at.case.log(), &digest).states()? };
    let mut again = rescan::found(&at.request, &at.systems, &at.config, &at.fingerprinter, at.case.log())?;
    let known = at.case.findings()?;
    let in_text = again.places(&known);
    at.systems.found = again.values;
    let now = clock::now().to_string();
    let verdict = wait(confirm::confirm(&at.plan, &execution, &at.systems, &in_text, again.partial, now));
    at.case.log().append("confirmed", serde_json::to_value(&verdict).expect("because a verdict holds only text"))?;
    at.case.seal(&at.signer)?;
    remember::confirmed(home, &at.plan, &verdict);
    Ok((at.plan, verdict))
}

/// How many items of a plan wait for a person.
pub fn open_items(plan: &Plan) -> usize {
    plan.treatments.iter().filter(|treatment| treatment.is_open()).count()
}

/// Needles and options of one scan are shared between sweep and second look.
fn detector(systems: &Systems, config: &Config, log: &Log, fingerprinter: &Fingerprinter) -> Result<Detector> {
    let needles: Vec<Needle> = wait(gather::held(systems, log, fingerprinter))?.needles();
    Detector::new(Arc::clone(&RuleSet::builtin()), needles, Options::from(config.policy.min_confidence))
}

/// Values by fingerprint.
type Values = HashMap<Fingerprint, crate::secret::SecretValue>;
