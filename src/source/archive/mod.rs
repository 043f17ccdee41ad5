//! Archives and packed files inside anything: every member is handed on as content of its own, down to a depth and a total
//! size that no honest archive reaches.

mod ar;
mod cpio;
mod packed;
mod sevenz;

use std::cell::Cell;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::Path;
use std::sync::Arc;

use super::content::{self, Opener, Wrapped};
use super::{Coverage, Document, Provenance, Sink, bundle, windows};

/// Archives within archives.
const DEPTH: usize = 8;
/// Members up to this size are held in memory and may be archives themselves; longer ones are searched in windows.
const HELD: u64 = 48 << 20;
/// Unpacked bytes for a packed one, over a whole outermost archive, and the least that every archive may unpack to.
const RATIO: u64 = 250;
const LEAST: u64 = 64 << 20;

/// Every kind of archive.
pub(super) const OPENERS: &[Opener] =
    &[zip_opener, packed::opener, tar_opener, ar::opener, cpio::rpm, cpio::opener, sevenz::opener];

thread_local! {
    /// What the outermost archive that this thread is in may still unpack to.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Runs `inner` with the allowance of an outermost archive of this size, or within the one that is open.
fn allowed(size: u64, inner: impl FnOnce()) {
    let outermost = LEFT.get().is_none();
    if outermost {
        LEFT.set(Some(size.saturating_mul(RATIO).max(LEAST)));
    }
    inner();
    if outermost {
        LEFT.set(None);
    }
}

/// The place of a member.
pub(super) fn within(provenance: &Provenance, member: &str) -> Provenance {
    let mut inner = provenance.clone();
    match &mut inner {
        Provenance::File { inside, .. } | Provenance::Git { inside, .. } => inside.push(member.to_owned()),
        Provenance::Export { item, .. } => {
            let item = Arc::make_mut(item);
            item.pointer = Some(format!("{}!{member}", item.pointer.as_deref().unwrap_or_default()));
        }
        Provenance::Store { locator: name, .. } | Provenance::Stream { name } => *name = format!("{name}!{member}"),
    }
    inner
}

fn depth(provenance: &Provenance) -> usize {
    match provenance {
        Provenance::File { inside, .. } | Provenance::Git { inside, .. } => inside.len(),
        Provenance::Export { item, .. } => item.pointer.as_deref().map_or(0, |pointer| pointer.matches('!').count()),
        Provenance::Store { locator: name, .. } | Provenance::Stream { name } => name.matches('!').count(),
    }
}

/// Where the members of one archive go.
struct Members<'a> {
    provenance: &'a Provenance,
    sink: &'a dyn Sink,
    account: &'a mut Coverage,
}

impl Members<'_> {
    /// False when an archive lies too deep to be opened; it is named in the account.
    fn may_open(&mut self) -> bool {
        let fits = depth(self.provenance) < DEPTH;
        if !fits {
            self.account.fail(content::place(self.provenance), "archives nested too deep");
        }
        fits
    }

    /// Notes that the archive itself cannot be read, in whole or from here on.
    fn broken(&mut self, why: impl std::fmt::Display) {
        self.account.fail(content::place(self.provenance), format!("the archive is cut off or damaged: {why}"));
    }

    /// Notes a member that was not read.
    fn fail(&mut self, member: &str, why: &str) {
        self.account.fail(content::place(&within(self.provenance, member)), why);
    }

    /// Reads one member. False when the allowance is used up, and no more of this archive should be read.
    fn member(&mut self, name: &str, read: &mut dyn Read) -> bool {
        let inner = within(self.provenance, name);
        let left = LEFT.get().unwrap_or(LEAST);
        let mut bounded = bundle::Bounded { inner: read, left };
        let mut held = Vec::new();
        let result = (&mut bounded).take(HELD).read_to_end(&mut held);
        LEFT.set(Some(bounded.left));
        if result.is_err() && !held.is_empty() {
            // What came before the break is text as well.
            content::hand_on(&held, &inner, self.sink, self.account);
        }
        let result = result.and_then(|got| {
            if (got as u64) < HELD {
                content::hand_on(&held, &inner, self.sink, self.account);
                return Ok(());
            }
            // An archive this large inside of another is searched as it is, which finds what is stored unpacked.
            let mut rest = held.as_slice().chain(&mut bounded);
            let fed = windows::feed(&mut rest, &mut |bytes, spans| {
                self.sink.document(&Document { bytes, provenance: &inner, spans: Some(spans) });
            })?;
            match fed {
                Ok(bytes) => {
                    self.account.documents += 1;
                    self.account.bytes += bytes;
                }
                Err(why) => self.account.skip(content::place(&inner), why),
            }
            Ok(())
        });
        if held.len() as u64 >= HELD {
            LEFT.set(Some(bounded.left));
        }
        match result {
            Ok(()) => true,
            Err(error) => {
                self.account.fail(content::place(&inner), error.to_string());
                !error.to_string().contains("unpacks to too much")
            }
        }
    }
}

fn zip_opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !wrapped.bytes.starts_with(b"PK\x03\x04") {
        return false;
    }
    let members = Members { provenance: wrapped.provenance, sink, account };
    allowed(wrapped.bytes.len() as u64, || zip(Cursor::new(wrapped.bytes), members));
    true
}

fn zip<R: Read + Seek>(mut read: R, mut members: Members<'_>) {
    if !members.may_open() {
        return;
    }
    let mut archive = match zip::ZipArchive::new(&mut read) {
        Ok(archive) => archive,
        Err(error) => {
            members.broken(error);
            return salvage(read, members);
        }
    };
    for number in 0..archive.len() {
        let mut member = match archive.by_index(number) {
            Ok(member) => member,
            Err(error) => {
                let text = error.to_string();
                let why = if text.to_lowercase().contains("password") { "encrypted archive".to_owned() } else { text };
                members.fail(&format!("member {number}"), &why);
                continue;
            }
        };
        let name = member.name().map_or_else(|_| format!("member {number}"), |name| name.into_owned());
        if member.is_dir() {
            continue;
        }
        if bundle::leads_out(&name) {
            members.fail(&name, "name leads out of the archive");
        } else if !members.member(&name, &mut member) {
            return;
        }
    }
}

/// Members of a zip file without its list of members, as far as they stand one after the other.
fn salvage<R: Read + Seek>(mut read: R, mut members: Members<'_>) {
    if read.rewind().is_err() {
        return;
    }
    // What comes after the first member that cannot be read is what was named as broken.
    while let Ok(Some(mut member)) = zip::read::read_zipfile_from_stream(&mut read) {
        let name = member.name().map_or_else(|_| "member".to_owned(), |name| name.into_owned());
        if bundle::leads_out(&name) {
            members.fail(&name, "name leads out of the archive");
        } else if !member.is_dir() && !members.member(&name, &mut member) {
            return;
        }
    }
}

fn tar_opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !bundle::is_tar(wrapped.bytes) {
        return false;
    }
    let members = Members { provenance: wrapped.provenance, sink, account };
    allowed(wrapped.bytes.len() as u64, || tar(wrapped.bytes, members));
    true
}

fn tar<R: Read>(read: R, mut members: Members<'_>) {
    if !members.may_open() {
        return;
    }
    let mut archive = tar::Archive::new(read);
    let entries = match archive.entries() {
        Ok(entries) => entries,
        Err(error) => return members.broken(error),
    };
    for entry in entries {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return members.broken(error),
        };
        let name = String::from_utf8_lossy(&entry.path_bytes()).trim_start_matches("./").to_owned();
        if !entry.header().entry_type().is_file() {
            continue;
        }
        if bundle::leads_out(&name) {
            members.fail(&name, "name leads out of the archive");
        } else if !members.member(&name, &mut entry) {
            return;
        }
    }
}

/// A file too large for memory, if it is an archive; false when it is none.
pub(super) fn large(
    path: &Path,
    head: &[u8],
    provenance: &Provenance,
    sink: &dyn Sink,
    account: &mut Coverage,
) -> bool {
    let (zipped, tarred) = (head.starts_with(b"PK\x03\x04"), bundle::is_tar(head));
    if !zipped && !tarred && !packed::known(head) {
        return false;
    }
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            account.fail(content::place(provenance), error.to_string());
            return true;
        }
    };
    let size = file.metadata().map_or(0, |meta| meta.len());
    let members = Members { provenance, sink, account };
    let read = std::io::BufReader::with_capacity(64 << 10, file);
    allowed(size, || match (zipped, tarred) {
        (true, _) => zip(read, members),
        (_, true) => tar(read, members),
        _ => packed::unpack(head, read, members),
    });
    true
}

#[cfg(test)]
mod tests;
