//! The reader of revision 1 against the answers of the kernel's reader, one case by one, and the writer against
//! the sound image among them.
#![cfg(not(target_arch = "wasm32"))] // reads files

use serde::Deserialize;
use stasis_format::head::{Head, KernelVersion};
use stasis_format::rev1::{self, Restart, Step};
use std::path::PathBuf;

#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    image: String,
    kernel: String,
    fd: i64,
    flags: u64,
    ret: i64,
    consumed: Option<u64>,
    comm: String,
    why: String,
}

fn data(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/conformance").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// What the call returns, the bytes it takes, and the task's name afterwards.
fn restart(case: &Case) -> (i64, u64, String) {
    let mut comm = *b"before\0\0\0\0\0\0\0\0\0\0";
    let hex = |comm: [u8; 16]| comm.iter().map(|b| format!("{b:02x}")).collect::<String>();
    // The checks of the call itself, in the order of the patch.
    if case.flags != 0 {
        return (-22, 0, hex(comm));
    }
    if case.fd < 0 {
        return (-9, 0, hex(comm));
    }
    let image = data(&case.image);
    let mut left = image.as_slice();
    let mut restart = Restart::new(KernelVersion::parse(&case.kernel).unwrap());
    let ret = loop {
        let Some((now, rest)) = left.split_at_checked(restart.wants()) else {
            left = &[];
            let (name, ret) = restart.end();
            comm = name.unwrap_or(comm);
            break ret;
        };
        left = rest;
        match restart.feed(now) {
            Step::Need => {}
            Step::SetComm(name) => comm = name,
            Step::Done(ret) => break ret,
        }
    };
    (ret, (image.len() - left.len()) as u64, hex(comm))
}

#[test]
fn every_case_is_answered_as_the_kernel_answers() {
    let cases: Vec<Case> = serde_json::from_slice(&data("cases.json")).unwrap();
    assert_eq!(cases.len(), 79);
    let mut wrong = Vec::new();
    for case in &cases {
        let (ret, consumed, comm) = restart(case);
        if ret != case.ret || comm != case.comm || case.consumed.is_some_and(|want| want != consumed) {
            wrong.push(format!("{}: {ret} {consumed} {comm}, due {case:?} ({})", case.name, case.why));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_writer_makes_the_sound_image_to_the_byte() {
    let want = data("valid.img");
    let head = Head::from_payload(&want[8..232]).unwrap();
    let task = rev1::Task::from_payload(&want[240..264]).unwrap();
    let comm = want[272..288].try_into().unwrap();
    assert_eq!(&comm, b"worker\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(
        rev1::write(&Head { rev: 2, ..head }, &rev1::Task { task_comm_len: 0, pad: 7, ..task }, &comm),
        want
    );
}
