//! The commands of this repository: what CI calls is what a developer calls.
//!
//! Each task is one module; this file only picks one. All tasks run from the root of the repository, print every
//! step with the time it took, and install what they miss from the package registries (Debian, crates.io, npm).

mod bench;
mod demo;
mod lint;
mod serve;
mod soak;
mod step;
mod tally;
mod test;
mod tools;
mod web;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask TASK

  demo    build the engine, checkpoint a running program, kill it, restart it, show it going on
  test    install what is missing and run every test
  lint    circles of modules, rustfmt, clippy and the wasm build, warnings are errors (`lint modules`: only the first)
  bench   checkpoint and restart against a plain copy of the same bytes
  soak    what lasts too long for `test`: checkpoint and restart the same programs again and again
  serve   build the browser inspector and serve it on 127.0.0.1:8080";

fn main() -> ExitCode {
    let task = std::env::args().nth(1).unwrap_or_default();
    let rest: Vec<String> = std::env::args().skip(2).collect();
    let done = step::enter_root().and_then(|()| match task.as_str() {
        "demo" => demo::run(),
        "test" => test::run(&rest),
        "lint" => lint::run(&rest),
        "bench" => bench::run(&rest),
        "soak" => soak::run(&rest),
        "serve" => serve::run(),
        "" | "help" | "-h" | "--help" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("there is no task {other:?}\n\n{USAGE}")),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
