def is_palindrome(text: str) -> bool:
    """Tell whether text reads the same both ways; only letters and digits count."""
    letters = [c.casefold() for c in text if c.isalnum()]
    return letters == letters[::-1]
# ----
def is_palindrome(text: str) -> bool:
    """Tell whether text reads the same both ways, from both ends at once."""
    left, right = 0, len(text) - 1
    while left < right:
        if not text[left].isalnum():
            left += 1
        elif not text[right].isalnum():
            right -= 1
        elif text[left].casefold() != text[right].casefold():
            return False
        else:
            left, right = left + 1, right - 1
    return True
# ----
def is_palindrome(text: str) -> bool:
    """Tell whether text reads the same both ways."""
    return text == text[::-1]
