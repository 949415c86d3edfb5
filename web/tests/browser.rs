//! What the worker does with a browser around it: slices of files, and the protocol over them, in a dedicated worker of
//! headless Chromium. `cargo test -p stasis-web --target wasm32-unknown-unknown --test browser`.
#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Uint8Array};
use stasis_format::ReadAt;
use stasis_web::desk::Desk;
use stasis_web::needle::Needle;
use stasis_web::proto::{Opened, Reply, Request, Scope, Space};
use stasis_web::source::Source;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::Blob;

wasm_bindgen_test_configure!(run_in_dedicated_worker);

const THREADS: &[u8] = include_bytes!("../examples/threads.img");
const VALID: &[u8] = include_bytes!("../../tests/data/conformance/valid.img");

fn blob(bytes: &[u8]) -> Blob {
    Blob::new_with_u8_array_sequence(&Array::of1(&Uint8Array::from(bytes))).unwrap()
}

fn source(bytes: &[u8]) -> Source {
    Source::file(blob(bytes)).unwrap()
}

fn open(bytes: &[u8]) -> (Desk<Source>, Opened) {
    let mut desk = Desk::default();
    let opened = desk.open(source(bytes), "an image".into(), None).unwrap();
    (desk, opened)
}

/// Asks as the page does: question and answer travel as text.
fn ask(desk: &mut Desk<Source>, request: &Request) -> Result<(Reply, Vec<u8>), String> {
    let text = serde_json::to_string(request).unwrap();
    let (reply, bytes) = desk.answer(serde_json::from_str(&text).unwrap(), None, js_sys::Date::now)?;
    let reply = serde_json::to_string(&reply).unwrap();
    Ok((serde_json::from_str(&reply).unwrap(), bytes.unwrap_or_default()))
}

#[wasm_bindgen_test]
fn slices_of_a_blob_are_its_bytes_wherever_they_are() {
    let file: Vec<u8> = (0..700_001u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let source = source(&file);
    assert_eq!(source.len().unwrap(), file.len() as u64);
    let mut at = 1u32;
    for _ in 0..300 {
        at = at.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let from = at as usize % file.len();
        let len = (at >> 11) as usize % 200_000.min(file.len() - from + 1);
        let mut out = vec![0; len];
        source.read_at(from as u64, &mut out).unwrap();
        assert_eq!(out, &file[from..from + len]);
    }
    for (offset, len) in [(700_000, 2), (700_001, 1), (u64::MAX, 1)] {
        let error = source.read_at(offset, &mut vec![0; len]).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof);
    }
}

#[wasm_bindgen_test]
async fn what_is_fetched_ahead_is_what_is_read_later() {
    let file: Vec<u8> = (0..3_000_000u32).map(|at| (at / 5) as u8).collect();
    let source = source(&file);
    let ranges: Vec<_> = (0..700).map(|n| (n * 4_000 + 17, 90)).collect();
    source.fetch_ahead(&ranges).await.unwrap();
    for (offset, len) in ranges {
        let mut out = vec![0; len as usize];
        source.read_at(offset, &mut out).unwrap();
        assert_eq!(out, &file[offset as usize..(offset + len) as usize]);
    }
}

#[wasm_bindgen_test]
fn a_real_process_is_opened_and_all_about_it_is_answered() {
    let (mut desk, opened) = open(THREADS);
    assert!(opened.verdict.valid && opened.verdict.contents, "{:?}", opened.verdict);
    let task = &opened.tasks[0];
    assert_eq!((task.comm.as_str(), task.threads), ("threads", 4));
    let (Reply::Task(all), _) = ask(&mut desk, &Request::Task { id: task.id }).unwrap() else { panic!() };
    assert!(all.threads.iter().any(|thread| thread.comm == "events"));
    let needle = Needle::exact(b"a note on the heap");
    let search = Request::Search { needle, text: None, scope: Scope::Pages, within: None };
    let mut reply = ask(&mut desk, &search).unwrap().0;
    let hit = loop {
        let Reply::Hits { hits, over, .. } = reply else { panic!() };
        match hits.into_iter().find(|hit| hit.place.contains("[heap]")) {
            Some(hit) => break hit,
            None => assert!(!over, "it is there"),
        }
        reply = ask(&mut desk, &Request::SearchStep).unwrap().0;
    };
    let save = Request::Save { space: hit.space, offset: hit.at, len: 18 };
    assert_eq!(ask(&mut desk, &save).unwrap().1, b"a note on the heap");
    let (Reply::Bytes { held, .. }, _) =
        ask(&mut desk, &Request::Bytes { space: Space::Memory(task.mm), offset: 0, len: 4096 }).unwrap()
    else {
        panic!()
    };
    assert_eq!(held, [false], "nothing is at address 0");
}

#[path = "../examples/family/image.rs"]
mod family;

#[wasm_bindgen_test]
async fn an_image_is_judged_in_steps_with_its_extents_read_ahead() {
    let bytes = family::family(&family::Scene::default()).unwrap();
    let mut desk = Desk::default();
    let opened = desk.open_with(source(&bytes), "an image".into(), None, 0).unwrap();
    assert!(opened.verdict.pending && opened.tasks.len() > 1);
    loop {
        let (source, ranges) = desk.ahead().unwrap();
        source.fetch_ahead(&ranges).await.unwrap();
        match ask(&mut desk, &Request::Check).unwrap().0 {
            Reply::Checking { done, total } => assert!(done < total),
            Reply::Judged(verdict) => {
                assert!(verdict.valid && !verdict.pending, "{verdict:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(desk.ahead().is_none());
    assert_eq!(ask(&mut desk, &Request::Check).unwrap_err(), "nothing is being checked");
}

#[wasm_bindgen_test]
fn a_comparison_goes_on_until_all_pages_are_compared() {
    let bytes = |scene| family::family(&scene).unwrap();
    let (mut desk, _) = open(&bytes(family::Scene::default()));
    let later = source(&bytes(family::Scene { lines: 8, ..family::Scene::default() }));
    let start = Request::Compare { name: "later".into() };
    let mut reply = desk.answer(start, Some(later), js_sys::Date::now).unwrap().0;
    while let Reply::Comparing { done, total } = reply {
        assert!(done <= total);
        reply = ask(&mut desk, &Request::CompareStep).unwrap().0;
    }
    let Reply::Compared(comparison) = reply else { panic!() };
    let [area] = comparison.areas.as_slice() else { panic!("{:?}", comparison.areas) };
    assert_eq!((area.first, area.pages), (family::HEAP, 1));
    assert!(ask(&mut desk, &Request::CompareStep).is_err());
}

#[wasm_bindgen_test]
fn every_cut_and_every_flipped_bit_is_answered() {
    let mut broken: Vec<Vec<u8>> = (0..VALID.len()).map(|len| VALID[..len].to_vec()).collect();
    for bit in 0..VALID.len() * 8 {
        let mut bytes = VALID.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        broken.push(bytes);
    }
    for at in (0..THREADS.len()).step_by(97) {
        let mut bytes = THREADS.to_vec();
        bytes[at] ^= 0x10;
        broken.push(bytes);
        broken.push(THREADS[..at].to_vec());
    }
    for bytes in broken {
        let (mut desk, opened) = open(&bytes);
        ask(&mut desk, &Request::Tree { first: 0, count: 200 }).unwrap();
        for finding in opened.verdict.findings.iter().take(3) {
            // A place without a record is told of.
            let _ = ask(&mut desk, &Request::Reveal { offset: finding.offset });
        }
        for task in &opened.tasks {
            let _ = ask(&mut desk, &Request::Task { id: task.id });
            let _ = ask(&mut desk, &Request::Map { mm: task.mm, whole: true });
        }
    }
}

#[wasm_bindgen_test]
fn a_question_without_an_image_is_answered_with_a_sentence() {
    let mut desk = Desk::default();
    assert_eq!(ask(&mut desk, &Request::Export).unwrap_err(), "no image is open");
}

#[wasm_bindgen_test]
async fn an_address_where_nobody_answers_is_told_of() {
    let error = Source::url("http://127.0.0.1:9/image").await.unwrap_err();
    assert!(error.contains("cannot be fetched"), "{error}");
}
