//! State that cannot be carried over: collected in full before anything is written, so that one message names it all.

use std::fmt;

use stasis_format::record::Warning;

/// Kinds of state that `--allow KIND` gives up with a warning in the image instead of refusing.
///
/// The number is what the image's WARNING record carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// Child processes.
    Children = 1,
    /// A socket.
    Socket = 2,
    /// A pipe whose other end belongs to a process outside.
    ForeignPipe = 3,
    /// A terminal that is not standard input, output or error.
    Terminal = 4,
    /// A device.
    Device = 5,
    /// A descriptor of an unsupported kind (inotify, io_uring, ...).
    Descriptor = 6,
    /// A mapping of an unsupported kind.
    Mapping = 7,
    /// A seccomp filter.
    Seccomp = 8,
    /// A lock that cannot be taken again.
    Lock = 9,
    /// A namespace that is not the caller's.
    Namespace = 10,
    /// System V shared memory.
    Sysv = 11,
    /// A label of a security module.
    Label = 12,
    /// Another attribute of the task.
    Attribute = 13,
}

impl Loss {
    /// All kinds, with the name that `--allow` takes.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Children, "children"),
        (Self::Socket, "socket"),
        (Self::ForeignPipe, "pipe"),
        (Self::Terminal, "terminal"),
        (Self::Device, "device"),
        (Self::Descriptor, "descriptor"),
        (Self::Mapping, "mapping"),
        (Self::Seccomp, "seccomp"),
        (Self::Lock, "lock"),
        (Self::Namespace, "namespace"),
        (Self::Sysv, "sysv"),
        (Self::Label, "label"),
        (Self::Attribute, "attribute"),
    ];

    /// The name that `--allow` takes.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(l, _)| *l == self).map_or("?", |(_, n)| n)
    }

    /// The kind of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, n)| *n == name).map(|(l, _)| *l)
    }
}

/// One reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Kind of state.
    pub kind: Loss,
    /// Process concerned.
    pub pid: i32,
    /// What it is: names the descriptor, address range or attribute.
    pub what: String,
    /// The way out.
    pub hint: String,
    /// Whether going on without it is possible at all.
    pub allowable: bool,
}

/// The reasons found so far.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    allowed: Vec<Loss>,
    /// What stands in the way.
    pub reasons: Vec<Reason>,
    /// What was given up on request.
    pub warnings: Vec<Warning>,
}

impl Survey {
    /// A survey that lets these kinds pass with a warning.
    pub fn new(allowed: &[Loss]) -> Self {
        Self { allowed: allowed.to_vec(), ..Self::default() }
    }

    /// State that can be given up: a warning if that kind is allowed, else a reason to refuse. True when allowed.
    pub fn lose(&mut self, kind: Loss, pid: i32, what: impl Into<String>, hint: impl Into<String>) -> bool {
        let (what, hint) = (what.into(), hint.into());
        if self.allowed.contains(&kind) {
            self.warnings.push(Warning { pid: pid as u32, code: kind as u32, text: what.into_bytes() });
            return true;
        }
        self.reasons.push(Reason { kind, pid, what, hint, allowable: true });
        false
    }

    /// State without which there is no going on.
    pub fn refuse(&mut self, kind: Loss, pid: i32, what: impl Into<String>, hint: impl Into<String>) {
        self.reasons.push(Reason { kind, pid, what: what.into(), hint: hint.into(), allowable: false });
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}: {}", self.pid, self.what)?;
        match (self.hint.is_empty(), self.allowable) {
            (true, false) => Ok(()),
            (false, false) => write!(f, " ({})", self.hint),
            (true, true) => write!(f, " (--allow {} goes on without it)", self.kind.name()),
            (false, true) => {
                write!(f, " ({}, or --allow {} goes on without it)", self.hint, self.kind.name())
            }
        }
    }
}
