//! The options of a client: those of the manifest over those of ours.

use std::collections::BTreeMap;
use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::producer::BaseProducer;

use crate::KafkaTriggerError;

/// What is ours to decide, and where the manifest says it instead.
const OURS: &[(&str, &str)] = &[
    ("bootstrap.servers", "`brokers`"),
    ("metadata.broker.list", "`brokers`"),
    ("group.id", "`group`"),
    ("auto.offset.reset", "`start`"),
    ("enable.auto.commit", "nothing: offsets are committed once their records are settled"),
    ("enable.auto.offset.store", "nothing: offsets are committed once their records are settled"),
    ("auto.commit.interval.ms", "nothing: offsets are committed once their records are settled"),
    ("enable.partition.eof", "nothing"),
    ("enable.idempotence", "nothing: events are sent once and in order"),
];

/// Which brokers, and how to talk to them.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// `HOST:PORT`, with commas between.
    pub brokers: String,
    /// Options of librdkafka.
    pub options: BTreeMap<String, String>,
}

/// Values may be secrets.
impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.options.keys().map(String::as_str).collect();
        f.debug_struct("Settings").field("brokers", &self.brokers).field("options", &keys).finish()
    }
}

impl Settings {
    /// Whether librdkafka knows the options and takes their values. No broker is waited for. It makes a
    /// client for that, so whoever reads options does it once, before anything is made of them.
    ///
    /// # Errors
    /// All that it does not.
    pub fn check(&self) -> Result<(), Vec<KafkaTriggerError>> {
        let errors: Vec<_> = self.options.iter().filter_map(refused).collect();
        if !errors.is_empty() {
            return Err(errors);
        }
        // Without options there is nothing to refuse, and no client to make for it.
        if self.options.is_empty() {
            return Ok(());
        }
        // A client says what options alone do not: a file that is missing, a mechanism that is not
        // built in. It is gone again before it has asked anybody.
        let client: Result<BaseProducer, _> = self.client(&[]).create();
        client.map(drop).map_err(|error| vec![error.into()])
    }

    /// A client with `ours`, except where the manifest says otherwise.
    pub(crate) fn client(&self, ours: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        for (key, value) in ours {
            config.set(*key, *value);
        }
        config.set("bootstrap.servers", &self.brokers).set("client.id", "wfh");
        for (key, value) in &self.options {
            config.set(key, value);
        }
        config
    }
}

/// Why an option is not taken, whatever the others are.
fn refused((key, value): (&String, &String)) -> Option<KafkaTriggerError> {
    if let Some((_, instead)) = OURS.iter().find(|(ours, _)| ours == key) {
        let reason = format!("`{key}` is not for a manifest; {instead} says it");
        return Some(KafkaTriggerError::Option { key: key.clone(), reason });
    }
    ClientConfig::new().set(key, value).create_native_config().err().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(key: &str, value: &str) -> Result<(), KafkaTriggerError> {
        let options = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let checked = Settings { brokers: "localhost:9092".to_owned(), options }.check();
        checked.map_err(|mut errors| errors.remove(0))
    }

    #[test]
    fn options_are_those_of_librdkafka() {
        for (key, value) in [
            ("session.timeout.ms", "6000"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.mechanism", "PLAIN"),
            ("compression.type", "zstd"),
            ("compression.type", "lz4"),
            ("security.protocol", "ssl"),
        ] {
            check(key, value).unwrap_or_else(|error| panic!("{key}={value}: {error}"));
        }
        // Its mechanism would be Kerberos, which is not built in.
        check("security.protocol", "sasl_ssl").unwrap_err();
        let unknown = check("sesion.timeout.ms", "6000").unwrap_err();
        assert!(unknown.to_string().contains("No such configuration property"), "{unknown}");
        let ours = check("group.id", "g").unwrap_err();
        assert!(ours.to_string().contains("`group` says it"), "{ours}");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let options = [("sesion", "1"), ("group.id", "g"), ("acks", "many"), ("linger.ms", "5")];
        let options = options.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let errors = Settings { brokers: String::new(), options }.check().unwrap_err();
        let keys = errors.iter().map(|error| match error {
            KafkaTriggerError::Option { key, .. } => key.as_str(),
            KafkaTriggerError::Client(said) => said,
        });
        assert_eq!(keys.collect::<Vec<_>>(), ["acks", "group.id", "sesion"]);
    }

    #[test]
    fn values_are_never_told() {
        let error = check("session.timeout.ms", "hunter2").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        let options = BTreeMap::from([("sasl.password".to_owned(), "hunter2".to_owned())]);
        let settings = Settings { brokers: String::new(), options };
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
