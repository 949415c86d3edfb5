//! The head of a request, read within limits of size and time.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Most bytes of a head; browsers send about one KiB.
const MAX_HEAD: usize = 16 << 10;
/// Most headers; browsers send about fifteen.
const MAX_HEADERS: usize = 64;
/// How long a head may take from its first byte on.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// How long a connection may wait for its next request.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// A request without its body: none that we answer has one.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET` and so on.
    pub method: String,
    /// Path and query.
    pub target: String,
    headers: Vec<(String, Vec<u8>)>,
    /// Whether another request may follow on the connection.
    pub keeps_open: bool,
}

/// Why there is no request.
#[derive(Debug)]
pub enum Missing {
    /// The client has gone, or is too slow to be waited for.
    Gone,
    /// It does not speak HTTP/1.
    Garbage,
    /// Its head is larger than any that we know of.
    TooLarge,
}

impl From<io::Error> for Missing {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Request {
    /// The values of a header, whose name is in small letters.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers
            .iter()
            .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    /// Waits for the next request; `ahead` holds what came behind the last one.
    pub fn read(mut stream: &TcpStream, ahead: &mut Vec<u8>) -> Result<Self, Missing> {
        let mut deadline = Instant::now() + if ahead.is_empty() { IDLE_TIME } else { HEAD_TIME };
        loop {
            if let Some((request, len)) = Self::parse(ahead)? {
                ahead.drain(..len);
                return Ok(request);
            }
            if ahead.len() >= MAX_HEAD {
                return Err(Missing::TooLarge);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Missing::Gone);
            }
            stream.set_read_timeout(Some(left))?;
            let mut piece = [0; 4096];
            match stream.read(&mut piece) {
                Ok(0) => return Err(Missing::Gone),
                Ok(len) => {
                    if ahead.is_empty() {
                        deadline = Instant::now() + HEAD_TIME;
                    }
                    ahead.extend(piece.iter().take(len));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(Missing::Gone),
            }
        }
    }

    /// The request at the start of `bytes` and its length, if it is all there.
    fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Missing> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut head = httparse::Request::new(&mut headers);
        let len = match head.parse(bytes) {
            Ok(httparse::Status::Complete(len)) => len,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Missing::TooLarge),
            Err(_) => return Err(Missing::Garbage),
        };
        let (Some(method), Some(target)) = (head.method, head.path) else { return Err(Missing::Garbage) };
        let mut request = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: head
                .headers
                .iter()
                .map(|header| (header.name.to_owned(), header.value.to_vec()))
                .collect(),
            keeps_open: head.version == Some(1),
        };
        // A body is not read, so what follows it cannot be found.
        let has_body = request.all("transfer-encoding").next().is_some()
            || request.all("content-length").any(|length| length != b"0");
        let closes = request.all("connection").any(|value| !value.eq_ignore_ascii_case(b"keep-alive"));
        request.keeps_open &= !has_body && !closes;
        Ok(Some((request, len)))
    }

    /// One that was never on a wire.
    #[cfg(test)]
    pub fn of(method: &str, target: &str, headers: &[(&str, &str)]) -> Self {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec()));
        Self { method: method.into(), target: target.into(), headers: headers.collect(), keeps_open: true }
    }
}

#[cfg(test)]
mod tests {
    use super::{Missing, Request};

    #[test]
    fn a_head_is_taken_at_every_length_and_never_more_than_it() {
        let both = b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\nGET /next HTTP/1.1\r\n";
        let head = both.len() - b"GET /next HTTP/1.1\r\n".len();
        for len in 0..head {
            assert!(matches!(Request::parse(&both[..len]), Ok(None)), "{len}");
        }
        let (request, len) = Request::parse(both).expect("a request").expect("all of it");
        assert_eq!((request.method.as_str(), request.target.as_str(), len), ("GET", "/a?b", head));
        assert!(request.keeps_open);
    }

    #[test]
    fn what_is_no_request_is_called_so() {
        for garbage in [&b"\x16\x03\x01\x02\x00"[..], b"GET / HTTP/9\r\n\r\n", b"GET\0/ HTTP/1.1\r\n\r\n"] {
            assert!(matches!(Request::parse(garbage), Err(Missing::Garbage)), "{garbage:?}");
        }
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
        assert!(matches!(Request::parse(many.as_bytes()), Err(Missing::TooLarge)));
    }

    #[test]
    fn a_connection_ends_with_a_request_that_has_a_body() {
        for header in ["Content-Length: 5", "Transfer-Encoding: chunked", "Connection: close"] {
            let text = format!("POST / HTTP/1.1\r\n{header}\r\n\r\n");
            let (request, _) = Request::parse(text.as_bytes()).expect("a request").expect("all of it");
            assert!(!request.keeps_open, "{header}");
        }
    }
}
