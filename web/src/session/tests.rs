//! Sessions over images in memory.

use super::{Search, Session};
use crate::proto::{Scope, Space};
use std::path::PathBuf;

fn conformance() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/conformance")
}

fn image(name: &str) -> Vec<u8> {
    std::fs::read(conformance().join(name)).expect("a conformance image")
}

fn open(bytes: Vec<u8>) -> Session<Vec<u8>> {
    Session::open(bytes, "an image".into(), None).expect("bytes in memory can be read")
}

#[test]
fn every_conformance_image_gives_the_verdict_of_the_kernel() {
    let cases = std::fs::read(conformance().join("cases.json")).expect("cases.json");
    let cases: serde_json::Value = serde_json::from_slice(&cases).expect("JSON");
    for case in cases.as_array().expect("a list") {
        let text = |name: &str| case[name].as_str().unwrap_or_default().to_owned();
        if text("name").starts_with("syscall-") {
            continue;
        }
        let session =
            Session::open(image(&text("image")), text("name"), Some(text("kernel"))).expect("opens");
        let opened = session.opened().expect("can be shown");
        assert_eq!(Some(opened.verdict.ret), case["ret"].as_i64(), "{}", text("name"));
        let has_error = opened.verdict.findings.iter().any(|finding| finding.severity == "error");
        assert_eq!(has_error, !opened.verdict.valid, "{}", text("name"));
        assert!(opened.verdict.ret == 0 || has_error, "{}: a reason is given", text("name"));
    }
}

#[test]
fn every_truncation_and_every_flipped_bit_can_be_looked_at() {
    let whole = image("valid.img");
    let mut broken: Vec<Vec<u8>> = (0..whole.len()).map(|len| whole[..len].to_vec()).collect();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        broken.push(bytes);
    }
    for bytes in broken {
        let mut session = open(bytes);
        let opened = session.opened().expect("can be shown");
        session.rows(0, 100).expect("has rows");
        for finding in opened.verdict.findings {
            let _ = session.reveal(finding.offset);
        }
    }
}

#[test]
fn a_byte_leads_to_its_record_and_field() {
    let mut session = open(image("valid.img"));
    let record = session.reveal(0x108).expect("a record is there");
    assert_eq!((record.name.as_str(), record.offset), ("STRING", 264));
    assert!(record.fields.iter().any(|field| field.name == "kind"));
    assert_eq!(session.rows(0, 10).expect("rows").1, 4);
}

#[test]
fn the_file_is_searched_for_bytes() {
    let mut session = open(image("valid.img"));
    let mut search = Search::new(b"worker".to_vec(), Scope::File);
    let (hits, over) = session.search_step(&mut search).expect("can be searched");
    assert!(over);
    assert_eq!(hits.iter().map(|hit| (hit.space, hit.at)).collect::<Vec<_>>(), [(Space::File, 272)]);
}

#[test]
fn the_json_is_that_of_the_command_line() {
    let bytes = image("valid.img");
    let session = open(bytes.clone());
    let mut same = Vec::new();
    stasis_format::json::write(&bytes, &mut same).expect("memory takes everything");
    assert_eq!(session.json().expect("JSON"), same);
}

#[test]
fn an_image_compared_with_itself_has_no_change_and_with_another_has_the_field() {
    let session = open(image("valid.img"));
    assert!(session.compare(&open(image("valid.img"))).expect("compares").changes.is_empty());
    let changes = session.compare(&open(image("valid-comm-15.img"))).expect("compares").changes;
    assert_eq!(changes.len(), 1);
    assert!(changes[0].record.starts_with("STRING"));
}

#[test]
fn a_file_that_is_no_image_is_called_what_it_looks_like() {
    let opened =
        open(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0\x3e\0".to_vec()).opened().expect("can be shown");
    assert_eq!(opened.looks_like.as_deref(), Some("an ELF core dump"));
}
