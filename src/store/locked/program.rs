//! Runs a program: input by a pipe, output by a pipe, ended with its deadline.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use zeroize::Zeroizing;

use crate::remote::Failure;

/// A program and how long one run of it may take.
pub(super) struct Program {
    path: PathBuf,
    deadline: Duration,
}

impl Program {
    pub(super) fn new(path: PathBuf, deadline: Duration) -> Self {
        Self { path, deadline }
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn unusable(&self, why: String) -> Failure {
        Failure::Unreachable { place: self.place(), why }
    }

    /// What it prints when it ends well. It works on private copies, so a failure changes nothing that anybody reads. What it
    /// says about an error may quote what it was given: only its exit code is told.
    pub(super) async fn run(
        &self,
        arguments: &[&OsStr],
        input: &[u8],
        meaning: fn(i32) -> &'static str,
    ) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let mut child = Command::new(&self.path)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.unusable(format!("it cannot be started: {error}")))?;
        let mut pipe = child.stdin.take().expect("because it was asked for");
        let fed = async {
            // A program that does not want its input says so by its exit code.
            let _ = pipe.write_all(input).await;
            drop(pipe);
        };
        let ended = async {
            let ((), output) = tokio::join!(fed, child.wait_with_output());
            output
        };
        let output = tokio::time::timeout(self.deadline, ended).await;
        let output = output.map_err(|_| self.unusable(format!("it did not end within {:?}", self.deadline)))?;
        let output = output.map_err(|error| self.unusable(format!("it cannot be waited for: {error}")))?;
        let printed = Zeroizing::new(output.stdout);
        if output.status.success() {
            return Ok(printed);
        }
        let code = output.status.code().unwrap_or(-1);
        let message = meaning(code).to_owned();
        let place = self.place();
        Err(Failure::Answered { place, status: 0, code: format!("exit code {code}"), message, retry_after: None })
    }
}
