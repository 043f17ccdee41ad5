//! LDAP version 3 as far as passwords need it (RFC 4511, RFC 3062): simple binds, one search, password changes.

use super::failure::one_line;
use super::wire::Wire;
use super::{Endpoint, Failure, Login};
use crate::secret::SecretValue;
use zeroize::Zeroizing;

const BIND: u8 = 0x60;
const SEARCH: u8 = 0x63;
const SEARCH_ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const SEARCH_REFERENCE: u8 = 0x73;
const MODIFY: u8 = 0x66;
const EXTENDED: u8 = 0x77;
/// Password Modify, RFC 3062.
const PASSWORD_MODIFY: &[u8] = b"1.3.6.1.4.1.4203.1.11.1";

/// A directory.
pub struct Ldap {
    endpoint: Endpoint,
    user: String,
    password: SecretValue,
}

/// A connection that is bound.
pub struct LdapSession {
    wire: Wire,
    number: u8,
}

impl Ldap {
    /// A directory; nothing is sent yet. `user` is a distinguished name.
    pub fn new(endpoint: Endpoint, user: impl Into<String>, password: SecretValue) -> Self {
        Self { endpoint, user: user.into(), password }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whom offkey binds as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Binds once and leaves again.
    pub async fn login(&self, name: &str, password: &SecretValue) -> Login {
        // A bind with a name and no password succeeds without authenticating anybody (RFC 4513, 5.1.2).
        if password.is_empty() || name.is_empty() {
            return Login::Rejected("49: an empty password".to_owned());
        }
        match self.open(name, password).await {
            Ok(_) => Login::Accepted,
            // Invalid credentials, and an entry without any password.
            Err(Failure::Answered { code, message, .. }) if code == "49" || code == "48" => {
                Login::Rejected(format!("{code}: {message}"))
            }
            Err(failure) => Login::Unclear(failure),
        }
    }

    /// Opens the administrator's session.
    ///
    /// # Errors
    /// What failed.
    pub async fn admin(&self) -> Result<LdapSession, Failure> {
        self.open(&self.user, &self.password).await
    }

    async fn open(&self, name: &str, password: &SecretValue) -> Result<LdapSession, Failure> {
        let mut session = LdapSession { wire: self.endpoint.connect(false).await?, number: 0 };
        let body = [tlv(0x02, &[3]), tlv(0x04, name.as_bytes()), tlv(0x80, password.expose())].map(Zeroizing::new);
        session.ask(BIND, &joined(&body)).await?;
        session.wire.sent = false;
        Ok(session)
    }
}

impl LdapSession {
    /// Distinguished names under `base` whose `attribute` is `value`.
    ///
    /// # Errors
    /// What failed.
    pub async fn find(&mut self, base: &str, attribute: &str, value: &str) -> Result<Vec<String>, Failure> {
        let equal = tlv(0xa3, &[tlv(0x04, attribute.as_bytes()), tlv(0x04, value.as_bytes())].concat());
        self.search(base, 2, &equal, &["1.1"]).await.map(|entries| entries.into_iter().map(|(name, _)| name).collect())
    }

    /// Whether an entry exists, and how many values its attribute has; `None` when there is no such entry.
    ///
    /// # Errors
    /// What failed.
    pub async fn count(&mut self, name: &str, attribute: &str) -> Result<Option<usize>, Failure> {
        match self.search(name, 0, &tlv(0x87, b"objectClass"), &[attribute]).await {
            Err(Failure::Answered { code, .. }) if code == "32" => Ok(None),
            found => Ok(found?.first().map(|(_, values)| values.len())),
        }
    }

    /// Names under `base` with the first value of `attribute`, for everybody who has one.
    ///
    /// # Errors
    /// What failed.
    pub async fn all(&mut self, base: &str, attribute: &str) -> Result<Vec<(String, String)>, Failure> {
        let entries = self.search(base, 2, &tlv(0x87, attribute.as_bytes()), &[attribute]).await?;
        Ok(entries.into_iter().filter_map(|(name, values)| Some((name, values.into_iter().next()?))).collect())
    }

    async fn search(
        &mut self,
        base: &str,
        scope: u8,
        filter: &[u8],
        attributes: &[&str],
    ) -> Result<Vec<(String, Vec<String>)>, Failure> {
        let wanted: Vec<u8> = attributes.iter().flat_map(|name| tlv(0x04, name.as_bytes())).collect();
        let body = [
            tlv(0x04, base.as_bytes()),
            tlv(0x0a, &[scope]),
            // Aliases are not followed; no limit of ours on number and time; values, not only types.
            tlv(0x0a, &[0]),
            tlv(0x02, &[0]),
            tlv(0x02, &[0]),
            tlv(0x01, &[0]),
            filter.to_vec(),
            tlv(0x30, &wanted),
        ];
        self.send(SEARCH, &body.concat()).await?;
        let mut entries = Vec::new();
        loop {
            let (tag, content) = self.receive().await?;
            match tag {
                SEARCH_ENTRY => {
                    entries.push(entry(&content).ok_or_else(|| self.wire.strange("an entry was expected"))?)
                }
                SEARCH_REFERENCE => {}
                SEARCH_DONE => {
                    self.judge(&content)?;
                    return Ok(entries);
                }
                _ => return Err(self.wire.strange("an entry was expected")),
            }
        }
    }

    /// Sets the password of an entry by the server's own operation: it makes the hash and applies its rules.
    ///
    /// # Errors
    /// What failed.
    pub async fn set_password(&mut self, name: &str, password: &SecretValue) -> Result<(), Failure> {
        let inner = joined(&[tlv(0x80, name.as_bytes()), tlv(0x82, password.expose())].map(Zeroizing::new));
        let value = Zeroizing::new(tlv(0x30, &inner));
        let body = joined(&[Zeroizing::new(tlv(0x80, PASSWORD_MODIFY)), Zeroizing::new(tlv(0x81, &value))]);
        self.ask(EXTENDED, &body).await
    }

    /// Removes every password of an entry.
    ///
    /// # Errors
    /// What failed.
    pub async fn remove_password(&mut self, name: &str) -> Result<(), Failure> {
        // Replace by nothing: no error when there was none.
        let attribute = tlv(0x30, &[tlv(0x04, b"userPassword"), tlv(0x31, &[])].concat());
        let change = tlv(0x30, &[tlv(0x0a, &[2]), attribute].concat());
        self.ask(MODIFY, &[tlv(0x04, name.as_bytes()), tlv(0x30, &change)].concat()).await
    }

    async fn ask(&mut self, operation: u8, body: &[u8]) -> Result<(), Failure> {
        self.send(operation, body).await?;
        let (_, content) = self.receive().await?;
        self.judge(&content)
    }

    async fn send(&mut self, operation: u8, body: &[u8]) -> Result<(), Failure> {
        self.number += 1;
        let inner = joined(&[tlv(0x02, &[self.number]), tlv(operation, body)].map(Zeroizing::new));
        let message = Zeroizing::new(tlv(0x30, &inner));
        self.wire.write(&message).await?;
        self.wire.sent = true;
        Ok(())
    }

    /// Operation and content of the next message.
    async fn receive(&mut self) -> Result<(u8, Vec<u8>), Failure> {
        let head = self.wire.read_exact(2).await?;
        let length = match head[1] {
            short @ 0..=0x7f => usize::from(short),
            long @ 0x81..=0x84 => {
                let bytes = self.wire.read_exact(usize::from(long & 0x7f)).await?;
                bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            }
            _ => return Err(self.wire.strange("a length was expected")),
        };
        let message = self.wire.read_exact(length).await?;
        let parts = || {
            let (_, _, rest) = take(&message)?;
            let (tag, content, _) = take(rest)?;
            Some((tag, content.to_vec()))
        };
        match (head[0], parts()) {
            (0x30, Some(parts)) => Ok(parts),
            _ => Err(self.wire.strange("an LDAP message was expected")),
        }
    }

    /// Result code and message of an answer.
    fn judge(&self, content: &[u8]) -> Result<(), Failure> {
        let parts = || {
            let (_, code, rest) = take(content)?;
            let (_, _, rest) = take(rest)?;
            let (_, message, _) = take(rest)?;
            Some((code.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)), message))
        };
        let Some((code, message)) = parts() else { return Err(self.wire.strange("a result was expected")) };
        match code {
            0 => Ok(()),
            // busy, unavailable
            51 | 52 => Err(Failure::Unreachable { place: self.wire.place(), why: format!("result {code}") }),
            _ => {
                let message = one_line(&String::from_utf8_lossy(message));
                let message = if message.is_empty() { meaning(code).to_owned() } else { message };
                let place = self.wire.place();
                Err(Failure::Answered { place, status: 0, code: code.to_string(), message, retry_after: None })
            }
        }
    }
}

/// The result codes that people meet.
fn meaning(code: u32) -> &'static str {
    match code {
        19 => "a rule of the directory forbids it",
        32 => "there is no such entry",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient rights",
        53 => "the server is unwilling to do it",
        _ => "no further explanation",
    }
}

/// Tag, length, content.
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + 6);
    bytes.push(tag);
    match content.len() {
        short @ 0..=0x7f => bytes.push(short as u8),
        long => {
            let digits: Vec<u8> = long.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | digits.len() as u8);
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

fn joined(parts: &[Zeroizing<Vec<u8>>]) -> Zeroizing<Vec<u8>> {
    let mut all = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| all.extend_from_slice(part));
    all
}

/// Tag and content of the first element, and what follows it.
fn take(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(long & 0x7f))?;
            (digits.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// Name and the values of the first attribute of a search entry.
fn entry(content: &[u8]) -> Option<(String, Vec<String>)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (_, name, rest) = take(content)?;
    let (_, attributes, _) = take(rest)?;
    let mut values = Vec::new();
    if let Some((_, attribute, _)) = take(attributes) {
        let (_, _, set) = take(attribute)?;
        let (_, mut set, _) = take(set)?;
        while let Some((_, value, rest)) = take(set) {
            values.push(text(value));
            set = rest;
        }
    }
    Some((text(name), values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_survive_and_cut_ones_are_refused() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let bytes = tlv(0x04, &content);
            assert_eq!(take(&bytes), Some((0x04, content.as_slice(), &[][..])));
            assert_eq!(take(&bytes[..bytes.len() - 1]).map(|(_, content, _)| content.len()), None);
        }
        assert_eq!(take(&[0x04, 0x80]), None);
        assert_eq!(take(&[0x04, 0x89, 1, 1, 1]), None);
    }
}
