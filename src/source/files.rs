//! Files of a directory tree, or a single file. Reads everything that is text, and says what it left out: files that
//! `.gitignore` excludes, binary content, symbolic links, git's own folder, anything that cannot be read.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::{Coverage, Document, OpenOptions, Progress, Provenance, Sink, Source, content, windows};
use crate::error::{Error, Result};

/// Files above this size are read in windows.
const LARGE: u64 = 32 << 20;
/// Files of a folder that one task reads.
const BATCH: usize = 64;

/// The files under a path.
pub struct Files {
    root: PathBuf,
    ignored: bool,
    max_file_size: Option<u64>,
    /// Files that are sources of their own.
    without: HashSet<PathBuf>,
}

impl Files {
    /// The files under a folder, or one file.
    pub fn new(root: &Path, options: &OpenOptions) -> Self {
        Self {
            root: root.to_path_buf(),
            ignored: options.ignored,
            max_file_size: options.max_file_size,
            without: HashSet::new(),
        }
    }
}

impl Files {
    /// Leaves out files that are read as sources of their own.
    pub(super) fn without(mut self, paths: Vec<PathBuf>) -> Self {
        self.without = paths.into_iter().collect();
        self
    }
}

impl Source for Files {
    fn name(&self) -> String {
        format!("files of {}", self.root.display())
    }

    fn read(&self, sink: &dyn Sink, progress: &Progress) -> Result<Coverage> {
        let mut account = Coverage::new(self.name(), "files");
        let meta = fs::metadata(&self.root).map_err(|cause| Error::unreadable(self.root.display(), cause))?;
        let walk = Walk { files: self, sink, progress, total: Mutex::new(Coverage::default()) };
        if meta.is_dir() {
            let rules = if self.ignored { None } else { above(&self.root) };
            rayon::scope(|scope| walk.folder(scope, self.root.clone(), rules));
        } else {
            let mut share = Coverage::default();
            walk.file(&self.root, &mut share);
            walk.add(share);
        }
        account.absorb(walk.total.into_inner().expect("because no thread panics with the lock held"));
        Ok(account)
    }
}

/// `.gitignore` files from a folder up to the top of its repository.
struct Rules {
    here: Gitignore,
    above: Option<Arc<Rules>>,
}

impl Rules {
    fn excludes(&self, path: &Path, folder: bool) -> bool {
        let mut at = Some(self);
        while let Some(rules) = at {
            match rules.here.matched(path, folder) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => at = rules.above.as_deref(),
            }
        }
        false
    }
}

/// Rules that hold in a folder because of folders above it; `None` outside of a repository.
fn above(root: &Path) -> Option<Arc<Rules>> {
    let root = fs::canonicalize(root).ok()?;
    let chain: Vec<&Path> = root.ancestors().collect();
    let top = chain.iter().position(|folder| folder.join(".git").exists())?;
    chain[1..=top.max(1).min(chain.len() - 1)]
        .iter()
        .rev()
        .filter(|_| top > 0)
        .fold(None, |rules, folder| within(folder, rules))
}

/// Rules that hold in a folder.
fn within(folder: &Path, above: Option<Arc<Rules>>) -> Option<Arc<Rules>> {
    let top = folder.join(".git").exists();
    let mut above = if top { None } else { above };
    if top {
        // Weakest first: the user's own excludes, then those of this clone.
        let (global, _unreadable) = GitignoreBuilder::new(folder).build_global();
        above = Some(Arc::new(Rules { here: global, above: None }));
        let mut exclude = GitignoreBuilder::new(folder);
        if exclude.add(folder.join(".git/info/exclude")).is_none()
            && let Ok(here) = exclude.build()
        {
            above = Some(Arc::new(Rules { here, above }));
        }
    }
    let file = folder.join(".gitignore");
    if above.is_none() || !file.is_file() {
        return above;
    }
    // A line that cannot be understood excludes nothing, as in git.
    let (here, _unreadable) = Gitignore::new(file);
    Some(Arc::new(Rules { here, above }))
}

struct Walk<'a> {
    files: &'a Files,
    sink: &'a dyn Sink,
    progress: &'a Progress,
    total: Mutex<Coverage>,
}

thread_local! {
    /// Content of the file that this thread reads.
    static CONTENT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl<'a> Walk<'a> {
    fn add(&self, share: Coverage) {
        self.total.lock().expect("because no thread panics with the lock held").absorb(share);
    }

    fn folder<'s>(&'s self, scope: &rayon::Scope<'s>, folder: PathBuf, above: Option<Arc<Rules>>) {
        let mut share = Coverage::default();
        let rules = if self.files.ignored { None } else { within(&folder, above) };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) => {
                share.fail(folder.display().to_string(), format!("folder cannot be read ({})", error.kind()));
                return self.add(share);
            }
        };
        let mut batch = Vec::new();
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    share.fail(folder.display().to_string(), format!("folder cannot be read ({})", error.kind()));
                    break;
                }
            };
            let path = entry.path();
            let kind = match entry.file_type() {
                Ok(kind) => kind,
                Err(error) => {
                    share.fail(path.display().to_string(), format!("cannot be read ({})", error.kind()));
                    continue;
                }
            };
            if kind.is_symlink() {
                share.skip(path.display().to_string(), "symbolic link");
            } else if rules.as_ref().is_some_and(|rules| rules.excludes(&path, kind.is_dir())) {
                share.skip(path.display().to_string(), "excluded by .gitignore");
            } else if kind.is_dir() && entry.file_name() == ".git" {
                let own = folder == self.files.root || !self.files.root.join(".git").exists();
                // Clones in a folder are read as such; one inside of another repository is not looked for.
                let why = if own { "git's own folder, read as history" } else { "a repository inside of another one" };
                share.skip(path.display().to_string(), why);
            } else if kind.is_dir() {
                let rules = rules.clone();
                scope.spawn(move |scope| self.folder(scope, path, rules));
            } else if kind.is_file() && self.files.without.contains(&path) {
                // Read beside this source, and named there.
            } else if kind.is_file() {
                batch.push(path);
                if batch.len() == BATCH {
                    let batch = std::mem::take(&mut batch);
                    scope.spawn(move |_| self.batch(&batch, Coverage::default()));
                }
            } else {
                share.skip(path.display().to_string(), "not a regular file");
            }
        }
        self.batch(&batch, share);
    }

    fn batch(&self, batch: &[PathBuf], mut share: Coverage) {
        for path in batch {
            self.file(path, &mut share);
        }
        self.add(share);
    }

    fn file(&self, path: &Path, share: &mut Coverage) {
        let failed = |share: &mut Coverage, error: &std::io::Error| {
            share.fail(path.display().to_string(), format!("cannot be read ({})", error.kind()));
        };
        let (mut file, size) = match File::open(path).and_then(|file| file.metadata().map(|meta| (file, meta.len()))) {
            Ok(opened) => opened,
            Err(error) => return failed(share, &error),
        };
        if self.files.max_file_size.is_some_and(|most| size > most) {
            return share.skip(path.display().to_string(), "larger than --max-file-size");
        }
        let provenance = Provenance::File { path: path.display().to_string(), inside: Vec::new() };
        self.progress.expect(size);
        let read = if size > LARGE {
            self.huge(path, &mut file, &provenance, share)
        } else {
            CONTENT.with_borrow_mut(|buffer| {
                buffer.clear();
                buffer.reserve(size as usize + 1);
                // A file that grows while it is read is cut where it would become large.
                (&mut file).take(LARGE * 2).read_to_end(buffer)?;
                share.raw_bytes += buffer.len() as u64;
                content::hand_on(buffer, &provenance, self.sink, share);
                Ok(())
            })
        };
        self.progress.advance(size);
        if let Err(error) = read {
            failed(share, &error);
        }
    }

    /// An export or archive too large for memory is read as what it is, everything else in windows.
    fn huge(&self, path: &Path, file: &mut File, provenance: &Provenance, share: &mut Coverage) -> std::io::Result<()> {
        let mut head = vec![0; 32 << 10];
        let got = windows::fill(file, &mut head)?;
        if super::export::large_document(path, &head[..got], provenance, self.sink, share)
            || super::archive::large(path, &head[..got], provenance, self.sink, share)
            || super::export::large(path, &head[..got], self.sink, share) == Some(true)
        {
            return Ok(());
        }
        std::io::Seek::rewind(file)?;
        self.large(file, provenance, share)
    }

    fn large(&self, file: &mut File, provenance: &Provenance, share: &mut Coverage) -> std::io::Result<()> {
        let fed = windows::feed(file, &mut |bytes, spans| {
            self.sink.document(&Document { bytes, provenance, spans: Some(spans) });
        })?;
        match fed {
            Ok(bytes) => {
                share.documents += 1;
                share.bytes += bytes;
                share.raw_bytes += bytes;
            }
            Err(why) => share.skip(provenance.to_string(), why),
        }
        Ok(())
    }
}
