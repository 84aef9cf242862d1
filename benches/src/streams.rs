//! Kafka and Redis to a function, against plain clients that only read and count, on the same servers.

use std::process::Command;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use rdkafka::{ClientConfig, Message as _, Offset, TopicPartitionList};

use crate::peers::Programs;
use crate::process::Server;
use crate::report::{figure, median};

const RECORDS: usize = 200_000;
/// With a batch of one, each record is a call.
const RECORDS_SINGLE: usize = 50_000;
/// What is drained to see whether memory grows.
const LAG: usize = 1_000_000;
const PARTITIONS: i32 = 4;
const ROUNDS: usize = 3;
const ANSWER_MAX: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_secs(120);

/// Servers of `scripts/services`, stopped when dropped.
struct Services {
    directory: String,
    address: String,
}

impl Services {
    fn up(kind: &str) -> Self {
        let owner = std::process::id().to_string();
        let output = Command::new("scripts/services")
            .args(["up", kind, "--owner", &owner])
            .output()
            .expect("scripts/services");
        let said = String::from_utf8(output.stdout).expect("text");
        let of = |key: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.expect("what scripts/services says").to_owned()
        };
        Self { directory: of("dir"), address: of(kind) }
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        let _ = Command::new("scripts/services").args(["down", &self.directory]).status();
    }
}

/// Measures both and prints it.
pub(crate) fn run(programs: &Programs) {
    kafka(programs);
    redis(programs);
}

/// A JSON object of about a kilobyte.
fn body(n: usize) -> String {
    format!("{{\"n\":{n},\"filler\":\"{}\"}}", "x".repeat(1_000))
}

fn kafka(programs: &Programs) {
    let services = Services::up("kafka");
    let brokers = services.address.as_str();
    create(brokers, "bench");
    produce(brokers, "bench", LAG);
    let bench = Kafka { programs, brokers };
    for (name, batch, records) in [("100", 100, RECORDS), ("1", 1, RECORDS_SINGLE)] {
        let (mut plain, mut ours) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            plain.push(bench.plain(&format!("plain-{batch}-{round}"), records));
            ours.push(bench.wfh(&format!("wfh-{batch}-{round}"), batch, records).0);
        }
        let rate = median(ours.clone());
        let ratio = rate / median(plain);
        figure(&format!("Kafka, batch {name}: records a second"), rate, "/s", "", "");
        figure(&format!("Kafka, batch {name} / plain consumer that parses"), ratio, "x", "0.6", "");
    }
    let (_, growth) = bench.wfh("lag", 100, LAG);
    figure("RSS growth while 1,000,000 records are drained", growth, "MiB", "64", "");
}

fn create(brokers: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", brokers).create().expect("an admin client");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let topics = [NewTopic::new(topic, PARTITIONS, TopicReplication::Fixed(1))];
    let options = AdminOptions::new();
    let created = runtime.expect("a runtime").block_on(admin.create_topics(&topics, &options));
    created.expect("an answer").remove(0).expect("the topic");
}

fn produce(brokers: &str, topic: &str, records: usize) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", brokers).set("linger.ms", "20").set("batch.size", "1000000");
    let producer: BaseProducer = config.create().expect("a producer");
    for n in 0..records {
        let body = body(n);
        let partition = i32::try_from(n).unwrap_or(0) % PARTITIONS;
        let mut record = BaseRecord::<(), str>::to(topic).payload(&body).partition(partition);
        while let Err((_, back)) = producer.send(record) {
            producer.poll(Duration::from_millis(10));
            record = back;
        }
    }
    producer.flush(PATIENCE).expect("everything is sent");
}

struct Kafka<'a> {
    programs: &'a Programs,
    brokers: &'a str,
}

impl Kafka<'_> {
    fn client(&self, group: &str) -> BaseConsumer {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.brokers).set("group.id", group);
        config.set("auto.offset.reset", "earliest").create().expect("a consumer")
    }

    /// Records a second of a consumer that parses and counts.
    fn plain(&self, group: &str, records: usize) -> f64 {
        let consumer = self.client(group);
        consumer.subscribe(&["bench"]).expect("a topic");
        let (mut count, mut start) = (0, Instant::now());
        while count < records {
            let Some(Ok(message)) = consumer.poll(ANSWER_MAX) else { continue };
            if count == 0 {
                start = Instant::now();
            }
            let payload = message.payload().unwrap_or_default();
            let parsed: serde_json::Value = serde_json::from_slice(payload).expect("JSON");
            count += usize::from(parsed["n"].is_u64());
        }
        records as f64 / start.elapsed().as_secs_f64()
    }

    /// Records a second of the host, from the first commit to the one that has enough; and how much
    /// memory it took meanwhile.
    fn wfh(&self, group: &str, batch: usize, records: usize) -> (f64, f64) {
        let guest = self.programs.guest("hello_batch");
        let manifest = format!(
            "[app]\nname = \"bench\"\n[kafka]\nbrokers = \"{}\"\n[function.hello]\ncomponent = {:?}\n\
             reuse = 1000\n[[trigger.http]]\nroute = \"/\"\ntarget = \"function:hello\"\n\
             [[trigger.kafka]]\nname = \"{group}\"\ntopics = [\"bench\"]\ngroup = \"{group}\"\n\
             target = \"function:hello\"\norder = \"none\"\nin_flight_max = 10000\n\
             batch = {{ size = {batch} }}\n",
            self.brokers,
            guest.display().to_string(),
        );
        let server: Server = self.programs.wfh(&manifest);
        let looking = self.client(group);
        let (first, began) = self.wait_for(&looking, 1);
        let before = server.rss_mib();
        let mut peak = before;
        let start = Instant::now();
        loop {
            let (committed, at) = self.wait_for(&looking, first + 1);
            peak = peak.max(server.rss_mib());
            if committed >= records || start.elapsed() > PATIENCE {
                let rate = (committed - first) as f64 / (at - began).as_secs_f64();
                return (rate, peak - before);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until as many records are committed; says how many and when.
    fn wait_for(&self, consumer: &BaseConsumer, records: usize) -> (usize, Instant) {
        let start = Instant::now();
        loop {
            let mut list = TopicPartitionList::new();
            list.add_partition_range("bench", 0, PARTITIONS - 1);
            let committed = consumer.committed_offsets(list, ANSWER_MAX).expect("commits");
            let of = |offset| if let Offset::Offset(offset) = offset { offset } else { 0 };
            let sum: i64 = committed.elements().iter().map(|one| of(one.offset())).sum();
            let sum = usize::try_from(sum).unwrap_or(0);
            if sum >= records || start.elapsed() > PATIENCE {
                return (sum, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn redis(programs: &Programs) {
    let services = Services::up("redis");
    let client = redis::Client::open(services.address.as_str()).expect("a url");
    let mut connection = client.get_connection().expect("a connection");
    // What is measured is reading, so the server need not flush what the bench writes.
    redis::cmd("CONFIG").arg(&["SET", "appendonly", "no"]).exec(&mut connection).expect("config");
    for n in (0..RECORDS).step_by(1_000) {
        let mut pipe = redis::pipe();
        for n in n..n + 1_000 {
            pipe.cmd("XADD").arg("bench").arg("*").arg("data").arg(body(n)).ignore();
        }
        pipe.exec(&mut connection).expect("entries");
    }
    for (name, batch, records) in [("100", 100, RECORDS), ("1", 1, RECORDS_SINGLE)] {
        let (mut plain, mut ours) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            plain.push(plain_redis(&mut connection, &format!("plain-{batch}-{round}"), records));
            let group = format!("wfh-{batch}-{round}");
            ours.push(wfh_redis(
                programs,
                &services.address,
                &mut connection,
                &group,
                batch,
                records,
            ));
        }
        let rate = median(ours);
        let ratio = rate / median(plain);
        figure(&format!("Redis stream, batch {name}: entries a second"), rate, "/s", "", "");
        figure(&format!("Redis stream, batch {name} / plain consumer"), ratio, "x", "0.6", "");
    }
}

fn plain_redis(connection: &mut redis::Connection, group: &str, entries: usize) -> f64 {
    let mut create = redis::cmd("XGROUP");
    create.arg(&["CREATE", "bench", group, "0"]).exec(connection).expect("a group");
    let (mut count, start) = (0, Instant::now());
    while count < entries {
        type Read = Vec<(String, Vec<(String, Vec<(String, String)>)>)>;
        let mut read = redis::cmd("XREADGROUP");
        read.arg(&["GROUP", group, "me", "COUNT", "1000", "STREAMS", "bench", ">"]);
        let read: Read = read.query(connection).expect("entries");
        let mut acknowledge = redis::cmd("XACK");
        acknowledge.arg(&["bench", group]);
        for (id, fields) in read.into_iter().flat_map(|(_, entries)| entries) {
            let parsed: serde_json::Value = serde_json::from_str(&fields[0].1).expect("JSON");
            count += usize::from(parsed["n"].is_u64());
            acknowledge.arg(id);
        }
        acknowledge.exec(connection).expect("an acknowledgement");
    }
    count as f64 / start.elapsed().as_secs_f64()
}

fn wfh_redis(
    programs: &Programs,
    url: &str,
    connection: &mut redis::Connection,
    group: &str,
    batch: usize,
    entries: usize,
) -> f64 {
    let guest = programs.guest("hello_batch");
    let manifest = format!(
        "[app]\nname = \"bench\"\n[function.hello]\ncomponent = {:?}\nreuse = 1000\n\
         [[trigger.http]]\nroute = \"/\"\ntarget = \"function:hello\"\n[[trigger.redis]]\n\
         name = \"{group}\"\nurl = \"{url}\"\nstream = \"bench\"\ngroup = \"{group}\"\n\
         target = \"function:hello\"\nin_flight_max = 10000\nbatch = {{ size = {batch} }}\n",
        guest.display().to_string(),
    );
    let _server = programs.wfh(&manifest);
    let mut began: Option<(usize, Instant)> = None;
    let start = Instant::now();
    loop {
        let done = acknowledged(connection, group);
        match began {
            None if done > 0 => began = Some((done, Instant::now())),
            Some((first, at)) if done >= entries || start.elapsed() > PATIENCE => {
                return (done - first) as f64 / at.elapsed().as_secs_f64();
            }
            _ => {}
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Entries of a group that are read and not pending any more.
fn acknowledged(connection: &mut redis::Connection, group: &str) -> usize {
    type Groups = Vec<std::collections::HashMap<String, redis::Value>>;
    let mut info = redis::cmd("XINFO");
    let Ok(groups) = info.arg(&["GROUPS", "bench"]).query::<Groups>(connection) else { return 0 };
    let number =
        |about: &std::collections::HashMap<String, redis::Value>, key: &str| match about.get(key) {
            Some(redis::Value::Int(number)) => usize::try_from(*number).unwrap_or(0),
            _ => 0,
        };
    let named = |about: &&std::collections::HashMap<String, redis::Value>| matches!(about.get("name"), Some(redis::Value::BulkString(name)) if name == group.as_bytes());
    let found = groups.iter().find(named);
    found.map_or(0, |about| number(about, "entries-read").saturating_sub(number(about, "pending")))
}
