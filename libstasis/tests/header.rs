//! `stasis.h` is made from src/c.rs, and the one that is checked in is current.
//!
//! `BLESS=1 cargo test -p stasis-lib --test header` writes it.

use std::path::Path;

const PREAMBLE: &str = "\
/*
 * libstasis: a program checkpoints and restarts itself. See stasis_checkpoint(3); link with `pkg-config --libs stasis`.
 *
 * Made from libstasis/src/c.rs by `BLESS=1 cargo test -p stasis-lib --test header`; do not edit.
 */";

fn header() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut config = cbindgen::Config {
        language: cbindgen::Language::C,
        header: Some(PREAMBLE.into()),
        include_guard: Some("STASIS_H".into()),
        no_includes: true,
        sys_includes: vec!["sys/types.h".into()],
        cpp_compat: true,
        documentation_style: cbindgen::DocumentationStyle::Doxy,
        line_length: 120,
        ..cbindgen::Config::default()
    };
    config.export.rename = [("NR_CHECKPOINT", "STASIS_NR_CHECKPOINT"), ("NR_RESTART", "STASIS_NR_RESTART")]
        .map(|(rust, c)| (rust.into(), c.into()))
        .into();
    let builder = cbindgen::Builder::new().with_config(config).with_src(root.join("src/c.rs"));
    let mut text = Vec::new();
    builder.generate().expect("the sources are understood").write(&mut text);
    String::from_utf8(text).expect("the header is text")
}

#[test]
fn the_header_that_is_checked_in_is_what_the_sources_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/stasis.h");
    let wanted = header();
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("the directory of the header");
        std::fs::write(&path, &wanted).expect("the header can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, wanted, "write it anew with BLESS=1");
}

#[test]
fn pkg_config_tells_the_version_of_the_library() {
    let file = include_str!("../stasis.pc");
    assert!(file.contains(concat!("\nVersion: ", env!("CARGO_PKG_VERSION"), "\n")), "{file}");
}
