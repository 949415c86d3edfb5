//! What a validator has to say about an image.

use crate::error::Fault;
use crate::header::Kind;
use crate::limits::MAX_FINDINGS;
use serde_json::{Value, json};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// A restart works, but something is not as it should be.
    Warning,
    /// The image is not sound; a restart refuses it.
    Error,
}

impl Severity {
    /// `error`, `warning` or `note`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that a validator found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Stable name of the rule, see [`crate::rules`].
    pub rule: &'static str,
    /// First byte concerned, counted from the start of the image.
    pub offset: u64,
    /// Bytes concerned; 0 when something is missing.
    pub len: u64,
    /// Record concerned: its kind and offset.
    pub record: Option<(Kind, u64)>,
    /// Field concerned.
    pub field: Option<&'static str>,
    /// One sentence without a full stop.
    pub message: String,
    /// What the kernel's reader, or a restart, would return for it, as a positive number.
    pub errno: Option<i32>,
}

impl Finding {
    /// A finding that breaks nothing.
    pub fn soft(severity: Severity, fault: Fault) -> Self {
        Self { severity, errno: None, ..Self::from(fault) }
    }

    /// The finding for machines.
    pub fn to_json(&self) -> Value {
        let record = self
            .record
            .map(|(kind, offset)| json!({"kind": kind.0, "type": kind.to_string(), "offset": offset}));
        json!({
            "severity": self.severity.name(),
            "rule": self.rule,
            "offset": self.offset,
            "len": self.len,
            "record": record,
            "field": self.field,
            "message": self.message,
            "errno": self.errno,
        })
    }
}

impl From<Fault> for Finding {
    fn from(fault: Fault) -> Self {
        let Fault { rule, offset, len, record, field, message, errno } = fault;
        Self { severity: Severity::Error, rule, offset, len, record, field, message, errno: Some(errno) }
    }
}

impl std::fmt::Display for Finding {
    /// One line: `error: the checksum differs (at offset 0x1f0, rule record-checksum)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} (at offset {:#x}, rule {})", self.severity, self.message, self.offset, self.rule)
    }
}

/// Findings in the order in which they turned up, no more than [`MAX_FINDINGS`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    list: Vec<Finding>,
    dropped: u64,
    errno: Option<i32>,
}

impl Findings {
    /// Adds one, unless there are too many.
    pub fn push(&mut self, finding: impl Into<Finding>) {
        let finding = finding.into();
        if finding.severity == Severity::Error && self.errno.is_none() {
            self.errno = finding.errno;
        }
        if self.list.len() < MAX_FINDINGS {
            self.list.push(finding);
        } else {
            self.dropped += 1;
        }
    }

    /// The findings kept.
    pub fn list(&self) -> &[Finding] {
        &self.list
    }

    /// How many more there were.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Errno of the first error.
    pub fn errno(&self) -> Option<i32> {
        self.errno
    }
}
