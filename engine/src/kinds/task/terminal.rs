//! The terminal that controls a session: of the process that leads it. Which pair it is shows when all descriptors are known,
//! see [`pty`](crate::kinds::fd::pty), which also makes it so again.

use stasis_format::record::ControllingTerminal;

use super::kind::TaskKind;
use crate::image::model::TaskState;
use crate::kinds::{Capture, CaptureError};

/// The kind.
#[derive(Debug)]
pub struct Terminal;

impl TaskKind for Terminal {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        let stat = c.stat;
        if stat.session != c.target.pid || stat.tty_nr == 0 {
            return Ok(());
        }
        // The kernel's own form of a device number (proc_pid_stat(5)): minor in bits 0 to 7 and 20 to 31.
        let device = stat.tty_nr as u32;
        let index = device & 0xff | device >> 12 & 0xfff00;
        let foreground = c.names.get(&stat.tpgid).copied().unwrap_or(stat.tpgid.max(0) as u32);
        task.parts.push(ControllingTerminal { pty: index, foreground }.into());
        Ok(())
    }
}
