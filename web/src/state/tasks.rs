//! The processes: which one is chosen, and what is known of it.

use super::{Command, State, files::Files};
use crate::proto::{Process, Request, Task};

/// This part of the state.
#[derive(Debug, Default)]
pub struct Tasks {
    /// Object of the chosen process.
    pub id: u32,
    /// All about it, once it came.
    pub task: Option<Task>,
    /// Thread whose registers are shown, by its place in the list.
    pub thread: usize,
    /// First process in sight.
    pub top: u32,
    /// First thread in sight.
    pub threads_top: u32,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Chooses the process that is this object.
    Choose(u32),
    /// Chooses the process so many rows further down in the tree.
    Move(i32),
    /// Shows the registers of a thread.
    Thread(usize),
    /// The tree was scrolled.
    Scrolled(u32),
    /// The threads were scrolled.
    ThreadsScrolled(u32),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Choose(id) => {
            state.choose(id);
            state.ask_task(out);
        }
        Action::Move(by) => {
            let tasks: Vec<u32> = state.processes().map(|task| task.id).collect();
            let at = tasks.iter().position(|id| *id == state.tasks.id).unwrap_or(0) as i32;
            let to = at.saturating_add(by).clamp(0, (tasks.len() as i32 - 1).max(0));
            if let Some(id) = tasks.get(to as usize) {
                state.choose(*id);
                let name = |task: &Process| format!("{} {}", task.pid, task.comm);
                state.chrome.said = state.chosen().map_or(String::new(), name);
                state.show_process(out);
                state.ask_task(out);
            }
        }
        Action::Thread(at) => state.tasks.thread = at,
        Action::Scrolled(top) => state.tasks.top = top,
        Action::ThreadsScrolled(top) => state.tasks.threads_top = top,
    }
}

/// All about a process came. One that was asked for before another was chosen is late.
pub(super) fn came(state: &mut State, task: Task) {
    if task.id == state.tasks.id {
        state.tasks.task = Some(task);
    }
}

impl State {
    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> + Clone {
        self.image.opened.iter().flat_map(|image| &image.tasks)
    }

    /// The process whose memory this object is: the chosen one if it is its, too.
    pub fn owner(&self, mm: u32) -> Option<&Process> {
        let mut owners = self.processes().filter(|task| mm != 0 && task.mm == mm);
        owners.clone().find(|task| task.id == self.tasks.id).or_else(|| owners.next())
    }

    /// The process that is chosen.
    pub fn chosen(&self) -> Option<&Process> {
        self.processes().find(|task| task.id == self.tasks.id)
    }

    /// Brings the chosen process into view where the tree is drawn.
    pub(super) fn show_process(&self, out: &mut Vec<Command>) {
        if let Some(row) = self.processes().position(|task| task.id == self.tasks.id) {
            out.push(Command::ShowRow { list: "processes", row: row as u32 });
        }
    }

    pub(super) fn choose(&mut self, id: u32) {
        if self.tasks.id != id {
            self.tasks = Tasks { id, top: self.tasks.top, ..Tasks::default() };
            self.files = Files::default();
            (self.memory.map, self.memory.top) = (None, 0);
        }
    }

    /// Asks for what is not known of the chosen process.
    pub(super) fn ask_task(&self, out: &mut Vec<Command>) {
        if let Some(task) = self.chosen() {
            if self.tasks.task.is_none() {
                out.push(Command::Ask(Request::Task { id: task.id }));
            }
            if self.memory.map.is_none() && task.mm != 0 {
                out.push(Command::Ask(Request::Map { mm: task.mm, whole: false }));
            }
        }
    }
}
