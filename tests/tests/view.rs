//! `stasis view`: who gets what from its server, over real connections.
//!
//! The tests of a build with the inspector in it (`built_in`) run the binary that `STASIS_VIEWER_BIN` names.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use nix::sys::socket::{setsockopt, sockopt::RcvBuf};
use nix::sys::stat::Mode;
use stasis_engine::viewer::{Assets, Image, Server};
use stasis_tests::engine::{run, stasis};
use stasis_tests::{host, wait};

const PAGE: &[u8] = b"<!doctype html><title>page</title>";
const ASSETS: Assets = &[
    ("index.html", PAGE),
    ("app-1.js", b"export {}"),
    ("app-1_bg.wasm", b"\0asm"),
    ("app-1.css", b"a {}"),
    ("gallery.json", b"[]"),
];
const BYTES: &[u8] = b"0123456789";

/// The parts of the address that a server printed.
#[derive(Debug, Clone)]
struct Address {
    port: u16,
    secret: String,
    /// The name behind `image/`, as the page would ask for it.
    name: String,
}

impl Address {
    fn of(text: &str) -> Self {
        let rest = text.strip_prefix("http://127.0.0.1:").expect("an address of this machine");
        let (port, rest) = rest.split_once('/').expect("a path");
        let (secret, name) = rest.split_once("/?src=image/").expect("an image behind a secret");
        assert!(secret.len() >= 26 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{secret}");
        Self { port: port.parse().expect("a port"), secret: secret.into(), name: name.into() }
    }

    /// Sends the bytes, and gives all that comes back until the connection is closed.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        stream.write_all(bytes).expect("the request is taken");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("the answer");
        answer
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(wait::PATIENCE)).expect("a limit");
        stream
    }

    /// One request with a right `Host`.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let host = format!("127.0.0.1:{}", self.port);
        self.ask_bare(method, path, &[&[("Host", host.as_str())], headers].concat())
    }

    fn ask_bare(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        Answer::of(&self.exchange(format!("{request}\r\n").as_bytes()))
    }

    /// GET of something under the secret.
    fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", &format!("/{}/{path}", self.secret), headers)
    }

    fn image(&self, headers: &[(&str, &str)]) -> Answer {
        self.get(&format!("image/{}", self.name), headers)
    }

    fn range(&self, range: &str) -> Answer {
        self.image(&[("Range", range)])
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn of(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").expect("a whole head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head in ASCII");
        let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).expect("a status");
        Self { status: status.parse().expect("a number"), body: bytes[end + 4..].to_vec(), head }
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        fields.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    #[track_caller]
    fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.head);
        self
    }
}

/// A server over a file, in this process.
fn serve(path: &Path) -> Address {
    let image = Image::open(path).expect("a file to show");
    let server = Server::bind(0, ASSETS, image).expect("a free port");
    let address = Address::of(&server.address());
    server.start().expect("a thread");
    address
}

fn served() -> (tempfile::TempDir, Address) {
    let dir = host::workdir();
    let path = dir.path().join("image.stasis");
    fs::write(&path, BYTES).expect("a file");
    let address = serve(&path);
    (dir, address)
}

#[test]
fn the_page_and_the_image_come_from_under_the_secret_with_their_types() {
    let (_dir, address) = served();
    for (path, kind, bytes) in [
        ("", "text/html; charset=utf-8", PAGE),
        ("?src=image/image.stasis", "text/html; charset=utf-8", PAGE),
        ("index.html", "text/html; charset=utf-8", PAGE),
        ("app-1.js", "text/javascript", b"export {}"),
        ("app-1_bg.wasm", "application/wasm", b"\0asm"),
        ("app-1.css", "text/css", b"a {}"),
        ("gallery.json", "application/json", b"[]"),
        ("image/image.stasis", "application/octet-stream", BYTES),
    ] {
        let answer = address.get(path, &[]).is(200);
        assert_eq!(answer.header("Content-Type"), Some(kind), "{path}");
        assert_eq!(answer.body, bytes, "{path}");
    }
}

#[test]
fn without_the_secret_and_beside_the_names_there_is_nothing() {
    let (_dir, address) = served();
    let secret = &address.secret;
    let wrong = secret.chars().rev().collect::<String>();
    for path in [
        "/".to_owned(),
        "/index.html".into(),
        "/image/image.stasis".into(),
        "//".into(),
        "*".into(),
        format!("/{secret}"),
        format!("//{secret}/"),
        format!("/{wrong}/"),
        format!("/{}/", &secret[1..]),
        format!("/{secret}0/"),
        format!("/x/{secret}/"),
        format!("/?/{secret}/"),
        format!("http://127.0.0.1:{}/{secret}/", address.port),
        format!("/{secret}//"),
        format!("/{secret}/./index.html"),
        format!("/{secret}/index%2ehtml"),
        format!("/{secret}/image/"),
        format!("/{secret}/image"),
        format!("/{secret}/image/other"),
        format!("/{secret}/image/../image/image.stasis"),
        format!("/{secret}/image/../../../../etc/passwd"),
        format!("/{secret}/image/%2e%2e/%2e%2e/etc/passwd"),
        format!("/{secret}/image/..%2f..%2fetc%2fpasswd"),
        format!("/{secret}/image//etc/passwd"),
        format!("/{secret}/image/image.stasis/"),
        format!("/{secret}/image/image.stasis%00"),
        format!("/{secret}/image/%"),
        format!("/{secret}/../etc/passwd"),
    ] {
        address.ask("GET", &path, &[]).is(404);
    }
}

#[test]
fn a_request_that_another_site_may_have_caused_is_refused() {
    let (_dir, address) = served();
    let path = format!("/{}/image/{}", address.secret, address.name);
    let (own, other) = (format!("127.0.0.1:{}", address.port), format!("localhost:{}", address.port));
    let origin = format!("http://{own}");
    for headers in [
        &[("Host", own.as_str())][..],
        &[("Host", other.as_str())],
        &[("Host", own.as_str()), ("Origin", origin.as_str()), ("Sec-Fetch-Site", "same-origin")],
        &[("Host", own.as_str()), ("Sec-Fetch-Site", "none")],
    ] {
        address.ask_bare("GET", &path, headers).is(200);
    }
    for headers in [
        &[][..],
        &[("Host", "127.0.0.1")],
        &[("Host", "127.0.0.1:1")],
        &[("Host", "rebound.example")],
        &[("Host", own.as_str()), ("Host", "rebound.example")],
        &[("Host", own.as_str()), ("Origin", "https://elsewhere.example")],
        &[("Host", own.as_str()), ("Origin", "null")],
        &[("Host", own.as_str()), ("Sec-Fetch-Site", "cross-site")],
        &[("Host", own.as_str()), ("Sec-Fetch-Site", "same-site")],
    ] {
        let answer = address.ask_bare("GET", &path, headers).is(403);
        assert!(!answer.body.windows(4).any(|it| it == &BYTES[..4]), "{headers:?}");
    }
}

#[test]
fn only_get_and_head_are_answered() {
    let (_dir, address) = served();
    let path = format!("/{}/", address.secret);
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "PROPFIND"] {
        assert_eq!(address.ask(method, &path, &[]).is(405).header("Allow"), Some("GET, HEAD"), "{method}");
    }
    let request =
        format!("POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 5\r\n\r\nGET /", address.port);
    let answers = address.exchange(request.as_bytes());
    Answer::of(&answers).is(405);
    assert_eq!(String::from_utf8_lossy(&answers).matches("HTTP/1.1 ").count(), 1, "the body is no request");
}

#[test]
fn every_answer_forbids_the_same_and_allows_no_other_site() {
    let (_dir, address) = served();
    let asked = [
        address.get("", &[]).is(200),
        address.image(&[]).is(200),
        address.range("bytes=1-2").is(206),
        address.range("bytes=10-").is(416),
        address.image(&[("If-Match", "\"x\"")]).is(412),
        address.ask("GET", "/", &[]).is(404),
        address.ask("POST", "/", &[]).is(405),
        address.get("", &[("Origin", "http://elsewhere.example")]).is(403),
        Answer::of(&address.exchange(b"nonsense\r\n\r\n")).is(400),
    ];
    for answer in asked {
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("X-Frame-Options", "DENY"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name} in {}", answer.head);
        }
        assert!(!answer.head.to_ascii_lowercase().contains("access-control-"), "{}", answer.head);
        assert_eq!(answer.header("Content-Length"), Some(&*answer.body.len().to_string()));
    }
}

#[test]
fn ranges_of_the_image_are_its_bytes() {
    let (_dir, address) = served();
    for (range, place, bytes) in [
        ("bytes=2-4", "bytes 2-4/10", &BYTES[2..5]),
        ("bytes=7-", "bytes 7-9/10", &BYTES[7..]),
        ("bytes=7-99", "bytes 7-9/10", &BYTES[7..]),
        ("bytes=-3", "bytes 7-9/10", &BYTES[7..]),
        ("bytes=-99", "bytes 0-9/10", BYTES),
    ] {
        let answer = address.range(range).is(206);
        assert_eq!(answer.header("Content-Range"), Some(place), "{range}");
        assert_eq!(answer.header("Accept-Ranges"), Some("bytes"));
        assert_eq!(answer.body, bytes, "{range}");
    }
    for range in ["bytes=10-", "bytes=10-12", "bytes=-0", "bytes=18446744073709551616-"] {
        assert_eq!(address.range(range).is(416).header("Content-Range"), Some("bytes */10"), "{range}");
    }
    for range in ["bytes=0-1,4-5", "bytes=4-2", "lines=0-1", "bytes=x"] {
        assert_eq!(address.range(range).is(200).body, BYTES, "{range}");
    }
}

#[test]
fn head_tells_length_and_state_and_sends_nothing() {
    let (_dir, address) = served();
    let path = format!("/{}/image/{}", address.secret, address.name);
    let answer = address.ask("HEAD", &path, &[("Range", "bytes=0-1")]).is(200);
    assert_eq!(answer.header("Content-Length"), Some("10"));
    assert_eq!(answer.header("Accept-Ranges"), Some("bytes"));
    assert_eq!(answer.header("ETag"), address.image(&[]).header("ETag"));
    assert_eq!(answer.body, b"");
    let page = address.ask("HEAD", &format!("/{}/", address.secret), &[]).is(200);
    assert_eq!(page.header("Content-Length"), Some(&*PAGE.len().to_string()));
    assert_eq!(page.body, b"");
}

#[test]
fn a_file_that_changed_is_not_mixed_with_what_was_seen_of_it() {
    let (dir, address) = served();
    let first = address.image(&[]).header("ETag").expect("a state").to_owned();
    assert!(first.starts_with('"'), "a strong validator: {first}");
    let same = [("If-Match", first.as_str()), ("Range", "bytes=0-1")];
    assert_eq!(address.image(&same).is(206).body, b"01");
    address.image(&[("If-Match", "*")]).is(200);
    address.image(&[("If-Match", &format!("\"x\", {first}"))]).is(200);
    address.image(&[("If-Match", &format!("W/{first}"))]).is(412);

    let file = File::options().write(true).open(dir.path().join("image.stasis")).expect("the file");
    file.write_all_at(b"more", BYTES.len() as u64).expect("it grows");
    address.image(&same).is(412);
    let second = address.image(&[]).header("ETag").expect("a state").to_owned();
    assert_ne!(first, second);
    // A range of a state that is gone is no part of this one: all of it is sent.
    let answer = address.image(&[("If-Range", &first), ("Range", "bytes=0-1")]).is(200);
    assert_eq!(answer.body, b"0123456789more");
    address.image(&[("If-Range", &second), ("Range", "bytes=0-1")]).is(206);

    // The length stays, the time of the last change does not.
    let time = std::time::SystemTime::UNIX_EPOCH;
    file.set_modified(time).expect("its time can be set");
    address.image(&[("If-Match", &second)]).is(412);
}

#[test]
fn a_file_that_was_replaced_is_shown_as_it_was() {
    let (dir, address) = served();
    let path = dir.path().join("image.stasis");
    let before = address.image(&[]).is(200);
    fs::write(dir.path().join("new"), "something else").expect("another file");
    fs::rename(dir.path().join("new"), &path).expect("it takes the name");
    let after = address.image(&[("If-Match", before.header("ETag").expect("a state"))]).is(200);
    assert_eq!(after.body, BYTES);
    fs::remove_file(&path).expect("the name goes");
    assert_eq!(address.image(&[]).is(200).body, BYTES);
}

#[test]
fn any_place_of_a_sparse_file_of_10_gib_can_be_read() {
    const SIZE: u64 = 10 << 30;
    let dir = host::workdir();
    let path = dir.path().join("big");
    let file = File::create(&path).expect("a file");
    file.set_len(SIZE).expect("it can have holes");
    file.write_all_at(b"end", SIZE - 3).expect("an end");
    let address = serve(&path);
    assert_eq!(address.range("bytes=-3").is(206).body, b"end");
    let answer = address.range(&format!("bytes={}-", SIZE - (1 << 20))).is(206);
    assert_eq!((answer.body.len(), &answer.body[(1 << 20) - 3..]), (1 << 20, &b"end"[..]));
    // All of it is begun, and left: nobody but this client is concerned.
    let mut stream = address.connect();
    let request =
        format!("GET /{}/image/big HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", address.secret, address.port);
    stream.write_all(request.as_bytes()).expect("the request is taken");
    stream.read_exact(&mut vec![0; 8 << 20]).expect("the first bytes");
    drop(stream);
    assert_eq!(address.range("bytes=0-3").is(206).body, [0; 4]);
}

#[test]
fn a_file_that_is_cut_while_it_is_sent_ends_the_answer_short() {
    let dir = host::workdir();
    let path = dir.path().join("image");
    let file = File::create(&path).expect("a file");
    file.set_len(1 << 30).expect("it can have holes");
    let address = serve(&path);
    let mut stream = address.connect();
    let request =
        format!("GET /{}/image/image HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", address.secret, address.port);
    stream.write_all(request.as_bytes()).expect("the request is taken");
    stream.read_exact(&mut [0; 4096]).expect("the first bytes");
    file.set_len(0).expect("it can be cut");
    let rest = std::io::copy(&mut stream, &mut std::io::sink()).unwrap_or_default();
    assert!(rest < (1 << 30) - 4096, "{rest} bytes of a file that has none");
    assert_eq!(address.image(&[]).is(200).body, b"");
}

#[test]
fn one_connection_takes_many_requests() {
    let (_dir, address) = served();
    let get = |path: &str, last: &str| {
        let (secret, port) = (&address.secret, address.port);
        format!("GET /{secret}/{path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{last}\r\n")
    };
    let requests =
        [get("", ""), get("image/image.stasis", "Range: bytes=0-0\r\n"), get("x", "Connection: close\r\n")];
    let answers = String::from_utf8(address.exchange(requests.concat().as_bytes())).expect("text");
    let statuses: Vec<_> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["200", "206", "404"]);
}

#[test]
fn clients_that_are_slow_or_talk_nonsense_do_not_keep_others_out() {
    let (_dir, address) = served();
    // More than the server holds at a time, each with half a request.
    let slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let mut stream = address.connect();
            stream.write_all(b"GET / HTTP/1.1\r\nHost: ").expect("half a request is taken");
            stream
        })
        .collect();
    assert_eq!(address.image(&[]).is(200).body, BYTES);
    for garbage in
        [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"SSH-2.0-x\r\n", b"\0\0\0\0\r\n\r\n", b"GET / HTTP/3\r\n\r\n"]
    {
        Answer::of(&address.exchange(garbage)).is(400);
    }
    let long = format!("GET / HTTP/1.1\r\nHost: {}", "x".repeat(16 << 10));
    Answer::of(&address.exchange(long.as_bytes())).is(431);
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(100));
    Answer::of(&address.exchange(many.as_bytes())).is(431);
    assert_eq!(address.image(&[]).is(200).body, BYTES);
    drop(slow);
    assert_eq!(address.image(&[]).is(200).body, BYTES);
}

#[test]
fn clients_that_take_nothing_of_their_answer_do_not_keep_others_out() {
    let _alone = host::alone();
    let dir = host::workdir();
    let path = dir.path().join("image");
    File::create(&path).and_then(|file| file.set_len(1 << 30)).expect("a file with holes");
    let address = serve(&path);
    let request =
        format!("GET /{}/image/image HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", address.secret, address.port);
    let stuck: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = address.connect();
            stream.write_all(request.as_bytes()).expect("the request is taken");
            stream
        })
        .collect();
    assert_eq!(address.range("bytes=0-0").is(206).body, [0]);
    drop(stuck);
}

#[test]
fn strangers_who_take_none_of_their_refusals_do_not_keep_the_owner_out() {
    let _alone = host::alone();
    let (_dir, address) = served();
    let requests = "GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1000);
    // As many as the server holds at a time.
    let mut strangers: Vec<(TcpStream, usize)> = (0..64)
        .map(|_| {
            let stream = address.connect();
            // Little lies between us, so that the server is soon stuck with the rest.
            setsockopt(&stream, RcvBuf, &4096).expect("a small buffer");
            stream.set_nonblocking(true).expect("a mode");
            (stream, 0)
        })
        .collect();
    wait::until("the server to be stuck with all of them", || {
        for (stranger, sent) in &mut strangers {
            // As much as is taken now.
            let rest = &requests.as_bytes()[*sent..];
            *sent = (*sent + stranger.write(rest).unwrap_or_default()) % requests.len();
        }
        senders() >= strangers.len()
    });
    assert_eq!(address.image(&[]).is(200).body, BYTES);
    drop(strangers);
}

/// How many threads of a server in this process are in sendto(2).
fn senders() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("our threads");
    let read = |task: &fs::DirEntry, name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
    let is_sender = |task: &fs::DirEntry| {
        let call = read(task, "syscall");
        let number = call.split(' ').next().and_then(|number| number.parse().ok());
        read(task, "comm") == "client\n" && number == Some(libc::SYS_sendto)
    };
    tasks.filter_map(Result::ok).filter(is_sender).count()
}

#[test]
fn a_name_of_any_bytes_leads_to_the_image() {
    let dir = host::workdir();
    for name in
        [&b"a b"[..], "größe.img".as_bytes(), b"50%.img", b"a?b#c&d=e", b"%2e%2e", b"\xff\xfe", b"..."]
    {
        let path = dir.path().join(std::ffi::OsStr::from_bytes(name));
        fs::write(&path, BYTES).expect("a file of this name");
        let address = serve(&path);
        // What the page does: it undoes the escapes of the query, and the browser makes an address of the result.
        let page = unescape(&address.name);
        let asked: String = page
            .bytes()
            .map(|byte| match byte {
                b'!'..=b'~' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect();
        assert!(!asked.contains(['?', '#']), "{asked}");
        assert_eq!(address.get(&format!("image/{asked}"), &[]).is(200).body, BYTES, "{asked}");
    }
}

fn unescape(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).expect("an escape"));
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("what a page can hold")
}

#[test]
fn only_a_file_can_be_shown() {
    let dir = host::workdir();
    nix::unistd::mkfifo(&dir.path().join("fifo"), Mode::S_IRWXU).expect("a FIFO");
    let why = |path: &Path| Image::open(path).expect_err("it is no file").to_string();
    assert!(why(dir.path()).contains("a directory"));
    assert!(why(&dir.path().join("fifo")).contains("a FIFO"));
    assert!(why(Path::new("/dev/null")).contains("a device"));
    assert!(why(&dir.path().join("missing")).contains("No such file"));
}

#[test]
fn a_build_without_the_inspector_says_how_to_get_one() {
    let said = run(&mut stasis(["view", "image.stasis"]));
    said.status.code().filter(|&code| code == 1).expect("it fails");
    assert_eq!(said.stderr.lines().count(), 1, "{}", said.stderr);
    for word in ["no inspector", "trunk build --release --offline", "--features viewer"] {
        assert!(said.stderr.contains(word), "{}", said.stderr);
    }
    assert_eq!(said.stdout, "");
}

/// The command itself, in a build that has the inspector in it.
mod built_in {
    use std::fs;
    use std::io::{BufRead as _, BufReader};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Child, ChildStdout, Command, Stdio};

    use nix::sys::signal::{Signal, kill};
    use nix::sys::stat::Mode;
    use nix::unistd::Pid;
    use stasis_tests::engine::{end_of, run};
    use stasis_tests::{host, wait};

    use super::{Address, BYTES};

    /// The binary, or nothing and a sentence.
    fn viewer() -> Option<PathBuf> {
        let named = std::env::var_os("STASIS_VIEWER_BIN");
        if named.is_none() {
            eprintln!(
                "not tested here: STASIS_VIEWER_BIN names no build with the inspector (`cargo xtask test` makes one)"
            );
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        Some(root.join(named?))
    }

    /// `stasis view` while it runs.
    struct Viewer {
        child: Child,
        address: Address,
        out: BufReader<ChildStdout>,
    }

    impl Viewer {
        fn start(command: &mut Command) -> Self {
            let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
            let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
            let mut line = String::new();
            out.read_line(&mut line).expect("the address");
            Self { child, address: Address::of(line.trim_end()), out }
        }

        fn end(mut self, signal: Signal) {
            kill(Pid::from_raw(self.child.id() as i32), signal).expect("it takes a signal");
            assert_eq!(end_of(&mut self.child, "stasis view").code(), Some(0), "after {signal}");
            let mut rest = String::new();
            self.out.read_line(&mut rest).expect("the end of its output");
            assert_eq!(rest, "", "the address is all of its output");
            TcpStream::connect(("127.0.0.1", self.address.port)).expect_err("its port is free");
        }
    }

    impl Drop for Viewer {
        fn drop(&mut self) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }

    fn image(dir: &Path) -> PathBuf {
        let path = dir.join("image.stasis");
        fs::write(&path, BYTES).expect("a file");
        path
    }

    #[test]
    fn the_inspector_and_the_image_are_served_until_a_signal() {
        let Some(viewer) = viewer() else { return };
        let dir = host::workdir();
        for signal in [Signal::SIGINT, Signal::SIGTERM] {
            let served =
                Viewer::start(Command::new(&viewer).args(["view", "--no-open"]).arg(image(dir.path())));
            let page = served.address.get("", &[]).is(200);
            let page = String::from_utf8(page.body).expect("a page");
            assert!(page.contains("Content-Security-Policy"), "{page}");
            // Every file that the page names is there.
            let names: Vec<&str> = page.split(['"', '\'']).filter_map(|it| it.strip_prefix("./")).collect();
            assert!(names.iter().any(|name| name.ends_with(".wasm")), "{names:?}");
            for name in names.into_iter().chain(["gallery.json", "worker.js", "worker_bg.wasm"]) {
                let answer = served.address.get(name, &[]).is(200);
                assert_ne!(answer.header("Content-Type"), Some("application/octet-stream"), "{name}");
            }
            served.address.get("stasis-inspector.html", &[]).is(404);
            assert_eq!(served.address.image(&[]).is(200).body, BYTES);
            served.end(signal);
        }
        assert_eq!(host::files_in(dir.path()), ["image.stasis"]);
    }

    #[test]
    fn two_servers_have_two_secrets_and_a_port_is_taken_once() {
        let Some(viewer) = viewer() else { return };
        let dir = host::workdir();
        let path = image(dir.path());
        let start = |port: &str| {
            Viewer::start(Command::new(&viewer).args(["view", "--no-open", "--port", port]).arg(&path))
        };
        // A port that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port").port();
        let first = start(&free.to_string());
        assert_eq!(first.address.port, free);
        let second = start("0");
        assert_ne!(first.address.secret, second.address.secret);
        second.address.ask("GET", &format!("/{}/", first.address.secret), &[]).is(404);
        let port = first.address.port.to_string();
        let mut command = Command::new(&viewer);
        command.args(["view", "--no-open", "--port", &port]).arg(&path);
        run(&mut command).refused(&[&port, "hint: "]);
        first.end(Signal::SIGINT);
        second.end(Signal::SIGINT);
    }

    #[test]
    fn a_large_file_goes_through_little_memory() {
        let Some(viewer) = viewer() else { return };
        let dir = host::workdir();
        let path = dir.path().join("large");
        fs::File::create(&path).and_then(|file| file.set_len(1 << 30)).expect("a file with holes");
        let served = Viewer::start(Command::new(&viewer).args(["view", "--no-open"]).arg(&path));
        let mut stream = served.address.connect();
        let (secret, port) = (&served.address.secret, served.address.port);
        let request = format!(
            "GET /{secret}/image/large HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n"
        );
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("the request is taken");
        let len = std::io::copy(&mut stream, &mut std::io::sink()).expect("all of it");
        assert!(len > 1 << 30, "{len}");
        let status = fs::read_to_string(format!("/proc/{}/status", served.child.id())).expect("its status");
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak");
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
        assert!(kib < 64 << 10, "{kib} KiB for a file of 1 GiB");
        served.end(Signal::SIGTERM);
    }

    #[test]
    fn the_browser_gets_the_address_or_it_is_said_why_not() {
        let Some(viewer) = viewer() else { return };
        let dir = host::workdir();
        let path = image(dir.path());
        let opener = dir.path().join("xdg-open");
        let run_with = |script: Option<&str>, display: &str| {
            let _ = fs::remove_file(&opener);
            if let Some(script) = script {
                fs::write(&opener, format!("#!/bin/sh\ncd \"${{0%/*}}\"\n{script}\n")).expect("a program");
                fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).expect("it can be run");
            }
            let stderr = fs::File::create(dir.path().join("stderr")).expect("a file");
            let mut command = Command::new(&viewer);
            command.arg("view").arg(&path).env("PATH", dir.path()).env_remove("WAYLAND_DISPLAY");
            Viewer::start(command.env("DISPLAY", display).stderr(stderr))
        };
        let says = |words: &str| {
            wait::until(words, || {
                fs::read_to_string(dir.path().join("stderr")).is_ok_and(|text| text.contains(words))
            });
        };
        let opened = || fs::read_to_string(dir.path().join("opened")).unwrap_or_default();

        let served = run_with(Some("echo \"$1\" >opened"), ":7");
        wait::until("the browser has the address", || opened().ends_with('\n'));
        assert!(
            opened().contains(&format!("/{}/?src=image/image.stasis", served.address.secret)),
            "{}",
            opened()
        );
        served.end(Signal::SIGINT);

        for (script, display, words) in [
            (Some("exit 3"), ":7", "xdg-open ended with exit status: 3"),
            (None, ":7", "xdg-open cannot be run"),
            (Some("exit 0"), "", "there is no display"),
        ] {
            let served = run_with(script, display);
            says(words);
            assert_eq!(served.address.image(&[]).is(200).body, BYTES);
            served.end(Signal::SIGINT);
        }
        assert_eq!(opened().lines().count(), 1, "nothing more was opened");
    }

    #[test]
    fn what_cannot_be_shown_is_one_sentence() {
        let Some(viewer) = viewer() else { return };
        let dir = host::workdir();
        nix::unistd::mkfifo(&dir.path().join("fifo"), Mode::S_IRWXU).expect("a FIFO");
        for (name, words) in [
            ("fifo", "it is a FIFO"),
            (".", "it is a directory"),
            ("missing", "No such file"),
            ("-", "many places"),
        ] {
            let said = run(Command::new(&viewer).args(["view", "--no-open", name]).current_dir(dir.path()));
            assert_eq!(said.status.code(), Some(1), "{}", said.stderr);
            assert_eq!(said.stdout, "");
            said.refused(&[words]);
        }
    }

    #[test]
    fn root_is_told_what_the_address_gives_away() {
        let Some(viewer) = viewer() else { return };
        let dir = host::workdir();
        let stderr = fs::File::create(dir.path().join("stderr")).expect("a file");
        let mut command = Command::new(&viewer);
        command.args(["view", "--no-open"]).arg(image(dir.path())).stderr(stderr);
        Viewer::start(&mut command).end(Signal::SIGINT);
        let said = fs::read_to_string(dir.path().join("stderr")).expect("what it said");
        assert_eq!(said.contains("whoever has this address"), host::is_root(), "{said}");
    }
}
