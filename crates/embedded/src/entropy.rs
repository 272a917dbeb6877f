//! Chance from the operating system.

use fleet_orchestrator::port::Entropy;

/// Randomness of the operating system, asked anew each time, so that nothing here can be guessed or
/// copied with the process.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn bits(&self) -> u64 {
        // There is nothing sensible to go on with: ids that coincide would merge deliberations.
        getrandom::u64().expect("the operating system gives random numbers")
    }
}
