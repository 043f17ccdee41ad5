//! The keyring service itself: a loopback TCP listener with its state in one file. Small on purpose, real all the same:
//! a value that it rejects is rejected, and it keeps salted hashes only.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::wire::{Ask, Entry, Reply, Request};
use crate::clock;
use crate::error::{Error, Result};
use crate::secret::SecretValue;

#[derive(Default, Serialize, Deserialize)]
struct State {
    accounts: BTreeMap<String, Account>,
}

#[derive(Serialize, Deserialize)]
struct Account {
    /// Login of the person it belongs to; `None` for shared roles.
    owner: Option<String>,
    /// Salt and hash of the accepted value; `None` once revoked.
    accepted: Option<(String, String)>,
}

/// A running keyring.
pub struct KeyringServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    admin: SecretValue,
    path: PathBuf,
    state: Mutex<State>,
}

impl KeyringServer {
    /// Starts on a free loopback port with the state in `path`; serves until the process ends.
    ///
    /// # Errors
    /// When the port or the state file cannot be had.
    pub fn start(path: &Path, admin: SecretValue) -> Result<Self> {
        let failed = |cause: std::io::Error| Error::user("the demo's keyring cannot start").because(cause);
        let state = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|cause| Error::integrity(format!("{} is damaged", path.display())).because(cause))?,
            Err(_) => State::default(),
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared { admin, path: path.to_owned(), state: Mutex::new(state) });
        let served = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&served);
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
        Ok(Self { address, shared })
    }

    /// Where it listens: `127.0.0.1:40123`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Makes an account that accepts one value.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn enrol(&self, account: &str, owner: Option<&str>, value: &SecretValue) -> Result<()> {
        let account_state = Account { owner: owner.map(str::to_owned), accepted: Some(hashed(value.expose())) };
        let mut state = self.shared.state.lock().expect("because no thread panics with the lock held");
        state.accounts.insert(account.to_owned(), account_state);
        self.shared.save(&state).map_err(|cause| Error::user("the keyring's state cannot be written").because(cause))
    }
}

impl Shared {
    fn serve(&self, stream: &TcpStream) {
        // A client that says nothing for ten seconds is gone; there is nobody to tell about a failure to set that.
        let _ = stream.set_read_timeout(Some(Duration::from_secs(10)));
        let (mut lines, mut out) = (BufReader::new(stream).lines(), stream);
        while let Some(Ok(line)) = lines.next() {
            let reply = match serde_json::from_str::<Request>(&line) {
                Ok(request) => self.answer(request),
                Err(_) => Reply::Failed("not a request".to_owned()),
            };
            let mut text = serde_json::to_string(&reply).expect("because replies hold only text");
            text.push('\n');
            if out.write_all(text.as_bytes()).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: Request) -> Reply {
        let mut state = self.state.lock().expect("because no thread panics with the lock held");
        let admin = request.admin.as_deref().is_some_and(|given| same(given.as_bytes(), self.admin.expose()));
        match request.ask {
            Ask::Login { account, value } => match state.accounts.get(&account) {
                Some(known) if accepts(known, value.as_bytes()) => Reply::Accepted { account },
                _ => Reply::Rejected,
            },
            Ask::WhoAmI { value } => {
                let found = state.accounts.iter().find(|(_, account)| accepts(account, value.as_bytes()));
                found.map_or(Reply::Rejected, |(account, _)| Reply::Accepted { account: account.clone() })
            }
            _ if !admin => Reply::Forbidden,
            Ask::Show { account } => match state.accounts.get(&account) {
                Some(known) => Reply::Entries(vec![entry(&account, known)]),
                None => Reply::Entries(Vec::new()),
            },
            Ask::Owned { owner } => {
                let theirs = state.accounts.iter().filter(|(_, a)| a.owner.as_deref() == Some(&owner));
                Reply::Entries(theirs.map(|(name, account)| entry(name, account)).collect())
            }
            Ask::Set { account, value } => self.change(&mut state, &account, Some(value.as_bytes())),
            Ask::Revoke { account } => self.change(&mut state, &account, None),
        }
    }

    fn change(&self, state: &mut State, account: &str, value: Option<&[u8]>) -> Reply {
        let Some(known) = state.accounts.get_mut(account) else { return Reply::Failed("no such account".to_owned()) };
        known.accepted = value.map(hashed);
        match self.save(state) {
            Ok(()) => Reply::Accepted { account: account.to_owned() },
            Err(error) => Reply::Failed(error.to_string()),
        }
    }

    fn save(&self, state: &State) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(self.path.parent().unwrap_or(Path::new(".")))?;
        serde_json::to_writer(&mut file, state)?;
        file.as_file().sync_all()?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

fn entry(account: &str, state: &Account) -> Entry {
    Entry { account: account.to_owned(), owner: state.owner.clone(), live: state.accepted.is_some() }
}

/// Values here are generated or tokens, so one round of a salted hash will do; a service for people's passwords needs more.
fn hashed(value: &[u8]) -> (String, String) {
    let salt = data_encoding::HEXLOWER.encode(&clock::random::<16>());
    let hash = digest(&salt, value);
    (salt, hash)
}

fn digest(salt: &str, value: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::new().chain_update(salt).chain_update(value).finalize())
}

fn accepts(account: &Account, value: &[u8]) -> bool {
    account.accepted.as_ref().is_some_and(|(salt, hash)| same(digest(salt, value).as_bytes(), hash.as_bytes()))
}

/// Compares without stopping at the first difference.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0, |differences, (a, b)| differences | (a ^ b)) == 0
}
