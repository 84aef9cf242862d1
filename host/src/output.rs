//! Results on standard output: text, JSON, and listings as a table or as JSON.

use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

use clap::{Args, ValueEnum};
use comfy_table::{ContentArrangement, Table, presets};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// `--output`, which every listing takes.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct OutputOption {
    /// How to print the listing
    #[arg(long, value_enum, default_value_t = Format::Table, value_name = "FORMAT")]
    pub(crate) output: Format,
}

/// How a listing is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    Table,
    /// One document for programs: {"items": [...]}
    Json,
}

/// A listing in the format that was asked for. `row` gives an item's cells, in the order of `head`.
pub(crate) fn listing<T: Serialize>(
    option: OutputOption,
    head: &[&str],
    items: &[T],
    row: impl Fn(&T) -> Vec<String>,
) -> Result<(), Error> {
    match option.output {
        Format::Json => json(&serde_json::json!({ "items": items })),
        Format::Table => print(table(head, items.iter().map(row)).as_bytes()),
    }
}

/// A value as indented JSON.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(value).map_err(std::io::Error::other)?;
    text.push(b'\n');
    print(&text)
}

/// Results go to standard output. A reader that has seen enough is no error.
pub(crate) fn print(bytes: &[u8]) -> Result<(), Error> {
    print_on(bytes).map(drop)
}

/// The same; tells whether the reader reads on.
pub(crate) fn print_on(bytes: &[u8]) -> Result<bool, Error> {
    match std::io::stdout().write_all(bytes).and_then(|()| std::io::stdout().flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Waits that long; tells whether there is still a reader, which a quiet program would not notice.
pub(crate) fn waits_for_more(pause: Duration) -> bool {
    let stdout = std::io::stdout();
    let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
    let pause = Timespec::try_from(pause).ok();
    let left = poll(&mut watched, pause.as_ref()).is_ok_and(|events| events > 0);
    !left
}

/// Columns without lines, as programs that cut columns expect; wrapped only where somebody looks.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(head.iter().map(|name| name.to_uppercase()));
    if std::io::stdout().is_terminal() {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// The values at some JSON pointers, as the cells of a row.
pub(crate) fn cells(value: &Value, pointers: &[&str]) -> Vec<String> {
    let text = |pointer: &&str| match value.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    pointers.iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn a_table_has_a_head_and_a_line_for_each_row() {
        let rows = [vec!["hello".to_owned(), "ready".to_owned()]];
        let text = table(&["name", "state"], rows.into_iter());
        assert_eq!(text, "NAME   STATE\nhello  ready\n");
    }
}
