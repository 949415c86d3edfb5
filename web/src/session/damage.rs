//! Damaged images: tree, validator and JSON are one reading. Images are built, then bits are flipped, ends cut, records
//! swapped and bytes put in between, with the index kept and lost.

use super::Session;
use super::tests::relatives_bytes;
use stasis_format::IndexReader;
use stasis_format::findings::Severity;
use stasis_format::head::TAIL_RECORD_LEN;
use stasis_format::validate::{Met, Options, validate_each};

/// A small generator, so that a failure can be had again (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

fn met(image: &Vec<u8>, contents: bool) -> Vec<Met> {
    let mut all = Vec::new();
    let options = Options { kernel: None, contents };
    validate_each(image, options, &mut |met| {
        all.push(met);
        Ok(())
    })
    .expect("bytes in memory can be read");
    all
}

/// What was done to an image: its bytes then, and which bytes of the sound one are not as they were.
struct Damaged {
    what: String,
    bytes: Vec<u8>,
    touched: std::ops::Range<u64>,
    /// Whether what stands behind still stands where it stood.
    in_place: bool,
}

fn damages(sound: &[u8], dice: &mut Dice) -> Vec<Damaged> {
    let mut out = Vec::new();
    let records = met(&sound.to_vec(), true);
    for _ in 0..100 {
        let at = dice.below(sound.len());
        let mut bytes = sound.to_vec();
        bytes[at] ^= 1 << dice.below(8);
        let touched = at as u64..at as u64 + 1;
        out.push(Damaged { what: format!("a bit of byte {at:#x} flipped"), bytes, touched, in_place: true });
        let at = dice.below(sound.len());
        let (bytes, touched) = (sound[..at].to_vec(), at as u64..sound.len() as u64);
        out.push(Damaged { what: format!("cut at {at:#x}"), bytes, touched, in_place: true });
    }
    for record in &records {
        // The length of every record, a bit at a time.
        for bit in 0..16 {
            let at = record.offset as usize + 2 + bit / 8;
            let mut bytes = sound.to_vec();
            bytes[at] ^= 1 << (bit % 8);
            let touched = at as u64..at as u64 + 1;
            let what = format!("bit {bit} of the length at {:#x} flipped", record.offset);
            out.push(Damaged { what, bytes, touched, in_place: true });
        }
    }
    for _ in 0..60 {
        let at = dice.below(records.len() - 2);
        let [first, second] = [&records[at], &records[at + 1]];
        let (start, middle) = (first.offset as usize, second.offset as usize);
        let end = middle + second.len as usize;
        let mut bytes = sound[..start].to_vec();
        bytes.extend_from_slice(&sound[middle..end]);
        bytes.extend_from_slice(&sound[start..middle]);
        bytes.extend_from_slice(&sound[end..]);
        let touched = start as u64..end as u64;
        out.push(Damaged { what: format!("records at {start:#x} swapped"), bytes, touched, in_place: true });
        let (at, len) = (dice.below(sound.len()), 1 + dice.below(40));
        let mut bytes = sound.to_vec();
        bytes.splice(at..at, (0..len).map(|n| n as u8));
        let touched = at as u64..sound.len() as u64;
        out.push(Damaged { what: format!("{len} bytes put in at {at:#x}"), bytes, touched, in_place: false });
    }
    out
}

#[test]
fn tree_validator_and_json_are_one_reading_of_every_damaged_image() {
    let mut dice = Dice(2026);
    for sound in [relatives_bytes(), super::tests::image("valid.img")] {
        let records = met(&sound, true);
        assert!(records.iter().all(|record| record.fault.is_none()), "the image is sound");
        // An index that is lost: its end is not there to be found.
        let mut lost = sound.clone();
        let end = lost.len() - TAIL_RECORD_LEN - 8;
        lost[end] ^= 0xff;
        for base in [&sound, &lost] {
            for damaged in damages(&sound, &mut dice) {
                let mut bytes = damaged.bytes;
                if base == &lost && bytes.len() == sound.len() {
                    bytes[end] = lost[end];
                }
                judge(&damaged.what, bytes, damaged.touched, damaged.in_place, &records);
            }
        }
    }
}

fn judge(what: &str, bytes: Vec<u8>, touched: std::ops::Range<u64>, in_place: bool, sound: &[Met]) {
    let found = met(&bytes, true);
    let offsets: Vec<u64> = found.iter().map(|met| met.offset).collect();
    assert!(offsets.is_sorted(), "{what}: in the order of the image");
    let has_index = IndexReader::open(bytes.clone()).is_ok();
    let json = stasis_format::json::document(&bytes).expect("bytes in memory can be read");
    let listed: Vec<u64> =
        json["records"].as_array().expect("a list").iter().filter_map(|it| it["offset"].as_u64()).collect();
    assert_eq!(listed, offsets, "{what}: the JSON has what the validator met");
    let len = bytes.len() as u64;
    let session = Session::open(bytes, what.into(), None).expect("bytes in memory can be read");
    let rows: Vec<u64> = session.tree.nodes.iter().map(|node| node.offset).collect();
    if !has_index || !session.report.is_valid() {
        let same = rows.get(..offsets.len());
        assert_eq!(same, Some(offsets.as_slice()), "{what}: the tree has what the validator met");
        assert!(has_index || rows.len() == offsets.len(), "{what}: and no more without an index");
    }
    // What was not touched is shown if it stands before the damage, or an index names it.
    for record in sound {
        let end = record.offset + record.len;
        let is_behind = has_index && in_place && record.offset >= touched.end;
        if end <= touched.start || is_behind {
            assert!(rows.contains(&record.offset), "{what}: the record at {:#x} is shown", record.offset);
        }
    }
    // What is no image any more has no records.
    if session.report.revision.is_none() {
        return;
    }
    for finding in session.report.findings.iter().filter(|it| it.severity == Severity::Error) {
        let row = session.tree.at(finding.offset).expect("every error has a row");
        let node = session.tree.node(row).expect("it is there");
        let mark = session.mark(node.offset, session.end_of(row));
        assert_eq!(mark, 3, "{what}: {finding:?} marks the row at {:#x}", node.offset);
        if let Some((_, offset)) = finding.record {
            assert_eq!(offset, node.offset, "{what}: {finding:?} stands at its record");
        }
        assert!(finding.offset <= len, "{what}: {finding:?}");
    }
}
