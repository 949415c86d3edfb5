//! What the page asks of the browser: elements, files, the address, what is remembered. Nothing here knows the state.

use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use web_sys::{Blob, Event};

/// Calls this whenever something of the name happens anywhere on the page.
pub fn on(name: &str, handle: impl FnMut(&Event) + 'static) {
    let mut handle = handle;
    let closure = Closure::<dyn FnMut(Event)>::new(move |event: Event| handle(&event));
    if let Some(window) = window() {
        let _ = window.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    }
    closure.forget();
}

/// Puts the focus on an element.
pub fn focus(id: &str) {
    if let Some(input) = element(id) {
        let _ = input.unchecked_ref::<web_sys::HtmlElement>().focus();
    }
}

/// Whether something happened in a field that one types into.
pub fn is_input(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA"))
}

async fn fetch(url: &str) -> Option<web_sys::Response> {
    let response = wasm_bindgen_futures::JsFuture::from(window()?.fetch_with_str(url)).await.ok()?;
    response.dyn_into().ok()
}

/// What is behind an address, as text.
pub async fn fetch_text(url: &str) -> Option<String> {
    let promise = fetch(url).await?.text().ok()?;
    wasm_bindgen_futures::JsFuture::from(promise).await.ok()?.as_string()
}

/// Bytes as a file of the browser.
pub fn blob_of(bytes: &[u8], mime: &str) -> Option<Blob> {
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(mime);
    let parts = Array::of1(&Uint8Array::from(bytes));
    Blob::new_with_u8_array_sequence_and_options(&parts, &options).ok()
}

/// Hands bytes to the person as a file.
pub fn download(name: &str, blob: &Blob) -> Result<(), JsValue> {
    let url = web_sys::Url::create_object_url_with_blob(blob)?;
    let page = window().and_then(|window| window.document()).ok_or(JsValue::NULL)?;
    let anchor: web_sys::HtmlAnchorElement = page.create_element("a")?.unchecked_into();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    web_sys::Url::revoke_object_url(&url)
}

/// Puts a place behind `#`, as one to come back to or in place of the last one.
pub fn put_address(place: &str, push: bool) {
    let Some(window) = window() else { return };
    let Ok(history) = window.history() else { return };
    // The same place twice is one step back.
    let push = push && window.location().hash().ok().as_deref() != Some(place);
    let _ = if push {
        history.push_state_with_url(&JsValue::NULL, "", Some(place))
    } else {
        history.replace_state_with_url(&JsValue::NULL, "", Some(place))
    };
}

/// Shows dark, light, or as the system wishes.
pub fn theme(dark: Option<bool>) {
    if let Some(root) = window().and_then(|window| window.document()).and_then(|page| page.document_element())
    {
        let _ = match dark {
            Some(dark) => root.set_attribute("data-theme", if dark { "dark" } else { "light" }),
            None => root.remove_attribute("data-theme"),
        };
    }
}

/// Gives the style sheet a value, or takes it away.
pub fn set_property(name: &str, value: Option<&str>) {
    let root = window().and_then(|window| window.document()).and_then(|page| page.document_element());
    let Some(root) = root.and_then(|root| root.dyn_into::<web_sys::HtmlElement>().ok()) else { return };
    let _ = match value {
        Some(value) => root.style().set_property(name, value),
        None => root.style().remove_property(name).map(drop),
    };
}

/// What was remembered of an earlier visit.
pub fn remembered(key: &str) -> Option<String> {
    window()?.local_storage().ok()??.get_item(key).ok()?
}

/// Remembers something for the next visit; nothing forgets it.
pub fn remember(key: &str, value: Option<&str>) {
    let storage = window().and_then(|window| window.local_storage().ok()).flatten();
    // A browser may refuse to remember.
    if let Some(storage) = storage {
        let _ = match value {
            Some(value) => storage.set_item(key, value),
            None => storage.remove_item(key),
        };
    }
}

/// After the page was drawn.
pub fn soon(what: impl FnOnce() + 'static) {
    let closure = Closure::once_into_js(what);
    if let Some(window) = window() {
        let _ = window.request_animation_frame(closure.unchecked_ref());
    }
}

/// An element by its id.
pub fn element(id: &str) -> Option<web_sys::Element> {
    window()?.document()?.get_element_by_id(id)
}

/// The window.
pub fn window() -> Option<web_sys::Window> {
    web_sys::window()
}
