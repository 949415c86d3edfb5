//! `stasis inspect`.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};

use anyhow::Context as _;

use crate::cli::Inspect;
use crate::failure::Outcome;

/// Shows what is in an image.
pub fn run(args: &Inspect) -> Outcome {
    let name = args.image.display();
    let file = File::open(&args.image).with_context(|| format!("{name} could not be opened"))?;
    let mut out = BufWriter::new(io::stdout().lock());
    stasis_format::json::write(&file, &mut out)?;
    out.flush()?;
    Ok(0)
}
