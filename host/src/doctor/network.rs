//! Servers that the manifest names: whether a connection stands within a bound.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::net::TcpStream;
use url::Url;
use wfh_manifest::{Manifest, StoreKind, Stream};

use super::Finding;
use crate::manifest_file::ManifestFile;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const SERVERS_MAX: usize = 64;
const REDIS_PORT: u16 = 6379;

/// A server and what it is for.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Server {
    kind: &'static str,
    address: Result<(String, u16), String>,
}

pub(super) fn examine(file: Option<&ManifestFile>) -> Vec<Finding> {
    let servers = file.map(|file| servers(&file.manifest)).unwrap_or_default();
    servers.into_iter().take(SERVERS_MAX).map(reach).collect()
}

/// Every server that something in the manifest uses.
fn servers(manifest: &Manifest) -> BTreeSet<Server> {
    let mut servers = BTreeSet::new();
    let (redis, kafka) = (&manifest.redis.url, &manifest.kafka.brokers);
    if manifest.store.kind == StoreKind::Redis {
        servers.insert(redis_server(manifest.store.url.as_ref().unwrap_or(redis)));
    }
    for trigger in &manifest.triggers.redis {
        servers.insert(redis_server(trigger.config.url.as_ref().unwrap_or(redis)));
    }
    for trigger in &manifest.triggers.kafka {
        servers.extend(brokers(trigger.config.brokers.as_ref().unwrap_or(kafka)));
    }
    for stream in manifest.streams.values() {
        match stream {
            Stream::Kafka { .. } => servers.extend(brokers(kafka)),
            Stream::Redis { .. } => servers.extend([redis_server(redis)]),
        }
    }
    servers
}

fn redis_server(url: &str) -> Server {
    let address = match Url::parse(url) {
        Ok(parsed) => match parsed.host_str() {
            Some(host) => Ok((host.to_owned(), parsed.port().unwrap_or(REDIS_PORT))),
            None => Err("its URL names no host".to_owned()),
        },
        // The URL may hold a password: it is not shown.
        Err(error) => Err(format!("its URL is not valid: {error}")),
    };
    Server { kind: "redis", address }
}

fn brokers(list: &str) -> Vec<Server> {
    let parse = |broker: &str| {
        let (host, port) = broker.rsplit_once(':')?;
        Some((host.trim_matches(['[', ']']).to_owned(), port.parse().ok()?))
    };
    let server = |broker: &str| {
        let broker = broker.trim();
        let address = parse(broker).ok_or_else(|| format!("{broker:?} is not HOST:PORT"));
        Server { kind: "kafka", address }
    };
    list.split(',').map(server).collect()
}

fn reach(server: Server) -> Finding {
    let mend = match server.kind {
        "redis" => "redis-server --appendonly yes, or mend the url in the manifest",
        _ => "start the broker, or mend `brokers` in the manifest",
    };
    let (host, port) = match server.address {
        Ok(address) => address,
        Err(reason) => return Finding::fail(server.kind, reason, mend),
    };
    match connect(&host, port) {
        Ok(()) => Finding::ok(server.kind, format!("{host}:{port} accepts connections")),
        Err(error) => Finding::fail(server.kind, format!("{host}:{port}: {error}"), mend),
    }
}

fn connect(host: &str, port: u16) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connected = runtime.block_on(async {
        tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect((host, port))).await
    });
    // A name that is still being looked up must not hold us up.
    runtime.shutdown_background();
    match connected {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(std::io::Error::other(format!("no answer within {CONNECT_TIMEOUT:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(more: &str) -> Manifest {
        let text = format!("app.name = \"a\"\nfunction.f.component = \"f.wasm\"\n{more}");
        Manifest::parse(&text, &|_| None).unwrap().manifest
    }

    fn addresses(more: &str) -> Vec<(&'static str, String, u16)> {
        let servers = servers(&manifest(more)).into_iter();
        servers
            .filter_map(|server| server.address.ok().map(|(host, port)| (server.kind, host, port)))
            .collect()
    }

    #[test]
    fn only_what_is_used_is_reached() {
        assert_eq!(addresses("[redis]\nurl = \"redis://r:1\""), []);
        let more = "[kafka]\nbrokers = \"k:1,l:2\"\n\
                    [[trigger.kafka]]\ntopics = [\"t\"]\ntarget = \"function:f\"\n\
                    [[trigger.redis]]\nstream = \"s\"\ntarget = \"function:f\"\nurl = \"redis://:pw@r\"";
        let expected = [("kafka", "k", 1), ("kafka", "l", 2), ("redis", "r", 6379)]
            .map(|(k, h, p)| (k, h.to_owned(), p));
        assert_eq!(addresses(more), expected);
    }

    #[test]
    fn who_does_not_listen_is_told() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port();
        assert!(connect("127.0.0.1", port).is_ok());
        drop(taken);
        assert!(connect("127.0.0.1", port).is_err());
    }
}
