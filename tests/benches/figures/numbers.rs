//! Personal numbers per CPU-second.

use crypto::identity::Sex;
use issuance::numbering::Permutation;
use issuance::numbering::model::Cell;
use zeroize::Zeroizing;

use crate::{grouped, rate};

pub fn measure() -> String {
    let permutation = Permutation::new(&Zeroizing::new([0x5e; 32]));
    let cell = Cell { province: "003".parse().expect("three digits"), sex: Sex::Female, birth_year: 2000 };
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
