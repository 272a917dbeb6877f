def test_zero_is_one():
    assert factorial(0) == 1

def test_one_is_one():
    assert factorial(1) == 1

def test_ordinary_number():
    assert factorial(5) == 120

def test_larger_number():
    assert factorial(12) == 479001600

def test_negative_is_refused():
    try:
        factorial(-1)
    except ValueError:
        return
    assert 1 == 0
