//! An export as a whole: a folder, an archive or one file whose parts belong together.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rayon::prelude::*;

use super::super::bundle::Bundle;
use super::super::{Coverage, Document, Kin, OpenOptions, Progress, Provenance, Sink, Source, content, windows};
use super::known::Known;
use super::one::{self, claimed};
use super::{Format, HEAD, formats};
use crate::error::{Error, Result};

/// Files that a look at a folder opens, and entries that it passes, before it takes the folder for plain files.
const LOOKS: (usize, usize) = (300, 4000);

/// Files up to this size are read at once.
const SMALL: u64 = 32 << 20;

/// An export of one or more formats.
struct Export {
    path: PathBuf,
    forced: Option<&'static Format>,
    map: Option<String>,
}

/// Takes a path that some format claims: a file, an archive with such a file, or a folder with a file of a format that keeps
/// its people in other files. A folder with a single-file export among other things stays a folder of files.
///
/// # Errors
/// When an archive is damaged so that it has no list of members.
pub(in super::super) fn recognise(path: &Path, options: &OpenOptions) -> Result<Option<Vec<Box<dyn Source>>>> {
    let forced = options.take_for.as_deref().and_then(formats::by_id);
    let export = Export { path: path.to_owned(), forced, map: options.map.clone() };
    let mine = forced.is_some()
        || if path.is_dir() {
            folder(path)
        } else {
            match Bundle::any(path, &mut Coverage::default()) {
                Ok(Some(bundle)) => {
                    bundle.names().iter().take(LOOKS.1).any(|name| export.format(&bundle, name).is_some())
                }
                _ => false,
            }
        };
    Ok(mine.then(|| vec![Box::new(export) as Box<dyn Source>]))
}

/// Takes an archive with a file of a format that keeps its people in other files.
///
/// # Errors
/// When the archive is damaged so that it has no list of members.
pub(in super::super) fn recognise_whole(path: &Path) -> Result<Option<Vec<Box<dyn Source>>>> {
    let Some(bundle) = Bundle::any(path, &mut Coverage::default())? else { return Ok(None) };
    let export = Export { path: path.to_owned(), forced: None, map: None };
    let names = bundle.names();
    let mut plausible = names.iter().filter(|name| formats::plausible(Path::new(name))).take(LOOKS.0);
    let mine = !matches!(bundle, Bundle::Single(..))
        && plausible.any(|name| export.format(&bundle, name).is_some_and(|format| formats::MANY.contains(&format.id)));
    Ok(mine.then(|| vec![Box::new(export) as Box<dyn Source>]))
}

/// Whether a member of an archive is of such a format, by its name and first bytes.
pub(in super::super) fn is_part(name: &str, head: &[u8]) -> bool {
    let marker = matches!(name, "GITLAB_VERSION" | "GITLAB_REVISION");
    marker
        || formats::plausible(Path::new(name))
            && claimed(name, head).is_some_and(|format| formats::MANY.contains(&format.id))
}

/// Whether a folder holds a file of a format of many files.
fn folder(path: &Path) -> bool {
    let mut waiting = VecDeque::from([path.to_owned()]);
    let (mut looks, mut entries) = LOOKS;
    while let Some(folder) = waiting.pop_front() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            entries = entries.saturating_sub(1);
            let (inner, kind) = (entry.path(), entry.file_type());
            if kind.as_ref().is_ok_and(|kind| kind.is_dir()) && entry.file_name() != ".git" {
                waiting.push_back(inner);
            } else if kind.is_ok_and(|kind| kind.is_file()) && formats::plausible(&inner) {
                looks = looks.saturating_sub(1);
                let mut head = vec![0; HEAD];
                let got =
                    std::fs::File::open(&inner).and_then(|mut file| windows::fill(&mut file, &mut head)).unwrap_or(0);
                let name = inner.strip_prefix(path).unwrap_or(&inner).display().to_string();
                if claimed(&name, &head[..got]).is_some_and(|format| formats::MANY.contains(&format.id)) {
                    return true;
                }
            }
            if looks == 0 || entries == 0 {
                return false;
            }
        }
    }
    false
}

impl Export {
    fn open(&self, coverage: &mut Coverage) -> Result<Bundle> {
        Bundle::any(&self.path, coverage)?
            .ok_or_else(|| Error::user(format!("{} is no export any more", self.path.display())))
    }

    fn format(&self, bundle: &Bundle, name: &str) -> Option<&'static Format> {
        if self.forced.is_some() {
            return self.forced;
        }
        let mut head = Vec::new();
        bundle
            .with(name, &mut |read| {
                // What breaks off early is told by what there is; the break is named when it is read.
                let _broken = read.take(HEAD as u64).read_to_end(&mut head);
                Ok(())
            })
            .ok()?;
        claimed(name, &head)
    }

    fn shown(&self, bundle: &Bundle, name: &str) -> String {
        match bundle {
            Bundle::Single(..) => self.path.display().to_string(),
            _ => format!("{}/{name}", self.path.display()),
        }
    }

    /// First pass: people and conversations of every format.
    fn learn(&self, bundle: &Bundle, files: &[(&str, Option<&'static Format>)]) -> HashMap<&'static str, Known> {
        let mut known: HashMap<&'static str, Known> = HashMap::new();
        for (name, format) in files {
            let Some(format) = format else { continue };
            let known = known.entry(format.id).or_default();
            if let Some(learn) = format.learn {
                // What cannot be read here is named by the second pass.
                let _again = bundle.with(name, &mut |read| {
                    let map = self.map.as_deref();
                    one::decoded(read, &mut |read| learn(&mut super::Input { name, read, map }, known))
                });
            }
        }
        known
    }

    fn file(
        &self,
        bundle: &Bundle,
        name: &str,
        format: Option<(&'static Format, &Known)>,
        sink: &dyn Sink,
        part: &mut Coverage,
    ) {
        let shown = self.shown(bundle, name);
        part.raw_bytes += bundle.size(name);
        if let Some((format, known)) = format {
            let mut open: Box<one::Open<'_>> = Box::new(|each| bundle.with(name, &mut |read| one::decoded(read, each)));
            let map = self.map.as_deref();
            let done = one::read(format, name, &shown, Some(known), map, &mut open, sink, part);
            let Err(why) = done else { return };
            part.fail(&shown, format!("not all of this {} could be read, searched without authors: {why}", format.id));
        }
        let provenance = Provenance::File { path: shown.clone(), inside: Vec::new() };
        let done =
            bundle.with(name, &mut |read| plain(read, bundle.size(name), &provenance, format.is_some(), sink, part));
        if let Err(why) = done {
            part.fail(shown, why);
        }
    }
}

/// A file that no format claims, or the whole text of one that broke.
fn plain(
    read: &mut dyn Read,
    size: u64,
    provenance: &Provenance,
    broken: bool,
    sink: &dyn Sink,
    part: &mut Coverage,
) -> Result<(), String> {
    if size <= SMALL && !broken {
        let mut bytes = Vec::new();
        read.take(SMALL * 2).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        content::hand_on(&bytes, provenance, sink, part);
        return Ok(());
    }
    let fed = windows::feed(read, &mut |bytes, spans| {
        sink.document(&Document { bytes, provenance, spans: Some(spans) });
    });
    match fed.map_err(|error| error.to_string())? {
        Ok(bytes) => {
            part.documents += 1;
            part.bytes += bytes;
        }
        Err(why) => part.skip(provenance.to_string(), why),
    }
    Ok(())
}

impl Source for Export {
    fn name(&self) -> String {
        format!("export {}", self.path.display())
    }

    fn read(&self, sink: &dyn Sink, progress: &Progress) -> Result<Coverage> {
        let mut coverage = Coverage::new(self.name(), "");
        let bundle = self.open(&mut coverage)?;
        let files: Vec<_> = bundle.names().into_iter().map(|name| (name, self.format(&bundle, name))).collect();
        progress.expect(files.iter().map(|file| bundle.size(file.0)).sum());
        let ids: BTreeSet<&str> = files.iter().filter_map(|file| Some(file.1?.id)).collect();
        coverage.format =
            if ids.is_empty() { "files".to_owned() } else { ids.into_iter().collect::<Vec<_>>().join("+") };
        let known = self.learn(&bundle, &files);
        for why in known.values().filter_map(Known::lost) {
            coverage.fail(self.path.display().to_string(), why);
        }
        let total = Mutex::new(coverage);
        files.par_iter().for_each(|(name, format)| {
            let mut part = Coverage::default();
            let format = format.and_then(|format| Some((format, known.get(format.id)?)));
            self.file(&bundle, name, format, sink, &mut part);
            progress.advance(bundle.size(name));
            total.lock().expect("because no thread panics with the lock held").absorb(part);
        });
        Ok(total.into_inner().expect("because no thread panics with the lock held"))
    }

    fn roster(&self) -> Result<Vec<Kin>> {
        let bundle = self.open(&mut Coverage::default())?;
        let files: Vec<_> = bundle.names().into_iter().map(|name| (name, self.format(&bundle, name))).collect();
        let reason = format!("people of the {}", self.name());
        let people = self.learn(&bundle, &files).into_values().flat_map(|known| known.everybody());
        Ok(people.map(|person| Kin { people: vec![person], reason: reason.clone() }).collect())
    }
}
