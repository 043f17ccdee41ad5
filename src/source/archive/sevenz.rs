//! 7z archives, if the program was built to read documents.

use super::super::content::Wrapped;
use super::super::{Coverage, Sink};
use super::{Members, allowed};

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    if !wrapped.bytes.starts_with(b"7z\xbc\xaf\x27\x1c") {
        return false;
    }
    let members = Members { provenance: wrapped.provenance, sink, account };
    allowed(wrapped.bytes.len() as u64, || read(wrapped.bytes, members));
    true
}

#[cfg(not(feature = "documents"))]
fn read(_: &[u8], mut members: Members<'_>) {
    members.broken("this offkey was built without the feature `documents`, which reads 7z");
}

#[cfg(feature = "documents")]
fn read(bytes: &[u8], mut members: Members<'_>) {
    if !members.may_open() {
        return;
    }
    let mut archive =
        match sevenz_rust2::ArchiveReader::new(std::io::Cursor::new(bytes), sevenz_rust2::Password::empty()) {
            Ok(archive) => archive,
            Err(error) => return members.broken(error),
        };
    let done = archive.for_each_entries(|entry, read| {
        let name = entry.name().to_owned();
        if entry.is_directory() {
            return Ok(true);
        }
        if super::super::bundle::leads_out(&name) {
            members.fail(&name, "name leads out of the archive");
            return Ok(true);
        }
        Ok(members.member(&name, read))
    });
    if let Err(error) = done {
        members.broken(error);
    }
}
