//! Users of Redis (ACL). A user may have two passwords at once: the new one is added, and the old one is taken away when
//! consumers have changed over. Passwords travel as their SHA-256, which is what the server keeps.

use sha2::{Digest, Sha256};

use super::accounts::{Accounts, Server};
use super::claim::Words;
use crate::action::{ActionError, Pending};
use crate::remote::{Failure, Login, Redis, RedisSession, Resp};
use crate::secret::SecretValue;

struct RedisServer(Redis);

/// Users of a Redis server. `also_known_as` are other host names under which consumers reach it.
pub fn redis_accounts(name: impl Into<String>, server: Redis, also_known_as: Vec<String>) -> Accounts {
    Accounts::new(name.into(), Box::new(RedisServer(server)), also_known_as)
}

/// `#` adds the password with this hash, `!` takes it away.
fn rule(sign: char, value: &SecretValue) -> String {
    format!("{sign}{}", data_encoding::HEXLOWER.encode(&Sha256::digest(value.expose())))
}

impl RedisServer {
    async fn user(&self, session: &mut RedisSession, account: &str) -> Result<Resp, Failure> {
        session.ask(&[b"ACL", b"GETUSER", account.as_bytes()]).await
    }

    async fn change(&self, account: &str, rules: &[&str]) -> Result<Option<String>, Failure> {
        let mut session = self.0.admin().await?;
        let mut words: Vec<&[u8]> = vec![b"ACL", b"SETUSER", account.as_bytes()];
        words.extend(rules.iter().map(|rule| rule.as_bytes()));
        session.ask(&words).await?;
        // Without a file of users the change lasts until the server starts again.
        match session.ask(&[b"ACL", b"SAVE"]).await {
            Ok(_) => Ok(None),
            Err(_) => Ok(Some("kept until the server restarts: it has no ACL file".to_owned())),
        }
    }

    async fn clients(&self, session: &mut RedisSession, account: &str) -> Result<Vec<u64>, Failure> {
        let list = session.ask(&[b"CLIENT", b"LIST"]).await?;
        let field = |line: &str, name: &str| {
            line.split(' ').find_map(|part| part.strip_prefix(name)?.strip_prefix('=').map(str::to_owned))
        };
        let theirs = list.text().lines().filter(|line| field(line, "user").as_deref() == Some(account));
        Ok(theirs.filter_map(|line| field(line, "id")?.parse().ok()).collect())
    }
}

impl Server for RedisServer {
    fn label(&self) -> &'static str {
        "Redis user"
    }

    fn kind(&self) -> &'static str {
        "redis"
    }

    fn words(&self) -> Words {
        Words { schemes: &["redis", "rediss"], engines: &["redis", "valkey"], port: 6379, user: Some("default") }
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

    fn overlaps(&self) -> bool {
        true
    }

    fn login<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Login> {
        Box::pin(self.0.login(account, value))
    }

    fn find<'a>(&'a self, name: &'a str) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move {
            let mut session = self.0.admin().await?;
            let user = self.user(&mut session, name).await?;
            Ok((user != Resp::Nil).then(|| name.to_owned()))
        })
    }

    fn all(&self) -> Pending<'_, Result<Vec<(String, String)>, Failure>> {
        Box::pin(async move {
            let users = self.0.admin().await?.ask(&[b"ACL", b"USERS"]).await?;
            Ok(users.texts().into_iter().map(|name| (name.to_owned(), name.to_owned())).collect())
        })
    }

    fn check<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), ActionError>> {
        Box::pin(async move {
            let looking = |failure: Failure| ActionError::looking(&failure);
            let mut session = self.0.admin().await.map_err(looking)?;
            let user = self.user(&mut session, account).await.map_err(looking)?;
            if user == Resp::Nil {
                return Err(ActionError::Conflict(format!("there is no user {account} any more")));
            }
            if user.field("flags").is_some_and(|flags| flags.texts().contains(&"nopass")) {
                let why = format!("{account} is let in with any password (nopass): take that away first");
                return Err(ActionError::Refused(why));
            }
            // A dry run needs Redis 7; older servers say that they do not know it, and the first change will tell.
            let dry = [b"ACL".as_slice(), b"DRYRUN", self.0.user().as_bytes(), b"ACL", b"SETUSER", account.as_bytes()];
            match session.ask(&dry).await {
                Ok(Resp::Text(said)) if said != "OK" => Err(ActionError::Refused(said)),
                _ => Ok(()),
            }
        })
    }

    fn set<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Result<Option<String>, Failure>> {
        Box::pin(async move { self.change(account, &[&rule('#', value)]).await })
    }

    fn remove<'a>(&'a self, account: &'a str, value: &'a SecretValue) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let gone = rule('!', value);
            let mut session = self.0.admin().await?;
            let user = self.user(&mut session, account).await?;
            let known = user.field("passwords").is_some_and(|all| all.texts().contains(&&gone[1..]));
            // Taking away what is not there is an error for Redis, and done for us.
            if known { self.change(account, &[&gone]).await.map(drop) } else { Ok(()) }
        })
    }

    fn is_barred<'a>(&'a self, account: &'a str, for_good: bool) -> Pending<'a, Result<bool, Failure>> {
        Box::pin(async move {
            let mut session = self.0.admin().await?;
            let user = self.user(&mut session, account).await?;
            let off = user.field("flags").is_some_and(|flags| flags.texts().contains(&"off"));
            let bare = user.field("passwords").is_some_and(|all| all.texts().is_empty());
            Ok(user == Resp::Nil || (off && (bare || !for_good)))
        })
    }

    fn bar<'a>(&'a self, account: &'a str, for_good: bool) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let rules: &[&str] = if for_good { &["off", "resetpass"] } else { &["off"] };
            self.change(account, rules).await.map(drop)
        })
    }

    fn unbar<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move { self.change(account, &["on"]).await.map(drop) })
    }

    fn sessions<'a>(&'a self, account: &'a str, mark: Option<&'a str>) -> Pending<'a, Result<usize, Failure>> {
        Box::pin(async move {
            let mut session = self.0.admin().await?;
            let before = mark.and_then(|mark| mark.parse().ok()).unwrap_or(u64::MAX);
            Ok(self.clients(&mut session, account).await?.into_iter().filter(|id| *id < before).count())
        })
    }

    fn end_sessions<'a>(&'a self, account: &'a str) -> Pending<'a, Result<(usize, String), Failure>> {
        Box::pin(async move {
            let mut session = self.0.admin().await?;
            // Numbers of clients only grow: our own is larger than every one that is to be ended.
            let mark = session.ask(&[b"CLIENT", b"ID"]).await?.text().to_owned();
            let before: u64 = mark.parse().unwrap_or(u64::MAX);
            let mut ended = 0;
            for id in self.clients(&mut session, account).await?.into_iter().filter(|id| *id < before) {
                session.ask(&[b"CLIENT", b"KILL", b"ID", id.to_string().as_bytes()]).await?;
                ended += 1;
            }
            Ok((ended, mark))
        })
    }
}
