//! Takes a JPEG and answers with a smaller one.
//!
//! `POST` the picture; `?size=N` (1 to 1024, default 160) is the side of the square that it shall
//! fit. A picture that fits already keeps its size.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{IncomingRequest, Method, ResponseOutparam};

const SIZE_DEFAULT: u64 = 160;
const SIZE_MAX: u64 = 1024;

struct Thumbnail;

wasip2::http::proxy::export!(Thumbnail);

impl Guest for Thumbnail {
    fn handle(request: IncomingRequest, response_out: ResponseOutparam) {
        if !matches!(request.method(), Method::Post) {
            return support::text(response_out, 405, "POST a JPEG\n");
        }
        let Some(side) = side(&request) else {
            let problem = format!("size is a number from 1 to {SIZE_MAX}\n");
            return support::text(response_out, 400, &problem);
        };
        let Ok(picture) = support::request_body(&request) else {
            return support::text(response_out, 400, "the request body broke off\n");
        };
        match pictures::thumbnail(&picture, side) {
            Ok(jpeg) => support::respond(response_out, 200, "image/jpeg", &jpeg),
            Err(error) => {
                support::text(response_out, 422, &format!("not a picture to work with: {error}\n"));
            }
        }
    }
}

fn side(request: &IncomingRequest) -> Option<u32> {
    let size = match support::query(request, "size") {
        Some(size) => size.parse().ok()?,
        None => SIZE_DEFAULT,
    };
    (1..=SIZE_MAX).contains(&size).then(|| u32::try_from(size).ok())?
}
