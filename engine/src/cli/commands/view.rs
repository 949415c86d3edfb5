//! `stasis view`.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, anyhow};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use stasis_engine::viewer::{EMBEDDED, Image, Server};

use crate::cli::args::View;
use crate::cli::failure::{Explain as _, Outcome};

/// Serves the inspector with an image until it is told to end.
pub fn run(args: &View) -> Outcome {
    let name = args.image.display();
    let Some(assets) = EMBEDDED else {
        return Err(anyhow!(
            "this build has no inspector in it; take a release, or build one in the sources of stasis with \
             `trunk build --release --offline` and then `cargo install --path engine --features viewer`"
        )
        .into());
    };
    if args.image.as_os_str() == "-" {
        return Err(anyhow!("the inspector reads a file at many places")).hint("name a file instead of -");
    }
    let image = Image::open(&args.image).with_context(|| format!("{name} cannot be shown"))?;
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("no handler for signals")?;
    let server = Server::bind(args.port, assets, image)
        .with_context(|| format!("port {} of 127.0.0.1 cannot be had", args.port))
        .hint("without --port any free one is taken")?;
    let address = server.address();
    server.start().context("no thread for the server")?;
    let mut out = io::stdout().lock();
    writeln!(out, "{address}").and_then(|()| out.flush())?;
    drop(out);
    if nix::unistd::geteuid().is_root() {
        eprintln!("warning: whoever has this address can read the memory in {name} while this runs as root");
    }
    if !args.no_open {
        open(&address);
    }
    eprintln!("Ctrl-C ends it.");
    signals.forever().next();
    Ok(0)
}

/// Shows the address in the user's browser, or says why not: it has been printed, so this is no failure.
fn open(address: &str) {
    let has_display = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|display| !display.is_empty()));
    if !has_display {
        eprintln!("warning: no browser is opened: there is no display; open the address in one");
        return;
    }
    // In a group of its own: Ctrl-C is meant for us, not for the browser.
    let child = Command::new("xdg-open")
        .arg(address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    let complain = |why: String| {
        eprintln!("warning: no browser is opened: xdg-open {why}; open the address in one");
    };
    match child {
        Err(error) => complain(format!("cannot be run: {error}")),
        // It may be the browser itself and last as long.
        Ok(mut child) => drop(thread::spawn(move || match child.wait() {
            Ok(status) if !status.success() => complain(format!("ended with {status}")),
            _ => {}
        })),
    }
}
