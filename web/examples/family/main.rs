//! Writes two images of a process tree into a directory, `family.img` and, taken later, `family-later.img`, for the tests
//! of the inspector: `cargo run -p stasis-web --example family DIRECTORY`.

mod image;

use image::{Scene, family};
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = PathBuf::from(std::env::args_os().nth(1).ok_or("name the directory to write to")?);
    std::fs::create_dir_all(&dir)?;
    std::fs::write(dir.join("family.img"), family(&Scene::default())?)?;
    Ok(std::fs::write(dir.join("family-later.img"), family(&Scene { lines: 8, has_editor: true })?)?)
}
