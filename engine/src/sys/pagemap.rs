//! `PAGEMAP_SCAN`: which pages of a process are there, in one call (Linux 6.7, include/uapi/linux/fs.h).
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// `PAGEMAP_SCAN`, `_IOWR('f', 16, struct pm_scan_arg)`.
const PAGEMAP_SCAN: u64 = 0xc060_6610;

/// `struct pm_scan_arg`.
#[repr(C)]
#[derive(Debug, Default)]
struct ScanArg {
    size: u64,
    flags: u64,
    start: u64,
    end: u64,
    walk_end: u64,
    vec: u64,
    vec_len: u64,
    max_pages: u64,
    category_inverted: u64,
    category_mask: u64,
    category_anyof_mask: u64,
    return_mask: u64,
}

/// Which pages are wanted, and what is to be told of them: masks of `PAGE_IS_*`.
#[derive(Debug, Clone, Copy)]
pub struct ScanMasks {
    /// Categories whose sense is inverted.
    pub category_inverted: u64,
    /// All of these.
    pub category_mask: u64,
    /// One of these.
    pub category_anyof: u64,
    /// What is told.
    pub return_mask: u64,
}

/// `struct page_region`: pages that follow each other and are alike.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PageRegion {
    /// First address.
    pub start: u64,
    /// Address behind the last.
    pub end: u64,
    /// `PAGE_IS_*` of the return mask.
    pub categories: u64,
}

/// Scans a range of addresses and appends the regions found.
pub fn scan(
    pagemap: &File,
    start: u64,
    end: u64,
    masks: &ScanMasks,
    out: &mut Vec<PageRegion>,
) -> io::Result<()> {
    let mut vec = [PageRegion::default(); 512];
    let mut at = start;
    while at < end {
        let mut arg = ScanArg {
            size: size_of::<ScanArg>() as u64,
            start: at,
            end,
            vec: vec.as_mut_ptr() as u64,
            vec_len: vec.len() as u64,
            category_inverted: masks.category_inverted,
            category_mask: masks.category_mask,
            category_anyof_mask: masks.category_anyof,
            return_mask: masks.return_mask,
            ..ScanArg::default()
        };
        // SAFETY: `arg` and the vector it points to outlive the call, and its length is given.
        let n = unsafe { libc::ioctl(pagemap.as_raw_fd(), PAGEMAP_SCAN, &raw mut arg) };
        if n < 0 {
            return Err(io::Error::last_os_error());
        }
        out.extend_from_slice(&vec[..(n as usize).min(vec.len())]);
        if arg.walk_end <= at {
            break;
        }
        at = arg.walk_end;
    }
    Ok(())
}
