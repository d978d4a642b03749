//! The error that each count is given before it may be told: the discrete Gaussian, cut at six standard deviations.
//!
//! Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (2020): with standard deviation σ a
//! count that one person changes by one is protected by ρ = 1/(2σ²) of zero-concentrated differential privacy, and the
//! ρ of several counts add up.

use rand::Rng;

/// Errors of one standard deviation.
#[derive(Clone, Debug)]
pub(super) struct Noise {
    bound: i64,
    /// Of each error from `-bound` on the share of draws that are at most as large, of 2^63.
    shares: Vec<u64>,
}

/// So many standard deviations an error has at most: a larger one would be drawn once in some hundred million times.
const CUT: u32 = 6;
/// All draws.
const ALL: f64 = 9_223_372_036_854_775_808.0;

impl Noise {
    /// Errors with this standard deviation, in persons; none at all for 0, which no configuration may have.
    pub fn of(deviation: u32) -> Self {
        let bound = i64::from(deviation) * i64::from(CUT);
        let weights: Vec<f64> = Self::weights(deviation, bound);
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let shares = weights.iter().map(|weight| {
            sum += weight;
            share(sum / total)
        });
        Self { bound, shares: shares.collect() }
    }

    /// The largest error, up and down.
    pub const fn bound(&self) -> i64 {
        self.bound
    }

    /// Draws an error.
    pub fn draw(&self, rng: &mut impl Rng) -> i64 {
        let drawn = rng.next_u64() >> 1;
        let place = self.shares.partition_point(|share| *share <= drawn);
        // The last share may be rounded down by a little.
        i64::try_from(place).unwrap_or(i64::MAX).saturating_sub(self.bound).min(self.bound)
    }

    #[expect(clippy::cast_precision_loss, reason = "errors of some thousands")]
    fn weights(deviation: u32, bound: i64) -> Vec<f64> {
        let twice = 2.0 * f64::from(deviation.max(1)).powi(2);
        (-bound..=bound).map(|error| (-((error * error) as f64) / twice).exp()).collect()
    }
}

/// Returns a part of one as a part of 2^63.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^63")]
fn share(part: f64) -> u64 {
    (part * ALL) as u64
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::ChaCha20Rng;

    use super::*;

    /// The probability of each error.
    fn probabilities(deviation: u32) -> Vec<f64> {
        let noise = Noise::of(deviation);
        let weights = Noise::weights(deviation, noise.bound());
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn errors_have_their_deviation_and_their_bound_and_no_bias() {
        let (noise, mut rng) = (Noise::of(6), ChaCha20Rng::seed_from_u64(1));
        let many = 200_000;
        let drawn: Vec<i64> = (0..many).map(|_| noise.draw(&mut rng)).collect();
        assert!(drawn.iter().all(|error| error.abs() <= 36), "the bound holds");
        let mean = drawn.iter().sum::<i64>() as f64 / f64::from(many);
        let square = drawn.iter().map(|error| error * error).sum::<i64>() as f64 / f64::from(many);
        assert!(mean.abs() < 0.07, "{mean}");
        assert!((square.sqrt() - 6.0).abs() < 0.07, "{square}");
        for (error, probability) in (-36_i64..=36).zip(probabilities(6)).filter(|(error, _)| error.abs() < 12) {
            let met = drawn.iter().filter(|drawn| **drawn == error).count() as f64 / f64::from(many);
            assert!((met - probability).abs() < 0.003, "{error}: {met}, {probability}");
        }
        assert!((0..100).all(|_| Noise::of(0).draw(&mut rng) == 0));
    }

    /// Rényi divergence of order `alpha` between errors and errors one higher, where both can be, and how probable it
    /// is that only one can be.
    fn divergence(deviation: u32, alpha: f64) -> (f64, f64) {
        let one = probabilities(deviation);
        let pairs = one.iter().skip(1).zip(&one);
        let sum: f64 = pairs.map(|(p, q)| (alpha * p.ln() + (1.0 - alpha) * q.ln()).exp()).sum();
        (sum.ln() / (alpha - 1.0), one[0])
    }

    #[test]
    fn one_person_more_or_less_is_hidden_as_far_as_is_claimed() {
        for deviation in [3, 6, 10, 40] {
            let claimed = 1.0 / (2.0 * f64::from(deviation).powi(2));
            for alpha in [1.5, 2.0, 4.0, 16.0, 64.0] {
                let (divergence, apart) = divergence(deviation, alpha);
                assert!(divergence <= alpha * claimed + 1e-9, "{deviation}, {alpha}: {divergence}");
                assert!(apart < 1e-8, "{deviation}: {apart}");
            }
        }
        // With half the deviation the claim would not hold.
        let (divergence, _) = divergence(3, 2.0);
        assert!(divergence > 2.0 / (2.0 * 36.0));
    }
}
