//! The lab as tests see it: addresses and credentials of the real servers that `tests/lab/up` starts on loopback,
//! and witnesses that ask those servers without any code of offkey (psql, curl, boto3).
//!
//! The servers are shared by all tests, which run at the same time: every user, role, path and database that a test
//! makes has a name from [`unique`]. A test that must seal, stop or read a whole server takes a [`PrivateVault`].

#![allow(dead_code, reason = "which part is used depends on the features that the tests are built with")]

use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The settings of the servers that run.
pub(crate) struct Lab {
    settings: BTreeMap<String, String>,
}

/// An OpenBao: the shared one, or a private one.
pub(crate) struct Vault {
    /// `http://127.0.0.1:PORT`.
    pub addr: String,
    /// May do everything, `sys/` included.
    pub token: String,
    /// The file of the audit device `file/`.
    pub audit_log: PathBuf,
}

/// The PostgreSQL server and its superuser.
pub(crate) struct Postgres {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub password: String,
    pub database: String,
    bin: PathBuf,
}

/// An emulator of AWS and a key that may do everything there.
pub(crate) struct Aws {
    pub url: String,
    pub key_id: String,
    pub key: String,
    pub region: String,
    tools: PathBuf,
}

/// A server with one administrator: MariaDB, Redis, OpenLDAP.
pub(crate) struct Server {
    pub host: String,
    pub port: u16,
    /// The administrator's name; for OpenLDAP its distinguished name.
    pub user: String,
    pub password: String,
}

/// RabbitMQ: the administrator logs in at the management interface.
pub(crate) struct RabbitMq {
    /// The management interface, `http://127.0.0.1:PORT`.
    pub url: String,
    /// Where AMQP clients connect.
    pub amqp_port: u16,
    pub user: String,
    pub password: String,
}

/// An SSH server that lets `user` in with `key`, reads `authorized_keys`, and refuses what `revoked_keys` lists.
pub(crate) struct Sshd {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub key: PathBuf,
    pub authorized_keys: PathBuf,
    pub revoked_keys: PathBuf,
    pub known_hosts: PathBuf,
}

impl Lab {
    /// The running lab.
    ///
    /// # Panics
    /// When it does not run: a test that needs a server fails, it does not skip.
    pub(crate) fn require() -> Self {
        let file = env_file();
        let Ok(text) = fs::read_to_string(&file) else {
            panic!("the lab is not running: run tests/lab/up (no settings at {})", file.display());
        };
        let settings = text.lines().filter_map(setting).collect();
        Self { settings }
    }

    fn get(&self, server: &str, name: &str) -> String {
        match self.settings.get(name) {
            Some(value) => value.clone(),
            None => panic!("the lab does not run {server} ({name} is not set): run tests/lab/up {server}"),
        }
    }

    fn port(&self, server: &str, name: &str) -> u16 {
        self.get(server, name).parse().expect("the lab writes ports as numbers")
    }

    fn server(&self, server: &str, prefix: &str) -> Server {
        Server {
            host: self.get(server, &format!("{prefix}_HOST")),
            port: self.port(server, &format!("{prefix}_PORT")),
            user: self.get(server, &format!("{prefix}_USER")),
            password: self.get(server, &format!("{prefix}_PASSWORD")),
        }
    }

    /// The folder of the programs that tests run beside offkey: pre-commit, check-jsonschema, other scanners.
    pub(crate) fn programs(&self) -> PathBuf {
        let programs = Path::new(&self.get("programs", "LAB_FOLDER")).join("venv-programs/bin");
        assert!(programs.is_dir(), "the programs are not installed: run tests/lab/up");
        programs
    }

    /// The shared OpenBao: KV 2 at `secret/`, `database/` with the connection [`Lab::bao_database`], `auth/userpass`,
    /// `auth/approle`.
    pub(crate) fn bao(&self) -> Vault {
        Vault {
            addr: self.get("openbao", "LAB_BAO_ADDR"),
            token: self.get("openbao", "LAB_BAO_TOKEN"),
            audit_log: self.get("openbao", "LAB_BAO_AUDIT_LOG").into(),
        }
    }

    /// The name of the connection to PostgreSQL that OpenBao's database engine has (`database/config/NAME`).
    pub(crate) fn bao_database(&self) -> String {
        self.get("openbao", "LAB_BAO_DATABASE")
    }

    pub(crate) fn postgres(&self) -> Postgres {
        let admin = self.server("postgres", "LAB_PG");
        Postgres {
            host: admin.host,
            port: admin.port,
            user: admin.user,
            password: admin.password,
            database: self.get("postgres", "LAB_PG_DATABASE"),
            bin: self.get("postgres", "LAB_PG_BIN").into(),
        }
    }

    fn aws(&self, server: &str, prefix: &str) -> Aws {
        Aws {
            url: self.get(server, &format!("{prefix}_URL")),
            key_id: self.get(server, &format!("{prefix}_KEY_ID")),
            key: self.get(server, &format!("{prefix}_KEY")),
            region: "eu-west-1".to_owned(),
            tools: self.get(server, "LAB_TOOLS").into(),
        }
    }

    /// Refuses deactivated and deleted keys as AWS does: verdicts about dead keys are proved here.
    pub(crate) fn ministack(&self) -> Aws {
        self.aws("ministack", "LAB_MINISTACK")
    }

    /// Lets a *deactivated* key in (its fault); knows last use and Organizations.
    pub(crate) fn moto(&self) -> Aws {
        self.aws("moto", "LAB_MOTO")
    }

    pub(crate) fn mariadb(&self) -> Server {
        self.server("mariadb", "LAB_MARIADB")
    }

    pub(crate) fn redis(&self) -> Server {
        self.server("redis", "LAB_REDIS")
    }

    /// `user` is the administrator's distinguished name, `dc=lab,dc=test` the suffix, people are in `ou=people`.
    pub(crate) fn ldap(&self) -> Server {
        self.server("slapd", "LAB_LDAP")
    }

    pub(crate) fn rabbitmq(&self) -> RabbitMq {
        RabbitMq {
            url: self.get("rabbitmq", "LAB_RABBITMQ_URL"),
            amqp_port: self.port("rabbitmq", "LAB_RABBITMQ_PORT"),
            user: self.get("rabbitmq", "LAB_RABBITMQ_USER"),
            password: self.get("rabbitmq", "LAB_RABBITMQ_PASSWORD"),
        }
    }

    /// Address of a NATS server with JetStream, without passwords.
    pub(crate) fn nats(&self) -> String {
        self.get("nats", "LAB_NATS_URL")
    }

    pub(crate) fn sshd(&self) -> Sshd {
        Sshd {
            host: self.get("sshd", "LAB_SSHD_HOST"),
            port: self.port("sshd", "LAB_SSHD_PORT"),
            user: self.get("sshd", "LAB_SSHD_USER"),
            key: self.get("sshd", "LAB_SSHD_KEY").into(),
            authorized_keys: self.get("sshd", "LAB_SSHD_AUTHORIZED_KEYS").into(),
            revoked_keys: self.get("sshd", "LAB_SSHD_REVOKED_KEYS").into(),
            known_hosts: self.get("sshd", "LAB_SSHD_KNOWN_HOSTS").into(),
        }
    }
}

/// The file that `tests/lab/up` writes: `OFFKEY_LAB_ENV`, else `env` in the lab's folder, found as `state_folder` in
/// that script finds it.
fn env_file() -> PathBuf {
    if let Some(file) = std::env::var_os("OFFKEY_LAB_ENV") {
        return file.into();
    }
    if let Some(folder) = std::env::var_os("OFFKEY_LAB") {
        return Path::new(&folder).join("env");
    }
    // The owner of this process is the owner of its entry in /proc; on other systems nobody runs the lab as root.
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        return "/var/tmp/offkey-lab-0/env".into();
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cache")));
    cache.expect("because a user has a home").join("offkey-lab/env")
}

/// `export NAME=value`; values are never quoted.
fn setting(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.to_owned()))
}

/// `name` with a suffix that no other test has: small letters and digits, as every server accepts in a name.
pub(crate) fn unique(name: &str) -> String {
    // Each RandomState has keys of its own, drawn by the system for the first one of a thread and counted up then.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{name}{:010x}", random & 0xff_ffff_ffff)
}

/// Runs a program with `input` on its standard input, where values may travel that no command line must show.
fn run(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{command:?} does not start: {e}"));
    let mut stdin = child.stdin.take().expect("because it is piped");
    // A program that ends without reading closes the pipe; its exit status then says why.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("because the program was started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

impl Vault {
    /// Asks OpenBao with the administrator's token, by curl. `path` is what follows `/v1/`. Gives the HTTP status and
    /// the answer's JSON (null when there is none).
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        self.call_as(&self.token, method, path, body)
    }

    /// The same with another token.
    pub(crate) fn call_as(&self, token: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut config = format!("url = \"{}/v1/{path}\"\nrequest = \"{method}\"\n", self.addr);
        if !token.is_empty() {
            config += &format!("header = \"X-Vault-Token: {}\"\n", quoted(token));
        }
        if let Some(body) = body {
            config += &format!("data = \"{}\"\n", quoted(&body.to_string()));
        }
        let output =
            run(Command::new("curl").args(["-sS", "--max-time", "20", "-w", "\n%{http_code}", "-K", "-"]), &config);
        assert!(output.status.success(), "{method} {path}: {}", text(&output.stderr));
        let answer = text(&output.stdout);
        let (body, status) = answer.rsplit_once('\n').unwrap_or(("", &answer));
        (status.parse().expect("because curl prints the status"), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    /// Like [`Vault::call`], for what must succeed: gives the answer.
    pub(crate) fn must(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        let (status, answer) = self.call(method, path, body);
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }
}

impl Postgres {
    /// Runs SQL as the superuser and gives what it prints, unaligned.
    ///
    /// # Panics
    /// When a statement fails.
    pub(crate) fn sql(&self, sql: &str) -> String {
        let output = self.psql(&self.user, &self.password, &self.database, sql);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stdout)
    }

    /// Whether `role` can log in with `password`: a witness that shares no code with offkey.
    ///
    /// # Errors
    /// What the server said.
    pub(crate) fn login(&self, role: &str, password: &str) -> Result<(), String> {
        let output = self.psql(role, password, &self.database, "select 1");
        if output.status.success() { Ok(()) } else { Err(text(&output.stderr)) }
    }

    fn psql(&self, role: &str, password: &str, database: &str, sql: &str) -> Output {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-h", &self.host, "-p", &self.port.to_string()])
            .args(["-U", role, "-d", database])
            .env("PGPASSWORD", password)
            .env("PGCONNECT_TIMEOUT", "10");
        run(&mut psql, sql)
    }
}

impl Aws {
    /// Whose key this is, asked of STS by boto3: a witness that shares no code with offkey.
    ///
    /// # Errors
    /// The error code that the service gave, `InvalidClientTokenId` for a dead key.
    pub(crate) fn whose(&self, key_id: &str, key: &str) -> Result<String, String> {
        self.python(key_id, key, "print(client('sts').get_caller_identity()['Arn'])")
    }

    /// Runs Python as the administrator; `client('iam')` and the like are there. Gives what it prints.
    ///
    /// # Panics
    /// When it fails.
    pub(crate) fn must(&self, script: &str) -> String {
        self.python(&self.key_id, &self.key, script).unwrap_or_else(|code| panic!("{code}"))
    }

    /// Runs Python with a key. The service's error code is the error, a traceback for anything else.
    ///
    /// # Errors
    /// As above.
    pub(crate) fn python(&self, key_id: &str, key: &str, script: &str) -> Result<String, String> {
        let frame = "import sys, boto3, botocore\n\
            def client(service): return boto3.client(service)\n\
            try: exec(sys.stdin.read())\n\
            except botocore.exceptions.ClientError as e: sys.exit(e.response['Error']['Code'])\n";
        let mut python = Command::new(self.tools.join("python"));
        python
            .args(["-c", frame])
            .env("AWS_ACCESS_KEY_ID", key_id)
            .env("AWS_SECRET_ACCESS_KEY", key)
            .env("AWS_DEFAULT_REGION", &self.region)
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE");
        let output = run(&mut python, script);
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// An OpenBao in memory for one test: it can be sealed, and its audit log holds nothing else. Ends with the value.
pub(crate) struct PrivateVault {
    name: String,
    /// Its address, root token and audit log.
    pub vault: Vault,
}

impl PrivateVault {
    /// Starts one. The shared lab must run, for its programs.
    pub(crate) fn start() -> Self {
        let name = unique("t");
        let output = script(&["vault", &name]);
        let settings: BTreeMap<_, _> = output.lines().filter_map(setting).collect();
        let vault = Vault {
            addr: settings["LAB_PRIVATE_ADDR"].clone(),
            token: settings["LAB_PRIVATE_TOKEN"].clone(),
            audit_log: settings["LAB_PRIVATE_AUDIT_LOG"].clone().into(),
        };
        Self { name, vault }
    }

    /// From now on it answers 503 to everything.
    pub(crate) fn seal(&self) {
        script(&["seal", &self.name]);
    }

    /// Undoes [`PrivateVault::seal`].
    pub(crate) fn unseal(&self) {
        script(&["unseal", &self.name]);
    }

    /// Stops it for good: from now on connections are refused.
    pub(crate) fn stop(&self) {
        script(&["stop", &self.name]);
    }
}

impl Drop for PrivateVault {
    fn drop(&mut self) {
        // Not `script`, which panics: a test that fails is dropping this while it panics already.
        let _ = lab_script().args(["stop", &self.name]).output();
    }
}

fn lab_script() -> Command {
    Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/up"))
}

/// Runs `tests/lab/up` and gives what it prints.
fn script(arguments: &[&str]) -> String {
    let output = lab_script().args(arguments).output().expect("because tests/lab/up is there");
    assert!(output.status.success(), "tests/lab/up {}: {}", arguments.join(" "), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn the_core_servers_let_their_administrators_in_and_nobody_else() {
    let lab = Lab::require();
    let bao = lab.bao();
    assert_eq!(bao.call("GET", "auth/token/lookup-self", None).0, 200);
    assert_eq!(bao.call_as(&unique("x"), "GET", "auth/token/lookup-self", None).0, 403);
    assert_eq!(bao.must("GET", "sys/mounts", None)["data"]["secret/"]["options"]["version"], "2");
    assert!(fs::metadata(&bao.audit_log).is_ok_and(|log| log.len() > 0));

    let postgres = lab.postgres();
    assert_eq!(postgres.sql("select current_user"), postgres.user);
    let refused = postgres.login(&postgres.user, &unique("x")).expect_err("a wrong password");
    assert!(refused.contains("password authentication failed"), "{refused}");

    for aws in [lab.ministack(), lab.moto()] {
        assert!(aws.whose(&aws.key_id, &aws.key).is_ok());
        assert!(aws.whose(concat!("AK", "IA", "UNKNOWNUNKNOWN22"), &unique("x")).is_err());
    }
}

#[test]
fn a_deactivated_key_is_dead_on_ministack() {
    let aws = Lab::require().ministack();
    let user = unique("leaver");
    let made = aws.must(&format!(
        "iam = client('iam'); iam.create_user(UserName='{user}')\n\
         key = iam.create_access_key(UserName='{user}')['AccessKey']\n\
         print(key['AccessKeyId'], key['SecretAccessKey'])"
    ));
    let (id, key) = made.split_once(' ').expect("because two words were printed");
    assert!(aws.whose(id, key).expect("a live key").ends_with(&user));
    aws.must(&format!("client('iam').update_access_key(UserName='{user}', AccessKeyId='{id}', Status='Inactive')"));
    assert_eq!(aws.whose(id, key), Err("InvalidClientTokenId".to_owned()));
}

#[test]
fn a_private_vault_can_be_sealed_unsealed_and_stopped() {
    let private = PrivateVault::start();
    let vault = &private.vault;
    assert_eq!(vault.call("GET", "auth/token/lookup-self", None).0, 200);
    private.seal();
    assert_eq!(vault.call("GET", "auth/token/lookup-self", None).0, 503);
    private.unseal();
    assert_eq!(vault.call("GET", "auth/token/lookup-self", None).0, 200);
    private.stop();
    let port: u16 = vault.addr.rsplit(':').next().and_then(|p| p.parse().ok()).expect("an address with a port");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}
