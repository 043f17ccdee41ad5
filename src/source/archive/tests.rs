//! Archives made here: nested, hostile, broken.

use std::io::Write;
use std::sync::Mutex;

use super::*;

#[derive(Default)]
struct Kept(Mutex<Vec<(String, String)>>);

impl Sink for Kept {
    fn document(&self, document: &Document<'_>) {
        let text = String::from_utf8_lossy(document.bytes).into_owned();
        self.0.lock().expect("not poisoned").push((document.provenance.to_string(), text));
    }
}

fn read(bytes: &[u8]) -> (Vec<(String, String)>, Coverage) {
    let (kept, mut account) = (Kept::default(), Coverage::default());
    let provenance = Provenance::File { path: "a".to_owned(), inside: Vec::new() };
    content::hand_on(bytes, &provenance, &kept, &mut account);
    (kept.0.into_inner().expect("not poisoned"), account)
}

fn zipped(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let mut zip = zip::ZipWriter::new(&mut out);
    zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("started");
    zip.write_all(content).expect("written");
    zip.finish().expect("finished");
    out.into_inner()
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(content).expect("written");
    out.finish().expect("finished")
}

fn tarred(name: &str, content: &[u8]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    out.append_data(&mut header, name, content).expect("appended");
    out.into_inner().expect("finished")
}

#[test]
fn members_are_found_through_every_layer() {
    let (found, account) = read(&zipped("in.tgz", &gzipped(&tarred("deep/key.txt", b"the key"))));
    assert_eq!(found, [("a!in.tgz!deep/key.txt".to_owned(), "the key".to_owned())], "{:?}", account.gaps);
    let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    bz.write_all(b"packed").expect("written");
    assert_eq!(read(&bz.finish().expect("finished")).0[0].1, "packed");
    let mut deb = b"!<arch>\n".to_vec();
    deb.extend(format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "control/", 0, 0, 0, 644, 3).bytes());
    deb.extend(b"abc\n");
    assert_eq!(read(&deb).0, [("a!control".to_owned(), "abc".to_owned())]);
}

/// A member of a cpio archive.
fn cpio(name: &str, mode: u32, content: &[u8]) -> Vec<u8> {
    let fields = [1, mode, 0, 0, 1, 0, content.len() as u32, 0, 0, 0, 0, name.len() as u32 + 1, 0];
    let mut out = b"070701".to_vec();
    fields.iter().for_each(|field| out.extend(format!("{field:08x}").bytes()));
    out.extend(name.bytes().chain([0]));
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(content);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

#[test]
fn packages_are_opened() {
    let files =
        [cpio("./etc/app.conf", 0o100_644, b"pw"), cpio("link", 0o120_777, b"/etc"), cpio("TRAILER!!!", 0, b"")];
    let section = |entries: u32, data: &[u8]| {
        let mut out = vec![0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0];
        out.extend(entries.to_be_bytes());
        out.extend((data.len() as u32).to_be_bytes());
        out.extend(vec![0; entries as usize * 16]);
        out.extend(data);
        out
    };
    let mut rpm = vec![0; 96];
    rpm[..4].copy_from_slice(&[0xed, 0xab, 0xee, 0xdb]);
    rpm.extend(section(1, b"sig"));
    rpm.resize(rpm.len().next_multiple_of(8), 0);
    rpm.extend(section(2, b"header"));
    rpm.extend(gzipped(&files.concat()));
    let (found, account) = read(&rpm);
    assert_eq!(found, [("a!content!etc/app.conf".to_owned(), "pw".to_owned())], "{:?}", account.gaps);
    let (_, account) = read(&rpm[..150]);
    assert!(account.is_partial());
}

#[test]
fn a_zip_that_is_cut_off_gives_what_is_left() {
    let mut out = Cursor::new(Vec::new());
    let mut zip = zip::ZipWriter::new(&mut out);
    for name in ["first.txt", "second.txt"] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).expect("started");
        zip.write_all(format!("{name} is here").as_bytes()).expect("written");
    }
    zip.finish().expect("finished");
    let whole = out.into_inner();
    let (found, account) = read(&whole[..whole.len() - 60]);
    assert!(account.is_partial());
    assert_eq!(found.iter().filter(|one| one.1.ends_with("is here")).count(), 2, "{found:?}");
}

#[test]
fn hostile_archives_cost_one_line_and_little_memory() {
    let mut nested = b"core".to_vec();
    for _ in 0..12 {
        nested = zipped("next.zip", &nested);
    }
    let (found, account) = read(&nested);
    assert!(found.is_empty() && account.gaps[0].why == "archives nested too deep", "{:?}", account.gaps);
    // Members of a gzip file follow each other: 120 MiB of one letter without packing each of them anew.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b'a'; 1 << 20]).expect("written");
    let bomb = bomb.finish().expect("finished").repeat(120);
    assert!((bomb.len() as u64) < LEAST / RATIO);
    let (found, account) = read(&bomb);
    assert!(account.gaps.iter().any(|gap| gap.why == "unpacks to too much"), "{:?}", account.gaps);
    let longest = found.iter().map(|one| one.1.len() as u64).max().unwrap_or_default();
    assert!((1..=LEAST).contains(&longest), "what is within the bound is searched, no more: {longest}");
    let (_, account) = read(&zipped("../../etc/cron.d/x", b"evil"));
    assert_eq!(account.gaps[0].why, "name leads out of the archive");
    let whole = zipped("a.txt", b"text of some length");
    let (_, account) = read(&whole[..whole.len() - 30]);
    assert!(account.is_partial());
    assert!(LEFT.get().is_none(), "the allowance ends with the archive");
}
