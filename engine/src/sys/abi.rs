//! Structures of the kernel's, as they lie in the memory of another process when it makes a call for us.
//!
//! They are named as the kernel names them and laid out as on 64-bit machines; padding is a field, so that every byte is
//! defined.
// zerocopy's derives make types of their own.
#![allow(missing_debug_implementations)]

use zerocopy::{FromBytes, Immutable, IntoBytes};

macro_rules! abi {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable)]
        pub struct $name {
            $($(#[$field_doc])* pub $field: $type,)*
        }
    )*};
}

abi! {
    /// `struct timespec` (clock_gettime(2)).
    Timespec {
        /// Seconds.
        sec: u64,
        /// Nanoseconds.
        nsec: u64,
    }
    /// `struct itimerspec` (timer_settime(2)).
    Itimerspec {
        /// Time between two expirations, 0 for one alone.
        interval: Timespec,
        /// Time to the next one, 0 for a timer that is not armed.
        value: Timespec,
    }
    /// `struct itimerval` (setitimer(2)): as [`Itimerspec`], in microseconds.
    Itimerval {
        /// Seconds between two expirations.
        interval_sec: u64,
        /// Microseconds of that.
        interval_usec: u64,
        /// Seconds to the next one.
        value_sec: u64,
        /// Microseconds of that.
        value_usec: u64,
    }
    /// `struct sigevent` (timer_create(2), include/uapi/asm-generic/siginfo.h).
    Sigevent {
        /// What the handler is given.
        value: u64,
        /// The signal.
        signo: u32,
        /// SIGEV_*.
        notify: u32,
        /// The thread of SIGEV_THREAD_ID.
        tid: u32,
        /// Filled up to 64 bytes.
        pad: [u32; 11],
    }
    /// The kernel's own `struct sigaction` (rt_sigaction(2), include/linux/signal_types.h).
    Action {
        /// SIG_DFL, SIG_IGN or an address.
        handler: u64,
        /// SA_*.
        flags: u64,
        /// Where a handler returns to.
        restorer: u64,
        /// Signals blocked while it runs.
        mask: u64,
    }
    /// `stack_t` (sigaltstack(2)).
    Stack {
        /// Its lowest byte.
        sp: u64,
        /// SS_*.
        flags: u32,
        /// Zero.
        pad: u32,
        /// Its length.
        size: u64,
    }
    /// `struct rlimit64` (prlimit(2)).
    Rlimit64 {
        /// Soft limit.
        cur: u64,
        /// Hard limit.
        max: u64,
    }
    /// `struct flock` (fcntl(2)).
    Flock {
        /// F_RDLCK or F_WRLCK.
        lock_type: i16,
        /// SEEK_SET.
        whence: i16,
        /// Zero.
        pad: u32,
        /// First byte.
        start: u64,
        /// How many, 0 up to the end.
        len: u64,
        /// Who holds it; 0 where it is asked for.
        pid: u64,
    }
    /// `struct f_owner_ex` (fcntl(2), F_SETOWN_EX).
    OwnerEx {
        /// F_OWNER_*.
        owner_type: i32,
        /// Its id.
        pid: i32,
    }
    /// `struct __user_cap_header_struct` (capset(2)).
    CapHeader {
        /// Which version of the interface.
        version: u32,
        /// The thread, 0 for the caller.
        pid: i32,
    }
    /// `struct __user_cap_data_struct` (capset(2)): 32 capabilities of each set; two of them make a whole set.
    CapData {
        /// In force.
        effective: u32,
        /// To be had.
        permitted: u32,
        /// Kept over an execve(2).
        inheritable: u32,
    }
    /// `struct sched_attr` (sched_setattr(2)).
    SchedAttr {
        /// Length of the structure.
        size: u32,
        /// SCHED_*.
        policy: u32,
        /// SCHED_FLAG_*.
        flags: u64,
        /// Nice value of SCHED_OTHER and SCHED_BATCH.
        nice: i32,
        /// Static priority of SCHED_FIFO and SCHED_RR.
        priority: u32,
        /// SCHED_DEADLINE, in nanoseconds.
        runtime: u64,
        /// The same.
        deadline: u64,
        /// The same.
        period: u64,
        /// Least utilisation.
        util_min: u32,
        /// Most utilisation.
        util_max: u32,
    }
    /// `struct prctl_mm_map` (prctl(2), PR_SET_MM_MAP).
    MmMap {
        /// Bounds of the program.
        start_code: u64,
        /// The same.
        end_code: u64,
        /// Bounds of its data.
        start_data: u64,
        /// The same.
        end_data: u64,
        /// Bounds of the heap.
        start_brk: u64,
        /// The same.
        brk: u64,
        /// Where the stack began.
        start_stack: u64,
        /// Bounds of the arguments.
        arg_start: u64,
        /// The same.
        arg_end: u64,
        /// Bounds of the environment.
        env_start: u64,
        /// The same.
        env_end: u64,
        /// Where the auxiliary vector is read from.
        auxv: u64,
        /// Its length.
        auxv_size: u32,
        /// A descriptor of the program, or u32::MAX for the one that it has.
        exe_fd: u32,
    }
    /// `struct clone_args` (clone3(2)).
    CloneArgs {
        /// CLONE_* flags.
        flags: u64,
        /// Where to store a pidfd.
        pidfd: u64,
        /// Where to store the tid in the child.
        child_tid: u64,
        /// Where to store the tid in the parent.
        parent_tid: u64,
        /// Signal at its end.
        exit_signal: u64,
        /// Lowest byte of the stack.
        stack: u64,
        /// Its length.
        stack_size: u64,
        /// Thread pointer.
        tls: u64,
        /// Array of pids, innermost namespace first.
        set_tid: u64,
        /// How many.
        set_tid_size: u64,
        /// Cgroup descriptor.
        cgroup: u64,
    }
    /// `struct iovec` (readv(2)).
    Iovec {
        /// Address.
        base: u64,
        /// Length.
        len: u64,
    }
    /// `struct msghdr` (recvmsg(2)).
    Msghdr {
        /// Address of a name.
        name: u64,
        /// Its length.
        name_len: u64,
        /// Array of [`Iovec`].
        iov: u64,
        /// How many.
        iov_len: u64,
        /// Control messages.
        control: u64,
        /// Their length.
        control_len: u64,
        /// MSG_* flags.
        flags: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_are_as_long_as_the_kernels() {
        assert_eq!(size_of::<Sigevent>(), size_of::<libc::sigevent>());
        assert_eq!(size_of::<Flock>(), size_of::<libc::flock>());
        assert_eq!(size_of::<Stack>(), size_of::<libc::stack_t>());
        assert_eq!(size_of::<CloneArgs>(), size_of::<libc::clone_args>());
        assert_eq!(size_of::<Msghdr>(), size_of::<libc::msghdr>());
        // SCHED_ATTR_SIZE_VER1 and include/uapi/linux/prctl.h.
        assert_eq!((size_of::<SchedAttr>(), size_of::<MmMap>()), (56, 104));
    }
}
