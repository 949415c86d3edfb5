//! Pieces of code that a process has already and that we borrow: the instruction that enters the kernel, and what leads out
//! of a signal handler.
//!
//! They are looked for in the memory of the process, never in the files that it comes from: a file may be a FIFO by now that
//! nobody writes to, or another one.

use crate::sys::vm;

/// The address of the first place in these executable areas where this code stands.
pub fn find(pid: i32, areas: impl IntoIterator<Item = (u64, u64)>, code: &[u8]) -> Option<u64> {
    const PIECE: u64 = 256 << 10;
    let mut bytes = vec![0; PIECE as usize];
    for (start, end) in areas {
        let mut at = start;
        while at < end {
            let want = PIECE.min(end - at);
            let Ok(n) = vm::read(pid, &[(at, want)], &mut bytes[..want as usize]) else { break };
            if let Some(i) = memchr::memmem::find(&bytes[..n], code) {
                return Some(at + i as u64);
            }
            if (n as u64) < want || at + want == end {
                break;
            }
            // The next piece begins a little earlier, lest one lies across.
            at += want - code.len() as u64 + 1;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_lies_across_two_pieces_is_found() {
        let mut memory = vec![0u8; (256 << 10) + 64];
        let at = (256 << 10) - 2;
        memory[at..at + 4].copy_from_slice(b"code");
        let start = memory.as_ptr() as u64;
        let area = (start, start + memory.len() as u64);
        let pid = std::process::id() as i32;
        assert_eq!(find(pid, [(0, 4096), area], b"code"), Some(start + at as u64));
        assert_eq!(find(pid, [area], b"none"), None);
    }
}
