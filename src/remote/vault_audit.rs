//! Audit logs of OpenBao and Vault: JSON lines, read as a stream.
//!
//! Texts in the log are hashed with a key of the audit device; numbers, paths, entity ids and lease ids are not. So the log
//! alone says who read which version of which path, and together with `sys/audit-hash` it says which path served a value
//! that was found elsewhere.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

/// Longest line that is read, in bytes.
const LINE: u64 = 16 * 1024 * 1024;

/// What a log, or several, said about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditCoverage {
    /// Lines understood.
    pub lines: u64,
    /// Bytes read, after decompression.
    pub bytes: u64,
    /// Time of the first record; what happened before is not known.
    pub from: Option<String>,
    /// Time of the last record.
    pub to: Option<String>,
    /// Lines and files that could not be read, with the reason.
    pub failed: Vec<(String, String)>,
}

/// One successful answer of the server.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AuditRecord {
    /// RFC 3339.
    pub time: String,
    /// Entity that asked; empty for tokens without one.
    pub entity: String,
    /// `userpass-alice`.
    pub display_name: String,
    /// Accessor of the token that asked, hashed unless the device is told otherwise.
    pub accessor: String,
    /// Token that asked, hashed.
    pub token: String,
    /// `read`, `update`, `list` …
    pub operation: String,
    /// Path without `v1/`.
    pub path: String,
    /// Where the mount begins: `secret/`.
    pub mount: String,
    /// `kv`, `database`, `token` …
    pub mount_type: String,
    /// Version of a KV v2 entry that was served.
    pub version: Option<u64>,
    /// Lease that was made.
    pub lease: Option<String>,
    /// Entity and accessor of a token that was made, the accessor hashed.
    pub made: Option<(String, String)>,
    /// Hashed texts of the answer, nested ones too.
    pub hashes: Vec<String>,
}

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    time: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    auth: Option<Auth>,
    #[serde(default)]
    request: Request,
    #[serde(default)]
    response: Option<Response>,
}

#[derive(Default, Deserialize)]
struct Auth {
    #[serde(default)]
    client_token: String,
    #[serde(default)]
    accessor: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    entity_id: String,
}

#[derive(Default, Deserialize)]
struct Request {
    #[serde(default)]
    operation: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    mount_point: String,
    #[serde(default)]
    mount_type: String,
}

#[derive(Default, Deserialize)]
struct Response {
    #[serde(default)]
    auth: Option<Auth>,
    #[serde(default)]
    secret: Option<Secret>,
    #[serde(default)]
    data: Value,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    lease_id: String,
}

/// Reads logs in the order given (oldest first), `.gz` ones too, and hands out every successful answer.
pub fn read_audit_logs(logs: &[PathBuf], visit: &mut dyn FnMut(AuditRecord) -> ControlFlow<()>) -> AuditCoverage {
    let mut coverage = AuditCoverage::default();
    for path in logs {
        match read_one(path, &mut coverage, visit) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => break,
            Err(error) => coverage.failed.push((path.display().to_string(), error.to_string())),
        }
    }
    coverage
}

fn read_one(
    path: &Path,
    coverage: &mut AuditCoverage,
    visit: &mut dyn FnMut(AuditRecord) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<()>> {
    let file = File::open(path)?;
    let packed = path.extension().is_some_and(|ending| ending == "gz");
    let plain: Box<dyn Read> = if packed { Box::new(flate2::read::MultiGzDecoder::new(file)) } else { Box::new(file) };
    let mut reader = BufReader::with_capacity(1 << 16, plain);
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        let read = reader.by_ref().take(LINE).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        coverage.bytes += read as u64;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let Ok(parsed) = serde_json::from_slice::<Line>(&line) else {
            // The last line of a log that is being written may be half a line.
            coverage.failed.push((format!("{} line {number}", path.display()), "not a record".to_owned()));
            continue;
        };
        coverage.lines += 1;
        if !parsed.time.is_empty() {
            coverage.from.get_or_insert_with(|| parsed.time.clone());
            coverage.to = Some(parsed.time.clone());
        }
        if parsed.kind == "response" && parsed.error.is_empty() && visit(record(parsed)).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn record(line: Line) -> AuditRecord {
    let auth = line.auth.unwrap_or_default();
    let response = line.response.unwrap_or_default();
    let mut hashes = Vec::new();
    collect(&response.data, &mut hashes);
    AuditRecord {
        time: line.time,
        entity: auth.entity_id,
        display_name: auth.display_name,
        accessor: auth.accessor,
        token: auth.client_token,
        operation: line.request.operation,
        path: line.request.path,
        mount: line.request.mount_point,
        mount_type: line.request.mount_type,
        version: response.data["metadata"]["version"].as_u64(),
        lease: response.secret.map(|secret| secret.lease_id).filter(|lease| !lease.is_empty()),
        made: response.auth.map(|made| (made.entity_id, made.accessor)),
        hashes,
    }
}

fn collect(value: &Value, hashes: &mut Vec<String>) {
    match value {
        Value::String(text) if text.starts_with("hmac-sha256:") => hashes.push(text.clone()),
        Value::Array(all) => all.iter().for_each(|one| collect(one, hashes)),
        Value::Object(all) => all.values().for_each(|one| collect(one, hashes)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const READ: &str = r#"{"time":"2026-11-01T08:00:00Z","type":"response","auth":{"client_token":"hmac-sha256:t",
        "accessor":"hmac-sha256:a","display_name":"userpass-alice","entity_id":"e1"},"request":{"operation":"read",
        "path":"secret/data/shop/db","mount_point":"secret/","mount_type":"kv"},"response":{"data":{"data":
        {"password":"hmac-sha256:p"},"metadata":{"version":7}}}}"#;

    fn read(text: &[u8], name: &str) -> (Vec<AuditRecord>, AuditCoverage) {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        let mut records = Vec::new();
        let coverage = read_audit_logs(&[path], &mut |record| {
            records.push(record);
            ControlFlow::Continue(())
        });
        (records, coverage)
    }

    fn one_line(text: &str) -> String {
        format!("{}\n", text.replace('\n', ""))
    }

    #[test]
    fn a_read_says_who_what_and_which_version() {
        let (records, coverage) = read(one_line(READ).as_bytes(), "audit.log");
        let record = &records[0];
        assert_eq!(
            (record.entity.as_str(), record.path.as_str(), record.version),
            ("e1", "secret/data/shop/db", Some(7))
        );
        assert_eq!(record.hashes, ["hmac-sha256:p"]);
        assert_eq!(coverage.from.as_deref(), Some("2026-11-01T08:00:00Z"));
    }

    #[test]
    fn requests_and_refusals_are_no_reads_and_broken_lines_are_counted() {
        let refused = one_line(READ).replace("\"type\"", "\"error\":\"permission denied\",\"type\"");
        let request = one_line(READ).replace("\"type\":\"response\"", "\"type\":\"request\"");
        let text = format!("{refused}{request}half a li");
        let (records, coverage) = read(text.as_bytes(), "audit.log");
        assert!(records.is_empty());
        assert_eq!((coverage.lines, coverage.failed.len()), (2, 1));
    }

    #[test]
    fn packed_logs_are_read_and_absent_ones_are_a_gap() {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(one_line(READ).as_bytes()).expect("packed");
        let (records, _) = read(&packed.finish().expect("packed"), "audit.log.gz");
        assert_eq!(records.len(), 1);
        let coverage = read_audit_logs(&["nowhere/audit.log".into()], &mut |_| ControlFlow::Continue(()));
        assert_eq!(coverage.failed.len(), 1);
    }
}
