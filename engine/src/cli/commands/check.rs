//! `stasis check`.

use std::io::{self, Write as _};

use anyhow::Context as _;
use stasis_engine::host::{Finding, Grade, examine};

use crate::cli::failure::{FAILED, Outcome};
use crate::cli::style::Style;

/// Says what this host can and cannot do; 0 if checkpoints and restarts work.
pub fn run() -> Outcome {
    let found = examine().context("no process could be made to try things on")?;
    let style = Style::of_stdout();
    let mut out = io::stdout().lock();
    let width = found.iter().map(|finding| finding.what.len()).max().unwrap_or_default();
    for Finding { what, grade, why, .. } in &found {
        let (colour, word) = match grade {
            Grade::Ok => (Style::GOOD, "ok     "),
            Grade::Limited => (Style::WARN, "limited"),
            Grade::No => (Style::BAD, "no     "),
        };
        writeln!(out, "{what:width$}  {}  {why}", style.paint(colour, word))?;
    }
    let missing: Vec<&str> =
        found.iter().filter(|f| f.is_needed && f.grade == Grade::No).map(|f| f.what).collect();
    if missing.is_empty() {
        writeln!(out, "\nCheckpoints and restarts work here.")?;
        return Ok(0);
    }
    writeln!(out, "\nCheckpoints and restarts do not work here: {}.", missing.join(", "))?;
    Ok(FAILED)
}
