//! From an item of an export to its author, the people it was sent to, and the people who could read it.

use super::Relation;
use super::exposures::Exposures;
use crate::finding::Finding;
use crate::source::{Item, ItemKind, Provenance, Via};

pub(super) fn attribute(finding: &Finding, exposures: &mut Exposures<'_>) {
    let Provenance::Export { item, .. } = &finding.location.provenance else { return };
    if item.kind == ItemKind::Artefact {
        // The export or instance made this value; whoever's name stands nearby has nothing to do with it.
        return;
    }
    let place = place(item);
    let author = item.author.as_ref();
    if let Some(author) = author {
        let how = match item.via {
            Via::Direct => "wrote",
            Via::Bot | Via::Webhook => "installed the integration that posted",
            Via::Import => "is named as the author of an imported",
            Via::OnBehalf => "is named as the author of",
            Via::Quoted => "is quoted in",
            Via::Forwarded => "wrote the forwarded text in",
            Via::System => "is named in",
        };
        exposures.person(finding.fingerprint, author, Relation::Wrote, format!("{how} {place}"));
    }
    for person in &item.sent_to {
        if Some(person) != author {
            exposures.person(finding.fingerprint, person, Relation::WasSent, format!("{place} was addressed to them"));
        }
    }
    for person in item.readers.iter() {
        if Some(person) != author && !item.sent_to.contains(person) {
            exposures.person(
                finding.fingerprint,
                person,
                Relation::CouldRead,
                format!("member of {}", item.container.name),
            );
        }
    }
}

fn place(item: &Item) -> String {
    let what = match item.kind {
        ItemKind::Message => "a message",
        ItemKind::Comment => "a comment",
        ItemKind::Description => "the description",
        ItemKind::File => "a file",
        ItemKind::Field => "a field",
        ItemKind::History => "an earlier version",
        ItemKind::Artefact => "an artefact",
    };
    let when = item.created.as_deref().map(|time| format!(" on {time}")).unwrap_or_default();
    let link = item.permalink.as_deref().map(|link| format!(" {link}")).unwrap_or_default();
    format!("{what} in {}{when}{link}", item.container.name)
}
