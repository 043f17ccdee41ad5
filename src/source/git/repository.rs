//! Questions about a repository that are asked for few objects: who brought them in, who wrote a commit, who is who.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::{CommitPeople, Coverage, Evidence, Introduction, Kin, PersonRef, Progress};
use super::commits::{Collector, CommitId, CommitTable, PersonId};
use super::database::{self, Database, Worker};
use super::pack::Kind;
use super::walk::{self, Object};
use super::{hex, introductions, loose};
use crate::error::Result;

/// A repository, opened for questions about its commits.
///
/// Opening reads every commit and tag once and keeps a compact table of them; trees are read only when
/// [`Self::introductions`] is asked.
pub struct Repository {
    path: PathBuf,
    pub(super) database: Database,
    pub(super) commits: CommitTable,
    /// People as the mailmap names them, beside those of the table.
    people: Vec<PersonRef>,
    /// Which commits a ref, the stash or a work tree's HEAD reaches.
    reachable: Vec<bool>,
    mailmap: Option<String>,
    coverage: Coverage,
}

impl Repository {
    /// Opens the repository at a path: top of a work tree, `.git`, or a bare repository.
    ///
    /// # Errors
    /// When there is no repository. Objects that cannot be read are in [`Self::coverage`].
    pub fn open(path: &Path) -> Result<Self> {
        let database = Database::open(path)?;
        let collector = Collector::new(database.hash);
        let mut coverage = Coverage::new(format!("commits of {}", path.display()), "git");
        coverage.absorb(walk::packed(&database, &collector, &Progress::default()));
        each_loose(
            &database,
            &mut coverage,
            |kind| matches!(kind, Kind::Commit | Kind::Tag),
            |object, account| {
                collector.take(object, account);
            },
        );
        let commits = collector.finish();
        let mut repository = Self {
            path: path.to_path_buf(),
            database,
            commits,
            people: Vec::new(),
            reachable: Vec::new(),
            mailmap: None,
            coverage,
        };
        repository.mailmap = repository.read_mailmap();
        repository.people = repository.mapped();
        repository.reachable = repository.walk_refs();
        Ok(repository)
    }

    /// What could not be read of commits and tags.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// For each blob (object id in hexadecimal): every commit that brought it to a path where none of its parents had it,
    /// commits that no ref reaches included. Blobs that no commit holds are not in the answer; see [`Self::staged`].
    ///
    /// Costs one reading of all trees, whatever the number of blobs.
    pub fn introductions(&self, blobs: &[String]) -> HashMap<String, Vec<Introduction>> {
        self.introductions_under(blobs, &[], &|_| true)
    }

    /// The same in the same reading for further blobs, `perhaps`, where a path leads to them whose file name is one of `names`.
    pub fn introductions_under(
        &self,
        blobs: &[String],
        perhaps: &[String],
        names: &(dyn Fn(&str) -> bool + Sync),
    ) -> HashMap<String, Vec<Introduction>> {
        let under = |blob: usize, name: &[u8]| blob < blobs.len() || std::str::from_utf8(name).is_ok_and(names);
        let names: Vec<Vec<u8>> =
            blobs.iter().chain(perhaps).map(|oid| database::unhex(oid).unwrap_or_default()).collect();
        let mut people: HashMap<CommitId, Arc<CommitPeople>> = HashMap::new();
        let mut answer: HashMap<String, Vec<Introduction>> = HashMap::new();
        for found in introductions::find(self, &names, &under) {
            let by = people.entry(found.commit).or_insert_with(|| Arc::new(self.people_of(found.commit))).clone();
            let path = String::from_utf8_lossy(&found.path).into_owned();
            answer.entry(hex(&names[found.blob])).or_default().push(Introduction { path, by });
        }
        for list in answer.values_mut() {
            list.sort_by(|a, b| (&a.by.time, &a.by.commit, &a.path).cmp(&(&b.by.time, &b.by.commit, &b.path)));
        }
        answer
    }

    /// The people of a commit, or of an annotated tag (its tagger), by object id in hexadecimal.
    pub fn people(&self, oid: &str) -> Option<CommitPeople> {
        let name = database::unhex(oid)?;
        if let Some(id) = self.commits.find(&name) {
            return Some(self.people_of(id));
        }
        let (_, target, tagger) = self.commits.tags.iter().find(|tag| *tag.0 == *name)?;
        let (tagger, time) = (*tagger)?;
        let person = self.people[tagger as usize].clone();
        let target = self.commits.find(target);
        Some(CommitPeople {
            commit: oid.to_owned(),
            author: person.clone(),
            committer: person,
            co_authors: Vec::new(),
            time: rfc3339(time),
            reachable: target.is_some_and(|id| self.reachable[id as usize]),
        })
    }

    /// Paths under which the index of the work tree holds each blob: content that was staged and perhaps never committed.
    pub fn staged(&self, blobs: &[String]) -> HashMap<String, Vec<String>> {
        let wanted: HashSet<&str> = blobs.iter().map(String::as_str).collect();
        let mut answer: HashMap<String, Vec<String>> = HashMap::new();
        let Ok(index) = git2::Index::open(&self.database.git_dir.join("index")) else { return answer };
        for entry in index.iter() {
            let oid = entry.id.to_string();
            if wanted.contains(oid.as_str()) {
                answer.entry(oid).or_default().push(String::from_utf8_lossy(&entry.path).into_owned());
            }
        }
        answer
    }

    /// Every name and address in the history that belongs together, and why: names that share an address, and those that
    /// the mailmap joins.
    pub fn kin(&self) -> Result<Vec<Kin>> {
        let mut groups: HashMap<String, Vec<PersonRef>> = HashMap::new();
        for (raw, mapped) in self.commits.people.iter().zip(&self.people) {
            let key = mapped.email.clone().unwrap_or_default().to_ascii_lowercase();
            if key.is_empty() {
                continue;
            }
            let group = groups.entry(key).or_default();
            for person in [mapped.clone(), person(&raw.name, &raw.email)] {
                if !group.contains(&person) {
                    group.push(person);
                }
            }
        }
        let place = self.path.display();
        let mut kin: Vec<Kin> = groups
            .into_values()
            .map(|people| {
                let mapped = people.iter().any(|one| one.email != people[0].email);
                let reason = if mapped { format!(".mailmap of {place}") } else { format!("commits of {place}") };
                Kin { people, reason }
            })
            .collect();
        kin.sort_by(|a, b| a.people[0].email.cmp(&b.people[0].email));
        Ok(kin)
    }

    fn people_of(&self, id: CommitId) -> CommitPeople {
        let person = |id: PersonId| self.people[id as usize].clone();
        let (author, time) = self.commits.author(id);
        CommitPeople {
            commit: hex(self.commits.name(id)),
            author: person(author),
            committer: person(self.commits.committer(id)),
            co_authors: self.commits.co_authors(id).iter().map(|id| person(*id)).collect(),
            time: rfc3339(time),
            reachable: self.reachable[id as usize],
        }
    }

    /// The people of the table with the mailmap applied.
    fn mapped(&self) -> Vec<PersonRef> {
        let mailmap = self.mailmap.as_deref().and_then(|text| git2::Mailmap::from_buffer(text).ok());
        let resolve = |name: &str, email: &str| {
            let signature = git2::Signature::new(name, email, &git2::Time::new(0, 0)).ok()?;
            let real = mailmap.as_ref()?.resolve_signature(&signature).ok()?;
            Some(person(&String::from_utf8_lossy(real.name_bytes()), &String::from_utf8_lossy(real.email_bytes())))
        };
        let people = self.commits.people.iter();
        people.map(|raw| resolve(&raw.name, &raw.email).unwrap_or_else(|| person(&raw.name, &raw.email))).collect()
    }

    /// `.mailmap` of the work tree, else of the commit that HEAD names.
    fn read_mailmap(&self) -> Option<String> {
        let file = self.path.join(".mailmap");
        if let Ok(bytes) = fs::read(file) {
            return Some(String::from_utf8_lossy(&bytes).into_owned());
        }
        let head = self.refs().into_iter().next()?;
        let tree = self.commits.tree(self.commits.find(&head)?).to_vec();
        let mut worker = Worker::new();
        let (_, bytes) = self.database.read(&tree, &mut worker).ok()?;
        let entry = introductions::entries(&bytes, self.database.hash).find(|entry| entry.path == b".mailmap")?;
        let (_, bytes) = self.database.read(entry.name, &mut worker).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Names of the objects that refs point to, HEAD first. Refs that point to nothing are left out.
    fn refs(&self) -> Vec<Vec<u8>> {
        let common = &self.database.common;
        let mut named: HashMap<String, String> = HashMap::new();
        for line in fs::read_to_string(common.join("packed-refs")).unwrap_or_default().lines() {
            if let Some((oid, name)) = line.split_once(' ').filter(|_| !line.starts_with(['#', '^'])) {
                named.insert(name.to_owned(), oid.to_owned());
            }
        }
        let mut heads = Vec::new();
        for dir in [&self.database.git_dir, common] {
            loose_refs(dir, &dir.join("refs"), &mut named);
        }
        if let Ok(trees) = fs::read_dir(common.join("worktrees")) {
            heads.extend(trees.filter_map(|entry| entry.ok()).map(|entry| entry.path().join("HEAD")));
        }
        heads.insert(0, self.database.git_dir.join("HEAD"));
        let heads = heads.iter().filter_map(|file| fs::read_to_string(file).ok());
        let heads = heads.filter_map(|text| match text.trim().strip_prefix("ref: ") {
            Some(name) => named.get(name).cloned(),
            None => Some(text.trim().to_owned()),
        });
        let heads: Vec<String> = heads.collect();
        let mut logged = Vec::new();
        // Older stashes live in the log of the stash only.
        for line in fs::read_to_string(common.join("logs/refs/stash")).unwrap_or_default().lines() {
            logged.extend(line.split(' ').nth(1).map(str::to_owned));
        }
        heads.into_iter().chain(named.into_values()).chain(logged).filter_map(|oid| database::unhex(&oid)).collect()
    }

    fn walk_refs(&self) -> Vec<bool> {
        let mut reached = vec![false; self.commits.len()];
        if self.database.common.join("reftable").is_dir() {
            // Refs in a form that is not read here: nothing can be called unreachable.
            return vec![true; self.commits.len()];
        }
        let tags: HashMap<&[u8], &[u8]> = self.commits.tags.iter().map(|tag| (&*tag.0, &*tag.1)).collect();
        let mut open: Vec<CommitId> = Vec::new();
        for name in self.refs() {
            let mut name: &[u8] = &name;
            // A tag may point to a tag; a circle of hashes cannot exist, so this ends.
            while let Some(target) = tags.get(name) {
                name = target;
            }
            open.extend(self.commits.find(name));
        }
        while let Some(id) = open.pop() {
            if !std::mem::replace(&mut reached[id as usize], true) {
                open.extend(self.commits.parents(id).filter_map(|parent| self.commits.find(parent)));
            }
        }
        reached
    }
}

/// Reads the loose objects of some kinds that no pack has.
pub(super) fn each_loose(
    database: &Database,
    account: &mut Coverage,
    wants: impl Fn(Kind) -> bool,
    mut take: impl FnMut(&Object<'_>, &mut Coverage),
) {
    let mut worker = Worker::new();
    for (name, file) in database.loose() {
        if database.find(&name).is_some() {
            continue;
        }
        match loose::open(&file) {
            Ok((kind, size, _)) if wants(kind) && size <= walk::HUGE => match loose::read(&file, &mut worker.zlib) {
                Ok((kind, bytes)) => take(&Object { kind, name: &name, bytes: &bytes, again: false }, account),
                Err(why) => account.fail(hex(&name), why),
            },
            Ok(_) => {}
            Err(why) => account.fail(hex(&name), why),
        }
    }
}

fn loose_refs(top: &Path, folder: &Path, named: &mut HashMap<String, String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(|entry| entry.ok()) {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            loose_refs(top, &path, named);
        } else if let (Ok(text), Ok(name)) = (fs::read_to_string(&path), path.strip_prefix(top)) {
            named.insert(name.to_string_lossy().into_owned(), text.trim().to_owned());
        }
    }
}

fn person(name: &str, email: &str) -> PersonRef {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    PersonRef {
        platform: "git".to_owned(),
        id: None,
        handle: None,
        email: some(email),
        display: some(name),
        active: None,
        evidence: if email.is_empty() { Evidence::E3 } else { Evidence::E0 },
    }
}

fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |time| time.to_string())
}
