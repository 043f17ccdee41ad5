//! Throw-away probe.
use offkey::detect::{Detector, Options};
use offkey::rule::RuleSet;
use offkey::source::git::{GitHistory, Repository};
use offkey::source::{Document, OpenOptions, Progress, Sink, Source, files::Files};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

struct Count(AtomicU64);
impl Sink for Count {
    fn document(&self, d: &Document<'_>) {
        self.0.fetch_add(d.bytes.len() as u64, Ordering::Relaxed);
    }
}
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.rsplit(')').next().unwrap().split_whitespace().collect();
    (f[11].parse::<f64>().unwrap() + f[12].parse::<f64>().unwrap()) / 100.0
}
fn main() {
    let mode = std::env::args().nth(1).unwrap();
    let path = std::path::PathBuf::from(std::env::args().nth(2).unwrap());
    let threads: usize = std::env::args().nth(3).map_or(2, |t| t.parse().unwrap());
    rayon::ThreadPoolBuilder::new().num_threads(threads).build_global().unwrap();
    let start = Instant::now();
    match mode.as_str() {
        "decode" => {
            let c = Count(AtomicU64::new(0));
            let cov = GitHistory::new(&path).read(&c, &Progress::default()).unwrap();
            println!("docs {} bytes {} counts {:?}", cov.documents, cov.bytes, cov.counts);
        }
        "files" => {
            let c = Count(AtomicU64::new(0));
            let cov = Files::new(&path, &OpenOptions::default()).read(&c, &Progress::default()).unwrap();
            println!("docs {} bytes {} counts {:?}", cov.documents, cov.bytes, cov.counts);
        }
        "scan" | "naive" | "scanfiles" => {
            let d = Detector::new(RuleSet::builtin(), Vec::new(), Options::default()).unwrap();
            println!("ready {:?}", start.elapsed());
            let s: Vec<Box<dyn Source>> = if mode == "scanfiles" {
                vec![Box::new(Files::new(&path, &OpenOptions::default()))]
            } else {
                vec![Box::new(GitHistory::new(&path).naive(mode == "naive"))]
            };
            let (hits, cov) = offkey::detect::run(&d, &s, &Progress::default(), None).unwrap();
            println!("hits {} docs {} bytes {}", hits.len(), cov[0].documents, cov[0].bytes);
            if let Some(out) = std::env::args().nth(4) {
                let mut lines: Vec<String> = hits
                    .iter()
                    .map(|h| {
                        format!(
                            "{} {:?} {:?} {} {:.2}",
                            h.provenance, h.lines, h.columns, h.found.rule, h.found.confidence
                        )
                    })
                    .collect();
                lines.sort();
                std::fs::write(out, lines.join("\n")).unwrap();
            }
        }
        "blame" => {
            let r = Repository::open(&path).unwrap();
            println!("opened {:?} cpu {:.2}", start.elapsed(), cpu());
            let oids: Vec<String> = std::env::args().skip(4).collect();
            let f = r.introductions(&oids);
            println!("{} found, {} intros", f.len(), f.values().map(|v| v.len()).sum::<usize>());
        }
        _ => {}
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let hwm = status.lines().find(|l| l.starts_with("VmHWM")).unwrap().to_owned();
    println!("wall {:.2?} cpu {:.2} {}", start.elapsed(), cpu(), hwm.split_whitespace().collect::<Vec<_>>().join(" "));
}
