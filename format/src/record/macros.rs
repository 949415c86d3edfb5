//! `records!` and `bodies!`: one description of a record, many uses.

use crate::schema::{FieldType, FileKind, RecordDef, Role};

/// Implemented by the types that may stand in a record.
pub trait FieldPrim: Copy {
    /// The wire type.
    const TYPE: FieldType;
    /// The value as an object reference or a count; 0 for what is neither.
    fn number(self) -> u64;
}

macro_rules! prims { ($($t:ty = $v:ident),*) => { $(impl FieldPrim for $t {
    const TYPE: FieldType = FieldType::$v;
    fn number(self) -> u64 { u64::try_from(self).unwrap_or(0) }
})* } }
prims!(u8 = U8, u16 = U16, u32 = U32, u64 = U64, i16 = S16, i32 = S32, i64 = S64);
impl<const N: usize> FieldPrim for [u8; N] {
    const TYPE: FieldType = FieldType::Bytes(N);
    fn number(self) -> u64 {
        0
    }
}

/// A record's body: fixed part and tail.
pub trait RecordBody: Sized {
    /// All that is known about the kind.
    const DEF: RecordDef;
    /// What it is to an open file. Beside [`Self::DEF`], because the field that names these kinds is described by all of
    /// them.
    const BEHIND: &'static [FileKind];
    /// The fixed part as bytes.
    fn fixed(&self) -> Vec<u8>;
    /// The tail as bytes.
    fn tail(&self) -> &[u8];
    /// Reads a body from its two parts. A fixed part longer than known has to be zero beyond, a shorter one reads as if
    /// filled with zeroes, down to the length that it had when the kind was new: the rule of copy_struct_from_user()
    /// (include/linux/uaccess.h), by which the kernel's own structures grow.
    fn from_parts(fixed: &[u8], tail: &[u8]) -> Result<Self, crate::record::BodyError>;
    /// What tells this record from others of its kind, for people; may be empty.
    fn words(&self) -> String;
    /// What its fields say about other records, in their order: the role, and the reference or number.
    fn relations(&self) -> Vec<(Role, u64)>;
}

/// A structure that is one of the kinds of [`Body`](crate::record::Body): what keeps records of all kinds side by side
/// finds those of one kind by it.
pub trait InBody: RecordBody + Into<crate::record::Body> {
    /// The structure, if the body is of this kind.
    fn of(body: &crate::record::Body) -> Option<&Self>;
    /// The same, to be changed.
    fn of_mut(body: &mut crate::record::Body) -> Option<&mut Self>;
}

/// Describes records. All that a reader, a judge or a person has to know of a new kind stands here, and follows from
/// here; what may be left out is in brackets:
///
/// ```text
/// /// What it is for.
/// Name = number "NAME"
///     [, tail name: Kind "doc"]           variable part behind the fields
///     [, since bytes]                     length of the fixed part when the kind was new, if fields were added since
///     [, object]                          it defines an object
///     [, of Owner | Owner]                what it belongs to; Image is the image as a whole
///     [, due]                             an owner is incomplete without
///     [, behind [FileKind, ...]]          it stands behind open files of these kinds, and is an object for it
/// {
///     /// What it means.
///     field: type => Show [=> Role [Kind | Kind]],
/// }
/// [words(this) { expression }]            what tells one from another, for people
/// ```
macro_rules! records {
    ($(
        $(#[doc = $doc:literal])+
        $name:ident = $kind:literal $label:literal
        $(, tail $tail:ident : $tailkind:ident $taildoc:literal)?
        $(, since $since:literal)?
        $(, object $(@$object:tt)?)?
        $(, of $($owner:ident)|+)?
        $(, due $(@$due:tt)?)?
        $(, behind [$($behind:expr),+ $(,)?])?
        { $(
            $(#[doc = $fdoc:literal])+
            $field:ident : $ty:ty => $show:expr $(=> $role:ident $([$($target:ident)|+])?)?,
        )* }
        $(words($this:ident) $words:block)?
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
                use $crate::record::{FieldDef, FieldPrim, RecordDef, Role, Show::*, TailKind};
                #[allow(unused_mut)]
                let mut def = RecordDef {
                    kind: $kind,
                    name: $label,
                    doc: concat!($($doc, "\n"),+),
                    fields: &[$( FieldDef {
                        name: stringify!($field),
                        ty: <$ty as FieldPrim>::TYPE,
                        show: $show,
                        role: records!(@role $($role $([$($target)|+])?)?),
                        doc: concat!($($fdoc),+),
                    } ),*],
                    ..RecordDef::EMPTY
                };
                $( def.tail_name = stringify!($tail); def.tail = TailKind::$tailkind; def.tail_doc = $taildoc; )?
                $( def.since = Some($since); )?
                $( def.is_due = true; $(let _ = stringify!($due);)? )?
                $( def.is_object = true; $(let _ = stringify!($object);)? )?
                $( def.has_words = { let _ = stringify!($this); true }; )?
                def.behind = <Self as $crate::record::RecordBody>::BEHIND;
                if !def.behind.is_empty() {
                    def.is_object = true;
                    def.owners = $crate::record::OWNERS_OF_FILES;
                }
                $( def.owners = &[$($crate::record::$owner::KIND),+]; )?
                def
            };

            const BEHIND: &'static [$crate::record::FileKind] = {
                #[allow(unused_imports)]
                use $crate::record::FileKind;
                #[allow(unused_mut, unused_assignments)]
                let mut behind: &'static [FileKind] = &[];
                $( behind = &[$($behind),+]; )?
                behind
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
                let fixed = $crate::record::grown(&def, fixed)?;
                if def.tail == $crate::record::TailKind::None && !tail.is_empty() {
                    return Err(BodyError::Tail { name: def.name, got: tail.len(), what: "allowed for this kind" });
                }
                if tail.len() % def.tail.unit() != 0 {
                    return Err(BodyError::Tail { name: def.name, got: tail.len(), what: "a whole number of elements" });
                }
                #[allow(unused_mut)]
                let mut body: Self = binrw::BinRead::read(&mut std::io::Cursor::new(&fixed[..])).map_err(|_| {
                    BodyError::FixedLength { name: def.name, got: fixed.len(), want: def.fixed_len() }
                })?;
                $( body.$tail = tail.to_vec(); )?
                Ok(body)
            }

            fn words(&self) -> String {
                #[allow(unused_mut, unused_assignments)]
                let mut words: Option<fn(&Self) -> String> = None;
                $( words = Some(|$this: &Self| $words); )?
                match words {
                    Some(words) => words(self),
                    None => $crate::record::plain_words(&Self::DEF, &self.fixed(), self.tail()),
                }
            }

            fn relations(&self) -> Vec<($crate::record::Role, u64)> {
                #[allow(unused_imports)]
                use $crate::record::{FieldPrim, Role};
                vec![$( $( (
                    records!(@role $role $([$($target)|+])?),
                    FieldPrim::number(self.$field),
                ), )? )*]
            }
        }

        impl $name {
            /// Type number of this record.
            pub const KIND: $crate::header::Kind = $crate::header::Kind($kind);
        }
    )+ };
    (@role) => { Role::Plain };
    (@role $role:ident) => { Role::$role };
    (@role $role:ident [$($target:ident)|+]) => { Role::$role(&[$($crate::record::$target::KIND),+]) };
}

/// Gathers all kinds of body into [`Body`] and the tables [`DEFS`], [`BEHIND`] and [`FILE_KINDS`].
macro_rules! bodies {
    ($($name:ident),+ $(,)?) => {
        /// A record's body, whatever its kind.
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs)] // each variant is documented at its structure
        pub enum Body { $( $name($name), )+ }

        /// Every kind of revision-2 record but HEAD and TAIL.
        pub const DEFS: &[RecordDef] = &[$( <$name as RecordBody>::DEF ),+];

        /// What each kind of record is to an open file; a table for each that can stand behind one.
        pub const BEHIND: &[(Kind, &[FileKind])] = &[$( ($name::KIND, <$name as RecordBody>::BEHIND) ),+];

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

            /// What tells this record from others of its kind, for people; may be empty.
            pub fn words(&self) -> String {
                match self { $( Self::$name(b) => b.words(), )+ }
            }

            /// What its fields say about other records, in their order: the role, and the reference or number.
            pub fn relations(&self) -> Vec<(Role, u64)> {
                match self { $( Self::$name(b) => b.relations(), )+ }
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
