//! Images of a program that runs on, images that go through pipes, and restarts beside the original.

use std::fs;
use std::process::Command;

use stasis_tests::engine::{checkpoint, restart_detached, run, stasis_path};
use stasis_tests::host;
use stasis_tests::program::{Program, Restored, VICTIM, Verdict};

#[test]
fn a_program_that_is_checkpointed_five_times_shows_no_gap_and_no_error() {
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "counter", dir.path()).expect("the victim gets ready");
    for round in 0..5 {
        checkpoint(victim.pid(), &dir.path().join(format!("{round}.stasis")), &[]).succeeded();
    }
    victim.go();
    victim.finish().must_be_intact();
    let log = fs::read_to_string(dir.path().join("log")).expect("the victim's log");
    for (index, line) in log.lines().enumerate() {
        assert_eq!(line, (index + 1).to_string(), "line {} of the log", index + 1);
    }
    assert!(log.ends_with('\n'), "the last line is torn");
}

/// A victim with much in it: the one with most takes root.
fn rich() -> &'static str {
    if host::is_root() { "mappings" } else { "files" }
}

#[test]
fn an_image_goes_through_pipes_and_zstd() {
    if host::program("zstd").is_none() || host::program("bash").is_none() {
        return;
    }
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, rich(), dir.path()).expect("the victim gets ready");
    let pipeline = format!(
        "set -o pipefail; {stasis} checkpoint {pid} -o - --kill | zstd -q | zstd -dq \
         | {stasis} restart --detach --trust --pid-file pid-piped -",
        stasis = stasis_path().display(),
        pid = victim.pid(),
    );
    run(Command::new("bash").args(["-c", &pipeline]).current_dir(dir.path())).succeeded();
    victim.wait();
    let restored = Restored::from_pid_file(&dir.path().join("pid-piped"), dir.path());
    restored.go();
    restored.finish().must_be_intact();
}

#[test]
fn a_compressed_image_restarts() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, rich(), dir.path()).expect("the victim gets ready");
    victim.checkpoint_and_kill(&image, &["--compress", "zstd"]);
    let restored = restart_detached(&image, dir.path());
    restored.go();
    restored.finish().must_be_intact();
}

#[test]
fn a_restart_beside_the_living_original_keeps_its_pids_in_a_namespace() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut original = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    checkpoint(original.pid(), &image, &[]).succeeded();
    let restored = restart_detached(&image, dir.path());
    assert_ne!(restored.pid(), original.pid(), "two processes cannot have one pid here");
    restored.go();
    assert_eq!(restored.finish(), Verdict::Intact, "the copy");
    fs::write(dir.path().join("verdict"), "").expect("the verdict can be emptied");
    original.go();
    assert_eq!(original.finish(), Verdict::Intact, "the original");
}

#[test]
fn two_restarts_of_one_image_at_the_same_time_are_equal() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let mut victim = Program::victim(VICTIM, "mm", dir.path()).expect("the victim gets ready");
    victim.checkpoint_and_kill(&image, &[]);
    let first = restart_detached(&image, dir.path());
    let second = restart_detached(&image, dir.path());
    assert_ne!(first.pid(), second.pid());
    for (restored, which) in [(first, "the first"), (second, "the second")] {
        fs::write(dir.path().join("verdict"), "").expect("the verdict can be emptied");
        restored.go();
        assert_eq!(restored.finish(), Verdict::Intact, "{which}");
    }
}

#[test]
fn a_program_whose_file_was_deleted_while_it_ran_comes_back() {
    if !host::is_root() {
        eprintln!("not tested here: a mapped file without a name can be reached by root only");
        return;
    }
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let program = dir.path().join("program");
    fs::copy(VICTIM, &program).expect("the victim can be copied");
    let name = program.to_string_lossy().into_owned();
    let mut victim = Program::victim(&name, "idle", dir.path()).expect("the victim gets ready");
    fs::remove_file(&program).expect("the program can be deleted");
    victim.checkpoint_and_kill(&image, &[]);
    let restored = restart_detached(&image, dir.path());
    assert!(!program.exists(), "the restart put the program back under its name");
    restored.go();
    restored.finish().must_be_intact();
}
