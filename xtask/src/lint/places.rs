//! Some things are done in one place only: paths of /proc are read by `procfs`, kernel calls made by `sys`, and both are
//! where the only `unsafe` is.

use super::source::{Source, is_punct, without_tests};
use proc_macro2::{TokenStream, TokenTree};

/// What belongs into a place of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A path below /proc.
    Proc,
    /// `libc::syscall`.
    Syscall,
    /// `unsafe`.
    Unsafe,
}

/// Files that do so still. The list may only become shorter; one that does not any more is an error too.
const KNOWN: &[(What, &str)] = &[
    (What::Proc, "engine/src/checkpoint.rs"),
    (What::Proc, "engine/src/cli/commands/call.rs"),
    (What::Proc, "engine/src/cli/commands/checkpoint.rs"),
    (What::Proc, "engine/src/cli/commands/run/calls.rs"),
    (What::Proc, "engine/src/cli/commands/run/worker.rs"),
    (What::Proc, "engine/src/cli/commands/syscall.rs"),
    (What::Proc, "engine/src/cli/output.rs"),
    (What::Proc, "engine/src/host.rs"),
    (What::Proc, "engine/src/kinds/fd/inodes.rs"),
    (What::Proc, "engine/src/kinds/fd/inotify.rs"),
    (What::Proc, "engine/src/kinds/fd/unixnames.rs"),
    (What::Proc, "engine/src/kinds/task/process.rs"),
    (What::Proc, "engine/src/kinds/task/thread.rs"),
    (What::Proc, "engine/src/memory/areas.rs"),
    (What::Proc, "engine/src/memory/fill.rs"),
    (What::Proc, "engine/src/memory/pages.rs"),
    (What::Proc, "engine/src/restart/mod.rs"),
    (What::Proc, "engine/src/revision1.rs"),
    (What::Proc, "engine/src/rights/caller.rs"),
    (What::Proc, "engine/src/rights/files.rs"),
    (What::Proc, "engine/src/rights/place.rs"),
    (What::Proc, "engine/src/tracee/exec_replace.rs"),
    (What::Proc, "engine/src/tracee/stub.rs"),
    (What::Proc, "engine/src/tracee/wait.rs"),
    (What::Proc, "engine/src/tree/respawn.rs"),
];

impl What {
    /// Where it belongs.
    fn places(self) -> &'static [&'static str] {
        match self {
            Self::Proc => &["engine/src/procfs/", "engine/src/sys/"],
            Self::Syscall | Self::Unsafe => &["engine/src/sys/"],
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Proc => "a path of /proc",
            Self::Syscall => "a call through libc::syscall",
            Self::Unsafe => "unsafe",
        }
    }
}

/// What stands in the wrong place, as sentences.
pub fn find(sources: &[Source]) -> Vec<String> {
    let mut met = vec![false; KNOWN.len()];
    let mut out = Vec::new();
    for source in sources {
        let file = source.path.display().to_string();
        let mut found = Vec::new();
        scan(&source.tokens, &mut found);
        for (what, line) in found {
            if what.places().iter().any(|place| file.starts_with(place)) {
                continue;
            }
            match KNOWN.iter().position(|entry| *entry == (what, file.as_str())) {
                Some(at) => met[at] = true,
                None => out.push(format!(
                    "{file}:{line}: {} belongs into {}",
                    what.name(),
                    what.places().join(" or ")
                )),
            }
        }
    }
    for ((what, file), _) in KNOWN.iter().zip(met).filter(|(_, met)| !met) {
        out.push(format!(
            "{file} has no {} any more: take it off the list in xtask/src/lint/places.rs",
            what.name()
        ));
    }
    out
}

fn scan(tokens: &[TokenTree], out: &mut Vec<(What, usize)>) {
    for (at, token) in tokens.iter().enumerate() {
        let line = token.span().start().line;
        match token {
            TokenTree::Group(group) => scan(&without_tests(TokenStream::clone(&group.stream())), out),
            TokenTree::Ident(word) if word == "unsafe" => out.push((What::Unsafe, line)),
            TokenTree::Ident(word) if word == "syscall" => {
                let before: Vec<&TokenTree> = tokens[at.saturating_sub(3)..at].iter().collect();
                if let [TokenTree::Ident(of), a, b] = before.as_slice()
                    && of == "libc"
                    && is_punct(a, ':')
                    && is_punct(b, ':')
                {
                    out.push((What::Syscall, line));
                }
            }
            TokenTree::Literal(literal) => {
                let text = literal.to_string();
                // A sentence for people may name such a file.
                let is_path = text.contains("\"/proc/") || text.contains("\"/proc\"");
                if is_path && !text.contains(char::is_whitespace) {
                    out.push((What::Proc, line));
                }
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{What, scan};
    use crate::lint::source::without_tests;

    #[test]
    fn paths_and_calls_are_found_and_words_about_them_are_not() {
        let text = r##"
            /// Reads /proc/self/maps.
            fn f() {
                open("/proc/self/maps");
                open(&format!("/proc/{pid}/fd"));
                fail("/proc/PID/maps cannot be read");
                let _ = unsafe { libc::syscall(1) };
                let _ = libc::SYS_read;
            }
            #[cfg(test)]
            fn g() { open("/proc/self/stat") }
        "##;
        let mut found = Vec::new();
        scan(&without_tests(text.parse().unwrap()), &mut found);
        assert_eq!(found, [(What::Proc, 4), (What::Proc, 5), (What::Unsafe, 7), (What::Syscall, 7)]);
    }
}
