//! `offkey explain`: every place of a file that was looked at, kept or not, with the numbers behind the decision.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::args::{ExplainArgs, ScanFormat};
use super::exit::Exit;
use super::ui::Ui;
use crate::detect::{Detector, Explained, Options};
use crate::error::{Error, Result};
use crate::rule::RuleSet;

/// Runs the command.
pub(super) fn run(args: &ExplainArgs, ui: Ui) -> Result<Exit> {
    let detector = Detector::new(RuleSet::builtin(), Vec::new(), Options::default())?;
    if args.reveal {
        ui.warn("--reveal prints secrets in clear; do not keep this output");
    }
    let mut files = Vec::new();
    for path in &args.paths {
        list(path, &mut files)?;
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for file in files {
        let bytes = std::fs::read(&file).map_err(|cause| Error::unreadable(file.display(), cause))?;
        let path = file.display().to_string();
        let places = detector.explain(&bytes, Some(&path));
        let written = places.iter().try_for_each(|place| one(&mut out, args, &path, &bytes, place));
        super::ended_early(written)?;
    }
    super::ended_early(out.flush())?;
    Ok(Exit::Clean)
}

fn list(path: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    let unreadable = |cause| Error::unreadable(format!("the folder {}", path.display()), cause);
    let mut inside = Vec::new();
    for entry in std::fs::read_dir(path).map_err(unreadable)? {
        inside.push(entry.map_err(unreadable)?.path());
    }
    inside.sort();
    inside.iter().filter(|path| !path.is_symlink()).try_for_each(|path| list(path, into))
}

fn one(out: &mut impl Write, args: &ExplainArgs, path: &str, bytes: &[u8], place: &Explained) -> std::io::Result<()> {
    let (first, start) = locate(bytes, place.found.span.start);
    let (last, end) = locate(bytes, place.found.span.end);
    let secret = String::from_utf8_lossy(place.found.secret.expose()).into_owned();
    let shown = if args.reveal { secret } else { format!("({} characters)", secret.chars().count()) };
    let confidence = place.found.confidence;
    if args.format == ScanFormat::Text {
        let verdict = match place.dropped {
            Some(why) => format!("dropped: {why}"),
            None if confidence >= 0.5 => format!("kept, {confidence:.2}"),
            None => format!("below the threshold, {confidence:.2}"),
        };
        writeln!(out, "{path}:{first}:{start} {} {shown}: {verdict}", place.found.rule)?;
        if !place.found.notes.is_empty() {
            writeln!(out, "    notes: {}", place.found.notes.join(", "))?;
        }
        let telling: Vec<String> =
            place.features.iter().filter(|(_, v)| *v != 0.0).map(|(name, v)| format!("{name} {v:.2}")).collect();
        if args.features && !telling.is_empty() {
            writeln!(out, "    {}", telling.join(", "))?;
        }
        return Ok(());
    }
    let (names, values): (Vec<&str>, Vec<f32>) = place.features.iter().copied().unzip();
    let mut row = serde_json::json!({
        "path": path, "line_start": first, "line_end": last, "col_start": start, "col_end": end,
        "rule": &*place.found.rule, "secret": shown, "confidence": confidence, "dropped": place.dropped,
        "notes": place.found.notes, "features": if args.features { values } else { Vec::new() },
    });
    if args.features {
        row["names"] = serde_json::json!(names);
    }
    writeln!(out, "{row}")
}

/// Line from 1 and column in characters from 0.
fn locate(bytes: &[u8], at: usize) -> (usize, usize) {
    let before = &bytes[..at];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    (line, String::from_utf8_lossy(&before[start..]).chars().count())
}
