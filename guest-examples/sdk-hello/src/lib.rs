//! The smallest HTTP function with the SDK: every request is answered with `hello, world`.

use wfh::{Body, Request, Response, Result};

#[wfh::http]
async fn handle(_request: Request<Body>) -> Result<Response<Body>> {
    let response = Response::builder().header("content-type", "text/plain");
    Ok(response.body("hello, world\n".into())?)
}
