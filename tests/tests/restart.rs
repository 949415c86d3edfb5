//! What `stasis restart` promises around the process: foreground and background, files that changed, descriptors
//! given by hand, stopped processes.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use stasis_tests::engine::{end_of, restart, restart_detached, stasis};
use stasis_tests::program::{Program, Restored, VICTIM, send};
use stasis_tests::{host, journey, wait};
use tempfile::TempDir;

/// The image of a victim that was killed, in a directory of its own.
fn image_of(kind: &str) -> (TempDir, PathBuf) {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, kind, dir.path()).expect("the victim gets ready");
    victim.checkpoint_and_kill(&image, &[]);
    (dir, image)
}

/// `stasis restart` in the foreground, once the process it brings back has a pid.
fn in_the_foreground(dir: &Path, image: &Path) -> (std::process::Child, i32) {
    let pid_file = dir.join("pid-foreground");
    let child = stasis(["restart", "--pid-file"]).arg(&pid_file).arg(image).current_dir(dir).spawn();
    let pid = wait::for_some("the pid file", || fs::read_to_string(&pid_file).ok()?.trim().parse().ok());
    (child.expect("the engine can be run"), pid)
}

#[test]
fn in_the_foreground_the_exit_status_is_the_programs() {
    let (dir, image) = image_of("idle");
    let (mut engine, pid) = in_the_foreground(dir.path(), &image);
    send(pid, Signal::SIGUSR1);
    assert_eq!(end_of(&mut engine, "restart").code(), Some(0));
}

#[test]
fn in_the_foreground_signals_are_forwarded_and_a_death_by_signal_is_128_and_its_number() {
    let (dir, image) = image_of("idle");
    let (mut engine, pid) = in_the_foreground(dir.path(), &image);
    send(i32::try_from(engine.id()).expect("a pid fits"), Signal::SIGTERM);
    assert_eq!(end_of(&mut engine, "restart").code(), Some(128 + 15));
    assert!(!host::is_running(pid), "the program outlived the signal");
}

/// All threads of a program end as soon as it runs again, the first one among the first: whatever happens between our
/// letting go of one and of the next, the restart ends as the program does.
#[test]
fn a_program_that_ends_at_once_ends_the_restart_with_its_status() {
    const ROUNDS: usize = 40;
    let (dir, image) = image_of("leaving");
    fs::write(dir.path().join("leave"), "").expect("the file that they wait for");
    for round in 0..ROUNDS {
        let restarted = restart(&image, dir.path(), &[]);
        assert_eq!(restarted.status.code(), Some(7), "round {round}: {}", restarted.stderr);
    }
}

#[test]
fn a_failed_restart_of_several_threads_ends_and_leaves_nobody() {
    let (stasis, victim) = journey::for_everybody();
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let victim = victim.to_str().expect("a path of text");
    let Ok(mut victim) = Program::victim(victim, "niced", dir.path()) else {
        // Only root can set it up.
        return;
    };
    victim.checkpoint_and_kill(&image, &[]);
    // What it has open and the image are for the other user to open again.
    for name in host::files_in(dir.path()) {
        let mode = fs::Permissions::from_mode(0o666);
        fs::set_permissions(dir.path().join(name), mode).expect("its mode can be set");
    }
    let mut command = journey::as_user(stasis, dir.path());
    let command = command.arg("restart").arg(&image).process_group(0).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it can be run");
    let group = Pid::from_raw(i32::try_from(child.id()).expect("a pid fits"));
    assert_ne!(end_of(&mut child, "restart").code(), Some(0));
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("what it says");
    assert!(said.contains("nice"), "it is not about the nice value: {said}");
    assert_eq!(nix::sys::signal::killpg(group, None), Err(nix::errno::Errno::ESRCH));
}

#[test]
fn a_stopped_program_is_stopped_after_the_restart_and_continues() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    send(victim.pid(), Signal::SIGSTOP);
    wait::until("the victim to stop", || host::state_of(victim.pid()) == Some('T'));
    victim.checkpoint_and_kill(&image, &[]);
    let restored = restart_detached(&image, dir.path());
    wait::until("the restored victim to be stopped", || host::state_of(restored.pid()) == Some('T'));
    send(restored.pid(), Signal::SIGCONT);
    restored.go();
    restored.finish().must_be_intact();
}

#[test]
fn a_checkpoint_of_a_stopped_program_leaves_it_stopped() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    send(victim.pid(), Signal::SIGSTOP);
    wait::until("the victim to stop", || host::state_of(victim.pid()) == Some('T'));
    stasis_tests::engine::checkpoint(victim.pid(), &dir.path().join("image.stasis"), &[]).succeeded();
    wait::until("the victim to be stopped", || host::state_of(victim.pid()) == Some('T'));
    send(victim.pid(), Signal::SIGCONT);
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn a_missing_file_is_an_error_that_names_it() {
    let (dir, image) = image_of("files");
    fs::remove_file(dir.path().join("append")).expect("the file is there");
    restart(&image, dir.path(), &["--detach"]).refused(&["append"]);
}

#[test]
fn a_file_cut_below_its_offset_is_an_error_unless_forced() {
    let (dir, image) = image_of("files");
    let file = fs::File::options().write(true).open(dir.path().join("plain")).expect("the file is there");
    file.set_len(100).expect("it can be cut");
    restart(&image, dir.path(), &["--detach"]).refused(&["plain"]);
    let pid_file = dir.path().join("pid-forced");
    restart(&image, dir.path(), &["--detach", "--force-files", "--pid-file", "pid-forced"]).succeeded();
    assert!(Restored::from_pid_file(&pid_file, dir.path()).is_running());
}

#[test]
fn a_file_that_only_grew_is_fine() {
    use std::io::Write;
    let (dir, image) = image_of("idle");
    let mut out = fs::File::options().append(true).open(dir.path().join("out")).expect("the file is there");
    out.write_all(b"more\n").expect("it can grow");
    let restored = restart_detached(&image, dir.path());
    restored.go();
    restored.finish().must_be_intact();
}

#[test]
fn a_descriptor_can_be_replaced_by_hand() {
    let (dir, image) = image_of("idle");
    let args = ["--detach", "--pid-file", "pid-replaced", "--fd", "1=elsewhere"];
    fs::write(dir.path().join("elsewhere"), "").expect("a file for stdout");
    restart(&image, dir.path(), &args).succeeded();
    let restored = Restored::from_pid_file(&dir.path().join("pid-replaced"), dir.path());
    let stdout = fs::read_link(format!("/proc/{}/fd/1", restored.pid())).expect("it has a stdout");
    assert_eq!(stdout.file_name(), Some("elsewhere".as_ref()));
}

#[test]
fn an_image_with_its_files_in_it_does_without_the_program_and_what_it_had_open() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let program = dir.path().join("a-copy");
    fs::copy(VICTIM, &program).expect("a copy of the victim");
    let path = program.to_str().expect("a path of text");
    let mut victim = Program::victim(path, "sigactions", dir.path()).expect("the victim gets ready");
    victim.checkpoint_and_kill(&image, &["--embed-files", "--compress", "zstd"]);
    fs::remove_file(&program).expect("the program can be removed");
    let restored = restart_detached(&image, dir.path());
    restored.go();
    restored.finish().must_be_intact();
}

#[test]
fn a_set_of_semaphores_that_is_gone_is_made_again_under_its_id() {
    if !host::is_root() {
        return eprintln!("not tested here: choosing the id of a set takes root");
    }
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, "semaphores", dir.path()).expect("the victim gets ready");
    let set = fs::read_to_string(dir.path().join("set")).expect("the id of the set");
    victim.checkpoint_and_kill(&image, &[]);
    let removed = Command::new("ipcrm").args(["-s", set.trim()]).status().expect("ipcrm of util-linux runs");
    assert!(removed.success());
    let restored = restart_detached(&image, dir.path());
    restored.go();
    restored.finish().must_be_intact();
}
