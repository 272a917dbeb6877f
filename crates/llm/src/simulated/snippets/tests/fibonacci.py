def test_zeroth():
    assert fibonacci(0) == 0

def test_first():
    assert fibonacci(1) == 1

def test_second():
    assert fibonacci(2) == 1

def test_tenth():
    assert fibonacci(10) == 55

def test_ninetieth():
    assert fibonacci(90) == 2880067194370816120
