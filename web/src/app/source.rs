//! Where an image or the examples are, other than in a file that is chosen.

use crate::browser::{fetch_text, window};
use crate::components::Link;
use crate::state::gallery::{self, Example};
use crate::state::{Action, chrome};

/// The address behind `?src=` and a name for what is there, or why it is not taken.
pub fn source() -> Option<Result<(String, String), String>> {
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
    Some(Ok((url.href(), stasis_format::show::escape(name.as_bytes()))))
}

/// Fetches the examples.
pub fn load_gallery(link: &Link) {
    let link = link.clone();
    let inline =
        window().and_then(|window| window.document()).and_then(|page| page.get_element_by_id("gallery-data"));
    wasm_bindgen_futures::spawn_local(async move {
        let text = match inline {
            Some(element) => element.text_content(),
            None => fetch_text("./gallery.json").await,
        };
        let list: Option<Vec<Example>> = text.and_then(|text| serde_json::from_str(&text).ok());
        link.send(match list {
            Some(list) => Action::from(gallery::Action::Came(list)),
            None => chrome::Action::Failed("the examples cannot be fetched".into()).into(),
        });
    });
}
