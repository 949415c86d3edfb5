//! Finds the programs that the tests use and installs the missing ones from their package registries.
//!
//! A tool that is there in a usable version is left alone. One that cannot be had is one sentence that names it and
//! says what to type.

use anyhow::{Context, Result, bail};
use std::process::{Command, Stdio};

use crate::step::{cargo, run, step};

/// Programs the tests run, each with the Debian package that brings it.
const PROGRAMS: [(&str, &str); 6] = [
    ("cc", "gcc"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("sqlite3", "sqlite3"),
    ("python3", "python3"),
    ("node", "nodejs"),
];

/// What the browser tests run besides.
const BROWSER: [(&str, &str); 3] =
    [("chromium", "chromium"), ("chromedriver", "chromium-driver"), ("npm", "npm")];

/// The wasm tools, pinned: newer ones do not build from the registry alone.
const TRUNK: (&str, &str) = ("trunk", "0.21.14");
const WASM_BINDGEN: (&str, &str, &str) = ("wasm-bindgen", "wasm-bindgen-cli", "0.2.126");

/// Makes the programs of the native tests available.
pub fn ensure_programs() -> Result<()> {
    ensure_debian(&PROGRAMS)
}

/// Makes a browser and its driver available.
pub fn ensure_browser() -> Result<()> {
    ensure_debian(&BROWSER)
}

/// Adds the wasm target to the toolchain.
pub fn ensure_wasm_target() -> Result<()> {
    const TARGET: &str = "wasm32-unknown-unknown";
    let listed = output(Command::new("rustup").args(["target", "list", "--installed"]));
    if listed.is_some_and(|text| text.lines().any(|line| line.trim() == TARGET)) {
        return Ok(());
    }
    step("install the wasm target", || {
        run(Command::new("rustup").args(["target", "add", TARGET])).with_context(|| {
            format!("the target {TARGET} is missing; install it with `rustup target add {TARGET}`")
        })
    })
}

/// Installs the program that bundles the inspector.
pub fn ensure_trunk() -> Result<()> {
    let (program, version) = TRUNK;
    ensure_crate(program, program, version)
}

/// Installs wasm-bindgen and its test runner in the version that the crates are built with.
pub fn ensure_wasm_bindgen() -> Result<()> {
    let (program, package, version) = WASM_BINDGEN;
    ensure_crate(program, package, version)
}

/// What a build of the wasm tools leaves out. Trunk's own release profile, with its link-time optimisation, takes three
/// times as long to build and saves seconds in use.
const QUICK_BUILD: [(&str, &str); 3] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
];

/// Builds `package` at `version` from crates.io unless `program --version` already says so.
fn ensure_crate(program: &str, package: &str, version: &str) -> Result<()> {
    let said = output(Command::new(program).arg("--version"));
    if said.is_some_and(|text| text.split_whitespace().any(|word| word == version)) {
        return Ok(());
    }
    step(&format!("install {package} {version}"), || {
        run(cargo(["install", "--locked", package, "--version", version]).envs(QUICK_BUILD))
            .with_context(|| format!("{package} {version} cannot be installed from crates.io"))
    })
}

fn ensure_debian(wanted: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = wanted.iter().filter(|(program, _)| !on_path(program)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    step(&format!("install {}", packages.join(" ")), || {
        // The lists of a fresh machine may be empty; a failing update is not yet a reason to give up.
        let _ = root("apt-get", &["update", "-qq"]);
        let mut args = vec!["install", "-y", "-qq", "--no-install-recommends"];
        args.extend(&packages);
        root("apt-get", &args)
    })
    .with_context(|| {
        format!("missing: {0}; install them as root with `apt-get install {0}`", packages.join(" "))
    })?;
    for (program, package) in missing {
        if !on_path(program) {
            bail!("{program} is still missing after the package {package} was installed");
        }
    }
    Ok(())
}

/// Runs a command as root: directly if we are, else through `sudo` if that asks no password.
fn root(program: &str, args: &[&str]) -> Result<()> {
    let is_root = output(Command::new("id").arg("-u")).is_some_and(|text| text.trim() == "0");
    let mut command = if is_root {
        Command::new(program)
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", program]);
        sudo
    };
    run(command.args(args).env("DEBIAN_FRONTEND", "noninteractive").stdout(Stdio::null()))
}

/// Whether a program of this name can be found.
fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// What a command prints on stdout, if it can be run and succeeds.
fn output(command: &mut Command) -> Option<String> {
    let out = command.stderr(Stdio::null()).stdin(Stdio::null()).output().ok()?;
    out.status.success().then(|| String::from_utf8_lossy(&out.stdout).into_owned())
}
