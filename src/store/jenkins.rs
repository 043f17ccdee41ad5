//! Credentials of Jenkins: of the whole server or of a folder. `config.xml` of a credential shows everything but the secret, which
//! is `<secret-redacted/>`; what is posted there replaces the whole credential. So only a credential with exactly one secret is
//! written over, and the rest of it is sent as it was shown.
//!
//! The mark of a write is a part of the description, ` [offkey OPERATION]`, and arrives with the value or not at all. It stays:
//! taking it away would need the value once more. Jenkins tells no time of a change and has no check-and-set: when somebody
//! else wrote another value and left the description alone, nobody can see it.
//!
//! Facts: the REST part of the user guide of the credentials plugin. The token of a user is exempt from the crumb of Jenkins'
//! protection against forged requests; where a crumb is to be had it is sent all the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::blind::{Backend, Blind, Mark, Shown};
use super::rest::{Rest, refusal};
use crate::action::{Pending, Target};
use crate::error::Result;
use crate::remote::Failure;
use crate::secret::SecretValue;

/// What stands for a secret.
const REDACTED: &str = "<secret-redacted/>";

/// Beginning of a mark, at the end of a description.
const MARK: &str = " [offkey ";

struct Jenkins {
    rest: Rest,
    /// Names of folders, outermost first; empty for the whole server.
    folders: Vec<String>,
    domain: String,
}

/// The credentials of a domain (`_` is the one for everything) of the server or of a folder, `team/shop`.
pub fn jenkins_credentials(
    name: impl Into<String>,
    rest: Rest,
    folder: Option<&str>,
    domain: impl Into<String>,
    copies: BTreeMap<String, Target>,
) -> Blind {
    let folders = folder.map(|path| path.split('/').map(str::to_owned).collect()).unwrap_or_default();
    Blind::new(name.into(), Arc::new(Jenkins { rest, folders, domain: domain.into() }), copies)
}

/// The content of the one element of this name; `None` when there is none or more.
fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let (before, rest) = xml.split_once(&open)?;
    let (inside, after) = rest.split_once(&close)?;
    (!before.contains(&close) && !after.contains(&open)).then_some(inside)
}

/// A description with and without a mark.
fn unmarked(description: &str) -> (&str, Option<&str>) {
    let parts = description.rsplit_once(MARK).and_then(|(text, op)| Some((text, op.strip_suffix(']')?)));
    match parts {
        Some((text, op)) if op.parse::<Uuid>().is_ok() => (text, Some(op)),
        _ => (description, None),
    }
}

/// One credential as Jenkins shows it.
struct Config(String);

impl Config {
    fn description(&self) -> &str {
        element(&self.0, "description").unwrap_or_default()
    }

    /// The operation that marked it.
    fn mark(&self) -> Option<&str> {
        unmarked(self.description()).1
    }

    /// The same with another description.
    fn described(&self, description: &str) -> String {
        let whole = format!("<description>{description}</description>");
        match element(&self.0, "description") {
            Some(before) => self.0.replacen(&format!("<description>{before}</description>"), &whole, 1),
            None if self.0.contains("<description/>") => self.0.replacen("<description/>", &whole, 1),
            // It has none: before the end of the outermost element.
            None => match self.0.rfind("</") {
                Some(end) => format!("{}{whole}{}", &self.0[..end], &self.0[end..]),
                None => self.0.clone(),
            },
        }
    }

    /// What it is without marks.
    fn version(&self) -> String {
        let plain = unmarked(self.description()).0;
        // One without a description gets one with its first mark.
        let text = self.described(plain).replace("<description></description>", "");
        data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes())[..8])
    }

    /// Why it cannot be written over.
    fn unfit(&self) -> Option<String> {
        match self.0.matches(REDACTED).count() {
            1 => None,
            0 => Some("it shows no secret that could be replaced".to_owned()),
            count => Some(format!("it has {count} secrets, and writing one would wipe the others")),
        }
    }

    /// It with a value, and with a mark or without.
    fn with(&self, value: &str, mark: Option<Uuid>) -> String {
        let plain = unmarked(self.description()).0;
        let description = mark.map_or_else(|| plain.to_owned(), |op| format!("{plain}{MARK}{op}]"));
        self.described(&description).replacen(REDACTED, &escaped(value), 1)
    }
}

/// Text inside an element.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 16);
    for c in value.chars() {
        match c {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '\r' => text.push_str("&#13;"),
            c => text.push(c),
        }
    }
    text
}

/// Whether Jenkins takes a text as it is: XML has no other control characters, and what looks like an encrypted secret of
/// Jenkins is taken for one.
fn can_be_sent(value: &str) -> bool {
    let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    let encrypted = value.starts_with('{') && value.ends_with('}');
    !encrypted && !value.contains(control)
}

impl Jenkins {
    fn path<'p>(&'p self, rest: &[&'p str]) -> Vec<&'p str> {
        let mut path: Vec<&str> = self.folders.iter().flat_map(|folder| ["job", folder.as_str()]).collect();
        let store = if self.folders.is_empty() { "system" } else { "folder" };
        path.extend(["credentials", "store", store, "domain", self.domain.as_str()]);
        path.extend(rest);
        path
    }

    async fn config(&self, id: &str) -> Result<Option<Config>, Failure> {
        let reply = self.rest.text("GET", &self.path(&["credential", id, "config.xml"]), None, None).await?;
        match reply.status {
            404 => Ok(None),
            _ if reply.is_success() => {
                let text = std::str::from_utf8(&reply.body).map_err(|_| self.rest.strange("text was expected"))?;
                let known = text.trim_start().starts_with('<') && !text.to_lowercase().contains("<html");
                let config = || Config(text.to_owned());
                known.then(config).map(Some).ok_or_else(|| self.rest.strange("the XML of a credential was expected"))
            }
            _ => Err(refusal(&reply)),
        }
    }

    /// The header against forged requests; `None` where it is not asked for.
    async fn crumb(&self) -> Result<Option<(String, String)>, Failure> {
        let Some(found) = self.rest.json("GET", &["crumbIssuer", "api", "json"], "", &[], None).await? else {
            return Ok(None);
        };
        let text = |name: &str| found[name].as_str().map(str::to_owned);
        let crumb = text("crumbRequestField").zip(text("crumb"));
        crumb.map(Some).ok_or_else(|| self.rest.strange("a crumb was expected"))
    }

    async fn post(&self, id: &str, value: &SecretValue, mark: Option<Uuid>) -> Result<(), Failure> {
        let text = value.expose_str().filter(|text| can_be_sent(text));
        let text = text.ok_or_else(|| self.not_sent("Jenkins would not take this value as it is"))?;
        let config = self.config(id).await?.ok_or_else(|| self.rest.missing(id))?;
        if let Some(why) = config.unfit() {
            return Err(self.not_sent(&why));
        }
        let crumb = self.crumb().await?;
        let body = zeroize::Zeroizing::new(config.with(text, mark));
        let path = self.path(&["credential", id, "config.xml"]);
        let reply = self.rest.text("POST", &path, Some(&body), crumb).await?;
        if reply.is_success() { Ok(()) } else { Err(refusal(&reply)) }
    }

    /// A refusal of ours: nothing was sent.
    fn not_sent(&self, why: &str) -> Failure {
        let message = why.to_owned();
        Failure::Answered { place: self.rest.place(), status: 400, code: String::new(), message, retry_after: None }
    }
}

impl Backend for Jenkins {
    fn label(&self) -> &'static str {
        "Jenkins credentials"
    }

    fn kind(&self) -> &'static str {
        "jenkins"
    }

    fn list(&self) -> Pending<'_, Result<Vec<Shown>, Failure>> {
        Box::pin(async move {
            let query = [("tree", "credentials[id]")];
            let found = self.rest.json("GET", &self.path(&["api", "json"]), "", &query, None).await?;
            let found = found.ok_or_else(|| self.rest.missing("the domain of these credentials"))?;
            let list = found["credentials"].as_array().ok_or_else(|| self.rest.strange("a list was expected"))?;
            let id = |one: &Value| one["id"].as_str().map(str::to_owned);
            Ok(list.iter().filter_map(id).map(|path| Shown { path, version: String::new() }).collect())
        })
    }

    fn marked<'a>(&'a self, path: &'a str, op: Uuid) -> Pending<'a, Result<Option<(String, Mark)>, Failure>> {
        Box::pin(async move {
            let Some(config) = self.config(path).await? else { return Ok(None) };
            // The mark of an operation that is over stays.
            let written = config.mark().is_some_and(|mark| mark == op.to_string());
            Ok(Some((config.version(), if written { Mark::Written } else { Mark::None })))
        })
    }

    fn unfit<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let config = self.config(path).await?.ok_or_else(|| self.rest.missing(path))?;
            self.crumb().await?;
            Ok(config.unfit())
        })
    }

    fn write<'a>(&'a self, path: &'a str, op: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), Failure>> {
        Box::pin(self.post(path, value, Some(op)))
    }

    fn restore<'a>(&'a self, path: &'a str, _: Uuid, value: &'a SecretValue) -> Pending<'a, Result<(), Failure>> {
        Box::pin(self.post(path, value, None))
    }

    fn clear<'a>(&'a self, _: &'a str, _: Uuid) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn keeps_marks(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(description: &str) -> Config {
        Config(format!("<a.B plugin=\"c@1\">\n  <id>x</id>\n{description}  <secret>{REDACTED}</secret>\n</a.B>"))
    }

    #[test]
    fn a_mark_comes_and_goes_and_the_version_stays() {
        let op = Uuid::from_u128(5);
        for description in ["  <description>the shop &amp; more</description>\n", "  <description/>\n", ""] {
            let before = config(description);
            let after = Config(before.with("a<b", Some(op)).replace("a&lt;b", REDACTED));
            assert_eq!((before.mark(), after.mark()), (None, Some(op.to_string().as_str())), "{description}");
            assert_eq!(before.version(), after.version(), "{description}: {}", after.0);
            assert!(after.0.ends_with("</a.B>") && after.unfit().is_none(), "{}", after.0);
            let again = Config(after.with("c", Some(Uuid::from_u128(6))));
            assert_eq!(again.0.matches("[offkey").count(), 1, "{}", again.0);
            assert!(!Config(after.with("c", None)).0.contains("[offkey"));
        }
        assert_ne!(
            config("  <description>a</description>\n").version(),
            config("  <description>b</description>\n").version()
        );
        assert_eq!(unmarked("keys [offkey to all]"), ("keys [offkey to all]", None), "somebody's own words");
    }

    #[test]
    fn what_would_not_arrive_is_not_sent() {
        for fine in ["a b", "-----BEGIN\nx\r\n", "<&>", "{", "}x{"] {
            assert!(can_be_sent(fine), "{fine}");
        }
        for odd in ["a\u{1}", "{AQAAABAAAAAQ}"] {
            assert!(!can_be_sent(odd), "{odd}");
        }
        assert!(Config(format!("<a>{REDACTED}{REDACTED}</a>")).unfit().is_some_and(|why| why.contains("wipe")));
        assert!(Config("<a/>".to_owned()).unfit().is_some());
    }
}
