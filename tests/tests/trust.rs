//! What must hold when something goes wrong: a target is never lost, a refusal is one message that names the reason,
//! and a restart that fails leaves nothing behind.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use stasis_tests::engine::{checkpoint, end_of, restart, run, stasis, stasis_path};
use stasis_tests::program::{Program, VICTIM, VICTIM_STATIC, Verdict, send};
use stasis_tests::{host, wait};

/// The user and group without any rights.
const NOBODY: u32 = 65534;

/// The steps that a checkpoint or a restart announces, from the engine itself.
fn steps_of(what: &str) -> Vec<String> {
    let said = run(&mut stasis(["steps"])).succeeded().stdout;
    let steps: Vec<String> = said
        .lines()
        .filter_map(|line| line.strip_prefix(what)?.strip_prefix(' ').map(str::to_owned))
        .collect();
    assert!(!steps.is_empty(), "the engine announces no step of a {what}:\n{said}");
    steps
}

/// Starts the engine so that it stops itself at a step, and waits until it has (or has ended before).
fn paused_at(step: &str, command: &mut Command) -> Child {
    let mut child = command
        .env("STASIS_PAUSE_AT", step)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the engine can be run");
    let pid = pid_of(&child);
    wait::until(&format!("the engine to stop at {step}"), || {
        matches!(host::state_of(pid), Some('T' | 'Z') | None)
    });
    assert_eq!(host::state_of(pid), Some('T'), "{step}: the engine ended ({:?}) instead", child.try_wait());
    child
}

fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("a pid fits")
}

/// The files in a directory other than the victim's own: images, and what an engine may have left of one.
fn left_in(dir: &Path) -> Vec<String> {
    host::files_in(dir)
        .into_iter()
        .filter(|name| !["err", "out", "verdict"].contains(&name.as_str()))
        .collect()
}

#[test]
fn a_checkpoint_killed_at_any_step_leaves_the_target_running_and_no_image() {
    for (signal, kind) in [Signal::SIGKILL, Signal::SIGINT, Signal::SIGTERM]
        .into_iter()
        .flat_map(|signal| ["threads", "tree"].map(|kind| (signal, kind)))
    {
        let dir = host::workdir();
        let image = dir.path().join("image.stasis");
        let mut victim = Program::victim(VICTIM, kind, dir.path()).expect("the victim gets ready");
        let pid = victim.pid().to_string();
        for step in steps_of("checkpoint") {
            let mut engine = paused_at(&step, stasis(["checkpoint", "--kill", &pid, "-o"]).arg(&image));
            send(pid_of(&engine), signal);
            send(pid_of(&engine), Signal::SIGCONT);
            let status = end_of(&mut engine, &step);
            assert!(!status.success(), "{step}: the engine ended with {status} in spite of {signal}");
            assert!(!image.exists(), "{step}: {signal} left an image under its final name");
            if signal != Signal::SIGKILL {
                // After SIGKILL nobody can remove an unfinished temporary file that has a name.
                assert_eq!(left_in(dir.path()), [""; 0], "{step}: {signal}");
            }
            wait::until(&format!("the target to run again after {signal} at {step}"), || {
                !host::is_mentioned(&image)
                    && host::family_of(victim.pid()).iter().all(|pid| host::is_free(*pid))
            });
        }
        victim.go();
        assert_eq!(victim.finish(), Verdict::Intact, "{kind}, after {signal} at every step");
    }
}

#[test]
fn a_checkpoint_killed_between_its_steps_leaves_the_target_running_and_no_image() {
    const ROUNDS: u32 = 150;
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, "waiting", dir.path()).expect("the victim gets ready");
    let pid = victim.pid().to_string();
    let start = Instant::now();
    checkpoint(victim.pid(), &image, &[]).succeeded();
    let whole = start.elapsed();
    for round in 0..ROUNDS {
        fs::remove_file(&image).or_else(ignore_missing).expect("the image can be removed");
        let mut engine =
            stasis(["checkpoint", &pid, "-o"]).arg(&image).spawn().expect("the engine can be run");
        // Not to wait for anything: this is where the blow falls, spread over the whole of a checkpoint.
        std::thread::sleep(whole * round / ROUNDS);
        // It may be done already; then the image is whole.
        let _ = engine.kill();
        let status = end_of(&mut engine, "a killed checkpoint");
        assert!(
            !image.exists() || status.success() || run(stasis(["validate"]).arg(&image)).status.success()
        );
    }
    wait::until("the target to run again", || !host::is_mentioned(&image) && host::is_free(victim.pid()));
    victim.go();
    assert_eq!(victim.finish(), Verdict::Intact, "after {ROUNDS} blows");
}

/// The front's worker holds the target; both are killed, as `pkill -9 -f stasis` or an out-of-memory killer would.
#[test]
fn a_target_survives_when_all_of_the_engine_is_killed_at_any_moment() {
    const ROUNDS: u32 = 100;
    for kind in ["idle", "registers", "handler", "threads", "avx2", "ticking", "pipes", "tree"] {
        let dir = host::workdir();
        let image = dir.path().join("image.stasis");
        let mut victim = Program::victim(VICTIM, kind, dir.path()).expect("the victim gets ready");
        let pid = victim.pid().to_string();
        let start = Instant::now();
        checkpoint(victim.pid(), &image, &[]).succeeded();
        let whole = start.elapsed();
        for round in 0..ROUNDS {
            let mut engine =
                stasis(["checkpoint", &pid, "-o"]).arg(&image).spawn().expect("the engine can be run");
            // Not to wait for anything: this is where the blow falls, spread over the whole of a checkpoint.
            std::thread::sleep(whole * round / ROUNDS);
            let front = pid_of(&engine);
            let workers = fs::read_to_string(format!("/proc/{front}/task/{front}/children"));
            for worker in workers.unwrap_or_default().split_whitespace().filter_map(|pid| pid.parse().ok()) {
                let _ = kill(Pid::from_raw(worker), Signal::SIGKILL);
            }
            let _ = engine.kill();
            end_of(&mut engine, "a killed checkpoint");
            assert!(
                run(stasis(["validate"]).arg(&image)).status.success(),
                "{kind}, blow {round}: the image"
            );
        }
        wait::until("the target to run again", || {
            !host::is_mentioned(&image) && host::family_of(victim.pid()).iter().all(|pid| host::is_free(*pid))
        });
        victim.go();
        assert_eq!(victim.finish(), Verdict::Intact, "{kind}, after {ROUNDS} blows");
    }
}

fn ignore_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Checkpoints a victim and kills a process when the engine has come to `step`: there is a sound image or none, and an error.
#[track_caller]
fn killed_meanwhile(step: &str, dir: &Path, victim: &Program, whom: i32) {
    let image = dir.join("image.stasis");
    let pid = victim.pid().to_string();
    let mut engine = paused_at(step, stasis(["checkpoint", &pid, "-o"]).arg(&image));
    send(whom, Signal::SIGKILL);
    send(pid_of(&engine), Signal::SIGCONT);
    let status = end_of(&mut engine, step);
    // Once a process was captured, the image is as good as if it had died a moment later.
    assert_eq!(status.success(), image.exists(), "{step}: the engine ended with {status}");
    assert!(status.code().is_some_and(|code| code != 101), "{step}: the engine ended with {status}");
    if status.success() {
        run(stasis(["validate"]).arg(&image)).succeeded();
    } else {
        assert_eq!(left_in(dir), [""; 0], "{step}");
    }
}

#[test]
fn a_target_that_dies_in_the_middle_is_an_error_and_leaves_no_image() {
    for step in steps_of("checkpoint") {
        let dir = host::workdir();
        let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
        killed_meanwhile(&step, dir.path(), &victim, victim.pid());
        victim.wait();
    }
}

#[test]
fn a_child_that_dies_in_the_middle_takes_nobody_with_it() {
    for step in steps_of("checkpoint") {
        let dir = host::workdir();
        let mut victim = Program::victim(VICTIM, "lonely", dir.path()).expect("the victim gets ready");
        let child = host::child_of(victim.pid()).expect("a child");
        killed_meanwhile(&step, dir.path(), &victim, child);
        victim.go();
        assert_eq!(victim.finish(), Verdict::Intact, "{step}");
    }
}

#[test]
fn a_restart_killed_at_any_step_leaves_no_process() {
    for kind in ["idle", "tree", "zombies", "sessions"] {
        killed_restarts_leave_nothing(kind);
    }
}

#[track_caller]
fn killed_restarts_leave_nothing(kind: &str) {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, kind, dir.path()).expect("the victim gets ready");
    let family = host::family_of(victim.pid());
    victim.checkpoint_and_kill(&image, &[]);
    // After SIGKILL it is up to whoever reaps orphans here when the zombies go.
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        for step in steps_of("restart") {
            let mut engine =
                paused_at(&step, stasis(["restart", "--detach"]).arg(&image).current_dir(dir.path()));
            send(pid_of(&engine), signal);
            send(pid_of(&engine), Signal::SIGCONT);
            assert!(
                !end_of(&mut engine, &step).success(),
                "{step}: the engine ended well in spite of {signal}"
            );
            wait::until(&format!("the process to go after {signal} at {step}"), || {
                !family.iter().any(|pid| host::is_running(*pid))
            });
            if signal == Signal::SIGINT {
                // Where the engine could clean up there are not even zombies, but for the one that init reaps.
                let left: Vec<_> =
                    family.iter().skip(1).filter(|pid| host::state_of(**pid).is_some()).collect();
                assert!(left.is_empty(), "{kind}, {step}: {left:?}");
            }
            assert_eq!(left_in(dir.path()), ["image.stasis"], "{step}");
        }
    }
}

#[test]
fn an_image_is_readable_by_its_owner_only_whatever_the_umask() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let command = format!("umask 0; exec \"$0\" checkpoint {} -o image.stasis", victim.pid());
    run(Command::new("sh").args(["-c", &command]).arg(stasis_path()).current_dir(dir.path())).succeeded();
    let mode = fs::metadata(&image).expect("the image is there").mode();
    assert_eq!(mode & 0o7777, 0o600, "mode {mode:o}");
}

#[test]
fn a_full_disk_leaves_the_target_running_and_no_file() {
    if !host::is_root() {
        eprintln!("not tested here: only root can mount a small tmpfs");
        return;
    }
    let dir = host::workdir();
    let disk = Mounted::tmpfs(&dir.path().join("disk"), "size=1m");
    fs::write(dir.path().join("size"), "8").expect("the victim's size");
    let mut victim = Program::victim(VICTIM, "ballast", dir.path()).expect("the victim gets ready");
    let image = disk.0.join("image.stasis");
    checkpoint(victim.pid(), &image, &["--kill", "--compress", "none"]).refused(&["image.stasis"]);
    assert_eq!(host::files_in(&disk.0), [""; 0]);
    victim.go();
    victim.finish().must_be_intact();
}

/// A mounted file system, unmounted when dropped.
struct Mounted(PathBuf);

impl Mounted {
    fn tmpfs(at: &Path, options: &str) -> Self {
        fs::create_dir(at).expect("a mount point");
        let flags = nix::mount::MsFlags::empty();
        nix::mount::mount(Some("stasis-test"), at, Some("tmpfs"), flags, Some(options))
            .expect("root can mount");
        Mounted(at.to_owned())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = nix::mount::umount(&self.0);
    }
}

/// Asks for a checkpoint that must be refused with these words and leave no file.
#[track_caller]
fn refused(pid: i32, words: &[&str]) {
    let dir = host::workdir();
    checkpoint(pid, &dir.path().join("image.stasis"), &["--kill"]).refused(words);
    assert_eq!(host::files_in(dir.path()), [""; 0], "a refused checkpoint left a file");
}

/// The child that a victim wrote down.
fn child_of(dir: &Path) -> i32 {
    fs::read_to_string(dir.join("child")).expect("the file `child`").trim().parse().expect("a pid")
}

#[test]
fn a_process_under_a_debugger_is_refused_and_stays_with_it() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "tracer", dir.path()).expect("the victim gets ready");
    let tracer = victim.pid().to_string();
    refused(child_of(dir.path()), &["traced", &tracer]);
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn a_zombie_is_refused_and_can_still_be_waited_for() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "zombie", dir.path()).expect("the victim gets ready");
    refused(child_of(dir.path()), &["zombie"]);
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn a_kernel_thread_is_refused() {
    let kernel_thread = (2..300).find(|&pid| {
        host::state_of(pid).is_some()
            && fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.is_empty())
    });
    match kernel_thread {
        Some(pid) => refused(pid, &["kernel thread"]),
        None => eprintln!("not tested here: this PID namespace shows no kernel thread"),
    }
}

#[test]
fn a_pid_that_is_not_there_is_refused() {
    // Larger than any pid_max.
    refused(4_194_305, &["4194305"]);
}

#[test]
fn everything_that_cannot_be_carried_over_is_named_at_once_and_can_be_allowed() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "unsupported", dir.path()).expect("the victim gets ready");
    let fanotify: Vec<String> = fs::read_dir(format!("/proc/{}/fd", victim.pid()))
        .expect("its descriptors")
        .filter_map(|entry| {
            let entry = entry.expect("a descriptor");
            let target = fs::read_link(entry.path()).ok()?;
            target
                .to_string_lossy()
                .contains("fanotify")
                .then(|| entry.file_name().to_string_lossy().into_owned())
        })
        .collect();
    assert_eq!(fanotify.len(), 2);
    let run = checkpoint(victim.pid(), &dir.path().join("image.stasis"), &["--kill"]);
    run.refused(&["fanotify", &fanotify[0], &fanotify[1], &victim.pid().to_string()]);
    let image = dir.path().join("image.stasis");
    assert!(!image.exists());
    checkpoint(victim.pid(), &image, &["--allow", "descriptor"]).succeeded();
    let said = stasis_tests::engine::run(stasis(["inspect"]).arg(&image)).succeeded().stdout;
    assert!(said.contains("fanotify"), "inspect does not show what was given up:\n{said}");
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn a_pipe_or_socket_that_somebody_else_has_too_is_not_quietly_cut_in_two() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "sharedpipe", dir.path()).expect("the victim gets ready");
    let child = child_of(dir.path());
    let image = dir.path().join("image.stasis");
    let alone = checkpoint(victim.pid(), &image, &["--allow", "children"]);
    alone.refused(
        &["pipe", "socket"]
            .map(|what| format!("process {child} outside has this {what} too"))
            .each_ref()
            .map(String::as_str),
    );
    assert!(!image.exists());
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn a_vfork_that_does_not_end_is_told_and_nobody_is_held_up() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "vforked", dir.path()).expect("the victim gets ready");
    refused(victim.pid(), &["vfork(2)", "try again"]);
    send(host::child_of(victim.pid()).expect("the child"), Signal::SIGKILL);
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn what_would_be_undone_of_semaphores_is_not_quietly_forgotten() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "semundo", dir.path()).expect("the victim gets ready");
    refused(victim.pid(), &["SEM_UNDO", "--allow sysv"]);
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn a_file_that_lives_on_under_another_name_is_not_quietly_made_two() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "othername", dir.path()).expect("the victim gets ready");
    refused(victim.pid(), &["first-name"]);
    victim.go();
    victim.finish().must_be_intact();
}

/// A copy of the engine and a victim that `nobody` may run, wherever the repository lies.
fn for_nobody(dir: &Path) -> (PathBuf, PathBuf) {
    let copy = |from: &Path, name: &str| {
        let to = dir.join(name);
        fs::copy(from, &to).expect("the program can be copied");
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).expect("its mode can be set");
        to
    };
    (copy(stasis_path(), "stasis"), copy(Path::new(VICTIM), "victim"))
}

#[test]
fn another_users_process_is_refused_without_the_right() {
    if !host::is_root() {
        // Whoever is not root finds a process of root's under pid 1.
        return refused(1, &["1"]);
    }
    let dir = host::workdir();
    let (stasis, _) = for_nobody(dir.path());
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let pid = victim.pid().to_string();
    let mut command = Command::new(stasis);
    command.args(["checkpoint", &pid, "-o", "image.stasis"]).uid(NOBODY).gid(NOBODY).current_dir(dir.path());
    run(&mut command).refused(&[&pid]);
    assert!(!dir.path().join("image.stasis").exists());
}

#[test]
fn an_ordinary_user_checkpoints_and_restarts_a_process_of_its_own() {
    let dir = host::workdir();
    let (stasis, victim) = for_nobody(dir.path());
    let as_user = |command: &mut Command| {
        if host::is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.current_dir(dir.path());
    };
    let mut command = Command::new(victim);
    as_user(command.arg("pipes"));
    // The file for stderr is root's if made by us; the victim makes its own.
    let mut victim = Program::start(&mut command, dir.path());
    assert!(victim.ready(), "{:?}", victim.finish());
    let pid = victim.pid().to_string();
    let mut command = Command::new(&stasis);
    as_user(command.args(["checkpoint", &pid, "-o", "image.stasis", "--kill"]));
    run(&mut command).succeeded();
    victim.wait();
    assert_eq!(fs::metadata(dir.path().join("image.stasis")).expect("the image").mode() & 0o777, 0o600);
    let mut command = Command::new(&stasis);
    as_user(command.args(["restart", "--detach", "--pid-file", "pid-user", "image.stasis"]));
    run(&mut command).succeeded();
    let restored = stasis_tests::program::Restored::from_pid_file(&dir.path().join("pid-user"), dir.path());
    restored.go();
    restored.finish().must_be_intact();
}

#[test]
fn a_restart_gives_no_credentials_that_the_caller_could_not_take() {
    if !host::is_root() {
        eprintln!("not tested here: the image of a process of root's takes root to make");
        return;
    }
    let dir = host::workdir();
    let (stasis, _) = for_nobody(dir.path());
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let pid = victim.pid();
    victim.checkpoint_and_kill(&image, &[]);
    // Everything but the credentials is within reach.
    for name in ["image.stasis", "out", "err", "verdict"] {
        let path = dir.path().join(name);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).expect("the file can be given away");
    }
    let mut command = Command::new(stasis);
    command.args(["restart", "--detach", "image.stasis"]).uid(NOBODY).gid(NOBODY).current_dir(dir.path());
    run(&mut command).refused(&["uid"]);
    assert!(!host::is_running(pid));
}

#[test]
fn a_damaged_or_cut_image_restarts_nothing_and_leaves_no_file() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM_STATIC, "idle", dir.path()).expect("the victim gets ready");
    let pid = victim.pid();
    victim.checkpoint_and_kill(&image, &[]);
    let good = fs::read(&image).expect("the image");
    let broken = dir.path().join("broken.stasis");
    // Each is tried in tests/damage.rs; here the commands are, at positions spread over all kinds of records.
    let positions: Vec<usize> = (0..13).map(|step| step * good.len() / 13 + step % 7).collect();
    let attempt = |bytes: &[u8], what: &str| {
        fs::write(&broken, bytes).expect("a broken image");
        let invalid = run(stasis(["validate"]).arg(&broken));
        assert_eq!(
            invalid.status.code(),
            Some(1),
            "{what}: validate said\n{}{}",
            invalid.stdout,
            invalid.stderr
        );
        for from in ["a file", "a pipe"] {
            let run = if from == "a file" {
                restart(&broken, dir.path(), &["--detach"])
            } else {
                let pipeline = "cat broken.stasis | \"$0\" restart --detach --trust -";
                run(Command::new("sh").args(["-c", pipeline]).arg(stasis_path()).current_dir(dir.path()))
            };
            assert!(!run.status.success(), "{what}: restarted from {from}");
            run.refused(&[]);
            assert!(!host::is_running(pid), "{what}: {from} left a process");
            assert_eq!(left_in(dir.path()), ["broken.stasis", "image.stasis"], "{what}: {from}");
        }
    };
    for (index, &at) in positions.iter().enumerate() {
        let mut bytes = good.clone();
        let bit = 1u8 << (index % 8);
        bytes[at] ^= bit;
        attempt(&bytes, &format!("bit {bit:#x} of byte {at}"));
    }
    for &length in &positions {
        attempt(&good[..length], &format!("cut to {length} bytes"));
    }
}
