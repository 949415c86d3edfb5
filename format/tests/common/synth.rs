//! Builds images byte by byte. On purpose nothing of the crate is used here: a layout that changes by accident makes
//! these images fail.

use xxhash_rust::xxh3::xxh3_64;

/// Little-endian bytes put together.
#[derive(Debug, Default, Clone)]
pub struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn u16(mut self, n: u16) -> Self {
        self.0.extend(n.to_le_bytes());
        self
    }
    pub fn u32(mut self, n: u32) -> Self {
        self.0.extend(n.to_le_bytes());
        self
    }
    pub fn u64(mut self, n: u64) -> Self {
        self.0.extend(n.to_le_bytes());
        self
    }
    pub fn u32s(self, list: &[u32]) -> Self {
        list.iter().fold(self, |bytes, n| bytes.u32(*n))
    }
    pub fn u64s(self, list: &[u64]) -> Self {
        list.iter().fold(self, |bytes, n| bytes.u64(*n))
    }
    /// Text padded with NUL to so many bytes.
    pub fn text(mut self, text: &[u8], len: usize) -> Self {
        self.0.extend(text);
        self.0.resize(self.0.len() + len - text.len(), 0);
        self
    }
}

pub fn bytes() -> Bytes {
    Bytes::default()
}

/// The 232 bytes of HEAD.
pub fn head(rev: u16) -> Vec<u8> {
    bytes()
        .u16(1)
        .u16(224)
        .u32(0)
        .u64(0x00fe_ed0c_c0a2_d200)
        .u16(6)
        .u16(18)
        .u16(44)
        .u16(rev)
        .u64(0x4918_6354)
        .u64(1)
        .text(b"6.18.44-example", 64)
        .text(b"#1 SMP", 64)
        .text(b"x86_64", 64)
        .0
}

/// The 16 bytes of TAIL.
pub const TAIL: [u8; 16] = [0x89, 0x13, 8, 0, 0, 0, 0, 0, 0x00, 0xef, 0xde, 0xc0, 0x0c, 0x2a, 0x2d, 0x00];

/// The fixed part of IMAGE as it was when it was new.
pub fn image(head_checksum: u64, root: u32) -> Bytes {
    bytes()
        .u64(head_checksum)
        .text(b"0123456789abcdef", 16)
        .text(b"fedcba9876543210", 16)
        .u64s(&[1_226_335_060_000_000_000, 1_000_000_000, 2_000_000_000])
        .u32s(&[62, 4096])
        .u64(0)
        .u32s(&[root, 1000])
}

/// An image of revision 2 under construction.
#[derive(Debug, Clone)]
pub struct Synth {
    pub out: Vec<u8>,
    chain: Vec<u8>,
    index: Vec<u8>,
    counts: [u64; 5],
}

impl Synth {
    /// HEAD and IMAGE.
    pub fn new(root: u32) -> Self {
        Self::with(image(xxh3_64(&head(2)), root))
    }

    /// HEAD, and an IMAGE with this fixed part.
    pub fn with(image: Bytes) -> Self {
        let mut synth = Self { out: head(2), chain: Vec::new(), index: Vec::new(), counts: [0; 5] };
        synth.record(3, 0, 0, image, b"synth 1");
        synth
    }

    /// A record with its fixed part and tail.
    pub fn record(&mut self, kind: u16, parent: u32, id: u32, fixed: Bytes, tail: &[u8]) {
        self.listed(kind, parent, id, fixed, tail, (0, 0));
    }

    fn listed(
        &mut self,
        kind: u16,
        parent: u32,
        id: u32,
        fixed: Bytes,
        tail: &[u8],
        (vaddr, pages): (u64, u32),
    ) {
        let offset = self.out.len() as u64;
        let len = self.append(kind, parent, id, fixed, tail);
        let entry = bytes().u64(offset).u64(vaddr).u16(kind).u16(len).u32s(&[parent, id, pages]);
        self.index.extend(entry.0);
        self.counts[0] += 1;
        self.counts[2] += u64::from(id != 0);
    }

    fn append(&mut self, kind: u16, parent: u32, id: u32, fixed: Bytes, tail: &[u8]) -> u16 {
        assert_eq!(fixed.0.len() % 8, 0, "fixed parts are multiples of 8");
        let tail_room = tail.len().div_ceil(8) * 8;
        let len = (4 + 4 + fixed.0.len() + tail_room + 8) as u16;
        let mut record = bytes().u16(kind).u16(len).u32(parent).u32(id).u32(tail.len() as u32).0;
        record.extend(fixed.0);
        record.extend(tail);
        record.resize(record.len() + tail_room - tail.len(), 0);
        let sum = xxh3_64(&record).to_le_bytes();
        record.extend(sum);
        self.chain.extend(sum);
        self.out.extend(record);
        len
    }

    /// An extent with its contents as stored. `runs` are pairs of start and pages.
    pub fn extent(&mut self, parent: u32, runs: &[(u64, u64)], encoding: u32, stored: &[u8]) {
        let pages: u64 = runs.iter().map(|run| run.1).sum();
        let fixed =
            bytes().u64s(&[runs[0].0, pages, stored.len() as u64, xxh3_64(stored)]).u32s(&[encoding, 0]);
        let tail = runs.iter().fold(bytes(), |tail, run| tail.u64(run.0).u64(run.1)).0;
        self.listed(204, parent, 0, fixed, &tail, (runs[0].0, pages as u32));
        self.counts[1] += 1;
        self.counts[3] += pages * 4096;
        self.counts[4] += stored.len() as u64;
        if !stored.is_empty() {
            self.out.resize(self.out.len().div_ceil(4096) * 4096, 0);
            self.out.extend(stored);
            self.out.resize(self.out.len().div_ceil(8) * 8, 0);
        }
    }

    /// Index and TAIL.
    pub fn finish(mut self) -> Vec<u8> {
        let index_offset = self.out.len() as u64;
        let index = std::mem::take(&mut self.index);
        for (piece, entries) in index.chunks(1023 * 32).enumerate() {
            self.append(4001, 0, 0, bytes().u64(piece as u64 * 1023), entries);
        }
        let chain = xxh3_64(&self.chain);
        let [records, extents, objects, page_bytes, stored_bytes] = self.counts;
        let end = bytes().u64s(&[index_offset, records, extents, objects, page_bytes, stored_bytes, chain]);
        self.append(4002, 0, 0, end, b"");
        self.out.extend(TAIL);
        self.out
    }
}

/// Ids of [`process`].
pub mod id {
    pub const TASK: u32 = 1;
    pub const THREAD: u32 = 2;
    pub const CREDS: u32 = 3;
    pub const MM: u32 = 4;
    pub const FILES: u32 = 5;
    pub const FS: u32 = 6;
    pub const SIGHAND: u32 = 7;
    pub const DIR: u32 = 8;
    pub const EXE: u32 = 9;
}

pub fn task(pid: u32, parts: [u32; 4]) -> Bytes {
    bytes()
        .u32s(&[pid, 1, pid, pid, 0, 0, 0, 17])
        .text(b"worker", 16)
        .u32s(&parts)
        .u32s(&[0, 0, 0, 0])
        .u64(4711)
}

pub fn thread(tid: u32, creds: u32) -> Bytes {
    bytes()
        .u32s(&[tid, 0])
        .text(b"worker", 16)
        .u64s(&[0x4002, 0, 0])
        .u32s(&[2, 0])
        .u64s(&[0x7f00_0000_1000, 24, 0x7f00_0000_2000, 0x7f00_0000_3000])
        .u32s(&[32, 0x5305_3053, 0, 0, 0, 0])
        .u64s(&[0, 0, 0])
        .u32s(&[0, 1024])
        .u64(50_000)
        .u32s(&[0, 0, creds, 1])
}

pub fn inode(mode: u32, size: u64) -> Bytes {
    bytes()
        .u64s(&[0x803, 42])
        .u32s(&[mode, 1])
        .u64s(&[size, 1_226_335_060_000_000_000, 0])
        .u32s(&[0, 0, 1000, 1000])
}

pub fn vma(start: u64, end: u64, prot: u32, kind: u32, inode: u32) -> Bytes {
    bytes()
        .u64s(&[start, end, 0])
        .u32s(&[prot, 0x22, kind, inode])
        .u64(1)
        .u32s(&[0, 0])
        .u64s(&[end - start, 0])
}

/// A process with all it has to have, and nothing stored of its memory yet.
pub fn process() -> Synth {
    process_of(Synth::new(id::TASK))
}

/// The same behind an IMAGE of one's own.
pub fn process_of(mut synth: Synth) -> Synth {
    synth.record(101, 0, id::TASK, task(42, [id::MM, id::FILES, id::FS, id::SIGHAND]), b"");
    let creds = bytes()
        .u32s(&[1000, 1000, 1000, 1000, 100, 100, 100, 100])
        .u64s(&[0, 0x21, 0, 0x1ff_ffff_ffff, 0])
        .u32s(&[0, 0]);
    synth.record(104, id::TASK, id::CREDS, creds, &bytes().u32s(&[4, 24, 100]).0);
    synth.record(102, id::TASK, id::THREAD, thread(42, id::CREDS), &[0b11]);
    let registers: Vec<u64> = (0..27).map(|n| 0x1000 + n).chain([7]).collect();
    synth.record(103, id::THREAD, 0, bytes().u64s(&registers), &[0x5a; 12]);
    synth.record(304, 0, id::DIR, inode(0o40755, 4096), b"/home/\xff\xfe\\caf\xc3\xa9");
    synth.record(304, 0, id::EXE, inode(0o100755, 10_000), b"/usr/bin/worker");
    let mm = bytes()
        .u64s(&[0x40_0000, 0x40_1000, 0x40_2000, 0x40_3000, 0x50_0000, 0x50_4000])
        .u64s(&[0x7ffe_0000, 0x7ffe_0100, 0x7ffe_0200, 0x7ffe_0300, 0x7ffe_0400])
        .u32s(&[id::EXE, 1, 0x33, 0])
        .u64s(&[0, 0x5000]);
    synth.record(201, id::TASK, id::MM, mm, &bytes().u64s(&[6, 4096, 0, 0]).0);
    synth.record(202, id::MM, 0, vma(0x40_0000, 0x40_1000, 5, 2, id::EXE), b"/usr/bin/worker");
    synth.record(202, id::MM, 0, vma(0x50_0000, 0x50_4000, 3, 1, 0), b"[heap]");
    synth.record(301, id::TASK, id::FILES, bytes().u64(0), b"");
    synth.record(107, id::TASK, id::FS, bytes().u32s(&[id::DIR, id::DIR, 0o22, 0]), b"");
    synth.record(401, id::TASK, id::SIGHAND, bytes().u64(1), b"");
    let action = bytes().u32s(&[15, 0]).u64s(&[0x40_0123, 0x1400_0000, 0x40_0456, 0x4000]);
    synth.record(402, id::SIGHAND, 0, action, b"");
    synth
}

/// Adds one of every kind that [`process`] lacks, and extents in every encoding.
pub fn everything(mut synth: Synth) -> Synth {
    let object = |n: u32| 100 + n;
    synth.record(105, id::TASK, 0, bytes().u32s(&[7, 0]).u64s(&[1024, u64::MAX]), b"");
    synth.record(106, id::TASK, 0, bytes().u32s(&[0x2000_0000, 1]).u64(4_026_531_836), b"");
    synth.record(203, id::MM, 0, bytes().u64s(&[0x7fff_1000, 0x2000, 0x7ffe_d000, 0x4000, 0x1234]), b"");
    synth.record(205, id::MM, 0, bytes().u64(2), &bytes().u64s(&[0x50_1000, 2]).0);
    synth.record(501, id::TASK, 0, bytes().u32s(&[0, 0]).u64s(&[1_500_000_000, 2_000_000_000]), b"");
    let timer = bytes().u32s(&[0, 1, 4, 34]).u64(0xdead).u32s(&[42, 1]).u64s(&[5, 6]).u32s(&[7, 0]);
    synth.record(502, id::TASK, 0, timer, b"");
    synth.record(403, id::THREAD, 0, bytes().u32s(&[10, u32::MAX]), &[10; 128]);
    synth.record(0x4066, id::THREAD, 0, bytes().u64s(&[1_300_000_000, 2_500_000_000]), b"");
    let ids: Vec<u32> = (0..10).map(object).collect();
    synth.record(304, 0, ids[0], inode(0o100600, 5000), b"memfd:x (deleted)");
    synth.record(
        319,
        0,
        0,
        bytes().u32s(&[id::EXE, 1]).u64(1_700_000_000_000_000_001),
        &[9, 8, 7, 6, 5, 4, 3, 2],
    );
    synth.record(306, 0, ids[1], bytes().u64s(&[65536, 3]).u32s(&[0, 0]), b"");
    synth.record(307, 0, ids[2], bytes().u64(9).u32s(&[1, 0]), b"");
    synth.record(308, 0, ids[3], bytes().u64(1), b"");
    synth.record(310, 0, ids[4], bytes().u32s(&[1, 1]).u64s(&[2, 3, 4]), b"");
    synth.record(311, 0, ids[5], bytes().u64(0x4002), b"");
    synth.record(312, 0, ids[6], bytes().u32s(&[42, 0]), b"");
    synth.record(313, 0, ids[7], bytes().u32s(&[1, 0]), b"/dev/pts/0");
    let socket = bytes().u32s(&[1, 5, 0, 2, 0, 3, 212_992, 212_992, 1, 1]);
    synth.record(314, 0, ids[8], socket.u64s(&[2_000_000_000, 0, 7]), b"");
    synth.record(342, ids[8], 0, bytes().u32s(&[0, 0o140755, 0, 0]).u64s(&[0xfe00, 77]), b"\0name");
    synth.record(343, ids[8], 0, bytes().u64(0), b"/run/socket");
    synth.record(344, ids[8], 0, bytes().u32s(&[ids[8], 0]), b"");
    let inet = bytes().u32s(&[10, 128, 80, 0]).u64s(&[0, 0x0100_007f_ffff_0000, 0, 0]);
    synth.record(350, ids[8], 0, inet.u32s(&[0, 0, 1, 1000]), b"");
    synth.record(341, ids[8], 0, bytes().u32s(&[1, 9]), &[1, 0, 0, 0]);
    synth.record(315, 0, object(30), bytes().u64(1), b"");
    synth.record(316, object(30), 0, bytes().u32s(&[1, 0x102, id::DIR, 0]), b"");
    synth.record(601, 0, 0, bytes().u32s(&[7, 0x5eed, 0o640, 1000, 1000, 2]), b"\x01\0\0\0\x05\0\0\0");
    // A pair of terminals of 33 rows and 77 columns; its control characters are not needed to be any.
    let pty = bytes().u32s(&[3, 1, 0x500, 5, 0xbf, 0x8a3b, 38400, 38400]).u32s(&[0; 6]);
    let pty = pty.u64(33 | 77 << 16).u32s(&[0o20620, 65534, 5, 0]);
    synth.record(330, 0, ids[9], pty, b"");
    synth.record(332, ids[9], 0, bytes().u32s(&[1, 0]), b"line\n");
    synth.record(331, id::TASK, 0, bytes().u32s(&[ids[9], 42]), b"");
    synth.record(110, id::TASK, 0, bytes().u32s(&[67, 0]).u64(1), b"");
    synth.record(111, id::TASK, 0, bytes().u32s(&[5, 0]), b"");
    let kinds = [11, 4, 6, 7, 8, 9, 10, 13, 14, 30];
    let table = object(50);
    for (n, (kind, target)) in kinds.iter().zip(&ids).enumerate() {
        let file = bytes().u32s(&[*kind, 0o100002]).u64(7).u32s(&[*target, 0, 0, 0]);
        synth.record(303, 0, object(20 + n as u32), file, b"");
    }
    synth.record(309, ids[3], 0, bytes().u32s(&[3, 0x8000_0001]).u64(0xfeed).u32s(&[object(21), 0]), b"");
    synth.record(301, 0, table, bytes().u64(2), b"");
    synth.record(302, table, 0, bytes().u32s(&[0, 0, object(20), 0]), b"");
    synth.record(302, table, 0, bytes().u32s(&[1, 1, object(21), 0]), b"");
    synth.record(305, ids[0], 0, bytes().u32s(&[1, 1, 0, 0]).u64s(&[0, 0]), b"");
    synth.record(0x4001, 0, 0, bytes().u32s(&[42, 3]), b"the lock could not be taken along");
    synth.extent(id::MM, &[(0x40_0000, 1)], 0, &[0xaa; 4096]);
    synth.extent(id::MM, &[(0x50_0000, 1), (0x50_2000, 1)], 2, &zstd_rle(8192, 0x11));
    synth.extent(id::MM, &[(0x50_1000, 1)], 1, b"");
    synth.extent(id::MM, &[(0x50_3000, 1)], 3, &lz4_literals(&[0x22; 4096]));
    synth.extent(ids[0], &[(4096, 1)], 0, &[0xbb; 4096]);
    synth.extent(ids[1], &[(0, 1)], 0, &[0xcc; 4096]);
    synth.record(0x4100, id::MM, 0, bytes().u64(1), b"a kind of the future");
    synth
}

/// A zstd frame of one block of the same byte (RFC 8878): single segment, a content size of two bytes.
pub fn zstd_rle(len: u32, byte: u8) -> Vec<u8> {
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0x60];
    frame.extend(((len - 256) as u16).to_le_bytes());
    frame.extend(&(0b11 | len << 3).to_le_bytes()[..3]);
    frame.push(byte);
    frame
}

/// An LZ4 block of literals only.
pub fn lz4_literals(data: &[u8]) -> Vec<u8> {
    let mut block = vec![0xf0];
    let mut left = data.len() - 15;
    while left >= 255 {
        block.push(255);
        left -= 255;
    }
    block.push(left as u8);
    block.extend(data);
    block
}

/// An image of revision 1.
pub fn rev1() -> Vec<u8> {
    let mut out = head(1);
    out.extend(bytes().u16(101).u16(24).u32(0).u32s(&[0, 0, 0, 17, 16, 0]).0);
    out.extend(bytes().u16(2).u16(16).u32(0).text(b"worker", 16).0);
    out.extend(TAIL);
    out
}
