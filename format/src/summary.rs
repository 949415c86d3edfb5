//! One line about a record.

use crate::encoding::Encoding;
use crate::extent::{Run, runs_of};
use crate::fields::{Field, Part};
use crate::header::Kind;
use crate::record::{
    Body, ENCODINGS, FILE_KINDS, INDEX_ENTRY_LEN, NAMESPACES, PROT, RESOURCES, SOCKET_STATES, SOCKET_TYPES,
    TASK_STATES, TailKind, Task, VMA_KINDS,
};
use crate::show::{choice, escape, nanos, signal, until_nul, wait_status};

/// One line about a record of revision 2: what it is, whose, and what tells it from others.
pub fn summary(kind: Kind, id: u32, body: Option<&Body>) -> String {
    let mut out = kind.to_string();
    if id != 0 {
        out.push_str(&format!(" #{id}"));
    }
    if let Some(words) = body.map(words).filter(|words| !words.is_empty()) {
        out.push_str(": ");
        out.push_str(&words);
    }
    out
}

/// One line about a record that is only known by its fields: HEAD, TAIL, and those of revision 1.
pub fn summary_of_fields(kind: Kind, fields: &[Field]) -> String {
    let wanted: &[&str] = match kind {
        Kind::HEAD => &["rev", "release", "machine", "time"],
        Kind::TASK => &["state", "task_comm_len"],
        _ => &[],
    };
    if kind == Kind::STRING {
        let name = fields.iter().find(|field| field.part == Part::Tail);
        return format!("{kind}: {}", name.map_or(String::new(), |field| escape(until_nul(&field.raw))));
    }
    let words: Vec<_> = fields
        .iter()
        .filter(|field| field.part != Part::Header && wanted.contains(&field.name.as_str()))
        .map(|field| format!("{} {}", field.name, field.text))
        .collect();
    if words.is_empty() { kind.to_string() } else { format!("{kind}: {}", words.join(", ")) }
}

fn words(body: &Body) -> String {
    let reference = |id: u32| if id == 0 { "none".into() } else { format!("#{id}") };
    let name = |n: u32, names| choice(n.into(), names).map_or_else(|| format!("kind {n}"), str::to_owned);
    match body {
        Body::Image(image) => format!("root #{}, {}", image.root, nanos(image.realtime)),
        Body::Warning(warning) => format!("pid {}: {}", warning.pid, escape(&warning.text)),
        Body::Task(task) => {
            let name = format!("pid {} {}", task.pid, escape(until_nul(&task.comm)));
            match task.state {
                Task::ZOMBIE => format!("{name}, zombie: {}", wait_status(task.exit_code.into())),
                0 => name,
                state => {
                    format!("{name}, {}", choice(state.into(), TASK_STATES).unwrap_or("in an unknown state"))
                }
            }
        }
        Body::Thread(thread) => format!("tid {} {}", thread.tid, escape(until_nul(&thread.comm))),
        Body::Creds(creds) => format!("uid {} gid {}", creds.euid, creds.egid),
        Body::Rlimit(limit) => name(limit.resource, RESOURCES),
        Body::Namespace(namespace) => name(namespace.kind, NAMESPACES),
        Body::Fs(fs) => format!("cwd {}, root {}", reference(fs.cwd), reference(fs.root)),
        Body::CpuX86_64(cpu) => {
            format!("rip {:#x}, rsp {:#x}, {} bytes of xstate", cpu.rip, cpu.rsp, cpu.xstate.len())
        }
        Body::Mm(mm) => format!("exe {}, heap {:#x}-{:#x}", reference(mm.exe), mm.start_brk, mm.brk),
        Body::Vma(vma) => {
            let mut prot = String::new();
            for ((bit, _), letter) in PROT.iter().zip(["r", "w", "x"]) {
                prot.push_str(if u64::from(vma.prot) & bit != 0 { letter } else { "-" });
            }
            let kind = name(vma.kind, VMA_KINDS);
            format!("{:#x}-{:#x} {prot} {kind} {}", vma.start, vma.end, escape(&vma.name))
                .trim_end()
                .to_owned()
        }
        Body::MmContext(context) => format!("vdso {:#x}", context.vdso),
        Body::Extent(extent) => {
            let runs = runs_of(extent);
            extent_words(&runs, Encoding(extent.encoding), extent.stored_len)
        }
        Body::FileTable(table) => format!("{} descriptors", table.nr_fds),
        Body::Fd(fd) => format!("{} is {}", fd.fd, reference(fd.file)),
        Body::File(file) => format!("{} of {}", name(file.kind, FILE_KINDS), reference(file.object)),
        Body::Inode(inode) => escape(&inode.path),
        Body::Pipe(pipe) => format!("{} of {} bytes", pipe.size, pipe.capacity),
        Body::Eventfd(eventfd) => format!("count {}", eventfd.count),
        Body::Epoll(epoll) => format!("{} targets", epoll.nr_targets),
        Body::EpollTarget(target) => format!("{} is {}", target.fd, reference(target.file)),
        Body::Timerfd(timer) => nanos(timer.value),
        Body::Pidfd(pidfd) => format!("pid {}", pidfd.pid),
        Body::Socket(socket) => format!(
            "{}, {}, {} bytes in it",
            name(socket.socktype, SOCKET_TYPES),
            name(socket.state, SOCKET_STATES),
            socket.size
        ),
        Body::External(external) => escape(&external.description),
        Body::Sighand(sighand) => format!("{} actions", sighand.nr_actions),
        Body::Sigaction(action) => format!("{} calls {:#x}", signal(action.signo.into()), action.handler),
        Body::Sigpending(pending) => signal(pending.signo.into()),
        Body::PosixTimer(timer) => format!("timer {}, {}", timer.timer_id, nanos(timer.value)),
        Body::Itimer(timer) => nanos(timer.value),
        Body::Index(index) => {
            format!("{} entries from {} on", index.entries.len() / INDEX_ENTRY_LEN, index.first)
        }
        Body::IndexEnd(end) => format!("{} records, {} extents", end.nr_records, end.nr_extents),
        other if other.def().tail == TailKind::Text => escape(other.tail()),
        _ => String::new(),
    }
}

/// What an extent holds.
pub fn extent_words(runs: &[Run], encoding: Encoding, stored_len: u64) -> String {
    let pages: u64 = runs.iter().fold(0, |sum, run| sum.saturating_add(run.pages));
    let start = runs.first().map_or(0, |run| run.start);
    let encoding = choice(encoding.0.into(), ENCODINGS).map_or_else(|| encoding.to_string(), str::to_owned);
    format!("{pages} pages in {} runs from {start:#x} on, {encoding}, {stored_len} bytes stored", runs.len())
}
