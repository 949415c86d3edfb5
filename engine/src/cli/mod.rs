//! The command line: arguments in, calls of the engine, sentences and exit codes out.
//!
//! * [`args`]: names, arguments, help. [`commands`]: one file a command. [`inspect`]: what `stasis inspect` shows.
//! * [`failure`]: how a command fails. [`output`]: where an image goes. [`watch`]: progress on a terminal.
//! * [`supervisor`]: the process that the user sees, in front of the one that holds a target. [`foreground`]: signals that
//!   a command passes on.
//! * [`style`], [`table`], [`text`]: how output looks.

pub mod args;
pub mod commands;
pub mod failure;
pub mod foreground;
pub mod inspect;
pub mod output;
pub mod style;
pub mod supervisor;
pub mod table;
pub mod text;
pub mod watch;
