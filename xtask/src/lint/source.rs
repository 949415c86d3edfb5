//! The Rust files of a package as tokens, without what is compiled for tests only: comments, strings and macros do not
//! mislead those who look for something in them.

use anyhow::{Context as _, Result, anyhow};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::fs;
use std::path::{Path, PathBuf};

/// One file, as the module that it is.
#[derive(Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// The module, from the root of its package; empty for the root itself.
    pub module: Vec<String>,
    /// What stands in it, tests left out.
    pub tokens: Vec<TokenTree>,
}

/// All files below `package/src`.
pub fn read(package: &str) -> Result<Vec<Source>> {
    let root = Path::new(package).join("src");
    let mut out = Vec::new();
    walk(&root, &mut |path| {
        let below = path.strip_prefix(&root)?.with_extension("");
        let mut module: Vec<String> =
            below.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        if module.iter().any(|name| name == "tests") {
            return Ok(());
        }
        module.pop_if(|name| name == "mod");
        if module.len() == 1 {
            module.pop_if(|name| name == "lib" || name == "main");
        }
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let tokens: TokenStream = text.parse().map_err(|e| anyhow!("{}: {e}", path.display()))?;
        out.push(Source { path: path.to_owned(), module, tokens: without_tests(tokens) });
        Ok(())
    })?;
    out.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(out)
}

fn walk(dir: &Path, each: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, each)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path)?;
        }
    }
    Ok(())
}

/// Leaves out attributes, doc comments among them, and items under `#[cfg(test)]`.
pub fn without_tests(tokens: TokenStream) -> Vec<TokenTree> {
    let mut out = Vec::new();
    let mut rest = tokens.into_iter().peekable();
    while let Some(token) = rest.next() {
        if !is_punct(&token, '#') {
            out.push(token);
            continue;
        }
        rest.next_if(|token| is_punct(token, '!'));
        let attribute =
            rest.next_if(|token| matches!(token, TokenTree::Group(g) if g.delimiter() == Delimiter::Bracket));
        if attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]") {
            // The item ends with its first block, or without one.
            for token in rest.by_ref() {
                let is_block = matches!(&token, TokenTree::Group(g) if g.delimiter() == Delimiter::Brace);
                if is_block || is_punct(&token, ';') {
                    break;
                }
            }
        }
    }
    out
}

/// Whether the token is this sign.
pub fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
