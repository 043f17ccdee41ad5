//! What a scan cost, as a table.

use std::fmt::Write;
use std::time::Instant;

use crate::detect::Detector;
use crate::source::Coverage;

/// Rules that are listed, the dearest ones.
const RULES: usize = 12;

/// Bytes read, inflated, scanned and spared, then the dearest rules.
pub(super) fn table(coverage: &[Coverage], detector: &Detector, started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64().max(1e-9);
    let sum = |of: fn(&Coverage) -> u64| coverage.iter().map(of).sum::<u64>();
    let (read, text) = (sum(|c| c.raw_bytes), sum(|c| c.bytes));
    let (scanned, spared) = detector.work();
    let mut out = String::new();
    let mut line = |what: &str, bytes: u64, note: String| {
        let _infallible = writeln!(out, "{what:<28} {:>12.1} MB  {note}", bytes as f64 / 1e6);
    };
    line("read from disk", read, format!("{:.0} MB/s", read as f64 / 1e6 / seconds));
    line(
        "text in documents",
        text,
        format!("{} documents, {:.0} MB/s", sum(|c| c.documents), text as f64 / 1e6 / seconds),
    );
    line("searched for keywords", scanned, String::new());
    line("known from a delta's base", spared, "not searched again".to_owned());
    let _infallible = write!(out, "{:<28} {seconds:>12.2} s", "time");
    let costs = detector.costs();
    if !costs.is_empty() {
        let _infallible = write!(out, "\n{:<40} {:>12} {:>12} {:>12}", "rule", "keywords", "searches", "bytes");
    }
    for cost in costs.iter().take(RULES) {
        let _infallible =
            write!(out, "\n{:<40} {:>12} {:>12} {:>12}", cost.rule, cost.windows, cost.searches, cost.bytes);
    }
    out
}
