//! What the worker answers.

use super::{Command, State, Tab, Zoom};
use crate::proto::{Reply, Request, Scope, Space};

/// Most hits that are kept.
const MAX_HITS: usize = 20_000;

impl State {
    pub(super) fn replied(&mut self, reply: Reply, bytes: Vec<u8>, out: &mut Vec<Command>) {
        match reply {
            Reply::Ready => self.ready = true,
            Reply::Opened(opened) => {
                self.opening = None;
                let verdict = &opened.verdict;
                let errors = verdict.findings.len();
                self.said = format!(
                    "{}: {}, {errors} findings",
                    opened.name,
                    match (verdict.pending, verdict.valid) {
                        (true, _) => "being checked",
                        (false, true) => "valid",
                        (false, false) => "not valid",
                    }
                );
                self.findings_open = errors > 0;
                self.hex.len = opened.size;
                self.rows_total = opened.rows;
                let shown = opened.tasks.iter().find(|task| task.mm != 0).or(opened.tasks.first());
                self.task_id = shown.map_or(0, |task| task.id);
                // Where there are no pages, one looks for bytes of the file.
                if opened.extents == 0 {
                    self.search.scope = Scope::File;
                }
                let first = verdict.findings.iter().find(|finding| finding.severity == "error");
                let start = first.map_or(0, |finding| finding.offset);
                let has_records = opened.records > 0;
                self.checking = verdict.pending.then_some((0, u64::from(opened.extents)));
                if verdict.pending {
                    out.push(Command::Ask(Request::Check));
                }
                self.image = Some(*opened);
                self.ask_bytes(out);
                self.tree_visible = self.tree_visible.max(40);
                self.ask_rows(true, out);
                if self.place.is_some() {
                    self.go_to_place(out);
                } else if has_records {
                    out.push(Command::Ask(Request::Reveal { offset: start }));
                }
            }
            Reply::Checking { done, total } => {
                if self.checking.is_some() {
                    self.checking = Some((done, total));
                    out.push(Command::Ask(Request::Check));
                }
            }
            Reply::Judged(verdict) => {
                (self.verifying, self.checking) = (None, None);
                self.said = format!("the verdict is {}", verdict.ret_text);
                self.findings_open |= !verdict.findings.is_empty();
                if let Some(image) = &mut self.image {
                    image.verdict = verdict;
                }
                self.ask_rows(true, out);
            }
            Reply::Verifying { done, total } => {
                if self.verifying.is_some() {
                    self.verifying = Some((done, total));
                    out.push(Command::Ask(Request::VerifyStep));
                }
            }
            Reply::Tree { first, rows, total } => {
                self.rows_total = total;
                // The answer to a fold has only the number of rows; the rows follow.
                if !rows.is_empty() || total == 0 {
                    self.rows_first = first;
                    self.rows = rows;
                }
            }
            Reply::Selected(record) => {
                self.rows_total = record.rows;
                let field = record.fields.iter().rev().find(|field| {
                    !field.element && record.asked >= field.offset && record.asked < field.offset + field.len
                });
                let (offset, len) = match field {
                    Some(field) if record.asked != record.offset => (field.offset, field.len),
                    _ if record.asked >= record.offset + record.len => (record.asked, 1),
                    _ => (record.offset, record.len),
                };
                let was_picked = self.pinned == Some(record.asked);
                let row = record.row;
                let command = self.address(format!("offset={:#x}", record.asked));
                out.push(command);
                self.said = record.summary.clone();
                // Who looks at what belongs to a process means that process: at once where it is named itself, else
                // where no other view would change under the eyes.
                let is_task =
                    record.task.is_some() && self.processes().any(|task| task.offset == record.offset);
                if let Some(id) = record.task.filter(|_| is_task || self.tab == Tab::Record) {
                    self.choose(id);
                    if self.tab != Tab::Record {
                        self.ask_task(out);
                    }
                }
                self.record = Some(*record);
                if self.hex.space == Space::File && !was_picked {
                    self.select(offset, len, out);
                }
                if row < self.tree_top || row + 2 > self.tree_top + self.tree_visible {
                    self.tree_top = row.saturating_sub(self.tree_visible / 3);
                    out.push(Command::ScrollTree(self.tree_top));
                }
                self.ask_rows(true, out);
            }
            Reply::Bytes { space, offset, held } => self.blocks.take(space, offset, bytes, held),
            // One that was asked for before another was chosen is late.
            Reply::Task(task) if task.id == self.task_id => self.task = Some(*task),
            Reply::Task(_) => {}
            Reply::Map(map) if self.chosen().is_some_and(|task| task.mm != map.mm) => {}
            Reply::Map(map) => {
                (self.map, self.map_zoom) = (Some(map), Zoom::default());
                self.widen(out);
            }
            Reply::Piece { space, offset } => self.saved(space, offset, bytes, out),
            Reply::Hits { done, total, hits, over } => {
                if self.search.running.is_none() {
                    return;
                }
                self.search.hits.extend(hits);
                self.search.hits.truncate(MAX_HITS);
                if over {
                    self.search.running = None;
                    self.said = format!("{} found", self.search.hits.len());
                } else {
                    self.search.running = Some((done, total));
                    out.push(Command::Ask(Request::SearchStep));
                }
            }
            Reply::File { name, mime } => out.push(Command::Download { name, mime, bytes }),
            Reply::Comparing { done, total } => {
                if self.comparing.is_some() {
                    self.comparing = Some((done, total));
                    out.push(Command::Ask(Request::CompareStep));
                }
            }
            Reply::Compared(comparison) => {
                if self.comparing.take().is_some() {
                    let differ = comparison.changes.len() as u64 + comparison.dropped;
                    self.said = format!("{}: {differ} records differ", comparison.name);
                    self.comparison = Some(comparison);
                }
            }
            Reply::Failed { message } => {
                self.opening = None;
                self.comparing = None;
                (self.verifying, self.checking) = (None, None);
                self.search.running = None;
                self.saving = None;
                self.said = message.clone();
                self.error = Some(message);
            }
            Reply::Crashed { message } => {
                self.opening = None;
                self.crashed = Some(message);
            }
        }
    }

    /// A piece of what is being saved came.
    fn saved(&mut self, space: Space, offset: u64, bytes: Vec<u8>, out: &mut Vec<Command>) {
        let Some(saving) = self.saving.as_mut().filter(|saving| (saving.space, saving.at) == (space, offset))
        else {
            return;
        };
        saving.at += bytes.len() as u64;
        let is_last = saving.at >= saving.end || bytes.is_empty();
        out.push(Command::Keep { first: offset == saving.start, bytes });
        if is_last {
            out.push(Command::Deliver(saving.name.clone()));
            self.said = format!("{} is saved", saving.name);
            self.saving = None;
        } else {
            self.ask_piece(out);
        }
    }
}
