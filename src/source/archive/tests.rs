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

#[test]
fn hostile_archives_cost_one_line_and_little_memory() {
    let mut nested = b"core".to_vec();
    for _ in 0..12 {
        nested = zipped("next.zip", &nested);
    }
    let (found, account) = read(&nested);
    assert!(found.is_empty() && account.gaps[0].why == "archives nested too deep", "{:?}", account.gaps);
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    bomb.write_all(&vec![b'a'; 120 << 20]).expect("written");
    let bomb = bomb.finish().expect("finished");
    let (_, account) = read(&bomb);
    assert!(account.gaps.iter().any(|gap| gap.why == "unpacks to too much"), "{:?}", account.gaps);
    let (_, account) = read(&zipped("../../etc/cron.d/x", b"evil"));
    assert_eq!(account.gaps[0].why, "name leads out of the archive");
    let whole = zipped("a.txt", b"text of some length");
    let (_, account) = read(&whole[..whole.len() - 30]);
    assert!(account.is_partial());
    assert!(LEFT.get().is_none(), "the allowance ends with the archive");
}
