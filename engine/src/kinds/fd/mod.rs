//! What a descriptor can lead to: one file a kind, its capture above, its restore below.

pub mod anon;
pub mod files;
pub mod inodes;
pub mod pipes;
pub mod sockets;
