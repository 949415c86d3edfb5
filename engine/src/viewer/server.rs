//! The connections: one thread each, of bounded number and patience.
//!
//! Any user of this machine can connect, so a connection that is only held open must not keep the browser out: when
//! there are too many, the one that has waited longest for a request is closed for the new one.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

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

/// Connections that nobody would miss: those of which no request is being answered.
#[derive(Debug, Default)]
struct Queue {
    next: u64,
    waiting: BTreeMap<u64, Arc<TcpStream>>,
}

/// A place among the waiting.
type Ticket = u64;

impl Clients {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, stream: &Arc<TcpStream>) -> Ticket {
        let mut queue = self.queue();
        queue.next += 1;
        let ticket = queue.next;
        queue.waiting.insert(ticket, Arc::clone(stream));
        ticket
    }

    /// Whether the connection was still among the waiting.
    fn leave(&self, ticket: Ticket) -> bool {
        self.queue().waiting.remove(&ticket).is_some()
    }

    /// Closes the connection that has waited longest.
    fn give_way(&self) -> bool {
        let oldest = self.queue().waiting.pop_first();
        // Its thread finds the end of the stream and leaves.
        oldest.is_some_and(|(_, stream)| stream.shutdown(Shutdown::Both).is_ok())
    }
}

/// Counts a connection for as long as it is there.
struct Place(Arc<Clients>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

fn admit(stream: TcpStream, site: &Arc<Site>, clients: &Arc<Clients>) {
    let is_full = clients.count.load(Ordering::Relaxed) >= MAX_CLIENTS;
    // With all of them in the middle of an answer, which ends by itself, the new one is closed.
    if is_full && !clients.give_way() {
        return;
    }
    clients.count.fetch_add(1, Ordering::Relaxed);
    let (place, site, stream) = (Place(Arc::clone(clients)), Arc::clone(site), Arc::new(stream));
    // It is among the waiting before the next one comes.
    let ticket = clients.wait(&stream);
    let serve = move || {
        // Whatever broke the connection, its client sees it.
        let _ = serve(ticket, &stream, &site, &place.0);
    };
    // Without a thread the connection is closed, likewise.
    if thread::Builder::new().name("client".into()).spawn(serve).is_err() {
        clients.leave(ticket);
    }
}

/// Answers one request after the other.
fn serve(mut ticket: Ticket, stream: &Arc<TcpStream>, site: &Site, clients: &Clients) -> io::Result<()> {
    let mut ahead = Vec::new();
    let limits = stream.set_nodelay(true).and_then(|()| stream.set_write_timeout(Some(SEND_TIME)));
    loop {
        let request = Request::read(stream, &mut ahead);
        if !clients.leave(ticket) || limits.is_err() {
            // Its place was given to another.
            return Ok(());
        }
        let (reply, with_body, keeps_open) = match &request {
            Ok(request) => (site.answer(request), request.method != "HEAD", request.keeps_open),
            Err(Missing::Garbage) => (Reply::refusal("400 Bad Request"), true, false),
            Err(Missing::TooLarge) => (Reply::refusal("431 Request Header Fields Too Large"), true, false),
            Err(Missing::Gone) => return Ok(()),
        };
        reply.send(&**stream, &site.image, with_body, keeps_open)?;
        ticket = clients.wait(stream);
        if !keeps_open {
            let closed = close(stream);
            clients.leave(ticket);
            return closed;
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
