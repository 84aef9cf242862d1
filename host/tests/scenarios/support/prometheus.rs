//! A Prometheus server that reads a host.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;
use url::form_urlencoded::byte_serialize;

use super::Client;
use super::services::Services;

/// A server with the alerts of `configs/observability/`.
pub(crate) struct Prometheus(Services);

impl Prometheus {
    /// It reads `/metrics` of this address.
    pub(crate) fn start(admin: SocketAddr) -> Self {
        Self(Services::up_with("prometheus", &["--scrape", &admin.to_string()]))
    }

    /// The samples that a query finds and that are numbers.
    pub(crate) async fn ask(&self, query: &str) -> Vec<Value> {
        let query: String = byte_serialize(query.as_bytes()).collect();
        let answer = self.get(&format!("/api/v1/query?query={query}")).await;
        let samples = answer["result"].as_array().unwrap().iter();
        samples.filter(|sample| sample["value"][1] != "NaN").cloned().collect()
    }

    /// The alerts by name, as they stand.
    pub(crate) async fn alerts(&self) -> BTreeMap<String, Value> {
        let answer = self.get("/api/v1/rules").await;
        let groups = answer["groups"].as_array().unwrap().iter();
        let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
        rules.map(|rule| (rule["name"].as_str().unwrap().to_owned(), rule.clone())).collect()
    }

    async fn get(&self, path: &str) -> Value {
        let address = self.0.said("prometheus").parse().unwrap();
        let answer = Client::connect(address).await.unwrap().get(path).await.json();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }
}
