//! What the name of a file and the bytes beside a value say about its matches, whatever found them.

use super::Match;

/// Files that are made to hold credentials: clients and servers keep their own in them. Names from the manuals of the programs.
const KEEPERS: &[&str] = &[
    ".netrc",
    "_netrc",
    ".pgpass",
    "pgpass.conf",
    ".my.cnf",
    ".git-credentials",
    ".npmrc",
    ".pypirc",
    ".dockercfg",
    ".esmtprc",
    ".msmtprc",
    ".muttrc",
    ".fetchmailrc",
    ".offlineimaprc",
    ".s3cfg",
    ".boto",
    ".ftpconfig",
    ".remote-sync.json",
    "sftp-config.json",
    "sftp.json",
    "deployment-config.json",
    "recentservers.xml",
    "sitemanager.xml",
    "filezilla.xml",
    "credentials.xml",
    "logins.json",
    "secrets.yml",
    "secrets.yaml",
    "wp-config.php",
    "database.yml",
    "mongoid.yml",
    "robomongo.json",
    "tomcat-users.xml",
    "unattend.xml",
    "sysprep.inf",
    "data-sources.xml",
    "dbeaver-data-sources.xml",
    ".dbeaver-data-sources.xml",
    ".bash_profile",
    ".bashrc",
    ".profile",
    ".zshrc",
    ".bash_history",
    ".zsh_history",
    ".htpasswd",
    "shadow",
    "ventrilo_srv.ini",
    ".env",
];

/// Odds of a match in such a file against the same match elsewhere.
const KEEPER_ODDS: f32 = 16.0;

/// Whether a path names a file that is made to hold credentials.
pub fn keeper(path: &str) -> bool {
    let name = path.rsplit(['/', '\\', '!']).next().unwrap_or(path).to_ascii_lowercase();
    KEEPERS.contains(&name.as_str())
        || name.starts_with(".env.") && !name.ends_with("example") && !name.ends_with("sample")
}

/// Name of the filter that raises what stands in a file for credentials.
pub const KEPT: &str = "file-for-credentials";

/// Raises what stands in a file for credentials.
pub(super) fn raise(found: &mut Match) {
    found.confidence = raised(found.confidence);
    found.notes.push(KEPT);
}

/// A confidence as it is in a file for credentials.
pub fn raised(confidence: f32) -> f32 {
    let odds = confidence / (1.0 - confidence).max(1e-4) * KEEPER_ODDS;
    confidence.max((odds / (1.0 + odds)).min(0.99))
}

/// The lowest confidence that such a file raises to `least`.
pub(super) fn before(least: f32) -> f32 {
    let odds = least / (1.0 - least).max(1e-4) / KEEPER_ODDS;
    least.min(odds / (1.0 + odds))
}

/// A password hash that stands in a sentence, a string of a program or a statement is a sample far more often than one in a
/// column of its own.
pub(super) fn quoted_hash(found: &mut Match, bytes: &[u8]) {
    let before = in_front(bytes, found.span.start);
    let after = bytes.get(found.span.end);
    if row_of_a_dump(bytes, found.span.start) {
        return;
    }
    if before.is_some_and(|b| matches!(b, b'"' | b'\'' | b'`' | b' ' | b'>'))
        || after.is_some_and(|b| matches!(b, b'"' | b'\'' | b'`'))
    {
        found.confidence *= 0.5;
        found.notes.push("hash-in-a-text");
    }
}

/// The byte in front of a value, or in front of the user's name that belongs to it: the quote of `'bob:$apr1$…'`.
fn in_front(bytes: &[u8], at: usize) -> Option<u8> {
    let head = &bytes[at.saturating_sub(42)..at];
    let user = head.strip_suffix(b":").map(|head| head.iter().rev().take_while(|b| b.is_ascii_alphanumeric()).count());
    let quote =
        user.filter(|length| *length > 0).and_then(|length| head.len().checked_sub(length + 2)).map(|at| head[at]);
    quote.filter(|b| matches!(b, b'"' | b'\'' | b'`')).or_else(|| head.last().copied())
}

/// Whether a value stands in a row of a database dump: `(1, 'bob', '…', 0),`.
fn row_of_a_dump(bytes: &[u8], at: usize) -> bool {
    let line = memchr::memrchr(b'\n', &bytes[..at]).map_or(0, |n| n + 1);
    let before = bytes[line.max(at.saturating_sub(2000))..at].trim_ascii_start();
    let insert = before.len() > 11 && before[..11].eq_ignore_ascii_case(b"INSERT INTO");
    // The table says what its rows are.
    let table = before.get(11..).unwrap_or_default().iter().take(60).take_while(|b| **b != b'(').copied();
    let table: Vec<u8> = table.map(|b| b.to_ascii_lowercase()).collect();
    let sample = |word: &&[u8]| memchr::memmem::find(&table, word).is_some();
    if insert && [&b"test"[..], b"demo", b"sample", b"example", b"fixture"].iter().any(sample) {
        return false;
    }
    (before.starts_with(b"(") || insert) && before.contains(&b',') && before.ends_with(b"'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_test_table_is_no_row_of_a_dump() {
        let row = |table: &str| format!("INSERT INTO {table} (id, name, word) VALUES (1, 'bob', '").into_bytes();
        assert!(row_of_a_dump(&row("accounts"), row("accounts").len()));
        assert!(!row_of_a_dump(&row("test_user"), row("test_user").len()));
    }

    #[test]
    fn a_hash_in_a_string_stands_behind_its_user_s_name() {
        let at = |text: &str| in_front(text.as_bytes(), text.len());
        assert_eq!((at("write('bob:"), at("'"), at("\nbob:"), at("")), (Some(b'\''), Some(b'\''), Some(b':'), None));
    }

    #[test]
    fn files_for_credentials_are_known_by_name_in_any_folder() {
        assert!(keeper("home/bob/.netrc") && keeper("a.zip!site/.env") && keeper("C:\\Users\\bob\\_netrc"));
        assert!(!keeper("src/netrc.rs") && !keeper(".env.example"));
    }
}
