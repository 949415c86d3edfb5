//! What the page looks like, one view a file. Views are functions of the state; what a person does becomes an action.

mod compare;
mod ends;
mod fields;
mod files;
mod findings;
mod goto;
mod hexview;
mod inspector;
mod landing;
mod link;
mod list;
mod memory;
mod middle;
mod notices;
mod search;
mod signals;
mod split;
mod strip;
mod subject;
mod tasks;
mod top;
mod tree;
mod verdict;

pub use findings::FINDING_PX;
pub use link::{Chosen, Link, Message, of_files};
pub use list::row_px;

use crate::state::State;
use yew::{Html, classes, html};

/// The whole page.
pub fn page(state: &State, link: &Link) -> Html {
    html! {
        <div class={classes!("page", state.chrome.dragging.then_some("dragging"))}>
            { top::view(state, link) }
            <div class="said" role="status" aria-live="polite">{ &state.chrome.said }</div>
            { notices::view(state, link) }
            { match &state.image.opened {
                Some(image) => html! {
                    <main class="work" key="work">
                        { verdict::view(state, image, link) }
                        { findings::view(state, image, link) }
                        <div class="panes">
                            { tree::view(state, link) }
                            { split::tree(state, link) }
                            { middle::view(state, link) }
                            { split::hex(state, link) }
                            { hexview::view(state, link) }
                        </div>
                    </main>
                },
                None => landing::view(state, link),
            } }
            <div class="drop" aria-hidden="true"><p>{ "Drop to open. The file stays on this machine." }</p></div>
        </div>
    }
}
