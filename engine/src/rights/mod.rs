//! Nobody gets a right by a restart that he did not have: what docs/security.md promises is kept here.
//!
//! * [`holders`]: with whose rights a file of the image is to be opened;
//! * [`files`]: opening it with these, and with ours only what is provably the same as before;
//! * [`objects`]: files that stand for a process, which are that process's or nothing;
//! * [`caller`]: a worker takes on the rights of whoever it acts for;
//! * [`image`]: whether somebody else could have written the image;

pub mod caller;
pub mod files;
pub mod holders;
pub mod image;
pub mod objects;
