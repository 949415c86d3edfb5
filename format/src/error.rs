//! What can be wrong with an image: a fault names its rule, the bytes, and the errno that the kernel's reader
//! would give.

use crate::header::Kind;

/// The image breaks a rule.
pub const EINVAL: i32 = 22;
/// The image ends too early.
pub const EPIPE: i32 = 32;

/// A rule of the format that an image breaks, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at offset {offset:#x})")]
pub struct Fault {
    /// Stable name of the rule, see [`crate::rules`].
    pub rule: &'static str,
    /// First byte concerned, counted from the start of the image.
    pub offset: u64,
    /// Bytes concerned.
    pub len: u64,
    /// Record concerned: its kind and offset.
    pub record: Option<(Kind, u64)>,
    /// Field concerned.
    pub field: Option<&'static str>,
    /// One sentence without a full stop.
    pub message: String,
    /// [`EINVAL`] or [`EPIPE`].
    pub errno: i32,
}

impl Fault {
    /// A broken rule at these bytes.
    pub fn new(rule: &'static str, offset: u64, len: u64, message: impl Into<String>) -> Self {
        Self { rule, offset, len, record: None, field: None, message: message.into(), errno: EINVAL }
    }

    /// Names the record.
    pub fn of(mut self, kind: i16, offset: u64) -> Self {
        self.record = Some((Kind(kind), offset));
        self
    }

    /// Names the field.
    pub fn field(mut self, name: &'static str) -> Self {
        self.field = Some(name);
        self
    }

    /// The image ended here although `what` was due.
    pub fn early_end(offset: u64, what: &str) -> Self {
        let message = format!("the image ends too early, {what} is missing or cut");
        Self { errno: EPIPE, ..Self::new(crate::rules::EARLY_END, offset, 0, message) }
    }
}

/// Reading an image failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The image is wrong.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The source of the bytes failed.
    #[error("cannot read the image (at offset {offset:#x})")]
    Io {
        /// Bytes of the image taken so far.
        offset: u64,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl ReadError {
    /// Byte of the image where it happened.
    pub fn offset(&self) -> u64 {
        match self {
            Self::Fault(fault) => fault.offset,
            Self::Io { offset, .. } => *offset,
        }
    }

    /// The rule that is broken; `None` when the image is not to blame.
    pub fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Fault(fault) => Some(fault.rule),
            Self::Io { .. } => None,
        }
    }

    /// The errno that says it best: EINVAL, EPIPE, or the source's own (EIO when it has none).
    pub fn errno(&self) -> i32 {
        const EIO: i32 = 5;
        match self {
            Self::Fault(fault) => fault.errno,
            Self::Io { source, .. } => source.raw_os_error().unwrap_or(EIO),
        }
    }
}
