//! What the emulator gets wrong, as far as it touches the inventory: data for the conformance suite, printed in
//! `docs/clouds.md`. The adapter knows nothing of it.

use marquee_clouds::conformance::Gap;

/// moto 5.2 with authentication on.
pub static MOTO: &[Gap] = &[];
