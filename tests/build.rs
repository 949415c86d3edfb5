//! Compiles the victims, once against the shared C library and once statically.

use std::path::PathBuf;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=victims");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let mut sources: Vec<PathBuf> = std::fs::read_dir("victims")
        .expect("the directory of the victims")
        .map(|entry| entry.expect("an entry of victims").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    sources.sort();
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    for (name, link) in [("victim", "-pie"), ("victim-static", "-static")] {
        let program = out.join(name);
        let status = Command::new(&compiler)
            .args(["-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", link, "-o"])
            .arg(&program)
            .args(&sources)
            .status()
            .unwrap_or_else(|error| {
                panic!("the victims need a C compiler, and {compiler} cannot be run: {error}")
            });
        assert!(status.success(), "{compiler} could not build {name}");
        let variable = name.to_uppercase().replace('-', "_");
        println!("cargo:rustc-env={variable}={}", program.display());
    }
}
