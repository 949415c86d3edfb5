//! Properties that hold for any input: no panic, the same events whatever the pieces, and what is written is read.
#![cfg(not(target_arch = "wasm32"))] // proptest wants an operating system

mod common;

use common::synth;
use proptest::prelude::*;
use stasis_format::record::{Image, Pipe, Vma, Warning};
use stasis_format::validate::{Options, Validator, validate_at};
use stasis_format::{
    Body, Encoding, Event, Fault, Head, IndexReader, KernelVersion, Parser, Progress, Reader, Run, Writer,
    fields, json,
};

/// All events of an image that is handed to the parser in pieces, or what is wrong with it.
fn parse_in_pieces(image: &[u8], sizes: &[usize]) -> Result<Vec<Event>, Fault> {
    let mut parser = Parser::new();
    let (mut buffer, mut left, mut events) = (Vec::new(), image, Vec::new());
    let mut sizes = sizes.iter().cycle();
    loop {
        match parser.parse(&buffer)? {
            Progress::Parsed { consumed, event } => {
                assert!(consumed <= buffer.len());
                buffer.drain(..consumed);
                let is_end = matches!(event, Some(Event::End(_)));
                events.extend(event);
                if is_end {
                    return Ok(events);
                }
            }
            Progress::NeedMore { need, room } => {
                assert!(need > buffer.len() && room >= need && room <= 128 << 10);
                let size = sizes.next().copied().unwrap_or(1).clamp(need - buffer.len(), room - buffer.len());
                let Some((now, rest)) =
                    left.split_at_checked(size.min(left.len())).filter(|(now, _)| !now.is_empty())
                else {
                    return Err(Fault::early_end(parser.offset(), parser.due()));
                };
                buffer.extend_from_slice(now);
                left = rest;
                if buffer.len() < need {
                    return Err(Fault::early_end(parser.offset(), parser.due()));
                }
            }
        }
    }
}

/// Everything that looks at an image, with any bytes.
fn look_at(bytes: &[u8]) {
    let report = validate_at(bytes, Options::default()).unwrap();
    assert!(report.findings.len() <= stasis_format::limits::MAX_FINDINGS);
    let streamed = {
        let mut validator = Validator::new(Options { contents: false, ..Options::default() });
        bytes.chunks(333).for_each(|piece| validator.feed(piece));
        validator.finish()
    };
    assert!(streamed.findings.len() <= stasis_format::limits::MAX_FINDINGS);
    let mut reader = Reader::new(bytes);
    let sound = loop {
        match reader.next_event() {
            Ok(Some(_)) => {}
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    assert!(sound || report.revision != Some(2) || !report.is_valid());
    let _ = json::write(bytes, &mut std::io::sink());
    let _ = fields::fields(bytes.get(..40_000.min(bytes.len())).unwrap_or_default(), 0, 2);
    let _ = fields::fields(bytes.get(..40_000.min(bytes.len())).unwrap_or_default(), 0, 1);
    if let Ok(index) = IndexReader::open(bytes) {
        for at in 0..index.entries().len() {
            let _ = index.record(at);
            let _ = index.read_extent(&index.entries()[at]);
        }
    }
}

fn images() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(synth::rev1()),
        Just(synth::process().finish()),
        Just(synth::everything(synth::process()).finish()),
    ]
}

/// A change to an image: bytes put over others, cut out, or put in.
#[derive(Debug, Clone)]
enum Change {
    Set(usize, u8),
    Cut(usize, usize),
    Insert(usize, Vec<u8>),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        4 => (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => (any::<usize>(), 1usize..300).prop_map(|(at, len)| Change::Cut(at, len)),
        1 => (any::<usize>(), prop::collection::vec(any::<u8>(), 1..300)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ];
    prop::collection::vec(change, 1..8)
}

fn apply(image: &mut Vec<u8>, changes: &[Change]) {
    for change in changes {
        let len = image.len().max(1);
        match change {
            Change::Set(at, byte) => {
                if let Some(old) = image.get_mut(at % len) {
                    *old = *byte;
                }
            }
            Change::Cut(at, count) => {
                let from = at % len;
                image.drain(from.min(image.len())..(from + count).min(image.len()));
            }
            Change::Insert(at, bytes) => {
                let from = (at % len).min(image.len());
                image.splice(from..from, bytes.iter().copied());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_every_size_give_the_same_events(sizes in prop::collection::vec(1usize..9000, 1..20)) {
        let image = synth::everything(synth::process()).finish();
        let whole = parse_in_pieces(&image, &[usize::MAX]);
        prop_assert!(whole.is_ok());
        prop_assert_eq!(parse_in_pieces(&image, &sizes), whole);
    }

    #[test]
    fn no_bytes_make_anything_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        look_at(&bytes);
    }

    #[test]
    fn no_change_to_an_image_makes_anything_panic(mut image in images(), changes in changes()) {
        apply(&mut image, &changes);
        look_at(&image);
    }

    #[test]
    fn bytes_behind_a_sound_head_make_nothing_panic(rev in 1u16..3, bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        look_at(&[synth::head(rev), bytes].concat());
    }

    #[test]
    fn nonsense_under_sound_checksums_makes_nothing_panic_or_hang(
        records in prop::collection::vec(
            (any::<prop::sample::Index>(), 0u32..12, 0u32..12, any::<[u8; 32]>(), prop::collection::vec(any::<u8>(), 0..64)),
            0..40,
        ),
        early_contents in any::<bool>(),
    ) {
        let mut synth = if early_contents { synth::everything(synth::process()) } else { synth::process() };
        for (kind, parent, id, noise, tail) in records {
            let def = kind.get(stasis_format::record::DEFS);
            // Small numbers reach further than random ones: every other word keeps its low byte only.
            let word = |n: usize| if n % 16 < 8 { noise[n % 32] } else if n.is_multiple_of(8) { noise[n % 32] % 12 } else { 0 };
            let fixed = synth::Bytes((0..def.fixed_len()).map(word).collect());
            synth.record(def.kind as u16, parent, id, fixed, &tail);
        }
        look_at(&synth.finish());
    }

    #[test]
    fn what_is_written_is_read_and_written_again(
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..30),
        extents in prop::collection::vec((0u64..1000, 1u64..4, 0u32..4, any::<u8>()), 0..6),
        kernel in any::<(u16, u16, u16)>(),
    ) {
        let head = Head::new(2, KernelVersion { major: kernel.0, minor: kernel.1, patch: kernel.2 }, 5);
        let mut writer = Writer::new(Vec::new(), &head).unwrap();
        writer.record(0, 0, &Image { head_checksum: writer.head_checksum(), ..Image::default() }).unwrap();
        writer.record(0, 1, &Pipe { size: 3, ..Pipe::default() }).unwrap();
        for (n, text) in texts.iter().enumerate() {
            let vma = Vma { start: n as u64, name: text.clone(), ..Vma::default() };
            writer.record(1, n as u32 + 2, &vma).unwrap();
            writer.record(1, 0, &Warning { pid: 1, code: 2, text: text.clone() }).unwrap();
        }
        for (start, pages, encoding, byte) in &extents {
            let encoding = if cfg!(feature = "zstd") || *encoding != 2 { Encoding(*encoding) } else { Encoding::LZ4 };
            let byte = if encoding == Encoding::ZERO { 0 } else { *byte };
            let data = vec![byte; *pages as usize * 4096];
            let stored = stasis_format::encoding::encode(encoding, &data, 3).unwrap();
            let runs = [Run { start: start * 4096, pages: *pages }];
            writer.extent(1, &runs, encoding, &stored).unwrap();
        }
        let (image, totals) = writer.finish().unwrap();

        // Read it and write what was read.
        let mut reader = Reader::new(image.as_slice());
        let mut again: Option<Writer<Vec<u8>>> = None;
        let mut data = Vec::new();
        while let Some(event) = reader.next_event().unwrap() {
            match (event, &mut again) {
                (Event::Head(head), _) => again = Some(Writer::new(Vec::new(), &head).unwrap()),
                (Event::Record(record), Some(writer)) => match &record.body {
                    Body::Image(body) => writer.record(record.header.parent, record.id, body).unwrap(),
                    Body::Pipe(body) => writer.record(record.header.parent, record.id, body).unwrap(),
                    Body::Vma(body) => writer.record(record.header.parent, record.id, body).unwrap(),
                    Body::Warning(body) => writer.record(record.header.parent, record.id, body).unwrap(),
                    Body::Index(_) | Body::IndexEnd(_) => {}
                    other => prop_assert!(false, "{other:?}"),
                },
                (Event::Extent(extent), Some(writer)) => {
                    reader.extent_data(&mut data).unwrap();
                    writer.extent(extent.parent, &extent.runs, extent.encoding, &data).unwrap();
                }
                (Event::End(end), _) => prop_assert_eq!(end, totals),
                (event, _) => prop_assert!(false, "{event:?}"),
            }
        }
        prop_assert_eq!(&again.unwrap().finish().unwrap().0, &image);

        // And with random access.
        let index = IndexReader::open(image.as_slice()).unwrap();
        prop_assert_eq!(index.entries().len() as u64, totals.records);
        let listed = index.entries().iter().filter(|entry| entry.kind == 204);
        for (entry, (start, pages, encoding, byte)) in listed.zip(&extents) {
            let byte = if *encoding == 1 { 0 } else { *byte };
            prop_assert_eq!(entry.vaddr, start * 4096);
            prop_assert_eq!(index.read_extent(entry).unwrap(), vec![byte; *pages as usize * 4096]);
        }
    }
}
