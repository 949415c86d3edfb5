//! The validator against sound and unsound images.
#![cfg(not(target_arch = "wasm32"))] // reads files

mod common;

use common::{conformance, synth};
use serde_json::Value;
use stasis_format::findings::{Finding, Severity};
use stasis_format::head::KernelVersion;
use stasis_format::validate::{Options, Report, Validator, validate_at, validate_stream};

fn validate(image: &[u8]) -> Report {
    validate_at(&image, Options::default()).unwrap()
}

fn rules(report: &Report, severity: Severity) -> Vec<&'static str> {
    report.findings.iter().filter(|f| f.severity == severity).map(|f| f.rule).collect()
}

#[test]
fn sound_images_have_no_findings() {
    for image in [synth::rev1(), synth::process().finish()] {
        let report = validate(&image);
        assert_eq!(report.findings, [], "{report:#?}");
        assert_eq!(report.verdict, 0);
        assert_eq!(report.totals.length, image.len() as u64);
    }
    let report = validate(&synth::everything(synth::process()).finish());
    assert!(report.is_valid(), "{report:#?}");
    // The record of an unknown kind is skipped and listed.
    assert_eq!(rules(&report, Severity::Note), ["record-kind"]);
    assert_eq!(rules(&report, Severity::Warning), [""; 0]);
}

#[test]
fn the_answer_to_every_conformance_case_is_that_of_the_kernel() {
    let cases: Vec<Value> = serde_json::from_slice(&conformance("cases.json")).unwrap();
    for case in cases.iter().filter(|case| case["flags"] == 0 && case["fd"] == 0) {
        let name = case["name"].as_str().unwrap();
        let kernel = KernelVersion::parse(case["kernel"].as_str().unwrap());
        let image = conformance(case["image"].as_str().unwrap());
        let report = validate_at(&image, Options { kernel, ..Options::default() }).unwrap();
        let ret = case["ret"].as_i64().unwrap();
        assert_eq!(report.verdict, ret, "{name}: {report:#?}");
        assert_eq!(report.is_valid(), ret == 0, "{name}: {report:#?}");
        let first = report.findings.iter().find(|f| f.severity == Severity::Error);
        if let Some(Finding { errno: Some(errno), .. }) = first.filter(|_| ret != i64::from(i32::MIN)) {
            assert_eq!(-i64::from(*errno), ret, "{name}: {report:#?}");
        }
    }
}

#[test]
fn pieces_of_any_size_give_the_same_report() {
    let mut wrong = synth::everything(synth::process()).finish();
    wrong[400] ^= 1;
    for image in [synth::rev1(), synth::everything(synth::process()).finish(), wrong] {
        let whole = validate(&image);
        for piece in [1, 3, 8, 100, 4095, 4096, 70_000] {
            let mut validator = Validator::new(Options::default());
            image.chunks(piece).for_each(|piece| validator.feed(piece));
            assert_eq!(validator.finish(), whole, "pieces of {piece}");
        }
        assert_eq!(validate_stream(image.as_slice(), Options::default()).unwrap(), whole);
    }
}

#[test]
fn without_contents_everything_else_is_still_judged() {
    let image = synth::everything(synth::process()).finish();
    let options = Options { contents: false, ..Options::default() };
    assert!(validate_at(&image, options).unwrap().is_valid());
    let in_contents = image.windows(8).position(|w| w == [0xbb; 8]).unwrap();
    let mut wrong = image.clone();
    wrong[in_contents] ^= 1;
    assert!(validate_at(&wrong, options).unwrap().is_valid());
    assert!(!validate(&wrong).is_valid());
    assert!(!validate_at(&image[..in_contents + 9], options).unwrap().is_valid());
    // Large contents are really left out.
    let mut synth = synth::process();
    for _ in 0..8 {
        synth.extent(synth::id::MM, &[(0x50_0000, 4)], 3, &vec![9; 1 << 20]);
    }
    let large = synth.finish();
    let report = validate_at(&large, options).unwrap();
    assert!(report.is_valid(), "{report:#?}");
}

#[test]
fn every_flipped_bit_is_found() {
    let image = synth::process().finish();
    for at in 0..image.len() {
        for bit in 0..8 {
            let mut wrong = image.clone();
            wrong[at] ^= 1 << bit;
            let report = validate(&wrong);
            assert!(!report.is_valid(), "byte {at} bit {bit}");
            assert!(report.verdict < 0);
        }
    }
}

#[test]
fn every_flipped_bit_outside_contents_of_an_image_with_extents_is_found() {
    let image = synth::everything(synth::process()).finish();
    let contents = |at: usize| image.get(at..at + 16).is_some_and(|w| w.windows(2).all(|w| w[0] == w[1]));
    for at in (0..image.len()).filter(|at| !contents(*at) || at % 97 == 0) {
        let mut wrong = image.clone();
        wrong[at] ^= 1 << (at % 8);
        assert!(!validate(&wrong).is_valid(), "byte {at}");
    }
}

#[test]
fn every_cut_is_found() {
    let image = synth::everything(synth::process()).finish();
    for len in 0..image.len() {
        let report = validate(&image[..len]);
        assert!(!report.is_valid(), "cut at {len}");
        assert_eq!(report.verdict, -32, "cut at {len}: {report:#?}");
    }
}

#[test]
fn a_broken_record_does_not_hide_the_next_fault() {
    let mut synth = synth::process();
    // Two areas that overlap, after the damage.
    synth.record(202, synth::id::MM, 0, synth::vma(0x50_3000, 0x50_5000, 3, 1, 0), b"");
    let mut image = synth.finish();
    // The length of TASK: the walk cannot go on from there.
    let task = image.windows(6).position(|w| w == b"worker").unwrap() - 48;
    assert_eq!(image[task..task + 2], [101, 0]);
    image[task + 2] ^= 3;
    let report = validate(&image);
    let errors = rules(&report, Severity::Error);
    assert_eq!(errors[0], "record-len", "{report:#?}");
    assert!(errors.contains(&"vma-order"), "{report:#?}");
    assert_eq!(report.findings[0].offset, task as u64 + 2);
    assert!(rules(&report, Severity::Note).contains(&"not-judged"));
}

#[test]
fn what_follows_the_image_is_a_note() {
    for image in [synth::rev1(), synth::process().finish()] {
        for (more, words) in [(b"xyz".to_vec(), "3 bytes"), (image.clone(), "another image")] {
            let report = validate(&[image.clone(), more].concat());
            assert!(report.is_valid());
            assert_eq!(rules(&report, Severity::Note), ["trailing-bytes"]);
            assert!(report.findings[0].message.contains(words), "{}", report.findings[0]);
            assert_eq!(report.findings[0].offset, image.len() as u64);
        }
    }
}

#[test]
fn a_file_that_is_no_image_is_called_by_name() {
    for (bytes, word) in [
        (b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x04\0>\0".to_vec(), "core dump"),
        (b"\x28\xb5\x2f\xfd 1234".to_vec(), "zstd"),
        (b"hello world".to_vec(), "text"),
    ] {
        let report = validate(&bytes);
        assert_eq!(rules(&report, Severity::Error), ["not-an-image"]);
        assert!(report.findings[0].message.contains(word), "{}", report.findings[0]);
        assert_eq!(report.revision, None);
        assert_eq!(report.verdict, -22);
    }
}

/// Builds an image that breaks one rule and returns the rules found broken.
fn broken(change: impl FnOnce(&mut synth::Synth)) -> Vec<&'static str> {
    let mut synth = synth::process();
    change(&mut synth);
    let report = validate(&synth.finish());
    rules(&report, Severity::Error)
}

#[test]
fn each_rule_over_the_whole_image_is_judged() {
    use synth::{bytes, id};
    let cases: Vec<(&str, Vec<&'static str>)> = vec![
        ("parent", broken(|s| s.record(402, 77, 0, bytes().u32s(&[15, 0]).u64s(&[0; 4]), b""))),
        ("parent", broken(|s| s.record(202, id::TASK, 0, synth::vma(0, 4096, 1, 1, 0), b""))),
        ("parent", broken(|s| s.record(103, 0, 0, bytes().u64s(&[0; 28]), b""))),
        ("id-unique", broken(|s| s.record(307, 0, id::DIR, bytes().u64(0).u32s(&[0, 0]), b""))),
        ("reference", broken(|s| s.record(107, 0, 50, bytes().u32s(&[id::DIR, 99, 0, 0]), b""))),
        ("reference", broken(|s| s.record(107, 0, 50, bytes().u32s(&[id::DIR, id::MM, 0, 0]), b""))),
        (
            "reference",
            broken(|s| s.record(303, 0, 50, bytes().u32s(&[1, 0]).u64(0).u32s(&[id::FS, 0, 0, 0]), b"")),
        ),
        ("one-root", {
            let mut s = synth::Synth::new(9);
            s.record(307, 0, 9, bytes().u64(0).u32s(&[0, 0]), b"");
            rules(&validate(&s.finish()), Severity::Error).into_iter().filter(|r| *r == "one-root").collect()
        }),
        (
            "task-parts",
            broken(|s| {
                s.record(101, id::TASK, 50, synth::task(43, [id::MM, id::FILES, id::FS, id::SIGHAND]), b"");
            }),
        ),
        ("thread-cpu", broken(|s| s.record(102, id::TASK, 50, synth::thread(43, id::CREDS), b""))),
        ("count", broken(|s| s.record(301, 0, 50, bytes().u64(1), b""))),
        ("vma-range", broken(|s| s.record(202, id::MM, 0, synth::vma(0x60_0001, 0x60_1000, 1, 1, 0), b""))),
        ("vma-order", broken(|s| s.record(202, id::MM, 0, synth::vma(0x50_0000, 0x50_1000, 1, 1, 0), b""))),
        ("extent-owner-range", broken(|s| s.extent(id::MM, &[(0x70_0000, 1)], 1, b""))),
        ("extent-owner-range", broken(|s| s.extent(id::MM, &[(0x50_3000, 2)], 1, b""))),
        ("extent-owner-range", broken(|s| s.extent(id::EXE, &[(0x3000, 1)], 1, b""))),
        ("parent", broken(|s| s.extent(id::TASK, &[(0, 1)], 1, b""))),
        ("extent-runs", broken(|s| s.extent(id::MM, &[(0x50_1000, 1), (0x50_0000, 1)], 1, b""))),
        ("extent-runs", broken(|s| s.extent(id::MM, &[(0x50_0001, 1)], 1, b""))),
        ("extent-len", broken(|s| s.extent(id::MM, &[(0x50_0000, 1)], 0, &[0; 4095]))),
        ("extent-encoding", broken(|s| s.extent(id::MM, &[(0x50_0000, 1)], 9, &[0; 9]))),
        ("extent-base", broken(|s| s.extent(id::MM, &[(0x50_0000, 1)], 4, b""))),
        (
            "order",
            broken(|s| {
                s.record(
                    3,
                    0,
                    0,
                    synth::image(xxhash_rust::xxh3::xxh3_64(&synth::head(2)), id::TASK),
                    b"twice",
                )
            }),
        ),
        // A FILE that says it is of a pipe.
        (
            "reference",
            broken(|s| s.record(303, 0, 50, bytes().u32s(&[4, 0]).u64(0).u32s(&[id::DIR, 0, 0, 0]), b"")),
        ),
        ("record-kind", broken(|s| s.record(999, 0, 0, bytes().u64(0), b""))),
        ("record-body", broken(|s| s.record(307, 0, 50, bytes().u64(0), b""))),
        ("record-body", broken(|s| s.record(307, 0, 50, bytes().u64(0).u32s(&[0, 0]), b"tail"))),
        ("field-zero", broken(|s| s.record(307, 0, 50, bytes().u64(0).u32s(&[0, 1]), b""))),
        ("field-value", broken(|s| s.record(403, id::TASK, 0, bytes().u32s(&[65, 0]), &[0; 128]))),
        (
            "fd-unique",
            broken(|s| {
                s.record(303, 0, 49, bytes().u32s(&[1, 0]).u64(0).u32s(&[id::DIR, 0, 0, 0]), b"");
                s.record(301, 0, 50, bytes().u64(2), b"");
                s.record(302, 50, 0, bytes().u32s(&[3, 0, 49, 0]), b"");
                s.record(302, 50, 0, bytes().u32s(&[3, 0, 49, 0]), b"");
            }),
        ),
    ];
    for (rule, found) in cases {
        assert_eq!(found, [rule]);
    }
}

#[test]
fn sound_checksums_over_nonsense_do_not_stop_the_validator() {
    use synth::{bytes, id};
    // An EXTENT that claims more than any may hold: where its contents end is anybody's guess.
    let found = broken(|s| {
        let fixed = bytes().u64s(&[0x50_0000, 1, u64::MAX, 0]).u32s(&[2, 0]);
        s.record(204, id::MM, 0, fixed, &bytes().u64s(&[0x50_0000, 1]).0);
    });
    assert_eq!(found, ["extent-len"]);
    // TAIL where the index is due, and an index that comes twice.
    let image = synth::process().finish();
    let index = image.windows(2).rposition(|w| w == 4001u16.to_le_bytes()).unwrap();
    let early = [&image[..index], &synth::TAIL[..]].concat();
    assert_eq!(rules(&validate(&early), Severity::Error), ["order"]);
    let twice = [&image[..image.len() - 16], &image[index..]].concat();
    assert!(rules(&validate(&twice), Severity::Error).contains(&"tail"));
    // A second image inside the first.
    let inside = [&image[..index], &image[..]].concat();
    assert!(rules(&validate(&inside), Severity::Error).contains(&"order"));
}

#[test]
fn every_rule_named_by_a_finding_is_explained() {
    let known: Vec<_> = stasis_format::rules::RULES.iter().map(|(name, _)| *name).collect();
    for (at, name) in known.iter().enumerate() {
        assert!(!known[..at].contains(name), "{name} stands twice");
    }
}
