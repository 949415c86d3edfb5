//! Finds modules that import each other in a circle.
//!
//! A circle is among siblings: modules, or folders of modules, of one folder. What a folder has with its own modules -
//! declaring and gathering them, giving them a trait - is none. Paths that begin with `crate`, `super` or the name of the
//! package's own library are followed, in `use` as elsewhere.

use super::source::{Source, is_punct, without_tests};
use proc_macro2::{Delimiter, TokenTree};
use std::collections::{BTreeMap, BTreeSet};

/// Circles that are there still: package and folder, and the modules in it. The list may only become shorter; an entry that
/// is no circle any more, or a smaller one, is an error too.
const KNOWN: &[(&str, &[&str])] = &[
    // What a checkpoint is told to leave out, areas and errors that every kind has, the files that rights are about.
    ("engine", &["checkpoint", "kinds", "memory", "rights"]),
    // The registry of what a task has lists its descriptor table; directories are files.
    ("engine/kinds", &["fd", "task"]),
    // Areas say which pages count, pages ask what an area is.
    ("engine/memory", &["areas", "pages"]),
    // A restart gives the program that it brought back, which can be checkpointed again.
    ("tests", &["engine", "program"]),
];

/// Where one module names another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    file: String,
    line: usize,
    names: String,
}

/// By folder: which of its modules name which other, and where.
type Graph = BTreeMap<String, BTreeMap<(String, String), BTreeSet<Place>>>;

/// The circles of a package that are not known, and known ones that are none, as sentences.
pub fn find(package: &str, sources: &[Source]) -> Vec<String> {
    let known: Vec<_> = KNOWN
        .iter()
        .filter(|(folder, _)| {
            *folder == package || folder.strip_prefix(package).is_some_and(|r| r.starts_with('/'))
        })
        .collect();
    let mut met = vec![false; known.len()];
    let mut out = Vec::new();
    for (folder, edges) in graph(package, sources) {
        for circle in circles(&edges) {
            let is_known = |(at, modules): &(&str, &[&str])| {
                *at == folder
                    && modules.len() == circle.len()
                    && modules.iter().all(|name| circle.contains(*name))
            };
            if let Some(at) = known.iter().position(|entry| is_known(entry)) {
                met[at] = true;
                continue;
            }
            let names: Vec<&str> = circle.iter().map(String::as_str).collect();
            let mut text = format!("{folder}: {} import each other in a circle", names.join(", "));
            for ((from, to), places) in &edges {
                if circle.contains(from) && circle.contains(to) {
                    for place in places {
                        text.push_str(&format!(
                            "\n    {from} -> {to}: {}:{} names {}",
                            place.file, place.line, place.names
                        ));
                    }
                }
            }
            out.push(text);
        }
    }
    for ((folder, modules), _) in known.iter().zip(met).filter(|(_, met)| !met) {
        out.push(format!(
            "{folder}: {} are no circle, or another one now: take them off the list in xtask/src/lint/circles.rs",
            modules.join(", ")
        ));
    }
    out
}

fn graph(package: &str, sources: &[Source]) -> Graph {
    let modules: BTreeSet<&[String]> = sources.iter().map(|source| source.module.as_slice()).collect();
    let library = format!("stasis_{}", package.rsplit('/').next().unwrap_or(package));
    let mut graph = Graph::new();
    for source in sources {
        let mut paths = Vec::new();
        gather(&source.tokens, &source.module, &library, &mut paths);
        for (line, path) in paths {
            // The module that the path leads into; what is behind it is an item.
            let Some(to) = (0..=path.len()).rev().find_map(|len| modules.get(&path[..len])) else { continue };
            let from = source.module.as_slice();
            let common = from.iter().zip(to.iter()).take_while(|(a, b)| a == b).count();
            let (Some(a), Some(b)) = (from.get(common), to.get(common)) else { continue };
            let folder = std::iter::once(package).chain(from[..common].iter().map(String::as_str));
            let folder = folder.collect::<Vec<_>>().join("/");
            let place = Place { file: source.path.display().to_string(), line, names: path.join("::") };
            graph.entry(folder).or_default().entry((a.clone(), b.clone())).or_default().insert(place);
        }
    }
    graph
}

/// All paths into the package, each from its root, with their lines. `here` is the module that the tokens stand in.
fn gather(tokens: &[TokenTree], here: &[String], library: &str, out: &mut Vec<(usize, Vec<String>)>) {
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Ident(word) if word == "mod" => {
                // A module inside the file: `super` is this one there.
                if let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(body))) =
                    (tokens.get(at), tokens.get(at + 1))
                {
                    let inner = [here, &[name.to_string()]].concat();
                    gather(&without_tests(body.stream()), &inner, library, out);
                    at += 2;
                }
            }
            TokenTree::Ident(word) if is_start(word, library) => {
                // `$crate` is followed where the macro is used, and `a::self` goes on a path.
                let before = at.checked_sub(2).and_then(|at| tokens.get(at));
                if before.is_none_or(|token| !is_punct(token, '$') && !is_punct(token, ':')) {
                    at = follow(tokens, at - 1, &mut Vec::new(), here, library, out);
                }
            }
            TokenTree::Group(group) => gather(&without_tests(group.stream()), here, library, out),
            _ => {}
        }
    }
}

fn is_start(word: &proc_macro2::Ident, library: &str) -> bool {
    word == "crate" || word == "super" || word == "self" || word == library
}

/// Follows a path, or the tree of a `use`, from the token at `at` on; returns the position behind it.
fn follow(
    tokens: &[TokenTree],
    mut at: usize,
    path: &mut Vec<String>,
    here: &[String],
    library: &str,
    out: &mut Vec<(usize, Vec<String>)>,
) -> usize {
    let line = tokens.get(at).map_or(0, |token| token.span().start().line);
    let resolved = |path: &[String]| {
        let mut words = path.iter();
        let mut base = match words.next().map(String::as_str) {
            Some("crate") => Vec::new(),
            Some("self") => here.to_vec(),
            Some("super") => here[..here.len().saturating_sub(1)].to_vec(),
            Some(name) if name == library => Vec::new(),
            _ => return None,
        };
        for word in words {
            match word.as_str() {
                "super" => drop(base.pop()),
                "self" | "*" => {}
                name => base.push(name.to_owned()),
            }
        }
        Some(base)
    };
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                for branch in inner.split(|token| is_punct(token, ',')).filter(|branch| !branch.is_empty()) {
                    follow(branch, 0, &mut path.clone(), here, library, out);
                }
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        let goes_on = tokens.get(at).is_some_and(|token| is_punct(token, ':'))
            && tokens.get(at + 1).is_some_and(|token| is_punct(token, ':'));
        if !goes_on {
            break;
        }
        at += 2;
    }
    // A word alone is `self` the value, not a module.
    if path.len() > 1 {
        out.extend(resolved(path).map(|path| (line, path)));
    }
    at
}

/// The sets of modules that reach each other.
fn circles(edges: &BTreeMap<(String, String), BTreeSet<Place>>) -> Vec<BTreeSet<String>> {
    let reach = |start: &str| {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        let mut left = vec![start.to_owned()];
        while let Some(module) = left.pop() {
            for (_, to) in edges.keys().filter(|(from, _)| *from == module) {
                if seen.insert(to.clone()) {
                    left.push(to.clone());
                }
            }
        }
        seen
    };
    let all: BTreeSet<&String> = edges.keys().flat_map(|(from, to)| [from, to]).collect();
    let reached: BTreeMap<&str, BTreeSet<String>> =
        all.iter().map(|module| (module.as_str(), reach(module))).collect();
    let mut out: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    for (module, theirs) in &reached {
        let circle: BTreeSet<String> = theirs
            .iter()
            .filter(|other| reached.get(other.as_str()).is_some_and(|back| back.contains(*module)))
            .cloned()
            .collect();
        if circle.len() > 1 {
            out.insert(circle);
        }
    }
    out.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::find;
    use crate::lint::source::{Source, without_tests};

    fn package(files: &[(&str, &str)]) -> Vec<Source> {
        let source = |(module, text): &(&str, &str)| Source {
            path: format!("{module}.rs").into(),
            module: module.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            tokens: without_tests(text.parse().unwrap()),
        };
        files.iter().map(source).collect()
    }

    #[test]
    fn modules_that_name_each_other_are_a_circle_wherever_they_do() {
        let sources = package(&[
            ("", "mod a; mod b; mod c; pub use a::A;"),
            ("a", "use crate::b::{self, B};\npub struct A;"),
            ("b", "pub struct B;\nfn f() -> u8 { println!(\"{}\", crate::c::C); 0 }"),
            ("c", "pub struct C(super::a::A);"),
        ]);
        let found = find("p", &sources);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("p: a, b, c import each other in a circle"), "{}", found[0]);
        for place in ["a -> b: a.rs:1 names b", "b -> c: b.rs:2 names c::C", "c -> a: c.rs:1 names a::A"] {
            assert!(found[0].contains(place), "{place} is missing in {}", found[0]);
        }
    }

    #[test]
    fn folders_are_in_a_circle_by_their_modules_and_not_with_them() {
        let sources = package(&[
            ("kinds", "pub trait Kind {} mod one; mod two; const ALL: &[&dyn Kind] = &[&one::One];"),
            ("kinds::one", "use super::Kind; use super::two::Two;"),
            ("kinds::two", "use crate::kinds::Kind; #[cfg(test)] mod tests { use super::super::one::One; }"),
            ("memory", "use crate::kinds::two::Two;"),
            ("tree::deep", "use crate::memory::Page;"),
        ]);
        assert_eq!(find("p", &sources), [""; 0]);
        let more = package(&[("kinds::three", "fn f(page: &crate::tree::deep::Deep) {}")]);
        let all: Vec<Source> = sources.into_iter().chain(more).collect();
        let found = find("p", &all);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("p: kinds, memory, tree import"), "{}", found[0]);
    }
}
