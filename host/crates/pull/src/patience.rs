//! A store that does not answer is waited for.

use std::time::Duration;

use wfh_store::StoreError;

/// How long before it is asked again.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Asks until the store answers. `source` is who waits, for the log.
pub async fn patiently<T, A>(source: &str, mut ask: impl FnMut() -> A) -> T
where
    A: Future<Output = Result<T, StoreError>>,
{
    loop {
        match ask().await {
            Ok(answer) => return answer,
            Err(error) => {
                tracing::warn!(source, %error, "waits for the store");
                tokio::time::sleep(STORE_PAUSE).await;
            }
        }
    }
}
