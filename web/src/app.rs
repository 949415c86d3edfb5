//! The page: passes what happens to the state, and does what the state says.

use crate::components;
use crate::proto::{Reply, Request};
use crate::state::{Action, Command, Example, Scroll, State, TREE_ROW_PX, Tab};
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
    /// Pieces of what is being saved; the browser may put them on disk.
    kept: Vec<Blob>,
}

/// Puts the page up.
pub fn start() {
    yew::Renderer::<App>::new().render();
}

impl Component for App {
    type Message = Message;
    type Properties = ();

    fn create(ctx: &Context<Self>) -> Self {
        let mut app = Self {
            state: State::default(),
            worker: None,
            waiting: Vec::new(),
            chosen: None,
            kept: Vec::new(),
        };
        listen(ctx);
        app.state.recent =
            remembered("stasis-recent").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        app.state.dark = remembered("stasis-theme").map(|text| text == "dark");
        theme(app.state.dark);
        let fragment = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
        app.state.reduce(Action::Fragment(fragment));
        match source() {
            Some(Ok((url, name))) => {
                ctx.link().send_message(Message::Act(Action::Open { name, kernel: None, url: Some(url) }));
            }
            Some(Err(what)) => ctx.link().send_message(Message::Act(Action::Failed(what))),
            None => {}
        }
        app
    }

    fn update(&mut self, ctx: &Context<Self>, message: Message) -> bool {
        let commands = match message {
            Message::Chosen(blob, name, kernel, compare) => {
                self.chosen = Some(blob);
                self.state.reduce(if compare {
                    Action::Compare(name)
                } else {
                    Action::Open { name, kernel, url: None }
                })
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
            Command::ScrollTree(row) => {
                let scroll = self.state.tree_scroll();
                soon(move || {
                    if let Some(tree) = element("tree-scroll") {
                        let visible = (f64::from(tree.client_height()) / TREE_ROW_PX).ceil() as u32;
                        tree.set_scroll_top(Scroll { visible, ..scroll }.px(row) as i32);
                    }
                });
            }
            Command::ShowRow { list, row } => soon(move || {
                let Some(list) = element(list) else { return };
                let (top, view) = (f64::from(list.scroll_top()), f64::from(list.client_height()));
                let (start, end) = components::row_px(row);
                if start < top {
                    list.set_scroll_top(start as i32);
                } else if end > top + view {
                    list.set_scroll_top((end - view).ceil() as i32);
                }
            }),
            Command::Address { place, push } => put_address(&format!("#{place}"), push),
            Command::Keep { first, bytes } => {
                if first {
                    self.kept.clear();
                }
                self.kept.extend(blob_of(&bytes, ""));
            }
            Command::Deliver(name) => {
                let parts: Array = std::mem::take(&mut self.kept).iter().collect();
                let whole = Blob::new_with_blob_sequence(&parts);
                deliver(ctx, whole.and_then(|blob| download(&name, &blob)));
            }
            Command::Download { name, mime, bytes } => {
                let whole = blob_of(&bytes, &mime).ok_or(JsValue::NULL);
                deliver(ctx, whole.and_then(|blob| download(&name, &blob)));
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

/// Starts the worker from a script made here, because such a one is under the policy of this page and one from its own
/// file is not: what keeps the page from sending anything keeps the worker too.
fn hire(ctx: &Context<App>) -> Option<Worker> {
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
    if alone.is_some() {
        worker.post_message(&given("stasisWorkerWasm")?).ok()?;
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
        let data = event.data_transfer();
        // A directory comes as a file that cannot be read.
        let item = data.as_ref().and_then(|data| data.items().get(0));
        let entry = item.and_then(|item| item.webkit_get_as_entry().ok().flatten());
        let message = match data.and_then(|data| data.files()).and_then(|files| files.get(0)) {
            Some(file) if entry.is_some_and(|entry| entry.is_directory()) => {
                Message::Act(Action::Failed(format!("{} is a directory; drop the image itself", file.name())))
            }
            Some(file) => {
                let name = file.name();
                Message::Chosen(file.into(), name, None, false)
            }
            None => Message::Act(Action::Failed("drop a file; what was dropped is none".into())),
        };
        link.send_message(message);
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
            "g" => {
                event.prevent_default();
                focus("goto");
                return;
            }
            "/" => {
                event.prevent_default();
                // The tab has to be drawn first.
                soon(|| focus("search-text"));
                Action::Tab(Tab::Search)
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

fn focus(id: &str) {
    if let Some(input) = element(id) {
        let _ = input.unchecked_ref::<web_sys::HtmlElement>().focus();
    }
}

fn is_input(event: &Event) -> bool {
    let target = event.target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    target.is_some_and(|element| matches!(element.tag_name().as_str(), "INPUT" | "SELECT" | "TEXTAREA"))
}

/// The address behind `?src=` and a name for what is there, or why it is not taken.
fn source() -> Option<Result<(String, String), String>> {
    let location = window()?.location();
    let query = location.search().ok()?;
    let value = query.trim_start_matches('?').split('&').find_map(|pair| pair.strip_prefix("src="))?;
    let value = String::from(js_sys::decode_uri_component(value).ok()?);
    let url = web_sys::Url::new_with_base(&value, &location.href().ok()?).ok();
    let Some(url) = url.filter(|url| matches!(url.protocol().as_str(), "http:" | "https:")) else {
        return Some(Err(format!("{value} is no address that an image can be fetched from")));
    };
    let path = url.pathname();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let name = js_sys::decode_uri_component(name).map_or_else(|_| name.to_owned(), String::from);
    Some(Ok((url.href(), name)))
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

fn deliver(ctx: &Context<App>, done: Result<(), JsValue>) {
    if done.is_err() {
        let message = "the browser does not save the file".into();
        ctx.link().send_message(Message::Act(Action::Failed(message)));
    }
}

fn download(name: &str, blob: &Blob) -> Result<(), JsValue> {
    let url = web_sys::Url::create_object_url_with_blob(blob)?;
    let page = window().and_then(|window| window.document()).ok_or(JsValue::NULL)?;
    let anchor: web_sys::HtmlAnchorElement = page.create_element("a")?.unchecked_into();
    anchor.set_href(&url);
    anchor.set_download(name);
    anchor.click();
    web_sys::Url::revoke_object_url(&url)
}

fn put_address(place: &str, push: bool) {
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
