//! Makes small pictures of large ones; what the examples with pictures share.

use std::io::Cursor;

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{DynamicImage, ImageDecoder, ImageResult, Limits};

/// A few kilobytes of JPEG can unfold into gigabytes; larger pictures are refused by their header.
const PICTURE_SIDE_MAX: u32 = 8192;
const QUALITY_PERCENT: u8 = 85;

/// A JPEG that fits a square of this side. A picture that fits already keeps its size.
///
/// # Errors
/// When `jpeg` is none, or too large.
pub fn thumbnail(jpeg: &[u8], side: u32) -> ImageResult<Vec<u8>> {
    let picture = decode(jpeg)?;
    let small = if picture.width().max(picture.height()) <= side {
        picture
    } else {
        picture.thumbnail(side, side)
    };
    let mut bytes = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY_PERCENT))?;
    Ok(bytes)
}

/// Decodes and turns the picture the way its camera was held.
fn decode(jpeg: &[u8]) -> ImageResult<DynamicImage> {
    let mut decoder = JpegDecoder::new(Cursor::new(jpeg))?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(PICTURE_SIDE_MAX);
    limits.max_image_height = Some(PICTURE_SIDE_MAX);
    decoder.set_limits(limits)?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}
