//! Accounts of the real MariaDB, Redis, RabbitMQ and OpenLDAP: log-ins are the only proof, and programs that share no code
//! with offkey (mariadb, redis-cli, curl, ldapwhoami) are the witnesses.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use offkey::action::{Action, ActionError, Context, Observed, Target, wait};
use offkey::finding::Liveness;
use offkey::identity::{AliasKind, Identity};
use offkey::provider::{
    Accounts, Provider, ProviderStep, RabbitSettings, Subject, ldap_accounts, mysql_accounts, rabbitmq_accounts,
    redis_accounts,
};
use offkey::remote::{Endpoint, Http, Ldap, MySql, Redis, Tls};
use offkey::secret::SecretValue;

use crate::lab::{Lab, unique};
use crate::steps::{context, drive, refusal, values};

const DEADLINE: Duration = Duration::from_secs(20);

/// One kind of server, with a witness.
trait Kind {
    /// Logins of an identity name it so; actions too.
    const KIND: &'static str;
    /// Scheme of addresses.
    const SCHEME: &'static str;
    /// What a rejection begins with.
    const REJECTION: &'static str;
    /// Whether old and new work side by side until the eviction.
    const OVERLAPS: bool = false;

    fn open() -> Self;
    fn provider(&self) -> Accounts;
    /// The same with nobody listening.
    fn nobody(&self) -> Accounts;
    fn port(&self) -> u16;
    /// Makes an account.
    fn create(&self, name: &str, password: &str);
    /// As somebody else would.
    fn change(&self, name: &str, password: &str);
    /// Whether the witness can log in.
    fn login(&self, name: &str, password: &str) -> bool;
    /// What the server calls the account.
    fn account(&self, name: &str) -> String {
        name.to_owned()
    }
}

fn run(program: &str, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    // A program that does not read is allowed to end first.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("ends")
}

fn must(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn endpoint(host: &str, port: u16) -> Endpoint {
    Endpoint { host: host.to_owned(), port, tls: Tls::Off, deadline: DEADLINE }
}

fn secret(text: &str) -> SecretValue {
    SecretValue::new(text)
}

struct MariaDb(crate::lab::Server);

impl MariaDb {
    fn client(&self, user: &str, password: &str, sql: &str) -> Output {
        let port = self.0.port.to_string();
        let arguments = ["--no-defaults", "--protocol=tcp", "-N", "-B", "-h", &self.0.host, "-P", &port, "-u", user];
        run("mariadb", &arguments, &[("MYSQL_PWD", password)], sql)
    }

    fn sql(&self, sql: &str) -> String {
        must(self.client(&self.0.user, &self.0.password, sql))
    }

    fn accounts(&self, port: u16, user: &str, password: &str) -> Accounts {
        mysql_accounts("sys", MySql::new(endpoint(&self.0.host, port), user, secret(password)), Vec::new())
    }
}

impl Kind for MariaDb {
    const KIND: &'static str = "mysql";
    const SCHEME: &'static str = "mysql";
    const REJECTION: &'static str = "1045";

    fn open() -> Self {
        Self(Lab::require().mariadb())
    }
    fn provider(&self) -> Accounts {
        self.accounts(self.0.port, &self.0.user, &self.0.password)
    }
    fn nobody(&self) -> Accounts {
        self.accounts(1, &self.0.user, &self.0.password)
    }
    fn port(&self) -> u16 {
        self.0.port
    }
    fn create(&self, name: &str, password: &str) {
        self.sql(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY '{password}'"));
    }
    fn change(&self, name: &str, password: &str) {
        self.sql(&format!("ALTER USER '{name}'@'%' IDENTIFIED BY '{password}'"));
    }
    fn login(&self, name: &str, password: &str) -> bool {
        self.client(name, password, "SELECT 1").status.success()
    }
}

struct RedisKind(crate::lab::Server);

impl RedisKind {
    fn client(&self, user: &str, password: &str, commands: &str) -> Output {
        let port = self.0.port.to_string();
        let arguments = ["-h", &self.0.host, "-p", &port, "--user", user, "--no-auth-warning"];
        run("redis-cli", &arguments, &[("REDISCLI_AUTH", password)], commands)
    }

    fn admin(&self, commands: &str) -> String {
        let said = must(self.client(&self.0.user, &self.0.password, commands));
        assert!(!said.contains("ERR"), "{said}");
        said
    }

    fn accounts(&self, port: u16) -> Accounts {
        let server = Redis::new(endpoint(&self.0.host, port), self.0.user.as_str(), secret(&self.0.password));
        redis_accounts("sys", server, Vec::new())
    }
}

impl Kind for RedisKind {
    const KIND: &'static str = "redis";
    const SCHEME: &'static str = "redis";
    const REJECTION: &'static str = "WRONGPASS";
    const OVERLAPS: bool = true;

    fn open() -> Self {
        Self(Lab::require().redis())
    }
    fn provider(&self) -> Accounts {
        self.accounts(self.0.port)
    }
    fn nobody(&self) -> Accounts {
        self.accounts(1)
    }
    fn port(&self) -> u16 {
        self.0.port
    }
    fn create(&self, name: &str, password: &str) {
        self.admin(&format!("ACL SETUSER {name} on >{password} ~* +@all\n"));
    }
    fn change(&self, name: &str, password: &str) {
        self.admin(&format!("ACL SETUSER {name} resetpass >{password}\n"));
    }
    fn login(&self, name: &str, password: &str) -> bool {
        // redis-cli goes on without a log-in that failed.
        let output = self.client(name, password, "PING\n");
        String::from_utf8_lossy(&output.stdout).contains("PONG")
    }
}

struct RabbitKind(crate::lab::RabbitMq);

impl RabbitKind {
    fn call(&self, user: &str, password: &str, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut config =
            format!("url = \"{}/api/{path}\"\nuser = \"{user}:{password}\"\nrequest = \"{method}\"\n", self.0.url);
        if !body.is_empty() {
            config +=
                &format!("header = \"content-type: application/json\"\ndata = \"{}\"\n", body.replace('"', "\\\""));
        }
        let output = must(run("curl", &["-sS", "--max-time", "30", "-w", "\n%{http_code}", "-K", "-"], &[], &config));
        let (body, status) = output.rsplit_once('\n').unwrap_or(("", &output));
        (status.parse().expect("a status"), body.to_owned())
    }

    fn put(&self, name: &str, password: &str, tags: &str) {
        let body = format!("{{\"password\":\"{password}\",\"tags\":\"{tags}\"}}");
        let (status, said) = self.call(&self.0.user, &self.0.password, "PUT", &format!("users/{name}"), &body);
        assert!((200..300).contains(&status), "{status} {said}");
    }

    fn accounts(&self, address: &str) -> Accounts {
        let address = reqwest::Url::parse(address).expect("an address");
        let http = Http::new(&address, DEADLINE, None).expect("a client");
        let (user, password) = (self.0.user.clone(), secret(&self.0.password));
        let settings = RabbitSettings { address, http, user, password, amqp_port: self.0.amqp_port };
        rabbitmq_accounts("sys", settings, Vec::new())
    }
}

impl Kind for RabbitKind {
    const KIND: &'static str = "rabbitmq";
    const SCHEME: &'static str = "amqp";
    const REJECTION: &'static str = "401";

    fn open() -> Self {
        Self(Lab::require().rabbitmq())
    }
    fn provider(&self) -> Accounts {
        self.accounts(&self.0.url)
    }
    fn nobody(&self) -> Accounts {
        self.accounts("http://127.0.0.1:1")
    }
    fn port(&self) -> u16 {
        self.0.amqp_port
    }
    fn create(&self, name: &str, password: &str) {
        self.put(name, password, "management");
    }
    fn change(&self, name: &str, password: &str) {
        self.put(name, password, "management");
    }
    fn login(&self, name: &str, password: &str) -> bool {
        match self.call(name, password, "GET", "whoami", "") {
            (200, _) => true,
            (401, _) => false,
            other => panic!("{other:?}"),
        }
    }
}

struct LdapKind(crate::lab::Server);

impl LdapKind {
    fn tool(&self, tool: &str, name: &str, password: &str, ldif: &str) -> Output {
        let url = format!("ldap://{}:{}", self.0.host, self.0.port);
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), password).expect("written");
        let path = file.path().to_str().expect("text");
        run(tool, &["-x", "-H", &url, "-D", name, "-y", path], &[], ldif)
    }

    fn accounts(&self, port: u16) -> Accounts {
        let ldap = Ldap::new(endpoint(&self.0.host, port), self.0.user.as_str(), secret(&self.0.password));
        ldap_accounts("sys", ldap, "ou=people,dc=lab,dc=test", "uid", Vec::new())
    }
}

impl Kind for LdapKind {
    const KIND: &'static str = "ldap";
    const SCHEME: &'static str = "ldap";
    const REJECTION: &'static str = "49";

    fn open() -> Self {
        Self(Lab::require().ldap())
    }
    fn provider(&self) -> Accounts {
        self.accounts(self.0.port)
    }
    fn nobody(&self) -> Accounts {
        self.accounts(1)
    }
    fn port(&self) -> u16 {
        self.0.port
    }
    fn create(&self, name: &str, password: &str) {
        let ldif = format!(
            "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\nuserPassword: {password}\n",
            self.account(name)
        );
        must(self.tool("ldapmodify", &self.0.user, &self.0.password, &ldif));
    }
    fn change(&self, name: &str, password: &str) {
        let ldif = format!(
            "dn: {}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n",
            self.account(name)
        );
        must(self.tool("ldapmodify", &self.0.user, &self.0.password, &ldif));
    }
    fn login(&self, name: &str, password: &str) -> bool {
        let output = self.tool("ldapwhoami", &self.account(name), password, "");
        match output.status.code() {
            Some(0) => true,
            Some(49) => false,
            _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
        }
    }
    fn account(&self, name: &str) -> String {
        format!("uid={name},ou=people,dc=lab,dc=test")
    }
}

/// Seen undone → done → seen done, as soon as the server has ended what it was told to end → done again → seen done.
fn carry_out(action: &dyn Action, cx: &Context<'_>) {
    assert_eq!(wait(action.observe(cx)), Ok(Observed::NotDone), "{} before", action.name());
    for _ in 0..2 {
        wait(action.apply(cx)).unwrap_or_else(|error| panic!("{}: {error}", action.name()));
        seen_done(action, cx);
    }
}

/// Waits until a step is seen done: servers end a session a moment after they were told to.
fn seen_done(action: &dyn Action, cx: &Context<'_>) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match wait(action.observe(cx)) {
            Ok(Observed::Done(_)) => return,
            Ok(Observed::NotDone) if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
            other => panic!("{}: {other:?}", action.name()),
        }
    }
}

fn target(kind: &impl Kind, name: &str) -> Target {
    Target { system: "sys".to_owned(), locator: format!("account:{}", kind.account(name)) }
}

fn a_password_is_replaced<K: Kind>() {
    let kind = K::open();
    let (name, old, new) = (unique("shop"), unique("old"), unique("new"));
    kind.create(&name, &old);
    assert!(kind.login(&name, &old));
    let (values, refs) = values(&[&old, &new]);
    let (old_ref, new_ref) = (refs[0].clone(), refs[1].clone());
    let (provider, at) = (kind.provider(), target(&kind, &name));
    let step = |step| provider.action(&at, step).expect("offered");
    let cx = context(&values, 1);
    wait(provider.preflight(&at)).expect("allowed");

    let set = ProviderStep::Set { new: new_ref.clone(), old: old_ref.clone() };
    drive(step(set.clone()).as_ref(), &cx);
    assert_eq!((kind.login(&name, &new), kind.login(&name, &old)), (true, K::OVERLAPS));
    wait(step(set.clone()).undo(&cx)).expect("taken back");
    assert_eq!((kind.login(&name, &new), kind.login(&name, &old)), (false, true));
    drive(step(set).as_ref(), &cx);
    drive(step(ProviderStep::Test { new: new_ref.clone() }).as_ref(), &cx);
    let evict = step(ProviderStep::Evict { old: old_ref.clone() });
    wait(evict.apply(&cx)).expect("evicted");
    seen_done(evict.as_ref(), &cx);
    let verify = step(ProviderStep::Verify { new: Some(new_ref), old: old_ref });
    let receipt = drive(verify.as_ref(), &cx);
    assert!(receipt.facts["old value"].starts_with(K::REJECTION), "{receipt:?}");
    assert_eq!((kind.login(&name, &new), kind.login(&name, &old)), (true, false));
    assert_eq!(wait(provider.validate(&at, &secret(&new))), Liveness::Live);
    assert!(
        matches!(wait(provider.validate(&at, &secret(&old))), Liveness::Dead(why) if why.starts_with(K::REJECTION))
    );
}

fn what_somebody_else_changed_is_left_alone<K: Kind>() {
    let kind = K::open();
    let (name, old, new) = (unique("shop"), unique("old"), unique("new"));
    kind.create(&name, &old);
    let foreign = unique("foreign");
    kind.change(&name, &foreign);
    let (values, refs) = values(&[&old, &new]);
    let (provider, at) = (kind.provider(), target(&kind, &name));
    let cx = context(&values, 1);
    let set = provider.action(&at, ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() }).expect("offered");
    assert!(matches!(wait(set.observe(&cx)), Ok(Observed::Conflict(_))));
    assert!(matches!(refusal(set.as_ref(), &cx), ActionError::Conflict(_)));
    assert!(kind.login(&name, &foreign));
}

fn nobody_there_proves_nothing<K: Kind>() {
    let kind = K::open();
    let (name, old) = (unique("shop"), unique("old"));
    kind.create(&name, &old);
    let (nobody, at) = (kind.nobody(), target(&kind, &name));
    assert!(matches!(wait(nobody.validate(&at, &secret(&old))), Liveness::Unknown(_)));
    let error = wait(nobody.preflight(&at)).expect_err("nobody there");
    assert!(matches!(error, ActionError::Unavailable { .. }), "{error}");
    let missing = wait(kind.provider().preflight(&target(&kind, &unique("none")))).expect_err("no such account");
    assert!(matches!(missing, ActionError::Conflict(_)), "{missing}");
}

fn an_account_is_recognised<K: Kind>() {
    let kind = K::open();
    let (name, password) = (unique("shop"), unique("old"));
    kind.create(&name, &password);
    let provider = kind.provider();
    let recognise = |facts: &[(&str, &str)], value: &str| {
        let facts: BTreeMap<_, _> = facts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let subject = Subject { rule: "needle".to_owned(), facts };
        wait(provider.recognise(&subject, &secret(value))).expect("answers").map(|at| at.locator)
    };
    let port = kind.port().to_string();
    let account = Some(format!("account:{}", kind.account(&name)));
    assert_eq!(recognise(&[("user", &name), ("host", "localhost"), ("port", &port)], &password), account);
    assert_eq!(recognise(&[("user", &name)], &password), account, "a log-in tells");
    assert_eq!(recognise(&[("user", &name)], "wrong"), None);
    assert_eq!(recognise(&[("user", &name), ("host", "elsewhere.example")], &password), None);
    assert_eq!(recognise(&[("user", &name), ("host", "localhost"), ("port", "1")], &password), None);
    assert_eq!(recognise(&[("user", &name), ("engine", "postgres")], &password), None);
    assert_eq!(recognise(&[("user", &unique("none")), ("host", "localhost"), ("port", &port)], &password), None);
    let address = format!("{}://{name}:{password}@localhost:{port}/x", K::SCHEME);
    let at = Target { system: "sys".to_owned(), locator: recognise(&[], &address).expect("it says everything") };
    assert_eq!(at.locator, format!("url:{}", kind.account(&name)));
    assert!(!provider.settable(&at), "a password must not replace a whole address");
    assert_eq!(wait(provider.validate(&at, &secret(&address))), Liveness::Live);
}

fn a_personal_account_ends<K: Kind>() {
    let kind = K::open();
    let (name, password) = (unique("alice"), unique("old"));
    kind.create(&name, &password);
    let provider = kind.provider();
    let mut identity = Identity { name: "Alice Moreau".to_owned(), ..Identity::default() };
    identity.learn(AliasKind::Login, &format!("{}:{name}", K::KIND), "stated in alice.toml");
    let (owned, coverage) = wait(provider.owned(&identity)).expect("answers");
    assert!(!coverage.is_partial());
    let [one] = owned.as_slice() else { panic!("{owned:?}") };
    assert_eq!(one.at, target(&kind, &name));
    let (values, _) = values(&[]);
    let cx = context(&values, 1);
    if one.facts.contains_key("freeze") {
        let freeze = provider.action(&one.at, ProviderStep::Freeze).expect("offered");
        carry_out(freeze.as_ref(), &cx);
        assert!(!kind.login(&name, &password));
        wait(freeze.undo(&cx)).expect("taken back");
        assert!(kind.login(&name, &password));
    } else {
        assert!(provider.action(&one.at, ProviderStep::Freeze).is_none());
    }
    carry_out(provider.action(&one.at, ProviderStep::Revoke).expect("offered").as_ref(), &cx);
    assert!(!kind.login(&name, &password));
    assert!(matches!(wait(provider.validate(&one.at, &secret(&password))), Liveness::Dead(_)));
}

macro_rules! kinds {
    ($($module:ident: $kind:ty,)+) => {
        $(mod $module {
            #[test]
            fn a_password_is_replaced() {
                super::a_password_is_replaced::<$kind>();
            }
            #[test]
            fn what_somebody_else_changed_is_left_alone() {
                super::what_somebody_else_changed_is_left_alone::<$kind>();
            }
            #[test]
            fn nobody_there_proves_nothing() {
                super::nobody_there_proves_nothing::<$kind>();
            }
            #[test]
            fn an_account_is_recognised() {
                super::an_account_is_recognised::<$kind>();
            }
            #[test]
            fn a_personal_account_ends() {
                super::a_personal_account_ends::<$kind>();
            }
        })+
    };
}

kinds! {
    mariadb: super::MariaDb,
    redis: super::RedisKind,
    rabbitmq: super::RabbitKind,
    ldap: super::LdapKind,
}

/// Waits until a count is what it should be: servers forget a session a moment after it has ended.
fn settle(count: impl Fn() -> usize, expected: usize, why: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    while count() != expected && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(30));
    }
    assert_eq!(count(), expected, "{why}");
}

fn session(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Child {
    let mut child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    // redis-cli connects with its first command.
    let _ = child.stdin.as_mut().expect("piped").write_all(if program == "redis-cli" { b"PING\n" } else { b"\n" });
    child
}

/// Old sessions end with the eviction, later ones stay.
fn sessions_end(
    kind: &impl Kind,
    program: &str,
    arguments: impl Fn(&str) -> Vec<String>,
    variable: &str,
    count: impl Fn(&str) -> usize,
) {
    let (name, old, new) = (unique("shop"), unique("old"), unique("new"));
    kind.create(&name, &old);
    let (values, refs) = values(&[&old, &new]);
    let (provider, at) = (kind.provider(), target(kind, &name));
    let cx = context(&values, 1);
    let connect = |password: &str| {
        let arguments = arguments(&name);
        session(program, &arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[(variable, password)])
    };
    let mut first = connect(&old);
    settle(|| count(&name), 1, "the session begins");
    let set = ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() };
    wait(provider.action(&at, set).expect("offered").apply(&cx)).expect("set");
    // Our own probes are listed until the server has noticed that they left.
    settle(|| count(&name), 1, "a new password cuts nobody off");
    let evict = provider.action(&at, ProviderStep::Evict { old: refs[0].clone() }).expect("offered");
    assert_eq!(wait(evict.observe(&cx)), Ok(Observed::NotDone));
    let receipt = wait(evict.apply(&cx)).expect("evicted");
    assert_ne!(receipt.facts["sessions ended"], "0");
    settle(|| count(&name), 0, "what was ended is gone");
    let mut second = connect(&new);
    settle(|| count(&name), 1, "a consumer comes back");
    seen_done(evict.as_ref(), &cx);
    for child in [&mut first, &mut second] {
        let _ = child.kill();
        let _ = child.wait();
    }
}

#[test]
fn mariadb_sessions_end_with_the_eviction() {
    let kind = MariaDb::open();
    let arguments = |name: &str| {
        let port = kind.0.port.to_string();
        ["--no-defaults", "--protocol=tcp", "-h", &kind.0.host, "-P", &port, "-u", name].map(str::to_owned).to_vec()
    };
    let count = |name: &str| {
        let sql = format!("SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{name}'");
        kind.sql(&sql).parse().expect("a number")
    };
    sessions_end(&kind, "mariadb", arguments, "MYSQL_PWD", count);
}

#[test]
fn redis_clients_end_with_the_eviction() {
    let kind = RedisKind::open();
    let arguments = |name: &str| {
        let port = kind.0.port.to_string();
        ["-h", &kind.0.host, "-p", &port, "--user", name, "--no-auth-warning"].map(str::to_owned).to_vec()
    };
    let count = |name: &str| {
        let word = format!("user={name} ");
        kind.admin("CLIENT LIST\n").lines().filter(|line| line.contains(&word)).count()
    };
    sessions_end(&kind, "redis-cli", arguments, "REDISCLI_AUTH", count);
}

#[test]
fn mariadb_refuses_what_is_not_ours_to_change() {
    let kind = MariaDb::open();
    let name = unique("shop");
    kind.create(&name, &unique("old"));
    kind.sql(&format!("CREATE USER '{name}'@'10.0.0.1' IDENTIFIED BY '{}'", unique("other")));
    let error = wait(kind.provider().preflight(&target(&kind, &name))).expect_err("two hosts");
    assert!(error.to_string().contains("several hosts"), "{error}");
    let socket = unique("sock");
    kind.sql(&format!("CREATE USER '{socket}'@'%' IDENTIFIED VIA unix_socket"));
    let error = wait(kind.provider().preflight(&target(&kind, &socket))).expect_err("no password");
    assert!(error.to_string().contains("unix_socket"), "{error}");
    let own = wait(kind.provider().preflight(&target(&kind, &kind.0.user))).expect_err("itself");
    assert!(own.to_string().contains("logs in with"), "{own}");
    let (weak, password, shop) = (unique("weak"), unique("word"), unique("shop"));
    kind.create(&weak, &password);
    kind.create(&shop, &unique("old"));
    kind.sql(&format!("GRANT SELECT ON mysql.* TO '{weak}'@'%'"));
    let weak = kind.accounts(kind.0.port, &weak, &password);
    let error = wait(weak.preflight(&target(&kind, &shop))).expect_err("no right");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("CREATE USER")), "{error}");
}

#[test]
fn mariadb_never_sees_the_new_password() {
    let kind = MariaDb::open();
    let (name, old, new) = (unique("shop"), unique("old"), unique("new"));
    kind.create(&name, &old);
    let (values, refs) = values(&[&old, &new]);
    let (provider, at) = (kind.provider(), target(&kind, &name));
    let set = ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() };
    // Left on: another run of this test may be looking at the same moment.
    kind.sql("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1");
    wait(provider.action(&at, set).expect("offered").apply(&context(&values, 1))).expect("set");
    let seen = |text: &str| {
        kind.sql(&format!("SELECT COUNT(*) FROM mysql.general_log WHERE argument LIKE CONCAT('%', '{text}', '%') AND argument LIKE 'ALTER USER%'"))
    };
    assert_eq!((seen(&name).as_str(), seen(&new).as_str()), ("1", "0"));
}

#[test]
fn redis_refuses_a_user_whom_every_password_lets_in() {
    let kind = RedisKind::open();
    let name = unique("open");
    kind.admin(&format!("ACL SETUSER {name} on nopass ~* +@all\n"));
    let error = wait(kind.provider().preflight(&target(&kind, &name))).expect_err("nopass");
    assert!(matches!(&error, ActionError::Refused(why) if why.contains("nopass")), "{error}");
}

#[test]
fn rabbitmq_users_without_access_to_the_interface_are_probed_too() {
    let kind = RabbitKind::open();
    let (name, password) = (unique("app"), unique("old"));
    kind.put(&name, &password, "");
    let (provider, at) = (kind.provider(), target(&kind, &name));
    assert_eq!(wait(provider.validate(&at, &secret(&password))), Liveness::Live);
    assert!(matches!(wait(provider.validate(&at, &secret("wrong"))), Liveness::Dead(_)));
    // Tags are kept when the password changes.
    kind.put(&name, &password, "monitoring");
    let (values, refs) = values(&[&password, "another-word"]);
    let set = ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() };
    wait(provider.action(&at, set).expect("offered").apply(&context(&values, 1))).expect("set");
    let (_, user) = kind.call(&kind.0.user, &kind.0.password, "GET", &format!("users/{name}"), "");
    assert!(user.contains("monitoring"), "{user}");
}

#[test]
fn ldap_passwords_are_hashed_by_the_directory_and_an_empty_one_never_counts() {
    let kind = LdapKind::open();
    let (name, old, new) = (unique("alice"), unique("old"), unique("new"));
    kind.create(&name, &old);
    let (provider, at) = (kind.provider(), target(&kind, &name));
    // Directories let everybody in who gives a name and no password, as nobody.
    assert!(matches!(wait(provider.validate(&at, &secret(""))), Liveness::Dead(_)));
    let (values, refs) = values(&[&old, &new]);
    let set = ProviderStep::Set { new: refs[1].clone(), old: refs[0].clone() };
    wait(provider.action(&at, set).expect("offered").apply(&context(&values, 1))).expect("set");
    let url = format!("ldap://{}:{}", kind.0.host, kind.0.port);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &kind.0.password).expect("written");
    let path = file.path().to_str().expect("text");
    let entry = kind.account(&name);
    let shown = must(run(
        "ldapsearch",
        &["-x", "-LLL", "-H", &url, "-D", &kind.0.user, "-y", path, "-b", &entry, "userPassword"],
        &[],
        "",
    ));
    // userPassword:: is base64 of {SSHA}…
    let hash = shown.lines().find_map(|line| line.strip_prefix("userPassword:: ")).expect("a password");
    let hash = data_encoding::BASE64.decode(hash.as_bytes()).expect("base64");
    assert!(hash.starts_with(b"{SSHA}"), "the directory keeps no clear text");
}
