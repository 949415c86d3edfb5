//! The page: passes what happens to the state, and does what the state says.

use crate::components;
use crate::proto::{Reply, Request};
use crate::state::{Action, Command, Example, State};
use js_sys::{Array, Uint8Array};
use wasm_bindgen::prelude::{Closure, JsCast, JsValue};
use web_sys::{Blob, Event, KeyboardEvent, MessageEvent, Worker};
use yew::{Component, Context, Html};

/// What comes to the page.
#[derive(Debug)]
pub enum Message {
    /// Something happened.
    Act(Action),
    /// A file was chosen, to be opened or compared.
    Chosen(Blob, String, Option<String>, bool),
}

/// The whole page.
#[derive(Debug)]
pub struct App {
    state: State,
    worker: Option<Worker>,
    /// Questions from before the worker listened.
    waiting: Vec<(Request, Option<Blob>)>,
    chosen: Option<Blob>,
}

/// Puts the page up.
pub fn start() {
    yew::Renderer::<App>::new().render();
}

impl Component for App {
    type Message = Message;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let mut app = Self { state: State::default(), worker: None, waiting: Vec::new(), chosen: None };
        listen(ctx);
        app.state.recent =
            remembered("stasis-recent").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        app.state.dark = remembered("stasis-theme").map(|text| text == "dark");
        theme(app.state.dark);
        let fragment = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
        app.state.reduce(Action::Fragment(fragment));
        if let Some(url) = source() {
            fetch_image(ctx, url);
        }
        app
    }

    fn update(&mut self, ctx: &Context<Self>, message: Message) -> bool {
        let commands = match message {
            Message::Chosen(blob, name, kernel, compare) => {
                self.chosen = Some(blob);
                self.state.reduce(if compare { Action::Compare(name) } else { Action::Open { name, kernel } })
            }
            Message::Act(action) => {
                let was_ready = self.state.ready;
                let commands = self.state.reduce(action);
                if self.state.ready && !was_ready {
                    for (request, blob) in std::mem::take(&mut self.waiting) {
                        self.ask(ctx, &request, blob);
                    }
                }
                commands
            }
        };
        for command in commands {
            self.carry_out(ctx, command);
        }
        true
    }

    fn view(&self, ctx: &Context<Self>) -> Html {
        components::page(&self.state, ctx.link())
    }

    fn rendered(&mut self, ctx: &Context<Self>, _first: bool) {
        if let Some(hex) = element("hex-scroll") {
            let rows = (f64::from(hex.client_height()) / crate::state::ROW_PX).ceil() as u32;
            if rows > 0 && rows != self.state.hex.visible {
                ctx.link().send_message(Message::Act(Action::HexResized { rows }));
            }
        }
    }
}

impl App {
    fn carry_out(&mut self, ctx: &Context<Self>, command: Command) {
        match command {
            Command::Ask(request) => self.ask(ctx, &request, None),
            Command::Attach(request) => {
                let blob = self.chosen.take();
                self.ask(ctx, &request, blob);
            }
            // The element may not have its new height before the page is drawn.
            Command::ScrollHex(px) => soon(move || {
                if let Some(hex) = element("hex-scroll") {
                    hex.set_scroll_top(px as i32);
                }
            }),
            Command::ScrollTree(row) => soon(move || {
                if let Some(tree) = element("tree-scroll") {
                    tree.set_scroll_top((f64::from(row) * components::TREE_ROW_PX) as i32);
                }
            }),
            Command::Address(place) => {
                let history = window().and_then(|window| window.history().ok());
                if let Some(history) = history {
                    let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(&format!("#{place}")));
                }
            }
            Command::Download { name, mime, bytes } => {
                if download(&name, &mime, &bytes).is_err() {
                    ctx.link().send_message(Message::Act(Action::Failed(
                        "the browser does not save the file".into(),
                    )));
                }
            }
            Command::LoadGallery => load_gallery(ctx),
            Command::Theme(dark) => {
                theme(dark);
                remember("stasis-theme", dark.map(|dark| if dark { "dark" } else { "light" }));
            }
            Command::Remember(names) => {
                remember("stasis-recent", serde_json::to_string(&names).ok().as_deref());
            }
        }
    }

    /// The worker is fetched with the first image, not with the page.
    fn ask(&mut self, ctx: &Context<Self>, request: &Request, blob: Option<Blob>) {
        if self.worker.is_none() && self.state.crashed.is_none() {
            self.worker = hire(ctx);
            if self.worker.is_none() {
                self.state.crashed = Some("the browser cannot start the worker that reads files".into());
            }
        }
        let Some(worker) = self.worker.as_ref().filter(|_| self.state.ready) else {
            self.waiting.push((request.clone(), blob));
            return;
        };
        let text = serde_json::to_string(request).unwrap_or_default();
        let message = Array::of1(&JsValue::from_str(&text));
        if let Some(blob) = blob {
            message.push(&blob);
        }
        let _ = worker.post_message(&message);
    }
}

/// Starts the worker: from its own file, or in the single-file build from what the page carries.
fn hire(ctx: &Context<App>) -> Option<Worker> {
    let given =
        js_sys::Reflect::get(&js_sys::global(), &"stasisWorker".into()).ok().and_then(|url| url.as_string());
    let worker = Worker::new(given.as_deref().unwrap_or("./worker_loader.js")).ok()?;
    let link = ctx.link().clone();
    let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
        let data = Array::from(&event.data());
        let Some(text) = data.get(0).as_string() else { return };
        let bytes = data.get(1);
        let bytes = if bytes.is_undefined() { Vec::new() } else { Uint8Array::new(&bytes).to_vec() };
        let reply =
            serde_json::from_str(&text).unwrap_or_else(|error| Reply::Failed { message: error.to_string() });
        link.send_message(Message::Act(Action::Replied(reply, bytes)));
    });
    worker.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    let link = ctx.link().clone();
    let on_error = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
        let said = event.dyn_ref::<web_sys::ErrorEvent>().map(web_sys::ErrorEvent::message);
        let message =
            said.filter(|text| !text.is_empty()).unwrap_or_else(|| "the worker could not be started".into());
        link.send_message(Message::Act(Action::Replied(Reply::Crashed { message }, Vec::new())));
    });
    // The worker of the single file takes its module as the first message: it has no address to fetch it from.
    if given.is_some() {
        let wasm = js_sys::Reflect::get(&js_sys::global(), &"stasisWorkerWasm".into()).ok()?;
        worker.post_message(&wasm).ok()?;
    }
    worker.set_onerror(Some(on_error.as_ref().unchecked_ref()));
    on_error.forget();
    Some(worker)
}

/// What happens anywhere on the page: files dropped or pasted, keys, the address, the size.
fn listen(ctx: &Context<App>) {
    let link = ctx.link().clone();
    on("dragover", move |event| {
        event.prevent_default();
        link.send_message(Message::Act(Action::Dragging(true)));
    });
    let link = ctx.link().clone();
    on("dragleave", move |event| {
        let event: &web_sys::DragEvent = event.unchecked_ref();
        if event.related_target().is_none() {
            link.send_message(Message::Act(Action::Dragging(false)));
        }
    });
    let link = ctx.link().clone();
    on("drop", move |event| {
        event.prevent_default();
        link.send_message(Message::Act(Action::Dragging(false)));
        let event: &web_sys::DragEvent = event.unchecked_ref();
        let files = event.data_transfer().and_then(|data| data.files());
        match files.and_then(|files| files.get(0)) {
            Some(file) => {
                let name = file.name();
                link.send_message(Message::Chosen(file.into(), name, None, false));
            }
            None => link
                .send_message(Message::Act(Action::Failed("drop a file; what was dropped is none".into()))),
        }
    });
    let link = ctx.link().clone();
    on("paste", move |event| {
        if is_input(event) {
            return;
        }
        let event: &web_sys::ClipboardEvent = event.unchecked_ref();
        let Some(data) = event.clipboard_data() else { return };
        if let Some(file) = data.files().and_then(|files| files.get(0)) {
            let name = file.name();
            link.send_message(Message::Chosen(file.into(), name, None, false));
            return;
        }
        let text = data.get_data("text/plain").unwrap_or_default();
        match crate::text::pasted(&text).and_then(|bytes| blob_of(&bytes, "")) {
            Some(blob) => link.send_message(Message::Chosen(blob, "pasted bytes".into(), None, false)),
            None => {
                let message = "what was pasted is neither hexadecimal nor base64".into();
                link.send_message(Message::Act(Action::Failed(message)));
            }
        }
    });
    let link = ctx.link().clone();
    on("hashchange", move |_| {
        let fragment = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
        link.send_message(Message::Act(Action::Fragment(fragment)));
    });
    let link = ctx.link().clone();
    on("keydown", move |event| {
        let key: &KeyboardEvent = event.unchecked_ref();
        if is_input(event) || key.ctrl_key() || key.meta_key() || key.alt_key() {
            return;
        }
        let action = match key.key().as_str() {
            "?" => Action::Help(true),
            "Escape" => Action::Help(false),
            "g" | "/" => {
                if let Some(input) = element(if key.key() == "g" { "goto" } else { "search-text" }) {
                    event.prevent_default();
                    let _ = input.unchecked_ref::<web_sys::HtmlElement>().focus();
                }
                return;
            }
            "[" => Action::TabMove(-1),
            "]" => Action::TabMove(1),
            _ => return,
        };
        link.send_message(Message::Act(action));
    });
    let link = ctx.link().clone();
    on("resize", move |_| link.send_message(Message::Act(Action::Dragging(false))));
}

fn on(name: &str, handle: impl FnMut(&Event) + 'static) {
    let mut handle = handle;
    let closure = Closure::<dyn FnMut(Event)>::new(move |event: Event| handle(&event));
    if let Some(window) = window() {
        let _ = window.add_event_listener_with_callback(name, closure.as_ref().unchecked_ref());
    }
    closure.forget();
}

fn is_input(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA"))
}

/// The address behind `?src=`, of the same origin; the page's policy forbids others.
fn source() -> Option<String> {
    let query = window()?.location().search().ok()?;
    let value = query.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("src="))?;
    js_sys::decode_uri_component(value).ok().map(String::from)
}

fn fetch_image(ctx: &Context<App>, url: String) {
    let link = ctx.link().clone();
    wasm_bindgen_futures::spawn_local(async move {
        let failed = |what: &str| Message::Act(Action::Failed(format!("{what} cannot be fetched")));
        let message = match fetch(&url).await {
            Some(response) if response.ok() => match response.blob().ok() {
                Some(promise) => match wasm_bindgen_futures::JsFuture::from(promise).await {
                    Ok(blob) => {
                        let name = url.rsplit('/').next().unwrap_or(&url).to_owned();
                        Message::Chosen(blob.unchecked_into(), name, None, false)
                    }
                    Err(_) => failed(&url),
                },
                None => failed(&url),
            },
            _ => failed(&url),
        };
        link.send_message(message);
    });
}

fn load_gallery(ctx: &Context<App>) {
    let link = ctx.link().clone();
    let inline =
        window().and_then(|window| window.document()).and_then(|page| page.get_element_by_id("gallery-data"));
    wasm_bindgen_futures::spawn_local(async move {
        let text = match inline {
            Some(element) => element.text_content(),
            None => fetch_text("./gallery.json").await,
        };
        let list: Option<Vec<Example>> = text.and_then(|text| serde_json::from_str(&text).ok());
        link.send_message(Message::Act(match list {
            Some(list) => Action::Gallery(list),
            None => Action::Failed("the examples cannot be fetched".into()),
        }));
    });
}

async fn fetch(url: &str) -> Option<web_sys::Response> {
    let response = wasm_bindgen_futures::JsFuture::from(window()?.fetch_with_str(url)).await.ok()?;
    response.dyn_into().ok()
}

async fn fetch_text(url: &str) -> Option<String> {
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

fn download(name: &str, mime: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let blob = blob_of(bytes, mime).ok_or(JsValue::NULL)?;
    let url = web_sys::Url::create_object_url_with_blob(&blob)?;
    let page = window().and_then(|window| window.document()).ok_or(JsValue::NULL)?;
    let anchor: web_sys::HtmlAnchorElement = page.create_element("a")?.unchecked_into();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    web_sys::Url::revoke_object_url(&url)
}

fn theme(dark: Option<bool>) {
    if let Some(root) = window().and_then(|window| window.document()).and_then(|page| page.document_element())
    {
        let _ = match dark {
            Some(dark) => root.set_attribute("data-theme", if dark { "dark" } else { "light" }),
            None => root.remove_attribute("data-theme"),
        };
    }
}

fn remembered(key: &str) -> Option<String> {
    window()?.local_storage().ok()??.get_item(key).ok()?
}

fn remember(key: &str, value: Option<&str>) {
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
fn soon(what: impl FnOnce() + 'static) {
    let closure = Closure::once_into_js(what);
    if let Some(window) = window() {
        let _ = window.request_animation_frame(closure.unchecked_ref());
    }
}

fn element(id: &str) -> Option<web_sys::Element> {
    window()?.document()?.get_element_by_id(id)
}

fn window() -> Option<web_sys::Window> {
    web_sys::window()
}
