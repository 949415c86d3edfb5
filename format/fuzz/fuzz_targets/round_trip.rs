//! A sound image written again from its events is the same image. To get there, the input is a list of records that
//! a writer makes an image of.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stasis_format::record::{Body, Image, Pipe, Vma, Warning};
use stasis_format::{Encoding, Event, Head, KernelVersion, Reader, Run, Writer};

fn build(input: &[u8]) -> Vec<u8> {
    let head = Head::new(2, KernelVersion { major: 6, minor: 18, patch: 0 }, 0);
    let mut writer = Writer::new(Vec::new(), &head).expect("memory");
    let image = Image { head_checksum: writer.head_checksum(), ..Image::default() };
    writer.record(0, 0, &image).expect("first");
    writer.record(0, 1, &Pipe::default()).expect("state");
    let mut rest = input;
    while let Some(([what, len], left)) = rest.split_first_chunk() {
        let (text, left) = left.split_at(usize::from(*len).min(left.len()));
        rest = left;
        let start = u64::from(*len) * 4096;
        // What the writer refuses, such as state behind an extent, is not in the image.
        let _ = match what % 4 {
            0 => writer.record(1, 0, &Vma { start, name: text.to_vec(), ..Vma::default() }),
            1 => writer.record(0, 0, &Warning { pid: 1, code: 2, text: text.to_vec() }),
            2 => writer.extent(1, &[Run { start, pages: 1 }], Encoding::LZ4, text),
            _ => writer.extent(1, &[Run { start, pages: u64::from(*what) }], Encoding::ZERO, &[]),
        };
    }
    writer.finish().expect("memory").0
}

fn copy(image: &[u8]) -> Vec<u8> {
    let mut reader = Reader::new(image);
    let mut writer = None;
    let mut data = Vec::new();
    while let Some(event) = reader.next_event().expect("what is written is read") {
        match (event, &mut writer) {
            (Event::Head(head), _) => writer = Some(Writer::new(Vec::new(), &head).expect("memory")),
            (Event::Record(record), Some(writer)) => {
                let (parent, id) = (record.header.parent, record.id);
                match &record.body {
                    Body::Image(body) => writer.record(parent, id, body),
                    Body::Pipe(body) => writer.record(parent, id, body),
                    Body::Vma(body) => writer.record(parent, id, body),
                    Body::Warning(body) => writer.record(parent, id, body),
                    _ => Ok(()),
                }
                .expect("it stood there");
            }
            (Event::Extent(extent), Some(writer)) => {
                reader.extent_data(&mut data).expect("sound");
                writer.extent(extent.parent, &extent.runs, extent.encoding, &data).expect("it stood there");
            }
            _ => {}
        }
    }
    writer.expect("a head").finish().expect("memory").0
}

fuzz_target!(|input: &[u8]| {
    let image = build(input);
    assert_eq!(copy(&image), image);
});
