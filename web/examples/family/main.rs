//! Writes an image of a process tree into a file, for the tests of the inspector: `cargo run -p stasis-web --example
//! family FILE`.

mod image;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("name the file to write")?;
    Ok(std::fs::write(path, image::family(&image::Scene::default())?)?)
}
