//! What a person's wish leads to in this image, and in which words; several places where it can be read in several ways.

use super::{Result, Session};
use crate::proto::{Here, Process, Reading, Readings, Space, Target};
use crate::text::Place;
use crate::wish::{Wish, parse};
use stasis_format::ReadAt;
use stasis_format::header::Kind;

/// Readings that are offered.
const MAX: usize = 50;

impl<S: ReadAt + Clone> Session<S> {
    /// All that it can mean, the likeliest first.
    pub fn readings(&mut self, text: &str, here: &Here) -> Result<Readings> {
        let mut out = Readings { text: text.trim().to_owned(), ..Readings::default() };
        let told = match parse(text) {
            Some(wish) => self.understand(wish, here, &mut out)?,
            None => {
                Some("write an address, an offset, a PID, fd 7, #18, libc.so.6+0x10, +0x10 or end".into())
            }
        };
        out.list.truncate(MAX);
        out.wrong = told.filter(|_| out.list.is_empty());
        Ok(out)
    }

    /// Fills the list; what to say should it stay empty.
    fn understand(&mut self, wish: Wish, here: &Here, out: &mut Readings) -> Result<Option<String>> {
        let tasks = self.tasks()?;
        let none = Some(format!("{} is not in this image", out.text));
        match wish {
            Wish::Place(Place::Offset(offset)) | Wish::Offset(offset) => {
                self.offset(offset, out);
                return Ok(Some(format!("the file ends at {:#x}", self.len)));
            }
            Wish::Place(Place::Record(record)) | Wish::Record(record) => {
                let offset = self.offset_of(record);
                out.list.extend(offset.map(|at| reading(format!("record {record}"), Target::Record(at))));
            }
            Wish::Place(Place::Address(address, whose)) => {
                use crate::text::Whose;
                let is = |task: &&Process| match whose {
                    None => true,
                    Some(Whose::Pid(pid)) => task.pid == pid,
                    Some(Whose::Object(mm)) => task.mm == mm,
                };
                let some: Vec<Process> = tasks.iter().filter(is).cloned().collect();
                self.address(address, &some, here, out)?;
            }
            Wish::Address(address) => {
                self.address(address, &tasks, here, out)?;
                return Ok(Some(format!("nothing is mapped at {address:#x}")));
            }
            Wish::Number { hex, decimal } => return self.number(hex, decimal, &tasks, here, out).map(Some),
            Wish::By(by) => {
                let at = here.cursor.checked_add_signed(by).filter(|at| here.holds(*at));
                let words = format!("{} bytes {}", by.unsigned_abs(), if by < 0 { "back" } else { "on" });
                out.list.extend(at.map(|at| reading(words, here.target(at))));
                return Ok(Some("that lies outside of what the hex view shows".into()));
            }
            Wish::Start => out.list.push(reading("the first byte shown".into(), here.target(here.start))),
            Wish::End => {
                let last = here.start.saturating_add(here.len).saturating_sub(1);
                out.list.push(reading("the last byte shown".into(), here.target(last)));
            }
            Wish::Object(id) => {
                if let Some(node) = self.tree.object(id) {
                    let words = self.summary(node)?;
                    out.list.extend(self.offset_of(node).map(|at| reading(words, Target::Record(at))));
                }
            }
            Wish::Pid(pid) => out.list.extend(tasks.iter().filter(|task| task.pid == pid).map(process)),
            Wish::Fd { pid, fd } => {
                let is = |task: &&Process| pid.map_or(task.id == here.task, |pid| task.pid == pid);
                let Some(task) = tasks.iter().find(is) else { return Ok(none) };
                let told = self.task(task.id)?;
                let row = told.fds.iter().find(|row| row.fd == fd);
                let words = |row: &crate::proto::Fd| format!("fd {fd} of {}, {}", name(task), row.target);
                out.list.extend(row.map(|row| reading(words(row), Target::Record(row.offset))));
                return Ok(Some(format!("{} has no descriptor {fd}", name(task))));
            }
            Wish::Area { name, prot, plus } => {
                self.named(&name, prot.as_deref(), plus, &tasks, here, out)?;
                return Ok(Some(format!("no process here maps {name} at that offset")));
            }
        }
        Ok(none)
    }

    fn number(
        &mut self,
        hex: Option<u64>,
        decimal: Option<u64>,
        tasks: &[Process],
        here: &Here,
        out: &mut Readings,
    ) -> Result<String> {
        let pid = decimal.filter(|_| hex.is_some());
        out.list.extend(tasks.iter().filter(|task| pid == Some(task.pid.into())).map(process));
        for value in [hex, decimal.filter(|_| decimal != hex)].into_iter().flatten() {
            let is_memory = here.space != Space::File;
            if is_memory {
                self.address(value, tasks, here, out)?;
            }
            self.offset(value, out);
            if !is_memory {
                self.address(value, tasks, here, out)?;
            }
        }
        let value = hex.or(decimal).unwrap_or(0);
        Ok(format!("nothing is mapped at {value:#x}, and the file ends at {:#x}", self.len))
    }

    fn offset(&self, offset: u64, out: &mut Readings) {
        if offset < self.len {
            let node = self.tree.at(offset).and_then(|node| self.tree.node(node));
            let place = node.map_or(String::new(), |node| format!(", in {}", Kind(node.kind)));
            out.list.push(reading(format!("byte {offset:#x} of the file{place}"), Target::Offset(offset)));
        }
    }

    /// The address in every memory that has it. Which one is asked if there are several and none is being looked at.
    fn address(&mut self, address: u64, tasks: &[Process], here: &Here, out: &mut Readings) -> Result<()> {
        let mut found = Vec::new();
        for task in memories(tasks, here) {
            if let Some(area) = self.area_of(task.mm, address)? {
                let words = format!("{address:#x} of {}: {area}", name(task));
                found.push(reading(words, Target::Memory { mm: task.mm, address }));
            }
        }
        self.add(found, here, out);
        Ok(())
    }

    fn named(
        &mut self,
        wanted: &str,
        prot: Option<&str>,
        plus: u64,
        tasks: &[Process],
        here: &Here,
        out: &mut Readings,
    ) -> Result<()> {
        let mut found = Vec::new();
        for task in memories(tasks, here) {
            let spans = self.spans(task.mm)?;
            let named = spans.iter().filter(|span| span.is_called(wanted));
            let first = named.clone().map(|span| span.vma.offset).min().unwrap_or(0);
            let address = |span: &super::spans::Span| {
                // Without more than a name its beginning is meant, wherever in the file it begins.
                let at = match prot {
                    Some(prot) if prot != span.prot() => return None,
                    Some(_) => plus,
                    None if plus == 0 => first.checked_sub(span.vma.offset)?,
                    None => plus.checked_sub(span.vma.offset)?,
                };
                span.vma.start.checked_add(at).filter(|address| *address < span.vma.end)
            };
            if let Some((span, address)) = named.into_iter().find_map(|span| Some((span, address(span)?))) {
                let words = format!("{} of {}, at {address:#x}", span.words(address), name(task));
                found.push(reading(words, Target::Memory { mm: task.mm, address }));
            }
        }
        self.add(found, here, out);
        Ok(())
    }

    fn add(&self, found: Vec<Reading>, here: &Here, out: &mut Readings) {
        let is_here = |reading: &Reading| reading.target.space() == here.space;
        out.ask |= out.list.is_empty() && found.len() > 1 && !found.first().is_some_and(is_here);
        out.list.extend(found);
    }
}

/// Processes with a memory of their own: that of the hex view first, then the chosen one's.
fn memories<'a>(tasks: &'a [Process], here: &Here) -> Vec<&'a Process> {
    let mut seen = std::collections::HashSet::new();
    let mut all: Vec<&Process> = tasks.iter().filter(|task| task.mm != 0 && seen.insert(task.mm)).collect();
    all.sort_by_key(|task| (Space::Memory(task.mm) != here.space, task.id != here.task));
    all
}

fn reading(words: String, target: Target) -> Reading {
    Reading { words, target }
}

fn process(task: &Process) -> Reading {
    reading(format!("process {}", name(task)), Target::Record(task.offset))
}

fn name(task: &Process) -> String {
    format!("{} {}", task.pid, task.comm)
}
