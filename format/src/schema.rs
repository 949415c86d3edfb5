//! What can be said of a kind of record without an instance: its fields, what it belongs to and refers to, and what it
//! is to an open file. [`records!`](crate::record) makes these descriptions; validator, summaries, sharing, the
//! specification and the Kaitai description follow from them, so that no list of kinds stands anywhere else.

use crate::header::Kind;

/// The integer or byte-array type of a field on the wire, little-endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldType {
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 64 bits.
    U64,
    /// 16 bits, signed.
    S16,
    /// 32 bits, signed.
    S32,
    /// 64 bits, signed.
    S64,
    /// So many raw bytes.
    Bytes(usize),
}

impl FieldType {
    /// Length on the wire in bytes.
    pub const fn size(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16 | Self::S16 => 2,
            Self::U32 | Self::S32 => 4,
            Self::U64 | Self::S64 => 8,
            Self::Bytes(n) => n,
        }
    }
}

/// How a field is shown to people.
#[derive(Debug, Clone, Copy)]
pub enum Show {
    /// A plain number.
    Dec,
    /// A number in hexadecimal.
    Hex,
    /// A virtual address of the process.
    Addr,
    /// A count of bytes.
    Size,
    /// A reference to an object of the image; 0 is none. [`Role`] says to which kinds.
    Ref,
    /// An octal file mode.
    Mode,
    /// A signal number.
    Signal,
    /// A wait status as waitpid(2) gives it.
    Wait,
    /// A signal set as the kernel's 64-bit mask (bit 0 is signal 1).
    Sigset,
    /// A set of capabilities, bit n is capability n.
    Caps,
    /// Seconds since the epoch.
    Seconds,
    /// A duration or instant in nanoseconds.
    Nanos,
    /// A device number as the kernel's 64-bit `dev_t`.
    Dev,
    /// Bits, by name.
    Flags(&'static [(u64, &'static str)]),
    /// One of a list.
    Enum(&'static [(u64, &'static str)]),
    /// NUL-padded text such as comm.
    Text,
    /// Raw bytes.
    Raw,
    /// Always zero.
    Zero,
}

/// What a field says about other records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Plain,
    /// It refers to an object of one of these kinds, 0 for none.
    To(&'static [Kind]),
    /// The same, and there always is one.
    Always(&'static [Kind]),
    /// It refers to the other end of what this object is an end of.
    Peer(&'static [Kind]),
    /// It refers to what stands behind an open file: an object of a kind with a [`FileKind`].
    Behind,
    /// It says how many records of these kinds belong to this object.
    Counts(&'static [Kind]),
    /// It is the length in bytes of contents that EXTENTs of this object hold.
    Contents,
}

/// What the variable part of a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailKind {
    /// No tail.
    None,
    /// Bytes that are mostly text: a path, a name.
    Text,
    /// Bytes that mean nothing here.
    Bytes,
    /// A list of u32.
    U32s,
    /// A list of u64.
    U64s,
    /// A list of pairs of u64.
    Pairs,
    /// A list of [`IndexEntry`](crate::record::IndexEntry).
    Index,
}

impl TailKind {
    /// Length in bytes of one element of the tail.
    pub const fn unit(self) -> usize {
        match self {
            Self::None | Self::Text | Self::Bytes => 1,
            Self::U32s => 4,
            Self::U64s => 8,
            Self::Pairs => 16,
            Self::Index => crate::limits::INDEX_ENTRY_LEN,
        }
    }
}

/// What two open files of the same object have to do with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alike {
    /// They are the same thing, and what one does the other sees.
    Same,
    /// They are opened by a name that anybody may open: it says nothing about who has them.
    ByName,
    /// They are the two ends of it, told apart by what they may do: read or write.
    Ends,
}

/// One of the kinds that [`File::kind`](crate::record::File::kind) tells apart, stated by the record of the object that
/// stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileKind {
    /// Number in the image.
    pub number: u32,
    /// Its name.
    pub name: &'static str,
    /// What two of the same object have to do with each other.
    pub alike: Alike,
    /// Whether the offset of the open file means something.
    pub has_pos: bool,
}

impl FileKind {
    /// An object that is the same for all who have it.
    pub const fn same(number: u32, name: &'static str) -> Self {
        Self { number, name, alike: Alike::Same, has_pos: false }
    }

    /// What is found by a name in the file system.
    pub const fn by_name(number: u32, name: &'static str) -> Self {
        Self { number, name, alike: Alike::ByName, has_pos: false }
    }

    /// An object with a reading and a writing end.
    pub const fn ends(number: u32, name: &'static str) -> Self {
        Self { number, name, alike: Alike::Ends, has_pos: false }
    }

    /// The offset means something.
    pub const fn with_pos(self) -> Self {
        Self { has_pos: true, ..self }
    }
}

/// One field of a record's fixed part.
#[derive(Debug, Clone, Copy)]
pub struct FieldDef {
    /// Name, the kernel's where the kernel has one.
    pub name: &'static str,
    /// Type on the wire.
    pub ty: FieldType,
    /// How to show it.
    pub show: Show,
    /// What it says about other records.
    pub role: Role,
    /// What it means, one sentence.
    pub doc: &'static str,
}

impl FieldDef {
    /// A field that says nothing about other records.
    pub const fn plain(name: &'static str, ty: FieldType, show: Show, doc: &'static str) -> Self {
        Self { name, ty, show, role: Role::Plain, doc }
    }
}

/// One kind of record: all that is known about it without an instance.
#[derive(Debug, Clone, Copy)]
pub struct RecordDef {
    /// Type number.
    pub kind: i16,
    /// Name in capitals, as the specification spells it.
    pub name: &'static str,
    /// What the record is for.
    pub doc: &'static str,
    /// The fixed part in order.
    pub fields: &'static [FieldDef],
    /// Length that the fixed part had when the kind was new: fields behind it read as zero where they are missing.
    pub since: Option<usize>,
    /// Name of the tail, empty when there is none.
    pub tail_name: &'static str,
    /// What the tail holds.
    pub tail: TailKind,
    /// What the tail means.
    pub tail_doc: &'static str,
    /// Whether it defines an object that others refer to or belong to.
    pub is_object: bool,
    /// Kinds that it may belong to, where IMAGE stands for the image as a whole; none for any.
    pub owners: &'static [Kind],
    /// Whether an owner is incomplete without a record of a kind that is due.
    pub is_due: bool,
    /// What it is to an open file, if it can stand behind one.
    pub behind: &'static [FileKind],
    /// Whether the record has words of its own for people.
    pub has_words: bool,
}

impl RecordDef {
    /// A description of nothing, to fill in.
    pub const EMPTY: Self = Self {
        kind: 0,
        name: "",
        doc: "",
        fields: &[],
        since: None,
        tail_name: "",
        tail: TailKind::None,
        tail_doc: "",
        is_object: false,
        owners: &[],
        is_due: false,
        behind: &[],
        has_words: false,
    };

    /// Length of the fixed part in bytes; a multiple of 8.
    pub fn fixed_len(&self) -> usize {
        self.fields.iter().map(|f| f.ty.size()).sum()
    }

    /// Least length of the fixed part that is read: what it had when the kind was new.
    pub fn least_len(&self) -> usize {
        self.since.unwrap_or_else(|| self.fixed_len())
    }

    /// The fields, each with its offset in the fixed part.
    pub fn placed(&self) -> impl Iterator<Item = (usize, &'static FieldDef)> {
        self.fields.iter().scan(0, |at, field| {
            let here = *at;
            *at += field.ty.size();
            Some((here, field))
        })
    }

    /// Whether EXTENTs of it hold contents.
    pub fn has_contents(&self) -> bool {
        self.fields.iter().any(|field| field.role == Role::Contents)
    }
}
