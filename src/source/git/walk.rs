//! Reads the objects of a database once each, family by family: every base is inflated once, its deltas are applied while
//! it is in memory, and whoever wants the objects gets them on the thread that made them.

use std::collections::{BinaryHeap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

use super::super::{Copied, Coverage, Progress};
use super::database::{Database, Packed, Worker};

use super::pack::{Buffer, Kind};
use super::{Broken, hex};

/// Objects above this size are streamed if nothing is a delta of them, and otherwise read one family at a time.
pub(super) const HUGE: u64 = 32 << 20;

/// Bytes that the objects of one family may take at once. Git writes no such families; somebody who wants to hurt does.
const LIVE: usize = 1 << 30;

/// An object in memory.
pub(super) struct Object<'a> {
    pub(super) kind: Kind,
    pub(super) name: &'a [u8],
    pub(super) bytes: &'a [u8],
    /// True when another pack holds the object too and hands it on, or an earlier run had it: this one is read for the sake of its deltas.
    pub(super) again: bool,
}

/// What a delta was made of: what the visitor kept of the base, and the runs copied from it.
pub(super) struct Lineage<'a, C> {
    pub(super) base: &'a C,
    pub(super) copied: &'a [Copied],
}

/// Takes the objects of a walk, on many threads.
pub(super) trait Visitor: Sync {
    /// What is kept of an object for the deltas made from it.
    type Carry;

    /// Whether objects of this kind are wanted.
    fn wants(&self, kind: Kind) -> bool;

    /// Whether a damaged head that makes an object look like one of another kind would be a loss that nobody notices: what is
    /// not wanted is then compared with the checksums of the index.
    fn misses(&self) -> bool {
        false
    }

    /// Whether the visitor had an object in an earlier run and does not want it again.
    fn seen(&self, _name: &[u8]) -> bool {
        false
    }

    /// Hears how many objects were left out because they were [seen](Self::seen).
    fn left_out(&self, _count: u64, _account: &mut Coverage) {}

    /// Takes an object.
    fn visit(
        &self,
        object: &Object<'_>,
        lineage: Option<Lineage<'_, Self::Carry>>,
        account: &mut Coverage,
    ) -> Self::Carry;

    /// Takes an object too large for memory.
    fn stream(
        &self,
        kind: Kind,
        name: &[u8],
        size: u64,
        content: &mut dyn std::io::Read,
        account: &mut Coverage,
    ) -> std::io::Result<()>;

    /// Hears of an object that cannot be read.
    fn failed(&self, name: &[u8], why: Broken, account: &mut Coverage) {
        account.fail(hex(name), why);
    }
}

/// One piece of work: the family below an entry, without the parts that are tasks of their own.
struct Task {
    pack: usize,
    entry: u32,
    /// Rough size in bytes, to start the large ones first.
    size: u64,
}

/// Which entries of each pack are also in an earlier pack, as a set of bits by position in the index.
type Duplicates = Vec<Vec<u64>>;

/// Hands every packed object that a visitor wants to it, once each. The account is that of all threads together.
pub(super) fn packed<V: Visitor>(database: &Database, visitor: &V, progress: &Progress) -> Coverage {
    let mut duplicates = duplicates(database);
    let mut account = Coverage::default();
    visitor.left_out(mark_seen(database, visitor, &mut duplicates), &mut account);
    let (tasks, cuts) = tasks(database, visitor);
    for (n, packed) in database.packs.iter().enumerate() {
        packed.pack.read_ahead();
        for (entry, why) in &packed.forest.broken {
            let position = packed.forest.position(*entry);
            if !duplicate(&duplicates, n, position) {
                visitor.failed(packed.pack.index.name(position), why, &mut account);
            }
        }
    }
    if visitor.misses() {
        disguised(database, visitor, &duplicates, &mut account);
    }
    progress.expect(tasks.iter().map(|task| task.size).sum());
    let next = AtomicUsize::new(0);
    let heavy = Mutex::new(());
    let walk = Walk { database, visitor, duplicates, cuts, heavy };
    let shares = rayon::broadcast(|_| {
        let (mut worker, mut share) = (Worker::new(), Coverage::default());
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            let run = AssertUnwindSafe(|| walk.family(task, &mut worker, &mut share));
            if catch_unwind(run).is_err() {
                let packed = &database.packs[task.pack];
                let name = hex(packed.pack.index.name(packed.forest.position(task.entry)));
                share.fail(name, "a fault of offkey while this object or a delta of it was read");
                worker = Worker::new();
            }
            progress.advance(task.size);
        }
        share
    });
    shares.into_iter().for_each(|share| account.absorb(share));
    account
}

/// Names the objects of unwanted kinds whose bytes are not those that were packed, and all that is made from them: a flipped
/// bit may have turned them into what they are not.
fn disguised<V: Visitor>(database: &Database, visitor: &V, duplicates: &Duplicates, account: &mut Coverage) {
    for (n, packed) in database.packs.iter().enumerate() {
        let forest = &packed.forest;
        let unwanted = |entry: &u32| forest.kind(*entry).is_some_and(|kind| !visitor.wants(kind));
        let roots = (0..forest.len() as u32).into_par_iter().filter(|entry| forest.base(*entry).is_none());
        let broken: Vec<(u32, Broken)> =
            roots.filter(unwanted).filter_map(|entry| Some((entry, packed.check(entry).err()?))).collect();
        for (root, why) in broken {
            let again = |entry| duplicate(duplicates, n, forest.position(entry));
            lost(packed, root, why, &|_| false, &again, visitor, account);
        }
    }
}

/// Tells a visitor of an entry that cannot be read, and of all that is made from it but for what another task makes.
fn lost<V: Visitor>(
    packed: &Packed,
    root: u32,
    why: Broken,
    apart: &dyn Fn(u32) -> bool,
    again: &dyn Fn(u32) -> bool,
    visitor: &V,
    account: &mut Coverage,
) {
    let mut open = vec![root];
    while let Some(entry) = open.pop() {
        if !again(entry) {
            let why = if entry == root { why } else { "its delta base cannot be read" };
            visitor.failed(packed.pack.index.name(packed.forest.position(entry)), why, account);
        }
        open.extend(packed.forest.children(entry).iter().filter(|child| !apart(**child)));
    }
}

struct Walk<'a, V: Visitor> {
    database: &'a Database,
    visitor: &'a V,
    duplicates: Duplicates,
    cuts: HashSet<(usize, u32)>,
    heavy: Mutex<()>,
}

/// An object whose deltas are still to be made.
struct Frame<C> {
    entry: u32,
    buffer: Buffer,
    carry: C,
    next: usize,
}

impl<V: Visitor> Walk<'_, V> {
    fn family(&self, task: &Task, worker: &mut Worker, account: &mut Coverage) {
        let packed = &self.database.packs[task.pack];
        let forest = &packed.forest;
        let needed = self.needed(task);
        let wanted = |entry: &u32| needed.as_ref().is_none_or(|needed| needed.contains(entry));
        if !wanted(&task.entry) {
            return;
        }
        let size = packed.pack.head(forest.offset(task.entry)).map_or(0, |head| head.size);
        if size > HUGE && forest.base(task.entry).is_none() && forest.children(task.entry).is_empty() {
            return self.stream(task, packed, account);
        }
        let mut one_at_a_time = (size > HUGE).then(|| self.heavy.lock());
        let mut buffer = worker.buffer();
        if let Err(why) = packed.resolve(task.entry, worker, &mut buffer) {
            worker.give_back(buffer);
            return self.fail(task.pack, task.entry, why, account);
        }
        let carry = self.visit(task.pack, task.entry, buffer.content(), None, account);
        let mut live = buffer.content().len();
        let mut stack = vec![Frame { entry: task.entry, buffer, carry, next: 0 }];
        while let Some(frame) = stack.last_mut() {
            let children = forest.children(frame.entry);
            let Some(&child) = children.get(frame.next) else {
                let done = stack.pop().expect("because the loop saw a frame");
                live -= done.buffer.content().len();
                worker.give_back(done.buffer);
                continue;
            };
            frame.next += 1;
            if self.cuts.contains(&(task.pack, child)) || !wanted(&child) {
                continue;
            }
            let mut buffer = worker.buffer();
            let made = if live > LIVE {
                Err("its family of deltas takes more than 1024 MiB of memory")
            } else {
                packed.apply(child, frame.buffer.content(), worker, &mut buffer)
            };
            if let Err(why) = made {
                worker.give_back(buffer);
                self.fail(task.pack, child, why, account);
                continue;
            }
            let lineage = Lineage { base: &frame.carry, copied: &worker.copied };
            let carry = self.visit(task.pack, child, buffer.content(), Some(lineage), account);
            if frame.next == children.len() {
                // The base is not needed again: its memory serves the child's deltas.
                let done = stack.pop().expect("because the loop saw a frame");
                live -= done.buffer.content().len();
                worker.give_back(done.buffer);
            }
            if forest.children(child).is_empty() {
                worker.give_back(buffer);
            } else {
                let size = buffer.content().len();
                live += size;
                if size as u64 > HUGE && one_at_a_time.is_none() {
                    one_at_a_time = Some(self.heavy.lock());
                }
                stack.push(Frame { entry: child, buffer, carry, next: 0 });
            }
        }
    }

    /// The entries of a family that are new or lead to a new one; `None` when all are, because nothing is marked.
    fn needed(&self, task: &Task) -> Option<HashSet<u32>> {
        if self.duplicates.is_empty() {
            return None;
        }
        let forest = &self.database.packs[task.pack].forest;
        let mut needed = HashSet::new();
        let mut open = vec![task.entry];
        while let Some(at) = open.pop() {
            if !duplicate(&self.duplicates, task.pack, forest.position(at)) {
                let mut up = Some(at);
                while let Some(entry) = up.filter(|entry| needed.insert(*entry) && *entry != task.entry) {
                    up = forest.base(entry);
                }
            }
            open.extend(forest.children(at).iter().filter(|child| !self.cuts.contains(&(task.pack, **child))));
        }
        Some(needed)
    }

    fn visit(
        &self,
        pack: usize,
        entry: u32,
        bytes: &[u8],
        lineage: Option<Lineage<'_, V::Carry>>,
        account: &mut Coverage,
    ) -> V::Carry {
        let packed = &self.database.packs[pack];
        let position = packed.forest.position(entry);
        let kind = packed.forest.kind(entry).expect("because entries without a kind have no task");
        let again = duplicate(&self.duplicates, pack, position);
        let object = Object { kind, name: packed.pack.index.name(position), bytes, again };
        if !again {
            account.raw_bytes += packed.forest.until(entry) - packed.forest.offset(entry);
        }
        self.visitor.visit(&object, lineage, account)
    }

    fn stream(&self, task: &Task, packed: &Packed, account: &mut Coverage) {
        let position = packed.forest.position(task.entry);
        let name = packed.pack.index.name(position);
        if duplicate(&self.duplicates, task.pack, position) {
            return;
        }
        let mut read = || -> Result<(), Broken> {
            let head = packed.pack.head(packed.forest.offset(task.entry))?;
            let raw = packed.pack.raw(head.stream, packed.forest.until(task.entry))?;
            let kind = packed.forest.kind(task.entry).ok_or("pack entry is damaged")?;
            let mut content = flate2::read::ZlibDecoder::new(raw);
            account.raw_bytes += raw.len() as u64;
            self.visitor.stream(kind, name, head.size, &mut content, account).map_err(|_| "compressed data is damaged")
        };
        if let Err(why) = read() {
            self.visitor.failed(name, why, account);
        }
    }

    /// Reports an entry and everything below it.
    fn fail(&self, pack: usize, entry: u32, why: Broken, account: &mut Coverage) {
        let packed = &self.database.packs[pack];
        let again = |at| duplicate(&self.duplicates, pack, packed.forest.position(at));
        lost(packed, entry, why, &|child| self.cuts.contains(&(pack, child)), &again, self.visitor, account);
    }
}

/// Families of the wanted kinds, the large ones cut into tasks of their own so that every thread has work to the end. A
/// cut costs the resolution of one chain, some microseconds.
fn tasks<V: Visitor>(database: &Database, visitor: &V) -> (Vec<Task>, HashSet<(usize, u32)>) {
    let mut tasks = Vec::new();
    for (pack, packed) in database.packs.iter().enumerate() {
        let forest = &packed.forest;
        for entry in 0..forest.len() as u32 {
            if forest.base(entry).is_none() && forest.kind(entry).is_some_and(|kind| visitor.wants(kind)) {
                let root = packed.pack.head(forest.offset(entry)).map_or(0, |head| head.size);
                tasks.push(Task { pack, entry, size: root.saturating_mul(u64::from(forest.weight(entry))) });
            }
        }
    }
    let threads = rayon::current_num_threads() as u64;
    let total: u64 = tasks.iter().map(|task| task.size).fold(0, u64::saturating_add);
    let share = total / (threads * 16) + 1;
    let mut cuts = HashSet::new();
    if threads > 1 {
        for n in 0..tasks.len() {
            if tasks[n].size > share {
                cut(database, n, share, &mut tasks, &mut cuts);
            }
        }
        // The large ones first, the rest in the order of the pack.
        tasks.sort_by_key(|task| std::cmp::Reverse(if task.size > share / 4 { task.size } else { 0 }));
    }
    (tasks, cuts)
}

fn cut(database: &Database, n: usize, share: u64, tasks: &mut Vec<Task>, cuts: &mut HashSet<(usize, u32)>) {
    let Task { pack, entry: root, size } = tasks[n];
    let forest = &database.packs[pack].forest;
    let each = (size / u64::from(forest.weight(root)).max(1)).max(1);
    let limit = (share / each).max(64);
    let mut order = vec![root];
    let mut at = 0;
    while at < order.len() {
        order.extend_from_slice(forest.children(order[at]));
        at += 1;
    }
    let mut weights = std::collections::HashMap::new();
    for &entry in order.iter().rev() {
        let below: u64 = forest.children(entry).iter().map(|child| weights.get(child).copied().unwrap_or(0)).sum();
        let weight = below + 1;
        if entry == root {
            tasks[n].size = weight * each;
        } else if weight >= limit {
            cuts.insert((pack, entry));
            tasks.push(Task { pack, entry, size: weight * each });
            weights.insert(entry, 0);
        } else {
            weights.insert(entry, weight);
        }
    }
}

/// Marks objects that the visitor had before like those of an earlier pack; gives how many there are.
fn mark_seen<V: Visitor>(database: &Database, visitor: &V, duplicates: &mut Duplicates) -> u64 {
    let mut count = 0;
    for (pack, packed) in database.packs.iter().enumerate() {
        let index = &packed.pack.index;
        for position in (0..index.len()).filter(|position| visitor.seen(index.name(*position))) {
            if duplicates.is_empty() {
                *duplicates = blank(database);
            }
            let word = &mut duplicates[pack][position / 64];
            count += u64::from(*word >> (position % 64) & 1 == 0);
            *word |= 1 << (position % 64);
        }
    }
    count
}

/// No object of any pack marked.
fn blank(database: &Database) -> Duplicates {
    database.packs.iter().map(|packed| vec![0; packed.pack.index.len().div_ceil(64)]).collect()
}

fn duplicate(duplicates: &Duplicates, pack: usize, position: usize) -> bool {
    duplicates.get(pack).is_some_and(|bits| bits[position / 64] >> (position % 64) & 1 == 1)
}

/// Marks objects that an earlier pack holds too, by merging the sorted names of all packs.
fn duplicates(database: &Database) -> Duplicates {
    if database.packs.len() < 2 {
        return Vec::new();
    }
    let packs = &database.packs;
    let mut bits = blank(database);
    let entry = |pack: usize, position: usize| {
        let index = &packs[pack].pack.index;
        (position < index.len()).then(|| std::cmp::Reverse((index.name(position), pack, position)))
    };
    let mut heap: BinaryHeap<_> = (0..packs.len()).filter_map(|pack| entry(pack, 0)).collect();
    let mut last: &[u8] = &[];
    while let Some(std::cmp::Reverse((name, pack, position))) = heap.pop() {
        if name == last {
            bits[pack][position / 64] |= 1 << (position % 64);
        }
        last = name;
        heap.extend(entry(pack, position + 1));
    }
    bits
}
