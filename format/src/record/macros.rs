//! `records!` and `bodies!`: one description of a record, many uses.

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
    /// A reference to an object of the image; 0 is none.
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
            Self::Index => crate::record::INDEX_ENTRY_LEN,
        }
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
    /// What it means, one sentence.
    pub doc: &'static str,
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
    /// Name of the tail, empty when there is none.
    pub tail_name: &'static str,
    /// What the tail holds.
    pub tail: TailKind,
    /// What the tail means.
    pub tail_doc: &'static str,
}

impl RecordDef {
    /// Length of the fixed part in bytes; a multiple of 8.
    pub fn fixed_len(&self) -> usize {
        self.fields.iter().map(|f| f.ty.size()).sum()
    }
}

/// Implemented by the types that may stand in a record.
pub trait FieldPrim {
    /// The wire type.
    const TYPE: FieldType;
}

macro_rules! prims { ($($t:ty = $v:ident),*) => { $(impl FieldPrim for $t { const TYPE: FieldType = FieldType::$v; })* } }
prims!(u8 = U8, u16 = U16, u32 = U32, u64 = U64, i16 = S16, i32 = S32, i64 = S64);
impl<const N: usize> FieldPrim for [u8; N] {
    const TYPE: FieldType = FieldType::Bytes(N);
}

/// A record's body: fixed part and tail.
pub trait RecordBody: Sized {
    /// All that is known about the kind.
    const DEF: RecordDef;
    /// The fixed part as bytes.
    fn fixed(&self) -> Vec<u8>;
    /// The tail as bytes.
    fn tail(&self) -> &[u8];
    /// Reads a body from its two parts, which must have exactly the right lengths.
    fn from_parts(fixed: &[u8], tail: &[u8]) -> Result<Self, crate::record::BodyError>;
}

/// A structure that is one of the kinds of [`Body`](crate::record::Body): what keeps records of all kinds side by side
/// finds those of one kind by it.
pub trait InBody: RecordBody + Into<crate::record::Body> {
    /// The structure, if the body is of this kind.
    fn of(body: &crate::record::Body) -> Option<&Self>;
    /// The same, to be changed.
    fn of_mut(body: &mut crate::record::Body) -> Option<&mut Self>;
}

/// Describes records: `Name = number "NAME", tail name: Kind "doc" { field: type => Show, }`.
macro_rules! records {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = $kind:literal $label:literal
        $(, tail $tail:ident : $tailkind:ident $taildoc:literal)?
        { $( $(#[doc = $fdoc:literal])+ $field:ident : $ty:ty => $show:expr, )* }
    )+) => { $(
        $(#[doc = $doc])+
        #[binrw::binrw]
        #[brw(little)]
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $name {
            $( $(#[doc = $fdoc])+ pub $field: $ty, )*
            $( #[doc = $taildoc] #[brw(ignore)] pub $tail: Vec<u8>, )?
        }

        impl $crate::record::RecordBody for $name {
            const DEF: $crate::record::RecordDef = {
                #[allow(unused_imports)]
                use $crate::record::{FieldDef, FieldPrim, RecordDef, Show::*, TailKind};
                #[allow(unused_mut, unused_assignments)]
                let mut tail = ("", TailKind::None, "");
                $( tail = (stringify!($tail), TailKind::$tailkind, $taildoc); )?
                RecordDef {
                    kind: $kind,
                    name: $label,
                    doc: concat!($($doc, "\n"),+),
                    fields: &[$( FieldDef {
                        name: stringify!($field),
                        ty: <$ty as FieldPrim>::TYPE,
                        show: $show,
                        doc: concat!($($fdoc),+),
                    } ),*],
                    tail_name: tail.0,
                    tail: tail.1,
                    tail_doc: tail.2,
                }
            };

            fn fixed(&self) -> Vec<u8> {
                let mut out = std::io::Cursor::new(Vec::new());
                // Writing integers and arrays into memory cannot fail.
                let _ = binrw::BinWrite::write(self, &mut out);
                out.into_inner()
            }

            fn tail(&self) -> &[u8] {
                #[allow(unused_mut, unused_assignments)]
                let mut tail: &[u8] = &[];
                $( tail = &self.$tail; )?
                tail
            }

            fn from_parts(fixed: &[u8], tail: &[u8]) -> Result<Self, $crate::record::BodyError> {
                use $crate::record::BodyError;
                let def = Self::DEF;
                let wrong = || BodyError::FixedLength { name: def.name, got: fixed.len(), want: def.fixed_len() };
                if fixed.len() != def.fixed_len() {
                    return Err(wrong());
                }
                if def.tail == $crate::record::TailKind::None && !tail.is_empty() {
                    return Err(BodyError::Tail { name: def.name, got: tail.len(), what: "allowed for this kind" });
                }
                if tail.len() % def.tail.unit() != 0 {
                    return Err(BodyError::Tail { name: def.name, got: tail.len(), what: "a whole number of elements" });
                }
                #[allow(unused_mut)]
                let mut body: Self = binrw::BinRead::read(&mut std::io::Cursor::new(fixed)).map_err(|_| wrong())?;
                $( body.$tail = tail.to_vec(); )?
                Ok(body)
            }
        }

        impl $name {
            /// Type number of this record.
            pub const KIND: $crate::header::Kind = $crate::header::Kind($kind);
        }
    )+ };
}

/// Gathers all kinds of body into [`Body`] and the table [`DEFS`].
macro_rules! bodies {
    ($($name:ident),+ $(,)?) => {
        /// A record's body, whatever its kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)] // each variant is documented at its structure
        pub enum Body { $( $name($name), )+ }

        /// Every kind of revision-2 record but HEAD and TAIL.
        pub const DEFS: &[RecordDef] = &[$( <$name as RecordBody>::DEF ),+];

        impl Body {
            /// Reads the body of a record of this kind; `None` when the kind is unknown.
            pub fn from_parts(kind: Kind, fixed: &[u8], tail: &[u8]) -> Option<Result<Self, BodyError>> {
                $( if kind == $name::KIND { return Some($name::from_parts(fixed, tail).map(Self::$name)); } )+
                None
            }

            /// The kind's description.
            pub fn def(&self) -> &'static RecordDef {
                match self { $( Self::$name(_) => const { &<$name as RecordBody>::DEF }, )+ }
            }

            /// The type number.
            pub fn kind(&self) -> Kind {
                Kind(self.def().kind)
            }

            /// The fixed part as bytes.
            pub fn fixed(&self) -> Vec<u8> {
                match self { $( Self::$name(b) => b.fixed(), )+ }
            }

            /// The tail as bytes.
            pub fn tail(&self) -> &[u8] {
                match self { $( Self::$name(b) => b.tail(), )+ }
            }
        }

        $( impl From<$name> for Body { fn from(b: $name) -> Self { Self::$name(b) } } )+

        $( impl InBody for $name {
            fn of(body: &Body) -> Option<&Self> {
                match body { Body::$name(b) => Some(b), _ => None }
            }

            fn of_mut(body: &mut Body) -> Option<&mut Self> {
                match body { Body::$name(b) => Some(b), _ => None }
            }
        } )+
    };
}
