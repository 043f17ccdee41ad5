//! `offkey gate --ci`: which change a pipeline is about, from the variables that its server sets.

use super::args::ListingFormat;
use crate::error::{Error, Result};
use crate::gate::What;

/// What a pipeline is about, and the form that its server shows best.
pub(super) struct Found {
    pub(super) what: What,
    pub(super) format: ListingFormat,
}

/// Reads the environment of GitHub Actions, GitLab CI or Jenkins.
///
/// # Errors
/// When none of them is there, or a variable that is needed is missing.
pub(super) fn find(variable: &dyn Fn(&str) -> Option<String>) -> Result<Found> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if set("GITHUB_ACTIONS").is_some() {
        return Ok(Found { what: github(&set)?, format: ListingFormat::Github });
    }
    if set("GITLAB_CI").is_some() {
        return Ok(Found { what: gitlab(&set)?, format: ListingFormat::Text });
    }
    if set("JENKINS_URL").is_some() || set("BUILD_TAG").is_some() {
        return Ok(Found { what: jenkins(&set)?, format: ListingFormat::Text });
    }
    Err(Error::user("this is no pipeline of GitHub, GitLab or Jenkins")
        .next("Name the change yourself: --base TARGET for a merge request, --range A..B for a push."))
}

fn missing(name: &str) -> Error {
    Error::user(format!("this pipeline does not set {name}"))
        .next("Name the change yourself: --base TARGET for a merge request, --range A..B for a push.")
}

fn github(set: &dyn Fn(&str) -> Option<String>) -> Result<What> {
    let head = set("GITHUB_SHA").ok_or_else(|| missing("GITHUB_SHA"))?;
    if let Some(target) = set("GITHUB_BASE_REF") {
        return Ok(What::MergeRequest { base: format!("origin/{target}"), head });
    }
    let event = set("GITHUB_EVENT_PATH").and_then(|path| std::fs::read(path).ok());
    let event: serde_json::Value = event.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let default = event["repository"]["default_branch"].as_str().unwrap_or("HEAD");
    Ok(since(event["before"].as_str(), head, &format!("origin/{default}")))
}

fn gitlab(set: &dyn Fn(&str) -> Option<String>) -> Result<What> {
    let head = set("CI_COMMIT_SHA").ok_or_else(|| missing("CI_COMMIT_SHA"))?;
    if let Some(base) = set("CI_MERGE_REQUEST_DIFF_BASE_SHA") {
        return Ok(What::MergeRequest { base, head });
    }
    if let Some(target) = set("CI_MERGE_REQUEST_TARGET_BRANCH_NAME") {
        return Ok(What::MergeRequest { base: format!("origin/{target}"), head });
    }
    let default = set("CI_DEFAULT_BRANCH").unwrap_or_else(|| "HEAD".to_owned());
    Ok(since(set("CI_COMMIT_BEFORE_SHA").as_deref(), head, &format!("origin/{default}")))
}

fn jenkins(set: &dyn Fn(&str) -> Option<String>) -> Result<What> {
    let head = set("GIT_COMMIT").unwrap_or_else(|| "HEAD".to_owned());
    if let Some(target) = set("CHANGE_TARGET") {
        return Ok(What::MergeRequest { base: format!("origin/{target}"), head });
    }
    let before = set("GIT_PREVIOUS_SUCCESSFUL_COMMIT").or_else(|| set("GIT_PREVIOUS_COMMIT"));
    Ok(since(before.as_deref(), head, "origin/HEAD"))
}

/// A push: what came since `before`; for a new branch (zeros, or nothing) since it left the default branch.
fn since(before: Option<&str>, head: String, default: &str) -> What {
    match before.filter(|before| before.bytes().any(|byte| byte != b'0')) {
        Some(before) => What::Range(before.to_owned(), head),
        None => What::MergeRequest { base: default.to_owned(), head },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(variables: &[(&str, &str)]) -> String {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        match find(&variable).map(|found| found.what) {
            Ok(What::MergeRequest { base, head }) => format!("{base}...{head}"),
            Ok(What::Range(from, to)) => format!("{from}..{to}"),
            Ok(other) => format!("{other:?}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn each_server_names_its_change() {
        let zeros = "0".repeat(40);
        assert_eq!(
            what(&[("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "c"), ("GITHUB_BASE_REF", "main")]),
            "origin/main...c"
        );
        assert_eq!(what(&[("GITHUB_ACTIONS", "true"), ("GITHUB_SHA", "c")]), "origin/HEAD...c");
        let gitlab = |more: &[(&'static str, &str)]| {
            let mut all = vec![("GITLAB_CI", "true"), ("CI_COMMIT_SHA", "c"), ("CI_DEFAULT_BRANCH", "trunk")];
            all.extend(more.iter().map(|(name, value)| (*name, *value)));
            what(&all)
        };
        assert_eq!(gitlab(&[("CI_MERGE_REQUEST_DIFF_BASE_SHA", "b")]), "b...c");
        assert_eq!(gitlab(&[("CI_COMMIT_BEFORE_SHA", "b")]), "b..c");
        assert_eq!(gitlab(&[("CI_COMMIT_BEFORE_SHA", &zeros)]), "origin/trunk...c");
        let jenkins = [("JENKINS_URL", "https://ci.harbourfinch.example"), ("CHANGE_TARGET", "main")];
        assert_eq!(what(&jenkins), "origin/main...HEAD");
        assert!(what(&[]).contains("no pipeline"));
    }
}
