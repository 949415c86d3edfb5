//! Two images beside each other: records are matched by what they are about, not by where they stand; processes by
//! their PIDs, pages by their addresses. Records at once, pages in steps.

use super::{Result, Session};
use crate::proto::{Area, Change, Comparison, PagesChanged};
use stasis_format::ReadAt;
use stasis_format::fields::{Field, Part, definition, fields};
use stasis_format::header::Kind;
use stasis_format::record::{Extent, Index, IndexEnd, Show, Task, Thread};
use stasis_format::sharing::Holder;
use std::collections::{HashMap, HashSet};

/// Most differences that are listed.
const MAX_CHANGES: usize = 2000;
/// Bytes compared in a step: an extent on each side is decoded once for them.
const STEP: u64 = 16 << 20;
/// Fields that tell a record from its siblings.
const NATURAL: &[&str] =
    &["pid", "tid", "start", "fd", "resource", "signo", "which", "timer_id", "ns", "path", "kind"];
/// A record of one image: what it is about, its offset, and its fields.
#[derive(Debug)]
struct Known {
    key: String,
    offset: u64,
    fields: Vec<(String, String)>,
}

/// A comparison under way.
#[derive(Debug)]
pub struct Comparing<T> {
    other: Session<T>,
    out: Comparison,
    /// Areas that are still to be compared: memory here and there, whose it is, the area.
    left: Vec<(u32, u32, String, Area)>,
    row: Option<PagesChanged>,
    at: u64,
    done: u64,
    total: u64,
}

impl<T> Comparing<T> {
    /// Bytes of memory that are done, and all.
    pub fn progress(&self) -> (u64, u64) {
        (self.done.min(self.total), self.total)
    }

    /// What came out.
    pub fn finish(self) -> Comparison {
        self.out
    }
}

impl<S: ReadAt + Clone> Session<S> {
    /// Compares the records of this image with those of another, this one being the older, and makes ready for the
    /// pages.
    pub fn compare<T: ReadAt + Clone>(&mut self, mut other: Session<T>) -> Result<Comparing<T>> {
        let pids = |tasks: &[crate::proto::Process]| tasks.iter().map(|task| task.pid).collect::<Vec<_>>();
        let (ours, theirs) = (self.tasks()?, other.tasks()?);
        let common: HashSet<u32> =
            pids(&ours).into_iter().filter(|pid| pids(&theirs).contains(pid)).collect();
        // Two runs of one program have no PID in common; their processes are matched by their places in the tree.
        let by_pid = !common.is_empty();
        let (here, there) = (self.known(by_pid)?, other.known(by_pid)?);
        let mut left: HashMap<&str, &Known> = there.iter().map(|known| (known.key.as_str(), known)).collect();
        let mut out = Comparison { name: other.name.clone(), ..Comparison::default() };
        let mut add = |change: Change| {
            if out.changes.len() < MAX_CHANGES { out.changes.push(change) } else { out.dropped += 1 }
        };
        let mut same = 0;
        for known in &here {
            let change = |what: &str, fields| Change {
                what: what.into(),
                record: known.key.clone(),
                offset: known.offset,
                fields,
            };
            let Some(others) = left.remove(known.key.as_str()) else {
                add(change("gone", Vec::new()));
                continue;
            };
            let mut differ = Vec::new();
            for (name, value) in &known.fields {
                let other = others.fields.iter().find(|other| other.0 == *name);
                let other = other.map_or("", |other| other.1.as_str());
                if other != value {
                    differ.push((name.clone(), value.clone(), other.to_owned()));
                }
            }
            if differ.is_empty() {
                same += 1;
            } else {
                add(change("changed", differ));
            }
        }
        for known in there.iter().filter(|known| left.contains_key(known.key.as_str())) {
            let (record, offset) = (known.key.clone(), known.offset);
            add(Change { what: "new".into(), record, offset, fields: Vec::new() });
        }
        out.same = same;
        let mut left = Vec::new();
        let mut seen = HashSet::new();
        for (at, task) in ours.iter().enumerate() {
            let twin = match by_pid {
                true => theirs.iter().find(|other| other.pid == task.pid),
                false => theirs.get(at),
            };
            let Some(twin) = twin.filter(|twin| twin.mm != 0 && task.mm != 0) else { continue };
            if self.index.is_none() || other.index.is_none() || !seen.insert(task.mm) {
                continue;
            }
            let name = if ours.len() > 1 { format!("{} {}: ", task.pid, task.comm) } else { String::new() };
            left.extend(
                self.map(task.mm)?.areas.into_iter().map(|area| (task.mm, twin.mm, name.clone(), area)),
            );
        }
        left.reverse();
        let total = left.iter().fold(0u64, |sum, (.., area)| sum.saturating_add(area.end - area.start));
        Ok(Comparing { other, out, left, row: None, at: 0, done: 0, total })
    }

    /// Goes on with the pages; `true` when all are compared.
    pub fn compare_step<T: ReadAt + Clone>(&mut self, comparing: &mut Comparing<T>) -> Result<bool> {
        let Some((mm, twin, name, area)) = comparing.left.last().cloned() else { return Ok(true) };
        let label = || PagesChanged {
            mm,
            label: format!(
                "{name}{} {}",
                area.prot,
                if area.name.is_empty() { &area.kind } else { &area.name }
            ),
            ..PagesChanged::default()
        };
        let row = comparing.row.get_or_insert_with(label);
        let at = comparing.at.max(area.start);
        // What neither image holds is skipped, however long it is.
        let next = |held: Option<(u64, u64)>| held.map_or(u64::MAX, |(start, _)| start);
        let from = next(self.held_from(mm, at)?).min(next(comparing.other.held_from(twin, at)?)).max(at);
        let until = from.saturating_add(STEP).min(area.end);
        if from < until {
            // A page of no file that neither extent holds reads as zero.
            let zero = |bytes: Option<Vec<u8>>| match &*area.kind == "file" {
                true => bytes,
                false => bytes.filter(|bytes| bytes.iter().any(|byte| *byte != 0)),
            };
            let here = self.pages(mm, from, until - from)?;
            let there = comparing.other.pages(twin, from, until - from)?;
            for (page, other) in here.into_iter().zip(there) {
                if page.bytes.is_none() && other.bytes.is_none() {
                    continue;
                }
                row.compared += 1;
                if zero(page.bytes) != zero(other.bytes) {
                    row.first = if row.pages == 0 { page.address } else { row.first };
                    row.pages += 1;
                }
            }
        }
        let done = until.min(area.end).max(at.min(area.end));
        comparing.done = comparing.done.saturating_add(done.saturating_sub(at));
        comparing.at = done;
        if from >= area.end || until >= area.end {
            comparing.done = comparing.done.saturating_add(area.end.saturating_sub(done));
            comparing.out.areas.extend(comparing.row.take().filter(|row| row.pages > 0));
            comparing.left.pop();
            comparing.at = 0;
        }
        Ok(comparing.left.is_empty())
    }

    /// Every record but contents and index, under the path of what it is about.
    fn known(&mut self, by_pid: bool) -> Result<Vec<Known>> {
        let sharing = self.sharing()?;
        let place: HashMap<u32, usize> =
            self.tasks()?.iter().enumerate().map(|(at, task)| (task.id, at + 1)).collect();
        let process = |id: u32, pid: u32| match (by_pid, place.get(&id)) {
            (false, Some(at)) => format!("number {at}"),
            _ => format!("pid {pid}"),
        };
        let holder =
            |holder: Holder| format!("{} fd {}", process(holder.task.id, holder.task.pid), holder.fd);
        let mut keys: Vec<String> = Vec::new();
        let mut seen: HashMap<String, u32> = HashMap::new();
        let mut out: Vec<(Kind, Vec<Field>, u64, String)> = Vec::new();
        for (at, node) in self.tree.nodes.iter().enumerate() {
            let kind = Kind(node.kind);
            let skip = self.rev == 2 && matches!(kind, Extent::KIND | Index::KIND | IndexEnd::KIND);
            let Some(raw) = self.raw(at as u32)?.filter(|_| !skip) else {
                keys.push(String::new());
                continue;
            };
            let list = fields(&raw.bytes, raw.offset, self.rev);
            let said = |field: &Field| {
                matches!(field.part, Part::Fixed | Part::Tail | Part::Other)
                    && field.name != "pad"
                    && field.name != "head_checksum"
            };
            let list: Vec<Field> = list.into_iter().filter(said).collect();
            let value = |name: &str| list.iter().find(|field| field.name == name);
            let owner = self.tree.owners(at as u32).last().and_then(|owner| keys.get(*owner as usize));
            // A process is the same one whoever its parent is.
            let is_task = kind == Task::KIND && self.rev == 2;
            let owner = owner.filter(|owner| !owner.is_empty() && !is_task);
            let mut key = owner.map_or(String::new(), |owner| format!("{owner} / "));
            key.push_str(&kind.to_string());
            let natural = NATURAL.iter().filter(|name| by_pid || kind != Thread::KIND || **name != "tid");
            let natural = natural.clone().find_map(|name| value(name));
            match (kind, self.rev) {
                (Task::KIND, 2) => {
                    let pid = value("pid").map_or(0, |field| field.value.unsigned()) as u32;
                    key.push_str(&format!(" {}", process(node.id, pid)));
                }
                // The number of an object is one of this image only: what has no path is told apart by the descriptor
                // that leads to it.
                _ if node.id != 0 && value("path").is_none() && sharing.first_of(node.id).is_some() => {
                    let held = sharing.first_of(node.id).map(holder);
                    key.push_str(&held.map_or(String::new(), |held| format!(" of {held}")));
                }
                _ => key.extend(natural.map(|field| format!(" {} {}", field.name, field.text))),
            }
            let times = seen.entry(key.clone()).or_default();
            *times += 1;
            if *times > 1 {
                key.push_str(&format!(" ({times})"));
            }
            keys.push(key.clone());
            out.push((kind, list, node.offset, key));
        }
        // Numbers of objects say nothing in another image: what they lead to does.
        let said = |kind: Kind, field: Field| {
            let def = definition(kind, self.rev)
                .and_then(|def| def.fields.iter().find(|def| def.name == field.name));
            let is_ref = def.is_some_and(|def| matches!(def.show, Show::Ref)) && self.rev == 2;
            let id = u32::try_from(field.value.unsigned()).unwrap_or(0);
            let target = if is_ref { self.tree.object(id) } else { None };
            let target = target.and_then(|at| keys.get(at as usize)).filter(|key| !key.is_empty());
            (field.name, target.cloned().unwrap_or(field.text))
        };
        let known = |(kind, list, offset, key): (Kind, Vec<Field>, u64, String)| Known {
            key,
            offset,
            fields: list.into_iter().map(|field| said(kind, field)).collect(),
        };
        Ok(out.into_iter().map(known).collect())
    }
}
