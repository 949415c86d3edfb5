//! libstasis as a user has it: programs in C that are compiled against its header and linked with it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::engine::{run, stasis_path};

/// How a program is linked with the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// To the archive, the rest shared.
    Archive,
    /// To the shared library.
    Shared,
    /// To the archive, the C library too.
    Static,
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// Where cargo puts the library, built once.
pub fn directory() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["build", "--quiet", "--package", "stasis-lib", "--examples", "--lib"])
            .current_dir(root());
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        assert!(command.status().expect("cargo can be run").success(), "the library does not build");
        // Test programs stand in target/PROFILE/deps.
        let own = std::env::current_exe().expect("the path of the test program");
        let directory = own.ancestors().nth(2).expect("target/PROFILE").to_owned();
        // As it is installed: programs look for it by this name.
        let name = directory.join("libstasis.so.0");
        if let Err(error) = std::os::unix::fs::symlink("libstasis.so", &name) {
            assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists, "{}: {error}", name.display());
        }
        directory
    })
}

/// Compiles a program in C, named from the root of the repository, into `out`.
#[track_caller]
pub fn compile(source: &str, out: &Path, linked: Linked, extra: &[&str]) {
    let library = directory();
    let mut command = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
    command.args(["-std=gnu17", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"]).arg(out);
    command.args(extra).arg(root().join(source)).arg("-I").arg(root().join("libstasis/include"));
    command.arg("-L").arg(library);
    match linked {
        Linked::Archive => command.arg("-l:libstasis.a"),
        Linked::Static => command.args(["-static", "-l:libstasis.a"]),
        Linked::Shared => command.arg("-lstasis").arg(format!("-Wl,-rpath,{}", library.display())),
    };
    run(&mut command).succeeded();
}

/// A command for a program that uses the library: it finds the `stasis` under test, and inherits no descriptor that
/// whoever runs the tests left open.
pub fn program(path: &Path) -> Command {
    let mut command = crate::program::foreign(path);
    command.env("STASIS_PATH", stasis_path()).env("STASIS_VERBOSE", "1");
    command
}
