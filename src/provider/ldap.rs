//! People and services of an LDAP directory (OpenLDAP and others with RFC 3062). The server hashes the new password and
//! applies its own rules; Active Directory has another way, which is not spoken here.
//!
//! A connection that was bound with the old password stays bound: directories do not tell who is connected.

use super::accounts::{Accounts, Server};
use super::claim::Words;
use crate::action::{ActionError, Pending};
use crate::remote::{Failure, Ldap, Login};
use crate::secret::SecretValue;

struct Directory {
    ldap: Ldap,
    base: String,
    attribute: String,
}

/// Entries under `base`, found by `attribute` (`uid`). `also_known_as` are other host names of the directory.
pub fn ldap_accounts(
    name: impl Into<String>,
    ldap: Ldap,
    base: impl Into<String>,
    attribute: impl Into<String>,
    also_known_as: Vec<String>,
) -> Accounts {
    let directory = Directory { ldap, base: base.into(), attribute: attribute.into() };
    Accounts::new(name.into(), Box::new(directory), also_known_as)
}

impl Directory {
    async fn passwords(&self, entry: &str) -> Result<Option<usize>, Failure> {
        self.ldap.admin().await?.count(entry, "userPassword").await
    }
}

impl Server for Directory {
    fn label(&self) -> &'static str {
        "LDAP entry"
    }

    fn kind(&self) -> &'static str {
        "ldap"
    }

    fn words(&self) -> Words {
        Words { schemes: &["ldap", "ldaps"], engines: &["ldap"], port: 389, user: None }
    }

    fn place(&self) -> (String, u16) {
        (self.ldap.endpoint().host.clone(), self.ldap.endpoint().port)
    }

    fn own(&self) -> &str {
        self.ldap.user()
    }

    fn can_freeze(&self) -> bool {
        // Locking is a matter of overlays that not every directory has.
        false
    }

    fn login<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Login> {
        Box::pin(self.ldap.login(account, value))
    }

    fn find<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            if name.contains('=') {
                let known = self.passwords(name).await?.is_some();
                return Ok(known.then(|| name.to_owned()));
            }
            let mut found = self.ldap.admin().await?.find(&self.base, &self.attribute, name).await?;
            // Two entries of one name are nobody.
            Ok(found.pop().filter(|_| found.is_empty()))
        })
    }

    fn all(&self) -> Pending<'_, Result<Vec<(String, String)>, Failure>> {
        Box::pin(async move {
            let entries = self.ldap.admin().await?.all(&self.base, &self.attribute).await?;
            Ok(entries.into_iter().map(|(entry, name)| (name, entry)).collect())
        })
    }

    fn check<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            match self.passwords(account).await.map_err(|failure| ActionError::looking(&failure))? {
                None => Err(ActionError::Conflict(format!("there is no entry {account} any more"))),
                Some(0) => Err(ActionError::Refused(format!(
                    "{} may not see the password of {account}, or it has none: give it rights on userPassword",
                    self.ldap.user()
                ))),
                Some(1) => Ok(()),
                Some(count) => Err(ActionError::Refused(format!(
                    "{account} has {count} passwords, and a new one would replace them all: change it by hand"
                ))),
            }
        })
    }

    fn set<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move { self.ldap.admin().await?.set_password(account, value).await.map(|()| None) })
    }

    fn is_barred<'a>(&'a self, account: &'a str, _: bool) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move { Ok(self.passwords(account).await?.is_none_or(|count| count == 0)) })
    }

    fn bar<'a>(&'a self, account: &'a str, _: bool) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move { self.ldap.admin().await?.remove_password(account).await })
    }

    fn unbar<'a>(&'a self, _: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async { Ok(()) })
    }
}
