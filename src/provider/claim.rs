//! What a connection address, or the facts beside a password, say about whose it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Subject;
use crate::action::Target;
use crate::secret::SecretValue;

/// How consumers write down where a kind of server is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Words {
    /// Schemes of addresses, without `jdbc:` and what follows a plus.
    pub(crate) schemes: &'static [&'static str],
    /// What `engine` fields say.
    pub(crate) engines: &'static [&'static str],
    /// Port where none is given.
    pub(crate) port: u16,
    /// The user of addresses that name none.
    pub(crate) user: Option<&'static str>,
}

/// Who and where.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) user: Option<String>,
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
    /// It is said to be for another kind of server.
    pub(super) foreign: bool,
}

impl Claim {
    /// Whether that may be the server at `host` and `port`; `also_known_as` are other names of the host.
    pub(super) fn is_at(&self, host: &str, port: u16, also_known_as: &[String]) -> bool {
        let local = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "::1");
        let same = self.host.as_deref().is_none_or(|claimed| {
            claimed.eq_ignore_ascii_case(host)
                || (local(claimed) && local(host))
                || also_known_as.iter().any(|other| other.eq_ignore_ascii_case(claimed))
        });
        same && self.port.as_ref().is_none_or(|claimed| *claimed == port.to_string()) && !self.foreign
    }
}

impl Words {
    /// The password in a value: the value itself, or what stands in the address that it is (targets `url:…`).
    pub(super) fn password<'v>(&self, at: &Target, value: &'v SecretValue) -> Cow<'v, SecretValue> {
        let url = at.locator.starts_with("url:");
        match url.then(|| value.expose_str().and_then(|text| self.password_of(text))).flatten() {
            Some(password) => Cow::Owned(SecretValue::new(password)),
            None => Cow::Borrowed(value),
        }
    }

    /// Who and where by a value, and whether the value is an address, else by the facts beside it.
    pub(super) fn claim(&self, value: &SecretValue, subject: &Subject) -> (bool, Claim) {
        let text = value.expose_str().unwrap_or("");
        let is_url = self.password_of(text).is_some();
        (is_url, if is_url { self.claim_of_url(text) } else { self.claim_of_facts(&subject.facts) })
    }

    /// `scheme://user:password@host:port/…` → password, decoded.
    fn password_of(&self, text: &str) -> Option<Vec<u8>> {
        let (user_info, _) = self.split(text)?;
        let (_, password) = user_info.split_once(':')?;
        Some(percent_decoded(password)).filter(|password| !password.is_empty())
    }

    fn claim_of_url(&self, text: &str) -> Claim {
        let Some((user_info, host)) = self.split(text) else { return Claim::default() };
        let user = user_info.split(':').next().unwrap_or("");
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, port.to_owned()),
            _ => (host, self.port.to_string()),
        };
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let named = String::from_utf8(percent_decoded(user)).ok().filter(|user| !user.is_empty());
        Claim {
            user: named.or_else(|| self.user.map(str::to_owned)),
            host: text(host.trim_matches(['[', ']'])),
            port: text(&port),
            foreign: false,
        }
    }

    fn split<'t>(&self, text: &'t str) -> Option<(&'t str, &'t str)> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let scheme = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
        if !self.schemes.contains(&scheme.split('+').next()?) {
            return None;
        }
        rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())].rsplit_once('@')
    }

    fn claim_of_facts(&self, facts: &BTreeMap<String, String>) -> Claim {
        let fact = |names: &[&str]| names.iter().find_map(|name| facts.get(*name)).map(|text| text.trim().to_owned());
        let engine = fact(&["engine"]).map(|engine| engine.to_lowercase());
        let mut claim = Claim {
            user: fact(&["user", "username", "role", "login", "bind_dn", "binddn"]),
            host: fact(&["host", "hostname", "server"]),
            port: fact(&["port"]),
            foreign: engine.is_some_and(|engine| !self.engines.iter().any(|word| engine.contains(word))),
        };
        let url = fact(&["url"]);
        if let (None, Some(url)) = (&claim.host, &url) {
            let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
            let scheme = scheme.strip_prefix("jdbc:").unwrap_or(scheme);
            claim.foreign |= !scheme.is_empty() && !self.schemes.contains(&scheme);
            claim.host = rest.split(['/', '?']).next().map(str::to_owned);
        }
        if let Some((host, port)) = claim.host.clone().as_deref().and_then(|host| host.rsplit_once(':'))
            && !port.is_empty()
            && port.bytes().all(|byte| byte.is_ascii_digit())
        {
            claim.host = Some(host.to_owned());
            claim.port.get_or_insert(port.to_owned());
        }
        claim
    }
}

fn percent_decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const POSTGRES: Words =
        Words { schemes: &["postgres", "postgresql"], engines: &["postgres"], port: 5432, user: None };
    const REDIS: Words =
        Words { schemes: &["redis", "rediss"], engines: &["redis"], port: 6379, user: Some("default") };

    #[test]
    fn addresses_say_who_and_where() {
        let address = format!("redis://:{}@cache.example", "p%3Aw");
        assert_eq!(REDIS.password_of(&address), Some(b"p:w".to_vec()));
        let claim = REDIS.claim_of_url(&address);
        assert_eq!((claim.user.as_deref(), claim.host.as_deref()), (Some("default"), Some("cache.example")));
        assert_eq!(claim.port.as_deref(), Some("6379"));
        assert_eq!(REDIS.password_of("postgres://a:b@c/d"), None);
        assert_eq!(REDIS.password_of("redis://alice@c"), None);
    }

    #[test]
    fn facts_say_who_where_and_what_it_is_not() {
        let facts = |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let claim = REDIS.claim_of_facts(&facts(&[("user", "shop"), ("host", "cache:6380")]));
        assert_eq!((claim.host.as_deref(), claim.port.as_deref(), claim.foreign), (Some("cache"), Some("6380"), false));
        assert!(REDIS.claim_of_facts(&facts(&[("user", "shop"), ("url", "mysql://db/shop")])).foreign);
        assert!(REDIS.claim_of_facts(&facts(&[("user", "shop"), ("engine", "mysql")])).foreign);
    }

    #[test]
    fn addresses_and_facts_of_a_database_say_who_and_where() {
        let address = format!("postgres://sh%40p:{}@db.example:6432/shop?sslmode=require", "p%3Aw");
        assert_eq!(POSTGRES.password_of(&address), Some(b"p:w".to_vec()));
        let claim = POSTGRES.claim_of_url(&address);
        assert_eq!(
            claim,
            Claim {
                user: Some("sh@p".into()),
                host: Some("db.example".into()),
                port: Some("6432".into()),
                foreign: false
            }
        );
        assert_eq!(POSTGRES.password_of("mysql://a:b@c/d"), None);
        let facts = |list: &[(&str, &str)]| list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let claim = POSTGRES.claim_of_facts(&facts(&[("user", "shop"), ("host", "db:5433")]));
        assert_eq!((claim.host.as_deref(), claim.port.as_deref()), (Some("db"), Some("5433")));
        let claim = POSTGRES.claim_of_facts(&facts(&[("user", "shop"), ("url", "postgres://db:5433/shop")]));
        assert_eq!((claim.host.as_deref(), claim.port.as_deref()), (Some("db"), Some("5433")));
        let claim = POSTGRES.claim_of_facts(&facts(&[("user", "shop"), ("host", "db"), ("engine", "mysql")]));
        assert!(claim.foreign);
    }
}
