//! libstasis: a program in C checkpoints itself in ways that are hard, goes on, and comes back from the image.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::Signal;
use stasis_tests::engine::{end_of, restart, run};
use stasis_tests::library::{self, Linked};
use stasis_tests::program::send;
use stasis_tests::{host, wait};
use tempfile::TempDir;

/// An ordinary user.
const NOBODY: u32 = 65534;

/// The program that checkpoints itself, compiled once for each way to link it.
fn program(linked: Linked) -> &'static Path {
    static BUILT: OnceLock<(TempDir, [PathBuf; 3])> = OnceLock::new();
    let (_, [archive, shared, all]) = BUILT.get_or_init(|| {
        let dir = host::workdir();
        let programs = [(Linked::Archive, "archive"), (Linked::Shared, "shared"), (Linked::Static, "static")];
        let programs = programs.map(|(linked, name)| {
            let path = dir.path().join(name);
            library::compile("tests/library/self.c", &path, linked, &[]);
            path
        });
        (dir, programs)
    });
    match linked {
        Linked::Archive => archive,
        Linked::Shared => shared,
        Linked::Static => all,
    }
}

fn command(linked: Linked, way: &str, dir: &Path) -> Command {
    let mut command = library::program(program(linked));
    command.arg(way).current_dir(dir).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

#[track_caller]
fn must_be_ok(dir: &Path, life: &str) {
    let said = fs::read_to_string(dir.join(life)).unwrap_or_else(|error| format!("no verdict: {error}"));
    assert_eq!(said, "ok", "the {life}");
}

/// Restarts the image in `dir` and has the program find itself well.
#[track_caller]
fn must_come_back(dir: &Path) {
    // The program may have the first one open, and write to it.
    let image = dir.join("kept.stasis");
    fs::copy(dir.join("image"), &image).expect("there is an image");
    restart(&image, dir, &[]).succeeded();
    must_be_ok(dir, "restarted");
}

/// The program goes on after its checkpoint, and comes back from the image.
#[track_caller]
fn lives_twice(linked: Linked, way: &str) {
    let dir = host::workdir();
    run(&mut command(linked, way, dir.path())).succeeded();
    must_be_ok(dir.path(), "original");
    must_come_back(dir.path());
}

/// The same for a program that ends, as ordinary user `nobody`.
#[track_caller]
fn lives_twice_as_nobody(way: &str) {
    if !host::is_root() {
        return lives_twice(Linked::Archive, way);
    }
    let dir = host::workdir();
    let mut command = command(Linked::Archive, way, dir.path());
    run(command.uid(NOBODY).gid(NOBODY)).succeeded();
    must_be_ok(dir.path(), "original");
    must_come_back(dir.path());
}

#[test]
fn a_program_with_8_busy_threads_lives_twice_and_all_of_them_go_on() {
    lives_twice(Linked::Archive, "threads");
}

#[test]
fn a_program_that_is_linked_with_the_shared_library_lives_twice() {
    lives_twice(Linked::Shared, "threads");
}

#[test]
fn a_static_program_lives_twice() {
    lives_twice(Linked::Static, "threads");
}

#[test]
fn a_program_without_privilege_lives_twice() {
    lives_twice_as_nobody("threads");
}

#[test]
fn a_program_that_nobody_may_trace_can_trace_itself() {
    lives_twice_as_nobody("undumpable");
}

#[test]
fn the_call_may_come_from_a_signal_handler_and_shows_no_signal_and_no_child() {
    lives_twice(Linked::Archive, "handler");
}

#[test]
fn a_checkpoint_while_a_child_is_forked_is_taken_and_hurts_nobody() {
    lives_twice(Linked::Archive, "fork");
}

#[test]
fn a_program_lives_twice_with_its_child_and_grandchild() {
    lives_twice(Linked::Archive, "family");
    lives_twice_as_nobody("family");
}

#[test]
fn a_pipe_whose_reader_is_the_program_itself_gets_the_image() {
    lives_twice(Linked::Archive, "own-reader");
}

#[test]
fn a_thousand_checkpoints_leak_no_descriptor_no_task_and_no_memory() {
    lives_twice(Linked::Archive, "thousand");
}

#[test]
fn mistakes_are_told_before_anything_is_done() {
    lives_twice(Linked::Archive, "mistakes");
}

#[test]
fn another_process_is_saved_by_its_pid() {
    let dir = host::workdir();
    run(&mut command(Linked::Archive, "child", dir.path())).succeeded();
    must_be_ok(dir.path(), "original");
    fs::write(dir.path().join("go"), "").expect("the word to go on");
    must_come_back(dir.path());
}

#[test]
fn revision_1_saves_a_name_and_gives_it_back() {
    let dir = host::workdir();
    run(&mut command(Linked::Archive, "revision-1", dir.path())).succeeded();
    must_be_ok(dir.path(), "original");
}

/// The program with 8 threads comes back in the place of another process, which reads the image from `stdin`.
#[track_caller]
fn comes_back_in_another(linked: Linked, as_user: Option<u32>, stdin: fn(&Path) -> Stdio) {
    let dir = host::workdir();
    let other = dir.path().join("other");
    library::compile("examples/restart.c", &other, linked, &[]);
    let mut first = command(linked, "threads", dir.path());
    let mut second = library::program(&other);
    second.current_dir(dir.path());
    if let Some(id) = as_user.filter(|_| host::is_root()) {
        first.uid(id).gid(id);
        second.uid(id).gid(id);
    }
    run(&mut first).succeeded();
    must_be_ok(dir.path(), "original");
    second.stdin(stdin(dir.path()));
    run(&mut second).succeeded();
    must_be_ok(dir.path(), "restarted");
}

fn as_file(dir: &Path) -> Stdio {
    fs::File::open(dir.join("image")).map_or_else(|_| Stdio::null(), Stdio::from)
}

/// A pipe that gives the image a little at a time.
fn as_pipe(dir: &Path) -> Stdio {
    let Ok(image) = fs::read(dir.join("image")) else { return Stdio::null() };
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    std::thread::spawn(move || image.chunks(999).try_for_each(|piece| writer.write_all(piece)));
    reader.into()
}

#[test]
fn a_program_with_8_threads_comes_back_in_the_place_of_another_process() {
    comes_back_in_another(Linked::Archive, None, as_file);
}

#[test]
fn the_image_may_come_through_a_pipe() {
    comes_back_in_another(Linked::Shared, None, as_pipe);
}

/// A nonblocking socket that gives the image a little at a time.
fn as_nonblocking_socket(dir: &Path) -> Stdio {
    let Ok(image) = fs::read(dir.join("image")) else { return Stdio::null() };
    let (reader, mut writer) = std::os::unix::net::UnixStream::pair().expect("a socket");
    reader.set_nonblocking(true).expect("a nonblocking socket");
    std::thread::spawn(move || image.chunks(999).try_for_each(|piece| writer.write_all(piece)));
    std::os::fd::OwnedFd::from(reader).into()
}

#[test]
fn the_image_may_come_through_a_nonblocking_socket() {
    comes_back_in_another(Linked::Archive, None, as_nonblocking_socket);
}

#[test]
fn a_helper_that_waits_for_an_image_ends_with_its_caller() {
    let dir = host::workdir();
    let other = dir.path().join("other");
    library::compile("examples/restart.c", &other, Linked::Archive, &[]);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut caller = library::program(&other).stdin(reader).spawn().expect("the program runs");
    // The helper of a restart is nobody's child; it has the pipe that the image is to come from.
    let others = [caller.id().cast_signed(), std::process::id().cast_signed()];
    let helper = || host::holder_of(&writer, &others);
    wait::until("the helper to be there", || helper().is_some());
    let helper = helper().expect("the helper");
    caller.kill().expect("the program can be killed");
    end_of(&mut caller, "the killed program");
    wait::until("the helper to be gone", || !host::is_running(helper));
}

#[test]
fn a_static_program_comes_back_in_the_place_of_another_process() {
    comes_back_in_another(Linked::Static, None, as_file);
}

#[test]
fn a_program_comes_back_in_the_place_of_another_process_without_privilege() {
    comes_back_in_another(Linked::Archive, Some(NOBODY), as_file);
}

/// Starts the program with its standard output in a pipe; gives that too.
fn into_pipe(way: &str, dir: &Path) -> (Child, std::process::ChildStdout) {
    let mut child = command(Linked::Archive, way, dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let pipe = child.stdout.take().expect("its output");
    (child, pipe)
}

/// Waits until the other thread of the program has done something since.
fn wait_for_ticks(dir: &Path) {
    let ticks = || fs::metadata(dir.join("ticks")).map_or(0, |file| file.len());
    let before = ticks();
    wait::until("the program's other thread", || ticks() > before + 20);
}

#[test]
fn a_slow_reader_of_the_pipe_does_not_hold_up_the_other_threads() {
    let dir = host::workdir();
    let (mut child, mut pipe) = into_pipe("slow-pipe", dir.path());
    let mut image = vec![0];
    pipe.read_exact(&mut image).expect("the first byte of the image");
    wait_for_ticks(dir.path());
    assert!(child.try_wait().expect("it can be waited for").is_none(), "ended before it was read");
    pipe.read_to_end(&mut image).expect("the rest of the image");
    assert!(end_of(&mut child, "the program").success());
    must_be_ok(dir.path(), "original");
    fs::write(dir.path().join("image"), image).expect("the image");
    must_come_back(dir.path());
}

#[test]
fn a_full_pipe_is_waited_for_though_it_is_nonblocking() {
    let dir = host::workdir();
    let (mut child, mut pipe) = into_pipe("full-pipe", dir.path());
    wait::until("the pipe to be full", || dir.path().join("full").exists());
    wait_for_ticks(dir.path());
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).expect("junk and image");
    assert!(end_of(&mut child, "the program").success());
    must_be_ok(dir.path(), "original");
    let junk = bytes.iter().position(|byte| *byte != 0).expect("an image behind the junk");
    fs::write(dir.path().join("image"), &bytes[junk..]).expect("the image");
    must_come_back(dir.path());
}

#[test]
fn a_pipe_that_nobody_reads_is_an_error_and_no_signal() {
    let dir = host::workdir();
    let (mut child, pipe) = into_pipe("closed-pipe", dir.path());
    drop(pipe);
    drop(child.stdin.take());
    assert!(end_of(&mut child, "the program").success());
    must_be_ok(dir.path(), "original");
    must_come_back(dir.path());
}

#[test]
fn a_caller_that_is_killed_while_its_image_waits_for_a_reader_leaves_no_helper() {
    let dir = host::workdir();
    let (mut child, mut pipe) = into_pipe("slow-pipe", dir.path());
    pipe.read_exact(&mut [0]).expect("the first byte of the image");
    child.kill().expect("the program can be killed");
    end_of(&mut child, "the killed program");
    // The helper has the other end of this pipe.
    let mut rest = Vec::new();
    pipe.read_to_end(&mut rest).expect("the end of the pipe");
}

#[test]
fn an_image_may_go_to_a_socket() {
    let dir = host::workdir();
    let (mut ours, theirs) = UnixStream::pair().expect("two sockets");
    let mut command = command(Linked::Archive, "slow-pipe", dir.path());
    let mut child =
        command.stdout(Stdio::from(OwnedFd::from(theirs))).spawn().expect("the program can be started");
    drop(command);
    let mut image = Vec::new();
    ours.read_to_end(&mut image).expect("the image");
    assert!(end_of(&mut child, "the program").success());
    must_be_ok(dir.path(), "original");
    fs::write(dir.path().join("image"), image).expect("the image");
    must_come_back(dir.path());
}

#[test]
fn a_caller_whose_helper_is_killed_gets_an_error_and_goes_on() {
    let dir = host::workdir();
    let (mut child, mut pipe) = into_pipe("helper-killed", dir.path());
    pipe.read_exact(&mut [0]).expect("the first byte of the image");
    // The child of the caller only waits for the helper.
    let helper = host::child_of(child.id().cast_signed()).and_then(host::child_of).expect("the helper");
    send(helper, Signal::SIGKILL);
    assert!(end_of(&mut child, "the program").success());
    must_be_ok(dir.path(), "original");
    must_come_back(dir.path());
}

#[test]
fn threads_that_checkpoint_at_once_get_an_identifier_each() {
    lives_twice(Linked::Archive, "at-once");
}

#[test]
fn an_image_that_cannot_be_used_is_an_error_and_the_caller_goes_on_unharmed() {
    let dir = host::workdir();
    run(&mut command(Linked::Archive, "threads", dir.path())).succeeded();
    let image = fs::read(dir.path().join("image")).expect("an image");
    let mut wanted = Vec::new();
    let mut add = |errno: &str, name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).expect("a file");
        wanted.extend([errno.to_owned(), path.display().to_string()]);
    };
    let damaged = |at: usize| {
        let mut bytes = image.clone();
        bytes[at] ^= 1;
        bytes
    };
    add("EPIPE", "empty", b"");
    add("EPIPE", "cut", &image[..image.len() - 1]);
    add("EPIPE", "half", &image[..image.len() / 2]);
    add("EINVAL", "garbage", &[0x5a; 8192]);
    add("EINVAL", "damaged-first", &damaged(0));
    add("EINVAL", "damaged-middle", &damaged(image.len() / 2));
    add("EINVAL", "damaged-last", &damaged(image.len() - 1));
    let run = run(command(Linked::Archive, "no-image", dir.path()).args(&wanted));
    must_be_ok(dir.path(), "original");
    run.succeeded();
}

#[test]
fn an_image_of_another_kernel_is_an_error_under_revision_1() {
    let dir = host::workdir();
    let other = library::root().join("tests/data/conformance/head-major-differs.img");
    let run =
        run(command(Linked::Archive, "no-image", dir.path()).env("STASIS_REV", "1").arg("EINVAL").arg(other));
    must_be_ok(dir.path(), "original");
    run.succeeded();
}
