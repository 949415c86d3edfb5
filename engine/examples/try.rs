//! Scratch driver.
use stasis_engine::{checkpoint, progress::Silent, restart};
use std::io::Write;
struct P;
impl stasis_engine::progress::Progress for P { fn step(&self, n: &'static str) { eprintln!("step {n}"); } }
fn main() {
    let a: Vec<String> = std::env::args().collect();
    match a[1].as_str() {
        "c" => {
            let pid = a[2].parse().unwrap();
            let f = std::fs::File::create(&a[3]).unwrap();
            let o = checkpoint::Options { kill: a.get(4).is_some(), ..Default::default() };
            match checkpoint::checkpoint(pid, f, &o, &Silent, &mut |mut f: std::fs::File| f.flush()) {
                Ok(s) => eprintln!("{s:?}"),
                Err(e) => { eprintln!("error: {e}"); let mut s: Option<&dyn std::error::Error> = Some(&e); while let Some(x) = s { eprintln!("  {x:?}"); s = x.source(); } std::process::exit(1) }
            }
        }
        _ => {
            let f = std::fs::File::open(&a[2]).unwrap();
            match restart::restart(f, &Default::default(), &P) {
                Ok(r) => { eprintln!("{r:?}");
                    if a.get(3).is_some() { return; }
                    let (_, s) = stasis_engine::sys::ptrace::wait(r.child).unwrap(); eprintln!("{s:?}"); }
                Err(e) => { eprintln!("error: {e}"); std::process::exit(1) }
            }
        }
    }
}
