//! What a judgement is made of: policy, key, ledger, rules and excuses, each from where nobody who is judged can change it.

use std::sync::Arc;

use git2::Oid;

use super::commits::Changes;
use super::judge::{Known, Said};
use super::search::Search;
use super::{Ask, Baseline, Excuses, POLICY};
use crate::config::{self, Config, Home};
use crate::detect::{Detector, Options};
use crate::error::Result;
use crate::finding::{Finding, Judged};
use crate::ledger::{self, Export, Ledger, Lookup};
use crate::secret::{Fingerprinter, SecretValue};

/// Everything that a judgement needs.
pub(super) struct Parts {
    pub(super) detector: Detector,
    pub(super) fingerprinter: Fingerprinter,
    pub(super) excuses: Excuses,
    pub(super) ledger: Option<Box<dyn Lookup>>,
    pub(super) min_confidence: f32,
    /// Whether the fingerprints are made with a key that is kept.
    pub(super) keyed: bool,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl Parts {
    /// Reads policy and baseline at `base`, the key and the ledger.
    ///
    /// # Errors
    /// When one of them is damaged, or the ledger does not verify.
    pub(super) fn of(ask: &Ask, repository: Option<&Changes>, base: Option<Oid>, home: Option<&Home>) -> Result<Self> {
        let mut notes = Vec::new();
        let (config, baseline) = policy(ask, repository, base, &mut notes)?;
        let keyed = fingerprinter(home)?;
        let is_keyed = keyed.is_some();
        let ledger = ledger(ask, home, keyed.as_ref(), &mut notes)?;
        let min_confidence = ask.min_confidence.unwrap_or(config.gate.min_confidence);
        let detector = Detector::new(Arc::clone(&ask.rules), Vec::new(), Options::from(min_confidence))?;
        let unkeyed = || Fingerprinter::new(&SecretValue::new(crate::clock::random::<32>()));
        let fingerprinter = keyed.unwrap_or_else(unkeyed);
        let baseline = baseline.map(|text| Baseline::parse(&text, "at the base of the change")).transpose()?;
        let baseline = baseline.filter(|baseline| {
            let usable = baseline.is_of(&fingerprinter);
            if !usable {
                notes.push(
                    "the baseline was not used: its fingerprints were made with a key that is not here".to_owned(),
                );
            }
            usable
        });
        let excuses = Excuses::new(&config, baseline, &mut notes);
        Ok(Self { detector, fingerprinter, excuses, ledger, min_confidence, keyed: is_keyed, notes })
    }

    /// A search in changes.
    pub(super) fn search(&self) -> Search<'_> {
        Search::new(&self.detector, &self.fingerprinter, &self.excuses, self.ledger.as_deref())
    }

    /// The verdict on a finding. Without the value, a ledger that was exported does not know guessable ones.
    pub(super) fn judge(&self, finding: Finding, path: &str, value: &[u8]) -> Result<Judged> {
        let entry = match &self.ledger {
            Some(ledger) => ledger.find(&finding.fingerprint, value)?,
            None => None,
        };
        let said = self.excuses.judge(&finding, &Known { path, entry: entry.as_ref() });
        let Said { verdict, why, waived } = said;
        Ok(Judged {
            verdict,
            blocks: self.excuses.blocks(verdict),
            title: self.detector.rules().name(&finding.rule).unwrap_or(&finding.kind).to_owned(),
            path: path.to_owned(),
            commit: None,
            author: None,
            owner: entry.map(|entry| entry.owner).filter(|owner| !owner.is_empty()),
            why,
            finding: Finding { waived, ..finding },
        })
    }
}

/// The configuration and the baseline, both from the base of the change.
fn policy(
    ask: &Ask,
    changes: Option<&Changes>,
    base: Option<git2::Oid>,
    notes: &mut Vec<String>,
) -> Result<(Config, Option<String>)> {
    let at_base = |path: &str| changes.zip(base).and_then(|(changes, base)| changes.text_at(base, path));
    let config = match &ask.config {
        Some(path) => config::load(path, false)?,
        None => match at_base(POLICY) {
            Some(text) => {
                let base = base.map_or_else(String::new, |id| id.to_string());
                notes.push(format!("policy: offkey.toml of {}", &base[..base.len().min(10)]));
                config::parse(&text, "the offkey.toml of the base").map_err(|error| {
                    error.next(
                        "Mend it. The commit that does so is still judged by the broken one: pass --config FILE, or commit it \
                         with --no-verify.",
                    )
                })?
            }
            None => {
                notes.push("policy: none at the base of the change; the built-in one counts".to_owned());
                Config::default()
            }
        },
    };
    let baseline = at_base(&config.gate.baseline);
    Ok((config, baseline))
}

fn fingerprinter(home: Option<&Home>) -> Result<Option<Fingerprinter>> {
    match Home::fingerprinter_from_environment()? {
        Some(keyed) => Ok(Some(keyed)),
        None => home.filter(|home| home.has_key()).map(Home::fingerprinter).transpose(),
    }
}

/// What is known already: the exported ledger where one is named, else the ledger at home.
fn ledger(
    ask: &Ask,
    home: Option<&Home>,
    keyed: Option<&Fingerprinter>,
    notes: &mut Vec<String>,
) -> Result<Option<Box<dyn Lookup>>> {
    const NO_KEY: &str = "the ledger was not asked: there is no key for its fingerprints";
    if let Some(path) = &ask.ledger {
        // Refused even where nobody could ask it: a forged file must not go unseen.
        let export = Export::open(path, ask.ledger_key.as_deref(), keyed)?;
        if ask.ledger_key.is_none() {
            let signer = export.signer();
            notes.push(format!("the ledger is signed by {signer}; pin that key with --ledger-key {signer}"));
        }
        if keyed.is_none() {
            notes.push(NO_KEY.to_owned());
            return Ok(None);
        }
        return Ok(Some(Box::new(export)));
    }
    match (home.map(|home| home.file(ledger::FILE)).filter(|path| path.exists()), keyed) {
        (Some(path), Some(_)) => Ok(Ledger::read(&path)?.map(|ledger| Box::new(ledger) as Box<dyn Lookup>)),
        (Some(_), None) => {
            notes.push(NO_KEY.to_owned());
            Ok(None)
        }
        (None, _) => {
            notes.push(
                "there is no ledger: departed, rotated and revoked credentials are not told from new ones".to_owned(),
            );
            Ok(None)
        }
    }
}
