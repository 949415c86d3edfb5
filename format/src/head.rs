//! HEAD and TAIL, the same bytes in both revisions, and the kernel version that HEAD carries.

use crate::header::{Kind, RECORD_HEADER_LEN, RecordHeader};
use crate::schema::{FieldDef, FieldType, RecordDef, Show};
use binrw::{BinRead, BinWrite, binrw};
use std::io::Cursor;

/// Magic of HEAD (`CR_HEADER_MAGIC` of the patch set).
pub const HEAD_MAGIC: u64 = 0x00fe_ed0c_c0a2_d200;
/// Magic of TAIL (`CR_TAIL_MAGIC` of the patch set).
pub const TAIL_MAGIC: u64 = 0x002d_2a0c_c0de_ef00;
/// Length of HEAD's payload in bytes.
pub const HEAD_LEN: usize = 224;
/// Length of TAIL's payload in bytes.
pub const TAIL_LEN: usize = 8;
/// Length of the whole HEAD record in bytes.
pub const HEAD_RECORD_LEN: usize = RECORD_HEADER_LEN + HEAD_LEN;
/// Length of the whole TAIL record in bytes.
pub const TAIL_RECORD_LEN: usize = RECORD_HEADER_LEN + TAIL_LEN;
/// Flag of HEAD: the image was made by a checkpoint (`CR_CTX_CKPT`). No other flag may be set.
pub const CR_CTX_CKPT: u64 = 1;

/// `struct cr_hdr_head` of the patch set.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// [`HEAD_MAGIC`].
    pub magic: u64,
    /// Version of the kernel that the image was made on.
    pub major: u16,
    /// Its patch level.
    pub minor: u16,
    /// Its sublevel, 255 at the most.
    pub patch: u16,
    /// Revision of the image: 1 or 2.
    pub rev: u16,
    /// When the image was made, seconds since the epoch.
    pub time: u64,
    /// [`CR_CTX_CKPT`].
    pub flags: u64,
    /// Release of the kernel as uname(2) gives it, NUL-padded.
    pub release: [u8; 64],
    /// Version of the kernel as uname(2) gives it, NUL-padded.
    pub version: [u8; 64],
    /// Machine as uname(2) gives it, NUL-padded.
    pub machine: [u8; 64],
}

impl Head {
    /// A head with the right magic and flags and empty texts.
    pub fn new(rev: u16, kernel: KernelVersion, time: u64) -> Self {
        Self {
            magic: HEAD_MAGIC,
            major: kernel.major,
            minor: kernel.minor,
            patch: kernel.patch,
            rev,
            time,
            flags: CR_CTX_CKPT,
            release: [0; 64],
            version: [0; 64],
            machine: [0; 64],
        }
    }

    /// Fills the texts that uname(2) gives; each is cut at 64 bytes.
    pub fn with_uts(mut self, release: &[u8], version: &[u8], machine: &[u8]) -> Self {
        for (field, text) in
            [(&mut self.release, release), (&mut self.version, version), (&mut self.machine, machine)]
        {
            for (to, from) in field.iter_mut().zip(text) {
                *to = *from;
            }
        }
        self
    }

    /// The version of the kernel that made the image.
    pub fn kernel(&self) -> KernelVersion {
        KernelVersion { major: self.major, minor: self.minor, patch: self.patch }
    }

    /// Reads the 224 bytes of the payload; `None` when there are not as many. Nothing is judged.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        if payload.len() != HEAD_LEN {
            return None;
        }
        Self::read(&mut Cursor::new(payload)).ok()
    }

    /// The whole record: header and payload, 232 bytes.
    pub fn to_record(&self) -> Vec<u8> {
        let mut out = Cursor::new(Vec::with_capacity(HEAD_RECORD_LEN));
        // Writing integers and arrays into memory cannot fail.
        let _ = RecordHeader { kind: Kind::HEAD.0, len: HEAD_LEN as i16, parent: 0 }.write(&mut out);
        let _ = self.write(&mut out);
        out.into_inner()
    }
}

/// HEAD, described for those who show it.
pub const HEAD_DEF: RecordDef = RecordDef {
    kind: Kind::HEAD.0,
    name: "HEAD",
    doc: "First record of an image: what made it, when, and in which revision.",
    fields: &[
        FieldDef::plain("magic", FieldType::U64, Show::Hex, "Always 0x00feed0cc0a2d200."),
        FieldDef::plain(
            "major",
            FieldType::U16,
            Show::Dec,
            "Version of the kernel that the image was made on.",
        ),
        FieldDef::plain("minor", FieldType::U16, Show::Dec, "Its patch level."),
        FieldDef::plain("patch", FieldType::U16, Show::Dec, "Its sublevel, 255 at the most."),
        FieldDef::plain("rev", FieldType::U16, Show::Dec, "Revision of the image."),
        FieldDef::plain("time", FieldType::U64, Show::Seconds, "When the image was made."),
        FieldDef::plain("flags", FieldType::U64, Show::Flags(HEAD_FLAGS), "How the image came about."),
        FieldDef::plain("release", FieldType::Bytes(64), Show::Text, "Release of the kernel, uname(2)."),
        FieldDef::plain("version", FieldType::Bytes(64), Show::Text, "Version of the kernel, uname(2)."),
        FieldDef::plain("machine", FieldType::Bytes(64), Show::Text, "Machine, uname(2)."),
    ],
    ..RecordDef::EMPTY
};

/// TAIL, described for those who show it.
pub const TAIL_DEF: RecordDef = RecordDef {
    kind: Kind::TAIL.0,
    name: "TAIL",
    doc: "Last record of an image.",
    fields: &[FieldDef::plain("magic", FieldType::U64, Show::Hex, "Always 0x002d2a0cc0deef00.")],
    ..RecordDef::EMPTY
};

/// Flags of HEAD.
pub const HEAD_FLAGS: &[(u64, &str)] = &[(CR_CTX_CKPT, "CKPT"), (2, "RSTR")];

/// The whole TAIL record, 16 bytes; it never differs.
pub fn tail_record() -> [u8; TAIL_RECORD_LEN] {
    let mut out = [0; TAIL_RECORD_LEN];
    let (kind, rest) = out.split_at_mut(2);
    kind.copy_from_slice(&Kind::TAIL.0.to_le_bytes());
    let (len, rest) = rest.split_at_mut(2);
    len.copy_from_slice(&(TAIL_LEN as i16).to_le_bytes());
    let (_, magic) = rest.split_at_mut(4);
    magic.copy_from_slice(&TAIL_MAGIC.to_le_bytes());
    out
}

/// A kernel's version as HEAD stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KernelVersion {
    /// Version.
    pub major: u16,
    /// Patch level.
    pub minor: u16,
    /// Sublevel, 255 at the most (`KERNEL_VERSION` in the kernel's Makefile caps it likewise).
    pub patch: u16,
}

impl KernelVersion {
    /// Reads the numbers at the front of a release such as `6.18.44-example`; a missing sublevel is 0.
    pub fn parse(release: &str) -> Option<Self> {
        let mut parts = release.splitn(3, '.');
        let major = parts.next()?.parse().ok()?;
        let minor = leading_number(parts.next()?)?;
        let patch = match parts.next() {
            Some(text) => leading_number(text).unwrap_or(0),
            None => 0,
        };
        let fits = |n: u64| u16::try_from(n).ok();
        Some(Self { major, minor: fits(minor)?, patch: fits(patch.min(255))? })
    }
}

impl std::fmt::Display for KernelVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// The decimal digits that the text starts with; absurdly many of them saturate.
fn leading_number(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit);
    let mut number = None;
    for digit in digits {
        number = Some(number.unwrap_or(0u64).saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    }
    number
}

#[cfg(test)]
mod tests {
    use super::{Head, KernelVersion, tail_record};

    #[test]
    fn a_release_is_read_as_far_as_it_is_a_version() {
        let version = |text| KernelVersion::parse(text).map(|v| (v.major, v.minor, v.patch));
        assert_eq!(version("6.18.44-example"), Some((6, 18, 44)));
        assert_eq!(version("6.18.300"), Some((6, 18, 255)));
        assert_eq!(version("6.18.99999999999999999999999"), Some((6, 18, 255)));
        assert_eq!(version("6.18-rc3"), Some((6, 18, 0)));
        assert_eq!(version("6.18"), Some((6, 18, 0)));
        assert_eq!(version("6.1.0.7"), Some((6, 1, 0)));
        for bad in ["", "6", "6.", ".1", "x.1", "6.x", "70000.1", "6.70000"] {
            assert_eq!(version(bad), None, "{bad}");
        }
    }

    #[test]
    fn head_and_tail_have_the_bytes_of_the_patch() {
        let head = Head::new(2, KernelVersion { major: 6, minor: 18, patch: 44 }, 0x0102)
            .with_uts(b"6.18.44", b"#1", b"x86_64");
        let bytes = head.to_record();
        assert_eq!(bytes.len(), 232);
        assert_eq!(
            bytes[..40],
            [
                1, 0, 0xe0, 0, 0, 0, 0, 0, 0x00, 0xd2, 0xa2, 0xc0, 0x0c, 0xed, 0xfe, 0x00, 6, 0, 18, 0, 44,
                0, 2, 0, 2, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0
            ]
        );
        assert_eq!(&bytes[40..48], b"6.18.44\0");
        assert_eq!(&bytes[104..107], b"#1\0");
        assert_eq!(&bytes[168..175], b"x86_64\0");
        assert_eq!(Head::from_payload(&bytes[8..]), Some(head));
        assert_eq!(
            tail_record(),
            [0x89, 0x13, 8, 0, 0, 0, 0, 0, 0x00, 0xef, 0xde, 0xc0, 0x0c, 0x2a, 0x2d, 0x00]
        );
    }
}
