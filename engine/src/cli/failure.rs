//! How a command fails: one sentence, a hint, an exit code.

use std::fmt::Display;

/// Exit code of a command that did not do what it should.
pub const FAILED: u8 = 1;
/// Exit code of `validate` when there was nothing to look at; that of wrong usage too.
pub const COULD_NOT_LOOK: u8 = 2;
/// Exit code of `restart` when nothing was restarted, as in env(1) and timeout(1): the others are the program's.
pub const NOT_RESTARTED: u8 = 125;
/// Exit code of `run` when the command was not run, likewise.
pub const NOT_RUN: u8 = NOT_RESTARTED;

/// Exit code when the reader of our output has gone: as if SIGPIPE, which Rust programs ignore, had ended us.
pub const BROKEN_PIPE: u8 = 128 + 13;

/// Why a command failed.
#[derive(Debug)]
pub struct Failure {
    /// What is printed, `{:#}`.
    pub error: anyhow::Error,
    /// What to do about it.
    pub hint: Option<String>,
    /// How the program ends.
    pub code: u8,
}

/// What a command comes to: an exit code.
pub type Outcome = Result<u8, Failure>;

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None, code: FAILED }
    }
}

/// Adds to a failure on its way out.
pub trait Explain<T> {
    /// What to do about it.
    fn hint(self, hint: impl Display) -> Result<T, Failure>;
    /// How the program ends.
    fn code(self, code: u8) -> Result<T, Failure>;
}

impl<T, E: Into<Failure>> Explain<T> for Result<T, E> {
    fn hint(self, hint: impl Display) -> Result<T, Failure> {
        self.map_err(|error| Failure { hint: Some(hint.to_string()), ..error.into() })
    }

    fn code(self, code: u8) -> Result<T, Failure> {
        self.map_err(|error| Failure { code, ..error.into() })
    }
}

/// Whether the reader of a pipe has gone.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
