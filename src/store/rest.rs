//! What stores over HTTP share: an address, a token, JSON.

use std::path::Path;
use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use crate::remote::{Ask, Failure, Http, Reply, place_of};
use crate::secret::SecretValue;

/// An interface that takes a token in a header.
pub struct Rest {
    http: Http,
    base: Url,
    header: &'static str,
    token: SecretValue,
    patch: &'static str,
}

impl Rest {
    /// An interface; nothing is sent yet. `base` has no path of its own.
    ///
    /// # Errors
    /// When the address is none or would carry values in clear text, or the authority's file cannot be read.
    pub fn new(base: &str, token: &SecretValue, deadline: Duration, authority: Option<&Path>) -> Result<Self, Failure> {
        let unfit = |why: &str| Failure::Unreachable { place: base.to_owned(), why: why.to_owned() };
        let url = Url::parse(base).map_err(|_| unfit("this is not an address"))?;
        let here = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if url.scheme() != "https" && !(here && url.scheme() == "http") {
            return Err(unfit("an address begins with https://: values would travel in clear text"));
        }
        let http = Http::new(&url, deadline, authority)?;
        let token = SecretValue::from(format!("Bearer {}", token.expose_str().unwrap_or_default()));
        Ok(Self { http, base: url, header: "authorization", token, patch: "application/merge-patch+json" })
    }

    /// The same with the token alone in another header.
    #[must_use]
    pub fn with_header(mut self, header: &'static str, token: &SecretValue) -> Self {
        self.header = header;
        self.token = token.clone();
        self
    }

    /// The same for an interface that takes changes as plain JSON.
    #[must_use]
    pub(super) fn with_plain_patch(mut self) -> Self {
        self.patch = "application/json";
        self
    }

    /// One call. A segment of the path never leaves its place; `end` follows the last one (`:access`).
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &[&str],
        end: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Reply, Failure> {
        let url = self.url(path, end, query);
        let mut ask =
            Ask::new(method, url).header("accept", "application/json").secret_header(self.header, &self.token);
        if let Some(body) = body {
            ask = ask.json(body);
        }
        if method == "PATCH" {
            ask = ask.header("content-type", self.patch);
        }
        self.http.send(ask).await
    }

    fn url(&self, path: &[&str], end: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.path_segments_mut().expect("because an http address has a path").pop_if_empty().extend(path);
        if !end.is_empty() {
            let whole = format!("{}{end}", url.path());
            url.set_path(&whole);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// One call with a text for a body, XML, and one more header.
    pub(super) async fn text(
        &self,
        method: &str,
        path: &[&str],
        body: Option<&str>,
        header: Option<(String, String)>,
    ) -> Result<Reply, Failure> {
        let mut ask = Ask::new(method, self.url(path, "", &[])).secret_header(self.header, &self.token);
        if let Some((name, value)) = header {
            ask = ask.header(&name, &value);
        }
        if let Some(body) = body {
            ask = ask.header("content-type", "application/xml; charset=utf-8").body(body);
        }
        self.http.send(ask).await
    }

    /// Host and port, for messages.
    pub(super) fn place(&self) -> String {
        place_of(&self.base)
    }

    /// The answer's JSON; `None` for "not found", a failure for every other error.
    pub(super) async fn json(
        &self,
        method: &str,
        path: &[&str],
        end: &str,
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Option<Value>, Failure> {
        let reply = self.ask(method, path, end, query, body).await?;
        match reply.status {
            404 => Ok(None),
            _ if reply.is_success() && reply.body.is_empty() => Ok(Some(Value::Null)),
            _ if reply.is_success() => reply.json().map(Some),
            _ => Err(refusal(&reply)),
        }
    }

    /// A thing that has to be there is not.
    pub(super) fn missing(&self, what: &str) -> Failure {
        let message = format!("{what} is not there");
        Failure::Answered { place: place_of(&self.base), status: 404, code: String::new(), message, retry_after: None }
    }

    /// An answer that is not of the documented form.
    pub(super) fn strange(&self, why: &str) -> Failure {
        Failure::Strange { place: place_of(&self.base), why: why.to_owned() }
    }
}

/// An error answer. Only short machine words of it are repeated: the rest may quote what was sent.
pub(super) fn refusal(reply: &Reply) -> Failure {
    let body = reply.json().unwrap_or_default();
    let word = ["/reason", "/error/status", "/error/code"].iter().find_map(|at| body.pointer(at)?.as_str());
    reply.failure(word.unwrap_or_default(), "the call was refused")
}
