//! What happens anywhere on the page: files dropped or pasted, keys, the address, the size.

use crate::browser::{focus, is_input, on, soon, window};
use crate::components::{Chosen, Link, Message, of_files};
use crate::state::{Action, Tab, chrome, findings, places, search, tab};
use wasm_bindgen::JsCast;
use web_sys::KeyboardEvent;

/// What happens anywhere on the page: files dropped or pasted, keys, the address, the size.
pub fn listen(to: &Link) {
    let link = to.clone();
    on("dragover", move |event| {
        event.prevent_default();
        link.send(chrome::Action::Dragging(true));
    });
    let link = to.clone();
    on("dragleave", move |event| {
        let event: &web_sys::DragEvent = event.unchecked_ref();
        if event.related_target().is_none() {
            link.send(chrome::Action::Dragging(false));
        }
    });
    let link = to.clone();
    on("drop", move |event| {
        event.prevent_default();
        link.send(chrome::Action::Dragging(false));
        let event: &web_sys::DragEvent = event.unchecked_ref();
        let data = event.data_transfer();
        // A directory comes as a file that cannot be read.
        let item = data.as_ref().and_then(|data| data.items().get(0));
        let entry = item.and_then(|item| item.webkit_get_as_entry().ok().flatten());
        let files = data.and_then(|data| data.files());
        let message = match entry.filter(web_sys::FileSystemEntry::is_directory) {
            Some(entry) => failed(format!("{} is a directory; drop the image itself", entry.name())),
            None => files
                .as_ref()
                .and_then(of_files)
                .unwrap_or_else(|| failed("drop a file; what was dropped is none")),
        };
        link.send(message);
    });
    let link = to.clone();
    on("paste", move |event| {
        if is_input(event) {
            return;
        }
        let event: &web_sys::ClipboardEvent = event.unchecked_ref();
        let Some(data) = event.clipboard_data() else { return };
        if let Some(file) = data.files().and_then(|files| files.get(0)) {
            link.send(Message::Offered(Chosen::file(file, false)));
            return;
        }
        event.prevent_default();
        link.send(Message::Pasted(data.get_data("text/plain").unwrap_or_default()));
    });
    let link = to.clone();
    on("hashchange", move |_| {
        let fragment = window().and_then(|window| window.location().hash().ok()).unwrap_or_default();
        link.send(places::Action::Fragment(fragment));
    });
    let link = to.clone();
    on("keydown", move |event| {
        let key: &KeyboardEvent = event.unchecked_ref();
        if key.key() == "Escape" {
            link.send(chrome::Action::Close);
            return;
        }
        if key.key() == "F3" {
            event.prevent_default();
            link.send(search::Action::Move(if key.shift_key() { -1 } else { 1 }));
            return;
        }
        if is_input(event) || key.ctrl_key() || key.meta_key() || key.alt_key() {
            return;
        }
        let action = match key.key().as_str() {
            "?" => Action::from(chrome::Action::Help(true)),
            "g" => {
                event.prevent_default();
                focus("goto");
                return;
            }
            "n" => findings::Action::Move(1).into(),
            "p" => findings::Action::Move(-1).into(),
            "/" => {
                event.prevent_default();
                // The tab has to be drawn first.
                soon(|| focus("search-text"));
                tab::Action::Show(Tab::Search).into()
            }
            "[" => tab::Action::Move(-1).into(),
            "]" => tab::Action::Move(1).into(),
            _ => return,
        };
        link.send(action);
    });
    let link = to.clone();
    on("resize", move |_| link.send(chrome::Action::Dragging(false)));
}

fn failed(what: impl Into<String>) -> Message {
    chrome::Action::Failed(what.into()).into()
}
