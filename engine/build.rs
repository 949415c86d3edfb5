//! With the feature `viewer`, makes a table of the inspector's files, so that the binary has them in it.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The same app as one file, for a double click: a server has no use for it.
const SINGLE_FILE: &str = "stasis-inspector.html";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var_os("CARGO_FEATURE_VIEWER").is_none() {
        return;
    }
    println!("cargo::rerun-if-env-changed=STASIS_DIST");
    if let Err(sentence) = write_table() {
        println!("cargo::error={sentence}");
    }
}

fn write_table() -> Result<(), String> {
    let dist = dist()?;
    println!("cargo::rerun-if-changed={}", dist.display());
    let missing =
        || format!("{} holds no inspector; run `trunk build --release --offline` first", dist.display());
    let mut files: Vec<PathBuf> = fs::read_dir(&dist)
        .map_err(|_| missing())?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_file() && path.file_name().is_some_and(|name| name != SINGLE_FILE))
        .collect();
    files.sort();
    if !files.iter().any(|path| path.ends_with("index.html")) {
        return Err(missing());
    }
    let mut table = String::from("&[\n");
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        table.push_str(&format!("    ({name:?}, include_bytes!({:?})),\n", path.to_string_lossy()));
    }
    table.push_str("]\n");
    let out = env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?;
    fs::write(Path::new(&out).join("inspector.rs"), table).map_err(|error| format!("no table: {error}"))
}

/// What `STASIS_DIST` names, or what Trunk filled beside this package; absolute, as `include_bytes` wants it.
fn dist() -> Result<PathBuf, String> {
    let named = env::var_os("STASIS_DIST").map(PathBuf::from);
    let beside = || Some(Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).parent()?.join("dist"));
    let dist = named.or_else(beside).ok_or("cargo sets no CARGO_MANIFEST_DIR")?;
    std::path::absolute(&dist).map_err(|error| format!("{} is no directory: {error}", dist.display()))
}
