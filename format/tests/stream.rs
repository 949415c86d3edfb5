//! Writer and streaming reader, one against the other.
#![cfg(not(target_arch = "wasm32"))] // takes long where nothing is optimised

use stasis_format::memory::{MemoryMap, Page};
use stasis_format::record::{Image, Mm, Task, Vma, Warning};
use stasis_format::{
    Body, Encoding, Event, Head, IndexReader, KernelVersion, ReadAt, ReadError, Reader, Run, Writer,
};
use std::io::Read;

/// Hands out so many bytes a call and counts them.
struct Trickle<'a> {
    left: &'a [u8],
    piece: usize,
    calls: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        self.calls += 1;
        let len = self.left.len().min(buf.len()).min(self.piece);
        let (now, left) = self.left.split_at(len);
        buf[..len].copy_from_slice(now);
        self.left = left;
        Ok(len)
    }
}

/// Counts the bytes read.
struct Counting<'a> {
    bytes: &'a [u8],
    read: std::cell::Cell<usize>,
}

impl ReadAt for Counting<'_> {
    fn len(&self) -> std::io::Result<u64> {
        ReadAt::len(self.bytes)
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> std::io::Result<()> {
        self.read.set(self.read.get() + buf.len());
        self.bytes.read_at(offset, buf)
    }
}

fn head() -> Head {
    Head::new(2, KernelVersion { major: 6, minor: 18, patch: 44 }, 1_700_000_000)
        .with_uts(b"6.18.44", b"#1", b"x86_64")
}

/// An image with all that there is, and the contents of its extents.
fn image(nr_vmas: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let mut writer = Writer::new(Vec::new(), &head()).unwrap();
    let image = Image {
        head_checksum: writer.head_checksum(),
        page_size: 4096,
        root: 1,
        version: b"test".to_vec(),
        ..Image::default()
    };
    writer.record(0, 0, &image).unwrap();
    writer.record(0, 1, &Task { pid: 42, mm: 2, ..Task::default() }).unwrap();
    writer.record(1, 2, &Mm { auxv: vec![1; 16], ..Mm::default() }).unwrap();
    for n in 0..nr_vmas as u64 {
        let name = b"/usr/lib/x86_64-linux-gnu/libc.so.6"[..(n % 30) as usize].to_vec();
        let vma = Vma { start: n * 8192, end: n * 8192 + 4096, name, ..Vma::default() };
        writer.record(2, 0, &vma).unwrap();
    }
    writer.record(0, 0, &Warning { pid: 42, code: 7, text: b"lost".to_vec() }).unwrap();
    let data = vec![
        (0..3 * 4096u32).map(|n| n as u8).collect::<Vec<u8>>(),
        Vec::new(),
        stasis_format::encoding::encode(Encoding::LZ4, &[7; 4096], 0).unwrap(),
    ];
    let runs = [Run { start: 0, pages: 1 }, Run { start: 8192, pages: 2 }];
    writer.extent(2, &runs, Encoding::NONE, &data[0]).unwrap();
    writer.extent(2, &[Run { start: 0x10000, pages: 9 }], Encoding::ZERO, &data[1]).unwrap();
    writer.extent(2, &[Run { start: 0x20000, pages: 1 }], Encoding::LZ4, &data[2]).unwrap();
    let (bytes, totals) = writer.finish().unwrap();
    assert_eq!(totals.length, bytes.len() as u64);
    (bytes, data)
}

fn read_all(
    reader: &mut Reader<impl Read>,
    with_data: bool,
) -> Result<(Vec<Event>, Vec<Vec<u8>>), ReadError> {
    let (mut events, mut data) = (Vec::new(), Vec::new());
    while let Some(event) = reader.next_event()? {
        if with_data && matches!(event, Event::Extent(_)) {
            let mut out = vec![9; 3];
            reader.extent_data(&mut out)?;
            data.push(out);
        }
        events.push(event);
    }
    Ok((events, data))
}

#[test]
fn images_in_a_row_come_back_and_not_one_byte_more_is_taken() {
    for nr_vmas in [0, 1, 3, 100, 2000] {
        let (bytes, data) = image(nr_vmas);
        for (piece, with_data) in
            [(1, true), (7, false), (4096, true), (usize::MAX, false), (usize::MAX, true)]
        {
            let stream = [bytes.as_slice(), bytes.as_slice(), b"rest"].concat();
            let mut source = Trickle { left: &stream, piece, calls: 0 };
            for behind in [bytes.len() + 4, 4] {
                let mut reader = Reader::new(source);
                let (events, got) = read_all(&mut reader, with_data).unwrap();
                assert!(matches!(events.first(), Some(Event::Head(h)) if *h == head()));
                assert!(matches!(events.last(), Some(Event::End(t)) if t.length == bytes.len() as u64));
                let vmas =
                    events.iter().filter(|e| matches!(e, Event::Record(r) if matches!(r.body, Body::Vma(_))));
                assert_eq!(vmas.count(), nr_vmas);
                assert_eq!(reader.offset(), bytes.len() as u64);
                if with_data {
                    assert_eq!(got, data);
                }
                source = reader.into_inner();
                assert_eq!(source.left.len(), behind);
            }
        }
    }
}

#[test]
fn of_a_foreign_revision_exactly_the_head_is_taken() {
    let old = Head { rev: 1, ..head() };
    let image = stasis_format::rev1::write(&old, &Default::default(), b"0123456789abcdef");
    let mut reader = Reader::new(image.as_slice());
    assert!(matches!(reader.next_event(), Ok(Some(Event::Head(got))) if got == old));
    assert_eq!(reader.next_event().unwrap_err().rule(), Some("head-rev"));
    assert_eq!(reader.into_inner().len(), image.len() - 232);
}

#[test]
fn contents_start_on_pages_of_the_image() {
    let (bytes, _) = image(5);
    let mut reader = Reader::new(bytes.as_slice());
    while let Some(event) = reader.next_event().unwrap() {
        if let Event::Extent(extent) = event {
            assert!(extent.stored_len == 0 || extent.data_offset % 4096 == 0);
        }
    }
}

#[test]
fn an_image_opens_from_its_end_and_reads_little() {
    let (bytes, data) = image(5000);
    let source = Counting { bytes: &bytes, read: 0.into() };
    let index = IndexReader::open(&source).unwrap();
    assert_eq!(index.head(), &head());
    assert_eq!(index.entries().len(), 5007);
    let read = source.read.get();
    assert!(read < 5007 * 32 + 1500, "{read} bytes read");
    let record = index.record(1).unwrap().unwrap();
    assert!(matches!(record.body, Body::Task(task) if task.pid == 42));
    let extents: Vec<_> = index.entries().iter().filter(|e| e.kind == 204).collect();
    assert_eq!(index.read_extent(extents[0]).unwrap(), data[0]);
    assert_eq!(index.read_extent(extents[1]).unwrap(), vec![0; 9 * 4096]);
    assert_eq!(index.read_extent(extents[2]).unwrap(), vec![7; 4096]);
    let map = MemoryMap::open(&index, 2).unwrap();
    let pages = map.read(&index, 4100, 9000, 100).unwrap();
    assert_eq!(pages.len(), 3);
    assert_eq!(pages[0], Page { address: 4096, bytes: None });
    assert_eq!(pages[1], Page { address: 8192, bytes: Some(data[0][4096..8192].to_vec()) });
    assert_eq!(pages[2], Page { address: 12288, bytes: Some(data[0][8192..].to_vec()) });
    let last = Page { address: u64::MAX - 4095, bytes: None };
    assert_eq!(map.read(&index, u64::MAX, 9000, 100).unwrap(), [last]);
}

#[test]
fn opening_a_cut_image_says_so() {
    let (bytes, _) = image(2);
    for len in 0..bytes.len() {
        assert!(IndexReader::open(&bytes[..len]).is_err(), "cut at {len}");
    }
}

#[test]
fn many_small_records_take_few_reads() {
    let (bytes, _) = image(20_000);
    let mut reader = Reader::new(Trickle { left: &bytes, piece: usize::MAX, calls: 0 });
    read_all(&mut reader, false).unwrap();
    let calls = reader.into_inner().calls;
    assert!(calls < 300, "{calls} reads");
}

#[test]
fn a_stream_cut_anywhere_ends_in_epipe() {
    let (bytes, _) = image(2);
    for len in 0..bytes.len() {
        let error = read_all(&mut Reader::new(&bytes[..len]), len % 2 == 0).unwrap_err();
        assert_eq!((error.errno(), error.rule()), (32, Some("early-end")), "cut at {len}: {error}");
    }
}

#[test]
fn a_bit_flipped_anywhere_is_found() {
    let (bytes, _) = image(2);
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1 << bit;
            assert!(
                read_all(&mut Reader::new(wrong.as_slice()), bit % 2 == 0).is_err(),
                "byte {at} bit {bit}"
            );
        }
    }
}
