//! Whether somebody else could have written an image: it says what processes are to be, so it is as good as its writer.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

/// Links on the way before it counts as a circle, as in path_resolution(7).
const MAX_LINKS: usize = 40;

/// Says in one sentence who else could have written the file that was opened by this path; nothing if nobody but `uid` and
/// root could.
///
/// Who may write a directory on the way can put another file in the place of the image, and another directory in the place of
/// one that leads to it; in one with the sticky bit only what is his own (inode(7)).
pub fn doubt(file: &File, path: &Path, uid: u32) -> io::Result<Option<String>> {
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Ok(Some("it is no file, so nothing tells who writes it".into()));
    }
    if let Some(why) = foreign("it", &meta, uid) {
        return Ok(Some(why));
    }
    let mut at = PathBuf::from("/");
    let mut rest = components(&std::path::absolute(path)?);
    let mut links = 0;
    if let Some(why) = foreign("the directory /", &fs::metadata(&at)?, uid) {
        return Ok(Some(why));
    }
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let found = fs::symlink_metadata(&next)?;
        if found.is_symlink() {
            links += 1;
            if links > MAX_LINKS {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            if !is_own(&found, uid) {
                let who = found.uid();
                return Ok(Some(format!("the link {} on the way to it is uid {who}'s", next.display())));
            }
            let target = fs::read_link(&next)?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            for name in components(&target).into_iter().rev() {
                rest.push_front(name);
            }
            continue;
        }
        at = next;
        if rest.is_empty() {
            return Ok(match (found.dev(), found.ino()) == (meta.dev(), meta.ino()) {
                true => None,
                false => Some("another file has its name already".into()),
            });
        }
        if let Some(why) = foreign(&format!("the directory {}", at.display()), &found, uid) {
            return Ok(Some(why));
        }
    }
    Ok(None)
}

/// Whether an image that is known by its descriptor only is of this user, and of nobody else: regular, his, and for him to
/// write.
pub fn is_of(file: &File, uid: u32) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && foreign("it", &meta, uid).is_none())
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect()
}

fn is_own(meta: &Metadata, uid: u32) -> bool {
    [0, uid].contains(&meta.uid())
}

fn foreign(what: &str, meta: &Metadata, uid: u32) -> Option<String> {
    if !is_own(meta, uid) {
        return Some(format!("{what} is uid {}'s", meta.uid()));
    }
    let mode = meta.mode();
    if meta.is_dir() && mode & libc::S_ISVTX != 0 {
        return None;
    }
    // A list of access rights (acl(5)) shows in the bits of the group.
    match (mode & libc::S_IWOTH != 0, mode & libc::S_IWGRP != 0 && meta.gid() != 0) {
        (true, _) => Some(format!("everybody may write {what}")),
        (_, true) => Some(format!("group {} may write {what}", meta.gid())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_others_may_write_or_lead_elsewhere_is_in_doubt() {
        let dir = tempfile::tempdir().unwrap();
        let own = fs::metadata(dir.path()).unwrap().uid();
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let sub = dir.path().join("sub");
        fs::create_dir(&sub).unwrap();
        let image = sub.join("image");
        fs::write(&image, "").unwrap();
        symlink("sub/image", dir.path().join("link")).unwrap();
        let doubt = |path: &Path, uid| super::doubt(&File::open(path).unwrap(), path, uid).unwrap();
        mode(&image, 0o600);
        for mode_of_sub in [0o755, 0o1777] {
            mode(&sub, mode_of_sub);
            assert_eq!(doubt(&image, own), None, "{mode_of_sub:o}");
            assert_eq!(doubt(&dir.path().join("link"), own), None, "{mode_of_sub:o}");
        }
        mode(&sub, 0o777);
        assert!(doubt(&image, own).unwrap().contains("directory"));
        assert!(doubt(&dir.path().join("link"), own).unwrap().contains("directory"));
        mode(&sub, 0o755);
        mode(&image, 0o646);
        assert!(doubt(&image, own).unwrap().contains("everybody"));
        if own == 0 {
            mode(&image, 0o600);
            std::os::unix::fs::chown(&image, Some(65534), None).unwrap();
            assert!(doubt(&image, 0).unwrap().contains("65534"));
        }
    }
}
