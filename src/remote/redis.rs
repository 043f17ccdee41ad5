//! Redis: its protocol (RESP 2), log-ins and ACL commands.

use std::time::Duration;

use super::failure::one_line;
use super::wire::Wire;
use super::{Endpoint, Failure, Login};
use crate::secret::SecretValue;

/// A server.
pub struct Redis {
    endpoint: Endpoint,
    user: String,
    password: SecretValue,
}

/// A connection that is logged in.
pub struct RedisSession {
    wire: Wire,
}

/// An answer of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resp {
    /// A status line, a number or a bulk string, as text.
    Text(String),
    /// Nothing.
    Nil,
    /// A list.
    List(Vec<Resp>),
}

impl Resp {
    /// Its text; empty for what has none.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    /// The entry behind a name of a flat list of names and entries.
    pub fn field(&self, name: &str) -> Option<&Resp> {
        let Self::List(list) = self else { return None };
        list.chunks_exact(2).find(|pair| pair[0].text() == name).map(|pair| &pair[1])
    }

    /// Texts of a list.
    pub fn texts(&self) -> Vec<&str> {
        match self {
            Self::List(list) => list.iter().map(Self::text).collect(),
            _ => Vec::new(),
        }
    }
}

impl Redis {
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
            Err(Failure::Answered { code, message, .. }) if code == "WRONGPASS" => {
                Login::Rejected(format!("{code}: {message}"))
            }
            Err(failure) => Login::Unclear(failure),
        }
    }

    /// Opens the administrator's session.
    ///
    /// # Errors
    /// What failed.
    pub async fn admin(&self) -> Result<RedisSession, Failure> {
        self.open(&self.user, &self.password).await
    }

    async fn open(&self, user: &str, password: &SecretValue) -> Result<RedisSession, Failure> {
        let mut session = RedisSession { wire: self.endpoint.connect(false).await? };
        session.ask(&[b"AUTH", user.as_bytes(), password.expose()]).await?;
        session.wire.sent = false;
        Ok(session)
    }
}

impl RedisSession {
    /// Sends one command.
    ///
    /// # Errors
    /// What failed; an error answer has its first word as code.
    pub async fn ask(&mut self, words: &[&[u8]]) -> Result<Resp, Failure> {
        let mut bytes = zeroize::Zeroizing::new(format!("*{}\r\n", words.len()).into_bytes());
        // One allocation that is wiped: a growing buffer would leave copies behind.
        bytes.reserve(words.iter().map(|word| word.len() + 24).sum());
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(word);
            bytes.extend_from_slice(b"\r\n");
        }
        self.wire.write(&bytes).await?;
        self.wire.sent = true;
        self.answer(8).await
    }

    fn answer(&mut self, depth: u8) -> std::pin::Pin<Box<dyn Future<Output = Result<Resp, Failure>> + Send + '_>> {
        Box::pin(async move {
            let line = self.wire.read_line().await?;
            let (kind, rest) = line.split_at_checked(1).unwrap_or(("", ""));
            let number = rest.parse::<i64>();
            let strange = self.wire.strange("an answer of Redis was expected");
            match kind {
                "+" | ":" => Ok(Resp::Text(rest.to_owned())),
                "-" => Err(self.refusal(rest)),
                "$" => {
                    let Ok(count) = usize::try_from(number.map_err(|_| strange)?) else { return Ok(Resp::Nil) };
                    let mut bytes = self.wire.read_exact(count.saturating_add(2)).await?;
                    bytes.truncate(count);
                    Ok(Resp::Text(String::from_utf8_lossy(&bytes).into_owned()))
                }
                "*" if depth > 0 => {
                    let Ok(count) = usize::try_from(number.map_err(|_| strange)?) else { return Ok(Resp::Nil) };
                    let mut list = Vec::new();
                    for _ in 0..count {
                        list.push(self.answer(depth - 1).await?);
                    }
                    Ok(Resp::List(list))
                }
                _ => Err(strange),
            }
        })
    }

    fn refusal(&self, text: &str) -> Failure {
        let (code, message) = text.split_once(' ').unwrap_or((text, ""));
        let busy =
            matches!(code, "LOADING" | "BUSY" | "MASTERDOWN" | "TRYAGAIN") || message.contains("max number of clients");
        if busy {
            return Failure::Unreachable { place: self.wire.place(), why: one_line(text) };
        }
        Failure::Answered {
            place: self.wire.place(),
            status: 0,
            code: code.to_owned(),
            message: one_line(message),
            retry_after: None::<Duration>,
        }
    }
}
