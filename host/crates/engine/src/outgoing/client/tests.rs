use super::*;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::OnceLock;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;

use crate::{OutgoingConfig, Resolve};

/// Gives one address after the other, as a rebinding name server does.
#[derive(Default)]
struct Scripted {
    answers: Mutex<Vec<Vec<SocketAddr>>>,
    asked: Mutex<usize>,
}

impl Resolve for Arc<Scripted> {
    fn resolve(&self, _: String, _: u16) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
        *self.asked.lock().unwrap() += 1;
        let answer = self.answers.lock().unwrap().remove(0);
        Box::pin(async move { Ok(answer) })
    }
}

fn connector(resolver: &Arc<Scripted>, grant: &str) -> Connector {
    let config = OutgoingConfig {
        connect_timeout: Duration::from_secs(5),
        first_byte_timeout: Duration::from_secs(5),
        between_bytes_timeout: Duration::from_secs(5),
        idle_connections_max: 1,
        resolver: Arc::new(Arc::clone(resolver)),
        ports_denied: Arc::new(ArcSwap::default()),
    };
    let environment = Environment {
        config,
        tls: OnceLock::new(),
        dispatcher: OnceLock::new(),
        forbidden: Arc::new(|_| false),
    };
    Connector { environment: Arc::new(environment), grants: vec![grant.parse().unwrap()].into() }
}

fn refusal(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref::<Refusal>().map(|refusal| &refusal.0)
}

#[tokio::test]
async fn the_connection_goes_to_the_address_that_was_checked() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let checked = listener.local_addr().unwrap();
    let resolver = Arc::new(Scripted::default());
    // A second answer would lead elsewhere; nobody may ask for it.
    *resolver.answers.lock().unwrap() = vec![vec![checked], vec!["127.0.0.1:1".parse().unwrap()]];
    let connector = connector(&resolver, "http://api.example.com:*");
    let uri = "http://api.example.com:8080/".parse().unwrap();
    let stream = connector.connect(uri).await.unwrap();
    assert_eq!(stream.inner().peer_addr().unwrap(), checked);
    assert_eq!(*resolver.asked.lock().unwrap(), 1, "the name was resolved again after the check");
}

#[tokio::test]
async fn a_wildcard_that_rebinds_to_a_private_address_is_refused() {
    for address in ["127.0.0.1:80", "10.0.0.1:80", "169.254.169.254:80", "[::1]:80"] {
        let resolver = Arc::new(Scripted::default());
        *resolver.answers.lock().unwrap() = vec![vec![address.parse().unwrap()]];
        let connector = connector(&resolver, "http://*.example.com");
        let failed = connector.connect("http://a.example.com/".parse().unwrap()).await.unwrap_err();
        assert!(
            matches!(refusal(&failed), Some(Error::DestinationIpProhibited)),
            "{address}: {failed}"
        );
    }
}
