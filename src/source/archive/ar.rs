//! `ar` files: Debian packages and static libraries. Members of sixty header bytes and their content.

use super::super::content::Wrapped;
use super::super::{Coverage, Sink};
use super::{Members, allowed};

pub(super) fn opener(wrapped: &Wrapped<'_>, sink: &dyn Sink, account: &mut Coverage) -> bool {
    let Some(mut rest) = wrapped.bytes.strip_prefix(b"!<arch>\n") else { return false };
    let mut members = Members { provenance: wrapped.provenance, sink, account };
    allowed(wrapped.bytes.len() as u64, || {
        if !members.may_open() {
            return;
        }
        while rest.len() >= 60 {
            let (header, after) = rest.split_at(60);
            let size = std::str::from_utf8(&header[48..58]).ok().and_then(|text| text.trim().parse::<usize>().ok());
            let Some(size) = size.filter(|size| *size <= after.len()) else {
                return members.broken("a member's size is wrong");
            };
            let name = String::from_utf8_lossy(&header[..16]).trim_end_matches([' ', '/']).to_owned();
            if !name.is_empty() && !members.member(&name, &mut &after[..size]) {
                return;
            }
            rest = after.get(size + size % 2..).unwrap_or_default();
        }
    });
    true
}
