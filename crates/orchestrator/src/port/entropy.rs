//! Chance.

/// Gives what must not be guessed or must not coincide.
pub trait Entropy: Send + Sync {
    /// 64 random bits.
    fn bits(&self) -> u64;

    /// A random number from 0 up to, but not including, 1.
    fn unit(&self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A name that has not been given before: a UUID of version 4 (RFC 9562) as text.
    fn id(&self) -> String {
        let high = (self.bits() & !0xf000) | 0x4000;
        let low = (self.bits() & !(0b11 << 62)) | (0b10 << 62);
        let hex = format!("{high:016x}{low:016x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}
