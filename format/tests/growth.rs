//! Images of a newer and of an older format than this one: what is read all the same, and what is refused by name.
#![cfg(not(target_arch = "wasm32"))] // reads files

mod common;

use common::synth::{self, Synth, bytes, id};
use stasis_format::findings::Severity;
use stasis_format::memory::MemoryMap;
use stasis_format::record::{Body, BodyError, Eventfd, Image, Mm, RecordBody as _, Task};
use stasis_format::validate::{Options, Report, validate_at};
use stasis_format::{Encoding, Event, Head, IndexReader, KernelVersion, Reader, Run, Writer, rules};

/// An image with every kind of record that there was in November 2026; never made anew.
const NOVEMBER: &[u8] = include_bytes!("golden/november-2026.img");

/// `struct` of an EVENTFD: count 9, a semaphore.
const EVENTFD: [u8; 16] = [9, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];

fn validate(image: &[u8]) -> Report {
    validate_at(&image, Options::default()).unwrap()
}

fn found(report: &Report, severity: Severity) -> Vec<&'static str> {
    report.findings.iter().filter(|f| f.severity == severity).map(|f| f.rule).collect()
}

/// The events of an image from a stream; the error of one that is refused.
fn events(image: &[u8]) -> Result<Vec<Event>, String> {
    let mut reader = Reader::new(image);
    let mut out = Vec::new();
    while let Some(event) = reader.next_event().map_err(|e| e.to_string())? {
        out.push(event);
    }
    Ok(out)
}

#[test]
fn an_image_from_before_still_opens() {
    let report = validate(NOVEMBER);
    assert!(report.is_valid() && report.count(Severity::Warning) == 0, "{report:#?}");
    assert_eq!(events(NOVEMBER).unwrap().len(), 56);
    let index = IndexReader::open(NOVEMBER).unwrap();
    assert_eq!(index.entries().len(), 52);
    for position in 0..52 {
        index.record(position).unwrap();
    }
}

#[test]
fn a_fixed_part_that_is_longer_is_read_if_the_rest_is_zero() {
    let known = Eventfd::from_parts(&EVENTFD, &[]).unwrap();
    assert_eq!((known.count, known.semaphore), (9, 1));
    assert_eq!(Eventfd::from_parts(&[&EVENTFD[..], &[0; 8]].concat(), &[]), Ok(known.clone()));
    assert_eq!(Eventfd::from_parts(&[&EVENTFD[..], &[0; 24]].concat(), &[]), Ok(known));
    let newer = Eventfd::from_parts(&[&EVENTFD[..], &[0, 0, 3, 0, 0, 0, 0, 0]].concat(), &[]);
    assert_eq!(newer, Err(BodyError::Newer { name: "EVENTFD", at: 18 }));
    assert!(newer.unwrap_err().to_string().contains("newer format"));
    // No record ends off a multiple of 8.
    assert!(Eventfd::from_parts(&[&EVENTFD[..], &[0; 4]].concat(), &[]).is_err());
    // And none says that EVENTFD was ever shorter.
    assert!(Eventfd::from_parts(&EVENTFD[..8], &[]).is_err());
}

#[test]
fn a_newer_record_in_an_image_is_read_or_refused_by_name() {
    let with = |more: u64| {
        let mut synth = synth::process();
        synth.record(307, 0, 50, bytes().u64(9).u32s(&[1, 0]).u64(more), b"");
        synth.finish()
    };
    let sound = with(0);
    assert_eq!(validate(&sound).findings, []);
    let is_eventfd = |event: &&Event| matches!(event, Event::Record(r) if matches!(r.body, Body::Eventfd(_)));
    assert_eq!(events(&sound).unwrap().iter().filter(is_eventfd).count(), 1);
    let newer = with(1 << 40);
    assert_eq!(found(&validate(&newer), Severity::Error), [rules::RECORD_BODY]);
    assert!(events(&newer).unwrap_err().contains("EVENTFD is of a newer format"));
}

#[test]
fn what_was_added_to_a_record_is_zero_where_it_is_missing() {
    let old = synth::image(7, 1).0;
    let new = [&old[..], b"0123456789abcdef"].concat();
    let image = |fixed| Image::from_parts(fixed, b"synth 1").unwrap();
    assert_eq!(image(&old).base, [0; 16]);
    assert_eq!(image(&new).base, *b"0123456789abcdef");
    assert!(Image::from_parts(&old[..80], b"").is_err());
    // What says nothing is not written, so that a reader from before reads it.
    assert_eq!(Image::DEF.least_len(), old.len());
    assert_eq!(stasis_format::record::shortest(&Image::DEF, &image(&old).fixed()), old);
    assert_eq!(stasis_format::record::shortest(&Image::DEF, &image(&new).fixed()), new);
}

#[test]
fn the_record_that_is_found_by_its_length_does_not_grow() {
    let fixed = [0; 56 + 8];
    assert!(stasis_format::record::IndexEnd::from_parts(&fixed[..56], &[]).is_ok());
    assert!(stasis_format::record::IndexEnd::from_parts(&fixed, &[]).is_err());
}

/// Memory is written twice, first before its owner is, and state between.
fn in_rounds() -> Vec<u8> {
    let mut synth = Synth::new(id::TASK);
    synth.extent(id::MM, &[(0x50_0000, 4)], 0, &[0x11; 4 * 4096]);
    // An area that is gone at the last stop.
    synth.extent(id::MM, &[(0x90_0000, 1)], 0, &[0x33; 4096]);
    let mut synth = synth::process_of(synth);
    synth.extent(id::MM, &[(0x50_1000, 1), (0x50_3000, 1)], 0, &[0x22; 2 * 4096]);
    synth.record(307, 0, 50, bytes().u64(9).u32s(&[1, 0]), b"");
    synth.finish()
}

#[test]
fn state_may_follow_pages_and_a_page_may_come_again() {
    let image = in_rounds();
    let report = validate(&image);
    assert!(report.is_valid(), "{report:#?}");
    assert_eq!(found(&report, Severity::Note), [rules::EXTENT_OWNER_RANGE]);
    let last = events(&image).unwrap().into_iter().rfind(|event| {
        !matches!(
            event,
            Event::End(_)
                | Event::Record(stasis_format::Record { body: Body::Index(_) | Body::IndexEnd(_), .. })
        )
    });
    assert!(matches!(last, Some(Event::Record(r)) if r.id == 50));
    let index = IndexReader::open(image.as_slice()).unwrap();
    assert_eq!(index.entries().iter().filter(|entry| entry.id == 50).count(), 1);
    let map = MemoryMap::open(&index, id::MM).unwrap();
    let pages = map.read(&index, 0x50_0000, 4 * 4096, 4).unwrap();
    let first = |page: &stasis_format::memory::Page| page.bytes.as_ref().map(|bytes| bytes[4095]);
    assert_eq!(pages.iter().map(first).collect::<Vec<_>>(), [0x11, 0x22, 0x11, 0x22].map(Some));
    let starts: Vec<(u64, u64)> = map.pieces().iter().map(|p| (p.run.start, p.run.pages)).collect();
    assert_eq!(starts, [(0x50_0000, 1), (0x50_1000, 1), (0x50_2000, 1), (0x50_3000, 1), (0x90_0000, 1)]);
}

#[test]
fn a_writer_puts_state_behind_pages_and_leaves_pages_to_the_base() {
    let head = Head::new(2, KernelVersion { major: 6, minor: 18, patch: 44 }, 0);
    let mut writer = Writer::new(Vec::new(), &head).unwrap();
    let image = Image { head_checksum: writer.head_checksum(), root: 1, base: [7; 16], ..Image::default() };
    writer.record(0, 0, &image).unwrap();
    let run = |start| [Run { start, pages: 1 }];
    writer.extent(2, &run(0x1000), Encoding::NONE, &[1; 4096]).unwrap();
    writer.extent(2, &run(0x2000), Encoding::BASE, &[]).unwrap();
    writer.record(0, 1, &Task { mm: 2, ..Task::default() }).unwrap();
    writer.record(1, 2, &Mm::default()).unwrap();
    writer.extent(2, &run(0x1000), Encoding::NONE, &[2; 4096]).unwrap();
    let (image, totals) = writer.finish().unwrap();
    assert_eq!((totals.records, totals.extents), (6, 3));
    assert_eq!(events(&image).unwrap().len(), 1 + 6 + 2 + 1);
    let index = IndexReader::open(image.as_slice()).unwrap();
    assert!(index.image().has_base());
    let map = MemoryMap::open(&index, 2).unwrap();
    let page = map.read(&index, 0x1000, 1, 1).unwrap();
    assert_eq!(page[0].bytes, Some(vec![2; 4096]));
    assert!(map.read(&index, 0x2000, 1, 1).is_err());
}

#[test]
fn pages_of_nobody_are_found_at_the_end() {
    let mut synth = synth::process();
    synth.extent(77, &[(0, 1)], 1, b"");
    assert_eq!(found(&validate(&synth.finish()), Severity::Error), [rules::PARENT]);
    let mut synth = Synth::new(id::TASK);
    synth.extent(id::TASK, &[(0, 1)], 1, b"");
    assert_eq!(found(&validate(&synth::process_of(synth).finish()), Severity::Error), [rules::PARENT]);
}

#[test]
fn pages_as_in_the_base_stand_in_an_image_that_names_one() {
    let image = |base: &[u8]| {
        let head = xxhash_rust::xxh3::xxh3_64(&synth::head(2));
        let fixed = synth::image(head, id::TASK).text(base, base.len());
        let mut synth = synth::process_of(Synth::with(fixed));
        synth.extent(id::MM, &[(0x50_0000, 4)], 4, b"");
        synth.finish()
    };
    assert_eq!(found(&validate(&image(b"")), Severity::Error), [rules::EXTENT_BASE]);
    let image = image(b"0123456789abcdef");
    let report = validate(&image);
    assert!(report.is_valid(), "{report:#?}");
    assert_eq!(found(&report, Severity::Note), [rules::EXTENT_BASE]);
    assert!(report.findings[0].message.contains("30313233343536373839616263646566"), "{report:#?}");
    let index = IndexReader::open(image.as_slice()).unwrap();
    let map = MemoryMap::open(&index, id::MM).unwrap();
    let refused = map.read(&index, 0x50_0000, 4096, 1).unwrap_err();
    assert_eq!(refused.rule(), Some(rules::EXTENT_BASE));
    assert!(refused.to_string().contains("the image that this one builds on"), "{refused}");
    let extent = |event: &Event| if let Event::Extent(head) = event { Some(head.clone()) } else { None };
    let head = events(&image).unwrap().iter().find_map(extent).unwrap();
    let refused = stasis_format::reader::decode_extent(&head, b"").unwrap_err();
    assert!(refused.to_string().contains("the image that this one builds on"), "{refused}");
}

#[test]
fn an_unknown_kind_says_whether_it_may_be_ignored() {
    let with = |kind| {
        let mut synth = synth::process();
        synth.record(kind, 0, 0, bytes().u64(1), b"");
        synth.finish()
    };
    let required = events(&with(999)).unwrap_err();
    assert!(required.contains("type 999") && required.contains("must not be skipped"), "{required}");
    assert_eq!(found(&validate(&with(0x4abc)), Severity::Note), [rules::RECORD_KIND]);
    assert_eq!(stasis_format::Kind(999).to_string(), "type 999 (required)");
    assert_eq!(stasis_format::Kind(0x4abc).to_string(), "type 19132 (ignorable)");
}
