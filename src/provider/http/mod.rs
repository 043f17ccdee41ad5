//! Issuers over HTTP, described by the rule files: one interpreter for all of them.
//!
//! What this deliberately does not do: ask an issuer that offkey.toml does not name, send a value in an address, follow
//! a redirect to another host, repeat a call by itself, or take anything but a documented rejection for death.
//!
//! Locators: `RULE:FINGERPRINT`, then `;NAME=FACT` for each fact that the calls need (`;id=…`). The value itself is read
//! from the text where it was found, or from the store that keeps it.

mod action;
mod call;
mod rate;
mod template;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use regex::bytes::Regex;
use reqwest::Url;

use self::action::IssuerAction;
use self::call::{Heard, Line, Trouble, plain};
use self::rate::Meter;
use self::template::{Names, Place};
use super::{Owned, Provider, ProviderStep, Subject};
use crate::action::{Action, ActionError, Pending, Target};
use crate::error::{Error, Result};
use crate::finding::Liveness;
use crate::identity::Identity;
use crate::remote::{Http, place_of};
use crate::rule::issuer::{Call, Issuer, Pick, Table};
use crate::rule::{Confidence, RuleSet, Shape, check};
use crate::secret::{Fingerprint, Fingerprinter, SecretValue};
use crate::source::Coverage;

/// What offkey.toml says about one issuer.
#[derive(Clone, Debug, Default)]
pub struct HttpIssuerSettings {
    /// Name in the configuration.
    pub name: String,
    /// Id of the issuer: the name of its rule file.
    pub issuer: String,
    /// Address, where it is not the documented one.
    pub address: Option<String>,
    /// Further addresses by name, where they are not the documented ones.
    pub addresses: BTreeMap<String, String>,
    /// An administrator's credential, for calls that need one.
    pub admin: Option<SecretValue>,
    /// Facts that the issuer's calls need.
    pub params: BTreeMap<String, String>,
    /// PEM file with a certificate authority of the organisation.
    pub authority: Option<PathBuf>,
    /// How long one call may take.
    pub deadline: Duration,
}

/// One issuer.
pub struct HttpIssuer {
    name: String,
    issuer: &'static Issuer,
    line: Line,
    admin: Option<SecretValue>,
    params: BTreeMap<String, String>,
    fingerprinter: Fingerprinter,
    /// Another configured provider is the same issuer at another address: only a live answer tells whose a value is.
    one_of_many: AtomicBool,
    shapes: OnceLock<Vec<(&'static str, Regex)>>,
}

/// What a locator says.
struct Spot<'a> {
    rule: &'a str,
    fingerprint: &'a str,
    facts: Vec<(&'a str, &'a str)>,
}

impl HttpIssuer {
    /// An issuer; nothing is sent yet.
    ///
    /// # Errors
    /// When there is no such issuer, its address is missing or unsafe, or a fact that it needs is not given.
    pub fn new(settings: HttpIssuerSettings, fingerprinter: Fingerprinter) -> Result<Self> {
        let name = settings.name;
        let wrong = |what: String, next: String| Error::config(what).still("Nothing was sent.").next(next);
        let Some(issuer) = RuleSet::issuers().get(&settings.issuer) else {
            let known: Vec<&str> = RuleSet::issuers().keys().map(String::as_str).collect();
            let next = format!("Known ones: {}.", known.join(", "));
            return Err(wrong(format!("provider {name}: there is no issuer {}", settings.issuer), next));
        };
        let about = issuer.about.as_ref().expect("because only files with an [issuer] are listed");
        let needed = |param: &&String| {
            let name = format!("param.{param}");
            issuer.validate.iter().any(|table| table.uses(&name)) && !settings.params.contains_key(*param)
        };
        if let Some(param) = about.params.keys().find(needed) {
            let next = format!("Add params = {{ {param} = \"…\" }}: {}.", about.params[param]);
            return Err(wrong(format!("provider {name}: params.{param} is missing"), next));
        }
        if let Some(param) = settings.params.keys().find(|param| !about.params.contains_key(*param)) {
            let next = "Take it out.".to_owned();
            return Err(wrong(format!("provider {name}: {} knows no params.{param}", settings.issuer), next));
        }
        let Some(address) = settings.address.as_deref().or(about.base.as_deref()) else {
            let next = "Add address = \"https://…\": every customer has an own one.".to_owned();
            return Err(wrong(format!("provider {name}: address is missing"), next));
        };
        let base = safe_address(address).map_err(|why| {
            wrong(format!("provider {name}: {address} {why}"), "Give an address that begins with https://.".to_owned())
        })?;
        let mut also = BTreeMap::new();
        for (which, documented) in &about.also {
            // Whoever moves the main address must say where the others are.
            let documented = settings.address.is_none().then_some(documented);
            let Some(address) = settings.addresses.get(which).or(documented) else { continue };
            let address = safe_address(address).map_err(|why| {
                let next = "Give an address that begins with https://.".to_owned();
                wrong(format!("provider {name}: addresses.{which} {why}"), next)
            })?;
            also.insert(which.clone(), address);
        }
        let http = Http::new(&base, settings.deadline, settings.authority.as_deref())
            .map_err(|failure| Error::config(format!("provider {name} cannot be opened")).because(failure))?;
        let headers = about.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        Ok(Self {
            name,
            issuer,
            line: Line { http, base, also, headers, meter: Meter::new(about.rate) },
            admin: settings.admin,
            params: settings.params,
            fingerprinter,
            one_of_many: AtomicBool::new(about.one_of_many),
            shapes: OnceLock::new(),
        })
    }

    /// The rule whose value this is: the one that found it, or the one whose shape it has.
    fn rule_of<'s>(&'s self, subject: &'s Subject, value: &SecretValue) -> Option<&'s str> {
        let takes = |rule: &str| Issuer::fitting(&self.issuer.validate, rule, value.expose()).is_some();
        if takes(&subject.rule) {
            return Some(&subject.rule);
        }
        let kept = subject.rule == "needle" || subject.rule.starts_with("needle:");
        let whole = |regex: &Regex| {
            let group = check::secret_group(regex);
            let found = regex.captures(value.expose()).and_then(|all| all.get(group));
            found.is_some_and(|secret| secret.as_bytes() == value.expose())
        };
        let shapes = self.shapes.get_or_init(|| self.telling_shapes());
        kept.then(|| shapes.iter().find(|(rule, regex)| takes(rule) && whole(regex)).map(|(rule, _)| *rule)).flatten()
    }

    /// Patterns of our rules that prove their kind alone.
    fn telling_shapes(&self) -> Vec<(&'static str, Regex)> {
        let rules = RuleSet::builtin();
        let ids = self.issuer.validate.iter().flat_map(|table| &table.rules);
        ids.filter_map(|id| {
            let rule = rules.get(id)?;
            let telling = rule.confidence == Confidence::High && matches!(rule.shape, Shape::Pattern(_));
            telling.then(|| check::compile(rule).ok()).flatten().map(|regex| (id.as_str(), regex))
        })
        .collect()
    }

    fn locator(&self, rule: &str, facts: &BTreeMap<String, String>, value: &SecretValue) -> String {
        let mut locator = format!("{rule}:{}", self.fingerprinter.fingerprint(value.expose()));
        let tables = [&self.issuer.validate, &self.issuer.revoke, &self.issuer.issue];
        let mut needed: Vec<&str> = tables
            .into_iter()
            .filter_map(|list| Issuer::fitting(list, rule, value.expose()))
            .flat_map(Table::facts)
            .collect();
        needed.sort_unstable();
        needed.dedup();
        let mut known = facts.clone();
        if let Some(table) = Issuer::fitting(&self.issuer.validate, rule, value.expose()) {
            let mut names = Names::default();
            names.set("secret", value.clone());
            for (name, template) in &table.learn {
                if let Ok(public) = names.fill(template, Place::Plain) {
                    known.insert(name.clone(), public.to_string());
                }
            }
        }
        let plain =
            |fact: &str| fact.len() <= 200 && fact.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@+-".contains(&b));
        for name in needed {
            if let Some(fact) = known.get(name).map(|fact| fact.trim()).filter(|fact| plain(fact)) {
                locator.push_str(&format!(";{name}={fact}"));
            }
        }
        locator
    }

    /// What the templates of a call may name.
    fn names(&self, at: &Spot<'_>, value: Option<&SecretValue>) -> Names {
        let mut names = Names::default();
        if let Some(value) = value {
            names.set("secret", value.clone());
        }
        if let Some(admin) = &self.admin {
            names.set("admin", admin.clone());
        }
        for (param, text) in &self.params {
            names.set(format!("param.{param}"), SecretValue::new(text.as_str()));
        }
        for (name, fact) in &at.facts {
            names.set(format!("fact.{name}"), SecretValue::new(*fact));
        }
        names
    }

    /// Host and port, for proofs and messages.
    fn host(&self) -> String {
        place_of(&self.line.base)
    }

    async fn ask(&self, at: &Target, value: &SecretValue) -> Liveness {
        let Some(place) = Spot::of(at) else { return Liveness::Unknown(format!("{} is no place of ours", at.locator)) };
        let Some(table) = Issuer::fitting(&self.issuer.validate, place.rule, value.expose()) else {
            return Liveness::Unknown(format!("{} has no documented way to ask about it", self.issuer.provider.name));
        };
        let mut names = self.names(&place, Some(value));
        for call in &table.steps {
            let heard = match self.line.make(call, &names).await {
                Ok(heard) => heard,
                Err(trouble) => return Liveness::Unknown(trouble.to_string()),
            };
            if heard.is(&call.dead) {
                return Liveness::Dead(format!("{} from {}", heard.status(), self.host()));
            }
            if heard.is(&call.next) {
                continue;
            }
            if !heard.succeeds(&call.live, call) {
                return Liveness::Unknown(heard.failure().to_string());
            }
            if let Err(why) = keep(call, &heard, &mut names) {
                return Liveness::Unknown(why.0);
            }
            if call.enough {
                break;
            }
        }
        Liveness::Live
    }
}

/// Why a part of an answer could not be kept; `true` when the entry certainly does not exist.
struct Missing(String, bool);

/// Keeps what later calls need.
fn keep(call: &Call, heard: &Heard, names: &mut Names) -> std::result::Result<(), Missing> {
    for (name, pointer) in &call.keep {
        let part = heard.part(pointer).ok_or_else(|| Missing(format!("the answer has no {name}"), false))?;
        names.set(name, SecretValue::from(plain(part)));
    }
    match &call.pick {
        Some(pick) => choose(pick, heard, names),
        None => Ok(()),
    }
}

/// Keeps parts of the one entry that fits; two that fit are no answer.
fn choose(pick: &Pick, heard: &Heard, names: &mut Names) -> std::result::Result<(), Missing> {
    let wanted = names.fill(&pick.is, Place::Plain).map_err(|why| Missing(why, false))?;
    let list = heard.part(&pick.list).and_then(|list| list.as_array());
    let list = list.ok_or_else(|| Missing("the answer has no list".to_owned(), false))?;
    let fits = |entry: &&serde_json::Value| entry.pointer(&pick.at).map(plain).is_some_and(|text| text == *wanted);
    let fitting: Vec<&serde_json::Value> = list.iter().filter(fits).collect();
    let entry = match fitting.as_slice() {
        [one] => *one,
        [] => return Err(Missing("it is not in the list of the issuer".to_owned(), pick.complete)),
        _ => return Err(Missing("several entries of the issuer's list could be it".to_owned(), false)),
    };
    for (name, pointer) in &pick.keep {
        let part = entry.pointer(pointer).ok_or_else(|| Missing(format!("the entry has no {name}"), false))?;
        names.set(name, SecretValue::from(plain(part)));
    }
    Ok(())
}

/// `https://`, or `http://` on this machine only; no user, no query.
fn safe_address(address: &str) -> std::result::Result<Url, &'static str> {
    let url = Url::parse(address).map_err(|_| "is not an address")?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("is more than host and path");
    }
    let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" if url.host_str().is_some() => Ok(url),
        "http" if here => Ok(url),
        _ => Err("would carry values in clear text"),
    }
}

impl<'a> Spot<'a> {
    fn of(at: &'a Target) -> Option<Self> {
        let mut parts = at.locator.split(';');
        let (rule, fingerprint) = parts.next()?.split_once(':')?;
        Some(Self { rule, fingerprint, facts: parts.filter_map(|part| part.split_once('=')).collect() })
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint.parse().ok()
    }
}

impl Provider for HttpIssuer {
    fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> &'static str {
        &self.issuer.provider.name
    }

    fn issuer(&self) -> Option<&str> {
        Some(&self.issuer.provider.id)
    }

    fn is_one_of_many(&self) {
        self.one_of_many.store(true, Ordering::Relaxed);
    }

    fn recognise<'a>(&'a self, subject: &'a Subject, value: &'a SecretValue) -> Pending<'a, Result<Option<Target>>> {
        Box::pin(async move {
            let Some(rule) = self.rule_of(subject, value) else { return Ok(None) };
            let at = Target { system: self.name.clone(), locator: self.locator(rule, &subject.facts, value) };
            let host = ["host", "hostname", "server"].iter().find_map(|name| subject.facts.get(*name));
            if let Some(host) = host
                && self.line.base.host_str().is_some_and(|ours| host.eq_ignore_ascii_case(ours))
            {
                return Ok(Some(at));
            }
            // A guess, or a value that may belong to another address, is ours only if it is accepted here: a rejection
            // would prove nothing.
            let rules = RuleSet::builtin();
            let guess = rules.get(rule).is_none_or(|rule| rule.confidence != Confidence::High);
            let table = Issuer::fitting(&self.issuer.validate, rule, value.expose());
            let paired = table.is_some_and(|table| table.unsure);
            let unsure = guess || paired || self.one_of_many.load(Ordering::Relaxed);
            let ours = !unsure || self.ask(&at, value).await == Liveness::Live;
            Ok(ours.then_some(at))
        })
    }

    fn validate<'a>(&'a self, at: &'a Target, value: &'a SecretValue) -> Pending<'a, Liveness> {
        Box::pin(self.ask(at, value))
    }

    fn owned<'a>(&'a self, _: &'a Identity) -> Pending<'a, Result<(Vec<Owned>, Coverage)>> {
        // Lists of a person's tokens need rights that the described calls do not have: values lead here, not names.
        let coverage = Coverage::new(format!("provider {}", self.name), "http");
        Box::pin(async move { Ok((Vec::new(), coverage)) })
    }

    fn issuable(&self, at: &Target) -> bool {
        let has = |list| Spot::of(at).is_some_and(|spot| Issuer::table(list, spot.rule).is_some());
        has(&self.issuer.issue) && has(&self.issuer.revoke)
    }

    fn action<'a>(&'a self, at: &'a Target, step: ProviderStep) -> Option<Box<dyn Action + 'a>> {
        let rule = Spot::of(at)?.rule;
        let can = match step {
            ProviderStep::Freeze | ProviderStep::Set { .. } => false,
            ProviderStep::Revoke | ProviderStep::Evict { .. } => Issuer::table(&self.issuer.revoke, rule).is_some(),
            ProviderStep::Issue { .. } => Issuer::table(&self.issuer.issue, rule).is_some(),
            ProviderStep::Test { .. } | ProviderStep::Verify { .. } => true,
        };
        can.then(|| Box::new(IssuerAction { issuer: self, at, step }) as Box<dyn Action>)
    }

    fn preflight<'a>(&'a self, at: &'a Target) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let unfit = |why: String| ActionError::Refused(format!("{}: {why}", self.name));
            let place = Spot::of(at).ok_or_else(|| unfit(format!("{} is no place of ours", at.locator)))?;
            let Some(table) = Issuer::table(&self.issuer.revoke, place.rule) else {
                let who = &self.issuer.provider.name;
                return Err(unfit(format!(
                    "{who} documents no call that kills a {}: end it there by hand",
                    place.rule
                )));
            };
            let names = self.names(&place, None);
            let facts = table.facts().map(|fact| format!("fact.{fact}"));
            let about = self.issuer.about.iter().flat_map(|about| about.params.keys());
            let params = about.map(|param| format!("param.{param}")).filter(|name| table.uses(name));
            for name in facts.chain(params).chain(table.uses("admin").then(|| "admin".to_owned())) {
                if names.get(&name).is_none() {
                    let why = names.fill(&format!("{{{{{name}}}}}"), Place::Plain).err().unwrap_or_default();
                    return Err(unfit(why));
                }
            }
            Ok(())
        })
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unfit(why) => f.write_str(why),
            Self::Busy(wait) => write!(f, "its rate limit is used up for {} s", wait.as_secs().max(1)),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_tls_is_for_this_machine_only() {
        for fine in ["https://api.github.com", "http://127.0.0.1:9", "http://localhost:9/api"] {
            assert!(safe_address(fine).is_ok(), "{fine}");
        }
        for bad in ["http://api.github.com", "ftp://x", "https://u:p@x.example", "https://x.example/?a=b", "nothing"] {
            assert!(safe_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_locator_says_rule_fingerprint_and_facts() {
        let at =
            Target { system: "x".to_owned(), locator: "x-token:fp:0123456789abcdef0123456789abcdef;id=SK1".to_owned() };
        let place = Spot::of(&at).expect("a place");
        assert_eq!((place.rule, place.facts.as_slice()), ("x-token", [("id", "SK1")].as_slice()));
        assert!(place.fingerprint().is_some());
    }
}
