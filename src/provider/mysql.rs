//! Accounts of MySQL and MariaDB.
//!
//! Where the server takes a hash (MariaDB, and MySQL with `mysql_native_password`) the password is hashed here. An account
//! that exists for several hosts is left to a person: each of them may have a password of its own.

use super::accounts::{Accounts, Server};
use super::claim::Words;
use crate::action::{ActionError, Pending};
use crate::remote::{Failure, Login, MySql, MySqlSession, native_hash, quote_text};
use crate::secret::SecretValue;

struct MySqlServer(MySql);

/// Accounts of a MySQL or MariaDB server. `also_known_as` are other host names under which consumers reach it.
pub fn mysql_accounts(name: impl Into<String>, server: MySql, also_known_as: Vec<String>) -> Accounts {
    Accounts::new(name.into(), Box::new(MySqlServer(server)), also_known_as)
}

/// How one account logs in.
struct Entry {
    /// `'shop'@'%'`
    quoted: String,
    method: String,
}

impl MySqlServer {
    async fn entries(&self, admin: &mut MySqlSession, account: &str) -> Result<Vec<Entry>, Failure> {
        let sql = format!("SELECT User, Host, plugin FROM mysql.user WHERE User = {}", quote_text(account));
        let rows = admin.query(&sql).await?;
        let text = |cell: &Option<String>| cell.clone().unwrap_or_default();
        Ok(rows
            .iter()
            .filter_map(|row| match row.as_slice() {
                [user, host, method] => Some(Entry {
                    quoted: format!("{}@{}", quote_text(&text(user)), quote_text(&text(host))),
                    method: text(method),
                }),
                _ => None,
            })
            .collect())
    }

    /// The only entry of an account; several are not ours to choose from.
    async fn entry(&self, admin: &mut MySqlSession, account: &str) -> Result<Entry, Failure> {
        let mut entries = self.entries(admin, account).await?;
        match (entries.pop(), entries.is_empty()) {
            (Some(entry), true) => Ok(entry),
            (None, _) => Err(self.refusal(format!("there is no account {account}"))),
            _ => Err(self.refusal(format!("{account} exists for several hosts: change it by hand"))),
        }
    }

    fn refusal(&self, message: String) -> Failure {
        let place = self.0.endpoint().place();
        Failure::Answered { place, status: 0, code: "offkey".to_owned(), message, retry_after: None }
    }

    async fn is_mariadb(&self, admin: &mut MySqlSession) -> Result<bool, Failure> {
        let rows = admin.query("SELECT VERSION()").await?;
        let version = rows.first().and_then(|row| row.first()?.as_deref()).unwrap_or_default();
        Ok(version.to_lowercase().contains("mariadb"))
    }

    async fn each_entry(&self, account: &str, statement: &str) -> Result<(), Failure> {
        let mut admin = self.0.admin().await?;
        for entry in self.entries(&mut admin, account).await? {
            admin.run(&statement.replace("{}", &entry.quoted)).await?;
        }
        Ok(())
    }

    async fn sessions_of(&self, admin: &mut MySqlSession, account: &str) -> Result<Vec<u64>, Failure> {
        let sql = format!("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = {}", quote_text(account));
        let rows = admin.query(&sql).await?;
        Ok(rows.iter().filter_map(|row| row.first()?.as_ref()?.parse().ok()).collect())
    }
}

impl Server for MySqlServer {
    fn label(&self) -> &'static str {
        "MySQL or MariaDB account"
    }

    fn kind(&self) -> &'static str {
        "mysql"
    }

    fn words(&self) -> Words {
        Words { schemes: &["mysql", "mariadb", "mysql2"], engines: &["mysql", "mariadb"], port: 3306, user: None }
    }

    fn place(&self) -> (String, u16) {
        (self.0.endpoint().host.clone(), self.0.endpoint().port)
    }

    fn own(&self) -> &str {
        self.0.user()
    }

    fn can_freeze(&self) -> bool {
        true
    }

    fn login<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Login> {
        Box::pin(self.0.login(account, value))
    }

    fn find<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let mut admin = self.0.admin().await?;
            let known = !self.entries(&mut admin, name).await?.is_empty();
            Ok(known.then(|| name.to_owned()))
        })
    }

    fn all(&self) -> Pending<'_, Result<Vec<(String, String)>, Failure>> {
        Box::pin(async move {
            let mut admin = self.0.admin().await?;
            let rows = admin.query("SELECT DISTINCT User FROM mysql.user WHERE User <> '' ORDER BY 1").await?;
            let names = rows.into_iter().filter_map(|row| row.into_iter().next()?);
            Ok(names.map(|name| (name.clone(), name)).collect())
        })
    }

    fn check<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let looking = |failure: Failure| ActionError::looking(&failure);
            let mut admin = self.0.admin().await.map_err(looking)?;
            let entries = self.entries(&mut admin, account).await.map_err(looking)?;
            match entries.as_slice() {
                [] => return Err(ActionError::Conflict(format!("there is no account {account} any more"))),
                [entry] if matches!(entry.method.as_str(), "" | "mysql_native_password" | "caching_sha2_password") => {}
                [entry] => {
                    let why = format!("{account} logs in by {}, where no password can be set", entry.method);
                    return Err(ActionError::Refused(why));
                }
                _ => {
                    let why = format!(
                        "{account} exists for several hosts, each with a password of its own: change it by hand"
                    );
                    return Err(ActionError::Refused(why));
                }
            }
            // What the grants say decides, not their names: a statement that changes nothing is tried.
            let entry = &entries[0];
            let rows = admin.query("SHOW GRANTS").await.map_err(looking)?;
            let all = rows.iter().flatten().flatten().any(|grant| {
                let grant = grant.to_uppercase();
                let everywhere = grant.contains(" ON *.* ");
                let user = grant.contains("ALL PRIVILEGES") || grant.contains("CREATE USER");
                let end =
                    grant.contains("ALL PRIVILEGES") || grant.contains("CONNECTION ADMIN") || grant.contains("SUPER");
                everywhere && user && end
            });
            if !all {
                let who = self.0.user();
                return Err(ActionError::Refused(format!(
                    "{who} may not change {} and end its sessions: GRANT CREATE USER, SUPER (MySQL 8: CONNECTION_ADMIN) ON *.* TO {who}",
                    entry.quoted
                )));
            }
            Ok(())
        })
    }

    fn set<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let mut admin = self.0.admin().await?;
            let entry = self.entry(&mut admin, account).await?;
            let hash = native_hash(value);
            let quoted = &entry.quoted;
            let native = matches!(entry.method.as_str(), "" | "mysql_native_password");
            let statement = zeroize::Zeroizing::new(if native && self.is_mariadb(&mut admin).await? {
                format!("ALTER USER {quoted} IDENTIFIED BY PASSWORD '{hash}'")
            } else if native {
                format!("ALTER USER {quoted} IDENTIFIED WITH mysql_native_password AS '{hash}'")
            } else {
                // The hash of this method is made by the server only, which keeps the statement out of its logs.
                let text = value.expose_str().ok_or_else(|| self.refusal("the password is not text".to_owned()))?;
                format!("ALTER USER {quoted} IDENTIFIED WITH caching_sha2_password BY {}", quote_text(text))
            });
            admin.run(&statement).await.map(|()| None)
        })
    }

    fn is_barred<'a>(&'a self, account: &'a str, _: bool) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let mut admin = self.0.admin().await?;
            for entry in self.entries(&mut admin, account).await? {
                let rows = admin.query(&format!("SHOW CREATE USER {}", entry.quoted)).await?;
                let locked = rows.iter().flatten().flatten().any(|text| text.contains("ACCOUNT LOCK"));
                if !locked {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn bar<'a>(&'a self, account: &'a str, _: bool) -> Pending<'a, Result<(), Failure>> {
        Box::pin(self.each_entry(account, "ALTER USER {} ACCOUNT LOCK"))
    }

    fn unbar<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(self.each_entry(account, "ALTER USER {} ACCOUNT UNLOCK"))
    }

    fn sessions<'a>(&'a self, account: &'a str, mark: Option<&'a str>) -> Pending<'a, Result<usize, Failure>> {
        Box::pin(async move {
            let mut admin = self.0.admin().await?;
            let before = mark.and_then(|mark| mark.parse().ok()).unwrap_or(u64::MAX);
            Ok(self.sessions_of(&mut admin, account).await?.into_iter().filter(|id| *id < before).count())
        })
    }

    fn end_sessions<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(usize, String), Failure>> {
        Box::pin(async move {
            let mut admin = self.0.admin().await?;
            // Numbers of sessions only grow: our own is larger than every one that is to be ended.
            let rows = admin.query("SELECT CONNECTION_ID()").await?;
            let mark = rows.first().and_then(|row| row.first()?.clone()).unwrap_or_default();
            let before: u64 = mark.parse().unwrap_or(u64::MAX);
            let mut ended = 0;
            for id in self.sessions_of(&mut admin, account).await?.into_iter().filter(|id| *id < before) {
                match admin.run(&format!("KILL {id}")).await {
                    Ok(()) => ended += 1,
                    // It ended by itself in the meantime.
                    Err(Failure::Answered { code, .. }) if code == "1094" => {}
                    Err(failure) => return Err(failure),
                }
            }
            Ok((ended, mark))
        })
    }
}
