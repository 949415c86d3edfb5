//! Records against bytes written out by hand, a family at a time.
#![cfg(not(target_arch = "wasm32"))] // reads files

use stasis_format::header::Kind;
use stasis_format::record::{
    Body, CpuX86_64, Creds, DEFS, Extent, FILE_KINDS, Fd, Image, IndexEntry, Inode, Itimer, RecordBody, Role,
    Show, Sigaction, TailKind, Task, Vma, definition, file_kind,
};
use std::fmt::Debug;

/// The body reads as `due` from these bytes and writes them.
#[track_caller]
fn reads_as<B: RecordBody + PartialEq + Debug>(fixed: &[&[u8]], tail: &[u8], due: B) {
    let fixed = fixed.concat();
    assert_eq!(B::from_parts(&fixed, tail).unwrap(), due);
    assert_eq!(due.fixed(), fixed);
    assert_eq!(due.tail(), tail);
    assert!(B::from_parts(&fixed[1..], tail).is_err());
    assert!(B::from_parts(&[&fixed[..], &[0]].concat(), tail).is_err());
}

#[test]
fn an_area_of_memory() {
    reads_as(
        &[
            &[0x00, 0x10, 0x40, 0, 0, 0, 0, 0, 0x00, 0x30, 0x40, 0, 0, 0, 0, 0, 0x00, 0x20, 0, 0, 0, 0, 0, 0],
            &[5, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0],
            &[3, 0, 0, 0, 1, 0, 0, 0, 0x00, 0x10, 0, 0, 0, 0, 0, 0, 0x00, 0x20, 0, 0, 0, 0, 0, 0],
        ],
        b"/bin/x",
        Vma {
            start: 0x40_1000,
            end: 0x40_3000,
            offset: 0x2000,
            prot: 5,
            flags: 2,
            kind: 2,
            inode: 9,
            advice: 0x201,
            pkey: 3,
            may_write: 1,
            resident: 0x1000,
            stored: 0x2000,
            name: b"/bin/x".to_vec(),
        },
    );
}

#[test]
fn pages() {
    reads_as(
        &[
            &[0, 0x10, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0],
            &[1, 2, 3, 4, 5, 6, 7, 8, 3, 0, 0, 0, 0, 0, 0, 0],
        ],
        &[0; 16],
        Extent {
            vaddr: 4096,
            nr_pages: 2,
            stored_len: 8192,
            checksum: 0x0807_0605_0403_0201,
            encoding: 3,
            pad: 0,
            runs: vec![0; 16],
        },
    );
    assert!(Extent::from_parts(&[0; 40], &[0; 15]).is_err());
}

#[test]
fn a_task() {
    reads_as(
        &[
            &[
                42, 0, 0, 0, 1, 0, 0, 0, 42, 0, 0, 0, 7, 0, 0, 0, 1, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 17, 0,
                0, 0,
            ],
            b"worker\0\0\0\0\0\0\0\0\0\0",
            &[2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x18, 0xfc, 0xff, 0xff],
            &[0, 0, 0, 0, 0x67, 0x12, 0, 0, 0, 0, 0, 0],
        ],
        b"",
        Task {
            pid: 42,
            ppid: 1,
            pgid: 42,
            sid: 7,
            state: 1,
            stop_signal: 19,
            exit_code: 0,
            exit_signal: 17,
            comm: *b"worker\0\0\0\0\0\0\0\0\0\0",
            mm: 2,
            files: 3,
            fs: 4,
            sighand: 5,
            tty: 0,
            child_subreaper: 1,
            oom_score_adj: -1000,
            mce_kill: 0,
            start_time: 0x1267,
        },
    );
    assert!(Task::from_parts(&[0; 96], b"x").is_err());
}

#[test]
fn credentials() {
    reads_as(
        &[
            &[1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0, 7, 0, 0, 0, 8, 0, 0, 0],
            &[0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0],
        ],
        &[100, 0, 0, 0],
        Creds {
            uid: 1,
            euid: 2,
            suid: 3,
            fsuid: 4,
            gid: 5,
            egid: 6,
            sgid: 7,
            fsgid: 8,
            cap_permitted: 1,
            cap_effective: 2,
            cap_bset: 0x1ff_ffff_ffff,
            securebits: 16,
            groups: vec![100, 0, 0, 0],
            ..Creds::default()
        },
    );
}

#[test]
fn registers() {
    let fixed: Vec<u8> = (0..28u64).flat_map(u64::to_le_bytes).collect();
    let cpu = CpuX86_64::from_parts(&fixed, &[7; 576]).unwrap();
    // The order of struct user_regs_struct in <sys/user.h>.
    assert_eq!((cpu.r15, cpu.rbp, cpu.rax, cpu.orig_rax, cpu.rip), (0, 4, 10, 15, 16));
    assert_eq!((cpu.rsp, cpu.fs_base, cpu.gs_base, cpu.gs, cpu.xfeatures), (19, 21, 22, 26, 27));
    assert_eq!(cpu.xstate, [7; 576]);
}

#[test]
fn files() {
    reads_as(
        &[&[3, 0, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0]],
        b"",
        Fd { fd: 3, cloexec: 1, file: 12, pad: 0 },
    );
    reads_as(
        &[
            &[3, 8, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 0, 0, 0, 0, 0xa4, 0x81, 0, 0, 1, 0, 0, 0],
            &[5, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
            &[2, 0, 0, 0, 8, 0, 0, 0, 0xe8, 3, 0, 0, 100, 0, 0, 0],
        ],
        b"/x",
        Inode {
            dev: 0x803,
            ino: 42,
            mode: 0o100_644,
            nlink: 1,
            size: 5,
            mtime: 6,
            rdev: 0,
            flags: 2,
            seals: 8,
            uid: 1000,
            gid: 100,
            path: b"/x".to_vec(),
        },
    );
}

#[test]
fn signals_and_timers() {
    reads_as(
        &[
            &[15, 0, 0, 0, 0, 0, 0, 0, 0x23, 1, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0],
            &[0x56, 4, 0x40, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 0, 0],
        ],
        b"",
        Sigaction {
            signo: 15,
            pad: 0,
            handler: 0x40_0123,
            flags: 0x1400_0000,
            restorer: 0x40_0456,
            mask: 0x4000,
        },
    );
    reads_as(
        &[&[2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]],
        b"",
        Itimer { which: 2, pad: 0, value: 1, interval: 2 },
    );
}

#[test]
fn an_entry_of_the_index() {
    let bytes =
        [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 204, 0, 0x48, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0];
    let due = IndexEntry { offset: 1, vaddr: 2, kind: 204, len: 72, parent: 4, id: 5, nr_pages: 6 };
    assert_eq!(IndexEntry::list(&bytes), [due]);
    assert_eq!(due.to_bytes(), bytes);
}

#[test]
fn every_description_says_all_that_follows_from_it() {
    for def in DEFS {
        assert!(!def.owners.is_empty(), "{} does not say what it belongs to", def.name);
        assert!(def.has_words, "{} has no words for people", def.name);
        for owner in def.owners.iter().filter(|owner| **owner != Image::KIND) {
            let owner = definition(*owner).unwrap();
            assert!(owner.is_object, "{} belongs to {}, which is no object", def.name, owner.name);
        }
        for field in def.fields {
            let kinds = match field.role {
                Role::To(kinds) | Role::Always(kinds) | Role::Peer(kinds) | Role::Counts(kinds) => kinds,
                Role::Behind | Role::Plain | Role::Contents => &[],
            };
            let what = format!("{} of {}", field.name, def.name);
            match field.role {
                Role::Counts(members) => {
                    let is_theirs = |kind: &Kind| definition(*kind).unwrap().owners.contains(&Kind(def.kind));
                    assert!(members.iter().all(is_theirs), "{what} counts what does not belong to it");
                }
                _ => {
                    let is_object = |kind: &Kind| definition(*kind).unwrap().is_object;
                    assert!(kinds.iter().all(is_object), "{what} refers to what is no object");
                }
            }
            assert!(
                !matches!(field.show, Show::Ref) || field.role != Role::Plain,
                "{what} does not say what it refers to"
            );
        }
        if !def.behind.is_empty() {
            assert!(def.owners.contains(&Image::KIND), "{} has to be shared by files", def.name);
        }
        if let Some(since) = def.since {
            assert!(since % 8 == 0 && since <= def.fixed_len(), "{}", def.name);
            assert!(def.placed().any(|(at, _)| at == since), "{} starts in the middle of a field", def.name);
        }
    }
}

#[test]
fn every_kind_of_file_has_one_object_behind_it() {
    for pair in FILE_KINDS.windows(2) {
        assert!(pair[0].0 < pair[1].0, "{pair:?}");
    }
    for (number, name) in FILE_KINDS {
        let kind = file_kind(*number as u32).unwrap();
        assert_eq!(kind.name, *name);
    }
    assert_eq!((FILE_KINDS[0], FILE_KINDS[13]), ((1, "regular"), (14, "socket")));
}

#[test]
fn records_have_words() {
    let eventfd = Body::from(stasis_format::record::Eventfd { count: 3, semaphore: 1, pad: 0 });
    assert_eq!(eventfd.words(), "count 3, a semaphore");
    let socket = stasis_format::record::Socket { family: 1, socktype: 1, state: 1, ..Default::default() };
    assert_eq!(Body::from(socket).words(), "unix stream, connected, 0 B in it");
}

#[test]
fn every_description_is_sound() {
    for (at, def) in DEFS.iter().enumerate() {
        assert!(
            DEFS[..at].iter().all(|other| other.kind != def.kind && other.name != def.name),
            "{}",
            def.name
        );
        assert!(
            Kind(def.kind) != Kind::HEAD && Kind(def.kind) != Kind::TAIL && Kind(def.kind) != Kind::STRING
        );
        assert_eq!(def.fixed_len() % 8, 0, "the fixed part of {} is no multiple of 8", def.name);
        let mut offset = 0;
        for field in def.fields {
            let len = field.ty.size();
            assert!(len > 8 || offset % len == 0, "{} of {} is not aligned", field.name, def.name);
            assert!(field.doc.trim().ends_with('.'), "{} of {} is not explained", field.name, def.name);
            offset += len;
        }
        let fixed = vec![0; def.fixed_len()];
        let body = Body::from_parts(Kind(def.kind), &fixed, &[]).unwrap().unwrap();
        assert_eq!((body.kind(), body.fixed()), (Kind(def.kind), fixed), "{}", def.name);
        let tail = Body::from_parts(Kind(def.kind), &body.fixed(), &[0; 7]).unwrap();
        assert_eq!(tail.is_ok(), matches!(def.tail, TailKind::Text | TailKind::Bytes), "{}", def.name);
    }
    // The types that the patch reserved keep their numbers.
    for (kind, name) in
        [(101, "TASK"), (102, "THREAD"), (103, "CPU_X86_64"), (201, "MM"), (202, "VMA"), (203, "MM_CONTEXT")]
    {
        assert_eq!(Kind(kind).name(), Some(name));
    }
    assert_eq!(Image::KIND, Kind(3));
}
