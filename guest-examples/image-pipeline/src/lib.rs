//! Makes thumbnails of a batch of pictures: the good ones go on, the bad ones are rejected alone.

use wfh::{BatchReply, Event, Outgoing, Raw, Reject, Result, config};

#[wfh::batch]
async fn shrink(pictures: Vec<Event<Raw>>) -> Result<BatchReply> {
    let side = config::get("side")?.map_or(Ok(160), |side| side.parse())?;
    let mut reply = BatchReply::new();
    for picture in &pictures {
        match pictures::thumbnail(&picture.0, side) {
            Ok(jpeg) => reply.emit(picture, small(picture, jpeg)),
            Err(error) => reply.fail(picture, Reject::new(error)),
        }
    }
    Ok(reply)
}

fn small(picture: &Event<Raw>, jpeg: Vec<u8>) -> Outgoing {
    Outgoing::new("queue:thumbnails", "picture.shrunk")
        .subject(picture.subject().unwrap_or(picture.id()))
        .data("image/jpeg", jpeg)
}

#[cfg(test)]
mod tests {
    use wfh::test::{Delivery, Host};

    use super::*;

    const PICTURE: &[u8] = include_bytes!("../../thumbnail/picture.jpg");

    #[test]
    fn the_good_go_on_and_the_bad_are_rejected_alone() {
        let batch = [
            Delivery::bytes("image/jpeg", PICTURE).subject("sines.jpg"),
            Delivery::bytes("image/jpeg", "no picture"),
            Delivery::empty(),
        ];
        let outcome = Host::new().config("side", "64").batch(shrink, batch);
        assert_eq!(outcome.failed().keys().collect::<Vec<_>>(), [&1, &2]);
        assert!(outcome.failed().values().all(wfh::Error::is_rejection));
        let [small] = outcome.emitted() else { panic!("{:?}", outcome.emitted()) };
        assert!(small.bytes().is_some_and(|jpeg| jpeg.len() < PICTURE.len() / 2));
    }
}
