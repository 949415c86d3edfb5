//! The command line as its manual describes it: names, exit codes, and what people and programs can read.

use std::fs;
use std::process::Command;

use stasis_tests::engine::{checkpoint, run, stasis, stasis_path};
use stasis_tests::host;
use stasis_tests::program::{Program, VICTIM};

#[test]
fn without_a_name_the_image_is_called_after_the_program_and_its_pid() {
    let dir = host::workdir();
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    run(stasis(["checkpoint", &victim.pid().to_string()]).current_dir(dir.path())).succeeded();
    assert!(dir.path().join(format!("victim-{}.stasis", victim.pid())).is_file());
}

#[test]
fn an_image_is_not_written_to_a_terminal() {
    if host::program("script").is_none() {
        return;
    }
    let dir = host::workdir();
    let mut victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    let command = format!("{} checkpoint {} -o - --kill", stasis_path().display(), victim.pid());
    // script(1) gives the command a terminal of its own and passes its exit status on.
    let said = run(Command::new("script").args(["-qec", &command, "/dev/null"]).current_dir(dir.path()));
    assert!(!said.status.success(), "{}", said.stdout);
    assert!(said.stdout.contains("terminal"), "{}", said.stdout);
    victim.go();
    victim.finish().must_be_intact();
}

#[test]
fn revision_1_is_the_image_of_the_patch() {
    let dir = host::workdir();
    let image = dir.path().join("old.stasis");
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    checkpoint(victim.pid(), &image, &["--rev", "1"]).succeeded();
    let bytes = fs::read(&image).expect("the image");
    assert_eq!(bytes.len(), 304);
    assert_eq!(&bytes[8..16], 0x00fe_ed0c_c0a2_d200u64.to_le_bytes(), "the magic number of HEAD");
    assert_eq!(&bytes[296..], 0x002d_2a0c_c0de_ef00u64.to_le_bytes(), "the magic number of TAIL");
    run(stasis(["validate"]).arg(&image)).succeeded();
}

#[test]
fn inspect_shows_people_and_programs_what_is_in_an_image() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let victim = Program::victim(VICTIM, "threads", dir.path()).expect("the victim gets ready");
    checkpoint(victim.pid(), &image, &[]).succeeded();
    let pid = victim.pid().to_string();
    let text = run(stasis(["inspect"]).arg(&image)).succeeded().stdout;
    for word in ["victim", pid.as_str(), "worker-3", "[stack]", "verdict"] {
        assert!(text.contains(word), "no {word:?} in\n{text}");
    }
    let json = run(stasis(["inspect", "--json"]).arg(&image)).succeeded().stdout;
    serde_json::from_str::<serde_json::Value>(&json).expect("inspect --json prints one JSON value");
    assert!(json.contains(&pid), "no pid in the JSON");
}

#[test]
fn validate_says_0_for_whole_1_for_broken_2_for_out_of_reach() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    checkpoint(victim.pid(), &image, &[]).succeeded();
    let code = |path: &str| run(stasis(["validate", path]).current_dir(dir.path())).status.code();
    assert_eq!(code("image.stasis"), Some(0));
    fs::write(dir.path().join("text"), "no image at all").expect("a text file");
    assert_eq!(code("text"), Some(1));
    fs::write(dir.path().join("empty"), "").expect("an empty file");
    assert_eq!(code("empty"), Some(1));
    assert_eq!(code("nothing-there"), Some(2));
    let findings = run(stasis(["validate", "--json", "text"]).current_dir(dir.path())).stdout;
    serde_json::from_str::<serde_json::Value>(&findings).expect("validate --json prints one JSON value");
}

#[test]
fn check_tells_what_this_host_can_do() {
    let said = run(&mut stasis(["check"]));
    assert!(said.status.code().is_some_and(|code| code < 2), "{}", said.stderr);
    assert!(!said.stdout.is_empty());
}

#[test]
fn the_inspected_image_says_what_the_standard_descriptors_were() {
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let victim = Program::victim(VICTIM, "idle", dir.path()).expect("the victim gets ready");
    checkpoint(victim.pid(), &image, &[]).succeeded();
    let text = run(stasis(["inspect"]).arg(&image)).succeeded().stdout;
    let out = dir.path().join("out");
    assert!(text.contains("/dev/null") && text.contains(&*out.to_string_lossy()), "{text}");
}
