//! Who may ask: whoever knows the secret, from a page of our own.
//!
//! The secret keeps out other users of this machine. It does not help against a site that has its own name resolve to
//! 127.0.0.1 once it is loaded (DNS rebinding): such a request names that site as `Host`. And one that a foreign page
//! makes says so in `Origin` or `Sec-Fetch-Site` (fetch.spec.whatwg.org, w3c.github.io/webappsec-fetch-metadata).

use std::fmt;
use std::hint::black_box;
use std::io;

use super::request::Request;

/// Bytes of the secret: 128 bits.
const SECRET_LEN: usize = 16;

/// The first part of every path, in hexadecimal.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A new one, from the kernel's random numbers.
    pub fn new() -> io::Result<Self> {
        let mut bytes = [0; SECRET_LEN];
        getrandom::fill(&mut bytes).map_err(io::Error::other)?;
        Ok(Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    /// What of a path stands behind `/SECRET/`.
    pub fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (first, rest) = path.strip_prefix('/')?.split_once('/')?;
        self.is(first).then_some(rest)
    }

    /// Looks at all of it whatever it finds, so that the time tells nothing.
    fn is(&self, other: &str) -> bool {
        let pairs = self.0.bytes().zip(other.bytes());
        let differing = pairs.fold(0, |bits, (a, b)| black_box(bits | (a ^ b)));
        self.0.len() == other.len() && differing == 0
    }

    /// For the address that its owner is told.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// The names under which a browser may have reached us.
#[derive(Debug, Clone)]
pub struct Names(Vec<String>);

impl Names {
    /// Those of this port on the loopback address.
    pub fn of(port: u16) -> Self {
        let mut names: Vec<String> =
            ["127.0.0.1", "localhost"].iter().map(|host| format!("{host}:{port}")).collect();
        // Browsers leave out the port that http has anyway.
        if port == 80 {
            names.extend(["127.0.0.1".to_owned(), "localhost".to_owned()]);
        }
        Self(names)
    }

    fn has(&self, host: &[u8]) -> bool {
        self.0.iter().any(|name| name.as_bytes() == host)
    }

    /// Whether a request was made to us, by a page of ours or by a person.
    pub fn admit(&self, request: &Request) -> bool {
        let mut hosts = request.all("host");
        let host = hosts.next().is_some_and(|host| self.has(host)) && hosts.next().is_none();
        let origin = request
            .all("origin")
            .all(|origin| origin.strip_prefix(b"http://").is_some_and(|host| self.has(host)));
        let site = request.all("sec-fetch-site").all(|site| matches!(site, b"same-origin" | b"none"));
        host && origin && site
    }
}

#[cfg(test)]
mod tests {
    use super::{Names, Secret};
    use crate::viewer::request::Request;

    #[test]
    fn a_secret_is_new_every_time_and_matched_whole() {
        let secret = Secret::new().expect("random numbers");
        let other = Secret::new().expect("random numbers");
        assert_eq!(secret.reveal().len(), 32);
        assert_ne!(secret.reveal(), other.reveal());
        let text = secret.reveal();
        assert_eq!(secret.strip(&format!("/{text}/a/b")), Some("a/b"));
        assert_eq!(secret.strip(&format!("/{text}/")), Some(""));
        for wrong in
            [text, &format!("/{text}"), &format!("/{}/", &text[1..]), &format!("/{text}0/"), "//", ""]
        {
            assert_eq!(secret.strip(wrong), None, "{wrong:?}");
        }
        assert_eq!(format!("{secret:?}"), "Secret", "it must not get into a log");
    }

    #[test]
    fn only_our_own_names_are_admitted() {
        let names = Names::of(4000);
        let admits = |headers: &[(&str, &str)]| names.admit(&Request::of("GET", "/", headers));
        assert!(admits(&[("Host", "127.0.0.1:4000")]));
        assert!(admits(&[("Host", "localhost:4000"), ("Origin", "http://localhost:4000")]));
        assert!(admits(&[("host", "127.0.0.1:4000"), ("sec-fetch-site", "none")]));
        for headers in [
            &[][..],
            &[("Host", "127.0.0.1")],
            &[("Host", "127.0.0.1:40000")],
            &[("Host", "evil.example:4000")],
            &[("Host", "127.0.0.1:4000"), ("Host", "evil.example")],
            &[("Host", "127.0.0.1:4000"), ("Origin", "null")],
            &[("Host", "127.0.0.1:4000"), ("Origin", "https://127.0.0.1:4000")],
            &[("Host", "127.0.0.1:4000"), ("Origin", "http://127.0.0.1:4001")],
            &[("Host", "127.0.0.1:4000"), ("Sec-Fetch-Site", "cross-site")],
            &[("Host", "127.0.0.1:4000"), ("Sec-Fetch-Site", "same-site")],
        ] {
            assert!(!admits(headers), "{headers:?}");
        }
    }
}
