//! Every kind of state, four times: the victim that is killed and restarted finds itself as it was, and the victim that is
//! only looked at does not notice; so for a static program, and for a user without any rights. The kinds are the C files in `tests/victims`.

use stasis_tests::journey;
use stasis_tests::program::{VICTIM, VICTIM_STATIC};
use std::process::Command;

macro_rules! victims {
    ($($test:ident: $kind:literal,)*) => {
        mod a_restart_brings_back {
            $(#[test] fn $test() { super::journey::killed_and_restarted(super::VICTIM, $kind).must_be_intact(); })*
        }
        mod a_static_program_gets_back {
            $(#[test] fn $test() { super::journey::killed_and_restarted(super::VICTIM_STATIC, $kind).must_be_intact(); })*
        }
        mod a_checkpoint_does_not_disturb {
            $(#[test] fn $test() { super::journey::left_running(super::VICTIM, $kind).must_be_intact(); })*
        }
        mod an_ordinary_user_gets_back {
            $(#[test] fn $test() { super::journey::of_an_ordinary_user($kind).must_be_intact(); })*
        }
        /// The kinds that the tests above go through.
        const TESTED: &[&str] = &[$($kind),*];
    };
}

victims! {
    a_process_that_does_nothing: "idle",
    the_general_registers: "registers",
    the_avx2_registers: "avx2",
    the_avx512_registers: "avx512",
    eight_threads_and_what_each_has: "threads",
    five_hundred_threads: "manythreads",
    robust_mutexes_and_rseq: "robust",
    a_restartable_sequence: "rseq",
    every_kind_of_mapping: "mappings",
    the_flags_of_mappings: "vmflags",
    a_reservation_of_300_gigabytes: "reservation",
    twenty_thousand_mappings: "manyvmas",
    twelve_thousand_names_of_areas: "areanames",
    four_sparse_gigabytes: "sparse",
    brk_auxv_exe_link_and_vdso: "mm",
    the_signal_actions_and_the_mask: "sigactions",
    pending_signals_with_their_siginfo: "pending",
    a_signal_handler_in_progress: "handler",
    the_interval_timers: "itimers",
    an_alarm: "alarm",
    timers_that_tick: "ticking",
    posix_timers: "posixtimers",
    threads_that_wait_in_system_calls: "waiting",
    a_write_in_progress: "writing",
    threads_that_sleep_for_a_time: "sleeping",
    open_files: "files",
    files_without_a_name: "deleted",
    file_locks: "locks",
    pipes_and_fifos: "pipes",
    pipes_with_packets: "packets",
    eventfds: "eventfds",
    epolls: "epolls",
    timerfds: "timerfds",
    signalfds: "signalfds",
    a_pidfd_to_itself: "pidfds",
    terminals_and_what_is_in_their_queues: "terminals",
    the_session_of_a_terminal: "terminal_session",
    inotify_watches: "inotify",
    semaphores: "semaphores",
    the_attributes_of_the_task: "attributes",
    a_root_directory_of_its_own: "jail",
    the_death_signal_and_dumpability: "pdeathsig",
    reduced_capabilities: "capabilities",
    the_credentials_of_another_user: "nobody",
    mixed_credentials: "mixeduser",
    six_thousand_groups: "manygroups",
    capabilities_kept_by_another_user: "keepcaps",
    children_and_a_grandchild: "tree",
    children_that_have_ended: "zombies",
    sessions_and_process_groups: "sessions",
    descriptors_inherited_by_a_child: "inherited",
    memory_shared_with_a_child: "sharedmem",
    pidfds_to_children: "kinfds",
    a_stopped_child: "stoppedchild",
    an_adopted_grandchild: "adopted",
    pairs_of_sockets: "socketpairs",
    a_socket_to_a_child: "socketkin",
    sockets_with_names: "namedsockets",
    sockets_that_listen: "listeners",
    connections_inside_the_tree: "connections",
}

#[test]
fn no_kind_of_victim_is_forgotten() {
    /// What other tests use, in `trust.rs`, `running.rs`, `restart.rs` and the benchmark.
    const ELSEWHERE: &[&str] = &[
        "counter",
        "tracer",
        "zombie",
        "unsupported",
        "othername",
        "sharedpipe",
        "lonely",
        "vforked",
        "semundo",
        "ballast",
        "vessel",
        "leaving",
        "niced",
    ];
    let output = Command::new(VICTIM).output().expect("the victim program runs");
    let listed = String::from_utf8(output.stdout).expect("names are text");
    let mut kinds: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let mut tested: Vec<&str> = TESTED.iter().chain(ELSEWHERE).copied().collect();
    kinds.sort_unstable();
    tested.sort_unstable();
    assert_eq!(kinds, tested);
}
