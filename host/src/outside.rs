//! What talks to brokers outside, from the manifest: triggers that pull from them, streams that lead
//! to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use wfh_event::{StreamName, Target};
use wfh_invoke::Sink;
use wfh_manifest::{
    Batch, Filter, KafkaOrder, KafkaStart, KafkaTrigger, Manifest, RedisOrder, RedisStart,
    RedisTrigger, Setting, Stream, Trigger,
};
use wfh_pull::{BatchLimits, PullConfig};
use wfh_trigger_kafka::{KafkaConfig, KafkaSink, KafkaTriggerError, Order, Settings, Start};
use wfh_trigger_redis::{RedisConfig, RedisSink, RedisSource, Server, StreamConfig};

use crate::error::Error;
use crate::manifest_file::ManifestFile;
use crate::pulling::in_flight;
use crate::settings::read_secret;

/// A stream as a target.
pub(crate) fn sink(file: &ManifestFile, name: &StreamName) -> Result<Arc<dyn Sink>, Error> {
    let Some(stream) = file.manifest.streams.get(name) else {
        return Err(Error::Manifest(vec![format!("there is no stream {name}")]));
    };
    match stream {
        Stream::Kafka { topic } => {
            let settings = kafka_defaults(file)?;
            let sink = KafkaSink::new(&settings, topic.clone());
            Ok(Arc::new(sink.map_err(|error| of_kafka(file, "kafka", &error))?))
        }
        Stream::Redis { stream } => {
            let server = server(file, "redis.url", &file.manifest.redis.url)?;
            Ok(Arc::new(RedisSink::new(server, stream.clone())))
        }
    }
}

/// What of the manifest no client would take. No server is asked.
pub(crate) fn check(file: &ManifestFile) -> Vec<Error> {
    let triggers = &file.manifest.triggers;
    let tried = |table: &str, settings: Result<Settings, Error>| match settings {
        Ok(settings) => {
            let refused = settings.check().err().unwrap_or_default();
            refused.iter().map(|error| of_kafka(file, table, error)).collect()
        }
        Err(error) => vec![error],
    };
    let mut errors = tried("kafka", kafka_defaults(file));
    if errors.is_empty() {
        // Otherwise each trigger would say it again.
        errors.extend(triggers.kafka.iter().flat_map(|trigger| {
            tried(&trigger.key, kafka(file, trigger).map(|config| config.settings))
        }));
    }
    errors.extend(triggers.redis.iter().filter_map(|trigger| redis(file, trigger, "").err()));
    errors
}

/// `[[trigger.redis]]`, for a replica of a name.
pub(crate) fn redis(
    file: &ManifestFile,
    trigger: &Trigger<RedisTrigger>,
    replica: &str,
) -> Result<RedisConfig, Error> {
    let (manifest, config) = (&file.manifest, &trigger.config);
    let server = match &config.url {
        Some(url) => server(file, &format!("{}.url", trigger.key), url)?,
        None => server(file, "redis.url", &manifest.redis.url)?,
    };
    Ok(RedisConfig {
        server,
        source: match &config.source {
            wfh_manifest::RedisSource::Stream(stream) => RedisSource::Stream(StreamConfig {
                stream: stream.clone(),
                ordered: config.order == RedisOrder::Stream,
                from_latest: config.start == RedisStart::Latest,
                trim: config.trim,
            }),
            wfh_manifest::RedisSource::List(list) => RedisSource::List(list.clone()),
        },
        group: group(manifest, config.group.as_ref(), trigger.name.as_str()),
        consumer: replica.to_owned(),
        in_flight_max: config.in_flight_max as usize,
        visibility: config.visibility,
        pull: Pulled {
            name: trigger.name.as_str(),
            target: &config.target,
            path: &config.path,
            batch: &config.batch,
            filter: &config.filter,
            weight: config.weight,
        }
        .config(manifest),
    })
}

fn server(file: &ManifestFile, key: &str, url: &str) -> Result<Server, Error> {
    Server::new(url).map_err(|error| Error::Manifest(vec![file.error_at(key, &error.to_string())]))
}

/// `[[trigger.kafka]]`; its options are those that [`check`] has tried.
pub(crate) fn kafka(
    file: &ManifestFile,
    trigger: &Trigger<KafkaTrigger>,
) -> Result<KafkaConfig, Error> {
    let (manifest, config) = (&file.manifest, &trigger.config);
    // Options hold what only the brokers of `[kafka]` should see.
    let mut settings = match &config.brokers {
        Some(brokers) => Settings { brokers: brokers.clone(), options: BTreeMap::new() },
        None => kafka_defaults(file)?,
    };
    settings.options.extend(options(file, &trigger.key, &config.options)?);
    Ok(KafkaConfig {
        settings,
        topics: config.topics.0.clone(),
        group: group(manifest, config.group.as_ref(), trigger.name.as_str()),
        order: match config.order {
            KafkaOrder::Partition => Order::Partition,
            KafkaOrder::Key => Order::Key,
            KafkaOrder::None => Order::None,
        },
        in_flight_max: config.in_flight_max as usize,
        start: match config.start {
            KafkaStart::Earliest => Start::Earliest,
            KafkaStart::Latest => Start::Latest,
            KafkaStart::Timestamp(at) => Start::Timestamp(at.as_millisecond()),
        },
        pull: Pulled {
            name: trigger.name.as_str(),
            target: &config.target,
            path: &config.path,
            batch: &config.batch,
            filter: &config.filter,
            weight: config.weight,
        }
        .config(manifest),
    })
}

/// The consumer group of a trigger that names none.
fn group(manifest: &Manifest, given: Option<&String>, trigger: &str) -> String {
    given.cloned().unwrap_or_else(|| format!("{}-{trigger}", manifest.app.name))
}

/// What triggers of every broker have.
struct Pulled<'t> {
    name: &'t str,
    target: &'t Target,
    path: &'t str,
    batch: &'t Batch,
    filter: &'t Filter,
    weight: u32,
}

impl Pulled<'_> {
    fn config(&self, manifest: &Manifest) -> PullConfig {
        let attempts_max = match self.target {
            Target::Function(name) => {
                manifest.functions.get(name).map_or(1, |function| function.retry.attempts)
            }
            Target::Queue(_) | Target::Topic(_) | Target::Stream(_) => 1,
        };
        PullConfig {
            name: self.name.to_owned(),
            target: self.target.clone(),
            path: Some(self.path.into()),
            batch: BatchLimits {
                size: self.batch.size as usize,
                window: self.batch.window,
                bytes_max: self.batch.bytes_max.as_u64(),
                bisect: self.batch.bisect,
            },
            calls_max: in_flight(manifest, self.target, self.weight),
            attempts_max,
            filter: wfh_pull::Filter::new(self.filter.0.clone()),
        }
    }
}

fn kafka_defaults(file: &ManifestFile) -> Result<Settings, Error> {
    let kafka = &file.manifest.kafka;
    Ok(Settings {
        brokers: kafka.brokers.clone(),
        options: options(file, "kafka", &kafka.options)?.into_iter().collect(),
    })
}

fn options(
    file: &ManifestFile,
    table: &str,
    options: &BTreeMap<String, Setting>,
) -> Result<Vec<(String, String)>, Error> {
    let value = |(key, setting): (&String, &Setting)| {
        let value = match setting {
            Setting::Text(text) => text.clone(),
            Setting::Secret(source) => {
                read_secret(file, &format!("{table}.options.{key}"), source)?
            }
        };
        Ok((key.clone(), value))
    };
    options.iter().map(value).collect()
}

fn of_kafka(file: &ManifestFile, table: &str, error: &KafkaTriggerError) -> Error {
    let key = match error {
        KafkaTriggerError::Option { key, .. } => format!("{table}.options.{key}"),
        KafkaTriggerError::Client(_) => table.to_owned(),
    };
    Error::Manifest(vec![file.error_at(&key, &error.to_string())])
}
