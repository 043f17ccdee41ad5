//! MySQL and MariaDB: the client protocol as far as accounts need it. Two authentication methods (`mysql_native_password`,
//! `caching_sha2_password`), plain queries, texts as results.

use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::failure::one_line;
use super::wire::Wire;
use super::{Endpoint, Failure, Login, Tls};
use crate::secret::SecretValue;

const PROTOCOL_41: u32 = 0x0200;
const SSL: u32 = 0x0800;
const SECURE_CONNECTION: u32 = 0x8000;
const PLUGIN_AUTH: u32 = 0x0008_0000;
/// utf8mb4_general_ci
const CHARSET: u8 = 45;

/// A server.
pub struct MySql {
    endpoint: Endpoint,
    user: String,
    password: SecretValue,
}

/// A connection that is logged in.
pub struct MySqlSession {
    wire: Wire,
    sequence: u8,
}

/// What the server says first.
struct Greeting {
    capabilities: u32,
    nonce: Vec<u8>,
    method: String,
}

impl MySql {
    /// A server; nothing is sent yet.
    pub fn new(endpoint: Endpoint, user: impl Into<String>, password: SecretValue) -> Self {
        Self { endpoint, user: user.into(), password }
    }

    /// Where it listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Whom offkey logs in as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Logs in once and leaves again.
    pub async fn login(&self, user: &str, password: &SecretValue) -> Login {
        match self.open(user, password).await {
            Ok(_) => Login::Accepted,
            Err(Failure::Answered { code, message, .. }) => match code.as_str() {
                // Access denied; without a password method at all; the account is locked (MySQL, MariaDB).
                "1045" | "1698" | "3118" | "4151" => Login::Rejected(format!("{code}: {message}")),
                // The password is right, and is due to be changed.
                "1820" | "1862" => Login::Accepted,
                _ => {
                    let place = self.endpoint.place();
                    Login::Unclear(Failure::Answered { place, status: 0, code, message, retry_after: None })
                }
            },
            Err(failure) => Login::Unclear(failure),
        }
    }

    /// Opens the administrator's session.
    ///
    /// # Errors
    /// What failed.
    pub async fn admin(&self) -> Result<MySqlSession, Failure> {
        let mut session = self.open(&self.user, &self.password).await?;
        // Texts are quoted as this mode reads them.
        session.run("SET SESSION sql_mode = ''").await?;
        session.wire.sent = false;
        Ok(session)
    }

    async fn open(&self, user: &str, password: &SecretValue) -> Result<MySqlSession, Failure> {
        let mut session = MySqlSession { wire: self.endpoint.connect(true).await?, sequence: 0 };
        let greeting = session.packet().await?;
        session.refused(&greeting)?;
        let greeting = Greeting::read(&greeting).ok_or_else(|| session.wire.strange("a greeting was expected"))?;
        let encrypt = self.endpoint.tls != Tls::Off;
        if encrypt && greeting.capabilities & SSL == 0 {
            let why = "the server offers no TLS".to_owned();
            return Err(Failure::Unreachable { place: self.endpoint.place(), why });
        }
        let flags = PROTOCOL_41 | SECURE_CONNECTION | PLUGIN_AUTH | if encrypt { SSL } else { 0 };
        let mut head = Vec::from(flags.to_le_bytes());
        head.extend((1u32 << 24).to_le_bytes());
        head.push(CHARSET);
        head.extend([0; 23]);
        if encrypt {
            session.send(&head).await?;
            let MySqlSession { wire, sequence } = session;
            session = MySqlSession { wire: wire.encrypt().await?, sequence };
        }
        let proof = proof(&greeting.method, password, &greeting.nonce).unwrap_or_default();
        let mut answer = Zeroizing::new(head);
        answer.extend_from_slice(user.as_bytes());
        answer.push(0);
        answer.push(u8::try_from(proof.len()).unwrap_or(0));
        answer.extend_from_slice(&proof);
        answer.extend_from_slice(greeting.method.as_bytes());
        answer.push(0);
        session.send(&answer).await?;
        session.authenticate(password).await?;
        Ok(session)
    }
}

impl Greeting {
    fn read(packet: &[u8]) -> Option<Self> {
        let (&10, rest) = packet.split_first()? else { return None };
        let end = rest.iter().position(|byte| *byte == 0)?;
        let rest = rest.get(end + 1 + 4..)?;
        let (first, rest) = rest.split_at_checked(8)?;
        let low = u16::from_le_bytes(rest.get(1..3)?.try_into().ok()?);
        let high = u16::from_le_bytes(rest.get(6..8)?.try_into().ok()?);
        let rest = rest.get(19..)?;
        // The second part has twelve bytes and a zero, whatever the length says.
        let (second, rest) = rest.split_at_checked(12)?;
        let method = rest.get(1..).unwrap_or_default().split(|byte| *byte == 0).next().unwrap_or_default();
        Some(Self {
            capabilities: u32::from(low) | u32::from(high) << 16,
            nonce: [first, second].concat(),
            method: String::from_utf8_lossy(method).into_owned(),
        })
    }
}

/// What proves the password without telling it; `None` for methods that are not spoken here.
fn proof(method: &str, password: &SecretValue, nonce: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if password.is_empty() {
        return Some(Zeroizing::default());
    }
    let xor = |one: &[u8], two: &[u8]| Zeroizing::new(one.iter().zip(two).map(|(a, b)| a ^ b).collect::<Vec<u8>>());
    match method {
        "mysql_native_password" | "" => {
            let once = Sha1::digest(password.expose());
            let twice = Sha1::digest(once);
            Some(xor(&once, &Sha1::new().chain_update(nonce).chain_update(twice).finalize()))
        }
        "caching_sha2_password" => {
            let once = Sha256::digest(password.expose());
            let twice = Sha256::digest(once);
            Some(xor(&once, &Sha256::new().chain_update(twice).chain_update(nonce).finalize()))
        }
        _ => None,
    }
}

/// What the server keeps of a password for `mysql_native_password`: made here, so that the password itself is in no
/// statement and in no log of the server.
pub fn native_hash(password: &SecretValue) -> String {
    format!("*{}", data_encoding::HEXUPPER.encode(&Sha1::digest(Sha1::digest(password.expose()))))
}

/// A text as a literal of SQL, for sessions of [`MySql::admin`].
pub fn quote_text(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

impl MySqlSession {
    async fn packet(&mut self) -> Result<Vec<u8>, Failure> {
        let head = self.wire.read_exact(4).await?;
        self.sequence = head[3].wrapping_add(1);
        self.wire.read_exact(usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16).await
    }

    async fn send(&mut self, content: &[u8]) -> Result<(), Failure> {
        let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes();
        if length[3] != 0 {
            return Err(self.wire.strange("a question of a sensible size was expected"));
        }
        let mut packet = Zeroizing::new(Vec::with_capacity(content.len() + 4));
        packet.extend_from_slice(&[length[0], length[1], length[2], self.sequence]);
        packet.extend_from_slice(content);
        self.sequence = self.sequence.wrapping_add(1);
        self.wire.write(&packet).await
    }

    /// An error packet as a failure.
    fn refused(&self, packet: &[u8]) -> Result<(), Failure> {
        let [0xff, low, high, rest @ ..] = packet else { return Ok(()) };
        let code = u16::from_le_bytes([*low, *high]);
        let text = rest.strip_prefix(b"#").and_then(|rest| rest.get(5..)).unwrap_or(rest);
        let message = one_line(&String::from_utf8_lossy(text));
        let place = self.wire.place();
        // Too many connections, host blocked or not allowed, shutting down: nothing was asked.
        if matches!(code, 1040 | 1053 | 1129 | 1130 | 1203 | 1226) {
            return Err(Failure::Unreachable { place, why: format!("{code}: {message}") });
        }
        Err(Failure::Answered { place, status: 0, code: code.to_string(), message, retry_after: None })
    }

    async fn authenticate(&mut self, password: &SecretValue) -> Result<(), Failure> {
        // A server that asks without end is none.
        for _ in 0..8 {
            let packet = self.packet().await?;
            self.refused(&packet)?;
            match packet.split_first() {
                Some((0x00, _)) => return Ok(()),
                Some((0xfe, rest)) => {
                    let (method, data) = rest.split_at(rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len()));
                    let nonce = data.get(1..21).unwrap_or_default();
                    let method = String::from_utf8_lossy(method).into_owned();
                    let proof = proof(&method, password, nonce).ok_or_else(|| self.unspoken(&method))?;
                    self.send(&proof).await?;
                }
                // The server knows the password from before.
                Some((0x01, [3])) => {}
                Some((0x01, [4])) if self.wire.is_encrypted() => {
                    let mut text = Zeroizing::new(Vec::with_capacity(password.len() + 1));
                    text.extend_from_slice(password.expose());
                    text.push(0);
                    self.send(&text).await?;
                }
                Some((0x01, [4])) => return Err(self.unspoken("caching_sha2_password without TLS")),
                _ => return Err(self.wire.strange("an answer to a log-in was expected")),
            }
        }
        Err(self.wire.strange("an end of the log-in was expected"))
    }

    fn unspoken(&self, method: &str) -> Failure {
        let why = format!("the account wants {}, which offkey does not speak", one_line(method));
        Failure::Unreachable { place: self.wire.place(), why }
    }

    /// Runs a statement and gives its rows; `None` for NULL.
    ///
    /// # Errors
    /// What failed.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        self.sequence = 0;
        let mut question = Zeroizing::new(Vec::with_capacity(sql.len() + 1));
        question.push(0x03);
        question.extend_from_slice(sql.as_bytes());
        self.send(&question).await?;
        self.wire.sent = true;
        let first = self.packet().await?;
        self.refused(&first)?;
        if first.first() == Some(&0x00) {
            return Ok(Vec::new());
        }
        while !is_end(&self.packet().await?) {}
        let mut rows = Vec::new();
        loop {
            let packet = self.packet().await?;
            self.refused(&packet)?;
            if is_end(&packet) {
                return Ok(rows);
            }
            rows.push(row(&packet).ok_or_else(|| self.wire.strange("a row was expected"))?);
        }
    }

    /// Runs a statement whose rows do not matter.
    ///
    /// # Errors
    /// What failed.
    pub async fn run(&mut self, sql: &str) -> Result<(), Failure> {
        self.query(sql).await.map(drop)
    }
}

fn is_end(packet: &[u8]) -> bool {
    packet.len() < 9 && packet.first() == Some(&0xfe)
}

fn row(mut packet: &[u8]) -> Option<Vec<Option<String>>> {
    let mut cells = Vec::new();
    while let Some((&first, rest)) = packet.split_first() {
        let (length, rest) = match first {
            0xfb => {
                cells.push(None);
                packet = rest;
                continue;
            }
            0xfc => rest.split_at_checked(2)?,
            0xfd => rest.split_at_checked(3)?,
            0xfe => rest.split_at_checked(8)?,
            _ => (&packet[..1], rest),
        };
        let length = length.iter().rev().fold(0usize, |sum, byte| sum << 8 | usize::from(*byte));
        let (cell, rest) = rest.split_at_checked(length)?;
        cells.push(Some(String::from_utf8_lossy(cell).into_owned()));
        packet = rest;
    }
    Some(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_the_servers_own() {
        // SELECT PASSWORD('password') on MariaDB.
        let hash = native_hash(&SecretValue::new("password"));
        assert_eq!(hash, "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19");
    }

    #[test]
    fn a_text_cannot_leave_its_quotes() {
        assert_eq!(quote_text(r"a'; DROP USER b; --\"), r"'a\'; DROP USER b; --\\'");
    }

    #[test]
    fn rows_of_any_bytes_are_read_or_refused() {
        assert_eq!(row(&[1, b'a', 0xfb, 0]), Some(vec![Some("a".to_owned()), None, Some(String::new())]));
        assert_eq!(row(&[5, b'a']), None);
        assert_eq!(row(&[0xfc, 1]), None);
        assert!(Greeting::read(&[10, b'8', 0, 1, 2]).is_none());
    }
}
