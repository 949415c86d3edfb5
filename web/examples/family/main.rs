//! Writes images into a directory, for the tests of the inspector: of a process tree, `family.img` and, taken later,
//! `family-later.img`; and of a process with 40,000 areas of memory, `many.img`.
//! `cargo run -p stasis-web --example family DIRECTORY`.

mod image;
mod many;

use image::{Scene, family};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("name the directory to write to")?);
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("family.img"), family(&Scene::default())?)?;
    std::fs::write(dir.join("family-later.img"), family(&Scene { lines: 8, has_editor: true })?)?;
    Ok(std::fs::write(dir.join("many.img"), many::many(40_000)?)?)
}
