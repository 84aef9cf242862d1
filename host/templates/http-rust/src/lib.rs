//! Answers requests.

use wfh::{Body, Request, Response, Result};

#[wfh::http]
async fn handle(request: Request<Body>) -> Result<Response<Body>> {
    let path = request.uri().path();
    wfh::tracing::info!(path, "greeting");
    Ok(Response::new("hello, world\n".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wfh::test::Host;

    #[test]
    fn it_greets() {
        let request = Request::new(Body::from(""));
        let response = Host::new().request(handle, request);
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), "hello, world\n");
    }
}
