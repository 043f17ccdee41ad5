//! PostgreSQL: one administrator's session, and single log-ins as probes.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::DbError;
use tokio_postgres::{Client, Config, NoTls, Row};

use super::failure::one_line;
use super::postgres_tls::Encrypted;
use super::tls::{Tls, client_config};
use super::{Failure, Login};
use crate::clock;
use crate::secret::SecretValue;

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct PostgresSettings {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Database to connect to; every role needs none of its content.
    pub database: String,
    /// Role that may change other roles.
    pub user: String,
    /// Its password.
    pub password: SecretValue,
    /// Whether and how the connection is encrypted.
    pub tls: Tls,
    /// How long one call may take.
    pub deadline: Duration,
}

/// A server.
pub struct Postgres {
    settings: PostgresSettings,
}

/// Why a connection was not made.
type Broken = Box<dyn std::error::Error + Send + Sync>;

/// An administrator's session. Its connection ends with it.
pub struct Session {
    client: Client,
    place: String,
    deadline: Duration,
    connection: tokio::task::JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Postgres {
    /// A server; nothing is sent yet.
    pub fn new(settings: PostgresSettings) -> Self {
        Self { settings }
    }

    /// Its settings.
    pub fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    /// Host and port, for messages.
    pub fn place(&self) -> String {
        format!("{}:{}", self.settings.host, self.settings.port)
    }

    /// Logs in once as `role` and leaves again.
    pub async fn login(&self, role: &str, password: &SecretValue) -> Login {
        match self.connect(role, password).await {
            Ok(_) => Login::Accepted,
            Err(Refusal::Server(error)) => self.judge(&error),
            Err(Refusal::Other(failure)) => Login::Unclear(failure),
        }
    }

    /// Opens the administrator's session.
    ///
    /// # Errors
    /// What failed.
    pub async fn admin(&self) -> Result<Session, Failure> {
        match self.connect(&self.settings.user, &self.settings.password).await {
            Ok(session) => Ok(session),
            Err(Refusal::Server(error)) => Err(self.connect_failure(&error)),
            Err(Refusal::Other(failure)) => Err(failure),
        }
    }

    async fn connect(&self, role: &str, password: &SecretValue) -> Result<Session, Refusal> {
        let settings = &self.settings;
        let mut config = Config::new();
        config
            .host(&settings.host)
            .port(settings.port)
            .dbname(&settings.database)
            .user(role)
            .password(password.expose())
            .application_name("offkey")
            .connect_timeout(settings.deadline)
            .ssl_mode(if settings.tls == Tls::Off { SslMode::Disable } else { SslMode::Require });
        let unreachable = |why: String| Refusal::Other(Failure::Unreachable { place: self.place(), why });
        let (client, connection) = match tokio::time::timeout(settings.deadline, self.open(&config)).await {
            Err(_) => return Err(unreachable("no answer in time".to_owned())),
            Ok(Ok(connected)) => connected,
            Ok(Err(error)) => {
                let said = error.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::as_db_error);
                return Err(match said {
                    Some(said) => Refusal::Server(Box::new(said.clone())),
                    None => unreachable(innermost(error.as_ref())),
                });
            }
        };
        Ok(Session { client, place: self.place(), deadline: settings.deadline, connection })
    }

    /// A connection, and what drives it: how it ends shows in the calls that use it.
    async fn open(&self, config: &Config) -> Result<(Client, tokio::task::JoinHandle<()>), Broken> {
        if self.settings.tls == Tls::Off {
            let (client, connection) = config.connect(NoTls).await?;
            return Ok((client, tokio::spawn(async move { drop(connection.await) })));
        }
        let tls = Arc::new(client_config(&self.settings.tls)?);
        let (client, connection) = config.connect(Encrypted(tls)).await?;
        Ok((client, tokio::spawn(async move { drop(connection.await) })))
    }

    /// Only what the server says about role and password is a rejection; the names of its routines tell the two meanings of
    /// 28000 apart (a role that may not log in, and an address that `pg_hba.conf` does not know).
    fn judge(&self, error: &DbError) -> Login {
        let text = || format!("{}: {}", error.code().code(), one_line(error.message()));
        match error.code().code() {
            "28P01" => Login::Rejected(text()),
            "28000" if error.routine() == Some("InitializeSessionUserId") => Login::Rejected(text()),
            // The role is authenticated before its database is opened.
            "3D000" | "42501" => Login::Accepted,
            _ => Login::Unclear(self.connect_failure(error)),
        }
    }

    fn connect_failure(&self, error: &DbError) -> Failure {
        let code = error.code().code();
        let place = self.place();
        // Too many connections, starting up, shutting down: nothing was done.
        if code.starts_with("53") || code.starts_with("57") {
            return Failure::Unreachable { place, why: format!("{code}: {}", one_line(error.message())) };
        }
        answered(place, error)
    }
}

enum Refusal {
    Server(Box<DbError>),
    Other(Failure),
}

fn answered(place: String, error: &DbError) -> Failure {
    Failure::Answered {
        place,
        status: 0,
        code: error.code().code().to_owned(),
        message: one_line(error.message()),
        retry_after: None,
    }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    one_line(&cause.to_string())
}

impl Session {
    /// Asks; parameters are text.
    ///
    /// # Errors
    /// What failed.
    pub async fn query(&self, sql: &str, parameters: &[&str]) -> Result<Vec<Row>, Failure> {
        let parameters: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> =
            parameters.iter().map(|text| text as &(dyn tokio_postgres::types::ToSql + Sync)).collect();
        self.within(self.client.query(sql, &parameters)).await
    }

    /// Runs a statement that takes no parameters.
    ///
    /// # Errors
    /// What failed.
    pub async fn run(&self, sql: &str) -> Result<(), Failure> {
        self.within(self.client.batch_execute(sql)).await
    }

    async fn within<T>(&self, call: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Failure> {
        let lost = |why: String| Failure::Lost { place: self.place.clone(), why };
        match tokio::time::timeout(self.deadline, call).await {
            Err(_) => Err(lost("no answer in time".to_owned())),
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(match error.as_db_error() {
                Some(said) => answered(self.place.clone(), said),
                None => lost(innermost(&error)),
            }),
        }
    }
}

/// A role name as SQL takes it.
pub fn quote_role(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Rounds of the password hash: PostgreSQL's own default.
const ROUNDS: u32 = 4096;

/// What the server keeps of a password (RFC 5802, RFC 7677): made here, so that the password itself is in no statement and
/// in no log of the server. `None` for passwords that are not printable ASCII, which would have to be normalised first.
pub fn scram_verifier(password: &SecretValue) -> Option<String> {
    let printable = !password.is_empty() && password.expose().iter().all(|byte| (0x20..0x7f).contains(byte));
    printable.then(|| verifier(password.expose(), &clock::random::<16>()))
}

fn verifier(password: &[u8], salt: &[u8]) -> String {
    let mac = |key: &[u8], parts: &[&[u8]]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("because HMAC takes a key of any length");
        parts.iter().for_each(|part| mac.update(part));
        <[u8; 32]>::from(mac.finalize().into_bytes())
    };
    let mut last = mac(password, &[salt, &1u32.to_be_bytes()]);
    let mut salted = last;
    for _ in 1..ROUNDS {
        last = mac(password, &[&last]);
        salted.iter_mut().zip(last).for_each(|(sum, byte)| *sum ^= byte);
    }
    let stored = Sha256::digest(mac(&salted, &[b"Client Key"]));
    let server = mac(&salted, &[b"Server Key"]);
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    format!("SCRAM-SHA-256${ROUNDS}:{}${}:{}", base64(salt), base64(&stored), base64(&server))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verifier_is_the_one_of_the_standard() {
        // RFC 7677, section 3: user "user", password "pencil". The proof there is checked against this stored key.
        let salt = data_encoding::BASE64.decode(b"W22ZaJ0SNY7soEsUEjb6gQ==").expect("base64");
        let verifier = verifier(b"pencil", &salt);
        let (head, keys) = verifier.rsplit_once('$').expect("three parts");
        assert_eq!(head, "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==");
        let server =
            data_encoding::BASE64.decode(keys.split(':').nth(1).expect("two keys").as_bytes()).expect("base64");
        let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let mut mac = Hmac::<Sha256>::new_from_slice(&server).expect("any key");
        mac.update(message.as_bytes());
        let signature = data_encoding::BASE64.encode(&mac.finalize().into_bytes());
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn names_cannot_leave_their_quotes_and_odd_passwords_are_not_guessed() {
        assert_eq!(quote_role("a\"; DROP ROLE b; --"), "\"a\"\"; DROP ROLE b; --\"");
        assert!(scram_verifier(&SecretValue::new("pässword")).is_none());
        assert!(scram_verifier(&SecretValue::new("")).is_none());
    }
}
