//! Azure Key Vault: versions that can be disabled, deleted secrets that keep their name until they are purged.

use std::collections::{BTreeMap, BTreeSet};

use offkey::action::{Slot, wait};
use offkey::rotation::Systems;
use offkey::store::{Shelf, Store, StoreStep, azure_vault};
use serde_json::{Value, json};

use super::{Asked, OLD, Product, Server, current, fingerprinter, inventory, rest, target, version};
use crate::steps::{context, drive, generate, text};

/// One version: text, content type, whether it can be read.
struct Version {
    text: String,
    kind: Value,
    enabled: bool,
}

/// A vault that may forbid purging.
pub(super) struct Vault {
    secrets: BTreeMap<String, Vec<Version>>,
    deleted: BTreeMap<String, Vec<Version>>,
    /// Deletions that are still under way when they are asked about for the first time.
    under_way: BTreeSet<String>,
    protected: bool,
}

impl Default for Vault {
    fn default() -> Self {
        let version = |text: &str, enabled| Version { text: text.to_owned(), kind: json!("application/json"), enabled };
        let shop = json!({ "username": "shop", "password": OLD, "host": "db" }).to_string();
        let older = json!({ "password": "an-older-one-still-there" }).to_string();
        let secrets = [
            ("shop-db", vec![version(&older, true), version(&shop, true)]),
            ("asleep", vec![version("disabled-value", false)]),
            ("web-cert", vec![version("certificate-and-key", true)]),
        ];
        let secrets = secrets.into_iter().map(|(name, versions)| (name.to_owned(), versions)).collect();
        Self { secrets, deleted: BTreeMap::new(), under_way: BTreeSet::new(), protected: false }
    }
}

fn id(name: &str, version: usize) -> Value {
    json!(format!("https://shop.vault.example/secrets/{name}/{version:032}"))
}

impl Product for Vault {
    const AT: &'static str = "shop-db#password";
    const SIBLING: Option<&'static str> = Some("shop-db#username");

    fn answer(&mut self, asked: &Asked) -> (u16, Value) {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        if asked.query.get("api-version").is_none_or(|version| version != "7.4") {
            return (400, json!({ "error": { "code": "BadParameter" } }));
        }
        let missing = (404, json!({ "error": { "code": "SecretNotFound" } }));
        match (asked.method.as_str(), path.as_slice()) {
            ("GET", ["secrets"]) => {
                let at: usize = asked.query.get("$skiptoken").and_then(|at| at.parse().ok()).unwrap_or(0);
                let (name, versions) = self.secrets.iter().nth(at).expect("a page");
                let enabled = versions.last().expect("a version").enabled;
                let one = json!({ "id": format!("https://shop.vault.example/secrets/{name}"),
                    "attributes": { "enabled": enabled }, "managed": name == "web-cert" });
                let more = at + 1 < self.secrets.len();
                let link = more.then(|| format!("https://elsewhere.example/secrets?$skiptoken={}", at + 1));
                (200, json!({ "value": [one], "nextLink": link }))
            }
            ("GET", ["secrets", name]) => match self.secrets.get(*name) {
                None => missing,
                Some(versions) => {
                    let last = versions.last().expect("a version");
                    if !last.enabled {
                        return (403, json!({ "error": { "code": "Forbidden" } }));
                    }
                    (200, json!({ "id": id(name, versions.len()), "value": last.text, "contentType": last.kind }))
                }
            },
            ("GET", ["secrets", name, "versions"]) => {
                let Some(versions) = self.secrets.get(*name) else { return missing };
                let all: Vec<Value> = (versions.iter().enumerate())
                    .map(|(at, one)| json!({ "id": id(name, at + 1), "attributes": { "enabled": one.enabled } }))
                    .collect();
                (200, json!({ "value": all, "nextLink": null }))
            }
            ("PUT", ["secrets", name]) => {
                if self.deleted.contains_key(*name) {
                    return (409, json!({ "error": { "code": "Conflict" } }));
                }
                let text = asked.body["value"].as_str().expect("a value").to_owned();
                let versions = self.secrets.entry((*name).to_owned()).or_default();
                versions.push(Version { text, kind: asked.body["contentType"].clone(), enabled: true });
                (200, json!({ "id": id(name, versions.len()) }))
            }
            ("PATCH", ["secrets", name, number]) => {
                let number: usize = number.parse().expect("a number");
                let Some(version) = self.secrets.get_mut(*name).and_then(|all| all.get_mut(number - 1)) else {
                    return missing;
                };
                version.enabled = asked.body["attributes"]["enabled"].as_bool().expect("a switch");
                (200, json!({ "id": id(name, number) }))
            }
            ("DELETE", ["secrets", name]) => match self.secrets.remove(*name) {
                None => missing,
                Some(versions) => {
                    self.deleted.insert((*name).to_owned(), versions);
                    self.under_way.insert((*name).to_owned());
                    (200, json!({ "recoveryId": name }))
                }
            },
            ("DELETE", ["deletedsecrets", name]) if self.under_way.remove(*name) => {
                (409, json!({ "error": { "code": "Conflict" } }))
            }
            ("DELETE", ["deletedsecrets", _]) if self.protected => (403, json!({ "error": { "code": "Forbidden" } })),
            ("DELETE", ["deletedsecrets", name]) => self.deleted.remove(*name).map_or(missing, |_| (204, Value::Null)),
            ("POST", ["deletedsecrets", name, "recover"]) => match self.deleted.remove(*name) {
                None => missing,
                Some(versions) => {
                    self.secrets.insert((*name).to_owned(), versions);
                    (200, json!({}))
                }
            },
            _ => (405, json!({})),
        }
    }

    fn store(address: &str, token: &str) -> Shelf {
        azure_vault("azure", rest(address, token), fingerprinter())
    }

    fn overwrite(&mut self, value: &str) {
        let text = json!({ "username": "shop", "password": value, "host": "db" }).to_string();
        let version = Version { text, kind: Value::Null, enabled: true };
        self.secrets.get_mut("shop-db").expect("there").push(version);
    }

    fn holds(&self, value: &str) -> bool {
        let all = self.secrets.values().chain(self.deleted.values()).flatten();
        all.filter(|version| version.enabled).any(|version| version.text.contains(value))
    }
}

#[test]
fn a_vault_that_forbids_purging_is_rotated_again_and_again() {
    let server = Server::<Vault>::start();
    server.product.lock().expect("no panic").protected = true;
    let store = server.store();
    let systems = Systems::default();
    let mut values = vec![OLD.to_owned()];
    for op in 1..=3 {
        let (at, before) = (target::<Vault>(&store), version::<Vault>(&store));
        let cx = context(&systems, op);
        drive(store.action(&at, generate()).as_ref(), &cx);
        values.push(text(&wait(store.read(&at, &Slot::Staged(cx.op))).expect("reads").expect("waits")));
        drive(store.action(&at, StoreStep::Promote { expect: before.clone() }).as_ref(), &cx);
        drive(store.action(&at, StoreStep::Retire { replaced: before }).as_ref(), &cx);
        let newest = values.pop().expect("a value");
        assert_eq!(current(&store, Vault::AT), newest);
        assert!(!values.iter().any(|old| server.holds(old)), "nothing older can be read, deleted secrets included");
        values.push(newest);
    }
    let product = server.product.lock().expect("no panic");
    let kinds = product.secrets["shop-db"].iter().all(|version| version.kind == json!("application/json"));
    assert!(kinds, "the content type is repeated");
}

#[test]
fn what_cannot_be_read_or_belongs_to_a_certificate_is_left_out_with_its_reason() {
    let (held, coverage) = inventory(&Server::<Vault>::start().store());
    assert!(held.iter().all(|one| one.at.locator.starts_with("shop-db#")), "{held:?}");
    let shown = format!("{coverage:?}");
    assert!(shown.contains("disabled") && shown.contains("certificate"), "{shown}");
}
