//! The full history of a repository as a source: every blob, commit and tag of its object database, once each.

use std::any::Any;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::super::{Coverage, Document, Edit, GapKind, GitObjectKind, Kin, Progress, Provenance, Seen, Sink, Source};
use super::super::{content, windows};
use super::database::{Database, Worker};
use super::pack::Kind;
use super::repository::Repository;
use super::walk::{self, Lineage, Object, Visitor};
use super::{hex, loose};
use crate::error::Result;

/// Why an object is left out of an incremental scan.
const SEEN: &str = "scanned before with the same rules, nothing found";

/// Full history of one repository: the content of every blob in its object database (also of merges, stashes, notes and
/// commits that no ref reaches), and the text of every commit and annotated tag.
pub struct GitHistory {
    path: PathBuf,
    repo: Arc<str>,
    naive: bool,
    seen: Option<Arc<Seen>>,
}

impl GitHistory {
    /// The history of the repository at a path: top of a work tree, `.git`, or a bare repository.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf(), repo: path.to_string_lossy().into(), naive: false, seen: None }
    }

    /// Hands every object on for itself, not as a revision of its delta base: slower, with the same result. For the test
    /// that the result is the same.
    #[must_use]
    pub fn naive(mut self, naive: bool) -> Self {
        self.naive = naive;
        self
    }

    /// Leaves out the objects that an earlier run scanned with the same rules, and notes those that are read now.
    #[must_use]
    pub fn incremental(mut self, seen: Option<Arc<Seen>>) -> Self {
        self.seen = seen;
        self
    }

    fn complaints(&self, database: &Database, account: &mut Coverage) {
        for (place, why) in &database.complaints {
            account.fail(place.clone(), why.clone());
        }
        for commit in &database.shallow {
            account.fail(commit.clone(), "shallow clone: the history before this commit is not here");
        }
    }
}

impl Source for GitHistory {
    fn name(&self) -> String {
        format!("git history of {}", self.path.display())
    }

    fn read(&self, sink: &dyn Sink, progress: &Progress) -> Result<Coverage> {
        let database = Database::open(&self.path)?;
        let mut account = Coverage::new(self.name(), "git");
        self.complaints(&database, &mut account);
        let reader = Reader { repo: &self.repo, naive: self.naive, seen: self.seen.as_deref(), sink };
        account.absorb(walk::packed(&database, &reader, progress));
        account.absorb(reader.loose(&database));
        if database.promisor {
            let missing = super::introductions::missing(&database);
            for name in missing {
                account.fail(hex(&name), "partial clone: the remote promised this object and it was never fetched");
            }
        }
        Ok(account)
    }

    fn roster(&self) -> Result<Vec<Kin>> {
        Repository::open(&self.path)?.kin()
    }
}

/// A sink that notices documents whose place does not name the object: what is found in them could not be laid to it.
struct Watch<'a> {
    sink: &'a dyn Sink,
    elsewhere: AtomicBool,
}

impl Watch<'_> {
    fn look(&self, document: &Document<'_>) {
        if document.provenance.object().is_none() {
            self.elsewhere.store(true, Ordering::Relaxed);
        }
    }
}

impl Sink for Watch<'_> {
    fn document(&self, document: &Document<'_>) {
        self.look(document);
        self.sink.document(document);
    }

    fn revision(&self, document: &Document<'_>, edit: Option<Edit<'_>>) -> Option<Box<dyn Any + Send>> {
        self.look(document);
        self.sink.revision(document, edit)
    }

    fn wants(&self, raw: &[u8]) -> bool {
        self.sink.wants(raw)
    }
}

/// Hands objects to a sink.
struct Reader<'a> {
    repo: &'a Arc<str>,
    naive: bool,
    seen: Option<&'a Seen>,
    sink: &'a dyn Sink,
}

impl Reader<'_> {
    fn provenance(&self, kind: Kind, name: &[u8]) -> Provenance {
        let object = match kind {
            Kind::Commit => GitObjectKind::Commit,
            Kind::Tag => GitObjectKind::Tag,
            Kind::Blob | Kind::Tree => GitObjectKind::Blob,
        };
        Provenance::Git { repo: self.repo.clone(), oid: hex(name), object, inside: Vec::new() }
    }

    fn loose(&self, database: &Database) -> Coverage {
        let objects = database.loose();
        let read = |(worker, mut account): (Worker, Coverage), (name, file): &(Vec<u8>, PathBuf)| {
            let mut worker = worker;
            if database.find(name).is_some() {
                // The pack's copy was read.
            } else if self.seen(name) {
                account.skip_many(1, SEEN);
            } else {
                self.loose_object(name, file, &mut worker, &mut account);
            }
            (worker, account)
        };
        let shares: Vec<Coverage> = objects
            .par_iter()
            .fold(|| (Worker::new(), Coverage::default()), read)
            .map(|(_, account)| account)
            .collect();
        let mut account = Coverage::default();
        shares.into_iter().for_each(|share| account.absorb(share));
        account
    }

    fn loose_object(&self, name: &[u8], file: &Path, worker: &mut Worker, account: &mut Coverage) {
        account.raw_bytes += file.metadata().map_or(0, |meta| meta.len());
        let (kind, size, mut content) = match loose::open(file) {
            Ok(opened) => opened,
            Err(why) => return account.fail(hex(name), why),
        };
        if !self.wants(kind) {
            return;
        }
        if size > walk::HUGE {
            if self.stream(kind, name, size, &mut content, account).is_err() {
                account.fail(hex(name), "compressed data is damaged");
            }
            return;
        }
        match loose::read(file, &mut worker.zlib) {
            Ok((kind, bytes)) if loose::has_name(kind, &bytes, name) => {
                self.visit(&Object { kind, name, bytes: &bytes, again: false }, None, account);
            }
            Ok(_) => account.fail(hex(name), "content does not have the name that it is stored under"),
            Err(why) => account.fail(hex(name), why),
        }
    }
}

impl Visitor for Reader<'_> {
    type Carry = Option<Box<dyn Any + Send>>;

    fn seen(&self, name: &[u8]) -> bool {
        self.seen.is_some_and(|seen| seen.contains(name))
    }

    fn left_out(&self, count: u64, account: &mut Coverage) {
        account.skip_many(count, SEEN);
    }

    fn wants(&self, kind: Kind) -> bool {
        kind != Kind::Tree
    }

    fn misses(&self) -> bool {
        true
    }

    fn visit(
        &self,
        object: &Object<'_>,
        lineage: Option<Lineage<'_, Self::Carry>>,
        account: &mut Coverage,
    ) -> Self::Carry {
        if object.again {
            return None;
        }
        let provenance = self.provenance(object.kind, object.name);
        if object.bytes.len() < 1024 && object.bytes.starts_with(b"version https://git-lfs.github.com/spec/") {
            account.skip(hex(object.name), "LFS pointer: the content is kept outside of the repository");
        }
        let edit = lineage
            .filter(|_| !self.naive)
            .and_then(|lineage| Some(Edit { base: lineage.base.as_deref()?, copied: lineage.copied }));
        let Some(seen) = self.seen else {
            return content::hand_on_revision(object.bytes, &provenance, edit, self.sink, account);
        };
        let failures = account.count(GapKind::Failed);
        let watch = Watch { sink: self.sink, elsewhere: AtomicBool::new(false) };
        let carry = content::hand_on_revision(object.bytes, &provenance, edit, &watch, account);
        if account.count(GapKind::Failed) == failures && !watch.elsewhere.into_inner() {
            seen.note(object.name);
        }
        carry
    }

    fn stream(
        &self,
        kind: Kind,
        name: &[u8],
        _: u64,
        content: &mut dyn Read,
        account: &mut Coverage,
    ) -> io::Result<()> {
        let provenance = self.provenance(kind, name);
        match windows::feed(content, &mut |bytes, spans| {
            self.sink.document(&Document { bytes, provenance: &provenance, spans: Some(spans) });
        })? {
            Ok(bytes) => {
                account.documents += 1;
                account.bytes += bytes;
                self.seen.iter().for_each(|seen| seen.note(name));
            }
            Err(why) => account.skip(hex(name), why),
        }
        Ok(())
    }
}
