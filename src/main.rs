//! Parses what was typed, runs it, and turns the outcome into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    offkey::cli::main()
}
