//! Jupyter notebooks of all versions: cells, outputs and tracebacks.

use serde_json::Value;

use super::super::known::{list, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json};
use crate::source::{ContainerKind, Evidence, ItemKind, PersonRef, Via};

pub(super) const FORMAT: Format = Format {
    id: "ipynb",
    claims: |peek| {
        peek.keys(&["cells", "cell_type"]) || peek.keys(&["worksheets"]) || peek.keys(&["nbformat", "metadata"])
    },
    learn: None,
    hand,
};

fn hand(input: &mut Input<'_>, _: &super::super::known::Known, out: &mut Out<'_>) -> Result<(), String> {
    let name = input.name.rsplit(['/', '!']).next().unwrap_or("notebook").to_owned();
    let of = container(ContainerKind::File, name.as_str(), name.as_str(), false);
    json::gather(input.read, &["cells", "worksheets"], &mut |found| {
        let (value, pointer) = (&found.value, found.pointer.as_str());
        let record = Rec::new(value, pointer);
        let draft = Draft::new(of.clone(), ItemKind::Field, "");
        if value.get("cell_type").is_some() {
            cell(&record, value, pointer, &draft, out);
        }
        for (n, one) in list(value, "cells").enumerate() {
            cell(&record, one, &format!("{pointer}/cells/{n}"), &draft, out);
        }
        out.rest(draft.pointer(pointer), &record);
    })
}

/// Text that is a string or a list of lines. Colours of a terminal are taken out, they part words.
fn joined<'v>(record: &Rec<'v>, value: &'v Value, between: &str) -> String {
    let text = match value {
        Value::Array(all) => all.iter().map(|line| record.take(line)).collect::<Vec<_>>().join(between),
        one => record.take(one).to_owned(),
    };
    uncoloured(&text)
}

fn uncoloured(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("\u{1b}[") {
        out.push_str(&rest[..at]);
        rest = &rest[at + 2..];
        let end = rest.find(|c: char| c.is_ascii_alphabetic()).map_or(rest.len(), |end| end + 1);
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// Colab notes who ran a cell last.
fn runner(value: &Value) -> Option<PersonRef> {
    let user = [&value["metadata"]["executionInfo"]["user"], &value["metadata"]["ExecuteTime"]["user"]]
        .into_iter()
        .find(|user| user.is_object())?;
    let mut who = person("colab", own(user, "userId"), None, own(user, "email"), own(user, "displayName"))?;
    who.evidence = Evidence::E4.min(who.evidence);
    Some(who)
}

fn cell<'v>(record: &Rec<'v>, value: &'v Value, pointer: &str, draft: &Draft, out: &mut Out<'_>) {
    let draft = draft
        .clone()
        .id(own(value, "id").or_else(|| own(value, "metadata.id")).unwrap_or_default())
        .by(runner(value))
        .at(when(&value["metadata"]["executionInfo"]["timestamp"]));
    for name in ["source", "input"] {
        let text = joined(record, &value[name], "");
        out.item(draft.clone().pointer(format!("{pointer}/{name}")), &text);
    }
    for (n, output) in list(value, "outputs").enumerate() {
        let at = format!("{pointer}/outputs/{n}");
        let draft = draft.clone().via(Via::System);
        let mut text = joined(record, &output["text"], "");
        text.push('\n');
        text.push_str(&joined(record, &output["traceback"], "\n"));
        for name in ["ename", "evalue"] {
            text.push('\n');
            text.push_str(record.take(&output[name]));
        }
        // In the third version the kinds of output stand beside each other.
        for (kind, content) in
            output["data"].as_object().into_iter().flatten().chain(output.as_object().into_iter().flatten())
        {
            if kind.starts_with("image") || matches!(kind.as_str(), "png" | "jpeg") {
                record.skip(content);
            } else if kind.starts_with("text/") || matches!(kind.as_str(), "html" | "latex" | "javascript" | "svg") {
                text.push('\n');
                text.push_str(&joined(record, content, ""));
            }
        }
        out.item(draft.pointer(at), &text);
    }
}
