//! Ctrl-C while a plan is carried out: the first ends the run at a point where every consumer works, the second at once. Either
//! way the person reads the next command.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};
use signal_hook::{flag, low_level};

use super::ui::Ui;
use crate::error::{Error, Result};

/// Listens until it is dropped.
pub(super) struct Interrupt {
    stop: Arc<AtomicBool>,
    listener: Handle,
}

impl Interrupt {
    /// # Errors
    /// When the system takes no handler.
    pub(super) fn listen(case: &Path, ui: Ui) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let listening = || -> std::io::Result<Signals> {
            for signal in [SIGINT, SIGTERM] {
                flag::register(signal, Arc::clone(&stop))?;
            }
            Signals::new([SIGINT, SIGTERM])
        };
        let mut signals =
            listening().map_err(|cause| Error::internal("Ctrl-C cannot be listened for").because(cause))?;
        let listener = signals.handle();
        let shown = case.display().to_string();
        std::thread::spawn(move || {
            let mut came = signals.forever();
            if came.next().is_some() {
                ui.note(
                    "Stopping: nothing new is begun; what was begun goes on until its consumers have a value that works. \
                     Once more stops at once.",
                );
            }
            if let Some(signal) = came.next() {
                ui.note(format!(
                    "Stopped at once. Next: offkey resume --case {shown} looks at what may have been done, and goes on."
                ));
                // This ends the process; if it cannot, the run goes on to its rest.
                let _ = low_level::emulate_default_handler(signal);
            }
        });
        Ok(Self { stop, listener })
    }

    /// Set as soon as the first signal comes.
    pub(super) fn stop(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    pub(super) fn came(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        self.listener.close();
    }
}
