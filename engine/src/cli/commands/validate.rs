//! `stasis validate`.

use std::fs::File;
use std::io::{self, Write as _};

use anyhow::Context as _;
use stasis_format::findings::Severity;
use stasis_format::validate::{Options, Report, validate_at, validate_stream};

use crate::cli::args::Validate;
use crate::cli::failure::{COULD_NOT_LOOK, Explain as _, FAILED, Outcome};
use crate::cli::style::Style;
use crate::cli::text::{count, size};

/// Judges an image: 0 it is sound, 1 it is not, 2 it could not be looked at.
pub fn run(args: &Validate) -> Outcome {
    let report = judge(args)
        .with_context(|| format!("{} could not be read", args.image.display()))
        .code(COULD_NOT_LOOK)?;
    let mut out = io::stdout().lock();
    if args.json {
        writeln!(out, "{:#}", report.to_json())?;
    } else {
        tell(&mut out, &args.image.display().to_string(), &report)?;
    }
    Ok(if report.is_valid() { 0 } else { FAILED })
}

fn judge(args: &Validate) -> io::Result<Report> {
    let options = Options { kernel: args.kernel, contents: true };
    if args.image.as_os_str() == "-" {
        return validate_stream(io::stdin().lock(), options);
    }
    let file = File::open(&args.image)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if metadata.is_file() { validate_at(&file, options) } else { validate_stream(file, options) }
}

fn tell(out: &mut impl io::Write, name: &str, report: &Report) -> io::Result<()> {
    let style = Style::of_stdout();
    for finding in &report.findings {
        let colour = match finding.severity {
            Severity::Error => Style::BAD,
            Severity::Warning => Style::WARN,
            Severity::Note => Style::DIM,
        };
        let severity = style.paint(colour, finding.severity.name());
        let mut place = format!("at byte {:#x}", finding.offset);
        if let Some((kind, at)) = finding.record {
            place.push_str(&format!(", {kind} record at {at:#x}"));
        }
        if let Some(field) = finding.field {
            place.push_str(&format!(", field {field}"));
        }
        let place = style.paint(Style::DIM, &format!("({place}, rule {})", finding.rule));
        writeln!(out, "{severity}: {} {place}", finding.message)?;
    }
    if report.dropped > 0 {
        writeln!(out, "and {} more", count(report.dropped, "finding", "findings"))?;
    }
    let totals = &report.totals;
    if report.is_valid() {
        let revision = report.revision.map_or_else(String::new, |n| format!("revision {n}, "));
        writeln!(
            out,
            "{name}: {} ({revision}{}, {})",
            style.paint(Style::GOOD, "sound"),
            size(totals.length),
            count(totals.records, "record", "records"),
        )
    } else {
        let what = if report.revision.is_some() { "not sound" } else { "no image" };
        writeln!(
            out,
            "{name}: {} ({}; a restart would return {})",
            style.paint(Style::BAD, what),
            count(report.count(Severity::Error) as u64, "error", "errors"),
            report.verdict,
        )
    }
}
