//! Repositories that nobody's git would write: packs made by hand to hurt, names made to lie, and a repository that is
//! repacked while it is read.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use offkey::source::git::GitHistory;
use offkey::source::{Coverage, Document, Progress, Provenance, Sink, Source};

use super::history::{commit, git, write};
use super::steps::offkey;

/// Names and lengths of the documents that were handed on; panics at one of them, if so told.
#[derive(Default)]
struct Names(Mutex<Vec<(String, usize)>>, Option<&'static [u8]>);

impl Sink for Names {
    fn document(&self, document: &Document<'_>) {
        assert!(self.1.is_none_or(|text| document.bytes != text), "a fault that the test asked for");
        let Provenance::Git { oid, .. } = document.provenance else { panic!("not from git") };
        self.0.lock().expect("no panic while it is held").push((oid.clone(), document.bytes.len()));
    }
}

fn read(at: &Path) -> (Vec<(String, usize)>, Coverage) {
    let names = Names::default();
    let coverage = GitHistory::new(at).read(&names, &Progress::default()).expect("reads");
    let mut all = names.0.into_inner().expect("no panic");
    all.sort();
    (all, coverage)
}

/// An entry of a pack made by hand.
enum Entry {
    Blob(Vec<u8>),
    /// A delta of the object with this name.
    Of(u32, Vec<u8>),
    /// A delta of the entry with this number.
    Behind(usize, Vec<u8>),
}

/// A name of our own: an object in a pack is found by the index, whatever its content.
fn name(number: u32) -> [u8; 20] {
    let mut name = [7; 20];
    name[..4].copy_from_slice(&number.to_be_bytes());
    name
}

fn hex(number: u32) -> String {
    name(number).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a repository with one pack whose entries are named by their numbers.
fn packed(at: &Path, entries: &[Entry]) {
    git(at, &["init", "-q"]);
    let mut pack = b"PACK\0\0\0\x02".to_vec();
    pack.extend((entries.len() as u32).to_be_bytes());
    let mut offsets: Vec<usize> = Vec::new();
    for entry in entries {
        let start = pack.len();
        let (kind, body) = match entry {
            Entry::Blob(body) => (3, body),
            Entry::Of(_, body) => (7, body),
            Entry::Behind(_, body) => (6, body),
        };
        let mut size = body.len() >> 4;
        pack.push((kind << 4) | (body.len() & 15) as u8 | if size > 0 { 0x80 } else { 0 });
        while size > 0 {
            pack.push((size & 0x7f) as u8 | if size > 0x7f { 0x80 } else { 0 });
            size >>= 7;
        }
        match entry {
            Entry::Blob(_) => {}
            Entry::Of(base, _) => pack.extend(name(*base)),
            Entry::Behind(base, _) => {
                let mut back = start - offsets[*base];
                let mut bytes = vec![(back & 0x7f) as u8];
                while back > 0x7f {
                    back = (back >> 7) - 1;
                    bytes.push((back & 0x7f) as u8 | 0x80);
                }
                pack.extend(bytes.iter().rev());
            }
        }
        let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        zlib.write_all(body).expect("writes to memory");
        pack.extend(zlib.finish().expect("writes to memory"));
        offsets.push(start);
    }
    pack.extend([9; 20]);
    // Version 1: counts by first byte, then offset and name of each object.
    let mut index: Vec<u8> = Vec::new();
    for first in 0..=255u32 {
        let count = (0..entries.len() as u32).filter(|number| number >> 24 <= first).count();
        index.extend((count as u32).to_be_bytes());
    }
    for (number, offset) in offsets.iter().enumerate() {
        index.extend((*offset as u32).to_be_bytes());
        index.extend(name(number as u32));
    }
    index.extend([9; 40]);
    let folder = at.join(".git/objects/pack");
    fs::create_dir_all(&folder).expect("folder");
    fs::write(folder.join("pack-made.pack"), pack).expect("pack");
    fs::write(folder.join("pack-made.idx"), index).expect("index");
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A delta that copies the first bytes of its base, a number of times, and adds a few.
fn delta(base: usize, copy: usize, times: usize, add: &[u8]) -> Vec<u8> {
    let mut delta = [varint(base), varint(copy * times + add.len())].concat();
    for _ in 0..times {
        let mut from = 0;
        while from < copy {
            let length = (copy - from).min(0xff_ffff);
            delta.push(0xff);
            delta.extend((from as u32).to_le_bytes());
            delta.extend(&(length as u32).to_le_bytes()[..3]);
            from += length;
        }
    }
    if !add.is_empty() {
        delta.push(add.len() as u8);
        delta.extend(add);
    }
    delta
}

/// Places of the gaps whose reason holds some words.
fn gaps<'a>(coverage: &'a Coverage, why: &str) -> Vec<&'a str> {
    coverage.gaps.iter().filter(|gap| gap.why.contains(why)).map(|gap| gap.place.as_str()).collect()
}

#[test]
fn circles_of_deltas_and_missing_bases_cost_themselves_only() {
    let folder = tempfile::tempdir().expect("folder");
    let text = b"a text that is long enough to be copied".to_vec();
    let of = |base| Entry::Of(base, delta(text.len(), text.len(), 1, b"!"));
    // 0 is whole; 1 and 2 are deltas of each other, 3 of itself, 4 of 2; 5 of nothing that is there; 6 of 0.
    let entries = [Entry::Blob(text.clone()), of(2), of(1), of(3), of(2), of(77), of(0)];
    packed(folder.path(), &entries);
    let (documents, coverage) = read(folder.path());
    assert_eq!(documents, [(hex(0), text.len()), (hex(6), text.len() + 1)]);
    let circle = gaps(&coverage, "ends in a damaged or missing object, or in itself");
    assert_eq!(circle, [hex(1), hex(2), hex(3), hex(4)]);
    assert_eq!(gaps(&coverage, "delta base is not in the pack"), [hex(5)]);
    assert!(coverage.is_partial());
}

#[test]
fn a_chain_of_twenty_thousand_deltas_is_read_to_its_end() {
    let folder = tempfile::tempdir().expect("folder");
    let text = b"forty bytes or more that never change at all".to_vec();
    let step = |n: usize| {
        let base = text.len() + if n > 1 { 5 } else { 0 };
        Entry::Behind(n - 1, delta(base, text.len(), 1, format!("{n:05}").as_bytes()))
    };
    let entries: Vec<Entry> = std::iter::once(Entry::Blob(text.clone())).chain((1..=20_000).map(step)).collect();
    packed(folder.path(), &entries);
    let (documents, coverage) = read(folder.path());
    assert_eq!((documents.len(), coverage.is_partial()), (20_001, false), "{:?}", coverage.gaps);
}

#[test]
fn a_delta_that_lies_about_its_size_takes_no_memory() {
    let folder = tempfile::tempdir().expect("folder");
    let text = b"some text".to_vec();
    let lie = |size: usize| [varint(text.len()), varint(size), vec![0x90, 9]].concat();
    let sizes = [500 << 20, 1 << 40, usize::MAX >> 1];
    let lies = sizes.iter().map(|size| Entry::Of(0, lie(*size)));
    packed(folder.path(), &std::iter::once(Entry::Blob(text.clone())).chain(lies).collect::<Vec<_>>());
    let (documents, coverage) = read(folder.path());
    assert_eq!(documents, [(hex(0), text.len())]);
    assert_eq!(coverage.gaps.iter().map(|gap| gap.place.clone()).collect::<Vec<_>>(), [hex(1), hex(2), hex(3)]);
}

#[test]
fn a_family_that_doubles_at_every_step_ends_where_memory_would() {
    let folder = tempfile::tempdir().expect("folder");
    // Each delta is twice its base and has a second delta, so that no base can be forgotten before the next is made.
    let mut entries = vec![Entry::Blob(vec![0; 1 << 20])];
    let mut size = 1 << 20;
    let mut base = 0;
    for _ in 0..16 {
        entries.push(Entry::Behind(base, delta(size, size, 2, b"")));
        let next = entries.len() - 1;
        entries.push(Entry::Behind(base, delta(size, size, 2, b"")));
        (base, size) = (next, size * 2);
    }
    packed(folder.path(), &entries);
    let (documents, coverage) = read(folder.path());
    assert!(documents.is_empty(), "zeros are no text");
    let refused = coverage.gaps.iter().filter(|gap| gap.why.contains("MiB")).count();
    assert!(refused > 0, "{:?}", coverage.gaps);
    let broken = coverage.count(offkey::source::GapKind::Failed);
    assert!((10..20).contains(&broken), "{broken} of 33 were not read");
    #[cfg(target_os = "linux")]
    {
        let status = fs::read_to_string("/proc/self/status").expect("a status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        let peak: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(peak < 2 << 20, "{peak} KiB were needed");
    }
}

#[test]
fn a_fault_at_one_object_is_one_line_and_the_rest_is_read() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    git(at, &["init", "-q"]);
    for n in 0..9 {
        write(at, &format!("{n}.txt"), &format!("file {n}\n"));
    }
    commit(at, "files");
    git(at, &["repack", "-q", "-ad"]);
    let whole = read(at).0.len();
    let names = Names(Mutex::default(), Some(b"file 4\n"));
    let coverage = GitHistory::new(at).read(&names, &Progress::default()).expect("reads");
    assert_eq!(names.0.into_inner().expect("no panic").len(), whole - 1);
    assert_eq!(gaps(&coverage, "a fault of offkey"), [git(at, &["rev-parse", "HEAD:4.txt"])]);
}

#[test]
fn refs_to_nowhere_and_names_that_lie_are_survived() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    git(at, &["init", "-q"]);
    let key = format!("{}{}", concat!("AK", "IA"), "QNZGKIQY56JQ7WML");
    write(at, "a.txt", &format!("key {key}\n"));
    commit(at, "one");
    // A tree with names that no checkout would write: upwards, into .git, with a line break and an escape sequence.
    let blob = git(at, &["hash-object", "-w", "a.txt"]);
    let raw: Vec<u8> = (0..20).map(|n| u8::from_str_radix(&blob[n * 2..n * 2 + 2], 16).expect("hex")).collect();
    let names: [&[u8]; 4] = [b"../../../outside", b".git", b"red\x1b[31m\ntwo", b"\xff\xfe"];
    let tree: Vec<u8> = names.iter().flat_map(|name| [b"100644 ", *name, b"\0", &raw].concat()).collect();
    fs::write(at.join("tree"), tree).expect("tree");
    let tree = git(at, &["hash-object", "-t", "tree", "--literally", "-w", "tree"]);
    let lie = git(at, &["commit-tree", &tree, "-m", "names"]);
    git(at, &["update-ref", "refs/heads/names", &lie]);
    fs::write(at.join(".git/refs/heads/nowhere"), format!("{}\n", "12".repeat(20))).expect("ref");
    fs::write(at.join(".git/refs/heads/garbage"), "no name at all\n").expect("ref");
    fs::write(at.join(".git/packed-refs"), "# pack-refs\nzz not a ref\n^\n").expect("refs");
    let (documents, _) = read(at);
    assert!(documents.iter().any(|(oid, _)| *oid == blob));
    for format in ["text", "jsonl", "sarif"] {
        let output = offkey(at, &["scan", "--format", format, "."], None);
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains(&blob) || text.contains("a.txt"), "{format}: {text}");
        let escape = text.contains('\u{1b}') || text.lines().any(|line| line.starts_with("two"));
        assert!(!escape, "{format}: a name of the repository reached the terminal as it stands: {text}");
    }
}

#[test]
fn a_repository_that_is_repacked_meanwhile_is_read_or_said_to_be_partial() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    git(at, &["init", "-q"]);
    for n in 0..40 {
        write(at, "a.txt", &format!("line {n}\n").repeat(40));
        commit(at, "more");
    }
    let whole = read(at).0;
    let (end, rounds) = (AtomicBool::new(false), Mutex::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                // Everything moves into a pack of another name, then back to loose objects.
                git(at, &["repack", "-q", "-adf", "--depth=4"]);
                git(at, &["prune-packed"]);
                *rounds.lock().expect("no panic") += 1;
            }
        });
        while *rounds.lock().expect("no panic") < 6 {
            let (documents, coverage) = read(at);
            assert!(coverage.is_partial() || documents == whole, "{} of {}", documents.len(), whole.len());
        }
        end.store(true, Ordering::Relaxed);
    });
    assert_eq!(read(at).0, whole);
}
