//! What a person sees of a checkpoint or restart while it lasts, and where tests interrupt it.

use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nix::sys::signal::{Signal, raise};
use stasis_engine::progress::Progress;

/// How long something has to last before it gets a progress bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Stops at this step, for tests.
const PAUSE_AT: &str = "STASIS_PAUSE_AT";
/// Dies at this step, for tests.
const DIE_AT: &str = "STASIS_DIE_AT";

/// Tells steps, draws a bar on a terminal, and asks `cancelled` whether to give up.
pub struct Watch<'a> {
    cancelled: &'a (dyn Fn() -> bool + Sync),
    pause: &'a (dyn Fn() + Sync),
    pause_at: Option<String>,
    die_at: Option<String>,
    since: Instant,
    total: AtomicU64,
    done: AtomicU64,
    /// The bar once there is one; never, when stderr is no terminal.
    bar: Option<Mutex<Option<ProgressBar>>>,
}

impl<'a> Watch<'a> {
    /// `cancelled` says whether to give up, `pause` stops until someone continues us.
    pub fn new(cancelled: &'a (dyn Fn() -> bool + Sync), pause: &'a (dyn Fn() + Sync)) -> Self {
        let at = |name| std::env::var(name).ok();
        Self {
            cancelled,
            pause,
            pause_at: at(PAUSE_AT),
            die_at: at(DIE_AT),
            since: Instant::now(),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            bar: std::io::stderr().is_terminal().then(|| Mutex::new(None)),
        }
    }

    fn draw(&self, bar: &Mutex<Option<ProgressBar>>, done: u64) {
        // Another thread draws already.
        let Ok(mut bar) = bar.try_lock() else { return };
        let bar = bar.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
            // How much an image holds is known at its end only.
            if self.total.load(Ordering::Relaxed) == 0 {
                if let Ok(style) = ProgressStyle::with_template("{binary_bytes}, {binary_bytes_per_sec}") {
                    bar.set_style(style);
                }
                return bar;
            }
            let template =
                "{bar:32} {binary_bytes} of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        bar.set_length(self.total.load(Ordering::Relaxed).max(done));
        bar.set_position(done);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(Ok(Some(bar))) = self.bar.take().map(Mutex::into_inner) {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Watch<'_> {
    fn step(&self, name: &'static str) {
        tracing::info!("{name}");
        if self.die_at.as_deref() == Some(name) {
            let _ = raise(Signal::SIGKILL);
        }
        if self.pause_at.as_deref() == Some(name) {
            eprintln!("stasis: paused at {name} pid {}", std::process::id());
            (self.pause)();
        }
    }

    fn total(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if let Some(bar) = self.bar.as_ref().filter(|_| self.since.elapsed() > PATIENCE) {
            self.draw(bar, done);
        }
    }

    fn cancelled(&self) -> bool {
        (self.cancelled)()
    }
}
