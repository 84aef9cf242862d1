//! Brokers of Apache Kafka, and the client of a test.

use std::sync::OnceLock;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, Headers, OwnedHeaders, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::services::Services;

const ANSWER_MAX: Duration = Duration::from_secs(20);

/// A record to send.
#[derive(Default, Clone)]
pub(crate) struct Sending<'r> {
    pub(crate) key: Option<&'r str>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(&'r str, Vec<u8>)>,
    pub(crate) partition: Option<i32>,
}

/// A cluster.
pub(crate) struct Kafka {
    services: Services,
    producer: FutureProducer,
}

impl Kafka {
    /// One broker that all tests share; their topics have names of their own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Kafka> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(1))
    }

    /// Brokers of this test's own.
    pub(crate) fn start(nodes: usize) -> Self {
        let services = Services::up("kafka", nodes);
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", services.said("kafka")).set("enable.idempotence", "true");
        Self { producer: config.create().unwrap(), services }
    }

    pub(crate) fn brokers(&self) -> &str {
        self.services.said("kafka")
    }

    /// Kills, starts, pauses or resumes a broker.
    pub(crate) fn node(&self, verb: &str, node: usize) {
        self.services.node(verb, node);
    }

    /// The part of a manifest that names it.
    pub(crate) fn toml(&self) -> String {
        format!("[kafka]\nbrokers = \"{}\"", self.brokers())
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers());
        config
    }

    /// Makes a topic, copied as often as there are brokers, at most three times.
    pub(crate) async fn topic(&self, name: &str, partitions: i32) {
        let admin: AdminClient<DefaultClientContext> = self.client().create().unwrap();
        let copies = if self.brokers().split(',').count() < 3 { 1 } else { 3 };
        let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(copies));
        let made = admin.create_topics(&[topic], &AdminOptions::new()).await.unwrap();
        assert!(made[0].is_ok(), "{made:?}");
        let consumer: BaseConsumer = self.client().create().unwrap();
        super::eventually("the topic is there", async || {
            let metadata = consumer.fetch_metadata(Some(name), ANSWER_MAX).unwrap();
            let found = metadata.topics().first().unwrap();
            found.error().is_none() && found.partitions().iter().all(|one| one.leader() >= 0)
        })
        .await;
    }

    /// Sends a record and waits until the brokers have it. Gives its partition and offset.
    pub(crate) async fn send(&self, topic: &str, sending: Sending<'_>) -> (i32, i64) {
        let mut headers = OwnedHeaders::new();
        for (key, value) in &sending.headers {
            headers = headers.insert(Header { key, value: Some(value.as_slice()) });
        }
        let record = FutureRecord {
            topic,
            partition: sending.partition,
            payload: sending.value.as_deref(),
            key: sending.key,
            timestamp: None,
            headers: Some(headers),
        };
        let sent = self.producer.send(record, ANSWER_MAX).await.unwrap();
        (sent.partition, sent.offset)
    }

    /// Sends work, for the guests that do what their data says.
    pub(crate) async fn work(&self, topic: &str, key: &str, work: &serde_json::Value) -> String {
        let value = Some(work.to_string().into_bytes());
        let sending = Sending { key: Some(key), value, ..Sending::default() };
        let (partition, offset) = self.send(topic, sending).await;
        format!("kafka://{topic}/{partition}/{offset}")
    }

    /// Up to where a group has committed, all partitions together.
    pub(crate) fn committed(&self, group: &str, topic: &str, partitions: i32) -> i64 {
        let consumer: BaseConsumer = self.client().set("group.id", group).create().unwrap();
        let mut list = TopicPartitionList::new();
        list.add_partition_range(topic, 0, partitions - 1);
        // A broker that has just begun does not know its groups yet.
        let Ok(committed) = consumer.committed_offsets(list, ANSWER_MAX) else { return 0 };
        let offset = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
        committed.elements().iter().map(|one| offset(one.offset())).sum()
    }

    /// Everything in a topic, as soon as it has at least so many records.
    pub(crate) async fn records(&self, topic: &str, records_min: usize) -> Vec<OwnedMessage> {
        let mut config = self.client();
        let group = format!("reader-{}", rand_suffix());
        config.set("group.id", group).set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.set("enable.auto.commit", "false").create().unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let mut found = Vec::new();
        super::eventually("the topic has its records", async || {
            while let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) {
                found.push(message.detach());
            }
            found.len() >= records_min
        })
        .await;
        found
    }
}

fn rand_suffix() -> u128 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    now.as_nanos()
}

/// A header's text.
pub(crate) fn header<'m>(message: &'m OwnedMessage, name: &str) -> Option<&'m str> {
    let headers = message.headers()?;
    let found = headers.iter().find(|header| header.key == name)?;
    std::str::from_utf8(found.value?).ok()
}
