/// Whether a text reads the same both ways; only letters and digits count.
pub fn is_palindrome(text: &str) -> bool {
    let letters: Vec<char> = text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    letters.iter().eq(letters.iter().rev())
}
// ----
/// Whether a text reads the same both ways, from both ends at once.
pub fn is_palindrome(text: &str) -> bool {
    let mut letters = text.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase());
    while let (Some(first), Some(last)) = (letters.next(), letters.next_back()) {
        if first != last {
            return false;
        }
    }
    true
}
// ----
/// Whether a text reads the same both ways.
pub fn is_palindrome(text: &str) -> bool {
    text.bytes().eq(text.bytes().rev())
}
