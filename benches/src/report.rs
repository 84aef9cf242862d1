//! Tables and medians.

/// The middle of some measurements.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints one figure against its bars.
pub(crate) fn figure(name: &str, value: f64, unit: &str, must: &str, aim: &str) {
    println!("| {name} | {value:.2} {unit} | {must} | {aim} |");
}

/// Prints the head of the table of figures.
pub(crate) fn figure_head() {
    println!("\n| figure | measured | must | aim |\n|---|---|---|---|");
}
