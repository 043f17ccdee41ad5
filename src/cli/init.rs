//! `offkey init`: a first `offkey.toml`, commented.

use std::io::Write;

use super::args::InitArgs;
use super::exit::Exit;
use super::ui::Ui;
use crate::error::{Error, Result};

/// What is written. Every line that is not a comment is a default, so that the file changes nothing until it is edited.
pub(super) const TEMPLATE: &str = r#"# offkey.toml: what offkey may touch, and what may be merged. Commit it at the top of the repository.
# The gate reads it from the base of a change, so that no change can excuse itself. Secrets never stand here.
# Every key is explained in docs/config.md and docs/ci.md; what is commented out shows the default or an example.

[gate]
# Which verdicts block. stale: its owner left, it was rotated or revoked, or it is too old. new: nobody knows it yet.
# Start with ["stale"] if the repository has old findings that nobody can look at today.
block = ["stale", "new"]
# Least probability of a finding, 0 to 1.
min_confidence = 0.5
# Whether `offkey:allow reason="…"` on a line excuses a new finding. It never excuses a stale one.
inline_allow = true
# A credential first seen more days ago than this is stale.
# max_age_days = 365
# Findings that are known and accepted for now: `offkey baseline create`.
baseline = ".offkey-baseline.json"
# Paths that are not looked at.
# exclude = ["vendor/", "*.lock"]

# A dated, owned exception for one value; the fingerprint is in the gate's message.
# [[waiver]]
# id = "legacy-hook"
# fingerprint = "fp:0123456789abcdef0123456789abcdef"
# owner = "bob@harbourfinch.example"
# reason = "the vendor replaces it on 1 December"
# until = "2026-12-01"

# Where values are kept for their consumers, and who issued them: needed by `offkey sweep`, not by the gate.
# [[store]]
# name = "files"
# type = "files"
# paths = ["deploy/.env"]
#
# [[provider]]
# name = "shop-db"
# type = "postgres"
# host = "db.harbourfinch.example"
# user = "offkey"
# password = { file = "/run/secrets/offkey-db" }
"#;

/// Runs the command.
pub(super) fn run(args: &InitArgs, ui: Ui) -> Result<Exit> {
    let path = args.folder.join("offkey.toml");
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(&path);
    file.and_then(|mut file| file.write_all(TEMPLATE.as_bytes())).map_err(|cause| {
        let there = cause.kind() == std::io::ErrorKind::AlreadyExists;
        let error = Error::unwritable(path.display(), cause);
        if there {
            error.still("The file that is there was not touched.").next("Edit it, or move it away.")
        } else {
            error
        }
    })?;
    ui.note(format!("{} written; next: `offkey hook install`, and docs/ci.md for the pipeline", path.display()));
    Ok(Exit::Clean)
}

#[cfg(test)]
mod tests {
    use super::TEMPLATE;
    use crate::config::{self, GatePolicy};

    #[test]
    fn the_template_says_the_defaults_and_its_examples_are_valid() {
        let config = config::parse(TEMPLATE, "the template").expect("valid");
        assert_eq!(config.gate, GatePolicy::default());
        // Without the marks of comments the examples have to be valid, too.
        let text: Vec<&str> = TEMPLATE.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
        let is_toml =
            |line: &&&str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        let text: Vec<&str> = text.iter().filter(is_toml).copied().collect();
        let config = config::parse(&text.join("\n"), "the examples").expect("valid");
        assert_eq!((config.waivers.len(), config.gate.max_age_days), (1, Some(365)));
    }
}
