//! From a path to the sources that read it, decided by what is there and not by its name.

use std::path::Path;
use std::sync::Arc;

use super::files::Files;
use super::git::{self, GitHistory};
use super::slack;
use super::{Seen, Source, clones, dropped, export};
use crate::error::{Error, Result};

/// How a path is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// Take the path for this format instead of looking: a name out of [`formats`].
    pub take_for: Option<String>,
    /// Read the full history of a git repository.
    pub history: bool,
    /// Read the files of a work tree.
    pub work_tree: bool,
    /// Read files that `.gitignore` leaves out, too.
    pub ignored: bool,
    /// Threads to use; `None` is one a core.
    pub threads: Option<usize>,
    /// Skip files above this size in bytes; `None` reads all.
    pub max_file_size: Option<u64>,
    /// Objects of histories that need no second look.
    pub seen: Option<Arc<Seen>>,
    /// Names of the fields of an unknown table or list, `text=…,author=…,time=…`, for the format `map`.
    pub map: Option<String>,
}

impl Default for OpenOptions {
    fn default() -> Self {
        Self {
            take_for: None,
            history: true,
            work_tree: true,
            ignored: false,
            threads: None,
            max_file_size: None,
            seen: None,
            map: None,
        }
    }
}

/// Looks at a path and gives its sources, or `None` when it is of another format.
pub type Recogniser = fn(&Path, &OpenOptions) -> Result<Option<Vec<Box<dyn Source>>>>;

/// Every format, one line each, the most specific first; plain files take what nobody else wants.
const RECOGNISERS: &[(&str, Recogniser)] = &[
    ("git", repository),
    ("clones", clones::recognise),
    ("slack-export", slack::recognise),
    ("export", export::recognise),
    ("files", tree),
];

/// Names of the formats that a path can be taken for.
pub fn formats() -> Vec<&'static str> {
    RECOGNISERS.iter().map(|pair| pair.0).chain(export::ids()).collect()
}

/// Whether [`OpenOptions::map`] may have this text: only fields that exist, in the form `field=name`.
///
/// # Errors
/// What is wrong with it.
pub fn check_map(map: &str) -> std::result::Result<(), String> {
    export::check_map(map)
}

/// Finds out what a path is and opens it. A repository gives its history and, if it has one, its work tree.
///
/// # Errors
/// When there is nothing at the path, or `take_for` names an unknown format or one that the path is not.
pub fn open(path: &Path, options: &OpenOptions) -> Result<Vec<Box<dyn Source>>> {
    if let Err(cause) = path.metadata() {
        return Err(Error::user(format!("{} cannot be read", path.display()))
            .because(cause)
            .next("Name a git repository, a folder, a file or an export."));
    }
    if let Some(wanted) = &options.take_for {
        let known = RECOGNISERS
            .iter()
            .find(|pair| pair.0 == wanted || pair.0 == "export" && export::ids().contains(&wanted.as_str()))
            .ok_or_else(|| {
                Error::user(format!("no format is called {wanted}"))
                    .next(format!("Known formats: {}.", formats().join(", ")))
            })?;
        return known.1(path, options)?
            .ok_or_else(|| Error::user(format!("{} is not of the format {wanted}", path.display())));
    }
    for (_, recognise) in RECOGNISERS {
        if let Some(sources) = recognise(path, options)? {
            return Ok(sources);
        }
    }
    Err(Error::internal("no format takes plain files"))
}

fn repository(path: &Path, options: &OpenOptions) -> Result<Option<Vec<Box<dyn Source>>>> {
    if !git::is_repository(path) {
        return Ok(None);
    }
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    if options.history {
        sources.push(Box::new(GitHistory::new(path).incremental(options.seen.clone())));
        sources.extend(clones::submodules(path, options));
    }
    let has_tree = path.join(".git").exists();
    if options.work_tree && has_tree {
        sources.push(Box::new(Files::new(path, options)));
    }
    Ok(Some(sources))
}

fn tree(path: &Path, options: &OpenOptions) -> Result<Option<Vec<Box<dyn Source>>>> {
    if options.take_for.is_some() || !path.is_dir() {
        return Ok(Some(vec![Box::new(Files::new(path, options))]));
    }
    let (paths, exports): (Vec<_>, Vec<_>) = dropped::below(path, options)?.into_iter().unzip();
    let files: Box<dyn Source> = Box::new(Files::new(path, options).without(paths));
    Ok(Some(std::iter::once(files).chain(exports.into_iter().flatten()).collect()))
}
