//! Why nothing can be asked of Kafka at all.

use rdkafka::error::KafkaError;
use thiserror::Error;

/// What is wrong before a broker is asked.
#[derive(Debug, Error)]
pub enum KafkaTriggerError {
    /// An option that librdkafka does not have, or a value that it does not take.
    #[error("{reason}")]
    Option {
        /// The option.
        key: String,
        /// Why; it never holds the value, which may be a secret.
        reason: String,
    },
    /// The options do not go together.
    #[error("{0}")]
    Client(String),
}

impl From<KafkaError> for KafkaTriggerError {
    fn from(error: KafkaError) -> Self {
        match error {
            KafkaError::ClientConfig(_, reason, key, value) => {
                let reason = match value.is_empty() {
                    true => reason,
                    false => reason.replace(&value, "..."),
                };
                Self::Option { key, reason }
            }
            other => Self::Client(other.to_string()),
        }
    }
}
