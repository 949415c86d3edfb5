//! The worker: owns the file and answers the page. What takes long is done in steps that the page asks for, so that
//! it can stop asking.

use crate::blob::BlobReader;
use crate::proto::{Reply, Request};
use crate::session::{MAX_ANSWER, Search, Session, Verify};
use js_sys::{Array, Uint8Array};
use std::cell::RefCell;
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use web_sys::{Blob, DedicatedWorkerGlobalScope, MessageEvent};

#[derive(Default)]
struct Desk {
    session: Option<Session<BlobReader>>,
    verify: Option<Verify>,
    search: Option<Search>,
}

/// Listens for questions.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        send(&Reply::Crashed { message: info.to_string() }, None);
    }));
    let desk = RefCell::new(Desk::default());
    let answer = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = Array::from(&event.data());
        let request = data.get(0).as_string().and_then(|text| serde_json::from_str(&text).ok());
        let Some(request) = request else { return };
        let blob = data.get(1).dyn_into::<Blob>().ok();
        match desk.borrow_mut().answer(request, blob) {
            Ok((reply, bytes)) => send(&reply, bytes),
            Err(message) => send(&Reply::Failed { message }, None),
        }
    });
    scope().set_onmessage(Some(answer.as_ref().unchecked_ref()));
    answer.forget();
    send(&Reply::Ready, None);
}

type Answer = Result<(Reply, Option<Vec<u8>>), String>;

impl Desk {
    fn answer(&mut self, request: Request, blob: Option<Blob>) -> Answer {
        let plain = |reply| Ok((reply, None));
        if let Request::Open { name, kernel } = request {
            let start = js_sys::Date::now();
            (self.session, self.verify, self.search) = (None, None, None);
            let session = Session::open(reader(blob)?, name, kernel)?;
            let mut opened = session.opened()?;
            opened.took_ms = (js_sys::Date::now() - start) as u32;
            self.session = Some(session);
            return plain(Reply::Opened(Box::new(opened)));
        }
        let session = self.session.as_mut().ok_or("no image is open")?;
        match request {
            Request::Open { .. } => Err("no image is open".into()),
            Request::Judge { kernel } => plain(Reply::Judged(session.judge(kernel)?)),
            Request::Verify => {
                self.verify = Some(session.verify());
                plain(Reply::Verifying { done: 0, total: session.len() })
            }
            Request::VerifyStep => {
                let verify = self.verify.take().ok_or("nothing is being checked")?;
                match session.verify_step(verify)? {
                    Some((verify, done)) => {
                        self.verify = Some(verify);
                        plain(Reply::Verifying { done, total: session.len() })
                    }
                    None => plain(Reply::Judged(session.verdict())),
                }
            }
            Request::Tree { first, count } => {
                let (rows, total) = session.rows(first, count)?;
                plain(Reply::Tree { first, rows, total })
            }
            Request::Fold { node, open } => {
                session.tree_mut().fold(node, open);
                let (rows, total) = session.rows(0, 0)?;
                plain(Reply::Tree { first: 0, rows, total })
            }
            Request::Reveal { offset } => plain(Reply::Selected(Box::new(session.reveal(offset)?))),
            Request::RevealRecord { record } => {
                let offset = session.offset_of(record).ok_or("the image has no such record")?;
                plain(Reply::Selected(Box::new(session.reveal(offset)?)))
            }
            Request::Bytes { space, offset, len } => {
                let (bytes, held) = session.bytes(space, offset, len.into())?;
                Ok((Reply::Bytes { space, offset, held }, Some(bytes)))
            }
            Request::Task { id } => plain(Reply::Task(Box::new(session.task(id)?))),
            Request::Map { mm } => plain(Reply::Map(session.map(mm)?)),
            Request::Search { pattern, scope } => {
                self.search = Some(Search::new(pattern, scope));
                self.search()
            }
            Request::SearchStep => self.search(),
            Request::Export => {
                let bytes = session.json()?;
                let reply = Reply::File { name: "image.json".into(), mime: "application/json".into() };
                Ok((reply, Some(bytes)))
            }
            Request::Save { space, offset, len } => {
                if len > MAX_ANSWER {
                    return Err("more than 64 MiB are not saved in one piece".into());
                }
                let (mut bytes, _) = session.bytes(space, offset, len)?;
                // Memory comes in whole pages.
                let skip = if space == crate::proto::Space::File { 0 } else { (offset % 4096) as usize };
                bytes.drain(..skip.min(bytes.len()));
                bytes.truncate(len as usize);
                let name = format!("{offset:#x}.bin");
                Ok((Reply::File { name, mime: "application/octet-stream".into() }, Some(bytes)))
            }
            Request::Compare { name } => {
                let other = Session::open(reader(blob)?, name, None)?;
                plain(Reply::Compared(session.compare(&other)?))
            }
        }
    }

    fn search(&mut self) -> Answer {
        let (Some(session), Some(search)) = (&mut self.session, &mut self.search) else {
            return Err("nothing is being searched".into());
        };
        let until = js_sys::Date::now() + 100.0;
        let (mut hits, mut over) = (Vec::new(), false);
        while !over && js_sys::Date::now() < until {
            let (more, end) = session.search_step(search)?;
            hits.extend(more);
            over = end;
        }
        Ok((Reply::Hits { done: search.done(), total: session.search_total(search), hits, over }, None))
    }
}

fn reader(blob: Option<Blob>) -> Result<BlobReader, String> {
    BlobReader::new(blob.ok_or("no file came along")?).map_err(|e| e.to_string())
}

fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

fn send(reply: &Reply, bytes: Option<Vec<u8>>) {
    let text = serde_json::to_string(reply).unwrap_or_default();
    let message = Array::of1(&JsValue::from_str(&text));
    let sent = match bytes {
        Some(bytes) => {
            let buffer = Uint8Array::from(bytes.as_slice()).buffer();
            message.push(&buffer);
            scope().post_message_with_transfer(&message, &Array::of1(&buffer))
        }
        None => scope().post_message(&message),
    };
    // There is nobody else to tell.
    let _ = sent;
}
