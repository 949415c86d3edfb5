//! Nobody gets a right that he did not have, whatever lies in the way of a checkpoint or a restart: the rows of
//! docs/security.md. Most of it takes root to try; a test that cannot run here says so.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use stasis_tests::engine::{checkpoint, restart, restart_detached, run, stasis, stasis_path};
use stasis_tests::host;
use stasis_tests::program::{CALLER, Restored, VICTIM, foreign};
use stasis_tests::wait;

const NOBODY: u32 = 65534;

/// Whether this can be tried; else says so.
fn as_root() -> bool {
    if !host::is_root() {
        eprintln!("not tested here: it takes root to have another user's process");
    }
    host::is_root()
}

/// A program for nobody, wherever the repository lies, that starts another one without the descriptors that whoever runs the
/// tests left open.
fn runner() -> &'static Path {
    static RUNNER: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = RUNNER.get_or_init(|| {
        let dir = host::workdir();
        let path = dir.path().join("victim");
        fs::copy(VICTIM, &path).expect("the program can be copied");
        (dir, path)
    });
    path
}

/// A process of nobody's that sleeps. Dropping it ends it.
struct Sleeper(Child);

impl Sleeper {
    /// One in this directory, with this on its standard input.
    fn start(dir: &Path, stdin: impl Into<Stdio>) -> Self {
        let mut command = Command::new(runner());
        command.args(["run", "sleep", "1000"]).current_dir(dir).uid(NOBODY).gid(NOBODY).stdin(stdin);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sleep can be run");
        Sleeper(child).ready()
    }

    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).expect("a pid fits")
    }

    /// Waits until it sleeps.
    fn ready(self) -> Self {
        let is_sleep = || fs::read(format!("/proc/{}/comm", self.pid())).is_ok_and(|comm| comm == b"sleep\n");
        wait::until("the sleeper", || is_sleep() && host::state_of(self.pid()) == Some('S'));
        self
    }

    fn save_and_end(mut self, image: &Path) {
        checkpoint(self.pid(), image, &["--kill"]).succeeded();
        self.0.wait().expect("it has ended");
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A file with this text, owner and mode.
fn file(path: PathBuf, text: &str, owner: u32, mode: u32) -> PathBuf {
    fs::write(&path, text).expect("a file");
    chown(&path, Some(owner), Some(owner)).expect("root gives files away");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    path
}

fn for_both(path: &Path) -> File {
    File::options().read(true).write(true).open(path).expect("root opens it")
}

fn stdin_of(process: &Restored) -> PathBuf {
    fs::read_link(format!("/proc/{}/fd/0", process.pid())).expect("its standard input")
}

#[test]
fn a_link_to_a_file_of_roots_is_not_followed_for_somebody_elses_process() {
    if !as_root() {
        return;
    }
    let dir = host::workdir();
    let own = file(dir.path().join("own"), "text", NOBODY, 0o600);
    let secret = file(dir.path().join("secret"), "text", 0, 0o600);
    let image = dir.path().join("image.stasis");
    Sleeper::start(dir.path(), for_both(&own)).save_and_end(&image);
    // What its user can do meanwhile.
    fs::remove_file(&own).expect("it is removed");
    symlink(&secret, &own).expect("a link");
    for extra in [&["--detach"][..], &["--detach", "--force-files"]] {
        restart(&image, dir.path(), extra).refused(&["own"]);
    }
    // A link to what it may open is one that it could have followed itself.
    let other = file(dir.path().join("other"), "text", NOBODY, 0o600);
    fs::remove_file(&own).expect("the link is removed");
    symlink(&other, &own).expect("a link");
    let pid_file = dir.path().join("pid");
    let args = ["--detach", "--force-files", "--pid-file"];
    run(stasis(["restart"]).args(args).arg(&pid_file).arg(&image)).succeeded();
    let restored = Restored::from_pid_file(&pid_file, dir.path());
    assert_eq!(stdin_of(&restored), other);
}

#[test]
fn a_file_held_from_before_comes_back_if_it_is_the_same_and_else_is_named() {
    if !as_root() {
        return;
    }
    let dir = host::workdir();
    let held = file(dir.path().join("held"), "text", 0, 0o600);
    let image = dir.path().join("image.stasis");
    let save = || Sleeper::start(dir.path(), for_both(&held)).save_and_end(&image);
    save();
    let restored = restart_detached(&image, dir.path());
    assert_eq!(stdin_of(&restored), held);
    drop(restored);
    // From somebody whom nothing vouches for it comes back for nobody.
    let pipe = "cat image.stasis | \"$0\" restart --detach --trust -";
    let piped = |command: &str| {
        run(Command::new("sh").args(["-c", command]).arg(stasis_path()).current_dir(dir.path()))
    };
    piped(pipe).refused(&["held", "the process itself may not open it"]);
    // Another one of the same name, size and times is not the same.
    let meta = fs::metadata(&held).expect("the file");
    fs::remove_file(&held).expect("it is removed");
    file(held.clone(), "text", 0, 0o600);
    File::options().write(true).open(&held).and_then(|f| f.set_modified(meta.modified()?)).expect("its time");
    for extra in [&["--detach"][..], &["--detach", "--force-files"]] {
        restart(&image, dir.path(), extra).refused(&["held"]);
    }
}

#[test]
fn a_directory_held_from_before_comes_back_if_it_is_the_same() {
    if !as_root() {
        return;
    }
    let dir = host::workdir();
    let place = dir.path().join("place");
    let image = dir.path().join("image.stasis");
    fs::create_dir(&place).expect("a directory");
    let sleeper = Sleeper::start(&place, Stdio::null());
    fs::set_permissions(&place, fs::Permissions::from_mode(0o700)).expect("its mode");
    sleeper.save_and_end(&image);
    let restored = restart_detached(&image, dir.path());
    let cwd = fs::read_link(format!("/proc/{}/cwd", restored.pid())).expect("its current directory");
    assert_eq!(cwd, place);
    drop(restored);
    fs::remove_dir(&place).expect("it is removed");
    let elsewhere = dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).expect("another");
    fs::set_permissions(&elsewhere, fs::Permissions::from_mode(0o700)).expect("its mode");
    symlink(&elsewhere, &place).expect("a link");
    restart(&image, dir.path(), &["--detach", "--force-files"]).refused(&["place"]);
}

#[test]
fn an_object_of_a_process_is_refused_by_name_and_the_process_runs_on() {
    let dir = host::workdir();
    for path in ["/proc/self/maps", "/proc/self/task", "/proc/thread-self/stat", "/proc/self/ns/net"] {
        let command = format!("exec sleep 1000 < {path}");
        let child = foreign("sh").args(["-c", &command]).stdout(Stdio::null()).spawn();
        let sleeper = Sleeper(child.expect("a shell")).ready();
        let image = dir.path().join("image.stasis");
        let what = if path.contains("/ns/") { "namespace" } else { "/proc" };
        checkpoint(sleeper.pid(), &image, &["--kill"]).refused(&[what]);
        assert!(host::is_running(sleeper.pid()), "{path}");
    }
}

#[test]
fn root_takes_an_image_that_others_could_have_written_only_when_it_says_so() {
    if !as_root() {
        return;
    }
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    Sleeper::start(dir.path(), Stdio::null()).save_and_end(&image);
    let attempt = |path: &Path, extra: &[&str]| {
        let pid_file = dir.path().join("pid");
        let args = ["restart", "--detach", "--pid-file"];
        let ran = run(stasis(args).arg(&pid_file).arg(path).args(extra).current_dir(dir.path()));
        if ran.status.success() {
            drop(Restored::from_pid_file(&pid_file, dir.path()));
        }
        ran
    };
    attempt(&image, &[]).succeeded();
    let open = dir.path().join("open");
    fs::create_dir(&open).expect("a directory");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("its mode");
    let inside = open.join("image.stasis");
    fs::copy(&image, &inside).expect("a copy");
    let theirs = file(dir.path().join("theirs"), "", NOBODY, 0o600);
    fs::copy(&image, &theirs).expect("a copy");
    let link = dir.path().join("link");
    symlink(&image, &link).expect("a link");
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).expect("root gives links away");
    for path in [&inside, &theirs, &link] {
        attempt(path, &[]).refused(&["--trust"]);
        attempt(path, &["--trust"]).succeeded();
    }
    let piped = |command: &str| {
        run(Command::new("sh").args(["-c", command]).arg(stasis_path()).current_dir(dir.path()))
    };
    piped("cat image.stasis | \"$0\" restart --detach -").refused(&["--trust"]);
}

/// `stasis run` of root's with a program that gives up its rights and then makes a call.
fn under_root(what: &str, dir: &Path) -> Output {
    let mut command = foreign(stasis_path());
    command.args(["run", "--", CALLER, what]).current_dir(dir).stdin(Stdio::null());
    command.output().expect("stasis runs")
}

#[test]
fn a_restart_that_a_program_without_rights_asks_for_opens_nothing_with_the_supervisors() {
    if !as_root() {
        return;
    }
    let dir = host::workdir();
    let secret = file(dir.path().join("secret"), "text", 0, 0o600);
    let image = dir.path().join("image");
    Sleeper::start(dir.path(), for_both(&secret)).save_and_end(&image);
    chown(&image, Some(NOBODY), Some(NOBODY)).expect("root gives files away");
    let said = under_root("load-as-nobody", dir.path());
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(text.ends_with(&format!("restart {}\n", -libc::EPERM)), "{text}");
}

#[test]
fn a_checkpoint_that_a_program_without_rights_asks_for_takes_no_process_that_has_them() {
    if !as_root() {
        return;
    }
    let dir = host::workdir();
    let program = dir.path().join("setuid");
    fs::copy(host::program("cat").expect("cat"), &program).expect("a copy");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o4755)).expect("its mode");
    let said = under_root("setuid-child", dir.path());
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    let eperm = -libc::EPERM;
    assert_eq!(text, format!("the child {eperm}\nall of us {eperm}\nnot empty 0\n"));
}

#[test]
fn an_image_takes_the_place_of_somebody_elses_link_and_not_of_what_it_leads_to() {
    if !as_root() {
        return;
    }
    let dir = host::workdir();
    let precious = file(dir.path().join("precious"), "text", 0, 0o600);
    let link = dir.path().join("job.stasis");
    symlink(&precious, &link).expect("a link");
    std::os::unix::fs::lchown(&link, Some(NOBODY), None).expect("root gives links away");
    Sleeper::start(dir.path(), Stdio::null()).save_and_end(&link);
    assert_eq!(fs::read_to_string(&precious).expect("the file"), "text");
    assert!(!fs::symlink_metadata(&link).expect("the image").is_symlink());
    run(stasis(["validate"]).arg(&link)).succeeded();
}
