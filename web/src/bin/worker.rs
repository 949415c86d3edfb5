//! The worker that reads the image.

fn main() {
    #[cfg(target_arch = "wasm32")]
    stasis_web::worker::start();
}
