//! The commands around checkpoint and restart: help, manual, completions, check, and looking at images that are
//! broken, old, or come through a pipe.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use stasis_tests::engine::{Run, checkpoint, run, stasis, stasis_path};
use stasis_tests::host;
use stasis_tests::program::{Program, Restored, VICTIM};

/// Runs a script in `dir` in which `$0` is the engine.
fn sh(dir: &Path, script: &str) -> Run {
    run(Command::new("sh").args(["-c", script]).arg(stasis_path()).current_dir(dir).stdin(Stdio::null()))
}

/// An image of a victim that goes away with this test.
fn image(dir: &Path) {
    let victim = Program::victim(VICTIM, "idle", dir).expect("the victim gets ready");
    checkpoint(victim.pid(), &dir.join("image.stasis"), &[]).succeeded();
}

#[test]
fn every_command_has_help_and_a_manual_page() {
    let dir = host::workdir();
    let help = run(&mut stasis(["--help"])).succeeded().stdout;
    run(&mut stasis(["man", &dir.path().join("man").to_string_lossy()])).succeeded();
    for command in
        ["checkpoint", "restart", "inspect", "validate", "view", "check", "syscall", "completions", "man"]
    {
        assert!(help.contains(command), "the help lacks {command}:\n{help}");
        run(&mut stasis([command, "--help"])).succeeded();
        let page =
            fs::read_to_string(dir.path().join(format!("man/stasis-{command}.1"))).expect("a manual page");
        assert!(page.contains(".SH DESCRIPTION"), "{page}");
    }
    assert!(!help.contains("\n  steps"), "what is for tests only is in the help:\n{help}");
    let page = fs::read_to_string(dir.path().join("man/stasis.1")).expect("the manual page");
    assert!(page.contains("Exit codes"), "the manual lacks the exit codes:\n{page}");
    assert!(host::files_in(&dir.path().join("man")).iter().all(|page| !page.contains("steps")));
}

#[test]
fn shells_take_their_completions() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(&mut stasis(["completions", shell])).succeeded().stdout;
        assert!(script.contains("embed-files"), "the completions for {shell} lack an option");
    }
    if host::program("bash").is_some() {
        let dir = host::workdir();
        sh(dir.path(), "\"$0\" completions bash >it && bash -n it").succeeded();
    }
}

#[test]
fn wrong_usage_is_2_and_says_what_is_right() {
    for (args, words) in [
        (&["checkpoint"][..], "PID"),
        (&["checkpoint", "0"], "0"),
        (&["checkpoint", "1", "--compress", "zstd:99"], "22"),
        (&["checkpoint", "1", "--allow", "everything"], "descriptor"),
        (&["restart", "x", "--fd", "1"], "N=PATH"),
        (&["view"], "FILE"),
        (&["view", "x", "--port", "65536"], "65535"),
        (&["frobnicate"], "frobnicate"),
    ] {
        let said = run(&mut stasis(args));
        assert_eq!(said.status.code(), Some(2), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains(words), "{args:?}: {}", said.stderr);
    }
}

#[test]
fn an_error_is_one_sentence_and_a_hint() {
    let said = run(&mut stasis(["restart", "nothing-there"]));
    assert_eq!(said.status.code(), Some(125), "{}", said.stderr);
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    assert!(said.stderr.starts_with("stasis: nothing-there "), "{}", said.stderr);
    let dir = host::workdir();
    let said = sh(dir.path(), "echo text >text; exec \"$0\" restart text");
    assert_eq!(said.status.code(), Some(125), "{}", said.stderr);
    assert!(said.stderr.contains("\nhint: "), "{}", said.stderr);
}

#[test]
fn check_has_a_line_for_everything_and_no_colour_off_a_terminal() {
    let said = run(&mut stasis(["check"])).stdout;
    for word in ["kernel", "same pid", "pid namespaces", "shared files", "raising limits"] {
        assert!(said.lines().any(|line| line.starts_with(word)), "no {word:?} in\n{said}");
    }
    assert!(!said.contains('\x1b'), "{said}");
}

#[test]
fn inspect_and_validate_read_an_image_from_a_pipe() {
    let dir = host::workdir();
    image(dir.path());
    let file = sh(dir.path(), "exec \"$0\" inspect image.stasis").succeeded().stdout;
    let pipe = sh(dir.path(), "cat image.stasis | \"$0\" inspect -").succeeded().stdout;
    let behind_name = |text: &str| text.split_once('\n').map(|(_, rest)| rest.to_owned());
    assert_eq!(behind_name(&file), behind_name(&pipe));
    sh(dir.path(), "cat image.stasis | \"$0\" validate -").succeeded();
    let cut = sh(dir.path(), "head -c 5000 image.stasis | \"$0\" validate -");
    assert_eq!(cut.status.code(), Some(1), "{}", cut.stdout);
}

#[test]
fn inspect_shows_what_is_left_of_a_cut_image_and_fails() {
    let dir = host::workdir();
    image(dir.path());
    let said = sh(dir.path(), "head -c 5000 image.stasis >cut; exec \"$0\" inspect cut");
    assert_eq!(said.status.code(), Some(1), "{}", said.stderr);
    assert!(said.stdout.contains("IMAGE"), "{}", said.stdout);
    said.refused(&["cut", "hint: "]);
}

#[test]
fn inspect_shows_an_image_of_revision_1() {
    let dir = host::workdir();
    let script = "\"$0\" syscall checkpoint 0 3 0 3>old; exec \"$0\" inspect old";
    let said = sh(dir.path(), script).succeeded().stdout;
    for word in ["HEAD", "TASK", "STRING", "TAIL", "task_comm_len", "stasis"] {
        assert!(said.contains(word), "no {word:?} in\n{said}");
    }
    sh(dir.path(), "exec \"$0\" inspect --json old").succeeded();
}

#[test]
fn an_image_of_revision_1_is_judged_for_the_kernel_that_is_named() {
    let dir = host::workdir();
    let code = |args: &str| {
        sh(dir.path(), &format!("\"$0\" syscall checkpoint 0 3 0 3>old; exec \"$0\" validate old {args}"))
            .status
            .code()
    };
    assert_eq!(code(""), Some(0));
    assert_eq!(code("--kernel 2.6.27"), Some(1));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = host::workdir();
    image(dir.path());
    // The gate makes sure that the reader is gone before a line is written.
    let script =
        "mkfifo gate; { read line <gate; \"$0\" inspect image.stasis; } | { exec <&-; echo go >gate; }";
    let said = sh(dir.path(), script);
    assert_eq!(said.stderr, "");
}

#[test]
fn an_image_goes_into_a_pipe_without_a_name_and_a_device_stays_one() {
    let dir = host::workdir();
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let pid = victim.pid();
    let said = sh(dir.path(), &format!("\"$0\" checkpoint {pid} -o - | \"$0\" validate -")).succeeded();
    assert!(said.stdout.contains("sound"), "{}", said.stdout);
    checkpoint(pid, Path::new("/dev/null"), &[]).succeeded();
    assert!(fs::metadata("/dev/null").expect("/dev/null").len() == 0);
    assert!(!fs::metadata("/dev/null").expect("/dev/null").is_file(), "/dev/null became a file");
}

#[test]
fn a_checkpoint_that_replaces_an_image_leaves_one_file() {
    let dir = host::workdir();
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let path = dir.path().join("images");
    fs::create_dir(&path).expect("a directory for images");
    for _ in 0..2 {
        checkpoint(victim.pid(), &path.join("image.stasis"), &[]).succeeded();
        assert_eq!(host::files_in(&path), ["image.stasis"]);
    }
    run(stasis(["validate"]).arg(path.join("image.stasis"))).succeeded();
}

#[test]
fn verbose_tells_the_steps() {
    let dir = host::workdir();
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let said = checkpoint(victim.pid(), &dir.path().join("image.stasis"), &["-v"]).succeeded().stderr;
    for step in ["look", "seize", "capture", "contents", "finish"] {
        assert!(said.contains(step), "no {step} in\n{said}");
    }
}

#[test]
fn a_pid_file_that_cannot_be_written_is_found_before_anything_runs() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let pid = victim.pid();
    victim.checkpoint_and_kill(&dir.path().join("image.stasis"), &[]);
    let said = sh(dir.path(), "exec \"$0\" restart --detach --pid-file missing/pid image.stasis");
    assert_eq!(said.status.code(), Some(125), "{}", said.stderr);
    assert!(said.stderr.contains("missing/pid"), "{}", said.stderr);
    assert!(!host::is_running(pid));
}

#[test]
fn two_images_in_one_stream_restart_one_after_the_other() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    victim.checkpoint_and_kill(&dir.path().join("image.stasis"), &[]);
    let restart = |n: u32| format!("\"$0\" restart --detach --trust --pid-file pid-{n} -");
    let script = format!("cat image.stasis image.stasis | {{ {} && {} && cat; }}", restart(1), restart(2));
    let said = sh(dir.path(), &script).succeeded();
    assert_eq!(said.stdout, "", "bytes of the images were left over");
    let both = [1, 2].map(|n| Restored::from_pid_file(&dir.path().join(format!("pid-{n}")), dir.path()));
    assert!(both.iter().all(Restored::is_running));
    assert_ne!(both[0].pid(), both[1].pid());
}
