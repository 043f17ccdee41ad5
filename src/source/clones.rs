//! Many repositories at once: a folder of clones, and the submodules of one clone.
//!
//! Clones that share their objects, such as the work trees of one repository, are read once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::git::{self, GitHistory};
use super::{OpenOptions, Source, export, files::Files, slack};
use crate::error::{Error, Result};

/// Folders that are looked into before the search for clones ends.
const FOLDERS: usize = 200_000;

/// Takes a folder with clones in it: the history of each, and everything in the folder once.
///
/// # Errors
/// As those of the formats that the folder may be besides.
pub(super) fn recognise(path: &Path, options: &OpenOptions) -> Result<Option<Vec<Box<dyn Source>>>> {
    if !path.is_dir() {
        return Ok(None);
    }
    let clones = below(path);
    if clones.is_empty() {
        return Ok(None);
    }
    let mut sources = histories(&clones, options);
    if options.work_tree {
        // Clones beside an export do not make the export a folder of plain files.
        let rest = match slack::recognise(path, options)? {
            Some(rest) => Some(rest),
            None => export::recognise(path, options)?,
        };
        sources.extend(rest.unwrap_or_else(|| vec![Box::new(Files::new(path, options))]));
    }
    Ok(Some(sources))
}

/// The histories of a repository's submodules, whose objects lie in its git folder.
pub(super) fn submodules(repository: &Path, options: &OpenOptions) -> Vec<Box<dyn Source>> {
    let Some(modules) = git::folder_of(repository).map(|folder| folder.join("modules")) else { return Vec::new() };
    if modules.is_dir() { histories(&below(&modules), options) } else { Vec::new() }
}

fn histories(clones: &[PathBuf], options: &OpenOptions) -> Vec<Box<dyn Source>> {
    let mut seen = HashSet::new();
    let mut sources: Vec<Box<dyn Source>> = Vec::new();
    for clone in clones.iter().filter(|_| options.history) {
        let objects = git::folder_of(clone).map(|folder| common(&folder));
        if seen.insert(objects) {
            sources.push(Box::new(GitHistory::new(clone).incremental(options.seen.clone())));
        }
    }
    sources
}

/// Where a git folder keeps its objects: linked work trees name another folder for that.
fn common(folder: &Path) -> PathBuf {
    let told = std::fs::read_to_string(folder.join("commondir")).ok();
    let common = told.map_or_else(|| folder.to_owned(), |told| folder.join(told.trim()));
    common.canonicalize().unwrap_or(common)
}

/// Every clone in a folder, bare or not, in order of the paths. What lies in the git folder of one is its own business.
fn below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut waiting = vec![root.to_owned()];
    let mut left = FOLDERS;
    while let Some(folder) = waiting.pop() {
        left = left.saturating_sub(1);
        if left == 0 {
            break;
        }
        let (mut inner, mut marked, mut bare) = (Vec::new(), false, 0);
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let (name, kind) = (entry.file_name(), entry.file_type());
            marked |= name == ".git";
            bare += usize::from(name == "HEAD" || name == "objects" || name == "refs");
            if kind.is_ok_and(|kind| kind.is_dir()) && name != ".git" {
                inner.push(entry.path());
            }
        }
        let clone = (marked || bare == 3) && git::is_repository(&folder);
        if clone {
            found.push(folder);
        }
        if !clone || marked {
            waiting.append(&mut inner);
        }
    }
    found.sort();
    found
}

/// Paths out of a list of repositories, one a line; `#` starts a comment. Relative ones start at the list's folder.
///
/// # Errors
/// When the list cannot be read, names nothing, or names something that is not here.
pub fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let shown = list.display();
    let text = std::fs::read_to_string(list)
        .map_err(|cause| Error::unreadable(format!("the list of repositories {shown}"), cause))?;
    let folder = list.parent().unwrap_or(Path::new(""));
    let mut paths = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim().trim_start_matches('\u{feff}');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let path = folder.join(line);
        if !path.exists() {
            return Err(Error::user(format!("line {} of {shown} names {line}, which is not here", number + 1))
                .next("Clone it first; the list holds paths of clones, bare or not, one a line."));
        }
        paths.push(path);
    }
    if paths.is_empty() {
        return Err(Error::user(format!("the list of repositories {shown} is empty")));
    }
    Ok(paths)
}
