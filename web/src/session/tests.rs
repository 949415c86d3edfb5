//! Sessions over images in memory.

use super::{Hunt, Search, Session, Strings};
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

/// All that is found, place by place.
fn hunt(session: &mut Session<Vec<u8>>, mut hunt: Hunt) -> Vec<crate::proto::Hit> {
    let mut all = Vec::new();
    loop {
        let (hits, over) = session.hunt_step(&mut hunt).expect("can be searched");
        all.extend(hits);
        let (done, total) = session.progress(&hunt);
        assert!(done <= total, "{done} of {total}");
        if over {
            return all;
        }
    }
}

fn search(session: &mut Session<Vec<u8>>, text: &str, scope: Scope) -> Vec<crate::proto::Hit> {
    hunt(session, Hunt::Search(Search::new(text.into(), Some(text.into()), scope)))
}

fn sleep() -> Session<Vec<u8>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples/sleep.img");
    open(std::fs::read(path).expect("a real image"))
}

#[test]
fn the_file_is_searched_for_bytes() {
    let mut session = open(image("valid.img"));
    let hits = search(&mut session, "worker", Scope::File);
    assert_eq!(hits.iter().map(|hit| (hit.space, hit.at)).collect::<Vec<_>>(), [(Space::File, 272)]);
}

#[test]
fn records_are_searched_by_their_bytes_and_by_what_they_say() {
    let mut session = open(image("valid.img"));
    let hits = search(&mut session, "worker", Scope::Records);
    assert_eq!(
        hits.iter().map(|hit| (hit.at, hit.place.as_str())).collect::<Vec<_>>(),
        [(272, "STRING.string")]
    );
    let mut session = sleep();
    let hits = search(&mut session, "/dev/null", Scope::Records);
    assert!(!hits.is_empty() && hits.iter().all(|hit| hit.space == Space::File));
    // No byte of the image says so: it is what the value means.
    let hits = search(&mut session, "rlimit_nofile", Scope::Records);
    assert!(hits.iter().any(|hit| hit.place == "RLIMIT.resource"), "{hits:?}");
    assert!(!search(&mut session, "thread", Scope::Records).is_empty(), "kinds have names");
}

#[test]
fn strings_of_a_region_are_listed_at_their_addresses_and_agree_with_the_search() {
    let mut session = sleep();
    let task = session.opened().expect("can be shown").tasks.remove(0);
    let map = session.map(task.mm).expect("has memory");
    let stack = map.areas.iter().find(|area| area.name == "[stack]").expect("has a stack");
    let space = Space::Memory(task.mm);
    let list = |text: &str| Strings::new(space, stack.start, stack.end - stack.start, 4, text);
    let all = hunt(&mut session, Hunt::Strings(list("")));
    assert!(all.len() > 5, "environment and arguments are strings");
    assert!(
        all.iter().all(|hit| hit.at >= stack.first.expect("is held") && hit.at < stack.end && hit.len >= 4)
    );
    let some = hunt(&mut session, Hunt::Strings(list("SLEEP")));
    assert!(!some.is_empty() && some.len() < all.len(), "whatever the case");
    for hit in &some {
        let (bytes, held) = session.bytes(space, hit.at, hit.len.into()).expect("can be read");
        let from = (hit.at % 4096) as usize;
        assert!(held[0]);
        let text = String::from_utf8_lossy(&bytes[from..from + hit.len as usize]).into_owned();
        assert_eq!(text, hit.around);
        let found = search(&mut session, &text, Scope::Pages);
        assert!(found.iter().any(|other| other.at == hit.at), "{text:?} at {:#x}", hit.at);
    }
}

#[test]
fn areas_tell_what_is_stored_what_is_zero_and_what_comes_from_the_file() {
    let mut session = sleep();
    let task = session.opened().expect("can be shown").tasks.remove(0);
    let map = session.map(task.mm).expect("has memory");
    let mut held = 0;
    for area in &map.areas {
        assert!(area.stored + area.zero + area.from_file <= area.end - area.start, "{area:?}");
        held += area.stored;
        assert_eq!(area.first.is_some(), area.stored > 0, "{area:?}");
        let code = area.kind == "file" && area.prot == "r-x";
        assert!(!code || area.from_file > 0, "code comes back from its file: {area:?}");
        if let Some(first) = area.first {
            let (_, pages) = session.bytes(Space::Memory(task.mm), first, 1).expect("can be read");
            assert!(pages[0], "{first:#x}");
        }
    }
    assert_eq!(held, session.opened().expect("can be shown").page_bytes);
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
