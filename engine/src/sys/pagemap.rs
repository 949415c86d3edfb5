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

#[cfg(test)]
mod tests {
    use super::*;
    use nix::sys::mman::{MapFlags, MmapAdvise, ProtFlags, madvise, mmap_anonymous, munmap};

    const PRESENT: u64 = 1 << 3;

    #[test]
    fn pages_that_were_touched_are_found_however_many_regions_they_make() {
        // Every other page: more regions than fit into one answer of the kernel's.
        const PAGES: usize = 3000;
        let len = std::num::NonZeroUsize::new(PAGES * 4096).unwrap();
        let prot = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping of the kernel's choice, written through raw pointers only.
        let area = unsafe { mmap_anonymous(None, len, prot, MapFlags::MAP_PRIVATE) }.unwrap();
        // SAFETY: advice about the mapping made above; one huge page would join its neighbours.
        unsafe { madvise(area, len.get(), MmapAdvise::MADV_NOHUGEPAGE) }.unwrap();
        for page in (0..PAGES).step_by(2) {
            // SAFETY: within the mapping, which is writable.
            unsafe { area.cast::<u8>().add(page * 4096).write(1) };
        }
        let start = area.as_ptr() as u64;
        let masks = ScanMasks {
            category_inverted: 0,
            category_mask: PRESENT,
            category_anyof: 0,
            return_mask: PRESENT,
        };
        let mut found = Vec::new();
        let pagemap = File::open("/proc/self/pagemap").unwrap();
        scan(&pagemap, start, start + len.get() as u64, &masks, &mut found).unwrap();
        let want: Vec<PageRegion> = (0..PAGES as u64)
            .step_by(2)
            .map(|p| PageRegion { start: start + p * 4096, end: start + (p + 1) * 4096, categories: PRESENT })
            .collect();
        assert_eq!(found, want);
        // SAFETY: mapped above, used by nobody else.
        unsafe { munmap(area, len.get()) }.unwrap();
    }
}
