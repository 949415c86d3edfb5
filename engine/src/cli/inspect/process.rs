//! A process: who and where it is, and its threads.

use std::io::{self, Write};

use stasis_engine::image::model::{TaskState, ThreadState, Tree};
use stasis_format::record::{NAMESPACES, POLICIES, RESOURCES, TASK_STATES, Vma};
use stasis_format::sharing::Sharing;
use stasis_format::show::{capabilities, choice, escape, signal, signals, until_nul};

use super::{heading, line};
use crate::cli::style::Style;
use crate::cli::table::{Lean, Table};
use crate::cli::text::{count, size};

/// Who it is.
pub fn show(
    out: &mut impl Write,
    style: Style,
    tree: &Tree,
    task: &TaskState,
    sharing: &Sharing,
) -> io::Result<()> {
    let record = &task.task;
    let mut key = |key: &str, value: String| line(out, style, 2, key, &value);
    if let Some(mm) = tree.mms.get(&record.mm) {
        key("program", escape(tree.path_of(mm.mm.exe)))?;
    }
    if let Some(fs) = tree.fss.get(&record.fs) {
        let root = match tree.path_of(fs.root) {
            b"/" | b"" => String::new(),
            root => format!(", root {}", escape(root)),
        };
        key("directory", format!("{}{root}, umask {:03o}", escape(tree.path_of(fs.cwd)), fs.umask))?;
    }
    key("family", format!("parent {}, group {}, session {}", record.ppid, record.pgid, record.sid))?;
    let shared = sharing.parts(task.id);
    if !shared.is_empty() {
        key("shares", shared.join(", "))?;
    }
    if let Some(words) = task.threads.first().and_then(|thread| identity(tree, thread)) {
        key("rights", words)?;
    }
    let limits: Vec<String> = task
        .rlimits
        .iter()
        .filter(|limit| limit.rlim_cur != u64::MAX)
        .map(|limit| {
            let name = choice(limit.resource.into(), RESOURCES).unwrap_or("?");
            format!("{} {}", name.trim_start_matches("RLIMIT_").to_lowercase(), limit.rlim_cur)
        })
        .collect();
    if !limits.is_empty() {
        key("limits", limits.join(", "))?;
    }
    let own = task.namespaces.iter().filter(|namespace| namespace.shared == 0);
    let own: Vec<&str> = own.filter_map(|n| choice(n.kind.into(), NAMESPACES)).collect();
    if !own.is_empty() {
        key("namespaces", format!("of its own: {}", own.join(", ")))?;
    }
    if record.oom_score_adj != 0 {
        key("oom score", format!("adjusted by {}", record.oom_score_adj))?;
    }
    if record.child_subreaper != 0 {
        key("reaper", "of its descendants' orphans".into())?;
    }
    Ok(())
}

fn identity(tree: &Tree, thread: &ThreadState) -> Option<String> {
    let creds = tree.creds.get(&thread.thread.creds)?;
    let all = |ids: [u32; 4]| match ids {
        [first, ref rest @ ..] if rest.iter().all(|id| *id == first) => first.to_string(),
        ids => ids.map(|id| id.to_string()).join("/"),
    };
    let mut words = format!(
        "uid {}, gid {}",
        all([creds.uid, creds.euid, creds.suid, creds.fsuid]),
        all([creds.gid, creds.egid, creds.sgid, creds.fsgid])
    );
    let groups: Vec<String> = creds
        .groups
        .chunks_exact(4)
        .filter_map(|bytes| bytes.first_chunk().map(|id| u32::from_le_bytes(*id).to_string()))
        .collect();
    if !groups.is_empty() {
        words.push_str(&format!(", groups {}", groups.join(" ")));
    }
    let held = capabilities(creds.cap_effective);
    words.push_str(&match held.len() {
        0 => ", no capabilities".into(),
        n @ 1..=6 => format!(", {n} capabilities ({})", held.join(" ")),
        n => format!(", {n} capabilities"),
    });
    if thread.thread.no_new_privs != 0 {
        words.push_str(", no_new_privs");
    }
    Some(words)
}

/// Its threads.
pub fn threads(out: &mut impl Write, style: Style, tree: &Tree, task: &TaskState) -> io::Result<()> {
    heading(out, style, &count(task.threads.len() as u64, "thread", "threads"))?;
    let mut table = Table::new(&[
        ("tid", Lean::Right),
        ("name", Lean::Left),
        ("state", Lean::Left),
        ("where", Lean::Left),
        ("scheduling", Lean::Left),
        ("blocked signals", Lean::Left),
    ]);
    let vmas = tree.mms.get(&task.task.mm).map_or(&[][..], |mm| mm.vmas.as_slice());
    for ThreadState { thread, cpu, .. } in &task.threads {
        let policy = choice(thread.sched_policy.into(), POLICIES).unwrap_or("?");
        let policy = policy.trim_start_matches("SCHED_").to_lowercase();
        let scheduling = match (thread.nice, thread.sched_priority) {
            (0, 0) => policy,
            (nice, 0) => format!("{policy}, nice {nice}"),
            (_, priority) => format!("{policy}, priority {priority}"),
        };
        let state = match thread.state {
            0 if cpu.orig_rax != u64::MAX => format!("in system call {}", cpu.orig_rax),
            state => choice(state.into(), TASK_STATES).unwrap_or("?").to_owned(),
        };
        table.row([
            thread.tid.to_string(),
            escape(until_nul(&thread.comm)),
            state,
            place(vmas, cpu.rip),
            scheduling,
            mask(thread.sigmask),
        ]);
    }
    table.write(out, style, 4)?;
    let xstate = task.threads.iter().map(|thread| thread.cpu.xstate.len() as u64).max().unwrap_or(0);
    writeln!(out, "    {}", style.paint(Style::DIM, &format!("extended state: {} a thread", size(xstate))))
}

/// An address by the file it lies in.
fn place(vmas: &[Vma], address: u64) -> String {
    let behind = vmas.partition_point(|vma| vma.end <= address);
    match vmas.get(behind).filter(|vma| vma.start <= address && !vma.name.is_empty()) {
        Some(vma) => {
            let name = vma.name.rsplit(|b| *b == b'/').next().unwrap_or_default();
            format!("{}+{:#x}", escape(name), address - vma.start + vma.offset)
        }
        None => format!("{address:#x}"),
    }
}

/// A set of signals, short.
fn mask(set: u64) -> String {
    match signals(set) {
        names if names.is_empty() => "-".into(),
        names if names.len() <= 4 => names.join(" "),
        names if names.len() >= 60 => {
            let missing: Vec<String> = (1..=64).filter(|n| set & 1 << (n - 1) == 0).map(signal).collect();
            match missing.is_empty() {
                true => "all".into(),
                false => format!("all but {}", missing.join(" ")),
            }
        }
        names => format!("{} and {} more", names[..3].join(" "), names.len() - 3),
    }
}
