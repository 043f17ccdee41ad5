//! All commits of a database in a compact table: tree, parents, people, time.

use std::collections::HashMap;
use std::sync::Mutex;

use super::super::Coverage;
use super::Broken;
use super::pack::Kind;
use super::walk::{Lineage, Object, Visitor};

/// Index of a commit in the table.
pub(super) type CommitId = u32;
/// Name of an annotated tag, its target, and its tagger with the time.
type Tag = (Box<[u8]>, Box<[u8]>, Option<(PersonId, i64)>);
/// Index of a person in the table.
pub(super) type PersonId = u32;

/// A name and an address as a commit writes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Signature {
    pub(super) name: String,
    pub(super) email: String,
}

/// The commits of a repository, sorted by name.
pub(super) struct CommitTable {
    hash: usize,
    rows: Vec<Row>,
    /// People, each once.
    pub(super) people: Vec<Signature>,
    /// Annotated tags: name of the tag, its target, its tagger.
    pub(super) tags: Vec<Tag>,
}

struct Row {
    /// Names of the commit, its tree and its parents, one behind the other.
    names: Box<[u8]>,
    author: PersonId,
    committer: PersonId,
    co_authors: Box<[PersonId]>,
    /// Author time, seconds since 1970.
    time: i64,
}

impl CommitTable {
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn name(&self, id: CommitId) -> &[u8] {
        &self.rows[id as usize].names[..self.hash]
    }

    pub(super) fn tree(&self, id: CommitId) -> &[u8] {
        &self.rows[id as usize].names[self.hash..2 * self.hash]
    }

    pub(super) fn parents(&self, id: CommitId) -> impl Iterator<Item = &[u8]> {
        self.rows[id as usize].names[2 * self.hash..].chunks_exact(self.hash)
    }

    pub(super) fn find(&self, name: &[u8]) -> Option<CommitId> {
        self.rows.binary_search_by(|row| row.names[..self.hash].cmp(name)).ok().map(|n| n as CommitId)
    }

    pub(super) fn author(&self, id: CommitId) -> (PersonId, i64) {
        (self.rows[id as usize].author, self.rows[id as usize].time)
    }

    pub(super) fn committer(&self, id: CommitId) -> PersonId {
        self.rows[id as usize].committer
    }

    pub(super) fn co_authors(&self, id: CommitId) -> &[PersonId] {
        &self.rows[id as usize].co_authors
    }
}

/// Collects the table while objects pass by.
pub(super) struct Collector {
    hash: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    rows: Vec<Row>,
    people: Vec<Signature>,
    known: HashMap<Signature, PersonId>,
    tags: Vec<Tag>,
}

impl Inner {
    fn person(&mut self, signature: Signature) -> PersonId {
        if let Some(&known) = self.known.get(&signature) {
            return known;
        }
        let id = self.people.len() as PersonId;
        self.people.push(signature.clone());
        self.known.insert(signature, id);
        id
    }
}

impl Collector {
    pub(super) fn new(hash: usize) -> Self {
        Self { hash, inner: Mutex::default() }
    }

    /// The finished table.
    pub(super) fn finish(self) -> CommitTable {
        let inner = self.inner.into_inner().expect("because no thread panics with the lock held");
        let (mut rows, hash) = (inner.rows, self.hash);
        rows.sort_by(|a, b| a.names[..hash].cmp(&b.names[..hash]));
        rows.dedup_by(|a, b| a.names[..hash] == b.names[..hash]);
        CommitTable { hash, rows, people: inner.people, tags: inner.tags }
    }

    fn commit(&self, name: &[u8], bytes: &[u8]) -> Option<()> {
        let parsed = Parsed::of(bytes)?;
        let mut names = name.to_vec();
        names.extend(super::database::unhex(parsed.tree)?);
        for parent in &parsed.parents {
            names.extend(super::database::unhex(parent)?);
        }
        if names.len() != (2 + parsed.parents.len()) * self.hash {
            return None;
        }
        let (author, time) = parsed.author?;
        let (committer, _) = parsed.committer.unwrap_or_else(|| (author.clone(), time));
        let mut inner = self.inner.lock().expect("because no thread panics with the lock held");
        let row = Row {
            names: names.into(),
            author: inner.person(author),
            committer: inner.person(committer),
            co_authors: parsed.co_authors.into_iter().map(|person| inner.person(person)).collect(),
            time,
        };
        inner.rows.push(row);
        Some(())
    }

    fn tag(&self, name: &[u8], bytes: &[u8]) -> Option<()> {
        let parsed = Parsed::of(bytes)?;
        let target = super::database::unhex(parsed.object?)?;
        let mut inner = self.inner.lock().expect("because no thread panics with the lock held");
        let tagger = parsed.tagger.map(|(person, time)| (inner.person(person), time));
        inner.tags.push((name.into(), target.into(), tagger));
        Some(())
    }

    /// Takes a commit or tag from anywhere.
    pub(super) fn take(&self, object: &Object<'_>, account: &mut Coverage) {
        let taken = match object.kind {
            Kind::Commit => self.commit(object.name, object.bytes),
            Kind::Tag => self.tag(object.name, object.bytes),
            Kind::Tree | Kind::Blob => Some(()),
        };
        if taken.is_none() {
            account.fail(super::hex(object.name), "commit or tag is damaged");
        }
    }
}

impl Visitor for Collector {
    type Carry = ();

    fn wants(&self, kind: Kind) -> bool {
        matches!(kind, Kind::Commit | Kind::Tag)
    }

    fn visit(&self, object: &Object<'_>, _: Option<Lineage<'_, ()>>, account: &mut Coverage) {
        self.take(object, account);
    }

    fn stream(
        &self,
        _: Kind,
        name: &[u8],
        _: u64,
        _: &mut dyn std::io::Read,
        account: &mut Coverage,
    ) -> std::io::Result<()> {
        const WHY: Broken = "commit or tag of more than 32 MiB: its people are not read";
        account.fail(super::hex(name), WHY);
        Ok(())
    }
}

/// Headers of a commit or tag.
#[derive(Default)]
struct Parsed<'a> {
    tree: &'a str,
    object: Option<&'a str>,
    parents: Vec<&'a str>,
    author: Option<(Signature, i64)>,
    committer: Option<(Signature, i64)>,
    tagger: Option<(Signature, i64)>,
    co_authors: Vec<Signature>,
}

impl<'a> Parsed<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let mut parsed = Self::default();
        let mut rest = bytes;
        loop {
            let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
            let line = &rest[..end];
            rest = rest.get(end + 1..).unwrap_or_default();
            if line.is_empty() {
                break;
            }
            let Some(space) = memchr::memchr(b' ', line) else { continue };
            let value = &line[space + 1..];
            match &line[..space] {
                b"tree" => parsed.tree = std::str::from_utf8(value).ok()?,
                b"object" => parsed.object = std::str::from_utf8(value).ok(),
                b"parent" => parsed.parents.push(std::str::from_utf8(value).ok()?),
                b"author" => parsed.author = Some(signature(value)),
                b"committer" => parsed.committer = Some(signature(value)),
                b"tagger" => parsed.tagger = Some(signature(value)),
                _ => {}
            }
        }
        parsed.co_authors = co_authors(rest);
        Some(parsed)
    }
}

/// `Name <address> seconds zone`, with whatever is missing left empty.
fn signature(value: &[u8]) -> (Signature, i64) {
    let open = memchr::memchr(b'<', value).unwrap_or(value.len());
    let close = memchr::memrchr(b'>', value).filter(|close| *close > open).unwrap_or(value.len());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let name = text(&value[..open]);
    let email = text(value.get(open + 1..close).unwrap_or_default());
    let time = value.get(close + 1..).map(text).unwrap_or_default();
    let time = time.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
    (Signature { name, email }, time)
}

/// People named in `Co-authored-by:` lines of a message.
fn co_authors(message: &[u8]) -> Vec<Signature> {
    const KEY: &[u8] = b"co-authored-by:";
    let lines = message.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let values = lines.filter_map(|line| match line.split_at_checked(KEY.len()) {
        Some((key, value)) if key.eq_ignore_ascii_case(KEY) => Some(signature(value.trim_ascii()).0),
        _ => None,
    });
    let mut people: Vec<Signature> = Vec::new();
    for person in values.filter(|person| !person.email.is_empty() || !person.name.is_empty()) {
        if !people.contains(&person) {
            people.push(person);
        }
    }
    people
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_and_trailers_are_read() {
        let text = b"tree aa\nparent bb\nparent cc\nauthor Alice M <alice@example.org> 1700000000 +0100\n\
            committer Hub <noreply@example.org> 1700000001 +0000\ngpgsig -----BEGIN\n abc\n\n\
            Fix\n\nCo-Authored-By: Bob T <bob@example.org>\nco-authored-by: Bob T <bob@example.org>\n";
        let parsed = Parsed::of(text).expect("parses");
        assert_eq!((parsed.tree, parsed.parents), ("aa", vec!["bb", "cc"]));
        let (author, time) = parsed.author.expect("an author");
        assert_eq!((author.email.as_str(), time), ("alice@example.org", 1_700_000_000));
        assert_eq!(parsed.co_authors, [Signature { name: "Bob T".into(), email: "bob@example.org".into() }]);
    }

    #[test]
    fn odd_signatures_do_not_fail() {
        for odd in [&b""[..], b"Alice", b"<>", b"> <", b"Alice <a@b", b"A <x> y <z> nonsense"] {
            let _ = signature(odd);
        }
    }
}
