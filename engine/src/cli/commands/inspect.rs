//! `stasis inspect`.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context as _, anyhow};
use stasis_format::fields::{Part, fields};
use stasis_format::head::{HEAD_LEN, Head};
use stasis_format::header::{Kind, RECORD_HEADER_LEN};
use stasis_format::json;
use stasis_format::source::ReadAt as _;
use stasis_format::walk::Walk;

use crate::cli::args::Inspect;
use crate::cli::failure::{Explain as _, FAILED, Outcome};
use crate::cli::inspect::{load, load_stream, show};
use crate::cli::style::Style;
use crate::cli::table::{Lean, Table};

/// Shows what is in an image.
pub fn run(args: &Inspect) -> Outcome {
    let name = args.image.display().to_string();
    let mut out = BufWriter::new(io::stdout().lock());
    let style = Style::of_stdout();
    let hint = format!("`stasis validate {name}` says what is wrong with it");
    let could_not = || format!("{name} could not be opened");
    if args.image.as_os_str() == "-" {
        if args.json {
            return Err(anyhow!("--json wants a file that it can seek in")).hint("name a file instead of -");
        }
        let image =
            load_stream(io::stdin().lock()).context("the image in stdin cannot be read").hint(hint)?;
        show(&mut out, style, "stdin", &image)?;
        return Ok(out.flush().map(|()| 0)?);
    }
    let file = File::open(&args.image).with_context(could_not)?;
    let is_file = file.metadata().with_context(could_not)?.is_file();
    if args.json {
        json::write(&file, &mut out)?;
        return Ok(out.flush().map(|()| 0)?);
    }
    if revision(&file) == Some(1) {
        list(&mut out, style, &name, &file)?;
        return Ok(out.flush().map(|()| 0)?);
    }
    let loaded = if is_file { load(&file) } else { load_stream(&file) };
    match loaded {
        Ok(image) => show(&mut out, style, &name, &image)?,
        Err(error) => {
            // What can be followed of it is shown all the same.
            list(&mut out, style, &name, &file)?;
            out.flush()?;
            return Err(error.context(format!("{name} cannot be used"))).hint(hint).code(FAILED);
        }
    }
    out.flush()?;
    Ok(0)
}

/// The revision that HEAD names, if there is a HEAD.
fn revision(file: &File) -> Option<u16> {
    let mut payload = [0; HEAD_LEN];
    file.read_at(RECORD_HEADER_LEN as u64, &mut payload).ok()?;
    let head = Head::from_payload(&payload)?;
    (head.magic == stasis_format::head::HEAD_MAGIC).then_some(head.rev)
}

/// The records one by one as far as they can be followed: of revision 1 with all their fields, else a line each.
fn list(out: &mut impl Write, style: Style, name: &str, file: &File) -> io::Result<()> {
    writeln!(out, "{}", style.paint(Style::HEAD, name))?;
    let mut walk = Walk::new(file)?;
    while let Ok(Some(record)) = walk.next_record() {
        let (kind, rev) = (Kind(record.header.kind), walk.rev());
        let all = fields(&record.bytes, record.offset, rev);
        if rev != 1 {
            writeln!(
                out,
                "  {:>8x}  {}",
                record.offset,
                json::line(&record.bytes, record.offset, rev, kind, &all)
            )?;
            continue;
        }
        writeln!(out, "\n  {}", style.paint(Style::HEAD, &kind.to_string()))?;
        let mut table = Table::new(&[("", Lean::Left), ("", Lean::Left)]);
        for field in all.into_iter().filter(|field| !matches!(field.part, Part::Header | Part::Padding)) {
            table.row([field.name, field.text]);
        }
        table.write(out, style, 4)?;
    }
    Ok(())
}
