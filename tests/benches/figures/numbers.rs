//! Personal numbers per CPU-second.

use crypto::identity::Sex;
use tests::world::PROVINCE;
use zeroize::Zeroizing;

use crate::issuance_parts::{Cell, Permutation};
use crate::{grouped, rate};

pub fn measure() -> String {
    let permutation = Permutation::new(&Zeroizing::new([0x5e; 32]));
    let cell = Cell { province: PROVINCE.parse().expect("three digits"), sex: Sex::Female, birth_year: 2000 };
    let mut position = 0;
    let rate = rate(|| {
        position = (position + 1) % 1_000_000;
        std::hint::black_box(permutation.number(cell, position).expect("within the cell"));
    });
    format!(
        "\n## Personal numbers\n\n{} per CPU-second (keyed permutation of a cell; without the database).\n",
        grouped(rate)
    )
}
