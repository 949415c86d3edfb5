//! How long a checkpoint and a restart take, against a plain copy of the same bytes made in the same run.
//!
//! One victim with 1 MiB, 64 MiB and 1 GiB of random data; images on tmpfs. The copy of a checkpoint is
//! process_vm_readv(2) into a reused buffer and write(2); that of a restart is read(2) and process_vm_writev(2) into
//! memory that was never touched. "Frozen" is the longest pause that the victim itself saw, which reads the clock in
//! a loop. Times are wall time of the whole command, from fork to exit, median of the rounds.
//!
//! `cargo xtask bench [ROUNDS]` builds all in release mode and runs this.

use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{IoSlice, IoSliceMut, Read, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use stasis_tests::engine::{checkpoint, restart_detached, stasis};
use stasis_tests::program::{Program, VICTIM};
use stasis_tests::{host, wait};

/// Sizes of the victim's data, in MiB.
const SIZES: [usize; 3] = [1, 64, 1024];
/// Rounds per figure unless the command line says otherwise.
const ROUNDS: usize = 5;
/// Bytes the plain copy moves at a time: what fits the second-level cache does best here.
const CHUNK: usize = 1 << 20;

fn main() {
    let rounds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(ROUNDS);
    println!("one process with random data, images on tmpfs, median of {rounds} rounds, times in ms");
    println!("| data | checkpoint | copy | ratio | frozen | restart | copy | ratio | engine's peak memory |");
    println!("|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for size in SIZES {
        let line = measure(size, rounds);
        println!("{line}");
    }
}

/// One line of the table.
fn measure(mib: usize, rounds: usize) -> String {
    let dir =
        tempfile::Builder::new().prefix("stasis-bench-").tempdir_in("/dev/shm").expect("a tmpfs at /dev/shm");
    let image = dir.path().join("image.stasis");
    fs::write(dir.path().join("size"), mib.to_string()).expect("the victim's size");
    let mut victim = Program::victim(VICTIM, "ballast", dir.path()).expect("the victim gets ready");
    let (mut saves, mut copies_out) = (Vec::new(), Vec::new());
    let copy = dir.path().join("copy");
    for _ in 0..rounds {
        // Both make a new file out of memory that was in use a moment ago: on a virtual machine untouched memory has to
        // come from the host first.
        for old in [&image, &copy] {
            if old.exists() {
                fs::remove_file(old).expect("the file of the round before");
            }
        }
        saves.push(timed(|| {
            checkpoint(victim.pid(), &image, &[]).succeeded();
        }));
        copies_out.push(timed(|| copy_out(victim.pid(), mib << 20, &copy)));
    }
    let memory = peak_memory(victim.pid(), &image);
    let (mut restarts, mut copies_in) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut restored = None;
        restarts.push(timed(|| restored = Some(restart_detached(&image, dir.path()))));
        // Dropping it ends it; the next round starts when its memory is free again.
        let pid = restored.as_ref().map(stasis_tests::program::Restored::pid);
        drop(restored);
        wait::until("the restored process to go", || !pid.is_some_and(host::is_running));
        let vessel = Program::victim(VICTIM, "vessel", dir.path()).expect("the vessel gets ready");
        copies_in.push(timed(|| copy_in(vessel.pid(), mib << 20, &dir.path().join("copy"))));
    }
    victim.go();
    victim.finish().must_be_intact();
    let frozen = fs::read_to_string(dir.path().join("out")).expect("the longest pause");
    let frozen: f64 = frozen.trim().parse().expect("microseconds");
    let (save, out) = (median(saves), median(copies_out));
    let (restart, back) = (median(restarts), median(copies_in));
    format!(
        "| {mib} MiB | {save:.1} | {out:.1} | {:.2} | {:.1} | {restart:.1} | {back:.1} | {:.2} | {memory} kB |",
        save / out,
        frozen / 1000.0,
        restart / back,
    )
}

/// Milliseconds that something takes.
fn timed(body: impl FnOnce()) -> f64 {
    let start = Instant::now();
    body();
    start.elapsed().as_secs_f64() * 1000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Where the data of a victim stands: the one mapping that is large enough.
fn data_of(pid: i32, size: usize) -> usize {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the memory map");
    maps.lines()
        .filter(|line| line.split_whitespace().nth(1) == Some("rw-p") && !line.contains('['))
        .filter_map(|line| {
            let (start, end) = line.split_whitespace().next()?.split_once('-')?;
            let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
            (end - start >= size).then_some(end - size)
        })
        .next()
        .expect("a mapping of the size asked for")
}

fn copy_out(pid: i32, size: usize, to: &Path) {
    let mut file = File::create(to).expect("a file on tmpfs");
    let mut buffer = vec![0; CHUNK];
    let base = data_of(pid, size);
    for at in (base..base + size).step_by(CHUNK) {
        let remote = [RemoteIoVec { base: at, len: CHUNK }];
        let got = process_vm_readv(Pid::from_raw(pid), &mut [IoSliceMut::new(&mut buffer)], &remote);
        assert_eq!(got, Ok(CHUNK), "process_vm_readv");
        file.write_all(&buffer).expect("tmpfs has room");
    }
}

fn copy_in(pid: i32, size: usize, from: &Path) {
    let mut file = File::open(from).expect("the copy");
    let mut buffer = vec![0; CHUNK];
    let base = data_of(pid, size);
    for at in (base..base + size).step_by(CHUNK) {
        file.read_exact(&mut buffer).expect("the copy is whole");
        let remote = [RemoteIoVec { base: at, len: CHUNK }];
        let put = process_vm_writev(Pid::from_raw(pid), &[IoSlice::new(&buffer)], &remote);
        assert_eq!(put, Ok(CHUNK), "process_vm_writev");
    }
}

/// The engine's own peak memory in kB during one more checkpoint: VmHWM of proc_pid_status(5), of the command and of
/// the worker it starts, added up.
fn peak_memory(pid: i32, image: &Path) -> u64 {
    let mut command = stasis(["checkpoint", &pid.to_string(), "-o"]);
    let mut engine = command.arg(image).stderr(Stdio::null()).spawn().expect("the engine can be run");
    let mut peaks = BTreeMap::new();
    while engine.try_wait().expect("the engine can be waited for").is_none() {
        let front = engine.id();
        let children = fs::read_to_string(format!("/proc/{front}/task/{front}/children")).unwrap_or_default();
        for process in children.split_whitespace().filter_map(|word| word.parse().ok()).chain([front]) {
            let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kb = line.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0);
            let peak = peaks.entry(process).or_insert(0);
            *peak = kb.max(*peak);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    peaks.values().sum()
}
