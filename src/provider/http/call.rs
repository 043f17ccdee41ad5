//! One call: made from its description, its answer judged.

use std::collections::BTreeMap;
use std::time::Instant;

use reqwest::Url;
use serde_json::Value;
use zeroize::Zeroizing;

use super::rate::Meter;
use super::template::{Names, Place, encode};
use crate::remote::{Ask, Failure, Http, Reply};
use crate::rule::issuer::{Answer, Call};
use crate::secret::SecretValue;

/// Where calls go.
pub(super) struct Line {
    pub(super) http: Http,
    pub(super) base: Url,
    /// Further addresses by name.
    pub(super) also: BTreeMap<String, Url>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) meter: Meter,
}

/// Why a call could not be made or says nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nothing was sent, and a person has to do something first.
    Unfit(String),
    /// Nothing was sent; there is one call too many.
    Busy(std::time::Duration),
    /// Sent, or tried to.
    Failed(Failure),
}

/// An answer that was read.
pub(super) struct Heard {
    reply: Reply,
    body: Value,
    /// The body is JSON.
    readable: bool,
    page: bool,
}

impl Line {
    /// Makes the call once.
    pub(super) async fn make(&self, call: &Call, names: &Names) -> Result<Heard, Trouble> {
        let ask = self.ask(call, names).map_err(Trouble::Unfit)?;
        self.meter.take(Instant::now()).map_err(Trouble::Busy)?;
        let reply = self.http.send(ask).await.map_err(Trouble::Failed)?;
        let start = reply.body.iter().position(|byte| !byte.is_ascii_whitespace()).map(|at| reply.body[at]);
        let page = start == Some(b'<');
        let parsed = serde_json::from_slice(&reply.body);
        let readable = parsed.is_ok();
        Ok(Heard { reply, body: parsed.unwrap_or(Value::Null), readable, page })
    }

    fn ask(&self, call: &Call, names: &Names) -> Result<Ask, String> {
        let (method, path) = call.method_and_path();
        let path = names.fill(path, Place::Path)?;
        let base = match call.elsewhere() {
            None => &self.base,
            Some(name) => self.also.get(name).ok_or_else(|| format!("addresses.{name} is not set in offkey.toml"))?,
        };
        let address = format!("{}{}", base.as_str().trim_end_matches('/'), path.as_str());
        let url = Url::parse(&address).map_err(|_| "the path of the call is none".to_owned())?;
        let mut ask = Ask::new(method, url).header("accept", "application/json");
        for (name, value) in &self.headers {
            ask = ask.header(name, value);
        }
        for (name, value) in &call.headers {
            ask = ask.secret_header(name, &names.header(value)?);
        }
        if let Some(bearer) = &call.bearer {
            ask = ask.secret_header("authorization", &names.header(&format!("Bearer {bearer}"))?);
        }
        if let Some((user, password)) = &call.basic {
            let pair = names.fill(&format!("{user}:{password}"), Place::Plain)?;
            let encoded = Zeroizing::new(format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes())));
            ask = ask.secret_header("authorization", &SecretValue::new(encoded.as_bytes()));
        }
        if let Some(json) = &call.json {
            let body = names.fill(json, Place::Json)?;
            ask = ask.header("content-type", "application/json").body(body.as_bytes());
        } else if !call.form.is_empty() {
            let mut body = Zeroizing::new(String::new());
            for (name, value) in &call.form {
                if !body.is_empty() {
                    body.push('&');
                }
                encode(name, &mut body);
                body.push('=');
                encode(&names.fill(value, Place::Plain)?, &mut body);
            }
            ask = ask.header("content-type", "application/x-www-form-urlencoded").body(body.as_bytes());
        }
        Ok(ask)
    }
}

impl Heard {
    /// Whether it is one of these answers. A web page is none: it comes from something between us and the issuer.
    pub(super) fn is(&self, answers: &[Answer]) -> bool {
        !self.page && answers.iter().any(|answer| self.fits(answer))
    }

    /// [`Heard::is`] for a success: what should be JSON is.
    pub(super) fn succeeds(&self, answers: &[Answer], call: &Call) -> bool {
        let readable = call.text || self.reply.body.is_empty() || self.readable;
        readable && self.is(answers)
    }

    fn fits(&self, answer: &Answer) -> bool {
        if answer.status != self.reply.status {
            return false;
        }
        let at = answer.at.as_ref().is_none_or(|pointer| match self.body.pointer(pointer) {
            None | Some(Value::Null) => false,
            Some(found) => answer.is.is_empty() || answer.is.contains(&plain(found)),
        });
        let has =
            answer.has.as_ref().is_none_or(|text| String::from_utf8_lossy(&self.reply.body).contains(text.as_str()));
        at && has
    }

    /// A part of the answer; `None` when it is not there.
    pub(super) fn part(&self, pointer: &str) -> Option<&Value> {
        self.body.pointer(pointer).filter(|value| !value.is_null())
    }

    /// The answer as a failure. What the body says stays out: it may repeat what was sent.
    pub(super) fn failure(&self) -> Failure {
        let what = if self.page { "a web page instead of an answer" } else { "not one of the documented answers" };
        self.reply.failure("", what)
    }

    /// Its HTTP status.
    pub(super) fn status(&self) -> u16 {
        self.reply.status
    }

    /// Whether it is a web page.
    pub(super) fn is_page(&self) -> bool {
        self.page
    }
}

/// A JSON scalar as text, without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
