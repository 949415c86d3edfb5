//! Gives the shared library the name by which programs that are linked with it find it, of the version whose interface they
//! know: cargo itself gives none.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,libstasis.so.0");
}
