//! Postman: collections of versions 1 and 2, environments, globals and whole data dumps.

use std::collections::HashMap;

use serde_json::Value;

use super::super::known::{list, own, person, when};
use super::super::out::{Draft, Out, Rec, container};
use super::super::{Format, Input, json};
use crate::source::{ContainerKind, Evidence, ItemKind, PersonRef};

pub(super) const FORMAT: Format = Format {
    id: "postman",
    claims: |peek| {
        let collection = peek.has(&["getpostman.com/"]) || peek.keys(&["_postman_id"]);
        let environment = peek.keys(&["values", "key"]) && (peek.keys(&["enabled"]) || peek.has(&["_postman_"]));
        let first =
            peek.keys(&["requests", "order"]) || peek.keys(&["rawModeData"]) || peek.keys(&["preRequestScript"]);
        let dump = peek.keys(&["collections"]) && (peek.keys(&["environments"]) || peek.keys(&["globals"]));
        collection || environment || first || dump
    },
    learn: None,
    hand: |input, _, out| read(input, out),
};

fn read(input: &mut Input<'_>, out: &mut Out<'_>) -> Result<(), String> {
    let whole = json::whole(input.read)?;
    let record = Rec::new(&whole, "");
    let mut parts: Vec<(&Value, String)> = vec![(&whole, String::new())];
    for name in ["collections", "environments", "globals"] {
        parts.extend(list(&whole, name).enumerate().map(|(n, one)| (one, format!("/{name}/{n}"))));
    }
    let mut variables = HashMap::new();
    for (part, _) in &parts {
        gather(part, &mut variables, 0);
    }
    for (part, pointer) in &parts {
        let name = own(part, "info.name").or_else(|| own(part, "name")).unwrap_or_else(|| "Postman".to_owned());
        let owner = own(part, "info._exporter_id").or_else(|| own(part, "owner")).or_else(|| own(part, "info.owner"));
        let author = owner.and_then(|id| owner_of(part, id));
        let id = own(part, "info._postman_id").or_else(|| own(part, "id")).unwrap_or_default();
        let draft = Draft::new(container(ContainerKind::File, id.as_str(), name, false), ItemKind::Field, id.as_str())
            .by(author)
            .at(when(&part["_postman_exported_at"]).or_else(|| when(&part["createdAt"])))
            .link(own(part, "info._collection_link"));
        let walk = Walk { record: &record, draft: &draft, variables: &variables };
        walk.node(part, pointer, out, 0);
    }
    let of = container(ContainerKind::File, "", own(&whole, "info.name").unwrap_or_default(), false);
    out.rest(Draft::new(of, ItemKind::Field, ""), &record);
    Ok(())
}

/// The account that owns or exported it, which need not have written it.
fn owner_of(part: &Value, id: String) -> Option<PersonRef> {
    let (email, display) = (own(part, "owner.email"), own(part, "owner.name"));
    let mut who = person("postman", Some(id), None, email, display)?;
    who.evidence = Evidence::E4;
    Some(who)
}

/// Variables by name, of every scope.
fn gather(value: &Value, into: &mut HashMap<String, String>, depth: usize) {
    for name in ["variable", "variables", "values"] {
        for one in list(value, name) {
            if let (Some(key), Some(text)) = (own(one, "key").or_else(|| own(one, "id")), own(one, "value")) {
                into.entry(key).or_insert(text);
            }
        }
    }
    if depth < 60 {
        ["item", "requests"].iter().flat_map(|name| list(value, name)).for_each(|one| gather(one, into, depth + 1));
    }
}

struct Walk<'a, 'v> {
    record: &'a Rec<'v>,
    draft: &'a Draft,
    variables: &'a HashMap<String, String>,
}

impl<'v> Walk<'_, 'v> {
    /// Requests, folders and what hangs on them.
    fn node(&self, value: &'v Value, pointer: &str, out: &mut Out<'_>, depth: usize) {
        let pairs: String = ["variable", "variables", "values"]
            .iter()
            .flat_map(|name| list(value, name))
            .map(|one| self.pair(one, "=") + "\n")
            .collect();
        self.hand(&pairs, format!("{pointer}/variable"), out);
        for (n, event) in list(value, "event").enumerate() {
            self.hand(&self.lines(&event["script"]["exec"]), format!("{pointer}/event/{n}/script/exec"), out);
        }
        for name in ["preRequestScript", "tests"] {
            self.hand(self.record.take(&value[name]), format!("{pointer}/{name}"), out);
        }
        self.hand(&self.auth(&value["auth"]), format!("{pointer}/auth"), out);
        let about =
            if value["description"].is_object() { &value["description"]["content"] } else { &value["description"] };
        self.hand(self.record.take(about), format!("{pointer}/description"), out);
        if !value["request"].is_null() {
            self.request(&value["request"], &format!("{pointer}/request"), out);
        } else if value["url"].is_string() && value["method"].is_string() {
            self.request(value, pointer, out);
        }
        for name in ["response", "responses"] {
            for (n, answer) in list(value, name).enumerate().filter(|pair| pair.1.is_object()) {
                let at = format!("{pointer}/{name}/{n}");
                self.request(&answer["originalRequest"], &format!("{at}/originalRequest"), out);
                self.hand(&self.headers(&answer["header"]), format!("{at}/header"), out);
                self.hand(self.record.take(&answer["body"]), format!("{at}/body"), out);
                self.hand(self.record.take(&answer["text"]), format!("{at}/text"), out);
            }
        }
        if depth < 60 {
            for name in ["item", "requests"] {
                for (n, one) in list(value, name).enumerate() {
                    self.node(one, &format!("{pointer}/{name}/{n}"), out, depth + 1);
                }
            }
        }
    }

    fn request(&self, value: &'v Value, pointer: &str, out: &mut Out<'_>) {
        let url = if value["url"].is_object() { &value["url"]["raw"] } else { &value["url"] };
        let url = if value.is_string() { value } else { url };
        let mut text = format!("{} {}\n", self.record.take(&value["method"]), self.record.take(url));
        self.record.skip(&value["url"]["query"]);
        self.record.skip(&value["url"]["path"]);
        self.record.skip(&value["url"]["host"]);
        text.push_str(&self.headers(&value["header"]));
        text.push_str(&self.headers(&value["headers"]));
        self.hand(&text, pointer.to_owned(), out);
        self.hand(&self.auth(&value["auth"]), format!("{pointer}/auth"), out);
        let body = &value["body"];
        for raw in [&body["raw"], &value["rawModeData"], &body["graphql"]["query"], &body["graphql"]["variables"]] {
            self.hand(self.record.take(raw), format!("{pointer}/body"), out);
        }
        let form: String = [&body["urlencoded"], &body["formdata"], &value["data"], &value["queryParams"]]
            .into_iter()
            .flat_map(|all| all.as_array().into_iter().flatten())
            .map(|one| self.pair(one, "=") + "\n")
            .collect();
        self.hand(&form, format!("{pointer}/body"), out);
        let about =
            if value["description"].is_object() { &value["description"]["content"] } else { &value["description"] };
        self.hand(self.record.take(about), format!("{pointer}/description"), out);
    }

    fn headers(&self, value: &'v Value) -> String {
        match value {
            Value::Array(all) => all.iter().map(|one| self.pair(one, ": ") + "\n").collect(),
            text => self.record.take(text).to_owned(),
        }
    }

    /// `{"type": "basic", "basic": [{"key": "password", "value": "…"}]}`, in old collections an object.
    fn auth(&self, value: &'v Value) -> String {
        let mut text = String::new();
        for (name, inner) in value.as_object().into_iter().flatten() {
            match inner {
                Value::Array(all) => all.iter().for_each(|one| text.push_str(&(self.pair(one, ": ") + "\n"))),
                Value::Object(map) => {
                    for (key, one) in map.iter().filter(|pair| pair.1.is_string()) {
                        text.push_str(&format!("{key}: {}\n", self.record.take(one)));
                    }
                }
                one => text.push_str(&format!("{name}: {}\n", self.record.take(one))),
            }
        }
        text
    }

    fn pair(&self, one: &'v Value, mark: &str) -> String {
        let key = if one["key"].is_string() { &one["key"] } else { &one["id"] };
        let about = self.record.take(&one["description"]);
        let value = match &one["value"] {
            Value::String(_) => self.record.take(&one["value"]).to_owned(),
            Value::Null => self.record.take(&one["src"]).to_owned(),
            other => {
                self.record.skip(other);
                other.to_string()
            }
        };
        let session = self.record.take(&one["sessionValue"]);
        format!("{}{mark}{value}\n{session}\n{about}", self.record.take(key)).trim_end().to_owned()
    }

    fn lines(&self, value: &'v Value) -> String {
        match value {
            Value::Array(all) => all.iter().map(|line| self.record.take(line)).collect::<Vec<_>>().join("\n"),
            text => self.record.take(text).to_owned(),
        }
    }

    /// Hands on a text, and once more with its `{{variables}}` filled in, which shows what a value is for.
    fn hand(&self, text: &str, pointer: String, out: &mut Out<'_>) {
        if text.trim().is_empty() {
            return;
        }
        let mut filled = String::new();
        for line in text.lines().filter(|line| line.contains("{{")) {
            let mut line = line.to_owned();
            for (name, value) in self.variables {
                line = line.replace(&format!("{{{{{name}}}}}"), value);
            }
            filled.push('\n');
            filled.push_str(&line);
        }
        out.item(self.draft.clone().pointer(pointer), &format!("{text}{filled}"));
    }
}
