//! SOPS: one encrypted text a field, names in clear. `sops decrypt` shows a file as JSON, `sops set --value-stdin` changes one
//! field of it (3.11 and newer). Exit codes: cmd/sops/codes of the program's source.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};

use super::program::Program;
use super::{Locksmith, refused};
use crate::action::Pending;
use crate::error::Result;
use crate::remote::Failure;

pub(super) struct Sops {
    program: Program,
}

impl Sops {
    pub(super) fn new(program: PathBuf, deadline: Duration) -> Self {
        Self { program: Program::new(program, deadline) }
    }
}

fn meaning(code: i32) -> &'static str {
    match code {
        2 | 100 => "it cannot read the file",
        3 => "it cannot write the file",
        24 | 25 | 51 | 52 => "the file was changed without it: its check sum does not fit",
        111 | 128 => "it has no key that opens the file",
        203 => "the file is not encrypted as it should be",
        _ => "it failed; version 3.11 or newer is needed",
    }
}

/// A field as sops names it: `["db"]["password"]`.
fn index(field: &str) -> Option<String> {
    let parts: Vec<String> = match field.strip_prefix('/') {
        None => vec![field.to_owned()],
        Some(path) => path.split('/').map(|part| part.replace("~1", "/").replace("~0", "~")).collect(),
    };
    let plain = parts.iter().all(|part| !part.is_empty() && !part.contains(['"', '[', ']', '\\']));
    plain.then(|| parts.iter().map(|part| format!("[\"{part}\"]")).collect())
}

impl Locksmith for Sops {
    fn label(&self) -> &'static str {
        "SOPS files"
    }

    fn kind(&self) -> &'static str {
        "sops"
    }

    fn read<'a>(&'a self, file: &'a Path) -> Pending<'a, Result<Map<String, Value>, Failure>> {
        Box::pin(async move {
            let arguments = ["decrypt", "--output-type", "json"].map(OsStr::new);
            let arguments: Vec<&OsStr> = arguments.into_iter().chain([file.as_os_str()]).collect();
            let printed = self.program.run(&arguments, b"", meaning).await?;
            match serde_json::from_slice(&printed) {
                Ok(Value::Object(fields)) => Ok(fields),
                _ => Err(refused(file, "sops did not show it as an object of fields")),
            }
        })
    }

    fn set<'a>(&'a self, copy: &'a Path, field: &'a str, new: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            let index = index(field).ok_or_else(|| refused(copy, "sops cannot name this field"))?;
            let arguments = [OsStr::new("set"), OsStr::new("--value-stdin"), copy.as_os_str(), OsStr::new(&index)];
            let value = zeroize::Zeroizing::new(Value::from(new).to_string());
            self.program.run(&arguments, value.as_bytes(), meaning).await.map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_as_sops_names_it() {
        assert_eq!(index("DB_PASSWORD").as_deref(), Some("[\"DB_PASSWORD\"]"));
        assert_eq!(index("/db/pass~1word").as_deref(), Some("[\"db\"][\"pass/word\"]"));
        for odd in ["", "a\"b", "/db/x]y", "/db//y"] {
            assert_eq!(index(odd), None, "{odd}");
        }
    }
}
