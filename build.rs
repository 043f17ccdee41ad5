//! Embeds `rules/*.toml`: once as they are (for `rules check` and `rules show`), once as compact JSON without the examples,
//! which is read at start-up in about a millisecond.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let folder = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("rules");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .map(|entries| entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect())
        .unwrap_or_default();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let mut embedded = String::from("&[\n");
    let mut compact = Vec::new();
    for path in &files {
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        writeln!(embedded, "    ({:?}, include_str!({:?})),", format!("rules/{name}"), path)
            .expect("a String takes all");
        let text = fs::read_to_string(path).expect("readable rule file");
        // A file that does not parse is left to `offkey rules check`, which can say where and why.
        match toml::from_str::<serde_json::Value>(&text) {
            Ok(mut file) => {
                if let Some(rules) = file.get_mut("rule").and_then(|rules| rules.as_array_mut()) {
                    for rule in rules.iter_mut().filter_map(|rule| rule.as_object_mut()) {
                        rule.remove("examples");
                        rule.remove("negative_examples");
                    }
                }
                compact.push(file);
            }
            Err(error) => println!("cargo::error={}: {error}", path.display()),
        }
    }
    embedded.push_str("]\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("rule_files.rs"), embedded).expect("writable build folder");
    fs::write(out.join("rules.json"), serde_json::to_vec(&compact).expect("JSON of TOML"))
        .expect("writable build folder");
}
