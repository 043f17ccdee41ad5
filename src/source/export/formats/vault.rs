//! Google Vault's list of what it exported: `…-metadata.xml`. The messages themselves are mail.

use super::super::known::{Known, list, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, xml};
use crate::source::{ContainerKind, ItemKind, PersonRef};

pub(super) const FORMAT: Format = Format {
    id: "google-vault",
    claims: |peek| peek.starts("<") && (peek.has(&["<Document ", "TagName="]) || peek.has(&["<Batch", "<Documents"])),
    learn: None,
    hand,
};

fn hand(input: &mut Input<'_>, _: &Known, out: &mut Out<'_>) -> Result<(), String> {
    // Root, batch, documents, document.
    xml::elements(input.read, 3, &mut |found| {
        let record = Rec::new(&found.value, &found.pointer);
        let tag = |name: &str| {
            list(&found.value, "Tags.Tag").find(|tag| tag["TagName"] == name).and_then(|tag| own(tag, "TagValue"))
        };
        let people = |name: &str| -> Vec<PersonRef> {
            let all = tag(name).unwrap_or_default();
            all.split([',', ';']).filter_map(super::quoted::address).collect()
        };
        let author = people("#From")
            .into_iter()
            .next()
            .or_else(|| people("#Author").into_iter().next())
            .or_else(|| person("google", None, None, None, tag("#Author")));
        let id = own(&found.value, "DocID").unwrap_or_default();
        let name = tag("RoomName").or_else(|| tag("#Subject")).or_else(|| tag("#Title")).unwrap_or_else(|| id.clone());
        let of = container(ContainerKind::Mailbox, tag("RoomID").unwrap_or_default(), name, false);
        let time = tag("#DateSent").or_else(|| tag("#DateFirstMessageSent")).or_else(|| tag("#DateCreated"));
        let draft = Draft::new(of, ItemKind::Description, id)
            .by(author)
            .to(["#To", "#CC", "#BCC"].iter().flat_map(|name| people(name)).collect())
            .at(time.and_then(|time| when(&serde_json::Value::String(time))))
            .pointer(found.pointer.as_str());
        let text: String = ["#Subject", "#Title"].iter().filter_map(|name| tag(name)).map(|text| text + "\n").collect();
        for one in
            list(&found.value, "Tags.Tag").filter(|tag| tag["TagName"] == "#Subject" || tag["TagName"] == "#Title")
        {
            record.take(&one["TagValue"]);
        }
        out.item(draft.clone(), &text);
        out.rest(draft.by(None).to(Vec::new()), &record);
    })
}
