//! The page: passes what happens to the state, and does what the state says.

mod hire;
mod listen;
mod source;

use crate::browser::{
    blob_of, download, element, put_address, remember, remembered, set_property, soon, theme, window,
};
use crate::components::{self, Chosen, Link, Message};
use crate::proto::Request;
use crate::state::{
    Command, Panes, ROW_PX, Scroll, State, TREE_ROW_PX, chrome, compare, goto, hex, image, places,
};
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
    /// What is compared with the image that is being opened.
    beside: Option<Chosen>,
    /// What was pasted while an image is open.
    offered: Option<Chosen>,
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
            beside: None,
            offered: None,
            kept: Vec::new(),
        };
        listen::listen(&app.link);
        app.state.chrome.recent =
            remembered("stasis-recent").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        app.state.chrome.dark = remembered("stasis-theme").map(|text| text == "dark");
        theme(app.state.chrome.dark);
        app.state.panes =
            remembered("stasis-panes").and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        resize(&app.state.panes);
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
            Message::Chosen(chosen) => self.take(chosen),
            Message::Pair(older, newer) => {
                let mut commands = self.take(older);
                self.beside = Some(newer);
                commands.extend(self.state.reduce(image::Action::Beside));
                commands
            }
            Message::Offered(chosen) if self.state.image.opened.is_none() => self.take(chosen),
            Message::Offered(chosen) => {
                let name = chosen.name.clone();
                self.offered = Some(chosen);
                self.state.reduce(chrome::Action::Offer(name))
            }
            Message::Pasted(text) => self.pasted(&text),
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
    /// A file was chosen.
    fn take(&mut self, chosen: Chosen) -> Vec<Command> {
        self.chosen = Some(chosen.blob);
        let (name, kernel) = (chosen.name, chosen.kernel);
        match chosen.compare {
            true => self.state.reduce(compare::Action::With(name)),
            false => self.state.reduce(image::Action::Open { name, kernel, url: None }),
        }
    }

    /// Text was pasted: only an image is opened, and in place of another only when the person says so; everything else
    /// is somewhere to go to.
    fn pasted(&mut self, text: &str) -> Vec<Command> {
        let bytes = crate::text::pasted(text);
        let is_open = self.state.image.opened.is_some();
        match bytes.filter(|bytes| !is_open || crate::text::is_image(bytes)) {
            Some(bytes) => {
                if let Some(chosen) = Chosen::bytes(&bytes, "pasted bytes", None) {
                    self.link.send(Message::Offered(chosen));
                }
                Vec::new()
            }
            None if is_open => self.state.reduce(goto::Action::Wish(text.to_owned())),
            None => {
                let told = "what was pasted is neither hexadecimal nor base64".into();
                self.state.reduce(chrome::Action::Failed(told))
            }
        }
    }

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
            Command::ShowRow { list, row } => {
                let (start, end) = components::row_px(row);
                soon(move || show_rows(list, row, end - start));
            }
            Command::ShowFinding(row) => soon(move || show_rows("findings", row, components::FINDING_PX)),
            Command::TakeOffer(yes) => {
                if let Some(chosen) = self.offered.take().filter(|_| yes) {
                    self.link.send(Message::Chosen(chosen));
                }
            }
            Command::CompareBeside => {
                if let Some(chosen) = self.beside.take() {
                    self.link.send(Message::Chosen(chosen));
                }
            }
            Command::Sizes(panes) => {
                resize(&panes);
                remember("stasis-panes", serde_json::to_string(&panes).ok().as_deref());
            }
            Command::NewWorker => {
                if let Some(worker) = self.worker.take() {
                    worker.set_onmessage(None);
                    worker.terminate();
                }
                self.waiting.clear();
            }
            Command::Title(name) => {
                if let Some(page) = window().and_then(|window| window.document()) {
                    page.set_title(&format!("{name} – Stasis inspector"));
                }
            }
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

/// Scrolls a list just so far that a row of it is in view.
fn show_rows(list: &str, row: u32, height: f64) {
    let Some(list) = element(list) else { return };
    let (top, view) = (f64::from(list.scroll_top()), f64::from(list.client_height()));
    let (start, end) = (f64::from(row) * height, f64::from(row + 1) * height);
    if start < top {
        list.set_scroll_top(start as i32);
    } else if end > top + view {
        list.set_scroll_top((end - view).ceil() as i32);
    }
}

/// Gives the style sheet the sizes. By this way, because the policy of the page forbids styles in attributes.
fn resize(panes: &Panes) {
    let sizes =
        [("--tree", panes.tree), ("--hex-width", panes.hex_width), ("--hex-height", panes.hex_height)];
    for (name, px) in sizes {
        set_property(name, px.map(|px| format!("{px}px")).as_deref());
    }
}
