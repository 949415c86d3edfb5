//! The two processes of a checkpoint, front and worker: whichever ends, and whatever the reader of the image does, the
//! target runs on.

use nix::sys::signal::Signal;
use std::fs;
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Stdio};

use stasis_tests::engine::{end_of, run, stasis};
use stasis_tests::program::{Program, VICTIM, Verdict, send};
use stasis_tests::{host, wait};

/// Children of a process, as its kernel lists them.
fn children_of(pid: i32) -> Vec<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a pid fits")
}

/// Whether anybody traces a process.
fn is_traced(pid: i32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    !status.contains("TracerPid:\t0\n")
}

fn steps() -> Vec<String> {
    let said = run(&mut stasis(["steps"])).succeeded().stdout;
    said.lines().filter_map(|line| line.strip_prefix("checkpoint ")).map(str::to_owned).collect()
}

#[test]
fn a_worker_that_dies_at_any_step_leaves_the_target_running_and_no_image() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "threads", dir.path()).expect("the victim gets ready");
    let pid = victim.pid().to_string();
    let images = dir.path().join("images");
    fs::create_dir(&images).expect("a directory for images");
    for step in steps() {
        let mut command = stasis(["checkpoint", "--kill", &pid, "-o"]);
        let said = run(command.arg(images.join("image.stasis")).env("STASIS_DIE_AT", &step));
        assert_eq!(said.status.code(), Some(1), "{step}: {}", said.stderr);
        assert_eq!(host::files_in(&images), [""; 0], "{step}");
        wait::until(&format!("the target to run after {step}"), || !is_traced(victim.pid()));
    }
    victim.go();
    assert_eq!(victim.finish(), Verdict::Intact);
}

#[test]
fn the_exit_code_tells_the_signal_that_called_a_checkpoint_off() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let pid = victim.pid().to_string();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut command = stasis(["checkpoint", &pid, "-o"]);
        command.arg(dir.path().join("image.stasis")).env("STASIS_PAUSE_AT", "capture").stderr(Stdio::null());
        let mut engine = command.spawn().expect("the engine can be run");
        let front = pid_of(&engine);
        wait::until("the engine to pause", || host::state_of(front) == Some('T'));
        send(front, signal);
        send(front, Signal::SIGCONT);
        assert_eq!(end_of(&mut engine, "a checkpoint").code(), Some(128 + signal as i32));
        assert!(!is_traced(victim.pid()), "{signal}: the command ended before the target was free");
    }
    victim.go();
    assert_eq!(victim.finish(), Verdict::Intact);
}

#[test]
fn the_worker_is_in_a_session_of_its_own_and_ends_when_the_front_is_killed() {
    let dir = host::workdir();
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let pid = victim.pid().to_string();
    let mut command = stasis(["checkpoint", &pid, "-o"]);
    command.arg(dir.path().join("image.stasis")).env("STASIS_PAUSE_AT", "contents").stderr(Stdio::null());
    let mut engine = command.spawn().expect("the engine can be run");
    let front = pid_of(&engine);
    wait::until("the engine to pause", || host::state_of(front) == Some('T'));
    let [worker] = children_of(front)[..] else { panic!("{:?}", children_of(front)) };
    let session = |pid: i32| nix::unistd::getsid(Some(nix::unistd::Pid::from_raw(pid))).expect("it is there");
    assert_eq!(session(worker).as_raw(), worker);
    assert!(is_traced(victim.pid()));
    send(front, Signal::SIGKILL);
    end_of(&mut engine, "a killed front");
    wait::until("the worker to end", || !host::is_running(worker));
    assert!(!is_traced(victim.pid()));
    assert!(!dir.path().join("image.stasis").exists());
}

#[test]
fn a_checkpoint_into_a_pipe_that_nobody_reads_can_be_called_off() {
    let dir = host::workdir();
    fs::write(dir.path().join("size"), "8").expect("the victim's size");
    let mut victim = Program::victim(VICTIM, "ballast", dir.path()).expect("the victim gets ready");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = stasis(["checkpoint", &victim.pid().to_string(), "-o", "-"]);
    command.stdout(Stdio::from(OwnedFd::from(writer))).stderr(Stdio::null());
    let mut engine = command.spawn().expect("the engine can be run");
    drop(command);
    // Once the pipe is full the worker waits for its reader, with the target in its hands.
    wait::until("the pipe to be full", || is_full(&reader));
    send(pid_of(&engine), Signal::SIGINT);
    assert_eq!(end_of(&mut engine, "a checkpoint into a full pipe").code(), Some(130));
    victim.go();
    victim.finish().must_be_intact();
}

/// Whether nothing more fits into the pipe: its reading end opened once more, to write.
fn is_full(reader: &std::io::PipeReader) -> bool {
    use std::os::fd::AsRawFd as _;
    let path = format!("/proc/self/fd/{}", reader.as_fd().as_raw_fd());
    let writer = fs::OpenOptions::new().write(true).open(path).expect("a pipe can be opened again");
    let mut fds = [nix::poll::PollFd::new(writer.as_fd(), nix::poll::PollFlags::POLLOUT)];
    nix::poll::poll(&mut fds, nix::poll::PollTimeout::ZERO).expect("poll") == 0
}

#[test]
fn a_checkpoint_whose_reader_goes_fails_and_the_target_runs_on() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = stasis(["checkpoint", "--kill", &victim.pid().to_string(), "-o", "-"]);
    let mut engine = command
        .stdout(Stdio::from(OwnedFd::from(writer)))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the engine can be run");
    assert_eq!(end_of(&mut engine, "a checkpoint into a broken pipe").code(), Some(1));
    let said = std::io::read_to_string(engine.stderr.take().expect("a pipe")).expect("its messages");
    assert!(said.contains("stdout"), "{said}");
    victim.go();
    victim.finish().must_be_intact();
}
