//! From audit logs of stores to the people who did read a value.

use super::exposures::Exposures;
use super::{Facts, Relation};
use crate::identity::AliasKind;

pub(super) fn attribute(facts: &Facts, exposures: &mut Exposures<'_>) {
    let identity = exposures.identity();
    for read in &facts.reads {
        let reason = format!("read {} on {}", read.place, read.time);
        let alias = read.aliases.iter().find(|alias| identity.has(AliasKind::VaultAlias, alias));
        match alias {
            Some(alias) => {
                exposures.leaver(read.fingerprint, Relation::DidRead, 1.0, format!("{reason} [vault alias {alias}]"));
            }
            None => {
                let name = read.aliases.first().map_or("an unknown entity", String::as_str);
                exposures.named(read.fingerprint, name, Relation::DidRead, reason);
            }
        }
    }
}
