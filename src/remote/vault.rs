//! OpenBao and HashiCorp Vault.
//!
//! `vaultrs` makes the calls that it has and that carry no value. What it lacks (leases, audit hash, identity lookup, list of
//! accessors, merge patch) and everything that carries a value goes through [`Vault::ask`]: there the answer has a size
//! limit, is wiped after use, and keeps its waiting time.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::Url;
use serde_json::{Value, json};
use vaultrs::client::{VaultClient, VaultClientSettingsBuilder};
use vaultrs::error::ClientError;

use super::http::{Ask, Http, failure_of, place_of};
use super::{Failure, failure::one_line};
use crate::clock;
use crate::secret::SecretValue;

/// How to reach a server.
#[derive(Clone, Debug)]
pub struct VaultSettings {
    /// `https://bao.example:8200`.
    pub address: String,
    /// The token to work with.
    pub token: SecretValue,
    /// Namespace, if the server has them.
    pub namespace: Option<String>,
    /// PEM file of the organisation's certificate authority.
    pub authority: Option<PathBuf>,
    /// How long one call may take.
    pub deadline: Duration,
}

/// A server with a token.
pub struct Vault {
    client: VaultClient,
    http: Http,
    address: Url,
    token: SecretValue,
    namespace: Option<String>,
    clock: OnceLock<Option<String>>,
}

/// Seconds by which two clocks may differ.
const CLOCKS: i64 = 300;

/// A token as the server describes it. The token itself is never part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its accessor: enough to look at it and to revoke it, not to use it.
    pub accessor: String,
    /// The entity it acts for; empty for orphans.
    pub entity: String,
    /// `userpass-alice`.
    pub display_name: String,
    /// Where it was made: `auth/userpass/login/alice`.
    pub path: String,
    /// When it was made, seconds since 1970.
    pub created: u64,
    /// Seconds that it still lives; 0 for ever.
    pub ttl: u64,
    /// Its policies.
    pub policies: Vec<String>,
    /// No parent whose end would end it.
    pub orphan: bool,
}

/// An entity with its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntityFacts {
    /// Its id.
    pub id: String,
    /// Its name at the server.
    pub name: String,
    /// Whether it is disabled: its tokens exist and are refused.
    pub disabled: bool,
    /// `userpass/alice`: mount and name of each alias.
    pub aliases: Vec<String>,
    /// Groups that it is a member of, directly.
    pub groups: Vec<String>,
}

/// What a KV v2 path says about its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The newest.
    pub current: u64,
    /// Versions whose content still exists.
    pub kept: Vec<u64>,
}

/// Content of one version of a KV v2 path.
pub struct Content {
    /// Its fields, in the order of the server.
    pub fields: serde_json::Map<String, Value>,
    /// The version that was read.
    pub version: u64,
}

impl Vault {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none, or the authority's file cannot be read.
    pub fn new(settings: VaultSettings) -> Result<Self, Failure> {
        let bad = |why: &str| Failure::Unreachable { place: one_line(&settings.address), why: why.to_owned() };
        let address = Url::parse(settings.address.trim_end_matches('/')).map_err(|_| bad("this is not an address"))?;
        if !matches!(address.scheme(), "http" | "https") || address.host_str().is_none() {
            return Err(bad("an address begins with https://"));
        }
        let http = Http::new(&address, settings.deadline, settings.authority.as_deref())?;
        let token = settings.token.expose_str().ok_or_else(|| bad("the token is not text"))?.trim().to_owned();
        // All settings are given, so that nothing comes from the environment unseen.
        let library = VaultClientSettingsBuilder::default()
            .address(address.as_str())
            .token(token.clone())
            .ca_certs(Vec::new())
            .identity(None)
            .verify(true)
            .namespace(settings.namespace.clone())
            .build()
            .map_err(|_| bad("this is not an address"))?;
        let mut client = VaultClient::new(library).map_err(|_| bad("no client for it"))?;
        client.http = rustify::clients::reqwest::Client::new(address.as_str(), http.client().clone());
        Ok(Self {
            client,
            http,
            address,
            token: SecretValue::from(token),
            namespace: settings.namespace,
            clock: OnceLock::new(),
        })
    }

    /// Host and port, for messages.
    pub fn place(&self) -> String {
        place_of(&self.address)
    }

    /// What is wrong with the clock of this machine, told by the server's: what was read and revoked when, what has expired and
    /// when evidence was made would not be true. Asked once; `None` also when the server does not tell its time.
    pub async fn clock_fault(&self) -> Option<String> {
        if let Some(known) = self.clock.get() {
            return known.clone();
        }
        let theirs = self.ask("GET", "sys/health?standbyok=true", None).await.ok()?["server_time_utc"].as_i64()?;
        let ahead = clock::now().as_second() - theirs;
        let which = if ahead > 0 { "ahead of" } else { "behind" };
        let fault = (ahead.abs() > CLOCKS).then(|| {
            let place = self.place();
            format!("the clock of this machine is {} s {which} that of {place}: set it right first", ahead.abs())
        });
        self.clock.get_or_init(|| fault).clone()
    }

    /// One call with our token. A body that is not there is `null`; so is the answer "not found".
    ///
    /// # Errors
    /// What failed.
    pub async fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        self.ask_as(method, path, body, &self.token).await
    }

    /// One call with another token: probes of found tokens.
    ///
    /// # Errors
    /// What failed.
    pub async fn ask_as(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        token: &SecretValue,
    ) -> Result<Value, Failure> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut url = self.address.clone();
        url.path_segments_mut().expect("because an http address has a path").push("v1").extend(path.split('/'));
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut ask = Ask::new(method, url).header("x-vault-request", "true").secret_header("x-vault-token", token);
        if let Some(namespace) = &self.namespace {
            ask = ask.header("x-vault-namespace", namespace);
        }
        if let Some(body) = body {
            ask = ask.json(body);
        }
        if method == "PATCH" {
            ask = ask.header("content-type", "application/merge-patch+json");
        }
        let reply = self.http.send(ask).await?;
        let answer = if reply.body.is_empty() { Value::Null } else { reply.json().unwrap_or(Value::Null) };
        if reply.is_success() {
            return Ok(answer);
        }
        let said = errors(&answer);
        // A deleted or destroyed version is a 404 with a body, a missing one a 404 without any error.
        if reply.status == 404 && said.is_empty() {
            return Ok(answer);
        }
        Err(with_hint(reply.failure("", &said)))
    }

    /// Content of a version of a KV v2 path, the newest when none is named; `None` when it does not exist, was deleted or
    /// destroyed.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv_read(&self, mount: &str, path: &str, version: Option<u64>) -> Result<Option<Content>, Failure> {
        let wanted = version.map(|version| format!("?version={version}")).unwrap_or_default();
        let mut answer = self.ask("GET", &format!("{mount}/data/{path}{wanted}"), None).await?;
        let version = answer["data"]["metadata"]["version"].as_u64();
        let (Some(version), Value::Object(fields)) = (version, answer["data"]["data"].take()) else { return Ok(None) };
        Ok(Some(Content { fields, version }))
    }

    /// Writes a whole KV v2 entry if `cas` is still its newest version; 0: if there is none. Returns the new version.
    ///
    /// # Errors
    /// What failed; [`is_cas_mismatch`] tells a foreign write from the rest.
    pub async fn kv_write(
        &self,
        mount: &str,
        path: &str,
        cas: u64,
        fields: serde_json::Map<String, Value>,
    ) -> Result<u64, Failure> {
        let body = json!({ "options": { "cas": cas }, "data": fields });
        let answer = self.ask("POST", &format!("{mount}/data/{path}"), Some(&body)).await?;
        self.version_of(&answer)
    }

    /// Changes parts of a KV v2 entry (a JSON merge patch) if `cas` is still its newest version: what the patch does not
    /// name never leaves the server.
    ///
    /// # Errors
    /// What failed; [`is_cas_mismatch`] tells a foreign write from the rest.
    pub async fn kv_patch(&self, mount: &str, path: &str, cas: u64, patch: &Value) -> Result<u64, Failure> {
        let body = json!({ "options": { "cas": cas }, "data": patch });
        let answer = self.ask("PATCH", &format!("{mount}/data/{path}"), Some(&body)).await?;
        self.version_of(&answer)
    }

    /// What our token may do at each of these paths.
    ///
    /// # Errors
    /// What failed.
    pub async fn capabilities(&self, paths: &[String]) -> Result<Vec<Vec<String>>, Failure> {
        let answer = self.ask("POST", "sys/capabilities-self", Some(&json!({ "paths": paths }))).await?;
        Ok(paths.iter().map(|path| texts(&answer["data"][path])).collect())
    }

    fn version_of(&self, answer: &Value) -> Result<u64, Failure> {
        let why = "the version of the write was expected".to_owned();
        answer["data"]["version"].as_u64().ok_or(Failure::Strange { place: self.place(), why })
    }

    /// Versions of a KV v2 path; `None` when there is no such path.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv_versions(&self, mount: &str, path: &str) -> Result<Option<Versions>, Failure> {
        let read = self.done(vaultrs::kv2::read_metadata(&self.client, mount, path).await);
        let Some(read) = absent_if_404(read)? else { return Ok(None) };
        let kept = read.versions.iter().filter(|(_, version)| !version.destroyed);
        let mut kept: Vec<u64> = kept.filter_map(|(number, _)| number.parse().ok()).collect();
        kept.sort_unstable();
        Ok(Some(Versions { current: read.current_version, kept }))
    }

    /// Entries under a KV v2 folder; folders end with a slash.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv_list(&self, mount: &str, folder: &str) -> Result<Vec<String>, Failure> {
        let listed = self.done(vaultrs::kv2::list(&self.client, mount, folder).await);
        Ok(absent_if_404(listed)?.unwrap_or_default())
    }

    /// Destroys versions for good.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv_destroy(&self, mount: &str, path: &str, versions: Vec<u64>) -> Result<(), Failure> {
        self.done(vaultrs::kv2::destroy_versions(&self.client, mount, path, versions).await)
    }

    /// Removes a path with all its versions.
    ///
    /// # Errors
    /// What failed.
    pub async fn kv_remove(&self, mount: &str, path: &str) -> Result<(), Failure> {
        absent_if_404(self.done(vaultrs::kv2::delete_metadata(&self.client, mount, path).await)).map(drop)
    }

    /// Accessors of all live tokens (needs `sudo`).
    ///
    /// # Errors
    /// What failed.
    pub async fn accessors(&self) -> Result<Vec<String>, Failure> {
        let answer = self.ask("LIST", "auth/token/accessors", None).await?;
        Ok(texts(&answer["data"]["keys"]))
    }

    /// The token behind an accessor; `None` when there is no such token any more.
    ///
    /// # Errors
    /// What failed.
    pub async fn token_of(&self, accessor: &str) -> Result<Option<TokenFacts>, Failure> {
        let body = json!({ "accessor": accessor });
        let mut tries = 0;
        loop {
            match self.ask("POST", "auth/token/lookup-accessor", Some(&body)).await {
                // OpenBao answers 400 and 403, Vault 403 and 404, each with these words.
                Err(failure) if failure.message().contains("invalid accessor") => return Ok(None),
                // A token in the middle of its end is answered with the refusal of a missing right (seen with OpenBao 2.7).
                Err(failure) if failure.status() == Some(403) && tries < 3 => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(100 << tries)).await;
                }
                // Or it is found, without any data.
                other => return Ok(token_facts(&other?["data"])),
            }
        }
    }

    /// Revokes a token with its children and leases; one that is not there any more is a success.
    ///
    /// # Errors
    /// What failed.
    pub async fn revoke_accessor(&self, accessor: &str) -> Result<(), Failure> {
        match self.done(vaultrs::token::revoke_accessor(&self.client, accessor).await) {
            Err(failure) if failure.message().contains("invalid accessor") => Ok(()),
            other => absent_if_404(other).map(drop),
        }
    }

    /// Facts of a token by its value, asked with our own token (so that its use leaves no trace on it); `None` when the
    /// server has no such token.
    ///
    /// # Errors
    /// What failed.
    pub async fn token_by_value(&self, value: &SecretValue) -> Result<Option<TokenFacts>, Failure> {
        let Some(token) = value.expose_str() else { return Ok(None) };
        let answer = match self.ask("POST", "auth/token/lookup", Some(&json!({ "token": token }))).await {
            Err(failure) if failure.message().contains("bad token") => return Ok(None),
            other => other?,
        };
        Ok(token_facts(&answer["data"]))
    }

    /// Facts of our own token.
    ///
    /// # Errors
    /// What failed.
    pub async fn own_token(&self) -> Result<TokenFacts, Failure> {
        let answer = self.ask("GET", "auth/token/lookup-self", None).await?;
        let why = "a token was expected".to_owned();
        token_facts(&answer["data"]).ok_or(Failure::Strange { place: self.place(), why })
    }

    /// An entity; `None` when there is none with this id.
    ///
    /// # Errors
    /// What failed.
    pub async fn entity(&self, id: &str) -> Result<Option<EntityFacts>, Failure> {
        let answer = self.ask("GET", &format!("identity/entity/id/{id}"), None).await?;
        let data = &answer["data"];
        let Some(id) = data["id"].as_str() else { return Ok(None) };
        let aliases = data["aliases"].as_array().map_or(Vec::new(), |all| all.iter().map(alias_name).collect());
        Ok(Some(EntityFacts {
            id: id.to_owned(),
            name: data["name"].as_str().unwrap_or("").to_owned(),
            disabled: data["disabled"].as_bool().unwrap_or(false),
            aliases,
            groups: texts(&data["direct_group_ids"]),
        }))
    }

    /// Every alias of the server with the entity that it belongs to: `("userpass/alice", id)`.
    ///
    /// # Errors
    /// What failed.
    pub async fn aliases(&self) -> Result<Vec<(String, String)>, Failure> {
        let answer = self.ask("LIST", "identity/entity-alias/id", None).await?;
        let all = answer["data"]["key_info"].as_object();
        let entity = |alias: &Value| alias["canonical_id"].as_str().unwrap_or("").to_owned();
        Ok(all.map_or(Vec::new(), |all| all.values().map(|alias| (alias_name(alias), entity(alias))).collect()))
    }

    /// Disables an entity, or enables it again: its tokens and new log-ins are refused at once, and its aliases stay, so
    /// that a log-in cannot make a fresh entity.
    ///
    /// # Errors
    /// What failed.
    pub async fn set_disabled(&self, id: &str, disabled: bool) -> Result<(), Failure> {
        let body = json!({ "disabled": disabled });
        self.ask("POST", &format!("identity/entity/id/{id}"), Some(&body)).await.map(drop)
    }

    /// Whether a lease exists.
    ///
    /// # Errors
    /// What failed.
    pub async fn has_lease(&self, lease: &str) -> Result<bool, Failure> {
        match self.ask("PUT", "sys/leases/lookup", Some(&json!({ "lease_id": lease }))).await {
            Ok(answer) => Ok(!answer["data"].is_null()),
            Err(failure) if failure.message().contains("invalid lease") => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// Revokes a lease and waits for its end; by default the server would only queue it. One that is gone is a success.
    ///
    /// # Errors
    /// What failed.
    pub async fn revoke_lease(&self, lease: &str) -> Result<(), Failure> {
        let body = json!({ "lease_id": lease, "sync": true });
        self.ask("PUT", "sys/leases/revoke", Some(&body)).await.map(drop)
    }

    /// The hash under which an audit device writes a value.
    ///
    /// # Errors
    /// What failed.
    pub async fn audit_hash(&self, device: &str, value: &SecretValue) -> Result<String, Failure> {
        // Values that are not text appear in the log as base64 and are hashed so.
        let text = match value.expose_str() {
            Some(text) => text.to_owned(),
            None => data_encoding::BASE64.encode(value.expose()),
        };
        let answer = self.ask("POST", &format!("sys/audit-hash/{device}"), Some(&json!({ "input": text }))).await?;
        let why = "a hash was expected".to_owned();
        answer["data"]["hash"].as_str().map(str::to_owned).ok_or(Failure::Strange { place: self.place(), why })
    }

    fn done<T>(&self, result: Result<T, ClientError>) -> Result<T, Failure> {
        result.map_err(|error| with_hint(self.failure(error)))
    }

    fn failure(&self, error: ClientError) -> Failure {
        use rustify::errors::ClientError as Rest;
        let place = self.place();
        let answered = |status: u16, said: String| Failure::Answered {
            place: place.clone(),
            status,
            code: String::new(),
            message: one_line(&said),
            retry_after: None,
        };
        match error {
            ClientError::APIError { code, errors } => answered(code, errors.join("; ")),
            ClientError::RestClientError { source: Rest::ServerResponseError { code, .. } } => {
                answered(code, "no further explanation".to_owned())
            }
            ClientError::RestClientError { source: Rest::RequestError { source, .. } } => {
                match source.downcast_ref::<reqwest::Error>() {
                    Some(error) => failure_of(&place, error),
                    None => Failure::Lost { place, why: "the request failed".to_owned() },
                }
            }
            ClientError::RestClientError { source: Rest::ResponseError { .. } } => {
                Failure::Lost { place, why: "the answer was cut off".to_owned() }
            }
            // The texts of the others may quote an answer, and an answer may be a value.
            _ => Failure::Strange { place, why: "another form was expected".to_owned() },
        }
    }
}

/// True when a write was refused because the entry changed in the meantime: read again.
pub fn is_cas_mismatch(failure: &Failure) -> bool {
    failure.status() == Some(400) && failure.message().contains("check-and-set parameter did not match")
}

fn absent_if_404<T>(result: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match result {
        Ok(found) => Ok(Some(found)),
        // A mount that does not exist is a mistake in the configuration, not an empty place.
        Err(failure) if failure.status() == Some(404) && !failure.message().contains("route") => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// A sealed server says 503: what to do about it belongs into the message.
fn with_hint(mut failure: Failure) -> Failure {
    if let Failure::Answered { status: 503, message, .. } = &mut failure
        && message.contains("sealed")
    {
        message.push_str("; unseal it, then run the same command again");
    }
    failure
}

/// `auth/userpass/` and `alice` → `userpass/alice`.
fn alias_name(alias: &Value) -> String {
    let mount = alias["mount_path"].as_str().unwrap_or("").trim_matches('/');
    let mount = mount.strip_prefix("auth/").unwrap_or(mount);
    format!("{mount}/{}", alias["name"].as_str().unwrap_or(""))
}

fn errors(answer: &Value) -> String {
    texts(&answer["errors"]).join("; ")
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().map_or(Vec::new(), |all| all.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
}

fn token_facts(data: &Value) -> Option<TokenFacts> {
    let text = |name: &str| data[name].as_str().unwrap_or("").to_owned();
    data["accessor"].as_str()?;
    Some(TokenFacts {
        accessor: text("accessor"),
        entity: text("entity_id"),
        display_name: text("display_name"),
        path: text("path"),
        created: data["creation_time"].as_u64().unwrap_or(0),
        ttl: data["ttl"].as_u64().unwrap_or(0),
        policies: texts(&data["policies"]),
        orphan: data["orphan"].as_bool().unwrap_or(false),
    })
}
