//! SARIF 2.1.0 of any scanner. It has no member for the value: some write it as the snippet of the region, others name
//! columns, by which it is cut out of the file.

use std::path::PathBuf;

use serde_json::Value;

use super::{Reported, place, value};
use crate::secret::SecretValue;

/// Scanners whose snippet is the value alone.
const SNIPPET_IS_VALUE: &[&str] = &["gitleaks", "betterleaks", "kingfisher"];

pub(super) fn read(objects: &[Value], folders: &[PathBuf]) -> Option<Vec<Reported>> {
    let [whole] = objects else { return None };
    let runs = whole["runs"].as_array().filter(|_| whole["version"].as_str().is_some_and(|v| v.starts_with("2.")))?;
    let mut all = Vec::new();
    for run in runs {
        let tool = run["tool"]["driver"]["name"].as_str().unwrap_or_default().to_lowercase();
        let results = run["results"].as_array().map_or(&[][..], Vec::as_slice);
        all.extend(results.iter().map(|result| reported(result, SNIPPET_IS_VALUE.contains(&tool.as_str()), folders)));
    }
    Some(all)
}

fn reported(result: &Value, snippet_is_value: bool, folders: &[PathBuf]) -> Reported {
    let location = &result["locations"][0]["physicalLocation"];
    let (uri, region) = (location["artifactLocation"]["uri"].as_str().unwrap_or_default(), &location["region"]);
    let path = unescaped(uri.trim_start_matches("file://"));
    let found = match snippet_is_value {
        true => value(region["snippet"]["text"].as_str()),
        false => cut(&path, region, folders),
    };
    Reported {
        rule: result["ruleId"].as_str().unwrap_or("unknown").to_owned(),
        place: place(Some(&path), region["startLine"].as_u64()),
        values: found.into_iter().collect(),
    }
}

/// The text of a region of one line, out of the first folder that has the file.
fn cut(path: &str, region: &Value, folders: &[PathBuf]) -> Option<SecretValue> {
    let number = |key: &str| region[key].as_u64().and_then(|number| usize::try_from(number).ok());
    let (line, from, to) = (number("startLine")?, number("startColumn")?, number("endColumn")?);
    if number("endLine").is_some_and(|end| end != line) {
        return None;
    }
    let text = folders.iter().find_map(|folder| std::fs::read(folder.join(path)).ok())?;
    let line = text.split(|byte| *byte == b'\n').nth(line.checked_sub(1)?)?;
    let line = std::str::from_utf8(line).ok()?;
    let piece: String = line.chars().skip(from.checked_sub(1)?).take(to.checked_sub(from)?).collect();
    value(Some(&piece))
}

fn unescaped(uri: &str) -> String {
    let mut bytes = Vec::with_capacity(uri.len());
    let mut rest = uri.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = (*first == b'%').then(|| tail.get(..2)).flatten();
        match escaped.and_then(|hex| data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()) {
            Some(byte) => {
                bytes.extend(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
