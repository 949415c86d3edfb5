//! `cargo xtask demo`: one real program's journey through an image, as a person would type it.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::step::{build_engine, step};
use crate::tools;

/// A program with a child, a thread, a dictionary and an open log. The child counts, the parent numbers its lines: a gap or a
/// repeat of either would show.
const PROGRAM: &str = "\
import os, threading, time
os.closerange(3, 1024)
theirs, ours = os.pipe()
if os.fork() == 0:
    n = 0
    while True:
        n += 1
        try:
            os.write(ours, b'%d\\n' % n)
        except BrokenPipeError:
            os._exit(0)
        time.sleep(0.1)
os.close(ours)
child = os.fdopen(theirs)
seen = {}
def fill():
    n = 0
    while True:
        seen[n] = n * n
        n += 1
        time.sleep(0.001)
threading.Thread(target=fill, daemon=True).start()
for line in range(1, 1000):
    count = int(child.readline())
    print(f'line {line}  pid {os.getpid()}  {threading.active_count()} threads  '
          f'{len(seen)} squares  the child counts {count}', flush=True)
";

/// How long the demo waits for the program to write a line before it calls it lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the demo in a directory of its own, which is removed at the end.
pub fn run() -> Result<()> {
    tools::ensure_programs()?;
    let stasis = build_engine()?.canonicalize()?;
    let dir = std::env::temp_dir().join(format!("stasis-demo-{}", std::process::id()));
    fs::create_dir(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
    let done = journey(&stasis, &dir);
    fs::remove_dir_all(&dir).with_context(|| format!("cannot remove {}", dir.display()))?;
    done
}

fn journey(stasis: &Path, dir: &Path) -> Result<()> {
    let log = dir.join("log");
    let mut program = step(
        "start a program: python3 with a thread, a child that counts, and a file of numbered lines",
        || {
            let python = Command::new("python3")
                .args(["-c", PROGRAM])
                .current_dir(dir)
                .stdin(Stdio::null())
                .stdout(fs::File::create(&log)?)
                .spawn()
                .context("cannot start python3")?;
            Ok(Running(Some(python)))
        },
    )?;
    wait_for_lines(&log, 5)?;
    let pid = program.0.as_ref().map(Child::id).context("the program is gone")?.to_string();
    say(dir, stasis, &["checkpoint", &pid, "-o", "counter.stasis", "--kill"])?;
    program.reap()?;
    let before = lines(&log)?.len();
    println!("    the program is gone; its log has {before} lines, the last is: {}", last(&log)?);
    show(dir, stasis)?;
    say(dir, stasis, &["restart", "counter.stasis", "--detach", "--pid-file", "pid"])?;
    let restored = Restored(fs::read_to_string(dir.join("pid"))?.trim().to_owned());
    wait_for_lines(&log, before + 5)?;
    println!("    it goes on where it was:");
    for line in &lines(&log)?[before.saturating_sub(2)..before + 5] {
        println!("      {line}");
    }
    drop(restored);
    for (index, line) in lines(&log)?.iter().enumerate() {
        let number = index + 1;
        let is_next = line.starts_with(&format!("line {number}  pid {pid}  2 threads"))
            && line.ends_with(&format!("the child counts {number}"));
        if !is_next {
            bail!("line {number} of the log is out of order: {line}");
        }
    }
    println!("    every line is there once, written by pid {pid} throughout, and the child counted on");
    Ok(())
}

/// Runs one `stasis` command as a step and shows it the way a shell would.
fn say(dir: &Path, stasis: &Path, args: &[&str]) -> Result<()> {
    step(&format!("stasis {}", args.join(" ")), || {
        crate::step::run(Command::new(stasis).args(args).current_dir(dir).stdin(Stdio::null()))
    })
}

/// Lines of the memory map that the demo shows of a hundred.
const AREAS: usize = 6;

/// `stasis inspect`, with most of the memory map left out.
fn show(dir: &Path, stasis: &Path) -> Result<()> {
    step("stasis inspect counter.stasis", || {
        let output = Command::new(stasis).args(["inspect", "counter.stasis"]).current_dir(dir).output()?;
        anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut areas = 0;
        for line in text.lines() {
            let is_area = line
                .split_whitespace()
                .next()
                .is_some_and(|word| word.len() >= 9 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
            if !is_area && areas > AREAS {
                println!("    ... {} more areas", areas - AREAS);
                areas = 0;
            }
            areas += usize::from(is_area);
            if !is_area || areas <= AREAS {
                println!("{line}");
            }
        }
        Ok(())
    })
}

fn wait_for_lines(log: &Path, count: usize) -> Result<()> {
    let start = Instant::now();
    while lines(log)?.len() < count {
        if start.elapsed() > PATIENCE {
            bail!("the program wrote only {} of {count} lines in {PATIENCE:?}", lines(log)?.len());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// The complete lines of the log; one that is being written does not count.
fn lines(log: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(log)?;
    Ok(text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect())
}

fn last(log: &Path) -> Result<String> {
    lines(log)?.pop().context("the log is empty")
}

/// The program as our child: killed if the demo ends early.
struct Running(Option<Child>);

impl Running {
    /// Collects the child, which frees its PID for the restart.
    fn reap(&mut self) -> Result<()> {
        if let Some(mut child) = self.0.take() {
            child.wait()?;
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The restored program, no child of ours: ended by its PID.
struct Restored(String);

impl Drop for Restored {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-KILL", &self.0]).status();
    }
}
