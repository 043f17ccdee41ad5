//! SSM Parameter Store.
//!
//! A locator is `name#field`, with the slashes of the name. The interface has no check-and-set: offkey reads once more right
//! before it writes, a change in between is lost. Type, key and tier of a parameter stay. Older versions can be read through
//! the parameter's history and cannot be removed one by one; the value is dead at its issuer by then. New values wait as
//! `SecureString` under the pending path.

use std::sync::Arc;

use super::shelf::{Backend, Entry, Listing, Shelf};
use crate::action::Pending;
use crate::remote::{Aws, Failure, ParameterFacts};
use crate::secret::{Fingerprinter, SecretValue};

struct Ssm {
    aws: Arc<Aws>,
    prefixes: Vec<String>,
    pending: String,
}

/// The store `name`. Only parameters whose names begin with one of `prefixes` are read in an inventory (all when empty);
/// `pending` is the path for waiting values, which consumers should not be able to read.
pub fn aws_parameters(
    name: impl Into<String>,
    aws: Arc<Aws>,
    prefixes: Vec<String>,
    pending: &str,
    fingerprinter: Fingerprinter,
) -> Shelf {
    let pending = format!("/{}/", pending.trim_matches('/'));
    Shelf::new(name.into(), Arc::new(Ssm { aws, prefixes, pending }), fingerprinter)
}

impl Ssm {
    fn waits(&self, name: &str) -> String {
        format!("{}{name}", self.pending)
    }

    async fn entry(&self, name: &str) -> Result<Option<Entry>, Failure> {
        let parameter = self.aws.parameter(name).await?;
        Ok(parameter.map(|one| Entry::of_text(name, one.version, one.text.to_string())))
    }
}

impl Backend for Ssm {
    fn label(&self) -> &'static str {
        "AWS SSM Parameter Store"
    }

    fn kind(&self) -> &'static str {
        "aws-ssm"
    }

    fn list(&self) -> Pending<'_, Result<Listing, Failure>> {
        Box::pin(async move {
            let mut listing = Listing::default();
            for facts in self.aws.parameters(&self.prefixes).await? {
                match self.entry(&facts.name).await {
                    Ok(Some(entry)) => listing.entries.push(entry),
                    Ok(None) => listing.left_out.push((facts.name, "it is gone since the list was made".to_owned())),
                    Err(failure) => listing.failed.push((facts.name, failure.to_string())),
                }
            }
            listing.entries.sort_by(|one, other| one.path.cmp(&other.path));
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, path: &'a str) -> Pending<'a, Result<Option<Entry>, Failure>> {
        Box::pin(self.entry(path))
    }

    fn put<'a>(&'a self, changed: &'a Entry, _: &'a str) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            // Read right before: somebody may have written since.
            let Some(now) = self.aws.parameter(&changed.path).await? else { return Ok(false) };
            let Some(facts) = self.aws.parameter_facts(&changed.path).await? else { return Ok(false) };
            if now.version != changed.version {
                return Ok(false);
            }
            self.aws.put_parameter(&facts, &changed.text_like(&now.text), false).await
        })
    }

    fn create<'a>(&'a self, name: &'a str, content: &'a SecretValue) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let facts =
                ParameterFacts { name: self.waits(name), kind: "SecureString".to_owned(), ..ParameterFacts::default() };
            self.aws.put_parameter(&facts, content.expose_str().unwrap_or_default(), true).await
        })
    }

    fn waiting<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<SecretValue>, Failure>> {
        Box::pin(async move {
            let parameter = self.aws.parameter(&self.waits(name)).await?;
            Ok(parameter.map(|one| SecretValue::new(one.text.as_str())))
        })
    }

    fn remove<'a>(&'a self, name: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move { self.aws.delete_parameter(&self.waits(name)).await })
    }

    fn writes_siblings(&self) -> bool {
        true
    }
}
