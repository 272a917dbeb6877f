def test_two():
    assert is_prime(2) == True

def test_one():
    assert is_prime(1) == False

def test_a_square():
    assert is_prime(9) == False

def test_a_larger_prime():
    assert is_prime(97) == True

def test_a_product():
    assert is_prime(91) == False
