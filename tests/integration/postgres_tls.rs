//! PostgreSQL over TLS: the lab's server behind a TLS terminator that speaks PostgreSQL's own way of changing over.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use offkey::action::{Target, wait};
use offkey::provider::{PostgresRoles, Provider};
use offkey::remote::{Login, Postgres, PostgresSettings, Tls};
use offkey::secret::SecretValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::lab::{Lab, unique};

/// An authority `ca.pem` in the folder, and a certificate of it for 127.0.0.1 that is valid for so many days.
fn certificate(dir: &Path, days: &str) {
    let run = |arguments: &[&str]| {
        let done = Command::new("openssl").args(arguments).current_dir(dir).output().expect("openssl runs");
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let authority = ["-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=test authority"];
    run(&[&["req", "-x509"], &curve[..], &authority[..]].concat());
    run(&[&["req"], &curve[..], &["-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=127.0.0.1"]].concat());
    fs::write(dir.join("tls.ext"), "subjectAltName=IP:127.0.0.1\n").expect("written");
    let signed =
        ["x509", "-req", "-in", "tls.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "tls.pem"];
    run(&[&signed[..], &["-days", days, "-extfile", "tls.ext"]].concat());
}

/// Listens with the folder's certificate and passes what it decrypts on; counts the handshakes that succeeded.
fn terminator(dir: &Path, upstream: (String, u16)) -> (u16, Arc<AtomicUsize>) {
    let chain = CertificateDer::pem_file_iter(dir.join("tls.pem")).expect("readable").map(|one| one.expect("one"));
    let key = PrivateKeyDer::from_pem_file(dir.join("tls.key")).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain.collect(), key)
        .expect("a pair");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("bound").port();
    listener.set_nonblocking(true).expect("possible");
    let shaken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&shaken);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("listens");
            while let Ok((mut client, _)) = listener.accept().await {
                let (acceptor, upstream, count) = (acceptor.clone(), upstream.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let mut wish = [0; 8];
                    client.read_exact(&mut wish).await?;
                    assert_eq!(wish, [0, 0, 0, 8, 4, 210, 22, 47], "nothing is sent before TLS is asked for");
                    client.write_all(b"S").await?;
                    let mut client = acceptor.accept(client).await?;
                    count.fetch_add(1, Ordering::SeqCst);
                    let mut server = TcpStream::connect(upstream).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
    });
    (port, shaken)
}

fn settings(lab: &Lab, port: u16, tls: Tls) -> PostgresSettings {
    let server = lab.postgres();
    PostgresSettings {
        host: "127.0.0.1".to_owned(),
        port,
        database: server.database,
        user: server.user,
        password: SecretValue::new(server.password),
        tls,
        deadline: Duration::from_secs(10),
    }
}

/// What preflight says.
fn refused(settings: PostgresSettings) -> String {
    let roles = PostgresRoles::new("pg", Postgres::new(settings), Vec::new());
    let at = Target { system: "pg".to_owned(), locator: "role:nobody".to_owned() };
    wait(roles.preflight(&at)).expect_err("no session").to_string()
}

#[test]
fn sessions_and_probes_are_encrypted_and_the_server_is_checked() {
    let lab = Lab::require();
    let server = lab.postgres();
    let dir = tempfile::tempdir().expect("a folder");
    certificate(dir.path(), "2");
    let (port, shaken) = terminator(dir.path(), (server.host.clone(), server.port));
    let (role, word) = (unique("tls"), unique("Tls-Pw"));
    server.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD '{word}'"));
    let postgres = Postgres::new(settings(&lab, port, Tls::Authority(dir.path().join("ca.pem"))));
    let login = |word: &str| wait(postgres.login(&role, &SecretValue::new(word)));
    assert!(matches!(login(&word), Login::Accepted), "the right password");
    assert!(matches!(login("another"), Login::Rejected(why) if why.starts_with("28P01")), "the wrong one");
    assert_eq!(shaken.load(Ordering::SeqCst), 2);

    let other = tempfile::tempdir().expect("a folder");
    certificate(other.path(), "2");
    let why = refused(settings(&lab, port, Tls::Authority(other.path().join("ca.pem"))));
    assert!(why.contains("cannot be reached") && why.contains("certificate"), "{why}");
    let why = refused(settings(&lab, port, Tls::Authority(dir.path().join("missing.pem"))));
    assert!(why.contains("missing.pem"), "{why}");
    assert_eq!(shaken.load(Ordering::SeqCst), 2, "nothing was said to a server that is not known");
}

#[test]
fn an_expired_certificate_and_a_server_without_tls_are_named() {
    let lab = Lab::require();
    let server = lab.postgres();
    let dir = tempfile::tempdir().expect("a folder");
    certificate(dir.path(), "-1");
    let (port, shaken) = terminator(dir.path(), (server.host.clone(), server.port));
    let authority = || Tls::Authority(dir.path().join("ca.pem"));
    let why = refused(settings(&lab, port, authority()));
    assert!(why.to_lowercase().contains("expired"), "{why}");
    assert_eq!(shaken.load(Ordering::SeqCst), 0);
    let why = refused(settings(&lab, server.port, authority()));
    assert!(why.contains("does not support TLS"), "{why}");
}
