//! The page.

fn main() {
    #[cfg(target_arch = "wasm32")]
    stasis_web::app::start();
}
