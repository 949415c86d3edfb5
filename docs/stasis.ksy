# Written by `cargo run -p stasis-format --example spec`; change format/examples/spec/ and the records instead.
meta:
  id: stasis
  title: Stasis checkpoint image
  file-extension: stasis
  license: MIT OR Apache-2.0
  endian: le
doc: |
  A checkpoint of a Linux process tree, revisions 1 and 2. docs/format.md is the specification; where the two differ,
  it is right. One image is read; images can follow each other in a file. Checksums are not compared.
seq:
  - id: head
    type: head_record
  - id: rev1
    type: rev1_record
    repeat: until
    repeat-until: _.kind == 5001
    if: head.body.rev == 1
  - id: rev2
    type: rev2_record
    repeat: until
    repeat-until: _.kind == 5001
    if: head.body.rev == 2
types:
  head_record:
    seq:
      - id: kind
        type: s2
        valid: 1
      - id: len
        type: s2
        valid: 224
      - id: parent
        type: u4
      - id: body
        type: head
        size: len
  rev1_record:
    seq:
      - id: kind
        type: s2
      - id: len
        type: s2
        valid:
          min: 0
      - id: parent
        type: u4
      - id: body
        size: len
        type:
          switch-on: kind
          cases:
            2: rev1_string
            101: rev1_task
            5001: tail
  rev2_record:
    seq:
      - id: kind
        type: s2
      - id: len
        type: s2
        valid:
          min: 0
      - id: parent
        type: u4
      - id: body
        size: len
        type:
          switch-on: kind
          cases:
            5001: tail
            3: rev2_image
            16385: rev2_warning
            101: rev2_task
            102: rev2_thread
            16486: rev2_wait
            104: rev2_creds
            105: rev2_rlimit
            106: rev2_namespace
            107: rev2_fs
            103: rev2_cpu_x86_64
            201: rev2_mm
            202: rev2_vma
            203: rev2_mm_context
            204: rev2_extent
            205: rev2_guard
            301: rev2_file_table
            302: rev2_fd
            303: rev2_file
            304: rev2_inode
            319: rev2_inode_identity
            306: rev2_pipe
            307: rev2_eventfd
            308: rev2_epoll
            309: rev2_epoll_target
            310: rev2_timerfd
            311: rev2_signalfd
            312: rev2_pidfd
            314: rev2_socket
            341: rev2_socket_option
            342: rev2_socket_name
            343: rev2_socket_place
            344: rev2_socket_packet
            315: rev2_inotify
            316: rev2_inotify_watch
            313: rev2_external
            305: rev2_lock
            330: rev2_pty
            332: rev2_pty_queue
            331: rev2_ctty
            110: rev2_prctl
            111: rev2_autogroup
            350: rev2_inet
            401: rev2_sighand
            402: rev2_sigaction
            403: rev2_sigpending
            501: rev2_itimer
            502: rev2_posix_timer
            601: rev2_sem_set
            4001: rev2_index
            4002: rev2_index_end
            _: rev2_unknown
      - id: contents
        type: contents(body.as<rev2_extent>.stored_len)
        if: kind == 204
  contents:
    doc: Page contents behind an EXTENT, on a multiple of 4096 of the image.
    params:
      - id: stored_len
        type: u8
    seq:
      - id: before
        size: 'stored_len == 0 ? 0 : (4096 - _io.pos % 4096) % 4096'
      - id: stored
        size: stored_len
      - id: after
        size: (8 - stored_len % 8) % 8
  pair:
    seq:
      - id: first
        type: u8
      - id: second
        type: u8
  index_entry:
    seq:
      - id: offset
        type: u8
      - id: vaddr
        type: u8
      - id: kind
        type: s2
      - id: len
        type: s2
      - id: parent
        type: u4
      - id: id
        type: u4
      - id: nr_pages
        type: u4
  rev2_unknown:
    doc: A record of a kind that this description does not know; types from 0x4000 on may be skipped.
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: fixed
        size: _io.size - 16 - (tail_len + 7) / 8 * 8
      - id: tail
        size: tail_len
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  head:
    doc: "First record of an image: what made it, when, and in which revision."
    seq:
      - id: magic
        type: u8
        doc: "Always 0x00feed0cc0a2d200."
      - id: major
        type: u2
        doc: "Version of the kernel that the image was made on."
      - id: minor
        type: u2
        doc: "Its patch level."
      - id: patch
        type: u2
        doc: "Its sublevel, 255 at the most."
      - id: rev
        type: u2
        doc: "Revision of the image."
      - id: time
        type: u8
        doc: "When the image was made."
      - id: flags
        type: u8
        doc: "How the image came about. Bits: 0x1 CKPT, 0x2 RSTR."
      - id: release
        size: 64
        doc: "Release of the kernel, uname(2)."
      - id: version
        size: 64
        doc: "Version of the kernel, uname(2)."
      - id: machine
        size: 64
        doc: "Machine, uname(2)."
  tail:
    doc: "Last record of an image."
    seq:
      - id: magic
        type: u8
        doc: "Always 0x002d2a0cc0deef00."
  rev1_task:
    doc: "The task. Its name follows in a STRING."
    seq:
      - id: state
        type: u4
        doc: "State of the task, 0 is running. Bits: 0x0 RUNNING, 0x1 INTERRUPTIBLE, 0x2 UNINTERRUPTIBLE, 0x4 STOPPED, 0x8 TRACED."
      - id: exit_state
        type: u4
        doc: "Exit state, 0 for a task that lives."
      - id: exit_code
        type: u4
        doc: "Exit code."
      - id: exit_signal
        type: u4
        doc: "Signal sent to the parent when it ends."
      - id: task_comm_len
        type: s4
        doc: "Bytes set aside for the name, 0 to 4096."
      - id: pad
        type: u4
        doc: "Padding of the C structure, zero."
  rev1_string:
    doc: "The task's name."
    seq:
      - id: string
        size-eos: true
        doc: "Bytes; a NUL at the end is not needed."
  rev2_image:
    doc: "The checkpoint itself; the first record after HEAD, whose bytes it vouches for."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: head_checksum
        type: u8
        doc: "XXH3-64 of the 232 bytes of the HEAD record."
      - id: uuid
        size: 16
        doc: "Random identity of this image."
      - id: boot_id
        size: 16
        doc: "The host's boot id, so that times since boot can be compared."
      - id: realtime
        type: u8
        doc: "CLOCK_REALTIME when the tree stood still."
      - id: monotonic
        type: u8
        doc: "CLOCK_MONOTONIC when the tree stood still."
      - id: boottime
        type: u8
        doc: "CLOCK_BOOTTIME when the tree stood still."
      - id: arch
        type: u4
        enum: image_arch
        doc: "ELF machine number of the tasks."
      - id: page_size
        type: u4
        doc: "Bytes in a page."
      - id: flags
        type: u8
        doc: "What kind of image this is. Bits: 0x1 EMBED_FILES, 0x2 LEFT_RUNNING, 0x4 WARNINGS."
      - id: root
        type: u4
        doc: "Root task of the tree."
      - id: uid
        type: u4
        doc: "User id of the process that took the checkpoint."
      - id: base
        size: 16
        doc: "Image that this one builds on, by its uuid, zero for none: EXTENTs encoded as base have their pages there, in the object with the same reference, at the same address."
      - id: version
        size: tail_len
        doc: "Name and version of the engine that wrote the image."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_warning:
    doc: "State that could not be carried over and was given up on request (`--allow`)."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: pid
        type: u4
        doc: "Process that lost it, 0 when it is not one process."
      - id: code
        type: u4
        doc: "Number of the kind of state in the engine's list, for machines."
      - id: text
        size: tail_len
        doc: "What was lost, in one sentence."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_task:
    doc: "A process (thread group). Its parent is the parent task, or the image for the root of the tree."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: pid
        type: u4
        doc: "Process id in the namespace of the process that took the checkpoint."
      - id: ppid
        type: u4
        doc: "Parent process id."
      - id: pgid
        type: u4
        doc: "Process group."
      - id: sid
        type: u4
        doc: "Session."
      - id: state
        type: u4
        enum: task_state
        doc: "What the task was doing as far as job control is concerned."
      - id: stop_signal
        type: u4
        doc: "Signal that stopped it, 0 if it was not stopped."
      - id: exit_code
        type: u4
        doc: "Wait status of a zombie."
      - id: exit_signal
        type: u4
        doc: "Signal sent to the parent when it ends."
      - id: comm
        size: 16
        doc: "Name, TASK_COMM_LEN bytes."
      - id: mm
        type: u4
        doc: "Memory."
      - id: files
        type: u4
        doc: "Descriptor table."
      - id: fs
        type: u4
        doc: "Current and root directory, umask."
      - id: sighand
        type: u4
        doc: "Signal actions."
      - id: tty
        type: u4
        doc: "Description of the controlling terminal."
      - id: child_subreaper
        type: u4
        doc: "1 if descendants that lose their parent come to this task (PR_SET_CHILD_SUBREAPER)."
      - id: oom_score_adj
        type: s4
        doc: "Adjustment of the out-of-memory killer's score."
      - id: mce_kill
        type: u4
        enum: task_mce_kill
        doc: "What happens on a memory failure (PR_MCE_KILL)."
      - id: start_time
        type: u8
        doc: "Start of the process, clock ticks since boot (proc(5), field 22 of stat)."
      - id: xxh3
        type: u8
  rev2_thread:
    doc: "A thread of a task."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: tid
        type: u4
        doc: "Thread id."
      - id: state
        type: u4
        enum: thread_state
        doc: "What the thread was doing."
      - id: comm
        size: 16
        doc: "Name, TASK_COMM_LEN bytes."
      - id: sigmask
        type: u8
        doc: "Blocked signals."
      - id: ss_sp
        type: u8
        doc: "Alternate signal stack: lowest address."
      - id: ss_size
        type: u8
        doc: "Alternate signal stack: length."
      - id: ss_flags
        type: u4
        doc: "Alternate signal stack: flags. Bits: 0x1 SS_ONSTACK, 0x2 SS_DISABLE, 0x80000000 SS_AUTODISARM."
      - id: pdeath_signal
        type: u4
        doc: "Signal sent when the parent thread ends (PR_SET_PDEATHSIG)."
      - id: robust_list
        type: u8
        doc: "Head of the robust futex list."
      - id: robust_list_len
        type: u8
        doc: "Length of that head's structure."
      - id: clear_child_tid
        type: u8
        doc: "Where the kernel clears the tid when the thread ends (set_tid_address(2))."
      - id: rseq
        type: u8
        doc: "Registered `struct rseq`, 0 for none."
      - id: rseq_len
        type: u4
        doc: "Its length."
      - id: rseq_sig
        type: u4
        doc: "Its signature."
      - id: sched_policy
        type: u4
        enum: thread_sched_policy
        doc: "Scheduling policy."
      - id: sched_flags
        type: u4
        doc: "sched_attr flags."
      - id: nice
        type: s4
        doc: "Nice value."
      - id: sched_priority
        type: u4
        doc: "Real-time priority."
      - id: sched_runtime
        type: u8
        doc: "SCHED_DEADLINE runtime, or the slice of other policies."
      - id: sched_deadline
        type: u8
        doc: "SCHED_DEADLINE deadline."
      - id: sched_period
        type: u8
        doc: "SCHED_DEADLINE period."
      - id: sched_util_min
        type: u4
        doc: "Utilisation clamp, lowest."
      - id: sched_util_max
        type: u4
        doc: "Utilisation clamp, highest."
      - id: timer_slack
        type: u8
        doc: "Slack of timed waits."
      - id: ioprio
        type: u4
        doc: "I/O priority as ioprio_get(2) gives it."
      - id: personality
        type: u4
        doc: "Execution domain, personality(2)."
      - id: creds
        type: u4
        doc: "Credentials."
      - id: no_new_privs
        type: u4
        doc: "1 when no_new_privs is set."
      - id: affinity
        size: tail_len
        doc: "CPU affinity mask, bit n of byte n/8."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_wait:
    doc: "What is left of a timed wait that the thread was in; what a reader that does not know it restarts waits anew."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: remaining
        type: u8
        doc: "Time that is left."
      - id: whole
        type: u8
        doc: "Time that the call was to last."
      - id: xxh3
        type: u8
  rev2_creds:
    doc: "Credentials of a thread."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: uid
        type: u4
        doc: "Real user id."
      - id: euid
        type: u4
        doc: "Effective user id."
      - id: suid
        type: u4
        doc: "Saved user id."
      - id: fsuid
        type: u4
        doc: "File system user id."
      - id: gid
        type: u4
        doc: "Real group id."
      - id: egid
        type: u4
        doc: "Effective group id."
      - id: sgid
        type: u4
        doc: "Saved group id."
      - id: fsgid
        type: u4
        doc: "File system group id."
      - id: cap_inheritable
        type: u8
        doc: "Inheritable capabilities."
      - id: cap_permitted
        type: u8
        doc: "Permitted capabilities."
      - id: cap_effective
        type: u8
        doc: "Effective capabilities."
      - id: cap_bset
        type: u8
        doc: "Bounding set."
      - id: cap_ambient
        type: u8
        doc: "Ambient capabilities."
      - id: securebits
        type: u4
        doc: "Secure bits. Bits: 0x1 NOROOT, 0x2 NOROOT_LOCKED, 0x4 NO_SETUID_FIXUP, 0x8 NO_SETUID_FIXUP_LOCKED, 0x10 KEEP_CAPS, 0x20 KEEP_CAPS_LOCKED, 0x40 NO_CAP_AMBIENT_RAISE, 0x80 NO_CAP_AMBIENT_RAISE_LOCKED."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: groups
        type: u4
        repeat: expr
        repeat-expr: tail_len / 4
        doc: "Supplementary groups."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_rlimit:
    doc: "One resource limit of a task. All ones is no limit."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: resource
        type: u4
        enum: rlimit_resource
        doc: "Which one."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: rlim_cur
        type: u8
        doc: "Soft limit."
      - id: rlim_max
        type: u8
        doc: "Hard limit."
      - id: xxh3
        type: u8
  rev2_namespace:
    doc: "A namespace that the task lived in."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: kind
        type: u4
        enum: namespace_kind
        doc: "Which kind."
      - id: shared
        type: u4
        doc: "1 when it was the same as that of the process that took the checkpoint."
      - id: ino
        type: u8
        doc: "Inode number of the namespace."
      - id: xxh3
        type: u8
  rev2_fs:
    doc: "File system context: directories are INODE objects."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: cwd
        type: u4
        doc: "Current directory."
      - id: root
        type: u4
        doc: "Root directory."
      - id: umask
        type: u4
        doc: "File mode creation mask."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_cpu_x86_64:
    doc: "Registers of an x86-64 thread: `struct user_regs_struct` in its order, then the extended state."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: r15
        type: u8
        doc: "Register."
      - id: r14
        type: u8
        doc: "Register."
      - id: r13
        type: u8
        doc: "Register."
      - id: r12
        type: u8
        doc: "Register."
      - id: rbp
        type: u8
        doc: "Register."
      - id: rbx
        type: u8
        doc: "Register."
      - id: r11
        type: u8
        doc: "Register; scratch of the syscall instruction."
      - id: r10
        type: u8
        doc: "Register; fourth system call argument."
      - id: r9
        type: u8
        doc: "Register; sixth system call argument."
      - id: r8
        type: u8
        doc: "Register; fifth system call argument."
      - id: rax
        type: u8
        doc: "Register; result or number of a system call."
      - id: rcx
        type: u8
        doc: "Register; scratch of the syscall instruction."
      - id: rdx
        type: u8
        doc: "Register; third system call argument."
      - id: rsi
        type: u8
        doc: "Register; second system call argument."
      - id: rdi
        type: u8
        doc: "Register; first system call argument."
      - id: orig_rax
        type: u8
        doc: "Number of the system call the thread was in when it was stopped, all ones when in none."
      - id: rip
        type: u8
        doc: "Instruction pointer."
      - id: cs
        type: u8
        doc: "Segment selector."
      - id: eflags
        type: u8
        doc: "Flags."
      - id: rsp
        type: u8
        doc: "Stack pointer."
      - id: ss
        type: u8
        doc: "Segment selector."
      - id: fs_base
        type: u8
        doc: "Base of the FS segment: the thread pointer."
      - id: gs_base
        type: u8
        doc: "Base of the GS segment."
      - id: ds
        type: u8
        doc: "Segment selector."
      - id: es
        type: u8
        doc: "Segment selector."
      - id: fs
        type: u8
        doc: "Segment selector."
      - id: gs
        type: u8
        doc: "Segment selector."
      - id: xfeatures
        type: u8
        doc: "XCR0 of the host: the state components of the area. Bits: 0x1 x87, 0x2 SSE, 0x4 AVX, 0x8 BNDREGS, 0x10 BNDCSR, 0x20 opmask, 0x40 ZMM_Hi256, 0x80 Hi16_ZMM, 0x200 PKRU, 0x20000 XTILECFG, 0x40000 XTILEDATA."
      - id: xstate
        size: tail_len
        doc: "XSAVE area in the standard format as PTRACE_GETREGSET NT_X86_XSTATE gives it."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_mm:
    doc: "An address space."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: start_code
        type: u8
        doc: "Start of the program's code."
      - id: end_code
        type: u8
        doc: "End of it."
      - id: start_data
        type: u8
        doc: "Start of its data."
      - id: end_data
        type: u8
        doc: "End of it."
      - id: start_brk
        type: u8
        doc: "Start of the heap."
      - id: brk
        type: u8
        doc: "End of the heap."
      - id: start_stack
        type: u8
        doc: "Where the first thread's stack started."
      - id: arg_start
        type: u8
        doc: "Start of the arguments."
      - id: arg_end
        type: u8
        doc: "End of them."
      - id: env_start
        type: u8
        doc: "Start of the environment."
      - id: env_end
        type: u8
        doc: "End of it."
      - id: exe
        type: u4
        doc: "The program: INODE."
      - id: dumpable
        type: u4
        enum: mm_dumpable
        doc: "Whether the process may be dumped and traced."
      - id: coredump_filter
        type: u4
        doc: "Kinds of memory that a core dump takes (core(5))."
      - id: membarrier
        type: u4
        doc: "MEMBARRIER_CMD_REGISTER_* in force (membarrier(2))."
      - id: flags
        type: u8
        doc: "Other switches. Bits: 0x1 THP_DISABLE, 0x2 MDWE_REFUSE_EXEC_GAIN, 0x4 MCL_FUTURE, 0x8 MCL_ONFAULT."
      - id: resident
        type: u8
        doc: "Bytes resident, for information."
      - id: auxv
        type: u8
        repeat: expr
        repeat-expr: tail_len / 8
        doc: "Auxiliary vector, pairs of type and value."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_vma:
    doc: "One area of an address space. Areas come in ascending order."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: start
        type: u8
        doc: "First address."
      - id: end
        type: u8
        doc: "Address behind the last."
      - id: offset
        type: u8
        doc: "Offset in the file in bytes."
      - id: prot
        type: u4
        doc: "Permitted access. Bits: 0x1 READ, 0x2 WRITE, 0x4 EXEC."
      - id: flags
        type: u4
        doc: "How it is mapped. Bits: 0x1 SHARED, 0x2 PRIVATE, 0x20 ANONYMOUS, 0x100 GROWSDOWN, 0x4000 NORESERVE, 0x40000 HUGETLB, 0x8 DROPPABLE."
      - id: kind
        type: u4
        enum: vma_kind
        doc: "What it is."
      - id: inode
        type: u4
        doc: "File or shared memory behind it: INODE."
      - id: advice
        type: u8
        doc: "Standing advice. Bits: 0x1 LOCKED, 0x2 LOCKONFAULT, 0x4 SEQ_READ, 0x8 RAND_READ, 0x10 DONTCOPY, 0x20 DONTDUMP, 0x40 WIPEONFORK, 0x80 HUGEPAGE, 0x100 NOHUGEPAGE, 0x200 MERGEABLE, 0x400 SEALED, 0x800 ACCOUNT."
      - id: pkey
        type: u4
        doc: "Protection key."
      - id: may_write
        type: u4
        doc: "1 when the file was mapped such that it can be written through (a shared mapping that may be written)."
      - id: resident
        type: u8
        doc: "Bytes resident, for information."
      - id: stored
        type: u8
        doc: "Bytes whose contents are in the image, before encoding."
      - id: name
        size: tail_len
        doc: "Path as /proc/PID/maps shows it, or the name of an anonymous area (PR_SET_VMA_ANON_NAME)."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_mm_context:
    doc: "What the processor family adds to an address space: on x86-64 the vDSO."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: vdso
        type: u8
        doc: "Start of the vDSO."
      - id: vdso_len
        type: u8
        doc: "Its length."
      - id: vvar
        type: u8
        doc: "Start of its data pages."
      - id: vvar_len
        type: u8
        doc: "Their length."
      - id: vdso_checksum
        type: u8
        doc: "XXH3-64 of the vDSO's contents: another kernel's may have its functions elsewhere."
      - id: xxh3
        type: u8
  rev2_extent:
    doc: "Contents of pages: of an MM by virtual address, of another object by offset. The same page may be in an image more than once, then the last one counts; and an EXTENT may come before its owner. The bytes follow the record, from the next multiple of 4096 of the stream on; zero bytes fill the gap before and up to the next multiple of 8 after them. When nothing is stored there is no gap either."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: vaddr
        type: u8
        doc: "Start of the first run."
      - id: nr_pages
        type: u8
        doc: "Pages in all runs."
      - id: stored_len
        type: u8
        doc: "Bytes behind the record."
      - id: checksum
        type: u8
        doc: "XXH3-64 of those bytes."
      - id: encoding
        type: u4
        enum: extent_encoding
        doc: "How they are encoded."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: runs
        type: pair
        repeat: expr
        repeat-expr: tail_len / 16
        doc: "Runs: address or offset in bytes, and pages. In ascending order, one at least."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_guard:
    doc: "Guard pages of an MM (MADV_GUARD_INSTALL): access to them is a fault, whatever the area permits."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: nr_pages
        type: u8
        doc: "Pages in all runs."
      - id: runs
        type: pair
        repeat: expr
        repeat-expr: tail_len / 16
        doc: "Runs: address and pages. In ascending order, one at least."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_file_table:
    doc: "A descriptor table."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: nr_fds
        type: u8
        doc: "Descriptors in it."
      - id: xxh3
        type: u8
  rev2_fd:
    doc: "One descriptor."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: fd
        type: u4
        doc: "Number."
      - id: cloexec
        type: u4
        doc: "1 when it is closed by execve(2)."
      - id: file
        type: u4
        doc: "Open file description."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_file:
    doc: "An open file description."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: kind
        type: u4
        enum: file_kind
        doc: "Kind of what it is of."
      - id: flags
        type: u4
        doc: "Status flags and access mode. Bits: 0x1 O_WRONLY, 0x2 O_RDWR, 0x400 O_APPEND, 0x800 O_NONBLOCK, 0x1000 O_DSYNC, 0x2000 O_ASYNC, 0x4000 O_DIRECT, 0x8000 O_LARGEFILE, 0x10000 O_DIRECTORY, 0x20000 O_NOFOLLOW, 0x40000 O_NOATIME, 0x80000 O_CLOEXEC, 0x100000 O_SYNC, 0x200000 O_PATH, 0x400000 O_TMPFILE."
      - id: pos
        type: u8
        doc: "Offset."
      - id: object
        type: u4
        doc: "What it is of."
      - id: sig
        type: u4
        doc: "Signal sent when I/O is possible (F_SETSIG)."
      - id: owner
        type: s4
        doc: "Receiver of that signal (F_SETOWN), 0 for none."
      - id: owner_type
        type: u4
        enum: file_owner_type
        doc: "What the receiver is."
      - id: xxh3
        type: u8
  rev2_inode:
    doc: "A file, directory, device, memfd or piece of shared memory."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: dev
        type: u8
        doc: "Device it lives on."
      - id: ino
        type: u8
        doc: "Inode number."
      - id: mode
        type: u4
        doc: "Type and permissions."
      - id: nlink
        type: u4
        doc: "Names that it had."
      - id: size
        type: u8
        doc: "Length in bytes."
      - id: mtime
        type: u8
        doc: "Last modification."
      - id: rdev
        type: u8
        doc: "Device number, for a device."
      - id: flags
        type: u4
        doc: "How it was found and what the image holds of it. Bits: 0x1 DELETED, 0x2 EMBEDDED, 0x4 SHMEM, 0x8 MEMFD, 0x10 MAPPED, 0x20 OPEN, 0x40 PROC, 0x80 WATCHED."
      - id: seals
        type: u4
        doc: "Seals of a memfd. Bits: 0x1 SEAL, 0x2 SHRINK, 0x4 GROW, 0x8 WRITE, 0x10 FUTURE_WRITE, 0x20 EXEC."
      - id: uid
        type: u4
        doc: "Owner."
      - id: gid
        type: u4
        doc: "Group."
      - id: path
        size: tail_len
        doc: "Path in the root of the process that took the checkpoint; a memfd's name."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_inode_identity:
    doc: "Which file an INODE was, beyond its number, which another file may get: a restart opens what the process could not open itself only if this is the same still."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: inode
        type: u4
        doc: "The INODE."
      - id: handle_type
        type: s4
        doc: "Type of the handle."
      - id: ctime
        type: u8
        doc: "Last change of the file or its attributes."
      - id: handle
        size: tail_len
        doc: "Handle of name_to_handle_at(2); empty where the file system has none."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_pipe:
    doc: "A pipe or FIFO; EXTENTs hold what was in it. Of a pipe with PACKETS (O_DIRECT, pipe(2)) that is each packet behind its length as u32."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: capacity
        type: u8
        doc: "Its size (F_GETPIPE_SZ)."
      - id: size
        type: u8
        doc: "Bytes in it."
      - id: inode
        type: u4
        doc: "FIFO's INODE, 0 for a pipe."
      - id: flags
        type: u4
        doc: "Kind. Bits: 0x1 FIFO, 0x2 PACKETS."
      - id: xxh3
        type: u8
  rev2_eventfd:
    doc: "An eventfd counter."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: count
        type: u8
        doc: "Count."
      - id: semaphore
        type: u4
        doc: "1 for EFD_SEMAPHORE."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_epoll:
    doc: "An epoll instance; EPOLL_TARGETs belong to it."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: nr_targets
        type: u8
        doc: "Targets in it."
      - id: xxh3
        type: u8
  rev2_epoll_target:
    doc: "A descriptor watched by an epoll instance."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: fd
        type: u4
        doc: "Descriptor number it was added under."
      - id: events
        type: u4
        doc: "Events watched. Bits: 0x1 EPOLLIN, 0x2 EPOLLPRI, 0x4 EPOLLOUT, 0x8 EPOLLERR, 0x10 EPOLLHUP, 0x40 EPOLLRDNORM, 0x80 EPOLLRDBAND, 0x100 EPOLLWRNORM, 0x200 EPOLLWRBAND, 0x400 EPOLLMSG, 0x2000 EPOLLRDHUP, 0x10000000 EPOLLEXCLUSIVE, 0x20000000 EPOLLWAKEUP, 0x40000000 EPOLLONESHOT, 0x80000000 EPOLLET."
      - id: data
        type: u8
        doc: "The program's own datum."
      - id: file
        type: u4
        doc: "Open file description watched."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_timerfd:
    doc: "A timer descriptor."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: clockid
        type: u4
        enum: timerfd_clockid
        doc: "Clock."
      - id: settime_flags
        type: u4
        doc: "Flags of timerfd_settime(2). Bits: 0x1 TFD_TIMER_ABSTIME, 0x2 TFD_TIMER_CANCEL_ON_SET."
      - id: ticks
        type: u8
        doc: "Expirations not yet read."
      - id: value
        type: u8
        doc: "Time left until the next expiration, 0 when disarmed."
      - id: interval
        type: u8
        doc: "Interval."
      - id: xxh3
        type: u8
  rev2_signalfd:
    doc: "A signal descriptor."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: mask
        type: u8
        doc: "Signals it takes."
      - id: xxh3
        type: u8
  rev2_pidfd:
    doc: "A process descriptor."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: pid
        type: u4
        doc: "Process, as a pid of the image; 0 for one that has ended and was waited for."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_socket:
    doc: "A socket; EXTENTs hold what can be read from it. Of a SOCK_DGRAM or SOCK_SEQPACKET that is each packet behind its length as u32."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: family
        type: u4
        enum: socket_family
        doc: "Address family."
      - id: socktype
        type: u4
        enum: socket_socktype
        doc: "Type."
      - id: protocol
        type: u4
        doc: "Protocol."
      - id: state
        type: u4
        enum: socket_state
        doc: "What it leads to."
      - id: peer
        type: u4
        doc: "SOCKET that it is connected with, 0 for none."
      - id: shutdown
        type: u4
        doc: "Directions that are shut down. Bits: 0x1 RCV_SHUTDOWN, 0x2 SEND_SHUTDOWN."
      - id: sndbuf
        type: u4
        doc: "Send buffer (SO_SNDBUF), as getsockopt(2) tells it."
      - id: rcvbuf
        type: u4
        doc: "Receive buffer (SO_RCVBUF), likewise."
      - id: rcvlowat
        type: u4
        doc: "Least that is read (SO_RCVLOWAT)."
      - id: flags
        type: u4
        doc: "Options. Bits: 0x1 SO_PASSCRED, 0x2 SO_PASSSEC, 0x4 SO_BROADCAST."
      - id: rcvtimeo
        type: u8
        doc: "Time after which a read gives up (SO_RCVTIMEO), 0 for never."
      - id: sndtimeo
        type: u8
        doc: "Time after which a write gives up (SO_SNDTIMEO), 0 for never."
      - id: size
        type: u8
        doc: "Bytes of contents."
      - id: backlog
        type: u4
        doc: "Connections that may wait to be accepted, of one that listens (listen(2))."
      - id: listener
        type: u4
        doc: "SOCKET at which it waits to be accepted, 0 for none."
      - id: turn
        type: u4
        doc: "How many wait there before it."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_socket_option:
    doc: "An option of a socket that is not as in one just made."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: level
        type: u4
        doc: "Level."
      - id: name
        type: u4
        doc: "Number of the option."
      - id: value
        size: tail_len
        doc: "Its value, as getsockopt(2) tells it; the instructions of a filter."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_socket_name:
    doc: "A name of a Unix socket (bind(2), unix(7)), with where it is in the file system."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: flags
        type: u4
        doc: "What it is. Bits: 0x1 PEER, 0x2 PLACED."
      - id: mode
        type: u4
        doc: "Permissions of the file."
      - id: uid
        type: u4
        doc: "Owner of the file."
      - id: gid
        type: u4
        doc: "Group of the file."
      - id: dev
        type: u8
        doc: "Device of the file."
      - id: ino
        type: u8
        doc: "Inode number of the file."
      - id: name
        size: tail_len
        doc: "The name as getsockname(2) tells it, behind the family; begins with a zero if it is abstract."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_socket_place:
    doc: "Where the file of a SOCKET_NAME is."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: pad
        type: u8
        doc: "Always zero."
      - id: path
        size: tail_len
        doc: "Path in the root of the process that took the checkpoint."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_socket_packet:
    doc: "A packet in a SOCKET's queue, in their order; of a socket with such records there is one for each."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: from
        type: u4
        doc: "The sender, 0 if it is gone."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: sender
        size: tail_len
        doc: "Name of its sender, as in SOCKET_NAME; empty if it has none."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_inotify:
    doc: "An inotify instance; INOTIFY_WATCHes belong to it."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: nr_watches
        type: u8
        doc: "Watches in it."
      - id: xxh3
        type: u8
  rev2_inotify_watch:
    doc: "A file or directory watched by an inotify instance."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: wd
        type: u4
        doc: "Number of the watch."
      - id: mask
        type: u4
        doc: "Events that it tells of, and how. Bits: 0x1 IN_ACCESS, 0x2 IN_MODIFY, 0x4 IN_ATTRIB, 0x8 IN_CLOSE_WRITE, 0x10 IN_CLOSE_NOWRITE, 0x20 IN_OPEN, 0x40 IN_MOVED_FROM, 0x80 IN_MOVED_TO, 0x100 IN_CREATE, 0x200 IN_DELETE, 0x400 IN_DELETE_SELF, 0x800 IN_MOVE_SELF, 0x4000000 IN_EXCL_UNLINK, 0x80000000 IN_ONESHOT."
      - id: inode
        type: u4
        doc: "What is watched."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_external:
    doc: "The other end lies outside the tree; it is taken from the process that restarts the image."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: kind
        type: u4
        enum: external_kind
        doc: "What it leads to."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: description
        size: tail_len
        doc: "What it was, as /proc/PID/fd shows it."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_lock:
    doc: "A lock held on a file."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: kind
        type: u4
        enum: lock_kind
        doc: "Kind."
      - id: lock_type
        type: u4
        enum: lock_lock_type
        doc: "Type."
      - id: fd
        type: u4
        doc: "Descriptor through which it can be taken."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: start
        type: u8
        doc: "First byte."
      - id: len
        type: u8
        doc: "Length in bytes, 0 for up to the end."
      - id: xxh3
        type: u8
  rev2_pty:
    doc: "A pair of pseudoterminals, pty(7); both ends are in the tree."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: index
        type: u4
        doc: "Number of the pair, N of /dev/pts/N."
      - id: flags
        type: u4
        doc: "How it is set. Bits: 0x1 LOCKED, 0x2 PACKET, 0x4 EXCLUSIVE."
      - id: c_iflag
        type: u4
        doc: "Input modes (termios(3))."
      - id: c_oflag
        type: u4
        doc: "Output modes."
      - id: c_cflag
        type: u4
        doc: "Control modes."
      - id: c_lflag
        type: u4
        doc: "Local modes."
      - id: c_ispeed
        type: u4
        doc: "Input speed."
      - id: c_ospeed
        type: u4
        doc: "Output speed."
      - id: c_line
        type: u1
        doc: "Line discipline."
      - id: c_cc
        size: 19
        doc: "Control characters."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: ws_row
        type: u2
        doc: "Rows."
      - id: ws_col
        type: u2
        doc: "Columns."
      - id: ws_xpixel
        type: u2
        doc: "Width in pixels."
      - id: ws_ypixel
        type: u2
        doc: "Height in pixels."
      - id: mode
        type: u4
        doc: "Type and permissions of the slave's name; 0 if they are not known."
      - id: uid
        type: u4
        doc: "Owner of the slave's name."
      - id: gid
        type: u4
        doc: "Its group."
      - id: pad2
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_pty_queue:
    doc: "What is in a queue of a pair; of a longer one there are several."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: queue
        type: u4
        enum: pty_queue_queue
        doc: "Input can be read from the slave, output from the master; a line begun is input that is not ended yet."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: bytes
        size: tail_len
        doc: "The bytes."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_ctty:
    doc: "The terminal that controls the session which the task leads."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: pty
        type: u4
        doc: "PTY."
      - id: foreground
        type: u4
        doc: "Foreground process group, as the tree numbers it; 0 for none of the tree."
      - id: xxh3
        type: u8
  rev2_prctl:
    doc: "What prctl(2) has set for a task that has no place of its own."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: option
        type: u4
        enum: prctl_option
        doc: "The operation that sets it."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: value
        type: u8
        doc: "Its value."
      - id: xxh3
        type: u8
  rev2_autogroup:
    doc: "The autogroup (sched(7)) of the session that the task leads."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: nice
        type: s4
        doc: "Its nice value."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_inet:
    doc: "Where a socket of AF_INET or AF_INET6 stands."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: state
        type: u4
        enum: inet_state
        doc: "State of TCP."
      - id: backlog
        type: u4
        doc: "Connections that a listening socket keeps for accept(2)."
      - id: local_port
        type: u4
        doc: "Own port."
      - id: remote_port
        type: u4
        doc: "Port of the other end."
      - id: local
        size: 16
        doc: "Own address, one of IPv4 as ::ffff:a.b.c.d."
      - id: remote
        size: 16
        doc: "Address of the other end, likewise."
      - id: local_scope
        type: u4
        doc: "Interface of a link-local own address."
      - id: remote_scope
        type: u4
        doc: "The same of the other end."
      - id: flags
        type: u4
        doc: "How it got there. Bits: 0x1 BOUND, 0x2 RESET, 0x4 ENDED, 0x8 PEER_GONE, 0x10 IN_BACKLOG."
      - id: uid
        type: u4
        doc: "Owner of the socket."
      - id: xxh3
        type: u8
  rev2_sighand:
    doc: "A table of signal actions; SIGACTIONs belong to it. Those not listed are the default."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: nr_actions
        type: u8
        doc: "Actions listed."
      - id: xxh3
        type: u8
  rev2_sigaction:
    doc: "What happens on a signal."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: signo
        type: u4
        doc: "Signal."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: handler
        type: u8
        doc: "Handler; 0 is the default, 1 ignores it."
      - id: flags
        type: u8
        doc: "Flags. Bits: 0x1 SA_NOCLDSTOP, 0x2 SA_NOCLDWAIT, 0x4 SA_SIGINFO, 0x800 SA_EXPOSE_TAGBITS, 0x4000000 SA_RESTORER, 0x8000000 SA_ONSTACK, 0x10000000 SA_RESTART, 0x40000000 SA_NODEFER, 0x80000000 SA_RESETHAND."
      - id: restorer
        type: u8
        doc: "Code that returns from the handler."
      - id: mask
        type: u8
        doc: "Signals blocked while the handler runs."
      - id: xxh3
        type: u8
  rev2_sigpending:
    doc: "A pending signal: of the process if its parent is a TASK, of one thread if it is a THREAD."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: signo
        type: u4
        doc: "Signal."
      - id: code
        type: s4
        doc: "Code of siginfo."
      - id: siginfo
        size: tail_len
        doc: "Whole `siginfo_t`, 128 bytes."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_itimer:
    doc: "An interval timer of a task."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: which
        type: u4
        enum: itimer_which
        doc: "Which one."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: value
        type: u8
        doc: "Time left, 0 when disarmed."
      - id: interval
        type: u8
        doc: "Interval."
      - id: xxh3
        type: u8
  rev2_posix_timer:
    doc: "A POSIX timer of a task."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: timer_id
        type: u4
        doc: "Identifier that the program knows it by."
      - id: clockid
        type: s4
        doc: "Clock."
      - id: notify
        type: u4
        enum: posix_timer_notify
        doc: "How it notifies."
      - id: signo
        type: u4
        doc: "Signal that it sends."
      - id: sigev_value
        type: u8
        doc: "Value that it sends."
      - id: tid
        type: u4
        doc: "Thread that it notifies (SIGEV_THREAD_ID)."
      - id: flags
        type: u4
        doc: "Bits. Bits: 0x1 TIMER_ABSTIME."
      - id: value
        type: u8
        doc: "Time left, or the instant of the clock if it is absolute; 0 when disarmed."
      - id: interval
        type: u8
        doc: "Interval."
      - id: overrun
        type: u4
        doc: "Expirations overrun since the last signal."
      - id: pad
        type: u4
        doc: "Always zero."
      - id: xxh3
        type: u8
  rev2_sem_set:
    doc: "A set of semaphores that processes of the tree use."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: semid
        type: u4
        doc: "Its id."
      - id: key
        type: u4
        doc: "Its key, 0 (IPC_PRIVATE) for none."
      - id: mode
        type: u4
        doc: "Permissions."
      - id: uid
        type: u4
        doc: "Owner."
      - id: gid
        type: u4
        doc: "Group."
      - id: nr_sems
        type: u4
        doc: "Semaphores in it."
      - id: values
        type: u4
        repeat: expr
        repeat-expr: tail_len / 4
        doc: "Value of each semaphore."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_index:
    doc: "A piece of the index: 32-byte entries, one for each record of the image from IMAGE on, in order."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: first
        type: u8
        doc: "Position of the first entry of this piece in the whole index."
      - id: entries
        type: index_entry
        repeat: expr
        repeat-expr: tail_len / 32
        doc: "The entries."
      - id: padding
        size: (8 - tail_len % 8) % 8
      - id: xxh3
        type: u8
  rev2_index_end:
    doc: "End of the index, always the last record before TAIL and of fixed length, so that it is found from the end."
    seq:
      - id: id
        type: u4
      - id: tail_len
        type: u4
      - id: index_offset
        type: u8
        doc: "Offset of the first INDEX record."
      - id: nr_records
        type: u8
        doc: "Records from IMAGE up to the first INDEX record."
      - id: nr_extents
        type: u8
        doc: "EXTENT records among them."
      - id: nr_objects
        type: u8
        doc: "Objects defined."
      - id: page_bytes
        type: u8
        doc: "Bytes of page contents before encoding."
      - id: stored_bytes
        type: u8
        doc: "Bytes of page contents as stored."
      - id: chain
        type: u8
        doc: "XXH3-64 over the checksums of all records before this one, in order, so that none can go missing."
      - id: xxh3
        type: u8
enums:
  image_arch:
    62: x86_64
    183: aarch64
    243: riscv64
  task_state:
    0: running
    1: stopped
    2: zombie
  task_mce_kill:
    0: default
    1: early
    2: late
  thread_state:
    0: running
    1: stopped
    2: zombie
  thread_sched_policy:
    0: sched_other
    1: sched_fifo
    2: sched_rr
    3: sched_batch
    5: sched_idle
    6: sched_deadline
    7: sched_ext
  rlimit_resource:
    0: rlimit_cpu
    1: rlimit_fsize
    2: rlimit_data
    3: rlimit_stack
    4: rlimit_core
    5: rlimit_rss
    6: rlimit_nproc
    7: rlimit_nofile
    8: rlimit_memlock
    9: rlimit_as
    10: rlimit_locks
    11: rlimit_sigpending
    12: rlimit_msgqueue
    13: rlimit_nice
    14: rlimit_rtprio
    15: rlimit_rttime
  namespace_kind:
    131072: mnt
    33554432: cgroup
    67108864: uts
    134217728: ipc
    268435456: user
    536870912: pid
    1073741824: net
    128: time
  mm_dumpable:
    0: no
    1: user
    2: root
  vma_kind:
    1: anonymous
    2: file
    3: shared_anonymous
    4: memfd
    5: vdso
    6: vvar
    7: vsyscall
  extent_encoding:
    0: none
    1: zero
    2: zstd
    3: lz4
    4: base
  file_kind:
    1: regular
    2: directory
    3: device
    4: pipe
    5: fifo
    6: eventfd
    7: epoll
    8: timerfd
    9: signalfd
    10: pidfd
    11: memfd
    12: path
    13: external
    14: socket
    15: inotify
    30: pty_master
    31: pty_slave
    40: internet_socket
  file_owner_type:
    0: f_owner_tid
    1: f_owner_pid
    2: f_owner_pgrp
  timerfd_clockid:
    0: clock_realtime
    1: clock_monotonic
    2: clock_process_cputime_id
    3: clock_thread_cputime_id
    4: clock_monotonic_raw
    7: clock_boottime
    8: clock_realtime_alarm
    9: clock_boottime_alarm
    11: clock_tai
  socket_family:
    1: af_unix
    2: af_inet
    10: af_inet6
  socket_socktype:
    1: sock_stream
    2: sock_dgram
    5: sock_seqpacket
  socket_state:
    0: unconnected
    1: connected
    2: disconnected
    3: listening
    4: waiting_to_be_accepted
  external_kind:
    1: terminal
    2: pipe
    3: socket
    4: other
  lock_kind:
    1: posix
    2: ofd
    3: flock
  lock_lock_type:
    0: f_rdlck
    1: f_wrlck
  pty_queue_queue:
    1: input
    2: a_line_begun
    3: output
  prctl_option:
    67: pr_set_memory_merge
    78: pr_futex_hash
  inet_state:
    1: established
    2: syn_sent
    3: syn_recv
    4: fin_wait1
    5: fin_wait2
    6: time_wait
    7: close
    8: close_wait
    9: last_ack
    10: listen
    11: closing
  itimer_which:
    0: itimer_real
    1: itimer_virtual
    2: itimer_prof
  posix_timer_notify:
    0: sigev_signal
    1: sigev_none
    2: sigev_thread
    4: sigev_thread_id
