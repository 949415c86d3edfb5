//! Programs that nobody here wrote: what they produce after a checkpoint in the middle is what they would have
//! produced without one.

use nix::sys::signal::Signal;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use stasis_tests::engine::{restart, restart_detached, run};
use stasis_tests::program::{Program, Restored, Verdict, foreign};
use stasis_tests::{host, wait};

/// Bytes of text that xz gets: several of its blocks, so that both threads have work.
const TEXT: usize = 66 << 20;

/// Text like a server's log: enough repetition to be quick, no line twice.
fn write_text(path: &Path) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).expect("a file for the text"));
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut written = 0;
    for number in 1.. {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = state >> 33;
        let letter = char::from(b'a' + u8::try_from(random % 8).unwrap_or(0));
        let line = format!(
            "line {number}: request {} for the resource /{}/index.html was answered with status {} and the usual headers\n",
            random % 1000,
            String::from(letter).repeat(24),
            200 + random % 7,
        );
        file.write_all(line.as_bytes()).expect("the text can be written");
        written += line.len();
        if written >= TEXT {
            break;
        }
    }
    file.flush().expect("the text can be written");
}

fn xz(dir: &Path) -> Command {
    let mut command = foreign("sh");
    command.args(["-c", "exec xz -T2 -6 --stdout text > out.xz"]).current_dir(dir);
    command
}

/// Waits until a program has done some of its work: half a second of processor time since it (re)started.
fn until_busy(pid: i32) {
    wait::until("the program to use processor time", || host::cpu_ticks(pid) >= 50);
}

#[test]
fn xz_writes_the_same_bytes_after_one_and_after_three_checkpoints_and_from_one_image_twice() {
    let _alone = host::alone();
    if host::program("xz").is_none() {
        return;
    }
    let dir = host::workdir();
    let out = dir.path().join("out.xz");
    let image = dir.path().join("xz.stasis");
    write_text(&dir.path().join("text"));
    run(&mut xz(dir.path())).succeeded();
    let wanted = fs::read(&out).expect("what xz wrote");
    let same =
        |what: &str| assert!(fs::read(&out).expect("what xz wrote") == wanted, "{what} gave other bytes");

    let mut first = Program::start(&mut xz(dir.path()), dir.path());
    until_busy(first.pid());
    first.checkpoint_and_kill(&image, &[]);
    for what in ["the first restart", "the second restart from the same image"] {
        restart_detached(&image, dir.path()).wait();
        same(what);
    }

    let mut again = Program::start(&mut xz(dir.path()), dir.path());
    until_busy(again.pid());
    again.checkpoint_and_kill(&image, &[]);
    for _ in 0..2 {
        let restored = restart_detached(&image, dir.path());
        until_busy(restored.pid());
        restored.checkpoint_and_kill(&image);
    }
    restart_detached(&image, dir.path()).wait();
    same("a chain of three images");
}

/// Threads, a big dictionary, an open log, handlers, a timer, and sleeps that must not be cut short.
const PYTHON: &str = r#"
import os, signal, threading, time
table = {n: str(n * n) for n in range(1_000_000)}
log = open('log', 'w')
ticks, hups, problems, done = 0, 0, [], False
def tick(*_):
    global ticks
    ticks += 1
def hup(*_):
    global hups
    hups += 1
def go(*_):
    global done
    done = True
signal.signal(signal.SIGALRM, tick)
signal.signal(signal.SIGHUP, hup)
signal.signal(signal.SIGUSR1, go)
counts = [0] * 4
def work(index):
    while not done:
        began = time.monotonic()
        time.sleep(0.02)
        if time.monotonic() - began < 0.02:
            problems.append(f'thread {index}: a sleep was cut short')
        counts[index] += 1
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for thread in threads:
    thread.start()
me = (os.getpid(), threading.get_native_id(), [t.native_id for t in threads])
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
os.write(1, b'ready\n')
os.close(1)
os.open('out', os.O_WRONLY | os.O_CREAT)
line = 0
while not done:
    print(line, file=log, flush=True)
    line += 1
    time.sleep(0.01)
os.kill(os.getpid(), signal.SIGHUP)
seen = ticks
while ticks == seen:
    time.sleep(0.01)
signal.setitimer(signal.ITIMER_REAL, 0)
for thread in threads:
    thread.join()
if me != (os.getpid(), threading.get_native_id(), me[2]) or hups != 1:
    problems.append('it is another process or lost its handler')
if len(table) != 1_000_000 or any(table[n] != str(n * n) for n in range(1_000_000)):
    problems.append('the dictionary changed')
log.close()
if open('log').read() != ''.join(f'{n}\n' for n in range(line)):
    problems.append('the log has a gap')
if not all(counts):
    problems.append('a thread did not run')
open('verdict', 'w').write('\n'.join(problems) or 'ok\n')
"#;

/// A timer and a worker thread that exchange messages; SIGUSR1 would start node's debugger, so it goes on by SIGUSR2.
const NODE: &str = r#"
const { Worker } = require('worker_threads');
const fs = require('fs');
const worker = new Worker(`
  const { parentPort } = require('worker_threads');
  let sum = 0;
  parentPort.on('message', n => { sum += n; parentPort.postMessage(sum); });
`, { eval: true });
let sent = 0, expected = 0, received = 0, ticks = 0, wanted = Infinity;
const problems = [];
const state = Object.fromEntries([...Array(100000).keys()].map(n => ['k' + n, n * 3]));
worker.on('message', sum => {
  received++;
  if (sum !== received * (received + 1) / 2) problems.push(`message ${received} says ${sum}`);
  if (received === 20) {
    fs.writeSync(1, 'ready\n');
    fs.closeSync(1);
    fs.openSync('out', 'w');
  }
  if (received >= wanted) {
    for (let n = 0; n < 100000; n++) if (state['k' + n] !== n * 3) problems.push('an object changed');
    if (ticks < 20) problems.push('the timer did not tick');
    fs.writeFileSync('verdict', problems.join('\n') || 'ok\n');
    process.exit(0);
  }
});
setInterval(() => { ticks++; worker.postMessage(++sent); }, 5);
process.on('SIGUSR2', () => { wanted = received + 20; });
"#;

/// Runs a script that prints `ready`, takes `signal` as the word to go on, and leaves a verdict, once left running
/// and once killed and restarted.
fn script(interpreter: &str, file: &str, text: &str, signal: Signal) {
    let _alone = host::alone();
    let Some(path) = host::program(interpreter) else { return };
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    fs::write(dir.path().join(file), text).expect("the script can be written");
    let mut program = Program::start(foreign(path).arg(file), dir.path());
    if !program.ready() {
        let said = fs::read_to_string(dir.path().join("err")).unwrap_or_default();
        panic!("{interpreter} did not get ready: {:?}\n{said}", program.finish());
    }
    let check = |restored: Restored, what: &str| {
        restored.go_by(signal);
        let verdict = restored.finish();
        let said = fs::read_to_string(dir.path().join("err")).unwrap_or_default();
        assert_eq!(verdict, Verdict::Intact, "{what}: {said}");
    };
    program.checkpoint_and_kill(&image, &[]);
    let restored = restart_detached(&image, dir.path());
    restored.checkpoint_and_kill(&image);
    check(restart_detached(&image, dir.path()), "after two checkpoints");
}

/// Processor time of a process and its descendants, in clock ticks.
fn family_ticks(pid: i32) -> u64 {
    host::family_of(pid).iter().map(|pid| host::cpu_ticks(*pid)).sum()
}

#[test]
fn a_pipeline_gives_the_same_sum_after_two_checkpoints_in_the_middle() {
    let _alone = host::alone();
    if host::program("xz").is_none() || host::program("bash").is_none() {
        return;
    }
    const SCRIPT: &str =
        "sort -r text | xz -4 -c | xz -dc | sort | md5sum > sum; echo ${PIPESTATUS[*]} > codes; exit 3";
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    write_text(&dir.path().join("text"));
    let mut pipeline = foreign("bash");
    pipeline.args(["-c", SCRIPT]).current_dir(dir.path());
    assert_eq!(run(&mut pipeline).status.code(), Some(3));
    let made = || ["sum", "codes"].map(|name| fs::read_to_string(dir.path().join(name)).unwrap_or_default());
    let wanted = made();
    assert_eq!(wanted[1], "0 0 0 0 0\n");
    for name in ["sum", "codes"] {
        fs::remove_file(dir.path().join(name)).expect("it can be removed");
    }

    let mut program = Program::start(&mut pipeline, dir.path());
    wait::until("the pipeline to work", || family_ticks(program.pid()) >= 20);
    program.checkpoint_and_kill(&image, &[]);
    assert_eq!(made(), ["", ""].map(String::from), "the pipeline was done before the checkpoint");
    let restored = restart_detached(&image, dir.path());
    wait::until("the pipeline to work again", || family_ticks(restored.pid()) >= 20);
    restored.checkpoint_and_kill(&image);
    assert_eq!(made()[1], "", "the pipeline was done before the second checkpoint");
    assert_eq!(restart(&image, dir.path(), &[]).status.code(), Some(3), "the exit code of the shell");
    assert_eq!(made(), wanted);
}

/// Workers of a pool, who take numbers from one queue and put results into another; locks between them are semaphores in
/// shared memory.
const POOL: &str = r#"
import multiprocessing as mp, os, sys, time
def work(todo, done):
    while (n := todo.get()) is not None:
        if n == 100:
            open('ready', 'w').close()
            while not os.path.exists('go'):
                time.sleep(0.01)
        total = 0
        for i in range(100000):
            total = (total * 31 + i * n) % 1000003
        done.put((n, total))
    sys.exit(5)
mp.set_start_method('fork')
todo, done = mp.Queue(), mp.Queue()
workers = [mp.Process(target=work, args=(todo, done)) for _ in range(3)]
for worker in workers:
    worker.start()
for n in range(300):
    todo.put(n)
for _ in workers:
    todo.put(None)
results = dict(done.get() for _ in range(300))
for worker in workers:
    worker.join()
print(sorted(results.items()), [w.exitcode for w in workers], file=open('results', 'w'))
"#;

#[test]
fn a_pool_of_python_processes_computes_what_it_would_have_computed() {
    same_results("python3", "pool.py", POOL);
}

/// Children that are talked to: over pipes, which the loop waits for by epoll, with a socket pair to wake it and pidfds
/// for their ends.
const LOOP: &str = r#"
import asyncio, os
async def main():
    script = 'while read x; do echo $((x*2)); done; exit 4'
    pipe = asyncio.subprocess.PIPE
    kids = [await asyncio.create_subprocess_exec('sh', '-c', script, stdin=pipe, stdout=pipe) for _ in range(3)]
    total = 0
    for n in range(300):
        kid = kids[n % 3]
        kid.stdin.write(b'%d\n' % n)
        total += int(await kid.stdout.readline())
        if n == 150:
            open('ready', 'w').close()
            while not os.path.exists('go'):
                await asyncio.sleep(0.01)
    for kid in kids:
        kid.stdin.close()
    print(total, [await kid.wait() for kid in kids], file=open('results', 'w'))
asyncio.run(main())
"#;

/// A child that is spoken to over a socket by node's own protocol, and one over its standard input and output.
const FORK: &str = r#"
const { fork, spawn } = require('child_process');
const fs = require('fs');
if (process.argv[2] === 'kid') {
  process.on('message', message => process.send({ n: message.n * 3 }));
  process.on('disconnect', () => process.exit(6));
} else {
  const kid = fork(__filename, ['kid'], { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const cat = spawn('cat');
  let heard = '', n = 0, sum = 0, left = 2, code;
  const done = () => { if (--left === 0) fs.writeFileSync('results', `${sum} ${code} ${heard}\n`); };
  cat.stdout.on('data', data => { heard += data; });
  kid.on('message', message => {
    sum += message.n;
    if (++n === 150) fs.writeFileSync('ready', 'ready');
    next();
  });
  const next = () => {
    if (n === 150 && !fs.existsSync('go')) setTimeout(next, 10);
    else if (n < 300) { kid.send({ n }); cat.stdin.write(n + ';'); }
    else { cat.stdin.end(); kid.disconnect(); }
  };
  kid.on('exit', c => { code = c; done(); });
  cat.on('close', done);
  kid.send({ n: 0 });
}
"#;

/// Runs a script to its end, and once more with a checkpoint in the middle, where it makes the file `ready` and waits for the
/// file `go`: it must leave the same in the file `results`.
fn same_results(interpreter: &str, file: &str, text: &str) {
    let _alone = host::alone();
    let Some(path) = host::program(interpreter) else { return };
    let dir = host::workdir();
    let (image, results) = (dir.path().join("image.stasis"), dir.path().join("results"));
    fs::write(dir.path().join(file), text).expect("the script can be written");
    let mut command = foreign(path);
    command.arg(file).current_dir(dir.path());
    let go = || fs::write(dir.path().join("go"), "").expect("the word to go on");
    go();
    run(&mut command).succeeded();
    let wanted = fs::read_to_string(&results).expect("the results");
    for name in ["results", "ready", "go"] {
        fs::remove_file(dir.path().join(name)).expect("it can be removed");
    }
    let mut program = Program::start(&mut command, dir.path());
    wait::until("the script to be in the middle", || dir.path().join("ready").exists());
    program.checkpoint_and_kill(&image, &[]);
    assert!(!results.exists(), "the script was done before the checkpoint");
    go();
    restart(&image, dir.path(), &[]).succeeded();
    assert_eq!(fs::read_to_string(&results).expect("the results"), wanted);
}

#[test]
fn an_event_loop_in_python_goes_on_talking_to_its_children() {
    same_results("python3", "loop.py", LOOP);
}

#[test]
fn node_goes_on_talking_to_its_children() {
    same_results("node", "fork.js", FORK);
}

#[test]
fn python_with_threads_timer_handlers_and_a_big_dictionary_goes_on_where_it_was() {
    script("python3", "program.py", PYTHON, Signal::SIGUSR1);
}

#[test]
fn node_with_a_timer_and_a_worker_goes_on_where_it_was() {
    script("node", "program.js", NODE, Signal::SIGUSR2);
}

#[test]
fn sqlite_commits_the_transaction_it_was_in() {
    let _alone = host::alone();
    if host::program("sqlite3").is_none() {
        return;
    }
    const ROWS: u64 = 3_000_000;
    let dir = host::workdir();
    let image = dir.path().join("image.stasis");
    let insert = format!(
        "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < {ROWS}) \
         INSERT INTO t SELECT x, hex(x * 7919) || x FROM n;"
    );
    let sql = format!(
        "PRAGMA cache_size = 50;\nCREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT);\nINSERT INTO t VALUES (0, 'first');\n\
         CREATE INDEX i ON t(b);\nBEGIN;\nUPDATE t SET b = 'changed';\n{insert}\nCOMMIT;\n"
    );
    fs::write(dir.path().join("script.sql"), sql).expect("the script can be written");
    let mut program = Program::start(
        foreign("sh").args(["-c", "exec sqlite3 -bail data.db < script.sql > out"]),
        dir.path(),
    );
    let journal = dir.path().join("data.db-journal");
    until_busy(program.pid());
    wait::until("the transaction to reach the disk", || {
        fs::metadata(&journal).is_ok_and(|file| file.len() > 0)
    });
    program.checkpoint_and_kill(&image, &[]);
    assert!(journal.exists(), "the transaction was over before the checkpoint");
    restart_detached(&image, dir.path()).wait();
    let said = fs::read_to_string(dir.path().join("err")).unwrap_or_default();
    assert_eq!(said, "", "sqlite3 complained");
    let check = "PRAGMA integrity_check; SELECT count(*), sum(a) FROM t; SELECT b FROM t WHERE a = 0;";
    let output = run(Command::new("sqlite3").args(["data.db", check]).current_dir(dir.path())).succeeded();
    assert_eq!(output.stdout, format!("ok\n{}|{}\nchanged\n", ROWS + 1, ROWS * (ROWS + 1) / 2));
}
