//! Compares the checksums that an image could use, and times the metadata path: `cargo bench -p stasis-format`.
//!
//! Prints the best of several runs; nothing is asserted, since machines differ.

use stasis_format::record::{Image, Mm, Task, Vma};
use stasis_format::validate::{Options, validate_at};
use stasis_format::{Head, KernelVersion, Reader, Writer};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn best(runs: usize, mut work: impl FnMut()) -> Duration {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn rate(name: &str, bytes: usize, time: Duration) {
    println!("{name:40} {:8.2} GB/s", bytes as f64 / time.as_secs_f64() / 1e9);
}

fn checksums() {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as u8
    };
    let data: Vec<u8> = (0..64 << 20).map(|_| random()).collect();
    for (name, piece) in
        [("64 MiB from memory, in pieces of 256 KiB", 256 << 10), ("in pieces of 4 KiB", 4096)]
    {
        println!("{name}");
        let time = best(5, || {
            black_box(
                data.chunks(piece).fold(0, |sum, piece| sum ^ stasis_format::checksum::checksum(piece)),
            );
        });
        rate("  XXH3-64, each piece", data.len(), time);
        let time = best(5, || {
            let mut sum = stasis_format::checksum::Checksum::new();
            data.chunks(piece).for_each(|piece| sum.update(piece));
            black_box(sum.digest());
        });
        rate("  XXH3-64, one sum over all", data.len(), time);
        let time = best(5, || {
            black_box(data.chunks(piece).fold(0, |sum, piece| sum ^ crc32c::crc32c(piece)));
        });
        rate("  CRC32C (SSE 4.2), each piece", data.len(), time);
    }
}

fn metadata() {
    let kernel = KernelVersion { major: 6, minor: 18, patch: 0 };
    let write = || {
        let mut writer = Writer::new(Vec::new(), &Head::new(2, kernel, 0)).expect("memory");
        let head_checksum = writer.head_checksum();
        writer.record(0, 0, &Image { head_checksum, ..Image::default() }).expect("memory");
        writer.record(0, 1, &Task::default()).expect("memory");
        writer.record(1, 2, &Mm::default()).expect("memory");
        for n in 0..20_000u64 {
            let name = b"/usr/lib/x86_64-linux-gnu/libc.so.6".to_vec();
            let vma = Vma { start: n << 13, end: (n << 13) + 4096, name, ..Vma::default() };
            writer.record(2, 0, &vma).expect("memory");
        }
        writer.finish().expect("memory").0
    };
    println!("20000 areas");
    println!("  write    {:?}", best(5, || drop(black_box(write()))));
    let image = write();
    let read = || {
        let mut reader = Reader::new(image.as_slice());
        while let Some(event) = reader.next_event().expect("sound") {
            black_box(event);
        }
    };
    println!("  read     {:?}", best(5, read));
    let validate = || drop(black_box(validate_at(&image, Options::default())));
    println!("  validate {:?}", best(5, validate));
    let mut out = Vec::new();
    let json = || {
        out.clear();
        stasis_format::json::write(&image, &mut out).expect("memory");
    };
    println!("  JSON     {:?}", best(5, json));
}

fn main() {
    checksums();
    metadata();
}
