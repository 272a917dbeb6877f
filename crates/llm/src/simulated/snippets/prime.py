def is_prime(n: int) -> bool:
    """Tell whether n has exactly two divisors."""
    if n < 2:
        return False
    divisor = 2
    while divisor * divisor <= n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True
# ----
from math import isqrt


def is_prime(n: int) -> bool:
    """Tell whether n is a prime number; even numbers are told at once."""
    if n < 4:
        return n in (2, 3)
    if n % 2 == 0:
        return False
    return all(n % divisor for divisor in range(3, isqrt(n) + 1, 2))
# ----
def is_prime(n: int) -> bool:
    """Tell whether n is a prime number."""
    divisor = 2
    while divisor * divisor < n:
        if n % divisor == 0:
            return False
        divisor += 1
    return True
