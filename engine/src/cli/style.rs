//! Colours, on terminals that want them.

use std::io::IsTerminal as _;

/// Whether what is printed may have colours: on a terminal, unless `NO_COLOR` is set (no-color.org).
#[derive(Debug, Clone, Copy)]
pub struct Style {
    coloured: bool,
}

impl Style {
    /// Bold.
    pub const HEAD: &str = "1";
    /// Less than the rest.
    pub const DIM: &str = "2";
    /// As it should be.
    pub const GOOD: &str = "32";
    /// Not quite.
    pub const WARN: &str = "33";
    /// Wrong.
    pub const BAD: &str = "31";

    /// For stdout.
    pub fn of_stdout() -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let able = std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { coloured: wanted && able && std::io::stdout().is_terminal() }
    }

    /// Without colours.
    #[cfg(test)]
    pub fn plain() -> Self {
        Self { coloured: false }
    }

    /// Text in a colour (SGR parameters of ECMA-48).
    pub fn paint(self, colour: &str, text: &str) -> String {
        if self.coloured && !text.is_empty() {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}
