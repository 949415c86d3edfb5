//! The descriptors of a process and what they lead to.

use std::io::{self, Write};

use stasis_engine::image::model::{TaskState, Tree};
use stasis_format::record::{
    Body, CLOCKS, EXTERNAL_KINDS, EpollTarget, FILE_KINDS, File, LOCK_KINDS, SOCKET_STATES, SOCKET_TYPES,
};
use stasis_format::sharing::Sharing;
use stasis_format::show::{choice, escape, nanos, signals};

use super::heading;
use crate::cli::style::Style;
use crate::cli::table::{Lean, Table};
use crate::cli::text::{count, size};

/// Status flags worth a word (open(2)).
const WORDS: [(u32, &str); 6] = [
    (0o2000, "append"),
    (0o4000, "nonblock"),
    (0o20000, "async"),
    (0o40000, "direct"),
    (0o4000000, "sync"),
    (0o10000000, "path only"),
];
/// Bits of INODE's flags: the name is gone; the contents are in the image.
const DELETED: u32 = 1;
const EMBEDDED: u32 = 2;

/// The table of descriptors, and the locks.
pub fn show(
    out: &mut impl Write,
    style: Style,
    tree: &Tree,
    task: &TaskState,
    sharing: &Sharing,
) -> io::Result<()> {
    let Some(fds) = tree.tables.get(&task.task.files) else { return Ok(()) };
    heading(out, style, &count(fds.len() as u64, "descriptor", "descriptors"))?;
    let mut table = Table::new(&[
        ("fd", Lean::Right),
        ("kind", Lean::Left),
        ("mode", Lean::Left),
        ("offset", Lean::Right),
        ("leads to", Lean::Left),
    ]);
    for fd in fds {
        let Some(file) = tree.files.get(&fd.file) else { continue };
        let leads_to = target(tree, file);
        let shared = sharing.words(task.id, fd.fd, fd.file);
        let leads_to =
            if shared.is_empty() { leads_to } else { format!("{leads_to}, {}", shared.join(", ")) };
        let has_offset = matches!(file.kind, 1 | 2 | 11);
        table.row([
            fd.fd.to_string(),
            choice(file.kind.into(), FILE_KINDS).unwrap_or("?").to_owned(),
            mode(file, fd.cloexec != 0),
            if has_offset { file.pos.to_string() } else { "-".into() },
            leads_to,
        ]);
    }
    table.write(out, style, 4)?;
    for lock in &task.locks {
        let kind = choice(lock.kind.into(), LOCK_KINDS).unwrap_or("?");
        let access = if lock.lock_type == 0 { "read" } else { "write" };
        let to =
            if lock.len == 0 { "the end".into() } else { lock.start.saturating_add(lock.len).to_string() };
        writeln!(out, "    {kind} {access} lock through {}: byte {} to {to}", lock.fd, lock.start)?;
    }
    Ok(())
}

fn mode(file: &File, cloexec: bool) -> String {
    let mut words = vec![match file.flags & 3 {
        0 => "r",
        1 => "w",
        _ => "rw",
    }];
    words.extend(WORDS.iter().filter(|(bit, _)| file.flags & bit != 0).map(|(_, word)| *word));
    if cloexec {
        words.push("cloexec");
    }
    words.join(" ")
}

fn target(tree: &Tree, file: &File) -> String {
    if let Some(inode) = tree.inodes.get(&file.object) {
        let mut words = escape(&inode.path);
        if inode.flags & DELETED != 0 {
            words.push_str(", deleted");
        }
        if inode.flags & EMBEDDED != 0 {
            words.push_str(&format!(", {} in the image", size(inode.size)));
        }
        return words;
    }
    let id = file.object;
    let Some(object) = tree.objects.get(&id) else { return "?".into() };
    match &object.body {
        Body::Pipe(pipe) => {
            let name = match tree.path_of(pipe.inode) {
                b"" => format!("pipe #{id}"),
                path => escape(path),
            };
            format!("{name}, {} of {} in it", size(pipe.size), size(pipe.capacity))
        }
        Body::Eventfd(eventfd) => {
            let semaphore = if eventfd.semaphore != 0 { ", a semaphore" } else { "" };
            format!("count {}{semaphore}", eventfd.count)
        }
        Body::Epoll(_) => {
            let fds: Vec<String> =
                tree.parts_of::<EpollTarget>(id).map(|target| target.fd.to_string()).collect();
            if fds.is_empty() { "watches nothing".into() } else { format!("watches {}", fds.join(" ")) }
        }
        Body::Timerfd(timer) => {
            let clock = choice(timer.clockid.into(), CLOCKS).unwrap_or("?");
            let due =
                if timer.value == 0 { "not armed".into() } else { format!("in {}", nanos(timer.value)) };
            let every = if timer.interval == 0 {
                String::new()
            } else {
                format!(", every {}", nanos(timer.interval))
            };
            format!("{clock}, {due}{every}")
        }
        Body::Signalfd(signalfd) => signals(signalfd.mask).join(" "),
        Body::Pidfd(pidfd) if pidfd.pid == 0 => "a process that is no more".into(),
        Body::Pidfd(pidfd) => format!("process {}", pidfd.pid),
        Body::Socket(socket) => {
            let state = choice(socket.state.into(), SOCKET_STATES).unwrap_or("?");
            let kind = choice(socket.socktype.into(), SOCKET_TYPES).unwrap_or("?");
            let peer = if socket.peer == 0 { String::new() } else { format!(" with #{}", socket.peer) };
            format!("{kind} #{id}, {state}{peer}, {} in it", size(socket.size))
        }
        Body::External(external) => {
            let kind = choice(external.kind.into(), EXTERNAL_KINDS).unwrap_or("?");
            format!("{kind} {}, taken from whoever restarts", escape(&external.description))
        }
        _ => object.body.def().name.to_owned(),
    }
}
