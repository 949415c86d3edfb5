//! What knows the processor: registers, the system call instruction, the vDSO. One module per architecture.

mod x86_64;

pub use x86_64::*;
