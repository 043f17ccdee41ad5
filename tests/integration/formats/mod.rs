//! Exports of every format: made up here, and as other people's products wrote them.

mod chat;
mod desk;
mod documents;
mod files;
#[expect(clippy::print_stdout, reason = "a test on samples says what it compared")]
mod planted;
mod planted_text;
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a test that skips says so")]
pub(crate) mod samples;
mod tricky;
mod variants;

use std::path::Path;
use std::sync::{Arc, Mutex};

use offkey::source::{self, Coverage, Document, Item, OpenOptions, PersonRef, Progress, Provenance, Sink};

/// A text with the item that it is, if an export gave one, and its place.
pub(crate) struct Piece {
    pub(crate) text: String,
    pub(crate) item: Option<Arc<Item>>,
    pub(crate) place: String,
}

impl Piece {
    pub(crate) fn item(&self) -> &Item {
        self.item.as_ref().unwrap_or_else(|| panic!("no item at {}", self.place))
    }

    pub(crate) fn author(&self) -> Option<&PersonRef> {
        self.item().author.as_ref()
    }

    /// E-mail address of the author, or what else is known of them.
    pub(crate) fn by(&self) -> &str {
        let Some(who) = self.author() else { return "" };
        [&who.email, &who.handle, &who.display, &who.id].into_iter().flatten().next().map_or("", String::as_str)
    }

    pub(crate) fn pointer(&self) -> &str {
        self.item().pointer.as_deref().unwrap_or_default()
    }

    pub(crate) fn link(&self) -> &str {
        self.item().permalink.as_deref().unwrap_or_default()
    }

    pub(crate) fn created(&self) -> &str {
        self.item().created.as_deref().unwrap_or_default()
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<Piece>>);

impl Sink for Kept {
    fn document(&self, document: &Document<'_>) {
        let item = match document.provenance {
            Provenance::Export { item, .. } => Some(Arc::clone(item)),
            _ => None,
        };
        let text = String::from_utf8_lossy(document.bytes).into_owned();
        self.0.lock().expect("not poisoned").push(Piece { text, item, place: document.provenance.to_string() });
    }
}

/// Everything that a path holds.
pub(crate) struct Seen {
    pub(crate) pieces: Vec<Piece>,
    pub(crate) coverage: Vec<Coverage>,
}

impl Seen {
    /// The pieces with this text in them.
    pub(crate) fn all(&self, text: &str) -> Vec<&Piece> {
        self.pieces.iter().filter(|piece| piece.text.contains(text)).collect()
    }

    /// The only piece with this text.
    pub(crate) fn one(&self, text: &str) -> &Piece {
        let all = self.all(text);
        let places: Vec<String> = all.iter().map(|p| format!("{} {:?}", p.place, p.item)).collect();
        assert_eq!(all.len(), 1, "{text} stands at {places:#?}");
        all[0]
    }

    /// Whether any part could not be read.
    pub(crate) fn gaps(&self) -> Vec<String> {
        self.coverage.iter().flat_map(|part| part.gaps.iter()).map(|gap| format!("{gap:?}")).collect()
    }
}

pub(crate) fn read_as(path: &Path, options: &OpenOptions) -> Seen {
    let kept = Kept::default();
    let sources = source::open(path, options).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let coverage = sources.iter().map(|one| one.read(&kept, &Progress::default()).expect("readable")).collect();
    Seen { pieces: kept.0.into_inner().expect("not poisoned"), coverage }
}

pub(crate) fn read(path: &Path) -> Seen {
    read_as(path, &OpenOptions::default())
}

/// Writes files into a new folder and reads the folder.
pub(crate) fn folder(files: &[(&str, &str)]) -> Seen {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("writable");
    }
    read(dir.path())
}

/// One file alone.
pub(crate) fn file(name: &str, content: impl AsRef<[u8]>) -> Seen {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join(name);
    std::fs::write(&path, content).expect("writable");
    read(&path)
}

/// A made-up token that no scanner knows.
pub(crate) fn token(name: &str) -> String {
    format!("{}{name}{}", concat!("tk", "9_"), "x7Q2mZ")
}
