//! The two calls of revision 1, made by `stasis syscall` on descriptors that a shell opened: all 79 cases of the
//! kernel's reader, and what pipes and closed descriptors come to.

use std::fs::{self, File};
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use stasis_tests::engine::{Run, end_of, run, stasis, stasis_path};
use stasis_tests::host;

/// A file of the conformance data.
fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("data/conformance").join(name)
}

/// Runs a script in which `$0` is the engine.
fn sh(script: &str) -> Run {
    let dir = host::workdir();
    run(Command::new("sh")
        .args(["-c", script])
        .arg(stasis_path())
        .current_dir(dir.path())
        .stdin(Stdio::null()))
}

/// A name as the kernel keeps it, 15 bytes and a NUL, in hexadecimal.
fn comm(name: &[u8]) -> String {
    let padded = name.iter().copied().take(15).chain(std::iter::repeat(0)).take(16);
    padded.map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn every_conformance_case_is_answered_as_the_kernel_answers() {
    let cases = fs::read_to_string(data("cases.json")).expect("the cases");
    let cases: serde_json::Value = serde_json::from_str(&cases).expect("the cases are JSON");
    let cases = cases.as_array().expect("a list of cases");
    assert_eq!(cases.len(), 79);
    let mut wrong = Vec::new();
    for case in cases {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        let number = |name: &str| case[name].to_string();
        let image = File::open(data(&text("image"))).expect("the image of the case");
        let args = ["syscall", "restart", "1", &number("fd"), &number("flags"), "--kernel", &text("kernel")];
        let said = run(stasis(args).stdin(image)).succeeded().stdout;
        let due = match case["consumed"].as_u64() {
            Some(taken) => format!("ret {} off {taken} comm {}\n", number("ret"), text("comm")),
            // How far the kernel's reader comes before it is wrong is its own affair.
            None => {
                let words: Vec<&str> = said.split(' ').collect();
                let taken = words.get(3).copied().unwrap_or_default();
                format!("ret {} off {taken} comm {}\n", number("ret"), text("comm"))
            }
        };
        if said != due {
            wrong.push(format!("{}: {said:?}, due is {due:?} ({})", text("name"), text("why")));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn images_follow_each_other_on_a_pipe_and_not_one_byte_behind_the_last_is_taken() {
    let writes = "\"$0\" syscall checkpoint 0 1 0; \"$0\" syscall checkpoint $$ 1 0; printf rest";
    let reads = "\"$0\" syscall restart 1 0 0; \"$0\" syscall restart 2 0 0; cat";
    let said = sh(&format!("{{ {writes}; }} | {{ {reads}; }}")).succeeded();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.stdout);
    // The caller's name is that of its program, the shell's is `sh`.
    let caller = stasis_path().file_name().expect("a program has a name").as_encoded_bytes();
    assert_eq!(lines[0], format!("ret 0 off 304 comm {}", comm(caller)));
    assert_eq!(lines[1], format!("ret 0 off 304 comm {}", comm(b"sh")));
    assert_eq!(lines[2], "rest");
    assert_eq!(said.stderr, "ret 1\nret 1\n", "each process counts for itself");
}

#[test]
fn flags_come_before_the_descriptor_and_the_descriptor_before_the_task() {
    let ret = |args: &str| sh(&format!("exec \"$0\" syscall checkpoint {args}")).succeeded().stderr;
    assert_eq!(ret("0 9 1 9>&-"), "ret -22\n");
    assert_eq!(ret("0 9 0x8000000000000000 9>&-"), "ret -22\n");
    assert_eq!(ret("-1 9 0 9>&-"), "ret -9\n");
    assert_eq!(ret("0 -1 0"), "ret -9\n");
    assert_eq!(ret("0 9 0 9</dev/null"), "ret -9\n", "a descriptor that cannot be written");
    // Larger than any pid_max.
    assert_eq!(ret("4194305 1 0"), "ret -3\n");
    assert_eq!(ret("-5 1 0"), "ret -3\n");
}

#[test]
fn a_full_disk_and_a_reader_that_went_are_errors_and_kill_nobody() {
    assert_eq!(sh("exec \"$0\" syscall checkpoint 0 1 0 >/dev/full").succeeded().stderr, "ret -28\n");
    // The shell's `read` takes one byte and closes the pipe; the engine writes when that is done.
    let script = "mkfifo gate; { read line <gate; exec \"$0\" syscall checkpoint 0 1 0; } | { exec <&-; echo go >gate; }";
    assert_eq!(sh(script).stderr, "ret -32\n");
}

#[test]
fn a_descriptor_that_is_not_ready_is_waited_for() {
    let image = fs::read(data("valid.img")).expect("a sound image");
    let (mut near, far) = UnixStream::pair().expect("a pair of sockets");
    far.set_nonblocking(true).expect("it can be made so");
    let mut command = stasis(["syscall", "restart", "1", "0", "0", "--kernel", "6.18.44"]);
    let mut engine = command
        .stdin(Stdio::from(OwnedFd::from(far)))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the engine can be run");
    // Ours of its end: without this there would be no end of the stream if the engine died.
    drop(command);
    for piece in image.chunks(7) {
        near.write_all(piece).expect("the engine takes all of it");
    }
    assert!(end_of(&mut engine, "a restart from a socket").success());
    let said = std::io::read_to_string(engine.stdout.take().expect("a pipe")).expect("its output");
    assert_eq!(said, "ret 0 off 304 comm 776f726b657200000000000000000000\n");
}
