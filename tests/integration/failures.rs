//! The failures that a rotation has to survive, part two: on a real OpenBao and a real PostgreSQL, by the program itself, seen by
//! witnesses without any code of offkey. Part one is `failures_model`. The numbers are those of the table in
//! docs/design/failures.md.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use offkey::plan::{Disposition, Plan};
use serde_json::{Value, json};

use crate::lab::{Lab, unique};
use crate::walk::{Shop, told};

fn sweep(shop: &Shop, case: &str) -> Plan {
    let swept = shop.offkey(&["sweep", "--identity", "alice.toml", "--case", case, "repo"], None);
    assert_eq!(swept.status.code(), Some(11), "{}", told(&swept));
    let plan = fs::read(shop.path(&format!("{case}/plan.json"))).expect("a plan");
    serde_json::from_slice(&plan).expect("a plan")
}

fn apply(shop: &Shop, case: &str, plan: &Plan, crash_after: Option<usize>) -> Output {
    shop.offkey(&["apply", "--case", case, "--digest", &plan.digest()], crash_after)
}

fn edit(shop: &Shop, file: &str, from: &str, to: &str) {
    let path = shop.path(file);
    let before = fs::read_to_string(&path).expect("readable");
    assert!(before.contains(from), "{file} has no {from}");
    fs::write(&path, before.replace(from, to)).expect("written");
}

/// Every text that OpenBao keeps in the shop's folders, what waits included.
fn kept(shop: &Shop) -> Vec<String> {
    fn walk(shop: &Shop, folder: &str, into: &mut Vec<String>) {
        let (status, list) = shop.bao.call("LIST", &format!("secret/metadata/{folder}"), None);
        if status != 200 {
            return;
        }
        for key in list["data"]["keys"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            match key.strip_suffix('/') {
                Some(sub) => walk(shop, &format!("{folder}/{sub}"), into),
                None => {
                    let entry = shop.bao.must("GET", &format!("secret/data/{folder}/{key}"), None);
                    let fields = entry["data"]["data"].as_object().cloned().unwrap_or_default();
                    into.extend(fields.values().filter_map(Value::as_str).map(str::to_owned));
                }
            }
        }
    }
    let mut all = Vec::new();
    walk(shop, &shop.folder, &mut all);
    walk(shop, &format!("{}-pending", shop.folder), &mut all);
    all
}

fn works(shop: &Shop, value: &str) -> bool {
    shop.postgres.login(&shop.role, value).is_ok()
}

#[test]
fn row_01_a_death_between_target_and_store_leaves_a_value_that_works_and_a_way_forward() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    let mut between = false;
    loop {
        let run = apply(&shop, "case", &plan, Some(2));
        let values = kept(&shop);
        assert!(values.iter().any(|value| works(&shop, value)), "no value that OpenBao keeps works: {}", told(&run));
        if run.status.code().is_some() {
            assert_eq!(run.status.code(), Some(0), "{}", told(&run));
            break;
        }
        if !works(&shop, shop.old()) && shop.in_bao()["password"] == shop.old() {
            between = true;
            let status = shop.offkey(&["status", "--case", "case"], None);
            assert!(told(&status).contains("offkey resume --case case"), "{}", told(&status));
        }
    }
    assert!(between, "it never died between the database and the store");
    assert!(works(&shop, &shop.in_file()) && shop.in_bao()["password"] == shop.in_file().as_str());
    assert_eq!(kept(&shop).len(), shop.in_bao().as_object().expect("fields").len(), "nothing is left aside");
}

/// Stands between offkey and OpenBao; the answer to the first request whose line begins with `victim` is thrown away after the
/// server did what it was asked.
fn losing(upstream: &str, victim: String) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let upstream = upstream.trim_start_matches("http://").to_owned();
    let lost = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&lost);
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { continue };
            let Some(request) = request(&mut client) else { continue };
            let mut server = TcpStream::connect(&upstream).expect("the server is there");
            let (line, rest) = request.split_at(request.windows(2).position(|two| two == b"\r\n").expect("a line"));
            server.write_all(line).and_then(|()| server.write_all(b"\r\nConnection: close")).expect("sent");
            server.write_all(rest).expect("sent");
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).expect("an answer");
            if request.starts_with(victim.as_bytes()) && count.fetch_add(1, Ordering::SeqCst) == 0 {
                continue;
            }
            let _ = client.write_all(&answer);
        }
    });
    (address, lost)
}

/// One HTTP request, with its body.
fn request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = client.read(&mut chunk).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            return Some(bytes);
        }
    }
}

#[test]
fn row_03_an_answer_that_openbao_gave_and_nobody_heard_is_looked_up() {
    let shop = Shop::open();
    let (address, lost) = losing(&shop.bao.addr, format!("PATCH /v1/secret/data/{}/db", shop.folder));
    edit(&shop, "offkey.toml", &shop.bao.addr, &address);
    let plan = sweep(&shop, "case");
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(0), "{}", told(&applied));
    assert!(lost.load(Ordering::SeqCst) >= 1, "no answer was lost");
    let entry = shop.bao.must("GET", &format!("secret/metadata/{}/db", shop.folder), None);
    assert_eq!(entry["data"]["current_version"], 2, "the value was written once: {entry}");
    assert!(works(&shop, &shop.in_file()) && !works(&shop, shop.old()));
}

#[test]
fn row_08_a_case_whose_old_value_still_works_is_not_complete() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    assert_eq!(apply(&shop, "case", &plan, None).status.code(), Some(0));
    let confirm = || shop.offkey(&["confirm", "--case", "case"], None);
    assert_eq!(confirm().status.code(), Some(0));
    shop.postgres.sql(&format!("alter role {} password '{}'", shop.role, shop.old()));
    let again = confirm();
    assert_eq!(again.status.code(), Some(11), "{}", told(&again));
    assert!(told(&again).contains("the old value works again"), "{}", told(&again));
    assert!(told(&again).contains("NOT COMPLETE"), "{}", told(&again));
}

#[test]
fn row_09_the_plan_names_who_reads_the_value_and_waits_until_they_read_the_new_one() {
    let shop = Shop::open();
    let (consumer, word) = (unique("consumer"), unique("Consumer-Pw"));
    let policy = unique("reads-shop");
    let rules = format!("path \"secret/data/{}/*\" {{ capabilities = [\"read\"] }}", shop.folder);
    shop.bao.must("PUT", &format!("sys/policies/acl/{policy}"), Some(&json!({ "policy": rules })));
    let user = json!({ "password": word, "token_policies": [policy] });
    shop.bao.must("POST", &format!("auth/userpass/users/{consumer}"), Some(&user));
    let login = shop.bao.must("POST", &format!("auth/userpass/login/{consumer}"), Some(&json!({ "password": word })));
    let token = login["auth"]["client_token"].as_str().expect("a token").to_owned();
    let reads = || shop.bao.call_as(&token, "GET", &format!("secret/data/{}/db", shop.folder), None).0;
    assert_eq!(reads(), 200);
    let audit = format!("pending = \"{}-pending\"\naudit = [\"{}\"]\n", shop.folder, shop.bao.audit_log.display());
    edit(&shop, "offkey.toml", &format!("pending = \"{}-pending\"\n", shop.folder), &audit);
    let config = fs::read_to_string(shop.path("offkey.toml")).expect("readable");
    fs::write(shop.path("offkey.toml"), format!("{config}\n[policy]\nconverge = \"1h\"\n")).expect("written");
    let plan = sweep(&shop, "case");
    let known = plan.treatments[0].consumers.iter().find(|name| name.contains(&consumer));
    assert!(known.is_some(), "{:?}", plan.treatments[0].consumers);
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(11), "{}", told(&applied));
    assert!(told(&applied).contains("did not read the new value yet"), "{}", told(&applied));
    assert_eq!(reads(), 200);
    let resumed = shop.offkey(&["resume", "--case", "case"], None);
    // Others who were seen reading the entry are waited for too; a person may give up on them.
    let done = if resumed.status.code() == Some(0) {
        resumed
    } else {
        assert!(!told(&resumed).contains(&format!("{consumer} did not read")), "{}", told(&resumed));
        shop.offkey(&["resume", "--case", "case", "--let-go", "c1"], None)
    };
    assert_eq!(done.status.code(), Some(0), "{}", told(&done));
    assert!(works(&shop, &shop.in_file()) && !works(&shop, shop.old()));
}

#[test]
fn row_10_of_two_rotators_the_second_stops_and_overwrites_nothing() {
    let shop = Shop::open();
    let (first, second) = (sweep(&shop, "case"), sweep(&shop, "other"));
    let held = offkey::audit::Log::open(&shop.path("case")).expect("the log opens");
    let busy = apply(&shop, "case", &first, None);
    assert_eq!(busy.status.code(), Some(2), "one process a case: {}", told(&busy));
    assert!(told(&busy).contains("Another offkey works on this case"), "{}", told(&busy));
    drop(held);
    assert_eq!(apply(&shop, "case", &first, None).status.code(), Some(0));
    let new = shop.in_file();
    let late = apply(&shop, "other", &second, None);
    assert!(matches!(late.status.code(), Some(11 | 20)), "{}", told(&late));
    assert!(told(&late).contains("plan again") || told(&late).contains("Nothing was changed"), "{}", told(&late));
    assert_eq!((shop.in_bao()["password"].as_str(), shop.in_file().as_str()), (Some(new.as_str()), new.as_str()));
    assert!(works(&shop, &new));
    assert_eq!(kept(&shop).len(), shop.in_bao().as_object().expect("fields").len(), "nothing is left aside");
}

#[test]
fn row_11_a_place_that_somebody_changed_on_the_way_is_a_named_straggler() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    while works(&shop, shop.old()) {
        let run = apply(&shop, "case", &plan, Some(2));
        assert_eq!(run.status.code(), None, "it ended before the database changed: {}", told(&run));
    }
    let by_hand = unique("By-Hand");
    edit(&shop, "shop.env", shop.old(), &by_hand);
    let resumed = shop.offkey(&["resume", "--case", "case"], None);
    assert_eq!(resumed.status.code(), Some(11), "{}", told(&resumed));
    assert!(told(&resumed).contains("shop.env"), "the straggler is named: {}", told(&resumed));
    assert_eq!(shop.in_file(), by_hand, "what a person wrote stays");
    let new = shop.in_bao()["password"].as_str().expect("text").to_owned();
    assert!(works(&shop, &new), "the other place has the new value");
    assert_eq!(shop.offkey(&["confirm", "--case", "case"], None).status.code(), Some(11));
}

/// A token that may do no more than these rules say.
fn limited(shop: &Shop, rules: &str) -> String {
    let name = unique("limited");
    shop.bao.must("PUT", &format!("sys/policies/acl/{name}"), Some(&json!({ "policy": rules })));
    let token = shop.bao.must("POST", "auth/token/create", Some(&json!({ "policies": [name], "ttl": "1h" })));
    token["auth"]["client_token"].as_str().expect("a token").to_owned()
}

fn rules(shop: &Shop, data: &str, destroy: bool) -> String {
    let folder = &shop.folder;
    let destroy = if destroy {
        format!("path \"secret/destroy/{folder}/*\" {{ capabilities = [\"update\"] }}\n")
    } else {
        String::new()
    };
    format!(
        "path \"secret/data/{folder}/*\" {{ capabilities = [{data}] }}\n\
         path \"secret/metadata/{folder}/*\" {{ capabilities = [\"read\", \"list\"] }}\n\
         path \"secret/metadata/{folder}\" {{ capabilities = [\"list\"] }}\n\
         path \"secret/data/{folder}-pending/*\" {{ capabilities = [\"create\", \"read\", \"update\"] }}\n\
         path \"secret/metadata/{folder}-pending/*\" {{ capabilities = [\"read\", \"list\", \"delete\"] }}\n{destroy}"
    )
}

#[test]
fn row_12_a_masked_field_is_never_written_back() {
    let shop = Shop::open();
    let masked = json!({ "data": { "username": shop.role, "password": shop.old(), "host": shop.postgres.host,
        "port": shop.postgres.port.to_string(), "client_secret": "********" } });
    shop.bao.must("POST", &format!("secret/data/{}/db", shop.folder), Some(&masked));
    // Without the right to patch, the whole entry would have to be written back.
    let token = limited(&shop, &rules(&shop, "\"read\", \"update\"", true));
    fs::write(shop.path("bao.token"), token).expect("written");
    let plan = sweep(&shop, "case");
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(11), "{}", told(&applied));
    assert!(told(&applied).contains("client_secret beside it is masked"), "{}", told(&applied));
    assert_eq!(shop.in_bao(), masked["data"], "the entry is as it was");
    assert!(works(&shop, shop.old()), "and everything was taken back");
}

#[test]
fn row_13_a_right_that_is_missing_is_named_before_the_first_change() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    let token = limited(&shop, &rules(&shop, "\"read\", \"patch\"", false));
    fs::write(shop.path("bao.token"), token).expect("written");
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(20), "{}", told(&applied));
    let missing = format!("lacks update on secret/destroy/{}/db", shop.folder);
    assert!(told(&applied).contains(&missing), "{}", told(&applied));
    assert!(told(&applied).contains("Nothing was changed"), "{}", told(&applied));
    assert!(works(&shop, shop.old()) && shop.in_bao()["password"] == shop.old() && shop.in_file() == shop.old());
}

#[test]
fn row_13_a_password_that_the_database_refuses_for_offkey_itself_is_named_before_the_first_change() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    fs::write(shop.path("postgres.word"), "not the password").expect("written");
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(20), "{}", told(&applied));
    assert!(told(&applied).contains("28P01") && told(&applied).contains("offkey.toml"), "{}", told(&applied));
    assert!(works(&shop, shop.old()) && shop.in_bao()["password"] == shop.old());
}

#[test]
fn row_13_an_expired_certificate_is_named_before_the_first_change() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    let server = expired(shop.dir.path());
    let config = fs::read_to_string(shop.path("offkey.toml")).expect("readable");
    let config = config.replace(&shop.bao.addr, &server.0).replace("token = {", "authority = \"ca.pem\"\ntoken = {");
    fs::write(shop.path("offkey.toml"), config).expect("written");
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(20), "{}", told(&applied));
    assert!(told(&applied).to_lowercase().contains("expired"), "{}", told(&applied));
    assert!(works(&shop, shop.old()) && shop.in_file() == shop.old());
}

/// Answers everything with the time of two hours ago.
fn two_hours_ago() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { continue };
            if request(&mut client).is_none() {
                continue;
            }
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
            let body = json!({ "initialized": true, "sealed": false, "server_time_utc": now - 7200 }).to_string();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length";
            let _ = write!(client, "{head}: {}\r\n\r\n{body}", body.len());
        }
    });
    address
}

#[test]
fn row_13_a_clock_that_is_wrong_is_named_before_the_first_change() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    edit(&shop, "offkey.toml", &shop.bao.addr, &two_hours_ago());
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(20), "{}", told(&applied));
    assert!(told(&applied).contains("the clock of this machine is 72"), "{}", told(&applied));
    assert!(told(&applied).contains("Nothing was changed"), "{}", told(&applied));
    assert!(works(&shop, shop.old()) && shop.in_file() == shop.old() && shop.in_bao()["password"] == shop.old());
}

/// A TLS server whose certificate ended yesterday; ends with its guard. Its authority is `ca.pem`.
fn expired(dir: &Path) -> (String, Ended) {
    let run = |arguments: &[&str]| {
        let done =
            std::process::Command::new("openssl").args(arguments).current_dir(dir).output().expect("openssl runs");
        assert!(done.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    run(&[
        &["req", "-x509"],
        &curve[..],
        &["-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=test authority"],
    ]
    .concat());
    run(&[&["req"], &curve[..], &["-keyout", "tls.key", "-out", "tls.csr", "-subj", "/CN=127.0.0.1"]].concat());
    fs::write(dir.join("tls.ext"), "subjectAltName=IP:127.0.0.1\n").expect("written");
    run(&[
        "x509",
        "-req",
        "-in",
        "tls.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        "-1",
        "-extfile",
        "tls.ext",
        "-out",
        "tls.pem",
    ]);
    let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
    let place = format!("127.0.0.1:{port}");
    let server = std::process::Command::new("openssl")
        .args(["s_server", "-quiet", "-www", "-key", "tls.key", "-cert", "tls.pem", "-accept", &place])
        .current_dir(dir)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("openssl runs");
    let ended = Ended(server);
    let late = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while TcpStream::connect(&place).is_err() {
        assert!(std::time::Instant::now() < late, "the TLS server does not come up");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    (format!("https://{place}"), ended)
}

struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn row_17_what_offkey_itself_logs_in_with_is_not_rotated_from_under_it() {
    let lab = Lab::require();
    let shop = Shop::open();
    let (admin, word) = (unique("admin"), unique("Admin-Pw"));
    lab.postgres().sql(&format!("create role {admin} superuser login password '{word}'"));
    let config = fs::read_to_string(shop.path("offkey.toml")).expect("readable");
    fs::write(
        shop.path("offkey.toml"),
        config.replace(&format!("user = \"{}\"", shop.postgres.user), &format!("user = \"{admin}\"")),
    )
    .expect("written");
    fs::write(shop.path("postgres.word"), &word).expect("written");
    let entry = json!({ "data": { "username": admin, "password": word, "host": shop.postgres.host, "port": shop.postgres.port.to_string() } });
    shop.bao.must("POST", &format!("secret/data/{}/admin", shop.folder), Some(&entry));
    commit(&shop, "admin.md", &format!("the administrator has {word} now\n"));
    let plan = sweep(&shop, "case");
    let own = plan.treatments.iter().find(
        |one| matches!(&one.disposition, Disposition::Open { todo } if todo.contains("offkey itself logs in with it")),
    );
    assert!(own.is_some(), "{:?}", plan.treatments);
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(11), "the rest is done, this one is open: {}", told(&applied));
    assert!(lab.postgres().login(&admin, &word).is_ok(), "offkey still gets in");
    assert!(!works(&shop, shop.old()), "the shop's password was rotated all the same");
    lab.postgres().sql(&format!("drop role {admin}"));
}

/// One more file that Alice committed.
fn commit(shop: &Shop, name: &str, text: &str) {
    fs::write(shop.path(&format!("repo/{name}")), text).expect("written");
    let repository = git2::Repository::open(shop.path("repo")).expect("a repository");
    let mut index = repository.index().expect("an index");
    index.add_path(Path::new(name)).expect("added");
    let tree = repository.find_tree(index.write_tree().expect("written")).expect("a tree");
    let alice = git2::Signature::now("Alice Moreau", "alice@harbourfinch.example").expect("a signature");
    let head = repository.head().and_then(|head| head.peel_to_commit()).expect("a commit");
    repository.commit(Some("HEAD"), &alice, &alice, "Note it", &tree, &[&head]).expect("committed");
}

#[test]
fn row_18_what_nobody_knows_stays_an_open_item_until_somebody_ends_it() {
    let shop = Shop::open();
    let stray = unique("kX9vQ2mWz7RtLp4");
    commit(&shop, "settings.ini", &format!("[billing]\napi_key = \"{stray}\"\n"));
    let plan = sweep(&shop, "case");
    let open = plan.treatments.iter().filter(|one| one.is_open()).count();
    assert_eq!(open, 1, "{:?}", plan.treatments);
    assert_eq!(apply(&shop, "case", &plan, None).status.code(), Some(11));
    let confirmed = shop.offkey(&["confirm", "--case", "case"], None);
    assert_eq!(confirmed.status.code(), Some(11), "unused is not an end: {}", told(&confirmed));
    assert!(told(&confirmed).contains("NOT COMPLETE: 1 item is open"), "{}", told(&confirmed));
}

/// Notices of who leaves stop with the account that made them; a sweep does not wait for any.
#[test]
fn row_19_what_came_after_the_last_notice_is_found_by_asking_the_systems_again() {
    let lab = Lab::require();
    let shop = Shop::open();
    let first = sweep(&shop, "case");
    let (role, word) = (unique("later"), unique("Later-Pw"));
    lab.postgres().sql(&format!("create role {role} login password '{word}'"));
    let entry = json!({ "data": { "username": role, "password": word, "host": shop.postgres.host, "port": shop.postgres.port.to_string() } });
    shop.bao.must("POST", &format!("secret/data/{}/later", shop.folder), Some(&entry));
    commit(&shop, "later.md", &format!("for the night shift: {word}\n"));
    let second = sweep(&shop, "later");
    let treats = |plan: &Plan| {
        let accounts = plan.treatments.iter().filter_map(|one| Some((one.account.as_ref()?, &one.disposition)));
        accounts.filter(|(at, _)| at.locator.contains(&role)).map(|(_, how)| how.clone()).collect::<Vec<_>>()
    };
    assert_eq!((treats(&first), treats(&second)), (vec![], vec![Disposition::Rotate]));
    assert_eq!(apply(&shop, "later", &second, None).status.code(), Some(0));
    assert!(lab.postgres().login(&role, &word).is_err(), "it is dead");
    assert!(!works(&shop, shop.old()), "and what was known before with it");
}

#[test]
fn row_20_a_damaged_or_lost_log_stops_everything_before_the_first_change() {
    let shop = Shop::open();
    let plan = sweep(&shop, "case");
    let log = shop.path("case/log.db");
    let whole = fs::read(&log).expect("readable");
    let at = memchr::memmem::find(&whole, b"plan-sealed").expect("the log names the plan");
    let mut damaged = whole.clone();
    damaged[at] = b'q';
    fs::write(&log, &damaged).expect("written");
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(30), "{}", told(&applied));
    fs::remove_file(&log).expect("removed");
    let applied = apply(&shop, "case", &plan, None);
    assert_eq!(applied.status.code(), Some(30), "{}", told(&applied));
    assert!(works(&shop, shop.old()) && shop.in_bao()["password"] == shop.old() && shop.in_file() == shop.old());
    fs::write(&log, &whole).expect("written");
    assert_eq!(apply(&shop, "case", &plan, None).status.code(), Some(0), "a log from a backup serves");
}

#[test]
fn row_21_no_value_leaves_through_what_the_program_says_or_keeps() {
    let shop = Shop::open();
    let mut outputs = Vec::new();
    let swept = shop.offkey(&["-vv", "sweep", "--identity", "alice.toml", "--case", "case", "repo"], None);
    outputs.push(swept);
    let plan: Plan = serde_json::from_slice(&fs::read(shop.path("case/plan.json")).expect("a plan")).expect("a plan");
    outputs.push(shop.offkey(&["-vv", "apply", "--case", "case", "--digest", &plan.digest()], Some(7)));
    outputs.push(shop.offkey(&["-vv", "resume", "--case", "case"], None));
    for arguments in [
        &["-vv", "confirm", "--case", "case"][..],
        &["status", "--case", "case", "--json"],
        &["plan", "--case", "case"],
    ] {
        outputs.push(shop.offkey(arguments, None));
    }
    for format in ["text", "json", "html"] {
        outputs.push(shop.offkey(&["report", "--case", "case", "--format", format], None));
    }
    let mut texts: Vec<Vec<u8>> = outputs.iter().flat_map(|one| [one.stdout.clone(), one.stderr.clone()]).collect();
    for folder in ["case", "home"] {
        for entry in fs::read_dir(shop.path(folder)).expect("folder") {
            texts.push(fs::read(entry.expect("entry").path()).expect("readable"));
        }
    }
    assert!(texts.iter().map(Vec::len).sum::<usize>() > 20_000, "there was something to look through");
    let new = shop.in_file();
    for value in [shop.old(), &new, &shop.bao.token, &shop.postgres.password] {
        let forms = [
            value.to_owned(),
            data_encoding::BASE64.encode(value.as_bytes()),
            data_encoding::HEXLOWER.encode(value.as_bytes()),
        ];
        for form in forms {
            let leaked = texts.iter().any(|text| memchr::memmem::find(text, form.as_bytes()).is_some());
            assert!(!leaked, "a value left");
        }
    }
}
