//! `wfh dlq`: dead letters of a running host.

use clap::{Args, Subcommand};
use http::Method;

use crate::client::{AdminOptions, Client};
use crate::error::Error;
use crate::output::{self, OutputOption};

/// `wfh dlq`
#[derive(Debug, Args)]
pub(crate) struct Dlq {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List dead letters
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        admin: AdminOptions,
        #[command(flatten)]
        output: OutputOption,
    },
    /// Print one letter: the event, its headers, every try
    Show {
        /// The letter
        id: String,
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// Send letters again, their tries counted anew
    Redrive {
        /// The letter
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All of them, or those that the filter takes
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Letters a second, with --all
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
        rate: u32,
        /// Send to this target, such as queue:emails, instead of where a letter came from
        #[arg(long)]
        target: Option<String>,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        admin: AdminOptions,
    },
    /// Throw letters away
    Purge {
        /// The letter
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All of them, or those that the filter takes
        #[arg(long, conflicts_with = "id")]
        all: bool,
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        admin: AdminOptions,
    },
}

/// Which letters.
#[derive(Debug, Args)]
struct Filter {
    /// Those of a function
    #[arg(long)]
    function: Option<String>,
    /// Those whose last failure was of a class, such as trap
    #[arg(long)]
    class: Option<String>,
    /// Those that died then or later (RFC 3339)
    #[arg(long)]
    since: Option<String>,
    /// Those that died before (RFC 3339)
    #[arg(long)]
    until: Option<String>,
}

const HEAD: &[&str] = &["id", "function", "dead at", "condition", "class", "attempts", "event"];

const KEYS: &[&str] =
    &["/id", "/function", "/dead_at", "/condition", "/class", "/attempts", "/record/event/id"];

/// Does it.
pub(crate) fn run(options: &Dlq) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match &options.command {
            Command::List { filter, admin, output } => {
                let letters = Client::new(admin)?.list(&filter.path()).await?;
                output::listing(*output, HEAD, &letters, |letter| output::cells(letter, KEYS))
            }
            Command::Show { id, admin } => {
                let letter = Client::new(admin)?.get(&letter_path(id)).await?;
                output::json(&letter)
            }
            Command::Redrive { id, all: _, rate, target, filter, admin } => {
                let client = Client::new(admin)?;
                let query = target.as_ref().map(|target| format!("?target={}", encoded(target)));
                let query = query.unwrap_or_default();
                let path = |id: &str| format!("{}/redrive{query}", letter_path(id));
                each(&client, id.as_deref(), filter, Some(*rate), Method::POST, &path).await
            }
            Command::Purge { id, all: _, filter, admin } => {
                let client = Client::new(admin)?;
                each(&client, id.as_deref(), filter, None, Method::DELETE, &letter_path).await
            }
        }
    })
}

/// One letter, or all that the filter takes. Prints the id of each.
async fn each(
    client: &Client,
    id: Option<&str>,
    filter: &Filter,
    rate: Option<u32>,
    method: Method,
    path: &dyn Fn(&str) -> String,
) -> Result<(), Error> {
    let ids = match id {
        Some(id) => vec![id.to_owned()],
        None => {
            let letters = client.list(&filter.path()).await?;
            letters
                .iter()
                .filter_map(|letter| Some(letter.get("id")?.as_str()?.to_owned()))
                .collect()
        }
    };
    let pause = rate.map(|rate| std::time::Duration::from_secs(1) / rate);
    for (index, id) in ids.iter().enumerate() {
        if let Some(pause) = pause.filter(|_| index > 0) {
            tokio::time::sleep(pause).await;
        }
        client.change(method.clone(), &path(id)).await?;
        output::print(format!("{id}\n").as_bytes())?;
    }
    Ok(())
}

impl Filter {
    fn path(&self) -> String {
        let parts = [
            ("function", &self.function),
            ("class", &self.class),
            ("since", &self.since),
            ("until", &self.until),
        ];
        let mut path = "/v1/dead-letters?limit=1000".to_owned();
        for (name, value) in parts {
            if let Some(value) = value {
                path += &format!("&{name}={}", encoded(value));
            }
        }
        path
    }
}

fn letter_path(id: &str) -> String {
    format!("/v1/dead-letters/{}", encoded(id))
}

/// A text as part of a URL (RFC 3986).
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_part_of_a_url() {
        assert_eq!(encoded("queue:emails/a b?&"), "queue%3Aemails%2Fa%20b%3F%26");
    }
}
