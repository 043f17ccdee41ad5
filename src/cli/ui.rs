//! Standard error: progress, notes, errors. Standard output is for results only.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::error::Error;
use crate::report::shown;
use crate::source::Progress;

/// Work that ends within it needs no bar.
const MOMENT: Duration = Duration::from_millis(400);

/// What the person at the terminal wants to see on standard error.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ui {
    quiet: bool,
}

impl Ui {
    /// Starts the log at the asked level and remembers how much to say.
    pub(super) fn new(verbose: u8, quiet: bool) -> Self {
        let level = match verbose {
            0 => tracing::Level::WARN,
            1 => tracing::Level::INFO,
            _ => tracing::Level::DEBUG,
        };
        // Only our own events: the HTTP libraries log headers, and headers carry credentials.
        let filter = tracing_subscriber::filter::EnvFilter::new(format!("off,offkey={level}"));
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false);
        // A second initialisation (tests in one process) keeps the first: nothing to report.
        let _ = log.try_init();
        Self { quiet }
    }

    /// One line for people.
    #[expect(clippy::print_stderr, reason = "this is the room that prints")]
    pub(super) fn note(self, text: impl AsRef<str>) {
        if !self.quiet {
            eprintln!("{}", tame(text.as_ref()));
        }
    }

    /// A warning: printed even when quiet.
    #[expect(clippy::print_stderr, reason = "this is the room that prints")]
    pub(super) fn warn(self, text: impl AsRef<str>) {
        eprintln!("warning: {}", tame(text.as_ref()));
    }

    /// What happened, what is still true, what to do next.
    #[expect(clippy::print_stderr, reason = "this is the room that prints")]
    pub(super) fn error(error: &Error) {
        eprintln!("error: {}", tame(&error.to_string()));
        if let Some(still) = error.still_true() {
            eprintln!("  still true: {}", tame(still));
        }
        if let Some(next) = error.next_step() {
            eprintln!("  next: {}", tame(next));
        }
    }

    /// Shows a bar for `progress` until the guard is dropped; on a terminal only.
    pub(super) fn bar(self, what: &str, progress: Arc<Progress>) -> Bar {
        if self.quiet || !std::io::stderr().is_terminal() {
            return Bar { stop: Arc::new(AtomicBool::new(true)), thread: None };
        }
        let (what, stop) = (what.to_owned(), Arc::new(AtomicBool::new(false)));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || draw(&what, &progress, &stopped));
        Bar { stop, thread: Some(thread) }
    }
}

/// Draws until it is stopped, which also wakes it up. What is done in a moment shows no bar.
fn draw(what: &str, progress: &Progress, stopped: &AtomicBool) {
    let began = Instant::now();
    let mut drawn: Option<ProgressBar> = None;
    while !stopped.load(Ordering::Relaxed) {
        if began.elapsed() >= MOMENT {
            let bar = drawn.get_or_insert_with(|| bar(what, began));
            let (done, total) = progress.state();
            bar.set_length(total.max(done));
            bar.set_position(done);
        }
        std::thread::park_timeout(Duration::from_millis(100));
    }
    if let Some(bar) = drawn {
        bar.finish_and_clear();
    }
}

fn bar(what: &str, began: Instant) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_elapsed(began.elapsed());
    let style = "{msg} {bar:30} {bytes} of {total_bytes} at {bytes_per_sec}, {eta} left";
    bar.set_style(ProgressStyle::with_template(style).expect("because the template is a constant that parses"));
    bar.set_message(what.to_owned());
    bar
}

/// Names of files and answers of servers stand in messages: they must not steer the terminal.
fn tame(text: &str) -> String {
    text.split('\n').map(shown).collect::<Vec<_>>().join("\n")
}

/// A progress bar on the screen; dropping it takes it away.
pub(super) struct Bar {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // The drawing thread owns nothing but the bar: a panic there is not worth a second one here.
            let _ = thread.join();
        }
    }
}
