//! Nobody gets a right by a restart that he did not have: what docs/security.md promises is kept here.
//!
//! * [`holders`]: with whose rights a file of the image is to be opened;
//! * [`files`]: opening it with these, and with ours only what is provably the same as before;
//! * [`objects`]: files that stand for a process, which are that process's or nothing;
//! * [`caller`]: a worker takes on the rights of whoever it acts for;
//! * [`image`]: whether somebody else could have written the image;
//! * [`place`]: where a file is written, whatever links others have put there;
//! * [`values`]: what else an image says, against what can be and what the process could have set itself;

pub mod caller;
pub mod files;
pub mod holders;
pub mod image;
pub mod objects;
pub mod place;
pub mod values;
