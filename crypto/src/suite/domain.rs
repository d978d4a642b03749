//! Domain parameters of the curves, for explicit `ECParameters` (Doc 9303-12 (8th ed.) §4.1.6.3 demands them).
//!
//! Values: FIPS 186-4 appendix D.1.2 and RFC 5639 §3; the tests compare them with what the arithmetic computes.

use super::Curve;

/// The parameters of a curve `y² = x³ + ax + b` over a prime field; all integers big-endian,
/// [`Curve::field_len`] bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Domain {
    /// The prime p of the field.
    pub prime: &'static [u8],
    /// Coefficient a.
    pub a: &'static [u8],
    /// Coefficient b.
    pub b: &'static [u8],
    /// Base point G, uncompressed: `04 || X || Y`.
    pub base_point: &'static [u8],
    /// Order n of G; for P-521 as long as the field.
    pub order: &'static [u8],
    /// Cofactor h: 1 on every curve here.
    pub cofactor: u8,
}

impl Curve {
    /// Returns the domain parameters.
    pub fn domain(self) -> &'static Domain {
        match self {
            Self::P256 => &P256,
            Self::P384 => &P384,
            Self::P521 => &P521,
            Self::BrainpoolP256r1 => &BRAINPOOL_P256R1,
            Self::BrainpoolP384r1 => &BRAINPOOL_P384R1,
        }
    }
}

const P256: Domain = Domain {
    prime: &bytes::<32>("ffffffff00000001000000000000000000000000ffffffffffffffffffffffff"),
    a: &bytes::<32>("ffffffff00000001000000000000000000000000fffffffffffffffffffffffc"),
    b: &bytes::<32>("5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b"),
    base_point: &bytes::<65>(
        "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e\
         162bce33576b315ececbb6406837bf51f5",
    ),
    order: &bytes::<32>("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"),
    cofactor: 1,
};

const P384: Domain = Domain {
    prime: &bytes::<48>(
        "fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffff",
    ),
    a: &bytes::<48>("fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000fffffffc"),
    b: &bytes::<48>("b3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aef"),
    base_point: &bytes::<97>(
        "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760a\
         b73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e\
         5f",
    ),
    order: &bytes::<48>(
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    ),
    cofactor: 1,
};

const P521: Domain = Domain {
    prime: &bytes::<66>(
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
         ffffffffffffffffffffffffffffffffffff",
    ),
    a: &bytes::<66>(
        "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
         fffffffffffffffffffffffffffffffffffc",
    ),
    b: &bytes::<66>(
        "0051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1\
         bf073573df883d2c34f1ef451fd46b503f00",
    ),
    base_point: &bytes::<133>(
        "0400c6858e06b70404e9cd9e3ecb662395b4429c648139053fb521f828af606b4d3dbaa14b5e77efe75928fe1dc127a2\
         ffa8de3348b3c1856a429bf97e7e31c2e5bd66011839296a789a3bc0045c8a5fb42c7d1bd998f54449579b446817afbd\
         17273e662c97ee72995ef42640c550b9013fad0761353c7086a272c24088be94769fd16650",
    ),
    order: &bytes::<66>(
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709\
         a5d03bb5c9b8899c47aebb6fb71e91386409",
    ),
    cofactor: 1,
};

const BRAINPOOL_P256R1: Domain = Domain {
    prime: &bytes::<32>("a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377"),
    a: &bytes::<32>("7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9"),
    b: &bytes::<32>("26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6"),
    base_point: &bytes::<65>(
        "048bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262547ef835c3dac4fd97f8461a14611d\
         c9c27745132ded8e545c1d54c72f046997",
    ),
    order: &bytes::<32>("a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7"),
    cofactor: 1,
};

const BRAINPOOL_P384R1: Domain = Domain {
    prime: &bytes::<48>(
        "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b412b1da197fb71123acd3a729901d1a71874700133107ec53",
    ),
    a: &bytes::<48>("7bc382c63d8c150c3c72080ace05afa0c2bea28e4fb22787139165efba91f90f8aa5814a503ad4eb04a8c7dd22ce2826"),
    b: &bytes::<48>("04a8c7dd22ce28268b39b55416f0447c2fb77de107dcd2a62e880ea53eeb62d57cb4390295dbc9943ab78696fa504c11"),
    base_point: &bytes::<97>(
        "041d1c64f068cf45ffa2a63a81b7c13f6b8847a3e77ef14fe3db7fcafe0cbd10e8e826e03436d646aaef87b2e247d4af\
         1e8abe1d7520f9c2a45cb1eb8e95cfd55262b70b29feec5864e19c054ff99129280e4646217791811142820341263c53\
         15",
    ),
    order: &bytes::<48>(
        "8cb91e82a3386d280f5d6f7e50e641df152f7109ed5456b31f166e6cac0425a7cf3ab6af6b7fc3103b883202e9046565",
    ),
    cofactor: 1,
};

/// Reads hexadecimal digits at compile time.
const fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let digits = hex.as_bytes();
    assert!(digits.len() == 2 * N);
    let mut out = [0; N];
    let mut at = 0;
    while at < N {
        out[at] = nibble(digits[2 * at]) << 4 | nibble(digits[2 * at + 1]);
        at += 1;
    }
    out
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("not a hexadecimal digit"),
    }
}
