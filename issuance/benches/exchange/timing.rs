//! Whether the answer no takes longer of a number that no person has than of a number with another's name.

use crate::Bench;
use crate::clients::Task;

/// Asks so many of each, in an order by chance, and compares the two samples.
pub async fn measure(bench: &Bench, engine: &str, pairs: u64) {
    let told = Task { pairs, ..bench.task(1, None) }.done().await;
    let of = |which: usize| -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let sample = told.took.iter().skip(which).step_by(2).map(|took| *took as f64 / 1e3);
        let mut sample: Vec<f64> = sample.collect();
        sample.sort_by(f64::total_cmp);
        sample
    };
    let (none, other) = (of(0), of(1));
    println!("\n| {engine}, {pairs} each | mean, us | median | p90 | p99 |\n| --- | ---: | ---: | ---: | ---: |");
    for (name, sample) in [("a number that no person has", &none), ("a number with another's name", &other)] {
        let at = |percent: usize| sample[(sample.len() - 1) * percent / 100];
        println!("| {name} | {:.1} | {:.1} | {:.1} | {:.1} |", mean(sample), at(50), at(90), at(99));
    }
    let (t, d, p, z) =
        (welch(&none, &other), smirnov(&none, &other), smirnov_p(&none, &other), mann_whitney(&none, &other));
    // What an asker would see who leaves the slowest tenth out, as one who measures does.
    let cut = |sample: &[f64]| sample[..sample.len() * 9 / 10].to_vec();
    let trimmed = welch(&cut(&none), &cut(&other));
    println!(
        "\nWelch's t {t:.2}, without the slowest tenth {trimmed:.2}; Kolmogorov-Smirnov D {d:.4} (p {p:.3}); Mann-Whitney z {z:.2}"
    );
}

#[expect(clippy::cast_precision_loss, reason = "few enough")]
fn mean(sample: &[f64]) -> f64 {
    sample.iter().sum::<f64>() / sample.len() as f64
}

#[expect(clippy::cast_precision_loss, reason = "few enough")]
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let error = |sample: &[f64]| {
        let (mean, count) = (mean(sample), sample.len() as f64);
        sample.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (count - 1.0) / count
    };
    (mean(one) - mean(other)) / (error(one) + error(other)).sqrt()
}

/// The largest distance between the two distributions; the samples are sorted.
#[expect(clippy::cast_precision_loss, reason = "few enough")]
fn smirnov(one: &[f64], other: &[f64]) -> f64 {
    let below = |sample: &[f64], value: f64| sample.partition_point(|x| *x <= value) as f64 / sample.len() as f64;
    one.iter().chain(other).map(|value| (below(one, *value) - below(other, *value)).abs()).fold(0.0, f64::max)
}

/// How likely such a distance is where there is no difference.
#[expect(clippy::cast_precision_loss, reason = "few enough")]
fn smirnov_p(one: &[f64], other: &[f64]) -> f64 {
    let (n, m) = (one.len() as f64, other.len() as f64);
    let root = (n * m / (n + m)).sqrt();
    let lambda = (root + 0.12 + 0.11 / root) * smirnov(one, other);
    let term =
        |k: i32| f64::from(if k % 2 == 1 { 2 } else { -2 }) * (-2.0 * f64::from(k).powi(2) * lambda.powi(2)).exp();
    (1..100).map(term).sum::<f64>().clamp(0.0, 1.0)
}

/// How far the ranks of the two lie from where they would be by chance, in standard deviations.
#[expect(clippy::cast_precision_loss, reason = "few enough")]
fn mann_whitney(one: &[f64], other: &[f64]) -> f64 {
    let (n, m) = (one.len() as f64, other.len() as f64);
    let below = |value: f64| {
        let (less, upto) = (other.partition_point(|x| *x < value), other.partition_point(|x| *x <= value));
        (less + upto) as f64 / 2.0
    };
    let u: f64 = one.iter().map(|value| below(*value)).sum();
    (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt()
}
