//! What a value is by the place where it stands, whatever rule it looks like: a digest in a lock file, a word of a translation,
//! a sample in somebody else's bundle. Of a history, paths are known only when its findings are named: [`of_path`] is asked then.

use std::ops::Range;

use super::Match;
use super::generic::NOTE;

/// A factor on the confidence, and the name of the filter that spoke.
pub type Doubt = (f32, &'static str);

/// Whether a value stands right behind the name of a hash, in the manner of lock files: `h1:…` of go.sum, `sha512-…` of npm,
/// `sha256:…` of images.
pub(super) fn is_digest(bytes: &[u8], span: &Range<usize>) -> bool {
    let before = &bytes[span.start.saturating_sub(8)..span.start];
    let line = before.rsplit(|b| *b == b'\n').next().unwrap_or(before);
    let hash = [&b"sha1-"[..], b"sha256-", b"sha384-", b"sha512-", b"sha256:", b"sha512:", b" h1:"];
    hash.iter().any(|name| line.ends_with(name))
}

/// Kinds of armour whose text is public or means nothing alone. Keys that open something are not among them, and a
/// `SIGNED MESSAGE` is plain text.
const ARMOUR: [&[u8]; 8] =
    [b"CERTIFICATE", b" REQUEST", b"PUBLIC KEY", b"SIGNATURE", b"PGP MESSAGE", b"PKCS7", b"CRL", b" PARAMETERS"];

/// Whether a value is a piece of an armoured block: a certificate, the signature of a commit. Sixty-four letters by chance
/// look like some issuer's token.
pub(super) fn in_armour(bytes: &[u8], span: &Range<usize>) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"+/=-_. \\\n\r\t".contains(&b);
    if !span.start.checked_sub(1).is_some_and(|at| inside(bytes[at]) && bytes[at] != b'=') {
        return false;
    }
    // A certificate authority's certificate has two thousand letters, a key with many signatures twenty times that.
    let before = &bytes[span.start.saturating_sub(48 << 10)..span.start];
    let Some(mark) = memchr::memmem::rfind(before, b"-----") else { return false };
    let label = before[..mark].rsplit(|b| *b == b'\n').next().unwrap_or_default();
    let Some(label) = memchr::memmem::rfind(label, b"-----BEGIN ").map(|at| &label[at..]) else { return false };
    let others = before[mark..].iter().filter(|b| !inside(**b)).count();
    ARMOUR.iter().any(|kind| label.ends_with(kind)) && others <= 16 + before[mark..].len() / 16
}

/// Whether a value is a piece of a long text in base64 (a picture in a page of resources): its line and the one before hold nothing
/// else and are as wide as programs write them.
pub(super) fn in_block(bytes: &[u8], span: &Range<usize>) -> bool {
    let start = memchr::memrchr(b'\n', &bytes[..span.start]).map_or(0, |at| at + 1);
    let end = memchr::memchr(b'\n', &bytes[span.end..]).map_or(bytes.len(), |at| span.end + at);
    let (line, Some(before)) = (&bytes[start..end], start.checked_sub(1)) else { return false };
    let above = &bytes[memchr::memrchr(b'\n', &bytes[..before]).map_or(0, |at| at + 1)..before];
    let wide = |line: &[u8]| {
        let body = line.strip_suffix(b"==").or(line.strip_suffix(b"=")).unwrap_or(line);
        (60..=80).contains(&line.len()) && body.iter().all(|b| b.is_ascii_alphanumeric() || b"+/".contains(b))
    };
    wide(line.trim_ascii()) && wide(above.trim_ascii())
}

/// Whether a value is a parameter of the picture that a page shows of a build: `https://h/badge.svg?token=…`. It opens the picture.
pub(super) fn in_badge(bytes: &[u8], span: &Range<usize>) -> bool {
    let before = &bytes[span.start.saturating_sub(160)..span.start];
    let url = before.rsplit(|b| b.is_ascii_whitespace() || b"()[]<>\"'".contains(b)).next().unwrap_or_default();
    url.starts_with(b"http") && [&b"badge"[..], b".svg?"].iter().any(|sign| memchr::memmem::find(url, sign).is_some())
}

/// What the path of a file says against a match in it.
pub(super) fn doubts(found: &Match, path: &str) -> Vec<Doubt> {
    of_path(path, &found.kind, found.notes.contains(&NOTE), found.secret.expose())
}

/// What the path of a file says against a value of that kind in it. `ranked`: found by its name and its looks, not by a form.
pub fn of_path(path: &str, kind: &str, ranked: bool, value: &[u8]) -> Vec<Doubt> {
    let path = path.to_ascii_lowercase();
    let all: [(bool, Doubt); 5] = [
        (ranked && third_party(&path), (0.5, "code-of-others")),
        (ranked && is_wording(value) && translation(&path), (0.2, "translation")),
        (ranked && is_hash(value) && cache(&path), (0.2, "hash-in-a-cache")),
        // A password hash in a page or a test is a sample far more often than one that a program reads.
        (kind == "hash" && page(&path), (0.5, "hash-in-a-page")),
        (kind == "hash" && fixture(&path), (0.5, "hash-in-a-test")),
    ];
    all.into_iter().filter(|(applies, _)| *applies).map(|(_, doubt)| doubt).collect()
}

/// Whether a finding was made by the name and the looks of its value, by what it notes.
pub fn is_ranked(notes: &[String]) -> bool {
    notes.iter().any(|note| note == NOTE)
}

/// Folders and name of a path, the name first.
fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.rsplit(['/', '\\', '!'])
}

fn name(path: &str) -> &str {
    parts(path).next().unwrap_or(path)
}

/// A program of somebody else that was copied in whole: a package manager's own release, a minified bundle, a folder of
/// dependencies.
fn third_party(path: &str) -> bool {
    let name = name(path);
    let release = name.strip_prefix("yarn-").or(name.strip_prefix("pnpm-")).or(name.strip_prefix("jquery-"));
    release.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && (rest.ends_with("js")))
        || name.ends_with(".min.js")
        || name.ends_with(".bundle.js")
        || ["node_modules/", "bower_components/", "site-packages/"].iter().any(|folder| path.contains(folder))
}

/// The words of a user interface in one language.
fn translation(path: &str) -> bool {
    const FOLDERS: [&str; 9] =
        ["locales", "locale", "i18n", "l10n", "lang", "langs", "languages", "translations", "_locales"];
    const OF_WORDS: [&str; 7] = [".po", ".pot", ".xlf", ".xliff", ".arb", ".strings", ".resx"];
    const OTHERS: [&str; 7] = [".json", ".json5", ".yml", ".yaml", ".php", ".properties", ".xml"];
    let name = name(path);
    let ends = |all: &[&str]| all.iter().any(|end| name.ends_with(end));
    ends(&OF_WORDS) || (ends(&OTHERS) && parts(path).skip(1).any(|folder| FOLDERS.contains(&folder)))
}

/// Letters of any language, with blanks and marks between them: what somebody reads on a button.
fn is_wording(value: &[u8]) -> bool {
    let marks = b" .,:;!?'-()\x22/";
    value.iter().all(|b| b.is_ascii_alphabetic() || *b >= 0x80 || marks.contains(b))
}

/// What a tool keeps to be quicker the next time.
fn cache(path: &str) -> bool {
    let name = name(path);
    name.ends_with(".cache") || name.ends_with("cache.json") || (name.starts_with('.') && name.ends_with("cache"))
}

/// 32, 40 or 64 hexadecimal digits: MD5, SHA-1, SHA-256.
fn is_hash(value: &[u8]) -> bool {
    matches!(value.len(), 32 | 40 | 64) && value.iter().all(u8::is_ascii_hexdigit)
}

/// A page to be read, not a file that a program reads.
fn page(path: &str) -> bool {
    [".html", ".htm", ".md", ".rst", ".adoc"].iter().any(|end| path.ends_with(end))
}

/// What tests of a program are fed with.
fn fixture(path: &str) -> bool {
    let folders = ["test", "tests", "testdata", "spec", "fixtures"];
    parts(path).skip(1).any(|folder| folders.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::super::{Detector, Options};
    use super::*;
    use crate::rule::{RuleSet, expand};

    fn found(template: &str, path: &str) -> usize {
        let text = expand(template, "place", None).expect("because the template is well-formed");
        let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::from(0.5)).expect("rules are checked");
        let mut all = Vec::new();
        detector.scan(text.as_bytes(), Some(path), &mut all);
        all.len()
    }

    #[test]
    fn a_value_is_judged_by_where_it_stands() {
        for (text, path) in [
            ("github.com/lightstep/lightstep-tracer-go v0.18.1 h1:<<an:43>>=\n", "go.sum"),
            ("en:\n  password: \"Kennwort\"\n", "config/locales/de.yml"),
            ("'password' => 'Das Kennwort ist falsch.',\n", "resources/lang/de/auth.php"),
        ] {
            assert_eq!(found(text, path), 0, "{path}: {text}");
        }
        for (text, path) in [
            ("en:\n  password: \"Kennwort\"\n", "config/access/de.yml"),
            ("production:\n  password: \"<<an:14>>\"\n", "config/locales/de.yml"),
            ("{\"password\": \"<<an:14>>\"}\n", "src/i18n/ru.json"),
        ] {
            assert_eq!(found(text, path), 1, "{path}: {text}");
        }
    }

    #[test]
    fn a_piece_of_a_certificate_or_a_signature_is_no_token() {
        let token = "hvs.<<an:95>>";
        let block = |label: &str, end: &str| {
            format!(
                "-----BEGIN {label}-----{end}{end}<<b64:64>>{end}{token}{end}<<b64:64>>{end}-----END {label}-----\n"
            )
        };
        assert_eq!(found(&format!("{token}\n"), "x"), 1);
        for (label, end) in [("PGP SIGNATURE", "\n "), ("CERTIFICATE", "\n"), ("PUBLIC KEY", "\r\n")] {
            assert_eq!(found(&block(label, end), "x"), 0, "{label}");
        }
        assert_eq!(found(&block("PGP SIGNED MESSAGE", "\n"), "x"), 1, "a signed message is read by everybody");
        assert_eq!(found(&format!("{}{token}\n", block("CERTIFICATE", "\n")), "x"), 1, "behind the block");
    }

    #[test]
    fn the_token_of_a_badge_opens_a_picture_only() {
        let line = |url: &str| format!("[![coverage]({url}?token=<<an:4>>7K<<an:4>>)](https://h.example)\n");
        assert_eq!(found(&line("https://h.example/gh/a/b/graph/badge.svg"), "README.md"), 0);
        assert_eq!(found("see https://h.example/api/report?token=<<an:4>>7K<<an:14>>\n", "README.md"), 1);
    }

    #[test]
    fn a_piece_of_a_picture_is_no_token() {
        let inside = |text: &str| in_block(text.as_bytes(), &(text.len() - 30..text.len() - 10));
        let letters = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVpBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWjAx";
        assert!(inside(&format!("x\n  {letters}\n  {letters}\n")));
        assert!(!inside(&format!("x\n  {letters}\n  key={}\n", &letters[4..])) && !inside(&format!("{letters}\n")));
    }

    #[test]
    fn copies_of_others_programs_are_known_by_their_names() {
        for path in ["a/.yarn/releases/yarn-3.2.1.cjs", "web/jquery-3.6.0.js", "x/app.min.js", "a/node_modules/b/c.js"]
        {
            assert!(third_party(path), "{path}");
        }
        assert!(!third_party("src/yarn-helper.js") && !third_party("src/admin.js") && !third_party("vendor.rs"));
    }

    #[test]
    fn tests_translations_and_caches_are_known_by_their_folders_and_names() {
        assert!(
            fixture("a/tests/data.sql") && fixture("testdata/x") && !fixture("src/test.sql") && !fixture("latest/x")
        );
        assert!(translation("app/i18n/de.json") && translation("de.po") && !translation("app/i18n/index.js"));
        assert!(cache(".php-cs-fixer.cache") && cache("a/.eslintcache") && !cache("src/cache") && !cache("cache.rs"));
    }
}
