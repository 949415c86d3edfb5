//! An image fed in pieces of any size gives the events, or the fault, that it gives as a whole. The first bytes of the
//! input are the sizes.
#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use stasis_format::{Event, Fault, Parser, Progress};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, _seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    stasis_format_fuzz::mend(&mut data[size.min(8)..size], true);
    size
});

fn parse(image: &[u8], mut next_size: impl FnMut() -> usize) -> (Vec<Event>, Option<Fault>) {
    let mut parser = Parser::new();
    let (mut buffer, mut left, mut events) = (Vec::new(), image, Vec::new());
    loop {
        match parser.parse(&buffer) {
            Err(fault) => return (events, Some(fault)),
            Ok(Progress::Parsed { consumed, event }) => {
                buffer.drain(..consumed);
                events.extend(event);
                if parser.is_at_end() {
                    return (events, None);
                }
            }
            Ok(Progress::NeedMore { need, room }) => {
                assert!(need > buffer.len() && need <= room && room <= 128 << 10);
                let size = next_size().clamp(need - buffer.len(), room - buffer.len());
                let (now, rest) = left.split_at(size.min(left.len()));
                buffer.extend_from_slice(now);
                left = rest;
                if buffer.len() < need {
                    return (events, Some(Fault::early_end(parser.offset(), parser.due())));
                }
            }
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let (sizes, image) = input.split_at(input.len().min(8));
    let mut sizes = sizes.iter().cycle();
    let in_pieces = parse(image, || usize::from(*sizes.next().unwrap_or(&1)) * 37);
    let whole = parse(image, || usize::MAX);
    // Where contents are cut short, how much of them was taken depends on the pieces; what was met does not.
    assert_eq!(in_pieces.0, whole.0);
    assert_eq!(in_pieces.1.map(|fault| fault.rule), whole.1.map(|fault| fault.rule));
});
