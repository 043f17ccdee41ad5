//! Trees: what is read, what is left out, and that both are said.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use offkey::source::{Coverage, Document, OpenOptions, Progress, Provenance, Sink, Source, files::Files, open};

#[derive(Default)]
struct Keeper(Mutex<BTreeMap<String, Vec<u8>>>);

impl Sink for Keeper {
    fn document(&self, document: &Document<'_>) {
        let Provenance::File { path, .. } = document.provenance else { return };
        let name = Path::new(path).file_name().expect("a name").to_string_lossy().into_owned();
        self.0.lock().expect("no panic").insert(name, document.bytes.to_vec());
    }
}

fn read(at: &Path, options: &OpenOptions) -> (BTreeMap<String, Vec<u8>>, Coverage) {
    let keeper = Keeper::default();
    let coverage = Files::new(at, options).read(&keeper, &Progress::default()).expect("reads");
    (keeper.0.into_inner().expect("no panic"), coverage)
}

fn why(coverage: &Coverage, end: &str) -> String {
    coverage.gaps.iter().find(|gap| gap.place.ends_with(end)).map(|gap| gap.why.clone()).unwrap_or_default()
}

#[test]
fn what_is_left_out_is_said() {
    let folder = tempfile::tempdir().expect("folder");
    let at = folder.path();
    fs::create_dir_all(at.join(".git/objects")).expect("folder");
    fs::create_dir_all(at.join("sub/deep")).expect("folder");
    fs::write(at.join(".gitignore"), "*.log\n/build/\n!keep.log\n").expect("file");
    fs::create_dir(at.join("build")).expect("folder");
    fs::write(at.join("build/out.txt"), "built").expect("file");
    fs::write(at.join("a.log"), "log").expect("file");
    fs::write(at.join("keep.log"), "kept").expect("file");
    fs::write(at.join(".env"), "hidden and read").expect("file");
    fs::write(at.join("sub/deep/.gitignore"), "*.tmp\n").expect("file");
    fs::write(at.join("sub/deep/x.tmp"), "tmp").expect("file");
    fs::write(at.join("picture.png"), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR").expect("file");
    fs::write(at.join("latin.txt"), b"caf\xe9").expect("file");
    let utf16: Vec<u8> = "\u{feff}wide = text".encode_utf16().flat_map(u16::to_le_bytes).collect();
    fs::write(at.join("wide.txt"), utf16).expect("file");
    std::os::unix::fs::symlink(at.join("latin.txt"), at.join("link.txt")).expect("link");
    let (read_files, coverage) = read(at, &OpenOptions::default());
    let names: Vec<&str> = read_files.keys().map(String::as_str).collect();
    assert_eq!(names, [".env", ".gitignore", "keep.log", "latin.txt", "wide.txt"]);
    assert_eq!(read_files["wide.txt"], b"wide = text");
    assert!(why(&coverage, "a.log").contains(".gitignore") && why(&coverage, "build").contains(".gitignore"));
    assert!(why(&coverage, "x.tmp").contains(".gitignore"));
    assert!(why(&coverage, "picture.png").contains("binary") && why(&coverage, "link.txt").contains("link"));
    assert!(why(&coverage, ".git").contains("history"));
    assert!(!coverage.is_partial());
    let (inner, _) = read(&at.join("sub"), &OpenOptions::default());
    assert!(!inner.contains_key("x.tmp"));
    let (all, _) = read(at, &OpenOptions { ignored: true, ..OpenOptions::default() });
    assert!(all.contains_key("a.log") && all.contains_key("out.txt") && all.contains_key("x.tmp"));
    let (_, small) = read(at, &OpenOptions { max_file_size: Some(3), ..OpenOptions::default() });
    assert!(why(&small, ".env").contains("--max-file-size"));
}

#[test]
fn a_missing_path_is_one_clear_error() {
    let error = open(Path::new("/nonexistent/place"), &OpenOptions::default()).err().expect("an error");
    assert!(error.to_string().contains("/nonexistent/place") && error.next_step().is_some());
    let folder = tempfile::tempdir().expect("folder");
    let options = OpenOptions { take_for: Some("nonsense".to_owned()), ..OpenOptions::default() };
    assert!(open(folder.path(), &options).err().expect("an error").to_string().contains("nonsense"));
}

/// One line of 300 MB, with a mark at every place where windows meet.
#[test]
fn a_long_line_is_read_in_windows() {
    struct Marks(Mutex<Vec<u64>>);
    impl Sink for Marks {
        fn document(&self, document: &Document<'_>) {
            let place = document.spans.and_then(|spans| spans.place()).expect("a window");
            for at in memchr_find(document.bytes) {
                if place.own.contains(&at) {
                    self.0.lock().expect("no panic").push(place.offset + at as u64);
                }
            }
        }
    }
    fn memchr_find(bytes: &[u8]) -> Vec<usize> {
        memchr::memmem::find_iter(bytes, b"<mark>").collect()
    }
    let folder = tempfile::tempdir().expect("folder");
    let file = folder.path().join("long.txt");
    let mut content = vec![b'x'; 300 << 20];
    let mut expected = Vec::new();
    let mut at = 1000;
    while at + 6 < content.len() {
        content[at..at + 6].copy_from_slice(b"<mark>");
        expected.push(at as u64);
        at += (8 << 20) - (256 << 10) - 3;
    }
    fs::write(&file, &content).expect("file");
    let marks = Marks(Mutex::default());
    let coverage = Files::new(&file, &OpenOptions::default()).read(&marks, &Progress::default()).expect("reads");
    let mut found = marks.0.into_inner().expect("no panic");
    found.sort_unstable();
    assert_eq!(found, expected);
    assert_eq!(coverage.bytes, content.len() as u64);
}
