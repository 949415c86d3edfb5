//! Text of which the end is seen however narrow it is drawn: the end of a path tells files apart, and it is what a
//! browser cuts.

use yew::{Html, html};

/// Characters of the end that are kept where there is no path.
const TAIL: usize = 14;
/// A last component that is longer is no end any more.
const MOST: usize = 40;

/// The text; its middle gives way.
pub fn ends(text: &str) -> Html {
    let (head, tail) = split(text);
    html! { <span class="ends-text" title={text.to_owned()}><span>{ head }</span><span>{ tail }</span></span> }
}

fn split(text: &str) -> (&str, &str) {
    let count = text.chars().count();
    let from =
        |chars: usize| text.char_indices().nth(count - chars.min(count)).map_or(text.len(), |(at, _)| at);
    let slash = text.rfind('/').filter(|at| text.get(*at..).is_some_and(|tail| tail.chars().count() <= MOST));
    let at = slash.unwrap_or_else(|| if count <= 2 * TAIL { 0 } else { from(TAIL) });
    let (head, tail) = text.split_at(at);
    // Short text is its own end.
    if head.is_empty() { (tail, "") } else { (head, tail) }
}
