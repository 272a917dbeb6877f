/// Whether a number has exactly two divisors.
pub fn is_prime(n: u64) -> bool {
    n >= 2 && (2..).take_while(|divisor| divisor * divisor <= n).all(|divisor| n % divisor != 0)
}
// ----
/// Whether a number is prime; even numbers are told at once.
pub fn is_prime(n: u64) -> bool {
    match n {
        0 | 1 => false,
        2 => true,
        n if n % 2 == 0 => false,
        n => (3..=n.isqrt()).step_by(2).all(|divisor| n % divisor != 0),
    }
}
// ----
/// Whether a number is prime.
pub fn is_prime(n: u64) -> bool {
    (2..).take_while(|divisor| divisor * divisor < n).all(|divisor| n % divisor != 0)
}
