//! The connections: one thread each, of bounded number and patience.
//!
//! Any user of this machine can connect, so a connection that is only held open must not keep the browser out: when
//! there are too many, the one that has waited longest is closed for the new one. Only whoever knows the secret is
//! answered to the end.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt::SndBuf};

use super::assets::Assets;
use super::guard::{Names, Secret};
use super::image::Image;
use super::percent;
use super::reply::Reply;
use super::request::{Missing, Request};
use super::site::Site;

/// Most connections at a time; a browser opens six.
const MAX_CLIENTS: usize = 64;
/// How long a client may take none of an answer.
const SEND_TIME: Duration = Duration::from_secs(60);
/// What the kernel keeps of an answer for a client that does not take it; left to itself, it is megabytes.
const SEND_BUFFER: usize = 256 << 10;
/// How long the rest of a request is taken in after the answer to it. A connection closed with bytes unread is reset,
/// and the answer with it (RFC 9112, section 9.6).
const LINGER_TIME: Duration = Duration::from_secs(1);
/// How long to wait when the kernel has no descriptor for a new connection.
const RETRY_TIME: Duration = Duration::from_millis(100);

/// A server that is bound and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    port: u16,
    site: Site,
}

impl Server {
    /// Binds to a port of the loopback address, any free one for 0, with a new secret.
    pub fn bind(port: u16, assets: Assets, image: Image) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let port = listener.local_addr()?.port();
        let site = Site { names: Names::of(port), secret: Secret::new()?, assets, image };
        Ok(Self { listener, port, site })
    }

    /// Where the inspector shows the image.
    pub fn address(&self) -> String {
        let (secret, name) = (self.site.secret.reveal(), percent::name_in_query(self.site.image.name()));
        format!("http://127.0.0.1:{}/{secret}/?src=image/{name}", self.port)
    }

    /// Answers from now on, in threads that end with the process.
    pub fn start(self) -> io::Result<()> {
        let Self { listener, site, .. } = self;
        let (site, clients) = (Arc::new(site), Arc::new(Clients::default()));
        let accept = move || {
            for stream in listener.incoming() {
                match stream {
                    Ok(stream) => admit(stream, &site, &clients),
                    Err(_) => thread::sleep(RETRY_TIME),
                }
            }
        };
        thread::Builder::new().name("accept".into()).spawn(accept).map(drop)
    }
}

/// Who is connected.
#[derive(Debug, Default)]
struct Clients {
    count: AtomicUsize,
    queue: Mutex<Queue>,
}

/// Connections that nobody would miss: all but those on which the owner of the secret is being answered.
#[derive(Debug, Default)]
struct Queue {
    next: u64,
    dispensable: BTreeMap<u64, Arc<TcpStream>>,
}

impl Clients {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection that has been dispensable for longest.
    fn give_way(&self) -> bool {
        let oldest = self.queue().dispensable.pop_first();
        // Its thread finds the end of the stream and leaves. One that cannot be closed is gone already.
        oldest.map(|(_, stream)| stream.shutdown(Shutdown::Both)).is_some()
    }
}

/// One connection: counted, and with its number in the queue, for as long as this is there.
struct Client {
    stream: Arc<TcpStream>,
    clients: Arc<Clients>,
    number: u64,
}

impl Client {
    fn new(stream: TcpStream, clients: &Arc<Clients>) -> Self {
        clients.count.fetch_add(1, Ordering::Relaxed);
        let mut client = Self { stream: Arc::new(stream), clients: Arc::clone(clients), number: 0 };
        client.is_dispensable();
        client
    }

    /// Puts it at the end of the queue.
    fn is_dispensable(&mut self) {
        let mut queue = self.clients.queue();
        queue.next += 1;
        self.number = queue.next;
        queue.dispensable.insert(self.number, Arc::clone(&self.stream));
    }

    /// Takes it out of the queue, unless it had to give way before.
    fn is_wanted(&self) -> bool {
        self.clients.queue().dispensable.remove(&self.number).is_some()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.is_wanted();
        self.clients.count.fetch_sub(1, Ordering::Relaxed);
    }
}

fn admit(stream: TcpStream, site: &Arc<Site>, clients: &Arc<Clients>) {
    let is_full = clients.count.load(Ordering::Relaxed) >= MAX_CLIENTS;
    // With all of them in the middle of answers to the owner, which end by themselves, the new one is closed.
    if is_full && !clients.give_way() {
        return;
    }
    let (client, site) = (Client::new(stream, clients), Arc::clone(site));
    // Whatever breaks the connection, its client sees it. So it is without a thread: the connection is closed.
    let serve = move || drop(serve(client, &site));
    let _ = thread::Builder::new().name("client".into()).spawn(serve);
}

/// Answers one request after the other.
fn serve(mut client: Client, site: &Site) -> io::Result<()> {
    let stream = Arc::clone(&client.stream);
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(SEND_TIME))?;
    setsockopt(&stream, SndBuf, &SEND_BUFFER)?;
    let mut ahead = Vec::new();
    loop {
        let request = Request::read(&stream, &mut ahead);
        let (reply, with_body, keeps_open) = match &request {
            Ok(request) => (site.answer(request), request.method != "HEAD", request.keeps_open),
            Err(Missing::Garbage) => (Reply::refusal("400 Bad Request"), true, false),
            Err(Missing::TooLarge) => (Reply::refusal("431 Request Header Fields Too Large"), true, false),
            Err(Missing::Gone) => return Ok(()),
        };
        // A stranger who takes none of its refusals stays dispensable.
        let is_owner = reply.is_success();
        if is_owner && !client.is_wanted() {
            return Ok(());
        }
        reply.send(&*stream, &site.image, with_body, keeps_open)?;
        if is_owner {
            client.is_dispensable();
        }
        if !keeps_open {
            return close(&stream);
        }
    }
}

/// Ends a connection so that the last answer arrives.
fn close(mut stream: &TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    let end = Instant::now() + LINGER_TIME;
    let mut rest = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        if stream.read(&mut rest)? == 0 {
            return Ok(());
        }
    }
}
