//! The page: passes what happens to the state, and does what the state says.

mod hire;
mod listen;
mod source;

use crate::browser::{blob_of, download, element, put_address, remember, remembered, soon, theme, window};
use crate::components::{self, Link, Message};
use crate::proto::Request;
use crate::state::{Command, ROW_PX, Scroll, State, TREE_ROW_PX, chrome, compare, hex, image, places};
use js_sys::Array;
use wasm_bindgen::prelude::JsValue;
use web_sys::{Blob, Worker};
use yew::{Component, Context, Html};

/// The whole page.
#[derive(Debug)]
pub struct App {
    state: State,
    link: Link,
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
        let link = Link::new(ctx.link().batch_callback(|messages: Vec<Message>| messages));
        let mut app = Self {
            state: State::default(),
            link,
            worker: None,
            waiting: Vec::new(),
            chosen: None,
            kept: Vec::new(),
        };
        listen::listen(&app.link);
        app.state.chrome.recent =
            remembered("stasis-recent").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        app.state.chrome.dark = remembered("stasis-theme").map(|text| text == "dark");
        theme(app.state.chrome.dark);
        let fragment = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
        app.state.reduce(places::Action::Fragment(fragment));
        match source::source() {
            Some(Ok((url, name))) => {
                app.link.send(image::Action::Open { name, kernel: None, url: Some(url) });
            }
            Some(Err(what)) => app.link.send(chrome::Action::Failed(what)),
            None => {}
        }
        app
    }

    fn update(&mut self, _: &Context<Self>, message: Message) -> bool {
        let commands = match message {
            Message::Chosen(chosen) => {
                self.chosen = Some(chosen.blob);
                let (name, kernel) = (chosen.name, chosen.kernel);
                match chosen.compare {
                    true => self.state.reduce(compare::Action::With(name)),
                    false => self.state.reduce(image::Action::Open { name, kernel, url: None }),
                }
            }
            Message::Act(action) => {
                let was_ready = self.state.chrome.ready;
                let commands = self.state.reduce(action);
                if self.state.chrome.ready && !was_ready {
                    for (request, blob) in std::mem::take(&mut self.waiting) {
                        self.ask(&request, blob);
                    }
                }
                commands
            }
        };
        for command in commands {
            self.carry_out(command);
        }
        true
    }

    fn view(&self, _: &Context<Self>) -> Html {
        components::page(&self.state, &self.link)
    }

    fn rendered(&mut self, _: &Context<Self>, _first: bool) {
        if let Some(hex) = element("hex-scroll") {
            let rows = (f64::from(hex.client_height()) / ROW_PX).ceil() as u32;
            if rows > 0 && rows != self.state.hex.visible {
                self.link.send(hex::Action::Resized { rows });
            }
        }
    }
}

impl App {
    fn carry_out(&mut self, command: Command) {
        match command {
            Command::Ask(request) => self.ask(&request, None),
            Command::Attach(request) => {
                let blob = self.chosen.take();
                self.ask(&request, blob);
            }
            // The element may not have its new height before the page is drawn.
            Command::ScrollHex(px) => soon(move || {
                if let Some(hex) = element("hex-scroll") {
                    hex.set_scroll_top(px as i32);
                }
            }),
            Command::ScrollTree(row) => {
                let scroll = self.state.tree.scroll();
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
                deliver(&self.link, whole.and_then(|blob| download(&name, &blob)));
            }
            Command::Download { name, mime, bytes } => {
                let whole = blob_of(&bytes, &mime).ok_or(JsValue::NULL);
                deliver(&self.link, whole.and_then(|blob| download(&name, &blob)));
            }
            Command::LoadGallery => source::load_gallery(&self.link),
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
    fn ask(&mut self, request: &Request, blob: Option<Blob>) {
        if self.worker.is_none() && self.state.chrome.crashed.is_none() {
            self.worker = hire::hire(&self.link);
            if self.worker.is_none() {
                self.state.chrome.crashed =
                    Some("the browser cannot start the worker that reads files".into());
            }
        }
        let Some(worker) = self.worker.as_ref().filter(|_| self.state.chrome.ready) else {
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

fn deliver(link: &Link, done: Result<(), JsValue>) {
    if done.is_err() {
        let message = "the browser does not save the file".into();
        link.send(chrome::Action::Failed(message));
    }
}
