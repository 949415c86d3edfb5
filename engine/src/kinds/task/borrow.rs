//! Calls inside the target whose result the kernel writes to memory: a few bytes of the target are borrowed for it and
//! always put back, whatever the call came to.

use crate::kinds::{Capture, CaptureError};
use crate::sys::vm;

/// Most bytes that a call may fill.
const ROOM: u64 = 64;

impl Capture<'_> {
    /// Makes a call inside thread `index` that fills `N` bytes, at most 64, at the address that `args` is given. Returns
    /// what the call returned (negative errno for an error) and the bytes, which mean something only when it succeeded.
    pub fn ask<const N: usize>(
        &mut self,
        index: usize,
        what: &str,
        nr: i64,
        args: impl FnOnce(u64) -> [u64; 6],
    ) -> Result<(i64, [u8; N]), CaptureError> {
        const { assert!(N as u64 <= ROOM) };
        let pid = self.target.pid;
        let place = self.target.result_area().unwrap_or_else(|| self.borrowed_place());
        let mut saved = [0u8; N];
        vm::read_exact_at(pid, place, &mut saved).map_err(CaptureError::read("the stack", pid))?;
        let ret = self.target.call(index, nr, args(place));
        let mut bytes = [0u8; N];
        let read = vm::read_exact_at(pid, place, &mut bytes);
        let back = vm::write(pid, &[(place, N as u64)], &saved);
        let ret = ret?;
        back.map_err(CaptureError::read("the stack", pid))?;
        read.map_err(CaptureError::read(what, pid))?;
        Ok((ret, bytes))
    }

    /// Below the stack pointer and its red zone of 128 bytes, where nothing lives. A stack without room there (a
    /// goroutine's, say) is spared: another writable page is borrowed.
    fn borrowed_place(&self) -> u64 {
        let sp = self.target.threads.first().map_or(0, |t| t.regs.rsp);
        let below = sp.wrapping_sub(128 + 256) & !63;
        let fits =
            |at: u64| self.target.writable.iter().any(|(start, end)| *start <= at && at + ROOM <= *end);
        if fits(below) {
            return below;
        }
        self.target.writable.last().map_or(below, |(start, _)| *start)
    }
}

/// The words of a filled structure.
pub fn words<const N: usize>(bytes: &[u8]) -> [u64; N] {
    let mut words = [0; N];
    for (word, b) in words.iter_mut().zip(bytes.chunks_exact(8)) {
        *word = u64::from_ne_bytes(b.try_into().unwrap_or_default());
    }
    words
}
