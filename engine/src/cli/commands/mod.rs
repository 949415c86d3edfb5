//! One file a command.

pub mod call;
pub mod check;
pub mod checkpoint;
pub mod inspect;
pub mod restart;
pub mod run;
pub mod shell;
pub mod steps;
pub mod syscall;
pub mod validate;
pub mod view;
