//! Guards the house: which room may use which, and that documents name files that exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms and their numbers; a room uses rooms with a smaller number only.
const ROOMS: &[(&str, u8)] = &[
    ("secret", 1),
    ("clock", 1),
    ("error", 1),
    ("audit", 2),
    ("source", 2),
    ("rule", 2),
    ("remote", 2),
    ("identity", 3),
    ("detect", 4),
    ("finding", 5),
    ("attribution", 6),
    ("action", 6),
    ("store", 7),
    ("provider", 7),
    ("plan", 8),
    ("rotation", 9),
    ("confirm", 10),
    ("case", 11),
    ("ledger", 11),
    ("config", 11),
    ("report", 12),
    ("sweep", 13),
    ("gate", 13),
    ("serve", 14),
    ("fleet", 14),
    ("cli", 15),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(under: &Path, ending: &str, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).expect("readable folder") {
        let path = entry.expect("readable entry").path();
        if path.is_dir() {
            files(&path, ending, into);
        } else if path.extension().is_some_and(|e| e == ending) {
            into.push(path);
        }
    }
}

/// The room that a file under `src/` belongs to.
fn room_of(file: &Path) -> String {
    let inside = file.strip_prefix(root().join("src")).expect("a file under src");
    let first = inside.components().next().expect("at least one part").as_os_str().to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

#[test]
fn rooms_use_smaller_numbers_only() {
    let number: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    assert!(sources.len() > 20, "the walk found only {} files", sources.len());
    let mut wrong = Vec::new();
    for file in sources {
        let room = room_of(&file);
        if room == "lib" || room == "main" {
            continue;
        }
        let here = *number.get(room.as_str()).unwrap_or_else(|| panic!("{room} is not in the table of rooms"));
        let text = fs::read_to_string(&file).expect("readable source");
        for (line, content) in text.lines().enumerate() {
            // Documentation may point anywhere; code may not. Unit tests may build what they need.
            if content.trim_start().starts_with("//") {
                continue;
            }
            if content.contains("#[cfg(test)]") {
                break;
            }
            for used in used_rooms(content) {
                let Some(&there) = number.get(used) else { continue };
                // The foundation (number 1) is one storey: a password from the clock is a secret, a bad fingerprint an error.
                if used != room && there > 1 && there >= here {
                    wrong.push(format!("{}:{}: {room} ({here}) uses {used} ({there})", file.display(), line + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows must point down:\n{}", wrong.join("\n"));
}

/// Names after `crate::` in a line, also in `use crate::{a, b}` form.
fn used_rooms(line: &str) -> Vec<&str> {
    let mut rooms = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        let list = rest.strip_prefix('{').map_or(rest, |inner| inner.split('}').next().unwrap_or(inner));
        let many = rest.starts_with('{');
        for part in list.split(',').take(if many { usize::MAX } else { 1 }) {
            let name = part.trim().split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
            rooms.push(name);
        }
    }
    rooms
}

#[test]
fn only_the_command_line_prints() {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    let mut wrong = Vec::new();
    for file in sources {
        if room_of(&file) == "cli" {
            continue;
        }
        let text = fs::read_to_string(&file).expect("readable source");
        for (line, content) in text.lines().enumerate() {
            let code = content.split("//").next().unwrap_or("");
            if ["println!", "eprintln!", "print!(", "eprint!("].iter().any(|p| code.contains(p)) {
                wrong.push(format!("{}:{}", file.display(), line + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "printing outside of the command line:\n{}", wrong.join("\n"));
}

#[test]
fn every_path_named_in_the_documents_exists() {
    let mut documents = vec![root().join("README.md")];
    files(&root().join("docs"), "md", &mut documents);
    let mut wrong = Vec::new();
    for document in documents.into_iter().filter(|d| d.exists()) {
        let text = fs::read_to_string(&document).expect("readable document");
        for word in text.split(|c: char| c.is_whitespace() || "`()[]{},;:\"'".contains(c)) {
            let word = word.trim_end_matches('.');
            if word.starts_with("src/") && !word.contains(['*', '<', '…']) && !root().join(word).exists() {
                wrong.push(format!("{} names {word}", document.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "documents name files that do not exist:\n{}", wrong.join("\n"));
}

/// Files that must be mentioned (as a module) in the `mod.rs` of their room: nothing lies around unregistered.
#[test]
fn every_file_of_an_extension_room_is_registered() {
    for room in ["source", "store", "provider", "report"] {
        let folder = root().join("src").join(room);
        let registry = fs::read_to_string(folder.join("mod.rs")).expect("readable mod.rs");
        for entry in fs::read_dir(&folder).expect("readable folder") {
            let path = entry.expect("readable entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            if name != "mod" {
                assert!(registry.contains(&format!("mod {name};")), "src/{room}/{name} is not registered in mod.rs");
            }
        }
    }
}
