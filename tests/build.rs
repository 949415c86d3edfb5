//! Compiles the victims, once against the shared C library and once statically, and the one that uses none.

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
    let checks = ["-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror"];
    let bare = [PathBuf::from("victims/bare/bare.c")];
    let caller = [PathBuf::from("victims/caller/caller.c")];
    for (name, flags, sources) in [
        ("victim", &["-pthread", "-pie"][..], &sources[..]),
        ("victim-static", &["-pthread", "-static"], &sources),
        ("caller", &["-pthread", "-pie"], &caller),
        ("caller-static", &["-pthread", "-static"], &caller),
        ("victim-bare", &["-static", "-nostdlib", "-ffreestanding"], &bare),
        ("victim-bare-family", &["-static", "-nostdlib", "-ffreestanding", "-DFAMILY"], &bare),
    ] {
        let program = out.join(name);
        compile(Command::new(compiler()).args(checks).args(flags).arg("-o").arg(&program).args(sources));
        let variable = name.to_uppercase().replace('-', "_");
        println!("cargo:rustc-env={variable}={}", program.display());
    }
}

fn compiler() -> String {
    std::env::var("CC").unwrap_or_else(|_| "cc".to_owned())
}

fn compile(command: &mut Command) {
    let status = command.status().unwrap_or_else(|error| {
        panic!("the victims need a C compiler, and {} cannot be run: {error}", compiler())
    });
    assert!(status.success(), "a victim could not be built: {command:?}");
}
