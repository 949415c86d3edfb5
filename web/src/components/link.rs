//! How the views tell the page what a person does. The page gives them this, so that they need not know the page.

use crate::browser;
use crate::state::Action;
use wasm_bindgen::JsCast;
use web_sys::{Blob, HtmlInputElement, InputEvent, KeyboardEvent};
use yew::{Callback, Html, TargetCast, html};

/// What comes to the page.
#[derive(Debug)]
pub enum Message {
    /// Something happened.
    Act(Action),
    /// A file was chosen, to be opened or compared.
    Chosen(Chosen),
    /// Two were chosen: the older is opened and compared with the other.
    Pair(Chosen, Chosen),
    /// An image came that nobody asked for: it is opened at once only if none is open.
    Offered(Chosen),
    /// Text was pasted outside of any field.
    Pasted(String),
}

impl<A: Into<Action>> From<A> for Message {
    fn from(action: A) -> Self {
        Self::Act(action.into())
    }
}

/// A file that was chosen.
#[derive(Debug)]
pub struct Chosen {
    /// The file.
    pub blob: Blob,
    /// Name of it.
    pub name: String,
    /// Kernel that it is judged against, if not its own.
    pub kernel: Option<String>,
    /// Whether it is compared with the open one in place of being opened.
    pub compare: bool,
}

impl Chosen {
    /// A file of this machine.
    pub fn file(file: web_sys::File, compare: bool) -> Self {
        // What a file is called is as little to be trusted as what is in it.
        let name = stasis_format::show::escape(file.name().as_bytes());
        Self { blob: file.into(), name, kernel: None, compare }
    }

    /// Bytes under a name, to be opened.
    pub fn bytes(bytes: &[u8], name: &str, kernel: Option<String>) -> Option<Self> {
        let blob = browser::blob_of(bytes, "")?;
        Some(Self { blob, name: name.to_owned(), kernel, compare: false })
    }
}

/// Where messages go, several at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Link(Callback<Vec<Message>>);

impl Link {
    /// That leads there.
    pub fn new(to: Callback<Vec<Message>>) -> Self {
        Self(to)
    }

    /// Tells something.
    pub fn send(&self, message: impl Into<Message>) {
        self.0.emit(vec![message.into()]);
    }

    /// A callback that tells what the function makes of an event.
    pub fn callback<E: 'static, M: Into<Message>>(&self, of: impl Fn(E) -> M + 'static) -> Callback<E> {
        let to = self.0.clone();
        Callback::from(move |event| to.emit(vec![of(event).into()]))
    }

    /// The same for none or several.
    pub fn batch<E: 'static, I>(&self, of: impl Fn(E) -> I + 'static) -> Callback<E>
    where
        I: IntoIterator<Item: Into<Message>>,
    {
        let to = self.0.clone();
        Callback::from(move |event| {
            let messages: Vec<Message> = of(event).into_iter().map(Into::into).collect();
            if !messages.is_empty() {
                to.emit(messages);
            }
        })
    }
}

/// A callback that does this.
pub fn act<E: 'static>(link: &Link, action: impl Into<Action> + Clone + 'static) -> Callback<E> {
    link.callback(move |_: E| action.clone().into())
}

/// A callback with what is typed.
pub fn typed<A: Into<Action> + 'static>(link: &Link, action: fn(String) -> A) -> Callback<InputEvent> {
    link.callback(move |event: InputEvent| {
        let input: HtmlInputElement = event.target_unchecked_into();
        action(input.value()).into()
    })
}

/// A callback with what stands in an input when Enter is pressed.
pub fn entered<A: Into<Action> + 'static>(link: &Link, action: fn(String) -> A) -> Callback<KeyboardEvent> {
    link.batch(move |event: KeyboardEvent| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        (event.key() == "Enter").then(|| action(input.value()).into())
    })
}

/// A callback with the files chosen: one, or two to be compared.
pub fn chosen(link: &Link, compare: bool) -> Callback<web_sys::Event> {
    link.batch(move |event: web_sys::Event| {
        let input: HtmlInputElement = event.target()?.dyn_into().ok()?;
        let files = input.files()?;
        let message = match compare {
            true => Message::Chosen(Chosen::file(files.get(0)?, true)),
            false => of_files(&files)?,
        };
        input.set_value("");
        Some(message)
    })
}

/// What to do with files that came together.
pub fn of_files(files: &web_sys::FileList) -> Option<Message> {
    let first = files.get(0)?;
    let Some(second) = files.get(1) else { return Some(Message::Chosen(Chosen::file(first, false))) };
    if files.length() > 2 {
        let told = format!("{} files came; choose one to open, or two to compare", files.length());
        return Some(crate::state::chrome::Action::Failed(told).into());
    }
    let in_order = first.last_modified() <= second.last_modified();
    let (older, newer) = if in_order { (first, second) } else { (second, first) };
    Some(Message::Pair(Chosen::file(older, false), Chosen::file(newer, true)))
}

/// A link to a byte of the file.
pub fn offset(link: &Link, at: u64) -> Html {
    let go = act(link, crate::state::record::Action::GoTo(at));
    html! { <button class="link mono" title="Go to this byte" onclick={go}>{ format!("{at:#x}") }</button> }
}
