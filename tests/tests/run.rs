//! `stasis run`: programs that make the calls `checkpoint` and `restart` themselves.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stasis_tests::engine::{Run, restart_detached, stasis_path};
use stasis_tests::program::{CALLER, CALLER_STATIC, foreign};
use stasis_tests::{host, wait};

/// The exit code of a program that came back from an image.
const SECOND_LIFE: i32 = 7;

/// `stasis run OPTIONS -- CALLER WHAT` in `dir`, without descriptors that whoever runs the tests left open.
fn under(options: &[&str], caller: &str, what: &str, dir: &Path) -> Command {
    let mut command = foreign(stasis_path());
    command.arg("run").args(options).args(["--", caller, what]).current_dir(dir).stdin(Stdio::null());
    command
}

/// Runs a command to its end. Its output goes through pipes: a file would be one of the files in an image.
fn run(command: &mut Command) -> Run {
    let output = command.stderr(Stdio::piped()).output().expect("it can be run");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Run { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// [`under`], to its end.
fn call(options: &[&str], what: &str, dir: &Path) -> Run {
    run(&mut under(options, CALLER, what, dir))
}

/// Both programs in one directory: the first saves itself, the second becomes it. Returns what either printed.
fn save_and_load(save: &str, caller: &str, dir: &Path) -> (String, String) {
    let saved = run(&mut under(&[], caller, save, dir)).succeeded();
    let loaded = run(&mut under(&[], caller, "load", dir));
    assert_eq!(loaded.status.code(), Some(SECOND_LIFE), "{}{}", loaded.stdout, loaded.stderr);
    (saved.stdout, loaded.stdout)
}

#[test]
fn a_checkpoint_returns_twice_and_a_restart_becomes_the_other_program() {
    for caller in [CALLER, CALLER_STATIC] {
        let dir = host::workdir();
        let (saved, loaded) = save_and_load("save", caller, dir.path());
        assert_eq!(saved, "threads that go on 8\nname first\n");
        // The second program's own line comes first; from there on it is the first one, threads, name and all.
        let (own, rest) = loaded.split_once('\n').expect("two lines");
        assert!(own.starts_with("pid "), "{own}");
        assert_eq!(rest, "threads that go on 8\nname first\n");
        let log = fs::read_to_string(dir.path().join("log")).expect("the log");
        assert_eq!(log, "line\nret = 1\nret = 0\n");
    }
}

#[test]
fn a_process_that_is_replaced_keeps_its_pid_and_its_parent_sees_its_end() {
    let dir = host::workdir();
    call(&[], "save", dir.path()).succeeded();
    let script = format!("{CALLER} load & pid=$!; wait $pid; echo \"$pid ended with $?\"");
    let mut shell = foreign(stasis_path());
    shell.args(["run", "--", "sh", "-c", &script]).current_dir(dir.path()).stdin(Stdio::null());
    let out = run(&mut shell).succeeded().stdout;
    let pid = out.lines().find_map(|line| line.strip_prefix("pid ")).expect("its pid");
    assert!(out.ends_with(&format!("{pid} ended with {SECOND_LIFE}\n")), "{out}");
}

#[test]
fn an_image_made_by_the_call_is_one_for_the_command_too() {
    let dir = host::workdir();
    call(&[], "save", dir.path()).succeeded();
    let restarted =
        run(foreign(stasis_path()).args(["restart", "image"]).current_dir(dir.path()).stdin(Stdio::null()));
    assert_eq!(restarted.status.code(), Some(SECOND_LIFE), "{}", restarted.stderr);
}

#[test]
fn the_call_may_come_from_a_signal_handler() {
    let dir = host::workdir();
    let saved = call(&[], "handler", dir.path()).succeeded();
    assert_eq!(saved.stdout, "in the handler 1\nbehind the handler 1\n");
    let loaded = call(&[], "load", dir.path()).succeeded();
    assert!(loaded.stdout.ends_with("in the handler 0\nbehind the handler 1\n"), "{}", loaded.stdout);
}

#[test]
fn an_image_goes_through_a_pipe_that_the_caller_itself_reads() {
    for pipe in ["pipe", "full-pipe"] {
        let dir = host::workdir();
        let (saved, loaded) = save_and_load(pipe, CALLER, dir.path());
        assert_eq!(saved, "checkpoint 1\n");
        assert!(loaded.ends_with("checkpoint 0\n"), "{loaded}");
    }
}

#[test]
fn an_image_goes_to_a_slow_reader_outside() {
    let dir = host::workdir();
    let mut supervisor = under(&[], CALLER, "stdout", dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("stasis runs");
    let mut image = Vec::new();
    let mut out = supervisor.stdout.take().expect("its stdout");
    let mut piece = [0; 4096];
    loop {
        let n = out.read(&mut piece).expect("the pipe");
        if n == 0 {
            break;
        }
        image.extend_from_slice(&piece[..n]);
        // Slow: others go first, each time.
        std::thread::yield_now();
    }
    let saved = supervisor.wait_with_output().expect("its end");
    assert!(saved.status.success());
    assert_eq!(String::from_utf8_lossy(&saved.stderr), "ret = 1\n");
    fs::write(dir.path().join("image"), image).expect("the image");
    let loaded = call(&[], "load", dir.path());
    assert_eq!((loaded.status.code(), loaded.stderr.as_str()), (Some(SECOND_LIFE), "ret = 0\n"));
}

#[test]
fn every_failure_is_its_errno_and_leaves_the_caller_unharmed() {
    let dir = host::workdir();
    let said = call(&[], "errors", dir.path()).succeeded().stdout;
    let wanted = [
        ("a flag", -libc::EINVAL),
        ("a flag and no descriptor", -libc::EINVAL),
        ("no descriptor", -libc::EBADF),
        ("no process", -libc::ESRCH),
        ("somebody else's process", -libc::EPERM),
        ("a closed pipe", -libc::EPIPE),
        ("a flag of restart", -libc::EINVAL),
        ("no descriptor of restart", -libc::EBADF),
        ("an image that is not kept", -libc::EBADF),
        ("an empty image", -libc::EPIPE),
        ("garbage", -libc::EINVAL),
        ("threads that go on", 8),
        ("checkpoint", 1),
    ];
    let wanted: String = wanted.iter().map(|(what, value)| format!("{what} {value}\n")).collect();
    assert_eq!(said, wanted);
}

#[test]
fn an_image_of_another_kernel_or_a_damaged_one_leaves_the_caller_unharmed() {
    let dir = host::workdir();
    call(&[], "save", dir.path()).succeeded();
    let image = dir.path().join("image");
    let good = fs::read(&image).expect("the image");
    for at in [12, 200, good.len() / 2, good.len() - 4] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&image, bad).expect("a damaged image");
        let run = call(&[], "load", dir.path());
        assert!(run.stdout.contains(&format!("restart {}\n", -libc::EINVAL)), "byte {at}: {}", run.stdout);
        assert_eq!(run.status.code(), Some(1));
    }
}

#[test]
fn kept_images_are_restarted_by_their_identifier() {
    let dir = host::workdir();
    let said = call(&["--keep", "2"], "keep", dir.path()).succeeded().stdout;
    let life = format!("the oldest {}\n", -libc::EBADF);
    let wanted = format!(
        "checkpoint 1\ncheckpoint 2\ncheckpoint 3\n{life}checkpoint 0\n{life}checkpoint 0\nlives 2\n"
    );
    assert_eq!(said, wanted);
}

#[test]
fn children_save_themselves_and_a_parent_saves_its_child() {
    let dir = host::workdir();
    assert_eq!(call(&[], "forks", dir.path()).succeeded().stdout, "children that were saved 20\n");
    assert_eq!(call(&[], "child", dir.path()).succeeded().stdout, "checkpoint 1\n");
    assert_eq!(call(&[], "fork-meanwhile", dir.path()).succeeded().stdout, "went on 1\n");
}

#[test]
fn a_program_is_saved_with_its_children_and_they_come_back_with_it() {
    let dir = host::workdir();
    let life = format!("around 22\nthe child's exit code 5\nchildren {}\n", -libc::ECHILD);
    for caller in [CALLER, CALLER_STATIC] {
        let (saved, loaded) = save_and_load("family", caller, dir.path());
        assert_eq!(saved, life);
        if host::is_root() {
            // Behind the second program's own line.
            assert_eq!(loaded.split_once('\n').expect("two lines").1, life);
        }
    }
}

#[test]
fn children_that_still_live_do_not_come_back_and_their_parent_is_not_harmed() {
    if !host::is_root() {
        return eprintln!("not tested here: to give children their ids takes CAP_CHECKPOINT_RESTORE");
    }
    let dir = host::workdir();
    let run = call(&[], "family-alive", dir.path());
    let wanted = format!("restart {}\naround 32\nthe child's exit code 5\n", -libc::EBUSY);
    assert_eq!((run.stdout, run.status.code()), (wanted, Some(SECOND_LIFE)), "{}", run.stderr);
}

#[test]
fn without_the_right_to_choose_ids_a_caller_is_not_replaced_by_a_family() {
    if !host::is_root() {
        return eprintln!("not tested here: root is needed to become another user");
    }
    let dir = host::workdir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("a directory for all");
    assert!(call(&[], "family-as-nobody", dir.path()).succeeded().stdout.starts_with("around 22\n"));
    let loaded = run(&mut under(&[], CALLER, "load-as-nobody", dir.path())).stdout;
    assert!(loaded.ends_with(&format!("restart {}\n", -libc::EPERM)), "{loaded}");
}

#[test]
fn a_parent_saves_the_subtree_of_its_child() {
    let dir = host::workdir();
    let said = call(&[], "subtree", dir.path()).succeeded().stdout;
    assert_eq!(said, "checkpoint 1\nthe child's exit code 8\n");
    let verdict = dir.path().join("verdict");
    let read = || fs::read_to_string(&verdict).expect("the verdict");
    assert_eq!(read(), "around 42, exit code 5\n");
    fs::remove_file(&verdict).expect("the verdict can be removed");
    let restored = restart_detached(&dir.path().join("image"), dir.path());
    restored.go();
    restored.wait();
    assert_eq!(read(), "around 42, exit code 5\n");
}

#[test]
fn a_program_that_gave_up_its_privileges_is_saved_and_replaced() {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("not tested here: another user's program takes root");
    }
    let dir = host::workdir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("a directory for all");
    let saved = run(&mut under(&[], CALLER_STATIC, "save-as-nobody", dir.path())).succeeded();
    assert_eq!(saved.stdout, "checkpoint 1\nuid 65534\n");
    let loaded = run(&mut under(&[], CALLER_STATIC, "load-as-nobody", dir.path()));
    assert_eq!(loaded.status.code(), Some(SECOND_LIFE), "{}{}", loaded.stdout, loaded.stderr);
    assert!(loaded.stdout.ends_with("checkpoint 0\nuid 65534\n"), "{}", loaded.stdout);
}

#[test]
fn revision_1_carries_the_name_and_nothing_else() {
    let dir = host::workdir();
    let saved = call(&["--rev", "1"], "save", dir.path()).succeeded();
    assert_eq!(fs::metadata(dir.path().join("image")).expect("the image").len(), 304);
    assert!(saved.stdout.contains("name first"));
    let loaded = call(&["--rev", "1"], "load", dir.path());
    assert!(loaded.stdout.ends_with("restart 0\nname first\n"), "{}", loaded.stdout);
    assert_eq!(loaded.status.code(), Some(1), "it goes on");
}

#[test]
fn without_a_supervisor_the_kernel_says_that_there_is_no_such_call() {
    let dir = host::workdir();
    let said = run(foreign(CALLER).arg("errors").current_dir(dir.path())).stdout;
    assert!(said.starts_with(&format!("a flag {}\n", -libc::ENOSYS)), "{said}");
}

/// A supervised program that waits for a line on stdin after its first answer.
struct Waiting {
    supervisor: Child,
    stdin: ChildStdin,
    out: BufReader<ChildStdout>,
}

impl Waiting {
    fn start(what: &str, dir: &Path) -> Self {
        let mut command = under(&[], CALLER, what, dir);
        let mut supervisor =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("stasis runs");
        let out = BufReader::new(supervisor.stdout.take().expect("its stdout"));
        let stdin = supervisor.stdin.take().expect("its stdin");
        Waiting { supervisor, stdin, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).expect("a line");
        line
    }

    fn go(&mut self) {
        self.stdin.write_all(b"\n").expect("it reads");
    }
}

#[test]
fn a_thousand_checkpoints_leak_no_descriptor_no_process_and_no_memory() {
    let dir = host::workdir();
    let mut program = Waiting::start("thousand", dir.path());
    let supervisor = i32::try_from(program.supervisor.id()).expect("a pid");
    assert_eq!(program.line(), "checkpoint 1000\n");
    assert_eq!(program.line(), "descriptors too many 0\n");
    assert_eq!(program.line(), format!("children {}\n", -libc::ECHILD));
    // stdin, stdout, stderr, the listener and the two ends of the pipe for signals.
    let fds = fs::read_dir(format!("/proc/{supervisor}/fd")).expect("its descriptors").count();
    assert!(fds <= 8, "the supervisor has {fds} descriptors");
    let children = format!("/proc/{supervisor}/task/{supervisor}/children");
    wait::until("all workers to be gone", || {
        fs::read_to_string(&children).expect("its children").split_whitespace().count() == 1
    });
    let status = fs::read_to_string(format!("/proc/{supervisor}/status")).expect("its status");
    let rss = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("its memory");
    let kib: u64 = rss.trim().trim_end_matches(" kB").parse().expect("a number");
    assert!(kib < 8192, "the supervisor takes {kib} KiB");
    program.go();
    assert!(program.supervisor.wait().expect("its end").success());
}

#[test]
fn a_program_goes_on_when_its_supervisor_is_killed() {
    let dir = host::workdir();
    let mut program = Waiting::start("alone", dir.path());
    assert_eq!(program.line(), "checkpoint 1\n");
    kill(Pid::from_raw(i32::try_from(program.supervisor.id()).expect("a pid")), Signal::SIGKILL)
        .expect("it is there");
    program.supervisor.wait().expect("its end");
    program.go();
    assert_eq!(program.line(), format!("checkpoint {}\n", -libc::ENOSYS));
    assert_eq!(program.line(), format!("restart {}\n", -libc::ENOSYS));
}

#[test]
fn the_calls_have_the_numbers_that_were_asked_for_and_no_others() {
    let dir = host::workdir();
    let options = ["--nr-checkpoint", "2001", "--nr-restart", "2000"];
    let mut save = under(&options, CALLER, "save", dir.path());
    run(save.env("NR_CHECKPOINT", "2001").env("NR_RESTART", "2000")).succeeded();
    let mut load = under(&options, CALLER, "load", dir.path());
    let loaded = run(load.env("NR_CHECKPOINT", "2001").env("NR_RESTART", "2000"));
    assert_eq!(loaded.status.code(), Some(SECOND_LIFE), "{}{}", loaded.stdout, loaded.stderr);
    // The usual numbers are then nobody's.
    let said = call(&options, "errors", dir.path()).stdout;
    assert!(said.starts_with(&format!("a flag {}\n", -libc::ENOSYS)), "{said}");
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let code = |script: &str| {
        run(std::process::Command::new(stasis_path()).args(["run", "sh", "-c", script])).status.code()
    };
    assert_eq!(code("exit 5"), Some(5));
    assert_eq!(code("kill -TERM $$"), Some(128 + 15));
    let missing = run(std::process::Command::new(stasis_path()).args(["run", "/there/is/none"]));
    assert_eq!(missing.status.code(), Some(127));
    assert!(missing.stderr.contains("/there/is/none"), "{}", missing.stderr);
}
