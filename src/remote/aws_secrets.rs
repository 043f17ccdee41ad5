//! The calls of Secrets Manager that a rotation needs, free of the SDK's types.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::primitives::DateTime;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::aws::{Aws, sdk_failure};
use super::failure::Failure;

/// What Secrets Manager says about a secret without its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFacts {
    /// Its name: `shop/db`.
    pub name: String,
    /// True when its rotation is switched on: by a Lambda function, or as a secret that a service of AWS manages.
    pub rotates: bool,
    /// The service of AWS that manages it, if one does: `rds`.
    pub owner: Option<String>,
    /// When AWS last ended a rotation of it.
    pub rotated: Option<Timestamp>,
    /// True while it waits for its deletion.
    pub deleted: bool,
    /// Staging labels by version id; versions without a label are not listed.
    pub labels: BTreeMap<String, Vec<String>>,
}

impl SecretFacts {
    /// The version that carries a label.
    pub fn version_of(&self, label: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(_, labels)| labels.iter().any(|one| one == label))
            .map(|(version, _)| version.as_str())
    }
}

/// One version of a secret.
pub struct SecretVersion {
    /// Version id.
    pub id: String,
    /// Its text; `None` for a binary or empty version.
    pub text: Option<Zeroizing<String>>,
    /// When it was made.
    pub created: Option<Timestamp>,
}

fn time(time: Option<DateTime>) -> Option<Timestamp> {
    let time = time?;
    Timestamp::new(time.secs(), i32::try_from(time.subsec_nanos()).ok()?).ok()
}

/// Which version is meant.
#[derive(Clone, Copy, Debug)]
pub enum WhichVersion<'a> {
    /// The one that carries this label.
    Label(&'a str),
    /// The one with this id.
    Id(&'a str),
}

impl Aws {
    /// Every secret whose name begins with one of `prefixes` (all when empty).
    ///
    /// # Errors
    /// What failed.
    pub async fn secrets(&self, prefixes: &[String]) -> Result<Vec<SecretFacts>, Failure> {
        let client = self.secrets_manager().await;
        let mut call = client.list_secrets();
        if !prefixes.is_empty() {
            // The filter matches the beginnings of names.
            call = call
                .filters(Filter::builder().key(FilterNameStringType::Name).set_values(Some(prefixes.to_vec())).build());
        }
        let mut pages = call.into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| sdk_failure(&error, self.region()))?;
            for entry in page.secret_list.unwrap_or_default() {
                let name = entry.name.unwrap_or_default();
                if prefixes.is_empty() || prefixes.iter().any(|prefix| name.starts_with(prefix.as_str())) {
                    all.push(SecretFacts {
                        name,
                        rotates: entry.rotation_enabled.unwrap_or(false),
                        owner: entry.owning_service,
                        rotated: time(entry.last_rotated_date),
                        deleted: entry.deleted_date.is_some(),
                        labels: entry.secret_versions_to_stages.unwrap_or_default().into_iter().collect(),
                    });
                }
            }
        }
        Ok(all)
    }

    /// One secret; `None` when there is none of this name.
    ///
    /// # Errors
    /// What failed.
    pub async fn secret(&self, name: &str) -> Result<Option<SecretFacts>, Failure> {
        let answer = self.secrets_manager().await.describe_secret().secret_id(name).send().await;
        match answer.map_err(|error| sdk_failure(&error, self.region())) {
            Ok(facts) => Ok(Some(SecretFacts {
                name: name.to_owned(),
                rotates: facts.rotation_enabled.unwrap_or(false),
                owner: facts.owning_service,
                rotated: time(facts.last_rotated_date),
                deleted: facts.deleted_date.is_some(),
                labels: facts.version_ids_to_stages.unwrap_or_default().into_iter().collect(),
            })),
            Err(failure) if is_not_found(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// One version; `None` when there is none, or it has no value yet.
    ///
    /// # Errors
    /// What failed.
    pub async fn secret_version(&self, name: &str, which: WhichVersion<'_>) -> Result<Option<SecretVersion>, Failure> {
        let call = self.secrets_manager().await.get_secret_value().secret_id(name);
        let call = match which {
            WhichVersion::Label(label) => call.version_stage(label),
            WhichVersion::Id(id) => call.version_id(id),
        };
        match call.send().await.map_err(|error| sdk_failure(&error, self.region())) {
            Ok(answer) => Ok(Some(SecretVersion {
                id: answer.version_id.unwrap_or_default(),
                text: answer.secret_string.filter(|text| !text.is_empty()).map(Zeroizing::new),
                created: time(answer.created_date),
            })),
            Err(failure) if is_not_found(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Adds a version whose id is `token`. The same token with the same text is the same as once.
    ///
    /// # Errors
    /// What failed; `ResourceExistsException` when the token has another text already.
    pub async fn put_secret_version(
        &self,
        name: &str,
        token: &str,
        text: &str,
        labels: &[String],
    ) -> Result<(), Failure> {
        let call = self.secrets_manager().await.put_secret_value().secret_id(name).client_request_token(token);
        let call = call.secret_string(text).set_version_stages(Some(labels.to_vec()));
        call.send().await.map(drop).map_err(|error| sdk_failure(&error, self.region()))
    }

    /// Starts the rotation that the secret is set up for; the new version will have `token` as its id. AWS goes on by itself.
    ///
    /// # Errors
    /// What failed; `InvalidRequestException` while an earlier rotation has not ended.
    pub async fn rotate_secret(&self, name: &str, token: &str) -> Result<(), Failure> {
        let call = self.secrets_manager().await.rotate_secret().secret_id(name).client_request_token(token);
        let call = call.rotate_immediately(true);
        call.send().await.map(drop).map_err(|error| sdk_failure(&error, self.region()))
    }

    /// Moves a label. AWS compares `from` with the version that has it and refuses when it is another one.
    ///
    /// # Errors
    /// What failed; `InvalidParameterException` when `from` does not carry the label.
    pub async fn move_secret_label(
        &self,
        name: &str,
        label: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<(), Failure> {
        let call = self.secrets_manager().await.update_secret_version_stage().secret_id(name).version_stage(label);
        let call =
            call.set_remove_from_version_id(from.map(str::to_owned)).set_move_to_version_id(to.map(str::to_owned));
        call.send().await.map(drop).map_err(|error| sdk_failure(&error, self.region()))
    }
}

/// Whether a failed call says that the secret, version or label is not there.
fn is_not_found(failure: &Failure) -> bool {
    failure.code() == "ResourceNotFoundException"
}
