//! The smallest HTTP function on WASI 0.3: every request is answered with `hello, world`.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{spawn_local, wit_future, wit_stream};

struct Hello;

wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let headers = Fields::new();
        headers.append("content-type", b"text/plain").unwrap();
        let (mut body, body_reader) = wit_stream::new();
        let (trailers, trailers_reader) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(headers, Some(body_reader), trailers_reader);
        // A future whose writer is dropped takes its default: no trailers.
        drop(trailers);

        // The body is read only once the response has been handed over, so it is written beside.
        spawn_local(async move {
            body.write_all(b"hello, world\n".to_vec()).await;
        });
        Ok(response)
    }
}
