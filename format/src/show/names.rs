//! Names of numbers: signals and capabilities.

/// Signals 1 to 31 without their SIG (signal(7), x86-64 and arm64).
const SIGNALS: &[&str] = &[
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Capabilities from 0 on without their CAP_ (capabilities(7), include/uapi/linux/capability.h).
const CAPABILITIES: &[&str] = &[
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// First of the real-time signals as the kernel counts them.
const SIGRTMIN: u64 = 32;
/// Last signal.
const SIGRTMAX: u64 = 64;

/// Name of a signal: `SIGTERM`, `SIGRTMIN+3`; `none` for 0.
pub fn signal(number: u64) -> String {
    match number {
        0 => "none".into(),
        SIGRTMIN => "SIGRTMIN".into(),
        33..=SIGRTMAX => format!("SIGRTMIN+{}", number - SIGRTMIN),
        _ => match usize::try_from(number - 1).ok().and_then(|at| SIGNALS.get(at)) {
            Some(name) => format!("SIG{name}"),
            None => format!("signal {number}"),
        },
    }
}

/// Name of a capability: `CAP_KILL`.
pub fn capability(number: u32) -> String {
    match CAPABILITIES.get(number as usize) {
        Some(name) => format!("CAP_{name}"),
        None => format!("CAP_{number}"),
    }
}

/// Names of the signals in the kernel's mask, bit 0 being signal 1.
pub fn signals(mask: u64) -> Vec<String> {
    bits(mask).map(|bit| signal(u64::from(bit) + 1)).collect()
}

/// Names of the capabilities in a set.
pub fn capabilities(set: u64) -> Vec<String> {
    bits(set).map(capability).collect()
}

/// Whether a set holds every capability that is known.
pub fn is_full(set: u64) -> bool {
    set == (1 << CAPABILITIES.len()) - 1
}

/// Names of the bits that are set; what has no name comes last in hexadecimal.
pub fn flags(value: u64, names: &[(u64, &str)]) -> Vec<String> {
    let mut left = value;
    let mut out = Vec::new();
    // A name for zero is one for none of them.
    for (bit, name) in names.iter().filter(|(bit, _)| *bit != 0) {
        if value & bit == *bit {
            out.push((*name).to_owned());
            left &= !bit;
        }
    }
    if left != 0 {
        out.push(format!("{left:#x}"));
    }
    out
}

/// Name of a value of a list.
pub fn choice(value: u64, names: &[(u64, &'static str)]) -> Option<&'static str> {
    names.iter().find(|(number, _)| *number == value).map(|(_, name)| *name)
}

/// The same, or a word for one that has none.
pub fn named(value: u32, names: &[(u64, &'static str)]) -> String {
    choice(value.into(), names).map_or_else(|| format!("kind {value}"), str::to_owned)
}

/// The same without the family's prefix, in small letters: `stream` for SOCK_STREAM.
pub fn tail_of(value: u32, names: &[(u64, &'static str)]) -> String {
    let name = named(value, names);
    name.split_once('_').map_or(name.as_str(), |(_, tail)| tail).to_lowercase()
}

fn bits(mask: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |bit| mask & (1 << bit) != 0)
}

#[cfg(test)]
mod tests {
    use super::{capabilities, capability, flags, is_full, signal, signals};

    #[test]
    fn signals_and_capabilities_have_the_kernels_names() {
        let named = [0, 1, 9, 15, 17, 31, 32, 34, 64, 65].map(signal);
        let due = [
            "none",
            "SIGHUP",
            "SIGKILL",
            "SIGTERM",
            "SIGCHLD",
            "SIGSYS",
            "SIGRTMIN",
            "SIGRTMIN+2",
            "SIGRTMIN+32",
            "signal 65",
        ];
        assert_eq!(named, due);
        assert_eq!(signals(0x4002), ["SIGINT", "SIGTERM"]);
        let named = [0, 5, 21, 40, 41].map(capability);
        assert_eq!(named, ["CAP_CHOWN", "CAP_KILL", "CAP_SYS_ADMIN", "CAP_CHECKPOINT_RESTORE", "CAP_41"]);
        assert_eq!(capabilities(0x21), ["CAP_CHOWN", "CAP_KILL"]);
        assert!(is_full(0x1ff_ffff_ffff));
    }

    #[test]
    fn bits_without_a_name_are_not_lost() {
        assert_eq!(flags(0x13, &[(1, "A"), (2, "B"), (4, "C")]), ["A", "B", "0x10"]);
        assert!(flags(0, &[(1, "A")]).is_empty());
    }
}
