//! The worker: owns the file and answers the page. What takes long is done in steps that the page asks for, so that
//! it can stop asking.

use crate::desk::{Answer, Desk};
use crate::proto::{Reply, Request};
use crate::source::Source;
use js_sys::{Array, Uint8Array};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use web_sys::{Blob, DedicatedWorkerGlobalScope, MessageEvent};

/// Extents of an image that is judged while it is opened, on a server and on disk; of one with more the index is shown
/// first. A request takes a round trip, a read of a file half a millisecond.
const FEW: usize = 16;
const MANY: usize = 2048;

/// Milliseconds between two words on how far an opening is.
const TELL_MS: f64 = 200.0;

/// Listens for questions.
pub fn start() {
    std::panic::set_hook(Box::new(|info| {
        send(&Reply::Crashed { message: info.to_string() }, None);
    }));
    let desk = Rc::new(RefCell::new(Desk::default()));
    // Opening waits for a server; only the last image asked for is taken.
    let asked = Rc::new(Cell::new(0u32));
    let answer = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = Array::from(&event.data());
        let request = data.get(0).as_string().and_then(|text| serde_json::from_str(&text).ok());
        let Some(request) = request else { return };
        if let Request::Open { name, kernel, url } = request {
            let blob = data.get(1).dyn_into::<Blob>().ok();
            let (desk, asked) = (desk.clone(), asked.clone());
            asked.set(asked.get().wrapping_add(1));
            let number = asked.get();
            desk.borrow_mut().close();
            wasm_bindgen_futures::spawn_local(async move {
                let start = js_sys::Date::now();
                let source = reach(blob, url).await;
                if asked.get() != number {
                    return;
                }
                let opened = source.and_then(|source| {
                    let extents = if source.is_far() { FEW } else { MANY };
                    // The page hears of it though the worker is busy.
                    let mut last = start;
                    let mut tell = |done, total| {
                        let now = js_sys::Date::now();
                        if now - last > TELL_MS {
                            last = now;
                            send(&Reply::Opening { done, total }, None);
                        }
                    };
                    desk.borrow_mut().open_telling(source, name, kernel, extents, &mut tell)
                });
                match opened {
                    Ok(mut opened) => {
                        opened.took_ms = (js_sys::Date::now() - start) as u32;
                        send(&Reply::Opened(Box::new(opened)), None);
                    }
                    Err(message) => send(&Reply::Failed { message }, None),
                }
            });
            return;
        }
        if request == Request::Check {
            let (desk, asked) = (desk.clone(), asked.clone());
            let number = asked.get();
            wasm_bindgen_futures::spawn_local(async move {
                let ahead = desk.borrow().ahead();
                if let Some((source, ranges)) = ahead {
                    // What cannot be read now says so when it is read in earnest.
                    let _ = source.fetch_ahead(&ranges).await;
                }
                if asked.get() == number {
                    let answer = desk.borrow_mut().answer(request, None, js_sys::Date::now);
                    reply(answer);
                }
            });
            return;
        }
        let other =
            data.get(1).dyn_into::<Blob>().ok().map(|blob| Source::file(blob).map_err(|e| e.to_string()));
        let answer =
            other.transpose().and_then(|other| desk.borrow_mut().answer(request, other, js_sys::Date::now));
        reply(answer);
    });
    scope().set_onmessage(Some(answer.as_ref().unchecked_ref()));
    answer.forget();
    send(&Reply::Ready, None);
}

fn reply(answer: Answer) {
    match answer {
        Ok((reply, bytes)) => send(&reply, bytes),
        Err(message) => send(&Reply::Failed { message }, None),
    }
}

/// The image, with what opening reads far apart fetched in few calls.
async fn reach(blob: Option<Blob>, url: Option<String>) -> Result<Source, String> {
    let source = match (blob, url) {
        (Some(blob), _) => Source::file(blob).map_err(|e| e.to_string())?,
        (None, Some(url)) => Source::url(&url).await?,
        (None, None) => return Err("no file came along".into()),
    };
    if source.is_far() {
        return Ok(source);
    }
    let scattered = crate::session::Session::scattered(&source);
    // What cannot be read now says so when it is read in earnest.
    let _ = source.fetch_ahead(&scattered).await;
    Ok(source)
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
