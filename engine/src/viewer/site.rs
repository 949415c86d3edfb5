//! What is answered to a request.
//!
//! Nothing of a path ever becomes a path on disk: names are compared with those of the table and of the one open file.

use super::assets::{self, Assets};
use super::guard::{Names, Secret};
use super::image::{Image, State};
use super::percent;
use super::range::{self, Asked};
use super::reply::{Body, Reply};
use super::request::Request;

/// The inspector and an image under a secret.
#[derive(Debug)]
pub struct Site {
    /// Under which names we are reached.
    pub names: Names,
    /// The first part of all paths.
    pub secret: Secret,
    /// The inspector.
    pub assets: Assets,
    /// The file that is shown.
    pub image: Image,
}

impl Site {
    /// Answers one request.
    pub fn answer(&self, request: &Request) -> Reply {
        if !self.names.admit(request) {
            return Reply::refusal("403 Forbidden");
        }
        if !matches!(request.method.as_str(), "GET" | "HEAD") {
            return Reply::refusal("405 Method Not Allowed").with("Allow", "GET, HEAD");
        }
        let path = request.target.split(['?', '#']).next().unwrap_or_default();
        match self.secret.strip(path) {
            Some(rest) => self.resource(rest, request).unwrap_or_else(|| Reply::refusal("404 Not Found")),
            None => Reply::refusal("404 Not Found"),
        }
    }

    fn resource(&self, path: &str, request: &Request) -> Option<Reply> {
        if let Some(name) = path.strip_prefix("image/") {
            let is_it = percent::decode(name)? == self.image.name();
            return is_it.then(|| self.image(request));
        }
        let name = if path.is_empty() { "index.html" } else { path };
        let bytes = assets::find(self.assets, name)?;
        let reply = Reply { status: "200 OK", headers: Vec::new(), body: Body::Bytes(bytes) };
        Some(reply.with("Content-Type", assets::content_type(name)))
    }

    fn image(&self, request: &Request) -> Reply {
        let Ok(State { size, etag }) = self.image.state() else {
            return Reply::refusal("500 Internal Server Error");
        };
        // The page says which state it began with: half of one and half of another would be no image.
        let mut expected = request.all("if-match").peekable();
        if expected.peek().is_some() && !expected.any(|list| names(list, &etag)) {
            return Reply::refusal("412 Precondition Failed").with("ETag", etag);
        }
        let asked = match self.range(request, &etag) {
            Some(value) => range::parse(value, size),
            None => Asked::Whole,
        };
        let (status, range, place) = match asked {
            Asked::Whole => ("200 OK", 0..size, None),
            Asked::Part(range) => {
                let place = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
                ("206 Partial Content", range, Some(place))
            }
            Asked::Nothing => {
                return Reply::refusal("416 Range Not Satisfiable")
                    .with("Content-Range", format!("bytes */{size}"))
                    .with("ETag", etag);
            }
        };
        let reply = Reply { status, headers: Vec::new(), body: Body::Image(range) }
            .with("Content-Type", "application/octet-stream")
            .with("Accept-Ranges", "bytes")
            .with("ETag", etag);
        match place {
            Some(place) => reply.with("Content-Range", place),
            None => reply,
        }
    }

    /// The range that is to be heeded: only GET has one (RFC 9110, section 14.2), and not with an `If-Range` that
    /// names another state.
    fn range<'a>(&self, request: &'a Request, etag: &str) -> Option<&'a [u8]> {
        let is_current = request.all("if-range").all(|state| state == etag.as_bytes());
        let mut ranges = request.all("range");
        let first = ranges.next()?;
        (request.method == "GET" && is_current && ranges.next().is_none()).then_some(first)
    }
}

/// Whether a list of validators has this one; `W/` ones never do (RFC 9110, section 8.8.3.2).
fn names(list: &[u8], etag: &str) -> bool {
    list.split(|&byte| byte == b',').map(<[u8]>::trim_ascii).any(|one| one == b"*" || one == etag.as_bytes())
}
