//! HTTP with a deadline, a size limit and no surprises: redirects stay on their host and never lose TLS.

use std::fmt;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, Method, Url};
use zeroize::Zeroizing;

use super::failure::{Failure, one_line};
use crate::secret::SecretValue;

/// Largest answer that is read, in bytes: lists of tens of thousands of entries fit, a flood does not.
const LIMIT: usize = 64 * 1024 * 1024;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// One HTTP client; cheap to clone.
#[derive(Clone)]
pub struct Http {
    client: Client,
    limit: usize,
}

/// A request.
pub struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Zeroizing<Vec<u8>>,
}

/// An answer, whatever its status.
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body; wiped on drop, because answers of stores are values.
    pub body: Zeroizing<Vec<u8>>,
    place: String,
    retry_after: Option<Duration>,
    /// The link to the next page, and whether the answer links pages at all.
    next: Option<String>,
    links: bool,
    /// When a rate limit that is used up starts anew.
    reset: Option<Duration>,
}

impl Ask {
    /// A request without headers and body.
    pub fn new(method: &str, url: Url) -> Self {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or(Method::GET);
        Self { method, url, headers: HeaderMap::new(), body: Zeroizing::default() }
    }

    /// Adds a header; one that cannot be sent is left out, and the system will say what it misses.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Adds a header that must not show up in any log.
    #[must_use]
    pub fn secret_header(mut self, name: &str, value: &SecretValue) -> Self {
        let parsed = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.expose()));
        if let (Ok(name), Ok(mut value)) = parsed {
            value.set_sensitive(true);
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Zeroizing::new(body.into());
        self
    }

    /// A header as it will be sent.
    #[cfg(test)]
    pub(crate) fn header_text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &serde_json::Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }
}

impl fmt::Debug for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, place_of(&self.url), self.url.path())
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<serde_json::Value, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(|_| Failure::Strange { place: self.place.clone(), why: "JSON was expected".to_owned() })
    }

    /// Address of the next page (`Link: <…>; rel="next"`, RFC 8288).
    pub(crate) fn next(&self) -> Option<&str> {
        self.next.as_deref()
    }

    /// Whether the answer has links to other pages: then no link to a next one means that this is the last.
    pub(crate) fn links(&self) -> bool {
        self.links
    }

    /// How long to wait before the call is made again, if a rate limit refused it.
    pub(crate) fn limited(&self) -> Option<Duration> {
        matches!(self.status, 403 | 429).then_some(self.retry_after.or(self.reset))?
    }

    /// True for 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The failure that this answer is, with the code and message that the caller found in it.
    pub fn failure(&self, code: &str, message: &str) -> Failure {
        Failure::Answered {
            place: self.place.clone(),
            status: self.status,
            code: code.to_owned(),
            message: one_line(message),
            retry_after: self.retry_after,
        }
    }
}

impl Http {
    /// A client whose calls end after `deadline`. `address` decides whether certificates and proxies are needed at all;
    /// `authority` is a PEM file with a certificate authority of the organisation.
    ///
    /// # Errors
    /// When the authority's file cannot be read.
    pub fn new(address: &Url, deadline: Duration, authority: Option<&std::path::Path>) -> Result<Self, Failure> {
        let unusable = |why: String| Failure::Unreachable { place: place_of(address), why };
        let mut builder = Client::builder()
            .timeout(deadline)
            .connect_timeout(CONNECT.min(deadline))
            .redirect(Policy::custom(same_host))
            .user_agent(concat!("offkey/", env!("CARGO_PKG_VERSION")));
        if address.scheme() == "http" {
            // Nothing to verify: reading the certificates of the machine would only cost time.
            builder = builder.tls_certs_only(Vec::new());
        }
        if is_loopback(address) {
            builder = builder.no_proxy();
        }
        if let Some(path) = authority {
            let pem = std::fs::read(path).map_err(|error| unusable(format!("{}: {error}", path.display())))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .map_err(|_| unusable(format!("{} holds no certificate", path.display())))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder.build().map_err(|error| unusable(root_cause(&error)))?;
        Ok(Self { client, limit: LIMIT })
    }

    /// The client underneath, for libraries that want one.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends a request once.
    ///
    /// # Errors
    /// When no whole answer came. An answer with an error status is a [`Reply`].
    pub async fn send(&self, ask: Ask) -> Result<Reply, Failure> {
        let place = place_of(&ask.url);
        let request = self.client.request(ask.method, ask.url).headers(ask.headers).body(ask.body.to_vec());
        let mut response = request.send().await.map_err(|error| failure_of(&place, &error))?;
        let status = response.status().as_u16();
        if response.status().is_redirection() {
            let why = "it sends us to another host; put the address of the active node into the configuration";
            return Err(Failure::Unreachable { place, why: why.to_owned() });
        }
        let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let (next, links) = pages(response.headers());
        let reset = reset(response.headers());
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|error| failure_of(&place, &error))? {
            if body.len() + chunk.len() > self.limit {
                let why = format!("more than {} MiB", self.limit >> 20);
                return Err(Failure::Lost { place, why });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, body, place, retry_after: seconds.map(Duration::from_secs), next, links, reset })
    }
}

/// The link to the next page, and whether there are links.
fn pages(headers: &HeaderMap) -> (Option<String>, bool) {
    let links: Vec<&str> = headers.get_all("link").iter().filter_map(|value| value.to_str().ok()).collect();
    let next = links.iter().flat_map(|value| value.split(',')).find_map(|link| {
        let (address, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
        let next = rest.split(';').any(|part| matches!(part.trim(), "rel=\"next\"" | "rel=next"));
        next.then(|| address.to_owned())
    });
    (next, !links.is_empty())
}

/// Time until a limit that is used up starts anew; both spellings of the headers are in use.
fn reset(headers: &HeaderMap) -> Option<Duration> {
    let number =
        |names: [&str; 2]| names.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.parse::<i64>().ok());
    let left = number(["x-ratelimit-remaining", "ratelimit-remaining"])?;
    let reset = number(["x-ratelimit-reset", "ratelimit-reset"]).filter(|_| left == 0)?;
    Some(Duration::from_secs(u64::try_from(reset - crate::clock::now().as_second()).unwrap_or(0)))
}

/// What a client error means for the question whether something was sent.
pub(crate) fn failure_of(place: &str, error: &reqwest::Error) -> Failure {
    let place = place.to_owned();
    if error.is_connect() || error.is_builder() || error.is_redirect() {
        Failure::Unreachable { place, why: root_cause(error) }
    } else if error.is_timeout() {
        Failure::Lost { place, why: "no answer in time".to_owned() }
    } else {
        Failure::Lost { place, why: root_cause(error) }
    }
}

/// The innermost reason. The outer ones repeat the URL, whose query may hold something private.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    one_line(&cause.to_string())
}

fn same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let same = attempt.previous().last().is_some_and(|from| {
        let to = attempt.url();
        from.host_str() == to.host_str()
            && from.port_or_known_default() == to.port_or_known_default()
            && from.scheme() == to.scheme()
    });
    if same && attempt.previous().len() < 5 { attempt.follow() } else { attempt.stop() }
}

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost") => true,
        Some(host) => host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// Host and port of an address, for messages.
pub fn place_of(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(0);
    format!("{}:{port}", url.host_str().unwrap_or("nowhere"))
}

#[cfg(test)]
mod tests;
