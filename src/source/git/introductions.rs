//! Which commits brought a blob to which path, for a set of blobs at once.
//!
//! One reading of all trees finds the trees that hold a wanted blob, and every tree-in-tree edge. Going up those edges
//! marks the trees above. A second reading keeps, of the marked trees alone, the few entries that lead to a wanted blob.
//! Then each commit is compared with its parents on those entries: no diff, no path, no author is made for anything else.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use super::super::{Coverage, Progress};
use super::commits::CommitId;
use super::database::Database;
use super::pack::Kind;
use super::repository::{Repository, each_loose};
use super::walk::{self, Lineage, Object, Visitor};

/// One entry of a tree.
pub(super) struct Entry<'a> {
    /// True for a tree in the tree.
    pub(super) tree: bool,
    /// True for a commit of another repository.
    submodule: bool,
    /// File name.
    pub(super) path: &'a [u8],
    /// Object name.
    pub(super) name: &'a [u8],
    /// Where the entry starts.
    at: usize,
}

/// Entries of a tree; ends early where the tree is damaged.
pub(super) fn entries(bytes: &[u8], hash: usize) -> impl Iterator<Item = Entry<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = bytes.get(at..)?;
        // `100644 name\0` and the object name
        let space = rest.iter().take(8).position(|byte| *byte == b' ')?;
        let end = memchr::memchr(0, &rest[space..])? + space;
        let name = rest.get(end + 1..end + 1 + hash)?;
        let entry = Entry {
            tree: rest[0] == b'4' || rest.starts_with(b"04"),
            submodule: rest.starts_with(b"160"),
            path: &rest[space + 1..end],
            name,
            at,
        };
        at += end + 1 + hash;
        Some(entry)
    })
}

/// One answer.
pub(super) struct Found {
    /// Which of the wanted blobs.
    pub(super) blob: usize,
    pub(super) commit: CommitId,
    pub(super) path: Vec<u8>,
}

/// The first eight bytes of an object name. Enough to tell the objects of a repository apart when collisions are
/// checked, as they are wherever an answer depends on it.
type Short = u64;

fn short(name: &[u8]) -> Short {
    u64::from_be_bytes(name[..8].try_into().expect("object names are longer than eight bytes"))
}

/// Whether a blob, by its number, is wanted under a file name.
pub(super) type Under<'a> = &'a (dyn Fn(usize, &[u8]) -> bool + Sync);

/// Every commit and path that introduced one of the blobs under a file name under which it is wanted.
pub(super) fn find(repository: &Repository, blobs: &[Vec<u8>], under: Under<'_>) -> Vec<Found> {
    let database = &repository.database;
    let named = blobs.iter().enumerate().filter(|(_, name)| name.len() == database.hash);
    let wanted: HashMap<&[u8], usize> = named.map(|(n, name)| (name.as_slice(), n)).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let marked = {
        let seek = Seek::new(database.hash, &wanted, under);
        read_trees(database, &seek);
        seek.marked()
    };
    let keep = Keep { hash: database.hash, wanted: &wanted, under, marked: &marked, kept: Mutex::default() };
    read_trees(database, &keep);
    let kept = keep.kept.into_inner().expect("because no thread panics with the lock held");
    let commits = &repository.commits;
    let mut found = Vec::new();
    for commit in 0..commits.len() as CommitId {
        let tree = commits.tree(commit);
        if !kept.contains_key(tree) {
            continue;
        }
        let parents = commits.parents(commit).filter_map(|parent| commits.find(parent));
        let parents: Vec<&[u8]> = parents.map(|parent| commits.tree(parent)).collect();
        if !parents.contains(&tree) {
            let mut path = Vec::new();
            compare(&kept, tree, &parents, &mut path, 0, &mut |blob, path| {
                found.push(Found { blob, commit, path: path.to_vec() });
            });
        }
    }
    found
}

/// Deepest path that is followed; git itself refuses trees deeper than 2048.
const DEEPEST: usize = 2048;

/// Walks the kept entries of a tree, leaving out whatever a parent has at the same path.
fn compare(
    kept: &Kept,
    tree: &[u8],
    parents: &[&[u8]],
    path: &mut Vec<u8>,
    depth: usize,
    found: &mut dyn FnMut(usize, &[u8]),
) {
    let Some(entries) = kept.get(tree).filter(|_| depth < DEEPEST) else { return };
    for entry in entries {
        let length = path.len();
        path.extend_from_slice(&entry.path);
        let same = |parent: &&&[u8]| {
            kept.get(**parent).is_some_and(|list| list.iter().any(|one| one.path == entry.path && one.to == entry.to))
        };
        if parents.iter().find(same).is_none() {
            match &entry.to {
                To::Blob(blob) => found(*blob, path),
                To::Tree(tree) => {
                    let below: Vec<&[u8]> = parents
                        .iter()
                        .filter_map(|parent| kept.get(*parent))
                        .flat_map(|list| list.iter().filter(|one| one.path == entry.path))
                        .filter_map(|one| if let To::Tree(name) = &one.to { Some(&**name) } else { None })
                        .collect();
                    path.push(b'/');
                    compare(kept, tree, &below, path, depth + 1, found);
                }
            }
        }
        path.truncate(length);
    }
}

fn read_trees<V: Visitor<Carry = ()>>(database: &Database, visitor: &V) {
    // What cannot be read was reported when the history was read.
    let _reported = walk::packed(database, visitor, &Progress::default());
    each_loose(
        database,
        &mut Coverage::default(),
        |kind| kind == Kind::Tree,
        |object, account| {
            visitor.visit(object, None, account);
        },
    );
}

/// First reading: which trees hold a wanted blob, and which tree lies in which.
struct Seek<'a> {
    hash: usize,
    wanted: &'a HashMap<&'a [u8], usize>,
    under: Under<'a>,
    /// A bit for each value of the first two bytes of a wanted name: most entries are turned away by it.
    sieve: Vec<u64>,
    holders: Mutex<HashSet<Short>>,
    /// Pairs of inner and outer tree.
    edges: Mutex<Vec<(Short, Short)>>,
}

impl<'a> Seek<'a> {
    fn new(hash: usize, wanted: &'a HashMap<&'a [u8], usize>, under: Under<'a>) -> Self {
        let mut sieve = vec![0u64; 1024];
        for name in wanted.keys() {
            let bits = usize::from(u16::from_be_bytes([name[0], name[1]]));
            sieve[bits / 64] |= 1 << (bits % 64);
        }
        Self { hash, wanted, under, sieve, holders: Mutex::default(), edges: Mutex::default() }
    }

    /// The trees from which a wanted blob can be reached.
    fn marked(self) -> HashSet<Short> {
        let mut marked = self.holders.into_inner().expect("because no thread panics with the lock held");
        let mut edges = self.edges.into_inner().expect("because no thread panics with the lock held");
        edges.sort_unstable();
        let mut open: Vec<Short> = marked.iter().copied().collect();
        while let Some(inner) = open.pop() {
            let from = edges.partition_point(|edge| edge.0 < inner);
            for &(_, outer) in edges[from..].iter().take_while(|edge| edge.0 == inner) {
                if marked.insert(outer) {
                    open.push(outer);
                }
            }
        }
        marked
    }
}

impl Visitor for Seek<'_> {
    type Carry = ();

    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Tree
    }

    fn visit(&self, object: &Object<'_>, _: Option<Lineage<'_, ()>>, _: &mut Coverage) {
        if object.again {
            return;
        }
        let outer = short(object.name);
        let (mut holds, mut edges) = (false, Vec::new());
        for entry in entries(object.bytes, self.hash) {
            if entry.tree {
                edges.push((short(entry.name), outer));
            } else if !holds {
                let bits = usize::from(u16::from_be_bytes([entry.name[0], entry.name[1]]));
                holds = self.sieve[bits / 64] >> (bits % 64) & 1 == 1
                    && self.wanted.get(entry.name).is_some_and(|blob| (self.under)(*blob, entry.path));
            }
        }
        if holds {
            self.holders.lock().expect("because no thread panics with the lock held").insert(outer);
        }
        if !edges.is_empty() {
            self.edges.lock().expect("because no thread panics with the lock held").append(&mut edges);
        }
    }

    fn stream(&self, _: Kind, _: &[u8], _: u64, _: &mut dyn std::io::Read, _: &mut Coverage) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where a kept entry leads.
#[derive(PartialEq, Eq)]
enum To {
    Blob(usize),
    Tree(Box<[u8]>),
}

struct KeptEntry {
    path: Box<[u8]>,
    to: To,
}

type Kept = HashMap<Box<[u8]>, Vec<KeptEntry>>;

/// Second reading: the entries of marked trees that lead to a wanted blob.
struct Keep<'a> {
    hash: usize,
    wanted: &'a HashMap<&'a [u8], usize>,
    under: Under<'a>,
    marked: &'a HashSet<Short>,
    kept: Mutex<Kept>,
}

impl Visitor for Keep<'_> {
    type Carry = ();

    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Tree && !self.marked.is_empty()
    }

    fn visit(&self, object: &Object<'_>, _: Option<Lineage<'_, ()>>, _: &mut Coverage) {
        if object.again {
            return;
        }
        if !self.marked.contains(&short(object.name)) {
            return;
        }
        let mut list = Vec::new();
        for entry in entries(object.bytes, self.hash) {
            let to = if entry.tree {
                self.marked.contains(&short(entry.name)).then(|| To::Tree(entry.name.into()))
            } else {
                let wanted = self.wanted.get(entry.name).filter(|blob| (self.under)(**blob, entry.path));
                wanted.map(|blob| To::Blob(*blob))
            };
            list.extend(to.map(|to| KeptEntry { path: entry.path.into(), to }));
        }
        self.kept.lock().expect("because no thread panics with the lock held").insert(object.name.into(), list);
    }

    fn stream(&self, _: Kind, _: &[u8], _: u64, _: &mut dyn std::io::Read, _: &mut Coverage) -> std::io::Result<()> {
        Ok(())
    }
}

/// Objects that trees name and that are not in the database, as in a partial clone. Sorted.
pub(super) fn missing(database: &Database) -> Vec<Vec<u8>> {
    let seek = Missing { database, missing: Mutex::default() };
    read_trees(database, &seek);
    let mut missing: Vec<_> =
        seek.missing.into_inner().expect("because no thread panics with the lock held").into_iter().collect();
    missing.sort();
    missing
}

struct Missing<'a> {
    database: &'a Database,
    missing: Mutex<HashSet<Vec<u8>>>,
}

impl Visitor for Missing<'_> {
    type Carry = ();

    fn wants(&self, kind: Kind) -> bool {
        kind == Kind::Tree
    }

    fn visit(&self, object: &Object<'_>, lineage: Option<Lineage<'_, ()>>, _: &mut Coverage) {
        let mut copied = lineage.map_or(&[][..], |lineage| lineage.copied).iter().peekable();
        for entry in entries(object.bytes, self.database.hash) {
            let end = entry.at + 8 + entry.path.len() + self.database.hash;
            while copied.next_if(|run| run.to + run.length < end).is_some() {}
            // What stands in the base was looked up there.
            if entry.submodule || copied.peek().is_some_and(|run| run.to <= entry.at) {
                continue;
            }
            if !self.database.has(entry.name) {
                let mut missing = self.missing.lock().expect("because no thread panics with the lock held");
                missing.insert(entry.name.to_vec());
            }
        }
    }

    fn stream(&self, _: Kind, _: &[u8], _: u64, _: &mut dyn std::io::Read, _: &mut Coverage) -> std::io::Result<()> {
        Ok(())
    }
}
