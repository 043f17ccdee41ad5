//! The ledger as one signed file, for machines without offkey's own folder: a filter first, the exact check second.
//!
//! ```text
//! offkey-ledger/1\n
//! {"entries":…,"key":…,"digests":…}\n     one line of JSON
//! 9xU…=\n                                 ed25519 signature over the two lines above, base64
//! zeros up to 4096 bytes
//! SHA-256 of every page of the body, zeros up to the next 4096 bytes
//! body, in pages of 4096 bytes: filter, records of 20 bytes in order, offsets of facts, facts
//! ```
//!
//! A record is a fingerprint and the number of its facts; credentials with the same facts share them. Dates are days. The
//! signature covers the digests, the digests cover the pages: a page is checked when it is first read, so that opening a
//! file of a million entries costs the check of 170 kB, and no byte is believed unchecked.
//!
//! Invariant: no value, no key and no case is in an export; owners only where the caller asks for them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::rc::Rc;

use data_encoding::{BASE64, HEXLOWER};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Entry, Lookup, State, filter, guessable, slow};
use crate::audit::{self, Signer};
use crate::error::{Error, Result};
use crate::secret::{Fingerprint, Fingerprinter};

const MAGIC: &str = "offkey-ledger/1";
const PAGE: usize = 4096;
const RECORD: usize = 20;

/// The signed line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    entries: usize,
    /// Of which behind the slow hash.
    guessable: usize,
    rounds: u32,
    /// Facts shared by the entries.
    facts: usize,
    /// Lengths of the parts of the body.
    filter: usize,
    body: usize,
    /// When it was made, RFC 3339.
    made: String,
    /// Which key the fingerprints were made with: the fingerprint of a fixed text.
    keyed: Fingerprint,
    /// Public key of the signature, base64.
    signer: String,
    /// SHA-256 over the digests of the pages, hexadecimal.
    digests: String,
}

/// What an export says of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Facts {
    kind: String,
    label: String,
    owner: String,
    state: State,
    since: String,
    departed: Option<String>,
    until: Option<String>,
    first_seen: String,
}

impl Facts {
    fn of(entry: &Entry, owners: bool) -> Self {
        let day = |time: &String| time.get(..10).unwrap_or(time).to_owned();
        Self {
            kind: entry.kind.clone(),
            label: entry.label.clone(),
            owner: if owners { entry.owner.clone() } else { String::new() },
            state: entry.state,
            since: day(&entry.since),
            departed: entry.departed.as_ref().map(day),
            until: entry.until.clone(),
            first_seen: day(&entry.first_seen),
        }
    }
}

/// The fingerprint of a fixed text: tells which key fingerprints were made with.
pub fn key_mark(fingerprinter: &Fingerprinter) -> Fingerprint {
    fingerprinter.fingerprint(b"offkey-ledger: which key made these fingerprints")
}

/// Makes an export of these entries.
pub fn export(entries: &[Entry], owners: bool, keyed: &Fingerprinter, signer: &Signer, made: &str) -> Vec<u8> {
    export_with(entries, owners, keyed, signer, made, slow::ROUNDS)
}

fn export_with(
    entries: &[Entry],
    owners: bool,
    keyed: &Fingerprinter,
    signer: &Signer,
    made: &str,
    rounds: u32,
) -> Vec<u8> {
    let (mut numbers, mut facts) = (HashMap::new(), Vec::new());
    let numbered = entries.iter().map(|entry| {
        let of = Facts::of(entry, owners);
        let number = *numbers.entry(of).or_insert_with_key(|new| {
            facts.push(serde_json::to_vec(new).expect("because facts are text"));
            facts.len() as u32 - 1
        });
        (entry, number)
    });
    let numbered: Vec<(&Entry, u32)> = numbered.collect();
    let shown = |(entry, number): &(&Entry, u32)| {
        let shown = if entry.guessable { slow::slow(&entry.fingerprint, rounds) } else { entry.fingerprint };
        (shown, *number)
    };
    let mut records: Vec<(Fingerprint, u32)> = numbered.par_iter().map(shown).collect();
    records.sort_unstable();
    let mut body = filter::build(records.iter().map(|(fingerprint, _)| fingerprint));
    let filter = body.len();
    for (fingerprint, number) in &records {
        body.extend_from_slice(fingerprint.as_bytes());
        body.extend_from_slice(&number.to_be_bytes());
    }
    let mut end = 0u32;
    body.extend_from_slice(&end.to_be_bytes());
    for one in &facts {
        end += one.len() as u32;
        body.extend_from_slice(&end.to_be_bytes());
    }
    facts.iter().for_each(|one| body.extend_from_slice(one));
    let digests: Vec<u8> = body.par_chunks(PAGE).flat_map_iter(|page| Sha256::digest(page).to_vec()).collect();
    let header = Header {
        entries: records.len(),
        guessable: entries.iter().filter(|entry| entry.guessable).count(),
        rounds,
        facts: facts.len(),
        filter,
        body: body.len(),
        made: made.to_owned(),
        keyed: key_mark(keyed),
        signer: BASE64.encode(&signer.public_key()),
        digests: HEXLOWER.encode(&Sha256::digest(&digests)),
    };
    let signed = format!("{MAGIC}\n{}\n", serde_json::to_string(&header).expect("because a header is text"));
    let mut file = format!("{signed}{}\n", BASE64.encode(&signer.sign_text(&signed))).into_bytes();
    pad(&mut file);
    file.extend_from_slice(&digests);
    pad(&mut file);
    file.extend_from_slice(&body);
    file
}

fn pad(file: &mut Vec<u8>) {
    file.resize(file.len().next_multiple_of(PAGE), 0);
}

/// An export, checked.
#[derive(Debug)]
pub struct Export {
    /// Read, not mapped: what was checked is what is used, even if somebody changes the file meanwhile.
    file: RefCell<File>,
    shown: String,
    header: Header,
    /// Digests of the pages, and where the body starts.
    digests: Vec<u8>,
    body: usize,
    /// Pages that were read and checked already.
    pages: RefCell<HashMap<usize, Rc<[u8]>>>,
    signer: String,
}

impl Export {
    /// Opens an export: version, signature and key are checked here, pages when they are read.
    ///
    /// # Errors
    /// When it cannot be read, is of another version, is not signed by the key inside (or by `signer`, a key id), is cut
    /// off, or was made with another key for fingerprints than `keyed`.
    pub fn open(path: &Path, signer: Option<&str>, keyed: Option<&Fingerprinter>) -> Result<Self> {
        let shown = path.display().to_string();
        let unreadable = |cause: std::io::Error| Error::unreadable(format!("the ledger {shown}"), cause);
        let mut file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut head = vec![0; PAGE.min(usize::try_from(length).unwrap_or(PAGE))];
        file.read_exact(&mut head).map_err(unreadable)?;
        let (header, key) = header(&head).map_err(|why| refused(&shown, why))?;
        let id = audit::key_id(&key);
        if let Some(wanted) = signer.filter(|wanted| *wanted != id) {
            return Err(refused(&shown, &format!("it is signed by {id}, not by {wanted}")));
        }
        if keyed.is_some_and(|keyed| key_mark(keyed) != header.keyed) {
            return Err(refused(&shown, "its fingerprints were made with another key than the one given here"));
        }
        let count = header.body.div_ceil(PAGE);
        let body = PAGE + (count * 32).next_multiple_of(PAGE);
        if length != (body + header.body) as u64 || header.body < part_lengths(&header) {
            return Err(refused(&shown, "it is cut off or longer than it says"));
        }
        let mut digests = vec![0; count * 32];
        file.seek(SeekFrom::Start(PAGE as u64)).and_then(|_| file.read_exact(&mut digests)).map_err(unreadable)?;
        if HEXLOWER.encode(&Sha256::digest(&digests)) != header.digests {
            return Err(refused(&shown, "its digests are not those that were signed"));
        }
        let (file, pages) = (RefCell::new(file), RefCell::default());
        Ok(Self { file, shown, header, digests, body, pages, signer: id })
    }

    /// Key id of whoever signed it.
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// When it was made, RFC 3339.
    pub fn made(&self) -> &str {
        &self.header.made
    }

    /// Number of credentials in it.
    pub fn len(&self) -> usize {
        self.header.entries
    }

    /// Whether it knows nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of the body; every page that they touch is checked before.
    fn read(&self, at: usize, length: usize) -> Result<Vec<u8>> {
        let outside = || refused(&self.shown, "it points outside of itself");
        let end = at.checked_add(length).filter(|end| *end <= self.header.body).ok_or_else(outside)?;
        let mut bytes = Vec::with_capacity(length);
        for page in at / PAGE..end.div_ceil(PAGE) {
            let (content, start) = (self.page(page)?, page * PAGE);
            bytes.extend_from_slice(&content[at.max(start) - start..end.min(start + PAGE) - start]);
        }
        Ok(bytes)
    }

    fn page(&self, page: usize) -> Result<Rc<[u8]>> {
        if let Some(known) = self.pages.borrow().get(&page) {
            return Ok(Rc::clone(known));
        }
        let mut bytes = vec![0; PAGE.min(self.header.body - page * PAGE)];
        let mut file = self.file.borrow_mut();
        let read =
            file.seek(SeekFrom::Start((self.body + page * PAGE) as u64)).and_then(|_| file.read_exact(&mut bytes));
        read.map_err(|cause| Error::unreadable(format!("the ledger {}", self.shown), cause))?;
        if Sha256::digest(&bytes)[..] != self.digests[page * 32..][..32] {
            return Err(refused(&self.shown, "a page of it was changed after it was signed"));
        }
        let bytes: Rc<[u8]> = bytes.into();
        self.pages.borrow_mut().insert(page, Rc::clone(&bytes));
        Ok(bytes)
    }

    fn exact(&self, wanted: &Fingerprint) -> Result<Option<Facts>> {
        let blocks = self.header.filter / filter::BLOCK;
        let block = self.read(filter::block(wanted, blocks) * filter::BLOCK, filter::BLOCK)?;
        if !filter::may_hold(&block, wanted) {
            return Ok(None);
        }
        let (mut low, mut high) = (0, self.header.entries);
        while low < high {
            let middle = (low + high) / 2;
            let record = self.read(self.header.filter + middle * RECORD, RECORD)?;
            match record[..16].cmp(wanted.as_bytes()) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return self.facts(number(&record[16..])).map(Some),
            }
        }
        Ok(None)
    }

    fn facts(&self, at: usize) -> Result<Facts> {
        let offsets = self.header.filter + self.header.entries * RECORD;
        let start = offsets + (self.header.facts + 1) * 4;
        let ends = self.read(offsets + at * 4, 8)?;
        let (from, to) = (number(&ends[..4]), number(&ends[4..]));
        let text = self.read(start + from, to.saturating_sub(from))?;
        serde_json::from_slice(&text).map_err(|_| refused(&self.shown, "an entry of it cannot be read"))
    }
}

impl Lookup for Export {
    fn find(&self, fingerprint: &Fingerprint, value: &[u8]) -> Result<Option<Entry>> {
        let is_guessable = self.header.guessable > 0 && guessable(value);
        let wanted = if is_guessable { slow::slow(fingerprint, self.header.rounds) } else { *fingerprint };
        let entry = |facts: Facts| Entry {
            fingerprint: *fingerprint,
            kind: facts.kind,
            label: facts.label,
            owner: facts.owner,
            state: facts.state,
            since: midnight(&facts.since),
            departed: facts.departed.as_deref().map(midnight),
            until: facts.until,
            first_seen: midnight(&facts.first_seen),
            case: String::new(),
            guessable: is_guessable,
        };
        Ok(self.exact(&wanted)?.map(entry))
    }
}

fn midnight(day: &str) -> String {
    format!("{day}T00:00:00Z")
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

fn part_lengths(header: &Header) -> usize {
    let records = header.entries.saturating_mul(RECORD);
    header.filter.saturating_add(records).saturating_add(header.facts.saturating_add(1).saturating_mul(4))
}

/// The header and the public key, when the signature is right.
fn header(file: &[u8]) -> Result<(Header, [u8; 32]), &'static str> {
    let head = &file[..file.len().min(PAGE)];
    let mut lines = head.splitn(4, |byte| *byte == b'\n');
    let mut line = || lines.next().and_then(|line| std::str::from_utf8(line).ok()).ok_or("it is no exported ledger");
    let (magic, json, signature) = (line()?, line()?, line()?);
    if magic != MAGIC {
        return Err(match magic.starts_with("offkey-ledger/") {
            true => "it is of another version than this program reads",
            false => "it is no exported ledger",
        });
    }
    let header: Header = serde_json::from_str(json).map_err(|_| "its header cannot be read")?;
    let key = BASE64.decode(header.signer.as_bytes()).ok().and_then(|key| <[u8; 32]>::try_from(key).ok());
    let signature = BASE64.decode(signature.as_bytes()).ok().and_then(|sig| <[u8; 64]>::try_from(sig).ok());
    let (key, signature) = key.zip(signature).ok_or("its signature cannot be read")?;
    if !audit::is_signed(&key, &format!("{magic}\n{json}\n"), &signature) {
        return Err("its signature is wrong");
    }
    if !header.filter.is_multiple_of(filter::BLOCK) || header.filter == 0 || header.rounds > 1 << 24 {
        return Err("its header makes no sense");
    }
    Ok((header, key))
}

fn refused(shown: &str, why: &str) -> Error {
    Error::integrity(format!("the ledger {shown} is refused: {why}"))
        .still("Nothing was judged.")
        .next("Get a fresh export: `offkey ledger export` on the machine that keeps the ledger.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::SecretValue;

    fn keyed(key: &str) -> Fingerprinter {
        Fingerprinter::new(&SecretValue::new(key))
    }

    fn entry(value: &str, state: State) -> Entry {
        Entry {
            fingerprint: keyed("k").fingerprint(value.as_bytes()),
            kind: "token".to_owned(),
            label: "a token".to_owned(),
            owner: "alice".to_owned(),
            state,
            since: "2026-03-01T09:00:00Z".to_owned(),
            departed: Some("2026-02-28T17:00:00Z".to_owned()),
            until: None,
            first_seen: "2026-01-01T00:00:00Z".to_owned(),
            case: "secret-case-name".to_owned(),
            guessable: guessable(value.as_bytes()),
        }
    }

    fn signer(seed: u8) -> Signer {
        Signer::new(&SecretValue::new([seed; 32])).expect("32 bytes")
    }

    /// Five thousand tokens and one password.
    fn file() -> Vec<u8> {
        let token = |n: u32| entry(&format!("tok_{n:08}_q7Jx0mWn3ZtVb5Kc"), State::Live);
        let mut entries: Vec<Entry> = (0..5000).map(token).collect();
        entries.push(entry("hunter2", State::Revoked));
        export_with(&entries, true, &keyed("k"), &signer(1), "2026-03-02T00:00:00Z", 3)
    }

    fn open(bytes: &[u8], signer: Option<&str>, key: &str) -> Result<Export> {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("ledger.offkey");
        std::fs::write(&path, bytes).expect("written");
        Export::open(&path, signer, Some(&keyed(key)))
    }

    fn find(export: &Export, value: &str) -> Result<Option<Entry>> {
        export.find(&keyed("k").fingerprint(value.as_bytes()), value.as_bytes())
    }

    #[test]
    fn everything_is_found_again_and_nothing_else() {
        let export = open(&file(), None, "k").expect("opens");
        assert_eq!(export.len(), 5001);
        for n in (0..5000).step_by(7) {
            let found = find(&export, &format!("tok_{n:08}_q7Jx0mWn3ZtVb5Kc")).expect("readable").expect("there");
            assert_eq!(
                (found.state, found.owner.as_str(), found.since.as_str()),
                (State::Live, "alice", "2026-03-01T00:00:00Z")
            );
        }
        let guessed = find(&export, "hunter2").expect("readable").expect("there");
        assert!(guessed.state == State::Revoked && guessed.guessable && guessed.departed.is_some());
        for n in 0..2000 {
            assert_eq!(find(&export, &format!("other_{n:08}_q7Jx0mWn3ZtVb5Kc")).expect("readable"), None);
        }
    }

    #[test]
    fn no_case_and_no_fast_fingerprint_of_a_guessable_value_is_in_it() {
        let file = file();
        let has = |text: &[u8]| memchr::memmem::find(&file, text).is_some();
        assert!(!has(b"secret-case-name"));
        assert!(!has(keyed("k").fingerprint(b"hunter2").as_bytes()));
        assert!(has(keyed("k").fingerprint(b"tok_00000001_q7Jx0mWn3ZtVb5Kc").as_bytes()));
        let without = export_with(&[entry("x", State::Live)], false, &keyed("k"), &signer(1), "", 3);
        assert!(has(b"alice") && memchr::memmem::find(&without, b"alice").is_none());
    }

    #[test]
    fn another_version_signer_or_key_is_refused() {
        let good = file();
        let error =
            |bytes: &[u8], signer: Option<&str>, key| open(bytes, signer, key).expect_err("refused").to_string();
        let mut other = good.clone();
        other[14] = b'2';
        assert!(error(&other, None, "k").contains("another version"));
        assert!(error(b"hello", None, "k").contains("no exported ledger"));
        assert!(error(&good, Some("0123456789abcdef"), "k").contains("is signed by"));
        assert!(error(&good, None, "other").contains("another key"));
        let pinned = signer(1).key_id();
        assert!(open(&good, Some(&pinned), "k").is_ok());
    }

    #[test]
    fn no_changed_byte_is_believed() {
        let good = file();
        let all = |bytes: &[u8]| -> Result<()> {
            let export = open(bytes, None, "k")?;
            find(&export, "hunter2")?;
            (0..5000).try_for_each(|n| find(&export, &format!("tok_{n:08}_q7Jx0mWn3ZtVb5Kc")).map(drop))
        };
        assert!(all(&good).is_ok());
        let used = |at: &usize| good[*at] != 0 || *at >= 3 * PAGE;
        for at in (20..good.len()).step_by(997).filter(used) {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(all(&bad).is_err(), "byte {at} was changed and nobody saw it");
        }
        assert!(all(&good[..good.len() - 1]).is_err() && all(&good[..PAGE]).is_err());
    }
}
