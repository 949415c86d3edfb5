//! Counts tests over several `cargo test` runs while passing their output on as it comes.

use anyhow::{Context, Result};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use crate::step::show;

/// How many tests passed and failed so far, and which runs could not finish.
#[derive(Debug, Default)]
pub struct Tally {
    passed: u64,
    failed: u64,
    /// Command lines that ended badly: a failed test, or something that did not build.
    broken: Vec<String>,
}

impl Tally {
    /// Runs a test command to its end, echoes what it prints, and adds up its `test result:` lines.
    pub fn run(&mut self, command: &mut Command) -> Result<()> {
        let shown = show(command);
        let mut child =
            command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot run `{shown}`"))?;
        let pipe = child.stdout.take().context("the child has no stdout")?;
        let mut own = std::io::stdout().lock();
        for line in BufReader::new(pipe).split(b'\n') {
            let line = line?;
            own.write_all(&line)?;
            own.write_all(b"\n")?;
            if let Some((passed, failed)) = result_line(&String::from_utf8_lossy(&line)) {
                self.passed += passed;
                self.failed += failed;
            }
        }
        drop(own);
        if !child.wait()?.success() {
            self.broken.push(shown);
        }
        Ok(())
    }

    /// Counts one check that is no cargo test, such as a build that must succeed.
    pub fn check(&mut self, name: &str, result: Result<()>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(error) => {
                eprintln!("{name}: {error:#}");
                self.failed += 1;
                self.broken.push(name.to_owned());
            }
        }
    }

    /// Prints what broke and, alone on the last line, the sum that CI reads.
    pub fn close(self) -> Result<()> {
        for command in &self.broken {
            println!("failed: {command}");
        }
        // A run that broke without a failed test (it did not build) must not close with "0 failed".
        let failed = if self.broken.is_empty() { self.failed } else { self.failed.max(1) };
        println!("{} passed, {failed} failed", self.passed);
        anyhow::ensure!(failed == 0, "{failed} of the tests failed");
        anyhow::ensure!(self.passed > 0, "no test ran");
        Ok(())
    }
}

/// Reads `test result: ok. 12 passed; 0 failed; ...`, the closing line of one test binary.
fn result_line(line: &str) -> Option<(u64, u64)> {
    let counts = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
    let mut fields = counts.split(';').map(str::trim);
    let passed = fields.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = fields.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

#[cfg(test)]
mod tests {
    use super::result_line;

    #[test]
    fn a_result_line_gives_both_counts() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(result_line(line), Some((12, 3)));
    }

    #[test]
    fn other_lines_give_nothing() {
        for line in ["test a::b ... ok", "running 2 tests", "test result: ok", ""] {
            assert_eq!(result_line(line), None, "{line:?}");
        }
    }
}
