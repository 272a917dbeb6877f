def test_empty():
    assert sort_items([]) == []

def test_one():
    assert sort_items([7]) == [7]

def test_ordinary():
    assert sort_items([3, 1, 2]) == [1, 2, 3]

def test_repeated():
    assert sort_items([2, 1, 2, 1]) == [1, 1, 2, 2]

def test_the_input_stays_as_it_was():
    items = [2, 1]
    sort_items(items)
    assert items == [2, 1]
