//! Which commits lead to new tips and to no known one.
//!
//! libgit2's own walk reads most of a long history when many old tags are hidden. Here commits are taken by their time,
//! latest first, and the walk ends when nothing that is left can be new. A clock that was far off can make a known commit
//! count as new, which costs a second look at it; a new one is never missed.

use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use git2::{Error, ErrorCode, Oid, Repository};

/// Clocks go wrong: when only known commits are left, so many more are looked at before the walk ends.
const SLOP: usize = 16;

/// A commit that was met.
struct Met {
    time: i64,
    /// It leads to a known tip.
    known: bool,
    /// Filled when it is taken.
    parents: Option<Vec<Oid>>,
}

/// A walk down the history.
struct Walk<'r> {
    repository: &'r Repository,
    met: HashMap<Oid, Met>,
    waiting: BinaryHeap<(i64, Oid)>,
    /// How many of the waiting ones are new.
    fresh: usize,
}

/// Commits that lead to one of `tips` and to none of `known`, parents first. A known one that is gone (a force-push and a
/// clean-up) hides nothing; a shallow clone ends where it ends.
///
/// # Errors
/// When a tip or what leads to it cannot be read.
pub(super) fn since(repository: &Repository, known: &BTreeSet<Oid>, tips: &BTreeSet<Oid>) -> Result<Vec<Oid>, Error> {
    let fresh: Vec<Oid> = tips.difference(known).copied().collect();
    let mut walk = Walk { repository, met: HashMap::new(), waiting: BinaryHeap::new(), fresh: 0 };
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    for id in known.iter().filter(|id| repository.find_commit(**id).is_ok()) {
        walk.meet(*id, true)?;
    }
    fresh.iter().try_for_each(|id| walk.meet(*id, false))?;
    walk.run()?;
    Ok(walk.parents_first(&fresh))
}

impl Walk<'_> {
    fn meet(&mut self, id: Oid, known: bool) -> Result<(), Error> {
        if let Some(met) = self.met.get_mut(&id) {
            // Met again it can only turn out to be known.
            if known && !met.known {
                met.known = true;
                self.fresh -= usize::from(met.parents.is_none());
                self.waiting.push((met.time, id));
            }
            return Ok(());
        }
        let time = match self.repository.find_commit(id) {
            Ok(commit) => commit.time().seconds(),
            Err(error) if error.code() == ErrorCode::NotFound && self.repository.is_shallow() => return Ok(()),
            Err(error) => return Err(error),
        };
        self.met.insert(id, Met { time, known, parents: None });
        self.fresh += usize::from(!known);
        self.waiting.push((time, id));
        Ok(())
    }

    fn run(&mut self) -> Result<(), Error> {
        let (mut slop, mut oldest) = (SLOP, i64::MAX);
        while let Some((time, id)) = self.waiting.pop() {
            let (known, taken) = self.met.get(&id).map_or((true, true), |met| (met.known, met.parents.is_some()));
            if !known {
                oldest = oldest.min(time);
            } else if self.fresh > 0 || time >= oldest {
                slop = SLOP;
            } else if slop == 0 {
                break;
            } else {
                slop -= 1;
            }
            if !taken {
                let parents = self.repository.find_commit(id)?.parent_ids().collect();
                self.met.entry(id).and_modify(|met| met.parents = Some(parents));
                self.fresh -= usize::from(!known);
            }
            for parent in self.parents(id) {
                self.meet(parent, known)?;
            }
        }
        Ok(())
    }

    fn parents(&self, id: Oid) -> Vec<Oid> {
        self.met.get(&id).and_then(|met| met.parents.clone()).unwrap_or_default()
    }

    fn parents_first(&self, tips: &[Oid]) -> Vec<Oid> {
        let is_new = |id: &Oid| self.met.get(id).is_some_and(|met| !met.known);
        let (mut sorted, mut entered) = (Vec::new(), HashSet::new());
        let mut open: Vec<(Oid, bool)> = tips.iter().rev().map(|id| (*id, false)).collect();
        while let Some((id, below)) = open.pop() {
            if below {
                sorted.push(id);
            } else if is_new(&id) && entered.insert(id) {
                open.push((id, true));
                open.extend(self.parents(id).into_iter().rev().map(|parent| (parent, false)));
            }
        }
        sorted
    }
}

#[cfg(test)]
mod tests {
    use git2::{Signature, Time};

    use super::*;

    /// A commit without content at a time of its own.
    fn commit(repository: &Repository, seconds: i64, parents: &[Oid]) -> Oid {
        let tree = repository.find_tree(repository.treebuilder(None).expect("a tree").write().expect("written"));
        let who =
            Signature::new("Bob Tanaka", "bob@harbourfinch.example", &Time::new(seconds, 0)).expect("a signature");
        let parents: Vec<_> = parents.iter().map(|id| repository.find_commit(*id).expect("there")).collect();
        let parents: Vec<_> = parents.iter().collect();
        repository
            .commit(None, &who, &who, &format!("at {seconds}"), &tree.expect("there"), &parents)
            .expect("committed")
    }

    /// The same question to git's own walk, which knows no time limit.
    fn by_libgit2(repository: &Repository, known: &BTreeSet<Oid>, tips: &BTreeSet<Oid>) -> BTreeSet<Oid> {
        let mut walk = repository.revwalk().expect("a walk");
        tips.iter().for_each(|id| walk.push(*id).expect("there"));
        known.iter().for_each(|id| walk.hide(*id).expect("there"));
        walk.map(|id| id.expect("read")).collect()
    }

    #[test]
    fn no_new_commit_is_missed_and_with_right_clocks_no_known_one_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let repository = Repository::init_bare(folder.path()).expect("a repository");
        let mut state = 1u64;
        let mut dice = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for round in 0..40 {
            let clocks_are_right = round % 2 == 0;
            let mut all: Vec<Oid> = Vec::new();
            for n in 0..60 {
                let parents: BTreeSet<Oid> = (0..dice(3).min(all.len())).map(|_| all[dice(all.len())]).collect();
                let parents: Vec<Oid> = parents.into_iter().collect();
                let skew = if clocks_are_right { 0 } else { dice(400) as i64 - 200 };
                all.push(commit(&repository, 1_700_000_000 + round * 1000 + n + skew, &parents));
            }
            let mut some = || (0..4).map(|_| all[dice(all.len())]).collect::<BTreeSet<_>>();
            let (known, tips) = (some(), some());
            let found = since(&repository, &known, &tips).expect("read");
            let (taken, expected) = (found.iter().copied().collect(), by_libgit2(&repository, &known, &tips));
            assert!(expected.is_subset(&taken), "round {round}");
            assert!(!clocks_are_right || taken == expected, "round {round}");
            for (at, id) in found.iter().enumerate() {
                let parents: Vec<Oid> = repository.find_commit(*id).expect("there").parent_ids().collect();
                assert!(found[at + 1..].iter().all(|later| !parents.contains(later)), "parents first");
            }
        }
        assert_eq!(since(&repository, &BTreeSet::new(), &BTreeSet::new()), Ok(Vec::new()));
    }
}
