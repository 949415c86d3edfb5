//! What prctl(2) sets for a whole process and has no place of its own in the image: each as its number and value, if it is
//! not what a new process has.

use stasis_format::record::Prctl;

use super::kind::{Making, TaskKind};
use crate::image::model::TaskState;
use crate::kinds::{Capture, CaptureError, RestoreError};
use crate::tracee::batch::{Batch, args};
use crate::tracee::stub::Call;

/// One of them; get and set are arguments up to the value.
struct Attribute {
    name: &'static str,
    /// Operation that asks, and its argument.
    get: [u64; 2],
    /// Operation that sets, whose number the image has.
    set: u32,
    /// The argument in front of the value, if there is one.
    command: Option<u64>,
}

/// Those that an address space has, so one thread asks and sets for all.
const ATTRIBUTES: &[Attribute] = &[
    // PR_GET_MEMORY_MERGE and PR_SET_MEMORY_MERGE, Linux 6.4.
    Attribute { name: "merging of memory", get: [68, 0], set: 67, command: None },
    // PR_FUTEX_HASH with PR_FUTEX_HASH_GET_SLOTS and PR_FUTEX_HASH_SET_SLOTS, Linux 6.17.
    Attribute { name: "slots for futexes", get: [78, 2], set: 78, command: Some(1) },
];

/// The kind.
#[derive(Debug)]
pub struct Prctls;

impl TaskKind for Prctls {
    fn capture(&self, c: &mut Capture, task: &mut TaskState) -> Result<(), CaptureError> {
        let mut questions = Batch::new();
        let asked: Vec<_> = ATTRIBUTES
            .iter()
            .map(|attribute| {
                let [operation, argument] = attribute.get;
                (
                    attribute.set,
                    questions.ask(attribute.name, libc::SYS_prctl, args![operation, argument, 0, 0, 0]),
                )
            })
            .collect();
        let answers = c.target.make(0, &questions)?;
        // An error is a kernel that does not know it.
        let values = asked.into_iter().map(|(option, call)| (option, answers.result(call)));
        for (option, value) in values.filter(|(_, value)| *value > 0) {
            task.parts.push(Prctl { option, pad: 0, value: value.cast_unsigned() }.into());
        }
        Ok(())
    }

    fn make(&self, m: &mut Making) -> Result<(), RestoreError> {
        let wanted: Vec<Prctl> = m.task.parts::<Prctl>().cloned().collect();
        for prctl in wanted {
            let Some(attribute) = ATTRIBUTES.iter().find(|known| known.set == prctl.option) else {
                let why =
                    format!("the image sets attribute {} of prctl(2), which is not known here", prctl.option);
                return Err(RestoreError::Host(why));
            };
            let args = match attribute.command {
                Some(command) => [u64::from(attribute.set), command, prctl.value],
                None => [u64::from(attribute.set), prctl.value, 0],
            };
            m.stub.call(Call::new(format!("setting the {}", attribute.name), libc::SYS_prctl, &args))?;
        }
        Ok(())
    }
}
