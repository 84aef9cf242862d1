//! Paints the test picture, on the build host:
//! `cargo run --release -p thumbnail --example picture --target "$(rustc --print host-tuple)" -- thumbnail/picture.jpg`

use std::f32::consts::TAU;
use std::{env, fs};

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

const WIDTH: u32 = 1024;
const HEIGHT: u32 = 768;
const HORIZON: f32 = 0.62;
const QUALITY_PERCENT: u8 = 88;

type Color = [f32; 3];

fn main() {
    let path = env::args().nth(1).expect("the path to write to");
    let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
        let across = x as f32 / WIDTH as f32;
        let down = y as f32 / HEIGHT as f32;
        Rgb(grain(color(across, down), x, y).map(|part| (part.clamp(0.0, 1.0) * 255.0) as u8))
    });
    let mut jpeg = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY_PERCENT))
        .expect("a picture in memory can be encoded");
    fs::write(path, jpeg).expect("the path can be written to");
}

/// A landscape above the horizon, its darker and wavy reflection in a lake below.
fn color(across: f32, down: f32) -> Color {
    if down < HORIZON {
        return land(across, down);
    }
    let depth = (down - HORIZON) / (1.0 - HORIZON);
    let wave = 0.012 * depth * (depth * depth * 60.0 + across * 9.0).sin();
    let mirrored = land(across + wave, HORIZON * (1.0 - depth * 0.9));
    mix(mirrored, [0.05, 0.16, 0.27], 0.3 + 0.45 * depth)
}

/// Three ridges in front of each other, hazier with distance, and trees on the nearest.
fn land(across: f32, down: f32) -> Color {
    let trees = 0.035 * (across * 70.0 * TAU).sin().abs();
    if down > 0.60 - 0.06 * ridge(across, 4.1) - trees * ridge(across, 0.3).abs() {
        [0.06, 0.20, 0.13]
    } else if down > 0.50 - 0.10 * ridge(across, 2.3) {
        mix([0.22, 0.36, 0.35], [0.10, 0.25, 0.20], (down - 0.35) * 4.0)
    } else if down > 0.38 - 0.13 * ridge(across, 0.9) {
        let snow = if down < 0.33 { 0.75 } else { 0.0 };
        mix([0.43, 0.47, 0.60], [0.96, 0.95, 0.98], snow)
    } else {
        sky(across, down)
    }
}

/// A height between about -1 and 1.
fn ridge(across: f32, phase: f32) -> f32 {
    let wave = |times: f32, shift: f32| ((across * times + phase * shift) * TAU).sin();
    0.55 * wave(1.3, 1.0) + 0.3 * wave(3.1, 1.7) + 0.15 * wave(9.7, 2.9)
}

/// Dusk from blue to orange, and a sun with its halo.
fn sky(across: f32, down: f32) -> Color {
    let dusk = mix([0.16, 0.30, 0.58], [0.98, 0.70, 0.45], down / 0.5);
    let aspect = WIDTH as f32 / HEIGHT as f32;
    let distance = ((across - 0.72) * aspect).hypot(down - 0.2);
    if distance < 0.06 { [1.0, 0.95, 0.78] } else { mix(dusk, [1.0, 0.86, 0.6], 0.05 / distance) }
}

/// A little noise, the same in every run, so that the file is not smoother than a photograph.
fn grain(color: Color, x: u32, y: u32) -> Color {
    let mut hash = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    let noise = ((hash >> 16) & 0xff) as f32 / 255.0 - 0.5;
    color.map(|part| part + noise * 0.03)
}

fn mix(from: Color, to: Color, share: f32) -> Color {
    let share = share.clamp(0.0, 1.0);
    [0, 1, 2].map(|part| from[part] + (to[part] - from[part]) * share)
}
