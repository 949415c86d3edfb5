//! The files of the inspector, in the binary.

/// A table of names and contents.
pub type Assets = &'static [(&'static str, &'static [u8])];

/// The inspector, if this build has it in it (feature `viewer`).
#[cfg(feature = "viewer")]
pub const EMBEDDED: Option<Assets> = Some(include!(concat!(env!("OUT_DIR"), "/inspector.rs")));
/// The inspector, if this build has it in it (feature `viewer`).
#[cfg(not(feature = "viewer"))]
pub const EMBEDDED: Option<Assets> = None;

/// The file of this name.
pub fn find(assets: Assets, name: &str) -> Option<&'static [u8]> {
    assets.iter().find(|(own, _)| *own == name).map(|(_, bytes)| *bytes)
}

/// What a browser has to be told a file is; it takes scripts and WebAssembly under no other name.
pub fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript",
        "css" => "text/css",
        "wasm" => "application/wasm",
        "json" => "application/json",
        _ => "application/octet-stream",
    }
}
