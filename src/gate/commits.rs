//! Changes out of a git repository: what is staged, what each commit between two points added.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::sync::Arc;

use git2::{Commit, Delta, Diff, DiffFindOptions, DiffOptions, ErrorCode, FileMode, Oid, Repository, Tree};

use super::change::{Added, By, Change, Take};
use super::lineage;
use crate::error::{Error, Result};
use crate::source::{Coverage, GitObjectKind, Provenance};

/// An open repository and the account of what was read of it.
pub(super) struct Changes {
    repository: Repository,
    name: Arc<str>,
    pub(super) coverage: Coverage,
    /// What a person should know about how the comparison was made.
    pub(super) notes: Vec<String>,
    seen: HashSet<(String, Oid)>,
}

/// Where a comparison starts and ends.
pub(super) struct Span {
    /// The commit before the change; `None` when there is none or it is not known.
    pub(super) base: Option<Oid>,
    /// Commits of the change, oldest first.
    commits: Vec<Oid>,
}

/// Why a repository could not be opened: there is none, or git's library does not know its form.
pub(super) fn unopened(folder: &Path, cause: git2::Error) -> Error {
    let (what, next) = match cause.code() {
        git2::ErrorCode::NotFound => {
            ("there is no git repository at", "Run offkey gate inside of a repository, or name one with --repo.")
        }
        _ => (
            "the commits cannot be read of the git repository at",
            "Where its objects have SHA-256 names or its refs lie in tables, pipe the change: `git diff A..B | offkey gate --patch -`. \
             `offkey scan` reads such repositories.",
        ),
    };
    Error::user(format!("{what} {}", folder.display())).because(cause).next(next)
}

impl Changes {
    /// Opens the repository around a folder, as git would: `GIT_DIR` and the quarantine of a push are honoured.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn open(folder: &Path) -> Result<Self> {
        // Objects were checked when they came here; hashing each again takes a third of the time of a look.
        git2::opts::strict_hash_verification(false);
        let from_environment = folder == Path::new(".") && std::env::var_os("GIT_DIR").is_some();
        let opened = if from_environment { Repository::open_from_env() } else { Repository::discover(folder) };
        let repository = opened.map_err(|cause| unopened(folder, cause))?;
        // `git commit -a` and `git commit FILE` stage into an index of their own, and name it to their hooks.
        let index = std::env::var_os("GIT_INDEX_FILE").filter(|path| folder == Path::new(".") && !path.is_empty());
        if let Some(path) = index {
            let opened = git2::Index::open(Path::new(&path)).and_then(|mut index| repository.set_index(&mut index));
            opened.map_err(|cause| {
                Error::user("the index that git names in GIT_INDEX_FILE cannot be read").because(cause)
            })?;
        }
        let name: Arc<str> = repository.workdir().unwrap_or(repository.path()).display().to_string().into();
        let coverage = Coverage::new(format!("changes in {name}"), "git-changes");
        Ok(Self { repository, name, coverage, notes: Vec::new(), seen: HashSet::new() })
    }

    /// The commit that a name means.
    ///
    /// # Errors
    /// When it means none.
    pub(super) fn resolve(&self, name: &str) -> Result<Oid> {
        let object = self.repository.revparse_single(name).and_then(|object| object.peel_to_commit());
        object.map(|commit| commit.id()).map_err(|cause| {
            Error::user(format!("{name} is no commit of this repository"))
                .because(cause)
                .next("In a pipeline, fetch the target branch first: `git fetch origin BRANCH`.")
        })
    }

    /// The commit at HEAD, if there is one yet.
    pub(super) fn head(&self) -> Option<Oid> {
        self.repository.head().ok()?.peel_to_commit().ok().map(|commit| commit.id())
    }

    /// The text of a file in the tree of a commit.
    pub(super) fn text_at(&self, commit: Oid, path: &str) -> Option<String> {
        let tree = self.repository.find_commit(commit).ok()?.tree().ok()?;
        let blob = tree.get_path(Path::new(path)).ok()?.to_object(&self.repository).ok()?.peel_to_blob().ok()?;
        String::from_utf8(blob.content().to_vec()).ok()
    }

    /// The text of a file as it is staged.
    pub(super) fn staged_text(&self, path: &str) -> Option<String> {
        let entry = self.repository.index().ok()?.get_path(Path::new(path), 0)?;
        String::from_utf8(self.repository.find_blob(entry.id).ok()?.content().to_vec()).ok()
    }

    /// All commits that lead to one of `tips` and to none of `known`.
    pub(super) fn since(&self, known: &BTreeSet<Oid>, tips: &BTreeSet<Oid>) -> Result<Span> {
        let commits = lineage::since(&self.repository, known, tips).map_err(unlisted)?;
        Ok(Span { base: None, commits })
    }

    /// All commits that lead to `head` and not to `base`.
    pub(super) fn between(&mut self, base: Oid, head: Oid) -> Result<Span> {
        let span = self.since(&BTreeSet::from([base]), &BTreeSet::from([head]))?;
        Ok(Span { base: Some(base), ..span })
    }

    /// A merge request: from where `head` left `base` on. A base that is not there, or that shares no history with the
    /// head (a shallow clone), is said and makes the run partial.
    pub(super) fn merge_request(&mut self, base: &str, head: &str) -> Result<Span> {
        let head = self.resolve(head)?;
        let base = match self.resolve(base) {
            Ok(base) => base,
            Err(error) => match self.default_branch(base.split_once('/').map_or("origin", |(remote, _)| remote)) {
                Some((name, id)) => {
                    self.coverage.fail(base, "the base is not in this clone");
                    self.notes.push(format!("{base} is not in this clone: compared with {name} instead"));
                    id
                }
                None => return Err(error),
            },
        };
        if self.repository.is_shallow() && self.repository.merge_base(base, head).is_err() {
            self.coverage.fail(head.to_string(), "a shallow clone hides where the change left its base");
            self.notes.push(
                "this clone is shallow and shows no common commit: compared the two trees only; fetch more history to \
                 see values that were added and removed in between"
                    .to_owned(),
            );
            return Ok(Span { base: Some(base), commits: vec![head] });
        }
        if self.repository.merge_base(base, head).is_err() {
            self.notes.push("base and head share no history: everything that leads to the head is new".to_owned());
        }
        self.between(base, head)
    }

    /// Refs that show what a remote has. Whoever pushes to a bare address has no such refs: those of all remotes count.
    pub(super) fn refs_of(&self, remote: &str) -> String {
        match self.repository.find_remote(remote) {
            Ok(_) => format!("refs/remotes/{remote}/*"),
            Err(_) => "refs/remotes/*".to_owned(),
        }
    }

    /// The branch that the remote calls its own, or one of the usual names.
    pub(super) fn default_branch(&self, remote: &str) -> Option<(String, Oid)> {
        let names = ["HEAD", "main", "master", "trunk", "develop"].map(|name| format!("refs/remotes/{remote}/{name}"));
        names.into_iter().find_map(|name| Some((name.clone(), self.resolve(&name).ok()?)))
    }

    /// What a pushed ref brings that none of the `known` refs (a pattern) had.
    pub(super) fn pushed(&mut self, old: &str, new: &str, known: &str) -> Result<Span> {
        let head = Oid::from_str(new)
            .and_then(|id| self.repository.find_object(id, None))
            .and_then(|object| object.peel_to_commit())
            .map(|commit| commit.id())
            .map_err(|cause| Error::user(format!("the pushed object {new} cannot be read")).because(cause))?;
        // A force-push leaves the old commit behind; what it had was judged when it came.
        let old = Oid::from_str(old).ok().filter(|id| !id.is_zero() && self.repository.find_commit(*id).is_ok());
        let refs = self.repository.references_glob(known).map_err(unlisted)?;
        // What leads to no commit hides none: a tag of a tree, a broken ref.
        let known = refs.filter_map(|one| Some(one.ok()?.peel_to_commit().ok()?.id()));
        let span = self.since(&known.chain(old).collect(), &BTreeSet::from([head]))?;
        Ok(Span { base: old.or_else(|| self.head()), ..span })
    }

    /// What is staged for the next commit.
    pub(super) fn staged(&mut self, take: &mut Take<'_>) -> Result<()> {
        let tree = self.head().and_then(|id| self.repository.find_commit(id).ok()?.tree().ok());
        let mut options = options();
        let diff = self
            .repository
            .diff_tree_to_index(tree.as_ref(), None, Some(&mut options))
            .map_err(|cause| Error::user("what is staged cannot be compared with HEAD").because(cause))?;
        let (repository, mut account) = (&self.repository, Account::of(&self.name, &mut self.coverage, &mut self.seen));
        each(repository, diff, None, &mut account, take)
    }

    /// What the commits of a span added, one by one, and their messages.
    pub(super) fn committed(&mut self, span: &Span, take: &mut Take<'_>) -> Result<()> {
        for id in &span.commits {
            let (repository, mut account) =
                (&self.repository, Account::of(&self.name, &mut self.coverage, &mut self.seen));
            let read = repository.find_commit(*id).map_err(Stop::from);
            match read.and_then(|commit| one_commit(repository, &commit, span, &mut account, take)) {
                Ok(()) => {}
                Err(Stop::Git(cause)) => account.coverage.fail(id.to_string(), cause.message().to_owned()),
                Err(Stop::Real(error)) => return Err(error),
            }
        }
        Ok(())
    }
}

fn unlisted(cause: git2::Error) -> Error {
    Error::user("the commits of this change cannot be listed")
        .because(cause)
        .next("The clone may be damaged or too shallow: fetch again with more history.")
}

impl Span {
    /// Number of commits.
    pub(super) fn len(&self) -> usize {
        self.commits.len()
    }

    /// The last commit.
    pub(super) fn tip(&self) -> Option<Oid> {
        self.commits.last().copied()
    }
}

/// Why reading a commit ended: a broken object is a gap, a refusal of the taker is the end.
enum Stop {
    Git(git2::Error),
    Real(Error),
}

impl From<git2::Error> for Stop {
    fn from(error: git2::Error) -> Self {
        Self::Git(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Real(error)
    }
}

/// What reading leaves behind.
struct Account<'a> {
    name: &'a Arc<str>,
    coverage: &'a mut Coverage,
    seen: &'a mut HashSet<(String, Oid)>,
}

impl<'a> Account<'a> {
    fn of(name: &'a Arc<str>, coverage: &'a mut Coverage, seen: &'a mut HashSet<(String, Oid)>) -> Self {
        Self { name, coverage, seen }
    }
}

fn options() -> DiffOptions {
    let mut options = DiffOptions::new();
    options.context_lines(0).interhunk_lines(0).skip_binary_check(false).include_typechange(true);
    options
}

fn one_commit(
    repository: &Repository,
    commit: &Commit<'_>,
    span: &Span,
    account: &mut Account<'_>,
    take: &mut Take<'_>,
) -> Result<(), Stop> {
    let author = commit.author();
    let by = Arc::new(By {
        commit: commit.id().to_string(),
        author: author.name().or_else(|_| author.email()).unwrap_or("nobody named").to_owned(),
    });
    let message = commit.message_bytes();
    take(Change {
        path: format!("message of commit {}", &by.commit[..10]),
        bytes: message.to_vec(),
        added: Added::All,
        offset: 0,
        by: Some(Arc::clone(&by)),
        provenance: provenance(account.name, commit.id(), GitObjectKind::Commit),
    })?;
    let tree = commit.tree()?;
    let parents = parents(repository, commit, span, account)?;
    let mut first = options();
    let diff = repository.diff_tree_to_tree(parents.first(), Some(&tree), Some(&mut first))?;
    // Of a merge only what no parent has is new: the others brought theirs in by their own commits.
    let foreign = |path: &Path, id: Oid| {
        parents.iter().skip(1).any(|parent| parent.get_path(path).is_ok_and(|entry| entry.id() == id))
    };
    each_but(repository, diff, Some(&by), account, take, &foreign).map_err(Stop::Real)
}

/// Trees that a commit is compared with. At the edge of a shallow clone the parents are missing: the base stands in.
fn parents<'r>(
    repository: &'r Repository,
    commit: &Commit<'_>,
    span: &Span,
    account: &mut Account<'_>,
) -> Result<Vec<Tree<'r>>, Stop> {
    let mut trees = Vec::new();
    let mut missing = 0;
    for id in commit.parent_ids() {
        match repository.find_commit(id) {
            Ok(parent) => trees.push(parent.tree()?),
            Err(error) if error.code() == ErrorCode::NotFound => missing += 1,
            Err(error) => return Err(error.into()),
        }
    }
    let edge = repository.is_shallow() && commit.parent_count() == 0;
    if trees.is_empty() && (missing > 0 || edge) {
        account.coverage.fail(commit.id().to_string(), "the parents of this commit are not in this shallow clone");
        if let Some(base) = span.base {
            trees.push(repository.find_commit(base)?.tree()?);
        }
    }
    Ok(trees)
}

fn provenance(name: &Arc<str>, id: Oid, object: GitObjectKind) -> Provenance {
    Provenance::Git { repo: Arc::clone(name), oid: id.to_string(), object, inside: Vec::new() }
}

fn each(
    repository: &Repository,
    diff: Diff<'_>,
    by: Option<&Arc<By>>,
    account: &mut Account<'_>,
    take: &mut Take<'_>,
) -> Result<()> {
    each_but(repository, diff, by, account, take, &|_, _| false)
}

/// Hands on every changed text of a diff.
fn each_but(
    repository: &Repository,
    mut diff: Diff<'_>,
    by: Option<&Arc<By>>,
    account: &mut Account<'_>,
    take: &mut Take<'_>,
    foreign: &dyn Fn(&Path, Oid) -> bool,
) -> Result<()> {
    let kinds: Vec<Delta> = diff.deltas().map(|delta| delta.status()).collect();
    if kinds.contains(&Delta::Added) && kinds.contains(&Delta::Deleted) {
        let mut find = DiffFindOptions::new();
        find.renames(true).rename_limit(400);
        // A move that is not recognised only means that more lines count as new.
        let _ = diff.find_similar(Some(&mut find));
    }
    let count = diff.deltas().len();
    for at in 0..count {
        let delta = diff.get_delta(at).expect("because at counts the deltas");
        let (new, status) = (delta.new_file(), delta.status());
        if matches!(status, Delta::Deleted | Delta::Unmodified) || new.mode() == FileMode::Commit {
            continue;
        }
        let path = new.path().map_or_else(String::new, |path| path.to_string_lossy().into_owned());
        if foreign(new.path().unwrap_or(Path::new("")), new.id()) || !account.seen.insert((path.clone(), new.id())) {
            continue;
        }
        match changed(repository, status, delta.old_file().id(), new.id()) {
            Ok((bytes, added)) => take(Change {
                path,
                bytes,
                added,
                offset: 0,
                by: by.cloned(),
                provenance: provenance(account.name, new.id(), GitObjectKind::Blob),
            })?,
            Err(cause) => account.coverage.fail(path, cause.message().to_owned()),
        }
    }
    Ok(())
}

fn changed(repository: &Repository, status: Delta, old: Oid, id: Oid) -> Result<(Vec<u8>, Added), git2::Error> {
    let bytes = repository.find_blob(id)?.content().to_vec();
    if status == Delta::Added {
        return Ok((bytes, Added::All));
    }
    // A link or a submodule that became a file has nothing to compare with.
    let Ok(old) = repository.find_blob(old) else { return Ok((bytes, Added::All)) };
    Ok((bytes, Added::Since(old.content().to_vec())))
}
