//! Starts the worker that reads the image.

use crate::browser::{blob_of, window};
use crate::components::Link;
use crate::proto::Reply;
use crate::state::Action;
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::{Closure, JsCast};
use web_sys::{Event, MessageEvent, Worker};

/// Starts the worker from a script made here, because such a one is under the policy of this page and one from its own
/// file is not: what keeps the page from sending anything keeps the worker too.
pub fn hire(to: &Link) -> Option<Worker> {
    let given = |name: &str| js_sys::Reflect::get(&js_sys::global(), &name.into()).ok();
    // The single-file build carries the worker in the page.
    let alone = given("stasisWorker").and_then(|url| url.as_string());
    let url = match &alone {
        Some(url) => url.clone(),
        None => {
            let base = window()?.location().href().ok()?;
            let at = |name: &str| web_sys::Url::new_with_base(name, &base).ok().map(|url| url.href());
            let quoted = |name: &str| serde_json::to_string(&at(name)?).ok();
            let (script, module) = (quoted("./worker.js")?, quoted("./worker_bg.wasm")?);
            let failed = "(error) => postMessage([JSON.stringify({ Crashed: { message: String(error) } })])";
            let text = format!(
                "importScripts({script}); wasm_bindgen({{ module_or_path: {module} }}).catch({failed});"
            );
            web_sys::Url::create_object_url_with_blob(&blob_of(text.as_bytes(), "text/javascript")?).ok()?
        }
    };
    let worker = Worker::new(&url).ok()?;
    let link = to.clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = Array::from(&event.data());
        let Some(text) = data.get(0).as_string() else { return };
        let bytes = data.get(1);
        let bytes = if bytes.is_undefined() { Vec::new() } else { Uint8Array::new(&bytes).to_vec() };
        let reply =
            serde_json::from_str(&text).unwrap_or_else(|error| Reply::Failed { message: error.to_string() });
        link.send(Action::Replied(reply, bytes));
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    let link = to.clone();
    let on_error = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
        let said = event.dyn_ref::<web_sys::ErrorEvent>().map(web_sys::ErrorEvent::message);
        let message =
            said.filter(|text| !text.is_empty()).unwrap_or_else(|| "the worker could not be started".into());
        link.send(Action::Replied(Reply::Crashed { message }, Vec::new()));
    });
    // The worker of the single file takes its module as the first message: it has no address to fetch it from.
    if alone.is_some() {
        worker.post_message(&given("stasisWorkerWasm")?).ok()?;
    }
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    on_error.forget();
    Some(worker)
}
