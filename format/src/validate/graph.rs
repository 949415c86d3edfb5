//! What the records of an image have to do with each other: owners, references, areas and pages.

use crate::encoding::Encoding;
use crate::error::Fault;
use crate::extent::{ExtentHead, Run};
use crate::findings::{Finding, Findings, Severity};
use crate::header::Kind;
use crate::limits::{MAX_OBJECTS, MAX_REMEMBERED, PAGE};
use crate::parser::Record;
use crate::record::{Body, Extent, File, InBody as _, Index, IndexEnd, Mm, Task, Thread, Vma, definition};
use crate::rules;
use crate::schema::{FieldType, Role, Show};
use crate::show::{Value, hex};
use crate::validate::kinds;
use std::collections::{BTreeMap, BTreeSet};

/// An object and what has been seen of it.
#[derive(Debug, Clone)]
struct Object {
    kind: Kind,
    offset: u64,
    /// Length in bytes, or members that it says it has.
    declared: u64,
    /// Members seen: threads of a task, descriptors of a table, registers of a thread.
    members: u64,
    /// Whether members have to be there, or be as many as declared.
    counted: bool,
    /// Areas of an address space, adjacent ones joined.
    areas: Vec<Run>,
}

/// A reference to an object that was not defined yet.
#[derive(Debug, Clone)]
struct Ahead {
    id: u32,
    kind: Kind,
    offset: u64,
    field: &'static str,
    role: Role,
    /// Kind of the open file that refers to what it is of.
    file: Option<u32>,
    /// Place of the field.
    at: u64,
}

/// Pages that lie outside their owner as far as it is known yet: what an EXTENT belongs to may follow it.
#[derive(Debug, Clone)]
struct Outside {
    owner: u32,
    run: Run,
    offset: u64,
}

/// Gathers objects and judges what can be judged at once; [`Graph::finish`] judges the rest.
#[derive(Debug, Default)]
pub struct Graph {
    objects: BTreeMap<u32, Object>,
    ahead: Vec<Ahead>,
    outside: Vec<Outside>,
    /// Offset of the last record of state.
    last_state: u64,
    has_base: bool,
    fds: BTreeSet<(u32, u32)>,
    remembered: usize,
    roots: Vec<(u32, u64)>,
    nr_roots: u64,
    root: Option<(u32, u64)>,
    /// Where memory ran out.
    full: Option<u64>,
}

impl Graph {
    /// Takes a record in.
    pub fn record(&mut self, record: &Record, findings: &mut Findings) {
        let kind = record.body.kind();
        if ![Index::KIND, IndexEnd::KIND].contains(&kind) {
            self.last_state = record.offset;
        }
        self.judge_owner(kind, record.header.parent, record.offset, findings);
        self.judge_references(record, findings);
        self.judge_body(record, findings);
        self.define(record, findings);
    }

    /// Takes a record in whose kind is not known.
    pub fn skipped(&mut self, kind: Kind, parent: u32, id: u32, offset: u64, findings: &mut Findings) {
        self.judge_owner(kind, parent, offset, findings);
        let object = Object::new(kind, offset);
        self.insert(id, object, findings);
    }

    /// Takes an EXTENT in.
    pub fn extent(&mut self, extent: &ExtentHead, findings: &mut Findings) {
        if extent.encoding == Encoding::BASE && !self.has_base {
            let message = "pages are as in the base, but IMAGE names none";
            let fault = Fault::new(rules::EXTENT_BASE, extent.offset, 0, message);
            findings.push(fault.of(Extent::KIND.0, extent.offset).field("encoding"));
        }
        let owner = self.objects.get(&extent.parent);
        if owner.is_some() || extent.parent == 0 {
            self.judge_owner(Extent::KIND, extent.parent, extent.offset, findings);
        }
        let owner = self.objects.get(&extent.parent);
        for run in &extent.runs {
            if extent.parent == 0 || owner.is_some_and(|owner| owner.holds(run)) {
                continue;
            }
            if self.outside.len() >= MAX_REMEMBERED {
                self.full = self.full.or(Some(extent.offset));
                return;
            }
            self.outside.push(Outside { owner: extent.parent, run: *run, offset: extent.offset });
        }
    }

    /// Judges what can only be judged when everything is there.
    pub fn finish(mut self, findings: &mut Findings) {
        if let Some(offset) = self.full {
            let message = "the image holds more objects, areas or pages than are remembered, so that what records \
                           have to do with each other is not judged from here on";
            findings
                .push(Finding::soft(Severity::Warning, Fault::new(rules::NOT_JUDGED, offset, 0, message)));
            return;
        }
        for ahead in std::mem::take(&mut self.ahead) {
            match self.objects.get(&ahead.id) {
                Some(object) => judge_target(&ahead, object.kind, findings),
                None => {
                    let message = format!(
                        "{} of {} refers to #{}, which no record defines",
                        ahead.field, ahead.kind, ahead.id
                    );
                    findings.push(ahead.fault(message));
                }
            }
        }
        self.judge_outside(findings);
        self.judge_roots(findings);
        for (id, object) in &mut self.objects {
            object.judge(*id, findings);
        }
    }

    /// Judges pages that were met before their owner was known.
    fn judge_outside(&mut self, findings: &mut Findings) {
        // One finding for each EXTENT says it.
        let mut said = None;
        for outside in std::mem::take(&mut self.outside) {
            let Outside { owner: id, run, offset } = outside;
            let Some(owner) = self.objects.get(&id) else {
                if said.replace(offset) != Some(offset) {
                    self.judge_owner(Extent::KIND, id, offset, findings);
                }
                continue;
            };
            if owner.holds(&run) || said == Some(offset) {
                continue;
            }
            said = Some(offset);
            let kind = owner.kind;
            if !kinds::may_belong(Extent::KIND, kind) {
                // Known before and said then, or known only now.
                if owner.offset > offset {
                    self.judge_owner(Extent::KIND, id, offset, findings);
                }
                continue;
            }
            let (start, end) = (run.start, run.end());
            let message = format!("the pages from {start:#x} to {end:#x} lie outside {kind} #{id}");
            let fault = Fault::new(rules::EXTENT_OWNER_RANGE, offset, 0, message);
            let fault = fault.of(Extent::KIND.0, offset).field("runs");
            // Written while the process ran on, which may have given the memory back since.
            if self.last_state > offset {
                findings.push(Finding::soft(Severity::Note, fault));
            } else {
                findings.push(fault);
            }
        }
    }

    fn judge_owner(&mut self, kind: Kind, parent: u32, offset: u64, findings: &mut Findings) {
        let fault = |message: String| {
            Fault::new(rules::PARENT, offset + 4, 4, message).of(kind.0, offset).field("parent")
        };
        let owner = if parent == 0 {
            kinds::THE_IMAGE
        } else {
            match self.objects.get_mut(&parent) {
                Some(owner) => {
                    owner.members += u64::from(kinds::is_member(kind, owner.kind));
                    owner.kind
                }
                None if self.full.is_some() => return,
                None => {
                    findings
                        .push(fault(format!("{kind} belongs to #{parent}, which no earlier record defines")));
                    return;
                }
            }
        };
        if !kinds::may_belong(kind, owner) {
            let whose = if parent == 0 { "the image".into() } else { format!("{owner} #{parent}") };
            findings.push(fault(format!("{kind} cannot belong to {whose}")));
        }
    }

    fn judge_references(&mut self, record: &Record, findings: &mut Findings) {
        let def = record.body.def();
        if !def.fields.iter().any(|field| matches!(field.show, Show::Ref)) {
            return;
        }
        let file = File::of(&record.body).map(|file| file.kind);
        let fixed = record.body.fixed();
        for (at, field) in def.placed() {
            let raw = fixed.get(at..at + field.ty.size()).unwrap_or_default();
            if !matches!(field.show, Show::Ref) || field.ty != FieldType::U32 {
                continue;
            }
            let id = u32::try_from(Value::read(field.ty, raw).unsigned()).unwrap_or(0);
            let ahead = Ahead {
                id,
                kind: Kind(def.kind),
                offset: record.offset,
                field: field.name,
                role: field.role,
                file: file.filter(|_| field.role == Role::Behind),
                at: record.offset + 16 + at as u64,
            };
            match self.objects.get(&id) {
                _ if id == 0 => {
                    if matches!(field.role, Role::Always(_)) {
                        findings
                            .push(ahead.fault(format!("{} of {} refers to nothing", field.name, def.name)));
                    }
                }
                Some(object) => judge_target(&ahead, object.kind, findings),
                // A record may refer to the object that it defines only through another.
                None if self.ahead.len() < MAX_REMEMBERED => self.ahead.push(ahead),
                None => self.full = self.full.or(Some(record.offset)),
            }
        }
    }

    fn judge_body(&mut self, record: &Record, findings: &mut Findings) {
        let offset = record.offset;
        let parent = record.header.parent;
        let fault =
            |rule, message: String| Fault::new(rule, offset, 0, message).of(record.header.kind, offset);
        match &record.body {
            Body::Image(image) => {
                self.root = Some((image.root, offset));
                self.has_base = image.has_base();
                if self.has_base {
                    let message = format!("it holds what differs from the image {}", hex(&image.base));
                    let fault = fault(rules::EXTENT_BASE, message).field("base");
                    findings.push(Finding::soft(Severity::Note, fault));
                }
                if u64::from(image.page_size) != PAGE {
                    let message = format!("pages have {} bytes, not {PAGE}", image.page_size);
                    findings.push(fault(rules::PAGE_SIZE, message).field("page_size"));
                }
            }
            Body::Task(_) if parent == 0 => {
                self.nr_roots += 1;
                if self.roots.len() < 2 {
                    self.roots.push((record.id, offset));
                }
            }
            Body::Vma(vma) => self.judge_area(record, vma, findings),
            Body::Fd(fd) => {
                if self.fds.len() >= MAX_REMEMBERED {
                    self.full = self.full.or(Some(offset));
                } else if !self.fds.insert((parent, fd.fd)) {
                    let message = format!("the descriptor {} stands twice in the table #{parent}", fd.fd);
                    findings.push(fault(rules::FD_UNIQUE, message).field("fd"));
                }
            }
            _ => {}
        }
    }

    fn judge_area(&mut self, record: &Record, vma: &Vma, findings: &mut Findings) {
        let fault = |rule, message: String| {
            Fault::new(rule, record.offset + 16, 16, message).of(Vma::KIND.0, record.offset).field("start")
        };
        let (start, end) = (vma.start, vma.end);
        if start >= end || start % PAGE != 0 || end % PAGE != 0 {
            let message = format!("the area from {start:#x} to {end:#x} is empty or off a page boundary");
            findings.push(fault(rules::VMA_RANGE, message));
            return;
        }
        let Some(owner) = self.objects.get_mut(&record.header.parent) else { return };
        if let Some(last) = owner.areas.last().filter(|last| start < last.end()) {
            let message =
                format!("the area at {start:#x} starts before the end of the one before, {:#x}", last.end());
            findings.push(fault(rules::VMA_ORDER, message));
        }
        let run = Run { start, pages: (end - start) / PAGE };
        join(&mut owner.areas, run, &mut self.remembered, &mut self.full, record.offset);
    }

    fn define(&mut self, record: &Record, findings: &mut Findings) {
        let mut object = Object::new(record.body.kind(), record.offset);
        for (role, number) in record.body.relations() {
            match role {
                Role::Contents => object.declared = number,
                Role::Counts(_) => (object.declared, object.counted) = (number, true),
                _ => {}
            }
        }
        match &record.body {
            Body::Thread(_) => object.counted = true,
            Body::Task(task) if task.state != Task::ZOMBIE => {
                object.counted = true;
                if [task.mm, task.files, task.fs, task.sighand].contains(&0) {
                    let message =
                        format!("the task {} lacks memory, descriptors, directories or signals", task.pid);
                    let fault = Fault::new(rules::TASK_PARTS, record.offset, 0, message);
                    findings.push(fault.of(Task::KIND.0, record.offset));
                }
            }
            _ => {}
        }
        self.insert(record.id, object, findings);
    }

    fn insert(&mut self, id: u32, object: Object, findings: &mut Findings) {
        if id != 0 && definition(object.kind).is_some_and(|def| !def.is_object) {
            let message = format!("{} defines no object, but says that it is #{id}", object.kind);
            let fault = Fault::new(rules::REFERENCE, object.offset + 8, 4, message);
            findings
                .push(Finding::soft(Severity::Warning, fault.of(object.kind.0, object.offset).field("id")));
        }
        if id == 0 {
            // A TASK or THREAD that nothing can refer to has no parts either.
            if object.counted {
                let message = format!("{} defines no object, so that nothing can belong to it", object.kind);
                let fault = Fault::new(rules::REFERENCE, object.offset + 8, 4, message);
                findings.push(fault.of(object.kind.0, object.offset).field("id"));
            }
            return;
        }
        if self.objects.len() >= MAX_OBJECTS {
            self.full = self.full.or(Some(object.offset));
            return;
        }
        if let Some(first) = self.objects.get(&id) {
            let message =
                format!("#{id} is defined already, by {} at offset {:#x}", first.kind, first.offset);
            let fault = Fault::new(rules::ID_UNIQUE, object.offset + 8, 4, message);
            findings.push(fault.of(object.kind.0, object.offset).field("id"));
            return;
        }
        self.objects.insert(id, object);
    }

    fn judge_roots(&self, findings: &mut Findings) {
        let Some((named, offset)) = self.root else { return };
        let fault = |message: String| {
            Fault::new(rules::ONE_ROOT, offset, 0, message)
                .of(crate::record::Image::KIND.0, offset)
                .field("root")
        };
        match self.roots.as_slice() {
            [(id, _)] if *id == named => {}
            [(id, _)] => findings.push(fault(format!("the root of the tree is task #{id}, not #{named}"))),
            _ => findings.push(fault(format!("{} tasks have no parent, one is due", self.nr_roots))),
        }
    }
}

impl Object {
    fn new(kind: Kind, offset: u64) -> Self {
        Self { kind, offset, declared: 0, members: 0, counted: false, areas: Vec::new() }
    }

    /// Whether the pages lie inside it.
    fn holds(&self, run: &Run) -> bool {
        match definition(self.kind) {
            _ if self.kind == Mm::KIND => holds(&self.areas, run),
            Some(def) if def.has_contents() => {
                run.end() <= self.declared.checked_next_multiple_of(PAGE).unwrap_or(u64::MAX)
            }
            // Nobody knows what it holds.
            known => known.is_none(),
        }
    }

    /// Judges members at the end.
    fn judge(&mut self, id: u32, findings: &mut Findings) {
        let fault =
            |rule, message: String| Fault::new(rule, self.offset, 0, message).of(self.kind.0, self.offset);
        match self.kind {
            Task::KIND if self.counted && self.members == 0 => {
                findings.push(fault(rules::TASK_PARTS, format!("TASK #{id} has no THREAD")));
            }
            Thread::KIND if self.members == 0 => {
                findings.push(fault(rules::THREAD_CPU, format!("THREAD #{id} has no registers")));
            }
            Task::KIND | Thread::KIND => {}
            _ if self.counted && self.members != self.declared => {
                let message =
                    format!("{} #{id} has {} members, not {}", self.kind, self.members, self.declared);
                findings.push(fault(rules::COUNT, message));
            }
            _ => {}
        }
    }
}

impl Ahead {
    fn fault(&self, message: String) -> Fault {
        Fault::new(rules::REFERENCE, self.at, 4, message).of(self.kind.0, self.offset).field(self.field)
    }
}

fn judge_target(ahead: &Ahead, kind: Kind, findings: &mut Findings) {
    let file = ahead.file.filter(|file| !kinds::may_stand_behind(*file, kind));
    if !kinds::may_refer(ahead.role, kind) {
        let message = format!("{} of {} refers to #{}, which is {kind}", ahead.field, ahead.kind, ahead.id);
        findings.push(ahead.fault(message));
    } else if let Some(file) = file {
        let name = crate::show::named(file, crate::record::FILE_KINDS);
        findings.push(ahead.fault(format!("{} of a {name} is #{}, which is {kind}", ahead.field, ahead.id)));
    }
}

/// Whether one of the areas, which ascend, holds the whole run.
fn holds(areas: &[Run], run: &Run) -> bool {
    let behind = areas.partition_point(|area| area.start <= run.start);
    behind.checked_sub(1).and_then(|at| areas.get(at)).is_some_and(|area| run.end() <= area.end())
}

/// Adds a run, to the last one if it follows it.
fn join(runs: &mut Vec<Run>, run: Run, remembered: &mut usize, full: &mut Option<u64>, offset: u64) {
    match runs.last_mut() {
        Some(last) if last.end() == run.start => last.pages = last.pages.saturating_add(run.pages),
        _ if *remembered >= MAX_REMEMBERED => *full = full.or(Some(offset)),
        _ => {
            *remembered += 1;
            runs.push(run);
        }
    }
}
