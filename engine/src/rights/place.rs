//! Where a file is to be written: the name that was given, and never what somebody else's link leads to.
//!
//! The kernel keeps root from following a user's link in /tmp (`fs.protected_symlinks`, proc_sys_fs(5)), but whoever resolves a
//! path by himself, or replaces a file by rename(2), has to see to that too.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Links on the way before it counts as a circle, as in path_resolution(7).
const MAX_LINKS: usize = 40;

/// Follows links of `uid`'s and of root's. One of another owner at the end is the name itself, which is then replaced.
///
/// # Errors
/// `ELOOP` when a directory on the way is a link of another owner, as of open(2) with `RESOLVE_NO_SYMLINKS`.
pub fn of(path: &Path, uid: u32) -> io::Result<PathBuf> {
    let mut at = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = names(&std::path::absolute(path)?).collect();
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let found = match fs::symlink_metadata(&next) {
            Ok(found) => found,
            // Whoever opens it hears why.
            Err(_) => {
                at = next;
                at.extend(rest);
                return Ok(at);
            }
        };
        if !found.is_symlink() {
            at = next;
            continue;
        }
        let target = fs::read_link(&next)?;
        if next.starts_with("/proc") && !target.is_absolute() && rest.is_empty() && names(&next).count() > 2 {
            // A pipe or a socket by its descriptor, which has no other name.
            return Ok(next);
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(io::Error::from_raw_os_error(libc::ELOOP));
        }
        if ![0, uid].contains(&found.uid()) {
            return if rest.is_empty() { Ok(next) } else { Err(io::Error::from_raw_os_error(libc::ELOOP)) };
        }
        if target.is_absolute() {
            at = PathBuf::from("/");
        }
        for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
            rest.push_front(name);
        }
    }
    Ok(at)
}

fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::of;
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, lchown, symlink};

    #[test]
    fn links_of_others_are_names_and_no_ways() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        let own = fs::metadata(&dir).unwrap().uid();
        fs::create_dir(dir.join("sub")).unwrap();
        symlink("sub/file", dir.join("link")).unwrap();
        symlink("sub", dir.join("way")).unwrap();
        assert_eq!(of(&dir.join("link"), own).unwrap(), dir.join("sub/file"));
        assert_eq!(of(&dir.join("way/../way/new"), own).unwrap(), dir.join("sub/new"));
        assert_eq!(of(&dir.join("missing/new"), own).unwrap(), dir.join("missing/new"));
        if own == 0 {
            lchown(dir.join("link"), Some(65534), None).unwrap();
            lchown(dir.join("way"), Some(65534), None).unwrap();
            assert_eq!(of(&dir.join("link"), 0).unwrap(), dir.join("link"));
            assert_eq!(of(&dir.join("way/new"), 0).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        }
    }
}
