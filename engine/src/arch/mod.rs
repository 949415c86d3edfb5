//! What knows the processor: registers, the system call instruction, the vDSO. One module per architecture.

mod sigframe;
mod x86_64;

pub use sigframe::*;
pub use x86_64::*;
