//! What the programs of `npm run bench` measure with.

use std::time::Instant;

/// Returns the nanoseconds that an operation takes in the mean of `count`, after a tenth as many that are not measured.
pub fn each(count: usize, mut operation: impl FnMut()) -> f64 {
    for _ in 0..count / 10 {
        operation();
    }
    let start = Instant::now();
    for _ in 0..count {
        operation();
    }
    start.elapsed().as_nanos() as f64 / count as f64
}
