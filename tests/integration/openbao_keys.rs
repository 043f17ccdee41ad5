//! Keys of OpenBao's engines that a leaver knows: an exported transit key, the password of a database connection, SSH.

use std::time::{Duration, Instant};

use offkey::action::{ActionError, wait};
use offkey::finding::Liveness;
use offkey::provider::{Provider, ProviderStep, VaultAccess};
use offkey::rotation::Systems;
use serde_json::{Value, json};

use crate::lab::{self, Lab, unique};
use crate::openbao_access::{Person, access, of, owned, person, text};
use crate::openbao_grants::{allow, as_person, end, only};
use crate::steps::{context, refusal};

/// "hello", as transit wants it.
const PLAIN: &str = "aGVsbG8=";

fn encrypt(bao: &lab::Vault, key: &str) -> String {
    let (mount, key) = key.split_once('/').expect("mount and key");
    let sealed = bao.must("POST", &format!("{mount}/encrypt/{key}"), Some(&json!({ "plaintext": PLAIN })));
    text(&sealed, "/data/ciphertext")
}

fn decrypts(bao: &lab::Vault, mount: &str, key: &str, ciphertext: &str) -> Result<String, u16> {
    let (status, answer) =
        bao.call("POST", &format!("{mount}/decrypt/{key}"), Some(&json!({ "ciphertext": ciphertext })));
    if status == 200 { Ok(text(&answer, "/data/plaintext")) } else { Err(status) }
}

/// A mount with an exportable key that the person has exported, and another key.
fn exported(bao: &lab::Vault, alice: &Person) -> String {
    let mount = unique("transit");
    bao.must("POST", &format!("sys/mounts/{mount}"), Some(&json!({ "type": "transit" })));
    bao.must("POST", &format!("{mount}/keys/orders"), Some(&json!({ "exportable": true })));
    bao.must("POST", &format!("{mount}/keys/other"), None);
    allow(bao, alice, &format!("{mount}/*"));
    as_person(bao, alice, "GET", &format!("{mount}/export/encryption-key/orders"), &Value::Null);
    mount
}

#[test]
fn an_exported_transit_key_is_rotated_its_ciphertexts_wrapped_again_and_its_old_version_refused() {
    let bao = Lab::require().bao();
    let alice = person(&bao, "alice");
    let (mount, folder) = (exported(&bao, &alice), unique("sealed"));
    let (card, deep, foreign) = (
        encrypt(&bao, &format!("{mount}/orders")),
        encrypt(&bao, &format!("{mount}/orders")),
        encrypt(&bao, &format!("{mount}/other")),
    );
    let entry = json!({ "card": card, "note": "plain", "other": foreign, "n": 5, "list": [{ "pin": deep, "id": 7 }] });
    bao.must("POST", &format!("secret/data/{folder}/a/one"), Some(&json!({ "data": entry })));
    bao.must("POST", &format!("secret/data/{folder}/two"), Some(&json!({ "data": { "note": "nothing sealed" } })));
    let provider = access(&bao).with_rewrap(Some(vec![format!("secret/{folder}")]));
    let found = owned(&provider, &alice.login);
    let key = only(&found, "transit-key:");
    assert!(key.at.locator.starts_with(&format!("transit-key:{mount}/orders@")), "{}", key.at.locator);
    assert!(key.reason.contains("exported"), "{}", key.reason);
    end(&provider, &key.at);

    let now = bao.must("GET", &format!("secret/data/{folder}/a/one"), None)["data"].clone();
    assert_eq!(now["metadata"]["version"], 2, "written once, and not again by the second run of the step");
    let data = &now["data"];
    assert_eq!((&data["note"], &data["other"], &data["n"]), (&json!("plain"), &json!(foreign), &json!(5)));
    assert_eq!(data["list"][0]["id"], 7);
    for pointer in ["/card", "/list/0/pin"] {
        let fresh = text(data, pointer);
        assert!(fresh.starts_with("vault:v2:"), "{fresh}");
        assert_eq!(decrypts(&bao, &mount, "orders", &fresh), Ok(PLAIN.to_owned()));
    }
    assert_eq!(decrypts(&bao, &mount, "orders", &card), Err(400), "what the old version sealed is refused");
    assert_eq!(decrypts(&bao, &mount, "other", &foreign), Ok(PLAIN.to_owned()), "the other key is untouched");
    let two = bao.must("GET", &format!("secret/metadata/{folder}/two"), None);
    assert_eq!(two["data"]["current_version"], 1, "an entry without ciphertexts is not written");
    assert!(matches!(only(&owned(&provider, &alice.login), "transit-key:").liveness, Liveness::Dead(_)));
}

#[test]
fn an_exported_key_is_left_to_a_person_when_nobody_says_where_its_ciphertexts_lie() {
    let bao = Lab::require().bao();
    let alice = person(&bao, "alice");
    let mount = exported(&bao, &alice);
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    let key = only(&found, "transit-key:");
    assert!(key.facts["by hand"].contains("rewrap"), "{:?}", key.facts);
    let Err(ActionError::Refused(why)) = wait(provider.preflight(&key.at)) else { panic!("refused") };
    assert!(why.contains("rewrap"), "{why}");
    let wrong = access(&bao).with_rewrap(Some(vec![mount.clone()]));
    let Err(ActionError::Refused(why)) = wait(wrong.preflight(&key.at)) else { panic!("refused") };
    assert!(why.contains("not in a mount of KV version 2"), "{why}");
    let values = Systems::default();
    let revoke = provider.action(&key.at, ProviderStep::Revoke).expect("offered");
    assert!(matches!(refusal(revoke.as_ref(), &context(&values, 1)), ActionError::Refused(_)));
    let latest = bao.must("GET", &format!("{mount}/keys/orders"), None)["data"]["latest_version"].clone();
    assert_eq!(latest, 1, "nothing was changed");
}

/// A connection of the database engine, made by the person with a password of theirs.
fn connection(bao: &lab::Vault, postgres: &lab::Postgres, alice: &Person) -> (String, String, String) {
    let (name, admin, password) = (unique("conn"), unique("adm"), unique("root-pw"));
    postgres.sql(&format!("CREATE ROLE {admin} LOGIN SUPERUSER PASSWORD '{password}'"));
    allow(bao, alice, &format!("database/config/{name}"));
    let url = format!(
        "postgresql://{{{{username}}}}:{{{{password}}}}@{}:{}/{}?sslmode=disable",
        postgres.host, postgres.port, postgres.database
    );
    let body = json!({ "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": url,
        "username": admin, "password": password });
    let (status, answer) = bao.call_as(&alice.token, "PUT", &format!("database/config/{name}"), Some(&body));
    assert!(status < 300, "{status} {answer}");
    (name, admin, password)
}

#[test]
fn the_root_password_that_a_leaver_set_is_rotated_when_there_is_another_administrator() {
    let lab = Lab::require();
    let (bao, postgres) = (lab.bao(), lab.postgres());
    let alice = person(&bao, "alice");
    let (name, admin, password) = connection(&bao, &postgres, &alice);
    let provider = access(&bao).with_rotate_root(vec![format!("database/{name}")]);
    let found = owned(&provider, &alice.login);
    let root = only(&found, "database-root:");
    assert_eq!((postgres.login(&admin, &password), root.liveness.clone()), (Ok(()), Liveness::Live));
    end(&provider, &root.at);
    assert!(postgres.login(&admin, &password).is_err(), "what she knows is dead");
    let role = json!({ "db_name": name, "default_ttl": "1m",
        "creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"] });
    bao.must("POST", &format!("database/roles/{name}"), Some(&role));
    let made = bao.must("GET", &format!("database/creds/{name}"), None);
    let login = postgres.login(&text(&made, "/data/username"), &text(&made, "/data/password"));
    assert_eq!(login, Ok(()), "the engine itself still gets in");
    bao.must("PUT", "sys/leases/revoke", Some(&json!({ "lease_id": text(&made, "/lease_id"), "sync": true })));
    assert!(matches!(only(&owned(&provider, &alice.login), "database-root:").liveness, Liveness::Dead(_)));
}

#[test]
fn rotate_root_is_never_run_on_what_may_be_the_only_administrator() {
    let lab = Lab::require();
    let (bao, postgres) = (lab.bao(), lab.postgres());
    let alice = person(&bao, "alice");
    let (name, admin, password) = connection(&bao, &postgres, &alice);
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    let root = only(&found, "database-root:");
    assert!(root.facts["by hand"].contains("another administrator"), "{:?}", root.facts);
    let Err(ActionError::Refused(why)) = wait(provider.preflight(&root.at)) else { panic!("refused") };
    assert!(why.contains("rotate_root") && why.contains(&name), "{why}");
    let values = Systems::default();
    let revoke = provider.action(&root.at, ProviderStep::Revoke).expect("offered");
    assert!(matches!(refusal(revoke.as_ref(), &context(&values, 1)), ActionError::Refused(_)));
    assert_eq!(postgres.login(&admin, &password), Ok(()), "nothing was changed");
}

#[test]
fn a_missing_right_on_a_key_is_named_before_the_first_change() {
    let bao = Lab::require().bao();
    let alice = person(&bao, "alice");
    let mount = exported(&bao, &alice);
    let policy = unique("rotate-only");
    let rules = format!("path \"{mount}/keys/orders/rotate\" {{ capabilities = [\"update\"] }}");
    bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rules })));
    let made = bao.must("POST", "auth/token/create", Some(&json!({ "policies": [policy] })));
    let weak = lab::Vault { token: text(&made, "/auth/client_token"), ..Lab::require().bao() };
    let found = owned(&access(&bao), &alice.login);
    let key = only(&found, "transit-key:");
    let weak: VaultAccess = access(&weak).with_rewrap(Some(Vec::new()));
    let Err(ActionError::Refused(why)) = wait(weak.preflight(&key.at)) else { panic!("refused") };
    assert!(why.contains(&format!("lacks update on {mount}/keys/orders/config")), "{why}");

    let folder = unique("sealed");
    let rules = format!(
        "path \"{mount}/*\" {{ capabilities = [\"read\", \"update\"] }}\n\
         path \"secret/data/{folder}/*\" {{ capabilities = [\"read\"] }}\n\
         path \"secret/metadata/{folder}/*\" {{ capabilities = [\"list\"] }}"
    );
    bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rules })));
    let weak = lab::Vault { token: text(&made, "/auth/client_token"), ..Lab::require().bao() };
    let weak = access(&weak).with_rewrap(Some(vec![format!("secret/{folder}")]));
    let Err(ActionError::Refused(why)) = wait(weak.preflight(&key.at)) else { panic!("refused") };
    assert!(why.contains(&format!("lacks patch on secret/data/{folder}")), "{why}");
}

/// A mount that signs certificates for a second at most.
fn ssh(bao: &lab::Vault, longest: &str) -> String {
    let mount = unique("ssh");
    let tuned = json!({ "type": "ssh", "config": { "max_lease_ttl": longest, "default_lease_ttl": longest } });
    bao.must("POST", &format!("sys/mounts/{mount}"), Some(&tuned));
    bao.must("POST", &format!("{mount}/config/ca"), Some(&json!({ "generate_signing_key": true })));
    let role = json!({ "key_type": "ca", "allow_user_certificates": true, "allowed_users": "*", "default_user": "deploy",
        "ttl": longest, "max_ttl": longest });
    bao.must("POST", &format!("{mount}/roles/admin"), Some(&role));
    mount
}

#[test]
fn a_signed_ssh_certificate_is_an_open_item_until_it_has_expired() {
    let bao = Lab::require().bao();
    let alice = person(&bao, "alice");
    let (long, short) = (ssh(&bao, "1h"), ssh(&bao, "1s"));
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    let made =
        std::process::Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.expect("ssh-keygen").success());
    let public = std::fs::read_to_string(key.with_extension("pub")).expect("the public key");
    for mount in [&long, &short] {
        allow(&bao, &alice, &format!("{mount}/sign/admin"));
        as_person(&bao, &alice, "POST", &format!("{mount}/sign/admin"), &json!({ "public_key": public }));
    }
    let provider = access(&bao);
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let found = owned(&provider, &alice.login);
        let one = |mount: &str| only(&found, &format!("ssh-certificate:{mount}/"));
        let living = one(&long);
        assert_eq!(living.liveness, Liveness::Live);
        assert!(living.facts["by hand"].contains("RevokedKeys"), "{:?}", living.facts);
        if matches!(&one(&short).liveness, Liveness::Dead(why) if why.contains("expired")) {
            break;
        }
        assert!(Instant::now() < deadline, "a certificate of a second has expired by now");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_one_time_password_for_ssh_ends_with_its_lease() {
    let bao = Lab::require().bao();
    let (alice, mount) = (person(&bao, "alice"), unique("otp"));
    bao.must("POST", &format!("sys/mounts/{mount}"), Some(&json!({ "type": "ssh" })));
    let role = json!({ "key_type": "otp", "default_user": "deploy", "cidr_list": "10.0.0.0/8" });
    bao.must("POST", &format!("{mount}/roles/otp"), Some(&role));
    allow(&bao, &alice, &format!("{mount}/creds/otp"));
    let made = as_person(&bao, &alice, "POST", &format!("{mount}/creds/otp"), &json!({ "ip": "10.1.2.3" }));
    let provider = access(&bao);
    let found = owned(&provider, &alice.login);
    assert_eq!(of(&found, "lease:").len(), 1, "{found:?}");
    end(&provider, &of(&found, "lease:")[0].at);
    let check = bao.call("POST", &format!("{mount}/verify"), Some(&json!({ "otp": text(&made, "/data/key") })));
    assert_eq!(check.0, 400, "{check:?}");
}

#[test]
fn an_open_item_of_a_case_is_closed_when_a_person_has_ended_it_by_hand() {
    let bao = Lab::require().bao();
    let alice = person(&bao, "alice");
    let mount = exported(&bao, &alice);
    let dir = tempfile::tempdir().expect("a folder");
    let put = |path: &str, text: &str| std::fs::write(dir.path().join(path), text).expect("written");
    std::fs::create_dir(dir.path().join("repo")).expect("made");
    put("repo/README.md", "nothing secret\n");
    crate::steps::alice_commits(&dir.path().join("repo"), "README.md", "Begin");
    put("alice.toml", &format!("name = \"Alice Moreau\"\nlogins = [\"{}\"]\n", alice.login));
    put("bao.token", &bao.token);
    put(
        "offkey.toml",
        &format!(
            "[[provider]]\nname = \"bao-access\"\ntype = \"vault\"\naddress = \"{}\"\ntoken = {{ file = \"bao.token\" }}\naudit = [\"{}\"]\n",
            bao.addr,
            bao.audit_log.display()
        ),
    );
    let run = |arguments: &[&str], code: i32, word: &str| {
        let done = crate::steps::offkey(dir.path(), arguments, None);
        let told = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.code() == Some(code) && told.contains(word), "{:?} {told}", done.status.code());
    };
    run(&["sweep", "--identity", "alice.toml", "--case", "case", "repo"], 11, "rewrap");
    let plan = std::fs::read(dir.path().join("case/plan.json")).expect("a plan");
    let plan: offkey::plan::Plan = serde_json::from_slice(&plan).expect("a plan");
    run(&["apply", "--case", "case", "--digest", &plan.digest()], 11, "");
    run(&["confirm", "--case", "case"], 11, "NOT COMPLETE");
    // A version that is made in the second of the export counts as exported: then one more is made.
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        bao.must("POST", &format!("{mount}/keys/orders/rotate"), None);
        let latest = bao.must("GET", &format!("{mount}/keys/orders"), None)["data"]["latest_version"].clone();
        let limits = json!({ "min_encryption_version": latest, "min_decryption_version": latest });
        bao.must("POST", &format!("{mount}/keys/orders/config"), Some(&limits));
        let confirmed = crate::steps::offkey(dir.path(), &["confirm", "--case", "case"], None);
        if confirmed.status.code() == Some(0) {
            break;
        }
        assert!(Instant::now() < deadline, "{}", String::from_utf8_lossy(&confirmed.stdout));
    }
}
