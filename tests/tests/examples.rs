//! The programs in `examples/`, run as their head says.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use stasis_tests::engine::{restart_detached, run, stasis_path};
use stasis_tests::library::{self, Linked};
use stasis_tests::program::foreign;
use stasis_tests::{host, wait};

/// How a program gets at its calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Library,
    /// It is a child of `stasis run`.
    Supervisor,
}

impl By {
    fn command(self, program: &Path) -> Command {
        match self {
            Self::Library => library::program(program),
            Self::Supervisor => {
                let mut command = foreign(stasis_path());
                command.args(["run", "--"]).arg(program);
                command
            }
        }
    }
}

/// A program that is killed at the end of the test.
struct Spinning(Child, By);

impl Spinning {
    fn start(command: &mut Command, by: By) -> Self {
        Self(command.spawn().expect("the program can be started"), by)
    }

    fn pid(&self) -> i32 {
        let own = self.0.id().cast_signed();
        match self.1 {
            By::Library => own,
            By::Supervisor => host::child_of(own).unwrap_or(own),
        }
    }

    /// Its name, as `ps` shows it.
    fn name(&self) -> String {
        fs::read_to_string(format!("/proc/{}/comm", self.pid())).unwrap_or_default().trim().to_owned()
    }

    fn kill(&mut self) {
        // A supervisor ends with its program.
        let _ = kill(Pid::from_raw(self.pid()), Signal::SIGKILL);
        let _ = self.0.wait();
    }
}

impl Drop for Spinning {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The script of the documentation: the first program checkpoints itself to standard output, is killed, and comes back in
/// the place of the second, which reads the image from standard input.
#[track_caller]
fn follow_the_documentation(first: &Path, second: &Path, dir: &Path, by: By) {
    let (image, out) = (dir.join("self.image"), dir.join("cr-self.out"));
    let command = |program: &Path| {
        let mut command = by.command(program);
        command.current_dir(dir).stdin(Stdio::null()).stderr(File::create(dir.join("err")).expect("a file"));
        command
    };
    let said = || fs::read_to_string(&out).unwrap_or_default();
    let mut original =
        Spinning::start(command(first).arg(&out).stdout(File::create(&image).expect("a file")), by);
    wait::until("the program to go on behind its checkpoint", || said().ends_with("ret = 1\n"));
    assert_eq!(said(), "hello, world!\nworld, hello!\nret = 1\n");
    let name = original.name();
    original.kill();

    let mut restarted = Spinning::start(
        command(second).stdin(File::open(&image).expect("the image")).stdout(Stdio::null()),
        by,
    );
    wait::until("the program to go on behind its checkpoint again", || {
        assert!(
            restarted.0.try_wait().expect("it can be waited for").is_none(),
            "it ended: {}",
            fs::read_to_string(dir.join("err")).unwrap_or_default()
        );
        said().ends_with("ret = 0\n")
    });
    assert_eq!(said(), "hello, world!\nworld, hello!\nret = 0\n");
    assert_eq!(restarted.name(), name, "the name of the process");
    let before = host::cpu_ticks(restarted.pid());
    wait::until("the program to spin again", || host::cpu_ticks(restarted.pid()) > before);
}

#[test]
fn the_programs_of_the_documentation_in_c_do_what_it_says() {
    let dir = host::workdir();
    let (first, second) = (dir.path().join("self"), dir.path().join("rstr"));
    library::compile("examples/self.c", &first, Linked::Archive, &[]);
    library::compile("examples/restart.c", &second, Linked::Archive, &[]);
    follow_the_documentation(&first, &second, dir.path(), By::Library);
}

#[test]
fn the_programs_of_the_documentation_do_what_it_says_by_real_system_calls() {
    let dir = host::workdir();
    let (first, second) = (dir.path().join("self"), dir.path().join("rstr"));
    // They need nothing of the library's but the header.
    library::compile("examples/self.c", &first, Linked::Static, &["-DRAW"]);
    library::compile("examples/restart.c", &second, Linked::Static, &["-DRAW"]);
    follow_the_documentation(&first, &second, dir.path(), By::Supervisor);
}

fn example(name: &str) -> PathBuf {
    library::directory().join("examples").join(name)
}

#[test]
fn the_programs_of_the_documentation_in_rust_do_what_it_says() {
    let dir = host::workdir();
    follow_the_documentation(&example("self"), &example("restart"), dir.path(), By::Library);
}

#[test]
fn an_estimate_that_is_killed_again_and_again_comes_to_the_same_result() {
    const POINTS: &str = "100000000";
    const KILLS: usize = 5;
    let dir = host::workdir();
    let (image, out) = (dir.path().join("image.stasis"), dir.path().join("out"));
    let estimate = |seconds: &str| {
        let mut command = library::program(&example("montecarlo"));
        command.args([POINTS, seconds]).arg(&image).current_dir(dir.path()).stdin(Stdio::null());
        command
    };
    let undisturbed = run(&mut estimate("1000000")).succeeded().stdout;
    assert!(undisturbed.contains("points inside"), "{undisturbed}");

    let newest = || fs::metadata(&image).map(|file| file.ino()).ok();
    let streams = |command: &mut Command| {
        let open = |path: &Path| File::create(path).expect("a file");
        Spinning::start(command.stdout(open(&out)).stderr(open(&dir.path().join("err"))), By::Library)
    };
    let mut original = streams(&mut estimate("0.02"));
    wait::until("the first image", || newest().is_some());
    original.kill();
    for _ in 0..KILLS {
        let before = newest();
        let restored = restart_detached(&image, dir.path());
        wait::until("a newer image", || newest() != before || !restored.is_running());
        // Its drop kills it, wherever it is by now.
        let pid = restored.pid();
        drop(restored);
        wait::until("its pid to be free", || host::state_of(pid).is_none());
    }
    let last = restart_detached(&image, dir.path());
    last.wait();
    let error = fs::read_to_string(dir.path().join("err")).unwrap_or_default();
    assert_eq!(fs::read_to_string(&out).expect("the result"), undisturbed, "{error}");
}
