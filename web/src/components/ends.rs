//! Text of which the end is seen however narrow it is drawn: the end of a path tells files apart, and it is what a
//! browser cuts.

use yew::{Html, html};

/// A last component that is longer is no end any more.
const MOST: usize = 40;

/// The text; its middle gives way.
pub fn ends(text: &str) -> Html {
    let (head, tail) = split(text);
    html! { <span class="ends-text" title={text.to_owned()}><span>{ head }</span><span>{ tail }</span></span> }
}

/// What stands in front of the last component of a path, and that. Where there is none the beginning tells most.
fn split(text: &str) -> (&str, &str) {
    let slash = text.rfind('/').filter(|at| text.get(*at..).is_some_and(|tail| tail.chars().count() <= MOST));
    text.split_at(slash.filter(|at| *at > 0).unwrap_or(text.len()))
}
