//! Signals and timers of a process.

use std::io::{self, Write};

use stasis_engine::image::model::{TaskState, Tree};
use stasis_format::record::{CLOCKS, ITIMERS, SA_FLAGS, Sigpending};
use stasis_format::show::{choice, flags, nanos, signal};

use super::heading;
use crate::cli::style::Style;
use crate::cli::table::{Lean, Table};

/// SA_RESTORER says where the C library returns to; every handler has it.
const SA_RESTORER: u64 = 0x0400_0000;

/// Actions that are not the default, and what is pending.
pub fn show(out: &mut impl Write, style: Style, tree: &Tree, task: &TaskState) -> io::Result<()> {
    let actions = tree.sighands.get(&task.task.sighand).map_or(&[][..], Vec::as_slice);
    let pending =
        task.threads.iter().flat_map(|thread| thread.pending.iter().map(|p| (thread.thread.tid, p)));
    let pending: Vec<(u32, &Sigpending)> = task.pending.iter().map(|p| (0, p)).chain(pending).collect();
    if actions.is_empty() && pending.is_empty() {
        return Ok(());
    }
    heading(out, style, "signals")?;
    let mut table = Table::new(&[("", Lean::Left), ("", Lean::Left), ("", Lean::Left)]);
    for action in actions {
        let what = match action.handler {
            0 => "default".into(),
            1 => "ignored".into(),
            handler => format!("handler {handler:#x}"),
        };
        let words = flags(action.flags & !SA_RESTORER, SA_FLAGS).join(" ");
        table.row([signal(action.signo.into()), what, words]);
    }
    // A queue can hold thousands that differ in their data only.
    for alike in pending.chunk_by(|(tid, a), (other, b)| (tid, a.signo, a.code) == (other, b.signo, b.code)) {
        let Some((tid, waiting)) = alike.first() else { continue };
        let mut whose = if *tid == 0 { "pending".into() } else { format!("pending for thread {tid}") };
        if alike.len() > 1 {
            whose.push_str(&format!(", {} times", alike.len()));
        }
        table.row([signal(waiting.signo.into()), whose, format!("code {}", waiting.code)]);
    }
    table.write(out, style, 4)
}

/// Interval and POSIX timers.
pub fn timers(out: &mut impl Write, style: Style, task: &TaskState) -> io::Result<()> {
    let armed: Vec<_> = task.itimers.iter().filter(|timer| timer.value != 0).collect();
    if armed.is_empty() && task.posix_timers.is_empty() {
        return Ok(());
    }
    heading(out, style, "timers")?;
    let mut table = Table::new(&[("", Lean::Left), ("", Lean::Left), ("", Lean::Left), ("", Lean::Left)]);
    let every = |interval| if interval == 0 { String::new() } else { format!("every {}", nanos(interval)) };
    for timer in armed {
        let name = choice(timer.which.into(), ITIMERS).unwrap_or("?");
        table.row([name.into(), format!("in {}", nanos(timer.value)), every(timer.interval)]);
    }
    for timer in &task.posix_timers {
        let clock = u64::try_from(timer.clockid).ok().and_then(|id| choice(id, CLOCKS));
        // Below zero are the processor clocks of processes and threads (clock_getcpuclockid(3)).
        let clock = match clock {
            Some(name) => name.to_owned(),
            None if timer.clockid < 0 => format!("processor clock {}", timer.clockid),
            None => format!("clock {}", timer.clockid),
        };
        let due = match (timer.value, timer.flags & 1) {
            (0, _) => "not armed".into(),
            (value, 0) => format!("in {}", nanos(value)),
            (value, _) => format!("at {}", nanos(value)),
        };
        let tells = format!("{clock}, {}", signal(timer.signo.into()));
        table.row([format!("timer {}", timer.timer_id), due, every(timer.interval), tells]);
    }
    table.write(out, style, 4)
}
