//! age: the file is encrypted as a whole, for a list of recipients that it does not name. So offkey wants that list, and refuses
//! when it is not as long as the file's own: somebody would be locked out, or let in.
//!
//! What is inside is edited as a file in clear text is (comments and order stay). Facts: age-encryption.org/v1.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::super::file::edit::Format;
use super::program::Program;
use super::{Locksmith, bytes_of, on_disk, refused};
use crate::action::Pending;
use crate::error::Result;
use crate::remote::Failure;

/// First line of a file that is text.
const ARMOUR: &[u8] = b"-----BEGIN AGE ENCRYPTED FILE-----";

pub(super) struct Age {
    program: Program,
    identity: PathBuf,
    recipients: PathBuf,
}

fn meaning(_: i32) -> &'static str {
    "it failed: does the identity open the file, and are the recipients keys of age?"
}

/// The form of what is inside: the name without its last ending.
fn format(file: &Path) -> Result<Format, Failure> {
    let inner = file.with_extension("");
    Format::of(&inner).ok_or_else(|| refused(file, "it is none of .env.age, .json.age, .yaml.age and .toml.age"))
}

/// For how many the file is encrypted; `None` when it is not of a form that says so, or is for a passphrase.
fn recipients_of(bytes: &[u8]) -> Option<usize> {
    let header = if bytes.starts_with(ARMOUR) {
        let text = String::from_utf8_lossy(bytes);
        let body: String = text.lines().skip(1).take_while(|line| !line.starts_with("-----END")).collect();
        // The header is at the beginning: whole groups of it are enough.
        data_encoding::BASE64.decode(body.trim().as_bytes()).ok()?
    } else {
        bytes.to_vec()
    };
    let end = memchr::memmem::find(&header, b"\n---")?;
    let header = String::from_utf8_lossy(&header[..end]).into_owned();
    let mut lines = header.lines();
    lines.next().filter(|line| line.starts_with("age-encryption.org/v1"))?;
    let kinds: Vec<&str> = lines.filter_map(|line| line.strip_prefix("-> ")?.split(' ').next()).collect();
    let real = kinds.iter().filter(|kind| !kind.ends_with("-grease"));
    (!kinds.contains(&"scrypt")).then(|| real.count())
}

impl Age {
    pub(super) fn new(program: PathBuf, deadline: Duration, identity: PathBuf, recipients: PathBuf) -> Self {
        Self { program: Program::new(program, deadline), identity, recipients }
    }

    async fn open(&self, file: &Path) -> Result<Zeroizing<String>, Failure> {
        let arguments =
            [OsStr::new("--decrypt"), OsStr::new("--identity"), self.identity.as_os_str(), file.as_os_str()];
        let printed = self.program.run(&arguments, b"", meaning).await?;
        let text = std::str::from_utf8(&printed).map_err(|_| refused(file, "what is inside is no text"))?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// Why the list of recipients is not that of the file.
    fn other_people(&self, file: &Path) -> Result<Option<String>, Failure> {
        let list = fs::read_to_string(&self.recipients).map_err(|error| on_disk(&self.recipients, &error))?;
        let listed = list.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).count();
        Ok(match recipients_of(&bytes_of(file)?) {
            None => Some("a file that age encrypted for recipients".to_owned()),
            Some(count) if count != listed => Some(format!(
                "the same recipients: the file is encrypted for {count}, and {} names {listed}",
                self.recipients.display()
            )),
            Some(_) => None,
        })
    }
}

impl Locksmith for Age {
    fn label(&self) -> &'static str {
        "files encrypted with age"
    }

    fn kind(&self) -> &'static str {
        "age"
    }

    fn read<'a>(&'a self, file: &'a Path) -> Pending<'a, Result<Map<String, Value>, Failure>> {
        Box::pin(async move {
            let text = self.open(file).await?;
            let fields = format(file)?.fields(&text).map_err(|why| refused(file, why))?;
            Ok(fields.into_iter().map(|field| (field.key, Value::from(field.value))).collect())
        })
    }

    fn set<'a>(&'a self, copy: &'a Path, field: &'a str, new: &'a str) -> Pending<'a, Result<(), Failure>> {
        Box::pin(async move {
            if let Some(lacking) = self.other_people(copy)? {
                return Err(refused(copy, format!("it needs {lacking}")));
            }
            let text = self.open(copy).await?;
            let changed = format(copy)?.replace(&text, field, new).map_err(|why| refused(copy, why))?;
            let changed = Zeroizing::new(changed);
            let armour = bytes_of(copy)?.starts_with(ARMOUR);
            let mut arguments = vec![OsStr::new("--encrypt")];
            arguments.extend(armour.then_some(OsStr::new("--armor")));
            arguments.extend([OsStr::new("--recipients-file"), self.recipients.as_os_str()]);
            let encrypted = self.program.run(&arguments, changed.as_bytes(), meaning).await?;
            fs::write(copy, &*encrypted).map_err(|error| on_disk(copy, &error))
        })
    }

    fn lacks(&self, file: &Path) -> Result<Option<String>, Failure> {
        self.other_people(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_recipients_is_read_from_the_header() {
        let header = |kinds: &[&str]| {
            let stanzas: String = kinds.iter().map(|kind| format!("-> {kind} x\nAAAA\n")).collect();
            format!("age-encryption.org/v1\n{stanzas}--- mac\n\u{1}\u{2}")
        };
        let binary = header(&["X25519", "ssh-ed25519", "joint-grease"]);
        assert_eq!(recipients_of(binary.as_bytes()), Some(2));
        let body = data_encoding::BASE64.encode(binary.as_bytes());
        let lines: Vec<&str> =
            body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        let armoured =
            format!("{}\n{}\n-----END AGE ENCRYPTED FILE-----\n", String::from_utf8_lossy(ARMOUR), lines.join("\n"));
        assert_eq!(recipients_of(armoured.as_bytes()), Some(2));
        assert_eq!(recipients_of(header(&["scrypt"]).as_bytes()), None, "a passphrase");
        assert_eq!(recipients_of(b"DB_PASSWORD=x\n"), None);
    }
}
