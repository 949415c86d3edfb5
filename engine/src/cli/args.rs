//! The command line: names, arguments and their help. The manual and the completions of shells are made from it too.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use stasis_engine::refusal::Loss;
use stasis_format::encoding::Encoding;
use stasis_format::head::KernelVersion;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    not done; what was to be saved runs on as before (validate: the image is not sound)
  2    wrong usage (validate: it could not be looked at)
  125  restart: nothing was restarted, or its end could not be seen
  128+N  called off by signal N; restart in the foreground: signal N ended the program

`restart` in the foreground otherwise exits with the status of the program.";

const RESTART_CODES: &str = "\
Exit codes:
  N      in the foreground, the exit status of the program
  128+N  the program was ended by signal N, or the restart was called off by it
  125    nothing was restarted, or its end could not be seen
  0      with --detach: it runs";

const RUN_CODES: &str = "\
Exit codes:
  N      the exit status of the command
  128+N  the command was ended by signal N
  125    stasis could not do its part
  126    the command cannot be executed
  127    there is no such command";

const VALIDATE_CODES: &str = "\
Exit codes:
  0  the image is sound
  1  it is not
  2  it could not be looked at";

/// Save a running process into one image, and start it again later.
#[derive(Debug, Parser)]
#[command(name = "stasis", version, after_help = EXIT_CODES, propagate_version = true, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Tell the steps with their times; twice for details
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Save a running process into an image
    ///
    /// The process runs on unless --kill is given. The image appears under its name when it is complete and on disk,
    /// readable by its owner only; a checkpoint that fails or is killed leaves no image and the process as it was.
    /// State that cannot be carried over is refused, with all reasons in one message.
    Checkpoint(Checkpoint),
    /// Start the process of an image again
    ///
    /// In the foreground: signals are forwarded to it, and its exit status is ours. Nothing of it runs before all of
    /// the image has been read and found sound.
    #[command(after_help = RESTART_CODES)]
    Restart(Restart),
    /// Run a command whose processes may checkpoint and restart themselves
    ///
    /// They make the calls checkpoint(pid, fd, flags) and restart(crid, fd, flags) by the two numbers below, as if the
    /// kernel had them; stasis.h names both. All other calls run at full speed. An ordinary user's command runs with
    /// no_new_privs: set-uid programs are without their rights in it.
    #[command(after_help = RUN_CODES)]
    Run(Run),
    /// Show what is in an image
    Inspect(Inspect),
    /// Judge whether an image is sound
    ///
    /// Every finding names the bytes, the record, the field and a rule. All of the image is read.
    #[command(after_help = VALIDATE_CODES)]
    Validate(Validate),
    /// Show an image in the browser
    ///
    /// Serves the inspector and this one file on 127.0.0.1, under an address that cannot be guessed, prints the address
    /// and opens it. Nothing else can be read, and nothing leaves this machine. The file is opened once: what later has
    /// its name is not shown. Ctrl-C ends it.
    View(View),
    /// Say what this host can and cannot do, and why
    Check,
    /// Make one of the two calls of the linux-cr patch (revision 1) on descriptors that the shell opened
    #[command(subcommand)]
    Syscall(Syscall),
    /// Print the completions for a shell
    Completions {
        /// Shell
        shell: Shell,
    },
    /// Write the manual pages into a directory
    Man {
        /// Directory, made if it is not there
        dir: PathBuf,
    },
    /// Save or replace the process that asks for it on descriptor 3, for libstasis
    #[command(hide = true)]
    Call {
        /// What is asked for
        operation: Operation,
    },
    /// List the steps of a checkpoint and a restart, for tests that interrupt them
    #[command(hide = true)]
    Steps,
}

/// What a process asks for on itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Operation {
    Checkpoint,
    Restart,
}

#[derive(Debug, Args)]
pub struct Checkpoint {
    /// Process to save
    #[arg(value_parser = clap::value_parser!(i32).range(1..))]
    pub pid: i32,
    /// Image to write, - for stdout [default: COMM-PID.stasis]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// End the process once the image is complete
    #[arg(long)]
    pub kill: bool,
    /// Revision of the image: 2 holds the process, 1 only what the patch of 2008 held
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=2))]
    pub rev: u16,
    /// Compress the contents of memory and files: zstd, zstd:LEVEL, lz4 or none
    #[arg(long, value_name = "HOW", default_value = "none", value_parser = compression)]
    pub compress: Compression,
    /// Put mapped and opened files into the image, so that it needs nothing else
    #[arg(long)]
    pub embed_files: bool,
    /// Give up this kind of state with a warning in the image instead of refusing; can be repeated
    #[arg(long, value_name = "KIND")]
    pub allow: Vec<Kind>,
    /// What becomes of connections of TCP that lead outside: refuse, or close, after which the program sees a reset
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub tcp: Tcp,
}

/// What becomes of connections of TCP whose other end is outside.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Tcp {
    /// The checkpoint is refused.
    #[default]
    Refuse,
    /// The program sees a reset after the restart, as after a pulled cable.
    Close,
}

#[derive(Debug, Args)]
pub struct Restart {
    /// Image, - for stdin
    #[arg(value_name = "FILE")]
    pub image: PathBuf,
    /// Leave it to itself once it runs
    #[arg(long)]
    pub detach: bool,
    /// Write the pid that it has here into a file
    #[arg(long, value_name = "FILE")]
    pub pid_file: Option<PathBuf>,
    /// Open PATH in place of its descriptor N; can be repeated
    #[arg(long = "fd", value_name = "N=PATH", value_parser = redirect)]
    pub fds: Vec<(u32, PathBuf)>,
    /// Take files as they are, even those that changed since the checkpoint
    #[arg(long)]
    pub force_files: bool,
    /// As root: take an image that somebody else could have written, or one from a pipe
    ///
    /// Its processes then get nothing that they could not open themselves.
    #[arg(long)]
    pub trust: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    /// Number of the call checkpoint(pid, fd, flags)
    #[arg(long, value_name = "N", default_value_t = stasis::NR_CHECKPOINT as u32)]
    pub nr_checkpoint: u32,
    /// Number of the call restart(crid, fd, flags)
    #[arg(long, value_name = "N", default_value_t = stasis::NR_RESTART as u32)]
    pub nr_restart: u32,
    /// Revision of the images: 2 holds a process, 1 its name
    #[arg(long = "rev", value_name = "1|2", default_value_t = 2, value_parser = clap::value_parser!(i32).range(1..=2))]
    pub revision: i32,
    /// Keep the last N images in memory, for restart(crid, -1, 0)
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep: usize,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub struct Inspect {
    /// Image
    #[arg(value_name = "FILE")]
    pub image: PathBuf,
    /// Everything as one JSON value
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Validate {
    /// Image, - for stdin
    #[arg(value_name = "FILE")]
    pub image: PathBuf,
    /// Kernel that an image of revision 1 has to match, such as 6.18.44 [default: the one in the image]
    #[arg(long, value_name = "RELEASE", value_parser = kernel)]
    pub kernel: Option<KernelVersion>,
    /// The findings as one JSON value
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct View {
    /// Image; also one that is damaged, or none at all
    #[arg(value_name = "FILE")]
    pub image: PathBuf,
    /// Print the address only; other users of this machine can see the browser's command line, and the address there
    #[arg(long)]
    pub no_open: bool,
    /// Port, 0 for any free one
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub port: u16,
}

#[derive(Debug, Subcommand)]
pub enum Syscall {
    /// sys_checkpoint: prints `ret N` on stderr
    Checkpoint {
        /// Process, 0 for the caller
        #[arg(allow_negative_numbers = true)]
        pid: i32,
        /// Descriptor to write to
        #[arg(allow_negative_numbers = true)]
        fd: i32,
        /// Flags
        #[arg(value_parser = flags)]
        flags: u64,
    },
    /// sys_restart: prints `ret N off N comm HEX32`, with the bytes taken and the caller's name afterwards
    Restart {
        /// Identifier of the checkpoint
        #[arg(allow_negative_numbers = true)]
        crid: i32,
        /// Descriptor to read from
        #[arg(allow_negative_numbers = true)]
        fd: i32,
        /// Flags
        #[arg(value_parser = flags)]
        flags: u64,
        /// Release that stands in for the running kernel's
        #[arg(long, value_name = "RELEASE", value_parser = kernel)]
        kernel: Option<KernelVersion>,
    },
}

/// What `--compress` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compression {
    pub encoding: Encoding,
    pub level: i32,
}

/// A kind of state that may be given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind(pub Loss);

impl ValueEnum for Kind {
    fn value_variants<'a>() -> &'a [Self] {
        const KINDS: [Kind; Loss::ALL.len()] = {
            let mut kinds = [Kind(Loss::Attribute); Loss::ALL.len()];
            let mut n = 0;
            while n < kinds.len() {
                kinds[n] = Kind(Loss::ALL[n].0);
                n += 1;
            }
            kinds
        };
        &KINDS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.name()))
    }
}

/// Default level of zstd: its fastest that compresses; a checkpoint is there to be quick.
const ZSTD_LEVEL: i32 = 1;

fn compression(text: &str) -> Result<Compression, String> {
    let (name, level) = text.split_once(':').map_or((text, None), |(name, level)| (name, Some(level)));
    match (name, level) {
        ("none", None) => Ok(Compression { encoding: Encoding::NONE, level: 0 }),
        ("lz4", None) => Ok(Compression { encoding: Encoding::LZ4, level: 0 }),
        ("zstd", None) => Ok(Compression { encoding: Encoding::ZSTD, level: ZSTD_LEVEL }),
        ("zstd", Some(level)) => match level.parse() {
            Ok(level @ -7..=22) => Ok(Compression { encoding: Encoding::ZSTD, level }),
            _ => Err("the level of zstd is a number from -7 to 22".into()),
        },
        _ => Err("it is one of zstd, zstd:LEVEL, lz4, none".into()),
    }
}

fn redirect(text: &str) -> Result<(u32, PathBuf), String> {
    let (number, path) = text.split_once('=').ok_or("it has the form N=PATH")?;
    let number = number.parse().map_err(|_| format!("{number:?} is no descriptor number"))?;
    if path.is_empty() {
        return Err("the path is empty".into());
    }
    Ok((number, path.into()))
}

fn kernel(text: &str) -> Result<KernelVersion, String> {
    KernelVersion::parse(text).ok_or_else(|| "it is a release such as 6.18.44".into())
}

/// Decimal, or hexadecimal with 0x.
fn flags(text: &str) -> Result<u64, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    parsed.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{Cli, compression, flags, redirect};
    use clap::CommandFactory as _;

    #[test]
    fn the_definitions_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments_are_judged_where_they_are_given() {
        assert_eq!(compression("zstd:19").map(|c| c.level), Ok(19));
        assert!(
            compression("zstd:23").is_err() && compression("none:1").is_err() && compression("xz").is_err()
        );
        assert_eq!(redirect("3=/a=b"), Ok((3, "/a=b".into())));
        assert!(redirect("3").is_err() && redirect("x=/a").is_err() && redirect("3=").is_err());
        assert_eq!(flags("0x8000000000000000"), Ok(1 << 63));
    }
}
