//! Copies of an organisation's repositories, from a server on loopback that answers as GitHub, GitLab and Gitea document it, and
//! serves the repositories to git as files. It proves the contract and the walk, not the products.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use offkey::action::wait;
use offkey::remote::{Hosting, HostingKind};
use offkey::secret::SecretValue;
use serde_json::{Value, json};

use crate::issuers::replay::request;

const TOKEN: &str = "the-word-of-the-house";

/// Status, header lines, body.
type Answer = (u16, String, Vec<u8>);
type Play = dyn Fn(&str, &str) -> Answer + Send;

/// A server that asks `play` about the target and the head of every request.
fn serve(play: Box<Play>) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let Some((head, _)) = request(&mut stream) else { continue };
            let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
            log.lock().expect("no panic").push(target.clone());
            let (status, headers, body) = play(&target, &head.to_lowercase());
            let lines = format!(
                "HTTP/1.1 {status} Status\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(&[lines.as_bytes(), &body].concat());
        }
    });
    (address, asked)
}

fn answer(headers: &str, body: &Value) -> Answer {
    (200, headers.to_owned(), body.to_string().into_bytes())
}

fn refused(status: u16, headers: &str) -> Answer {
    (status, headers.to_owned(), b"{}".to_vec())
}

fn names(kind: HostingKind, address: &str, owner: &str) -> Result<Vec<String>, String> {
    let hosting = Hosting::new(kind, address, Some(SecretValue::new(TOKEN))).expect("an address");
    let all = wait(hosting.repositories(owner)).map_err(|failure| failure.to_string())?;
    Ok(all.into_iter().map(|one| one.name).collect())
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "init.defaultBranch=main", "-c", "user.name=Bob Tanaka"]);
    command.args(["-c", "user.email=bob@harbourfinch.example"]).args(arguments);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    assert!(command.output().expect("git runs").status.success(), "{arguments:?}");
}

/// Commits a file and makes the bare copy of the repository readable as files.
fn publish(root: &Path, name: &str, text: &str) {
    let (work, bare) = (root.join("work").join(name), root.join("served/harbour").join(format!("{name}.git")));
    if !work.exists() {
        std::fs::create_dir_all(&work).expect("made");
        git(&work, &["init", "-q"]);
    }
    std::fs::write(work.join("a.txt"), text).expect("written");
    git(&work, &["add", "."]);
    git(&work, &["commit", "-q", "-m", "change"]);
    if !bare.exists() {
        git(root, &["clone", "-q", "--bare", &work.to_string_lossy(), &bare.to_string_lossy()]);
    }
    git(&work, &["push", "-q", &bare.to_string_lossy(), "main"]);
    git(&bare, &["update-server-info"]);
}

/// GitHub's pages of one organisation: two repositories and an empty one on the first, a fork and a name that leads out on the second.
fn github(served: &Path, changed: Arc<Mutex<BTreeMap<String, String>>>) -> (String, Arc<Mutex<Vec<String>>>) {
    let served = served.to_owned();
    let own = Arc::new(Mutex::new(String::new()));
    let (address, limited) = (Arc::clone(&own), Mutex::new(true));
    let play = move |target: &str, head: &str| -> Answer {
        let here = address.lock().expect("no panic").clone();
        let basic = data_encoding::BASE64.encode(format!("oauth2:{TOKEN}").as_bytes()).to_lowercase();
        let repository = |name: &str| {
            let pushed = changed.lock().expect("no panic").get(name).cloned();
            json!({"full_name": format!("harbour/{name}"), "clone_url": format!("{here}/harbour/{name}.git"), "pushed_at": pushed,
                "fork": name == "fork", "archived": false})
        };
        let listing = "/api/v3/orgs/harbour/repos?";
        let Some(query) = target.strip_prefix(listing) else {
            if !head.contains(&format!("authorization: basic {basic}")) {
                return refused(401, "www-authenticate: Basic realm=\"x\"\r\n");
            }
            let path = target.split('?').next().unwrap_or_default().trim_start_matches('/');
            return std::fs::read(served.join(path)).map_or(refused(404, ""), |file| (200, String::new(), file));
        };
        if !head.contains(&format!("authorization: bearer {TOKEN}")) {
            return refused(401, "");
        }
        if std::mem::take(&mut *limited.lock().expect("no panic")) {
            return refused(403, "x-ratelimit-remaining: 0\r\nx-ratelimit-reset: 1700000000\r\n");
        }
        let first = format!("<{here}{listing}page=1>; rel=\"first\"");
        if query.contains("page=2") {
            let mut evil = repository("x");
            evil["full_name"] = json!("harbour/../../evil");
            let mut elsewhere = repository("elsewhere");
            elsewhere["clone_url"] = json!("http://127.0.0.1:1/harbour/elsewhere.git");
            return answer(&format!("link: {first}\r\n"), &json!([repository("fork"), evil, elsewhere]));
        }
        let mut empty = repository("nothing");
        empty["empty"] = json!(true);
        let link = format!("link: <{here}{listing}per_page=100&type=all&page=2>; rel=\"next\", {first}\r\n");
        answer(&link, &json!([repository("shop"), repository("tools"), empty]))
    };
    let (address, asked) = serve(Box::new(play));
    own.lock().expect("no panic").clone_from(&address);
    (address, asked)
}

#[test]
fn an_organisation_is_copied_and_then_only_what_is_new() {
    let dir = tempfile::tempdir().expect("a folder");
    let (root, copies) = (dir.path(), dir.path().join("copies"));
    for name in ["shop", "tools", "fork"] {
        publish(root, name, "one");
    }
    let stamps =
        ["shop", "tools", "fork", "x", "elsewhere"].map(|name| (name.to_owned(), "2026-01-01T00:00:00Z".to_owned()));
    let changed = Arc::new(Mutex::new(BTreeMap::from(stamps)));
    let (address, asked) = github(&root.join("served"), Arc::clone(&changed));
    let run = || {
        asked.lock().expect("no panic").clear();
        let mut offkey = Command::new(env!("CARGO_BIN_EXE_offkey"));
        offkey.args(["mirror", "github:harbour", "--no-forks", "--host", &address, "--into"]).arg(&copies);
        let done = offkey.env("GITHUB_TOKEN", TOKEN).output().expect("runs");
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(!said.contains(TOKEN) && done.stdout.is_empty(), "{said}");
        (done.status.code(), said, asked.lock().expect("no panic").clone())
    };
    let text = |name: &str| {
        let copy = copies.join(format!("harbour/{name}.git"));
        let shown = Command::new("git").arg("-C").arg(copy).args(["show", "main:a.txt"]).output().expect("git runs");
        String::from_utf8_lossy(&shown.stdout).into_owned()
    };

    let (code, said, _) = run();
    assert!(said.contains("6 repositories, 2 cloned, 0 fetched, 0 unchanged, 1 empty, 1 left out, 2 failed"), "{said}");
    assert!(
        said.contains("its name is none that a folder can have") && said.contains("its address is not below"),
        "{said}"
    );
    assert_eq!((code, text("shop").as_str(), text("tools").as_str()), (Some(12), "one", "one"));
    assert!(!root.join("evil.git").exists() && !copies.join("harbour/fork.git").exists());
    let kept = Command::new("grep").args(["-rl", TOKEN]).arg(&copies).output().expect("grep runs");
    assert!(kept.stdout.is_empty(), "the token lies in {}", String::from_utf8_lossy(&kept.stdout));

    publish(root, "shop", "two");
    changed.lock().expect("no panic").insert("shop".to_owned(), "2026-01-02T00:00:00Z".to_owned());
    let (_, said, asked) = run();
    assert!(said.contains("0 cloned, 1 fetched, 1 unchanged"), "{said}");
    assert!(!asked.iter().any(|target| target.contains("tools.git")), "{asked:?}");
    assert_eq!(text("shop"), "two");

    let scanned = Command::new(env!("CARGO_BIN_EXE_offkey")).args(["scan", "--format", "json"]).arg(&copies).output();
    let scanned: Value = serde_json::from_slice(&scanned.expect("runs").stdout).expect("JSON");
    let sources = scanned["coverage"].as_array().expect("a list");
    assert_eq!(sources.iter().filter(|one| one["format"] == "git").count(), 2, "{scanned}");
}

#[test]
fn groups_of_gitlab_are_listed_page_by_page() {
    let tries = Mutex::new(0);
    let play = move |target: &str, head: &str| -> Answer {
        let repository = |name: &str| json!({"path_with_namespace": name, "http_url_to_repo": format!("http://x/{name}.git"), "last_activity_at": "2026-01-01T00:00:00Z"});
        let mut tries = tries.lock().expect("no panic");
        *tries += 1;
        match target {
            _ if !head.contains(&format!("private-token: {TOKEN}")) => refused(401, ""),
            _ if *tries == 1 => refused(429, "retry-after: 0\r\n"),
            "/api/v4/groups/harbour%2Fteam/projects?per_page=100&include_subgroups=true" => answer(
                "link: </api/v4/next>; rel=\"next\"\r\n",
                &json!([repository("harbour/team/shop"), repository("harbour/team/sub/b")]),
            ),
            "/api/v4/next" => {
                answer("link: </api/v4/first>; rel=\"first\"\r\n", &json!([repository("harbour/team/a")]))
            }
            _ => refused(404, ""),
        }
    };
    let (address, _) = serve(Box::new(play));
    let found = names(HostingKind::GitLab, &address, "harbour/team").expect("listed");
    assert_eq!(found, ["harbour/team/a", "harbour/team/shop", "harbour/team/sub/b"]);
    let nobody = names(HostingKind::GitLab, &address, "nobody").expect_err("nobody there");
    assert!(nobody.contains("nobody there is called nobody") && !nobody.contains(TOKEN), "{nobody}");
}

#[test]
fn pages_without_links_are_numbered_and_people_have_repositories_too() {
    let play = |target: &str, head: &str| -> Answer {
        let repository = |name: &str| json!({"full_name": format!("bob/{name}"), "clone_url": format!("http://x/{name}.git"), "updated_at": "x", "empty": false});
        match target {
            _ if !head.contains(&format!("authorization: token {TOKEN}")) => refused(401, ""),
            "/api/v1/users/bob/repos?limit=50" => answer("", &json!([repository("a"), repository("b")])),
            "/api/v1/users/bob/repos?limit=50&page=2" => answer("", &json!([repository("c")])),
            "/api/v1/users/bob/repos?limit=50&page=3" => answer("", &json!([])),
            _ => refused(404, ""),
        }
    };
    let (address, _) = serve(Box::new(play));
    assert_eq!(names(HostingKind::Gitea, &address, "bob").expect("listed"), ["bob/a", "bob/b", "bob/c"]);
}

#[test]
fn a_list_that_is_not_whole_is_no_list() {
    let play = |target: &str, _: &str| -> Answer {
        match target {
            "/api/v3/orgs/away/repos?per_page=100&type=all" => {
                answer("link: <http://127.0.0.2:1/steal>; rel=\"next\"\r\n", &json!([]))
            }
            "/api/v3/orgs/locked/repos?per_page=100&type=all" => refused(403, ""),
            "/api/v3/orgs/long/repos?per_page=100&type=all" => refused(429, "retry-after: 90000\r\n"),
            _ => answer("", &json!({"message": "no list"})),
        }
    };
    let (address, _) = serve(Box::new(play));
    for (owner, why) in [
        ("away", "leads to another server"),
        ("locked", "the token may not do this"),
        ("long", "the limit lasts longer than an hour"),
        ("odd", "a list of repositories was expected"),
    ] {
        let said = names(HostingKind::GitHub, &address, owner).expect_err("no list");
        assert!(said.contains(why) && !said.contains(TOKEN), "{owner}: {said}");
    }
    assert!(
        Hosting::new(HostingKind::GitHub, "http://git.harbourfinch.example", None).is_err(),
        "no token in clear text"
    );
}
