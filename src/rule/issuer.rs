//! Issuers over HTTP as data: the tables `[issuer]`, `[validate]`, `[issue]` and `[revoke]` of a rule file.
//!
//! This room only describes the calls; the room `provider` makes them. docs/issuers.md explains the fields to people.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Provider;

/// What a rule file says about its issuer's HTTP interface.
#[derive(Clone, Debug, Deserialize)]
pub struct Issuer {
    /// Who it is.
    pub provider: Provider,
    /// Where and how it is asked; `None` when the file describes no calls.
    #[serde(rename = "issuer")]
    pub about: Option<About>,
    /// How to ask whether a credential is accepted.
    #[serde(default, deserialize_with = "one_or_many")]
    pub validate: Vec<Table>,
    /// How to make a new credential.
    #[serde(default, deserialize_with = "one_or_many")]
    pub issue: Vec<Table>,
    /// How to kill one.
    #[serde(default, deserialize_with = "one_or_many")]
    pub revoke: Vec<Table>,
    /// The rules of the file, for their ids.
    #[serde(default)]
    pub(super) rule: Vec<Named>,
}

/// The id of a rule, nothing else.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Named {
    pub(super) id: String,
}

/// The `[issuer]` table.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// The documented address, `https://api.github.com`; `None` when each customer has an own one, which the
    /// configuration must give then.
    pub base: Option<String>,
    /// Page that gives the address.
    pub source: String,
    /// Credentials of other addresses (regions, servers of customers) look the same: only what is accepted here is ours,
    /// because a rejection would prove nothing.
    #[serde(default)]
    pub one_of_many: bool,
    /// Further documented addresses by name, for calls that begin with `@NAME/`.
    #[serde(default)]
    pub also: BTreeMap<String, String>,
    /// Headers of every call.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Facts that the configuration must give, with what they are: `tailnet = "name of the tailnet"`.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// What the administrator's credential is, where a call wants one.
    pub admin: Option<String>,
    /// How many calls are allowed in how many seconds.
    pub rate: Option<Rate>,
}

/// Most calls in a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Calls.
    pub calls: usize,
    /// Seconds.
    pub seconds: u64,
}

/// One `[validate]`, `[issue]` or `[revoke]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Ids of the rules whose values it takes.
    pub rules: Vec<String>,
    /// Beginnings of the values that it takes, where its rules find other kinds too; empty: all.
    #[serde(default)]
    pub prefixes: Vec<String>,
    /// A rejection may as well mean that the fact beside the value is not the right one: only what was accepted before is
    /// believed to be dead.
    #[serde(default)]
    pub unsure: bool,
    /// Page where the calls are documented.
    pub source: String,
    /// Facts that the value itself tells: its public parts. Only for `[validate]`.
    #[serde(default)]
    pub learn: BTreeMap<String, String>,
    /// Whether the steps may be repeated when nobody knows whether they were done. Not for `[validate]`, which only looks.
    pub retry: Option<Repeat>,
    /// What people should know about the effect: `the owner is told by e-mail`.
    pub note: Option<String>,
    /// Calls, one after the other.
    #[serde(rename = "step")]
    pub steps: Vec<Call>,
    /// Calls that find and remove what an earlier, interrupted `[issue]` made. Only for `[issue]`.
    #[serde(default)]
    pub discard: Vec<Call>,
}

/// Whether calls may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Twice is the same as once.
    Safe,
    /// After a look that says that it was not done.
    ReadFirst,
    /// Never by itself.
    Never,
}

/// One call and what its answers mean. Texts are templates: `{{secret}}`, `{{admin}}`, `{{op}}`, `{{param.NAME}}`,
/// `{{fact.NAME}}`, and names that an earlier call kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Method and path: `GET /user`; `GET @auth/user` goes to another address of `[issuer]`.
    pub send: String,
    /// Sent as `Authorization: Bearer …`.
    pub bearer: Option<String>,
    /// Sent as `Authorization: Basic …`: user and password.
    pub basic: Option<(String, String)>,
    /// Further headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body; what is filled in is escaped.
    pub json: Option<String>,
    /// A form as body.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
    /// The answer is no JSON.
    #[serde(default)]
    pub text: bool,
    /// Answers that say: it is accepted. On an earlier step of several: go on.
    #[serde(default)]
    pub live: Vec<Answer>,
    /// Answers that say: another kind of credential, ask with the next step.
    #[serde(default)]
    pub next: Vec<Answer>,
    /// A live answer to this step needs no further one.
    #[serde(default)]
    pub enough: bool,
    /// Answers that say definitively: it is not accepted.
    #[serde(default)]
    pub dead: Vec<Answer>,
    /// Answers that say: done.
    #[serde(default)]
    pub done: Vec<Answer>,
    /// Answers that say: will be done later.
    #[serde(default)]
    pub accepted: Vec<Answer>,
    /// Answers that say: there is nothing to do any more.
    #[serde(default)]
    pub gone: Vec<Answer>,
    /// Parts of the answer for later calls: name → JSON pointer.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
    /// One entry of a list in the answer.
    pub pick: Option<Pick>,
}

/// The one entry of a list that fits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// JSON pointer to the list.
    pub list: String,
    /// JSON pointer in an entry.
    pub at: String,
    /// Template that it must equal.
    pub is: String,
    /// Parts of the entry for later calls: name → JSON pointer.
    #[serde(default)]
    pub keep: BTreeMap<String, String>,
    /// An entry that is not in the list does not exist at all (the list is complete): nothing is left to do.
    #[serde(default)]
    pub complete: bool,
}

/// An answer that means something: a status, and perhaps what its body says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON pointer.
    pub at: Option<String>,
    /// Texts of which it must be one; empty: it is there and not null.
    pub is: Vec<String>,
    /// Text that the body must hold.
    pub has: Option<String>,
}

impl Answer {
    /// Whether the body has a say.
    pub fn looks_inside(&self) -> bool {
        self.at.is_some() || self.has.is_some()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerFields {
    status: u16,
    at: Option<String>,
    #[serde(default)]
    is: Vec<String>,
    has: Option<String>,
}

impl<'de> Deserialize<'de> for Answer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Answer;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status, or { status, at, is, has }")
            }

            fn visit_i64<E: serde::de::Error>(self, status: i64) -> Result<Answer, E> {
                let status = u16::try_from(status).map_err(|_| E::custom("a status has three digits"))?;
                Ok(Answer { status, at: None, is: Vec::new(), has: None })
            }

            fn visit_u64<E: serde::de::Error>(self, status: u64) -> Result<Answer, E> {
                self.visit_i64(i64::try_from(status).unwrap_or(i64::MAX))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Answer, A::Error> {
                let AnswerFields { status, at, is, has } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Answer { status, at, is, has })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// `[validate]` or `[[validate]]`: with a visitor, so that a mistake inside keeps its own message and line.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Table>, D::Error> {
    struct OneOrMany(PhantomData<Table>);
    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<Table>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table or a list of tables")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<Table>, A::Error> {
            Ok(vec![Table::deserialize(MapAccessDeserializer::new(map))?])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Vec<Table>, A::Error> {
            Vec::deserialize(SeqAccessDeserializer::new(seq))
        }
    }
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

impl Call {
    /// Method and path.
    pub fn method_and_path(&self) -> (&str, &str) {
        let (method, path) = self.send.split_once(' ').unwrap_or(("", &self.send));
        let path = if path.starts_with('@') { path.find('/').map_or("", |at| &path[at..]) } else { path };
        (method, path)
    }

    /// Name of the address that it goes to, where that is not the main one.
    pub fn elsewhere(&self) -> Option<&str> {
        let (_, path) = self.send.split_once(' ')?;
        path.strip_prefix('@')?.split_once('/').map(|(name, _)| name)
    }

    /// Every template in it but the path.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        let basic = self.basic.iter().flat_map(|(user, password)| [user.as_str(), password.as_str()]);
        let maps = self.headers.values().chain(self.form.values()).map(String::as_str);
        let pick = self.pick.iter().map(|pick| pick.is.as_str());
        self.bearer.as_deref().into_iter().chain(basic).chain(maps).chain(self.json.as_deref()).chain(pick)
    }

    /// Names that it keeps for later calls.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        let picked = self.pick.iter().flat_map(|pick| pick.keep.keys());
        self.keep.keys().chain(picked).map(String::as_str)
    }
}

impl Table {
    /// Whether one of its calls fills this name in.
    pub fn uses(&self, name: &str) -> bool {
        let calls = self.steps.iter().chain(&self.discard);
        calls.flat_map(|call| call.templates().chain([call.send.as_str()])).flat_map(names).any(|used| used == name)
    }

    /// Whether it takes this value: a rejection of another kind of value would say nothing.
    pub fn takes(&self, value: &[u8]) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| value.starts_with(prefix.as_bytes()))
    }

    /// Facts that must stand beside the value.
    pub fn facts(&self) -> impl Iterator<Item = &str> {
        let calls = self.steps.iter().chain(&self.discard);
        let texts = calls.flat_map(|call| call.templates().chain([call.send.as_str()]));
        texts.flat_map(names).filter_map(|name| name.strip_prefix("fact."))
    }
}

impl Issuer {
    /// The table of a list that takes this value of a rule.
    pub fn fitting<'t>(tables: &'t [Table], rule: &str, value: &[u8]) -> Option<&'t Table> {
        tables.iter().find(|table| table.takes(value) && table.rules.iter().any(|id| id == rule))
    }

    /// The first table of a list that takes values of a rule.
    pub fn table<'t>(tables: &'t [Table], rule: &str) -> Option<&'t Table> {
        tables.iter().find(|table| table.rules.iter().any(|id| id == rule))
    }
}

/// Names in a template, filters left out: `{{secret|sha512}}` → `secret`.
pub fn names(template: &str) -> impl Iterator<Item = &str> {
    template.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).map(|(inside, _)| {
        let (name, _) = inside.split_once('|').unwrap_or((inside, ""));
        name.trim()
    })
}

/// Filters in a template with the names that they stand behind: `{{secret|sha512}}` → `(secret, sha512)`.
pub(super) fn filters(template: &str) -> impl Iterator<Item = (&str, &str)> {
    template.split("{{").skip(1).filter_map(|rest| rest.split_once("}}")).filter_map(|(inside, _)| {
        let (name, filter) = inside.split_once('|')?;
        Some((name.trim(), filter.trim()))
    })
}
