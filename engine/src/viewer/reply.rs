//! An answer, and how it goes over the wire: a file in bounded pieces.

use std::io::{self, Write};
use std::ops::Range;

use super::image::Image;

/// Most bytes of the file that are in memory at a time, for each connection.
const PIECE: u64 = 128 << 10;

/// On every answer: nothing is guessed, told on, kept, or used by another site.
const ALWAYS: &str = "\
X-Content-Type-Options: nosniff\r\n\
Referrer-Policy: no-referrer\r\n\
Cache-Control: no-store\r\n\
Cross-Origin-Resource-Policy: same-origin\r\n\
Cross-Origin-Opener-Policy: same-origin\r\n\
X-Frame-Options: DENY\r\n";

/// What is sent behind the head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Bytes of the binary.
    Bytes(&'static [u8]),
    /// Bytes of the image.
    Image(Range<u64>),
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The code and its name.
    pub status: &'static str,
    /// What is particular to this answer.
    pub headers: Vec<(&'static str, String)>,
    /// The contents.
    pub body: Body,
}

impl Reply {
    /// An answer that is only its name.
    pub fn refusal(status: &'static str) -> Self {
        let body = Body::Bytes(status.as_bytes());
        Self { status, headers: Vec::new(), body }.with("Content-Type", "text/plain; charset=utf-8")
    }

    /// Whether it gives what was asked for.
    pub fn is_success(&self) -> bool {
        self.status.starts_with('2')
    }

    /// With one more header.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn head(&self, keeps_open: bool) -> String {
        let len = match &self.body {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Image(range) => range.end.saturating_sub(range.start),
        };
        let mut head = format!("HTTP/1.1 {}\r\n{ALWAYS}Content-Length: {len}\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(if keeps_open { "\r\n" } else { "Connection: close\r\n\r\n" });
        head
    }

    /// Sends it. An error leaves the connection in the middle of an answer: it has to be closed, which tells the client.
    pub fn send(
        &self,
        mut to: impl Write,
        image: &Image,
        with_body: bool,
        keeps_open: bool,
    ) -> io::Result<()> {
        to.write_all(self.head(keeps_open).as_bytes())?;
        match &self.body {
            _ if !with_body => Ok(()),
            Body::Bytes(bytes) => to.write_all(bytes),
            Body::Image(range) => stream(to, image, range.clone()),
        }
    }
}

fn stream(mut to: impl Write, image: &Image, range: Range<u64>) -> io::Result<()> {
    let Range { mut start, end } = range;
    let mut buffer = vec![0; PIECE.min(end.saturating_sub(start)) as usize];
    while start < end {
        let wanted = (buffer.len() as u64).min(end - start) as usize;
        let piece = buffer.get_mut(..wanted).unwrap_or_default();
        let len = image.read_at(piece, start)?;
        if len == 0 {
            // Somebody cut the file while it was sent.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all(piece.get(..len).unwrap_or_default())?;
        start += len as u64;
    }
    Ok(())
}
