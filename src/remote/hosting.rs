//! Which repositories an organisation has: GitHub, GitLab and Gitea (or Forgejo) by their HTTP interfaces.
//!
//! Facts: GitHub's REST reference ("List organization repositories", "Using pagination", "Rate limits"), GitLab's ("Groups API: list
//! projects", "Pagination", "Rate limits"), Gitea's `/api/v1` description.

use std::time::Duration;

use reqwest::Url;
use serde_json::Value;

use super::{Ask, Failure, Http, Reply, place_of};
use crate::secret::SecretValue;

/// Repositories of one page; Gitea gives fewer.
const PAGE: usize = 100;
/// Pages that are read; no organisation has more.
const MOST_PAGES: usize = 10_000;
/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(60);
/// Longest time that a rate limit is waited out. GitHub's start anew every hour.
const PATIENCE: Duration = Duration::from_secs(3700);

/// A product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostingKind {
    /// github.com or a GitHub Enterprise Server.
    GitHub,
    /// gitlab.com or an own GitLab.
    GitLab,
    /// Gitea or Forgejo.
    Gitea,
}

/// A server that keeps repositories.
pub struct Hosting {
    kind: HostingKind,
    web: Url,
    base: Url,
    token: Option<SecretValue>,
    http: Http,
}

/// A repository of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosted {
    /// `owner/name`, with all groups between them.
    pub name: String,
    /// Address to clone from.
    pub clone_url: String,
    /// When something was pushed or changed last, as the server writes it. The same text means that nothing is new.
    pub changed: Option<String>,
    /// A fork of another repository.
    pub fork: bool,
    /// Not written to any more.
    pub archived: bool,
    /// Nothing to clone.
    pub empty: bool,
}

impl Hosting {
    /// A server by the address of its pages; nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none or would carry the token in clear text.
    pub fn new(kind: HostingKind, address: &str, token: Option<SecretValue>) -> Result<Self, Failure> {
        let unfit = |why: &str| Failure::Unreachable { place: address.to_owned(), why: why.to_owned() };
        let web = Url::parse(address).map_err(|_| unfit("this is not an address"))?;
        let here = matches!(web.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
        if web.scheme() != "https" && !(here && web.scheme() == "http") {
            return Err(unfit("an address begins with https://: the token would travel in clear text"));
        }
        let mut base = web.clone();
        match kind {
            HostingKind::GitHub if web.host_str() == Some("github.com") => {
                base.set_host(Some("api.github.com")).map_err(|_| unfit("this is not an address"))?;
            }
            HostingKind::GitHub => extend(&mut base, &["api", "v3"]),
            HostingKind::GitLab => extend(&mut base, &["api", "v4"]),
            HostingKind::Gitea => extend(&mut base, &["api", "v1"]),
        }
        let http = Http::new(&base, DEADLINE, None)?;
        Ok(Self { kind, web, base, token, http })
    }

    /// The address of its pages.
    pub fn web(&self) -> &Url {
        &self.web
    }

    /// Every repository of an organisation, a group with all groups below it, or a user; sorted by name.
    ///
    /// # Errors
    /// When a page cannot be had, also after waiting for a rate limit: half a list would look like a whole one.
    pub async fn repositories(&self, owner: &str) -> Result<Vec<Hosted>, Failure> {
        let (organisation, person): (Vec<&str>, Vec<&str>) = match self.kind {
            HostingKind::GitHub | HostingKind::Gitea => (vec!["orgs", owner, "repos"], vec!["users", owner, "repos"]),
            HostingKind::GitLab => (vec!["groups", owner, "projects"], vec!["users", owner, "projects"]),
        };
        let mut found = match self.pages(&organisation).await? {
            Some(found) => found,
            None => self.pages(&person).await?.ok_or_else(|| self.nobody(owner))?,
        };
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        Ok(found)
    }

    /// All pages of a list; `None` when there is no such list.
    async fn pages(&self, path: &[&str]) -> Result<Option<Vec<Hosted>>, Failure> {
        let mut url = self.base.clone();
        extend(&mut url, path);
        let size = PAGE.to_string();
        let query: &[(&str, &str)] = match self.kind {
            HostingKind::GitHub => &[("per_page", &size), ("type", "all")],
            HostingKind::GitLab if path[0] == "groups" => &[("per_page", &size), ("include_subgroups", "true")],
            HostingKind::GitLab => &[("per_page", &size)],
            HostingKind::Gitea => &[("limit", "50")],
        };
        url.query_pairs_mut().extend_pairs(query);
        let mut found = Vec::new();
        for number in 1..=MOST_PAGES {
            let reply = self.page(&url).await?;
            if reply.status == 404 && number == 1 {
                return Ok(None);
            }
            if !reply.is_success() {
                return Err(refusal(&reply));
            }
            let page = reply.json()?;
            let rows = page.as_array().ok_or_else(|| self.strange("a list of repositories was expected"))?;
            for row in rows {
                found.push(self.hosted(row).ok_or_else(|| self.strange("a repository without name or address"))?);
            }
            url = match reply.next() {
                Some(next) => self.same_host(next)?,
                // A server that links no pages numbers them.
                None if rows.is_empty() || reply.links() => return Ok(Some(found)),
                None => numbered(&url, number + 1),
            };
        }
        Err(self.strange("the list of repositories does not end"))
    }

    /// One page, when the server lets us have it.
    async fn page(&self, url: &Url) -> Result<Reply, Failure> {
        let mut waited = Duration::ZERO;
        loop {
            let mut ask = Ask::new("GET", url.clone()).header("accept", "application/json");
            if self.kind == HostingKind::GitHub {
                ask = ask.header("accept", "application/vnd.github+json").header("x-github-api-version", "2022-11-28");
            }
            if let Some(token) = &self.token {
                let text = token.expose_str().unwrap_or_default();
                ask = match self.kind {
                    HostingKind::GitHub => {
                        ask.secret_header("authorization", &SecretValue::from(format!("Bearer {text}")))
                    }
                    HostingKind::GitLab => ask.secret_header("private-token", token),
                    HostingKind::Gitea => {
                        ask.secret_header("authorization", &SecretValue::from(format!("token {text}")))
                    }
                };
            }
            let reply = self.http.send(ask).await?;
            let Some(wait) = reply.limited() else { return Ok(reply) };
            // A server that lets go at once and refuses again gets twenty tries.
            waited += wait.max(Duration::from_secs(180));
            if waited > PATIENCE {
                return Ok(reply);
            }
            tokio::time::sleep(wait).await;
        }
    }

    fn hosted(&self, row: &Value) -> Option<Hosted> {
        let text = |names: &[&str]| names.iter().find_map(|name| row[*name].as_str()).map(str::to_owned);
        let is = |name: &str| row[name].as_bool().unwrap_or(false);
        Some(Hosted {
            name: text(&["full_name", "path_with_namespace"])?,
            clone_url: text(&["clone_url", "http_url_to_repo"])?,
            changed: text(&["pushed_at", "last_activity_at", "updated_at"]),
            fork: is("fork") || row["forked_from_project"].is_object(),
            archived: is("archived"),
            empty: is("empty") || is("empty_repo"),
        })
    }

    /// A link to the next page must not lead the token elsewhere.
    fn same_host(&self, next: &str) -> Result<Url, Failure> {
        let url = self.base.join(next).map_err(|_| self.strange("the link to the next page is no address"))?;
        if place_of(&url) != place_of(&self.base) || url.scheme() != self.base.scheme() {
            return Err(self.strange("the link to the next page leads to another server"));
        }
        Ok(url)
    }

    fn nobody(&self, owner: &str) -> Failure {
        let message = format!("nobody there is called {owner}, or the token may not see it");
        let place = place_of(&self.base);
        Failure::Answered { place, status: 404, code: String::new(), message, retry_after: None }
    }

    fn strange(&self, why: &str) -> Failure {
        Failure::Strange { place: place_of(&self.base), why: why.to_owned() }
    }
}

/// Adds segments to a path; none of them can leave its place.
fn extend(url: &mut Url, path: &[&str]) {
    url.path_segments_mut().expect("because an http address has a path").pop_if_empty().extend(path);
}

/// The same address with another page number.
fn numbered(url: &Url, number: usize) -> Url {
    let others: Vec<(String, String)> = url.query_pairs().into_owned().filter(|pair| pair.0 != "page").collect();
    let mut next = url.clone();
    next.query_pairs_mut().clear().extend_pairs(others).append_pair("page", &number.to_string());
    next
}

fn refusal(reply: &Reply) -> Failure {
    if reply.limited().is_some() {
        return reply.failure("rate-limit", "too many calls, and the limit lasts longer than an hour");
    }
    let why = match reply.status {
        401 => "the token is not valid",
        403 => "the token may not do this",
        _ => "the call was refused",
    };
    reply.failure("", why)
}
