//! Users of RabbitMQ, by its management interface. The password is hashed here, as the server keeps it.
//!
//! The interface knows of connections what its statistics say, which are some seconds old.

use reqwest::Url;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::accounts::{Accounts, Server};
use super::claim::Words;
use crate::action::{ActionError, Pending};
use crate::clock;
use crate::remote::{Ask, Failure, Http, Login, Reply};
use crate::secret::SecretValue;

/// Where the management interface is, and who offkey is there.
pub struct RabbitSettings {
    /// Address of the management interface: `https://mq.example:15671`.
    pub address: Url,
    /// Client for it.
    pub http: Http,
    /// An administrator.
    pub user: String,
    /// Its password.
    pub password: SecretValue,
    /// Port where consumers connect, as their addresses say it.
    pub amqp_port: u16,
}

/// Users of a RabbitMQ. `also_known_as` are other host names under which consumers reach it.
pub fn rabbitmq_accounts(name: impl Into<String>, settings: RabbitSettings, also_known_as: Vec<String>) -> Accounts {
    Accounts::new(name.into(), Box::new(Rabbit(settings)), also_known_as)
}

struct Rabbit(RabbitSettings);

/// What the server keeps: four bytes of salt, then the SHA-256 of salt and password (RabbitMQ, "Password Hashing").
fn hash(password: &[u8], salt: [u8; 4]) -> String {
    let digest = Sha256::new().chain_update(salt).chain_update(password).finalize();
    data_encoding::BASE64.encode(&[salt.as_slice(), digest.as_slice()].concat())
}

impl Rabbit {
    async fn ask_as(
        &self,
        (user, password): (&str, &SecretValue),
        method: &str,
        path: &[&str],
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let mut url = self.0.address.clone();
        url.path_segments_mut().expect("because an http address has a path").pop_if_empty().push("api").extend(path);
        let mut pair = Zeroizing::new(Vec::with_capacity(user.len() + password.len() + 1));
        pair.extend_from_slice(user.as_bytes());
        pair.push(b':');
        pair.extend_from_slice(password.expose());
        let word = SecretValue::from(format!("Basic {}", data_encoding::BASE64.encode(&pair)));
        let ask = Ask::new(method, url).secret_header("authorization", &word);
        self.0.http.send(body.iter().fold(ask, |ask, body| ask.json(body))).await
    }

    async fn ask(&self, method: &str, path: &[&str], body: Option<&Value>) -> Result<Option<Value>, Failure> {
        let reply = self.ask_as((&self.0.user, &self.0.password), method, path, body).await?;
        match reply.status {
            404 => Ok(None),
            _ if reply.is_success() && reply.body.is_empty() => Ok(Some(Value::Null)),
            _ if reply.is_success() => reply.json().map(Some),
            _ => Err(reply.failure("", reason(&reply).as_str())),
        }
    }

    async fn put(&self, account: &str, hash: &str) -> Result<(), Failure> {
        let user = self.ask("GET", &["users", account], None).await?;
        let missing = || {
            let place = crate::remote::place_of(&self.0.address);
            Failure::Answered {
                place,
                status: 404,
                code: String::new(),
                message: "no such user".to_owned(),
                retry_after: None,
            }
        };
        let mut user = user.ok_or_else(missing)?;
        let tags = user["tags"].take();
        let body =
            json!({ "password_hash": hash, "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": tags });
        self.ask("PUT", &["users", account], Some(&body)).await.map(drop)
    }

    async fn connections(&self, account: &str) -> Result<Vec<(String, u64)>, Failure> {
        let list = self.ask("GET", &["connections"], None).await?.unwrap_or_default();
        let theirs = list.as_array().into_iter().flatten().filter(|one| one["user"] == account);
        Ok(theirs
            .map(|one| (one["name"].as_str().unwrap_or_default().to_owned(), one["connected_at"].as_u64().unwrap_or(0)))
            .collect())
    }
}

fn reason(reply: &Reply) -> String {
    let body = reply.json().unwrap_or_default();
    body["reason"].as_str().unwrap_or("no further explanation").to_owned()
}

impl Server for Rabbit {
    fn label(&self) -> &'static str {
        "RabbitMQ user"
    }

    fn kind(&self) -> &'static str {
        "rabbitmq"
    }

    fn words(&self) -> Words {
        Words { schemes: &["amqp", "amqps"], engines: &["rabbit", "amqp"], port: 5672, user: None }
    }

    fn place(&self) -> (String, u16) {
        (self.0.address.host_str().unwrap_or_default().to_owned(), self.0.amqp_port)
    }

    fn own(&self) -> &str {
        &self.0.user
    }

    fn can_freeze(&self) -> bool {
        // There is no switch: a user without a password is what comes next to it, and that is not to be undone.
        false
    }

    fn login<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Login> {
        Box::pin(async move {
            let reply = match self.ask_as((account, value), "GET", &["whoami"], None).await {
                Ok(reply) => reply,
                Err(failure) => return Login::Unclear(failure),
            };
            match (reply.status, reason(&reply).as_str()) {
                (200, _) => Login::Accepted,
                // Only who gave the right password is told that this interface is not for them.
                (401, "Not management user") => Login::Accepted,
                (401, why @ ("Login failed" | "Not_Authorized")) => Login::Rejected(format!("401: {why}")),
                (_, why) => Login::Unclear(reply.failure("", why)),
            }
        })
    }

    fn find<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move { Ok(self.ask("GET", &["users", name], None).await?.map(|_| name.to_owned())) })
    }

    fn all(&self) -> Pending<'_, Result<Vec<(String, String)>, Failure>> {
        Box::pin(async move {
            let users = self.ask("GET", &["users"], None).await?.unwrap_or_default();
            // Who has no password cannot log in by one.
            let named = users.as_array().into_iter().flatten().filter(|user| user["password_hash"] != "");
            let names = named.filter_map(|user| user["name"].as_str());
            Ok(names.map(|name| (name.to_owned(), name.to_owned())).collect())
        })
    }

    fn check<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let looking = |failure: Failure| ActionError::looking(&failure);
            let own = self.ask("GET", &["whoami"], None).await.map_err(looking)?.unwrap_or_default();
            if !own["tags"].to_string().contains("administrator") {
                let why = format!("{} may not change users: give it the tag administrator", self.0.user);
                return Err(ActionError::Refused(why));
            }
            match self.ask("GET", &["users", account], None).await.map_err(looking)? {
                Some(_) => Ok(()),
                None => Err(ActionError::Conflict(format!("there is no user {account} any more"))),
            }
        })
    }

    fn set<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move { self.put(account, &hash(value.expose(), clock::random::<4>())).await.map(|()| None) })
    }

    fn is_barred<'a>(&'a self, account: &'a str, _: bool) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let user = self.ask("GET", &["users", account], None).await?;
            Ok(user.is_none_or(|user| user["password_hash"] == ""))
        })
    }

    fn bar<'a>(&'a self, account: &'a str, _: bool) -> Pending<'a, Result<(), Failure>> {
        Box::pin(self.put(account, ""))
    }

    fn unbar<'a>(&'a self, _: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }

    fn sessions<'a>(&'a self, account: &'a str, mark: Option<&'a str>) -> Pending<'a, Result<usize, Failure>> {
        Box::pin(async move {
            let until = mark.and_then(|mark| mark.parse().ok()).unwrap_or(u64::MAX);
            Ok(self.connections(account).await?.into_iter().filter(|(_, since)| *since <= until).count())
        })
    }

    fn end_sessions<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(usize, String), Failure>> {
        Box::pin(async move {
            let connections = self.connections(account).await?;
            // The server's own clock: the youngest connection that is ended.
            let mark = connections.iter().map(|(_, since)| *since).max().unwrap_or(0);
            for (name, _) in &connections {
                self.ask("DELETE", &["connections", name], None).await?;
            }
            Ok((connections.len(), mark.to_string()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_of_the_documentation() {
        // https://www.rabbitmq.com/docs/passwords: salt 908DC60A, password "test12".
        assert_eq!(hash(b"test12", [0x90, 0x8d, 0xc6, 0x0a]), "kI3GCqW5JLMJa4iX1lo7X4D6XbYqlLgxIs30+P6tENUV2POR");
    }
}
