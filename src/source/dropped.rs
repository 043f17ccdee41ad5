//! Exports that lie packed in a folder among other files: each is read as a whole, with its own list of people.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{OpenOptions, Source, bundle, export, slack};
use crate::error::Result;

/// Entries of folders that the search passes before it ends; archives behind that are read member by member.
const ENTRIES: usize = 50_000;
/// Unpacked bytes of a packed tar that tell whether it is an export.
const HEAD: u64 = 4 << 20;

/// An export and its sources.
pub(super) type Dropped = (PathBuf, Vec<Box<dyn Source>>);

/// Every packed export below a folder, in order of the paths. Git's own folders and links are left alone.
///
/// # Errors
/// As those of the formats.
pub(super) fn below(root: &Path, options: &OpenOptions) -> Result<Vec<Dropped>> {
    let (mut found, mut left) = (Vec::new(), ENTRIES);
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            left = left.saturating_sub(1);
            if left == 0 {
                break;
            }
            let Ok(kind) = entry.file_type() else { continue };
            let path = entry.path();
            if kind.is_dir() && entry.file_name() != ".git" {
                waiting.push(path);
            } else if kind.is_file()
                && archive(&path)
                && options.max_file_size.is_none_or(|most| entry.metadata().is_ok_and(|meta| meta.len() <= most))
            {
                // An archive that cannot be opened is named when it is read as a file.
                let whole = || -> Result<_> {
                    Ok(match slack::recognise(&path, options)? {
                        Some(sources) => Some(sources),
                        None => export::recognise_whole(&path)?,
                    })
                };
                if let Ok(Some(sources)) = whole() {
                    found.push((path, sources));
                }
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Whether a file is an archive that may be an export: a zip file or a tar by their names, a packed tar by what it starts with.
fn archive(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name.ends_with(".zip")
        || name.ends_with(".tar")
        || (name.ends_with(".tgz") || name.ends_with(".tar.gz")) && packed(path)
}

/// Unpacking a whole tar to look at its names would cost as much as reading it.
fn packed(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file).take(HEAD));
    let Ok(entries) = archive.entries() else { return false };
    for mut entry in entries.flatten() {
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        let mut head = Vec::new();
        let read = entry.by_ref().take(16 << 10).read_to_end(&mut head);
        if !bundle::leads_out(&name) && (slack::is_part(&name) || read.is_ok() && export::is_part(&name, &head)) {
            return true;
        }
    }
    false
}
