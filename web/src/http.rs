//! A file behind an address, read by ranges (RFC 9110, section 14), so that an image on a server is no more read whole
//! than one on disk. `stasis view` serves one so.

use js_sys::{Array, Uint8Array};
use std::io::{Error, Result};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{
    Blob, Headers, Request, RequestInit, Response, WorkerGlobalScope, XmlHttpRequest,
    XmlHttpRequestResponseType,
};

/// Requests that are handed to the browser at once: more than it has connections to a host, so that none of them rests.
const AT_ONCE: usize = 64;

/// The file behind an address. Only a worker can read it so.
#[derive(Debug)]
pub struct RangeReader {
    url: String,
    len: u64,
    /// A strong validator of the version that was opened, if the server names one.
    tag: Option<String>,
}

/// What an address turned out to be.
#[derive(Debug)]
pub enum Found {
    /// A file of a server that gives ranges.
    Ranges(RangeReader),
    /// All of it: the server gives no ranges.
    Whole(Blob),
}

/// Asks for the first byte and sees what comes.
///
/// # Errors
/// A sentence that names what the server said.
pub async fn open(url: &str) -> std::result::Result<Found, String> {
    let response =
        ask(url, 0, 1, None).await.map_err(|_| format!("{url} cannot be fetched: nobody answers there"))?;
    let header = |name: &str| response.headers().get(name).ok().flatten();
    let total = header("content-range").as_deref().and_then(total);
    match (response.status(), total) {
        (206, Some(len)) => {
            let tag = header("etag").filter(|tag| tag.starts_with('"'));
            Ok(Found::Ranges(RangeReader { url: url.to_owned(), len, tag }))
        }
        // No range of nothing can be given.
        (416, Some(0)) => Blob::new().map(Found::Whole).map_err(|_| format!("{url} is empty")),
        (200, _) => {
            let whole = async { JsFuture::from(response.blob()?).await }.await;
            whole
                .map(|blob| Found::Whole(blob.unchecked_into()))
                .map_err(|_| format!("{url} cannot be fetched whole"))
        }
        (206, None) => {
            Err(format!("{url} cannot be fetched: the server gives a part and does not say of how much"))
        }
        (status, _) => {
            Err(format!("{url} cannot be fetched: the server answers {status} {}", response.status_text()))
        }
    }
}

impl RangeReader {
    /// Length in bytes.
    pub fn size(&self) -> u64 {
        self.len
    }

    /// Fills `buf` from `offset` on; the worker waits for it.
    pub fn read(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let request = XmlHttpRequest::new().map_err(silent)?;
        request.open_with_async("GET", &self.url, false).map_err(silent)?;
        request.set_response_type(XmlHttpRequestResponseType::Arraybuffer);
        request.set_request_header("range", &range(offset, buf.len() as u64)).map_err(silent)?;
        if let Some(tag) = &self.tag {
            request.set_request_header("if-match", tag).map_err(silent)?;
        }
        request.send().map_err(silent)?;
        let header = |name: &str| request.get_response_header(name).ok().flatten();
        self.judge(request.status().map_err(silent)?, header("content-range"), header("etag"))?;
        copy(&request.response().map_err(silent)?, buf)
    }

    /// Reads many short pieces, some at a time.
    pub async fn read_many(&self, pieces: &[(u64, u64)], take: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        for group in pieces.chunks(AT_ONCE) {
            let asked: Vec<_> = group
                .iter()
                .map(|(offset, len)| ask(&self.url, *offset, *len, self.tag.as_deref()))
                .collect();
            for ((offset, len), response) in group.iter().zip(join(asked).await) {
                let response = response.map_err(silent)?;
                let header = |name: &str| response.headers().get(name).ok().flatten();
                self.judge(response.status(), header("content-range"), header("etag"))?;
                let buffer =
                    JsFuture::from(response.array_buffer().map_err(silent)?).await.map_err(silent)?;
                let mut bytes = vec![0; *len as usize];
                copy(&buffer, &mut bytes)?;
                take(*offset, &bytes);
            }
        }
        Ok(())
    }

    /// Whether the answer is a part of the version that was opened.
    fn judge(&self, status: u16, range: Option<String>, tag: Option<String>) -> Result<()> {
        let same = self.tag.is_none() || tag == self.tag;
        match status {
            206 if same && range.as_deref().and_then(total) == Some(self.len) => Ok(()),
            200 | 206 | 412 | 416 => Err(changed()),
            0 => Err(silent(JsValue::NULL)),
            status => Err(Error::other(format!("the server that has the image answers {status}"))),
        }
    }
}

/// All of them, begun at once.
async fn join<F>(futures: Vec<F>) -> Vec<std::result::Result<Response, JsValue>>
where
    F: Future<Output = std::result::Result<Response, JsValue>> + 'static,
{
    let promises = Array::new();
    for future in futures {
        let promise = wasm_bindgen_futures::future_to_promise(async { future.await.map(JsValue::from) });
        promises.push(&promise);
    }
    let mut out = Vec::new();
    for promise in promises.iter() {
        out.push(
            JsFuture::from(promise.unchecked_into::<js_sys::Promise>()).await.map(JsCast::unchecked_into),
        );
    }
    out
}

fn ask(
    url: &str,
    offset: u64,
    len: u64,
    tag: Option<&str>,
) -> impl Future<Output = std::result::Result<Response, JsValue>> + 'static {
    let request = || {
        let headers = Headers::new()?;
        headers.set("range", &range(offset, len))?;
        if let Some(tag) = tag {
            headers.set("if-match", tag)?;
        }
        let options = RequestInit::new();
        options.set_headers(&headers);
        // Memory of a process does not belong into the cache of a browser.
        options.set_cache(web_sys::RequestCache::NoStore);
        Request::new_with_str_and_init(url, &options)
    };
    let request: std::result::Result<Request, JsValue> = request();
    async move {
        let scope: WorkerGlobalScope = js_sys::global().unchecked_into();
        JsFuture::from(scope.fetch_with_request(&request?)).await?.dyn_into()
    }
}

fn range(offset: u64, len: u64) -> String {
    format!("bytes={offset}-{}", offset + len.max(1) - 1)
}

/// Length of the whole in `bytes 0-0/123`.
fn total(content_range: &str) -> Option<u64> {
    content_range.rsplit_once('/')?.1.trim().parse().ok()
}

fn copy(buffer: &JsValue, buf: &mut [u8]) -> Result<()> {
    let bytes = Uint8Array::new(buffer);
    if bytes.length() as usize != buf.len() {
        return Err(changed());
    }
    bytes.copy_to(buf);
    Ok(())
}

fn changed() -> Error {
    Error::other("the file changed on the server; open it again")
}

fn silent(_: JsValue) -> Error {
    Error::other("the server that has the image does not answer any more; start it again and reload the page")
}
