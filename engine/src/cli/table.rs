//! Columns that stand under each other.

use std::io::{self, Write};

use crate::cli::style::Style;

/// Which way the cells of a column lean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lean {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A table of plain text; colour comes with its head only.
#[derive(Debug)]
pub struct Table {
    columns: Vec<(&'static str, Lean)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these columns. The head is left out when all its words are empty.
    pub fn new(columns: &[(&'static str, Lean)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; cells that are missing are empty.
    pub fn row<I: IntoIterator<Item = String>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes it, each line behind `indent` blanks and without blanks at its end.
    pub fn write(&self, out: &mut impl Write, style: Style, indent: usize) -> io::Result<()> {
        let width = |n: usize, head: &str| {
            let cells = self.rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.chars().count());
            cells.chain([head.chars().count()]).max().unwrap_or_default()
        };
        let widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(n, (head, _))| width(n, head)).collect();
        if self.columns.iter().any(|(head, _)| !head.is_empty()) {
            let head = self.line(&widths, |n| self.columns.get(n).map_or("", |(head, _)| head));
            writeln!(out, "{:indent$}{}", "", style.paint(Style::DIM, &head))?;
        }
        for row in &self.rows {
            let line = self.line(&widths, |n| row.get(n).map_or("", String::as_str));
            writeln!(out, "{:indent$}{line}", "")?;
        }
        Ok(())
    }

    fn line<'a>(&self, widths: &[usize], cell: impl Fn(usize) -> &'a str) -> String {
        let mut line = String::new();
        for (n, ((_, lean), width)) in self.columns.iter().zip(widths).enumerate() {
            if n > 0 {
                line.push_str("  ");
            }
            match lean {
                Lean::Left => line.push_str(&format!("{:<width$}", cell(n))),
                Lean::Right => line.push_str(&format!("{:>width$}", cell(n))),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::{Lean, Table};
    use crate::cli::style::Style;

    #[test]
    fn columns_stand_under_each_other() {
        let mut table = Table::new(&[("fd", Lean::Right), ("what", Lean::Left), ("", Lean::Left)]);
        table.row(["1".into(), "é".into(), "x".into()]);
        table.row(["10".into(), "file".into()]);
        let mut out = Vec::new();
        table.write(&mut out, Style::plain(), 2).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  fd  what\n   1  é     x\n  10  file\n");
    }
}
