def test_one_row():
    assert parse_csv("a,b\n1,2\n") == [{"a": "1", "b": "2"}]

def test_no_rows():
    assert parse_csv("a,b\n") == []

def test_a_comma_in_quotes():
    assert parse_csv('a,b\n"1,5",2\n') == [{"a": "1,5", "b": "2"}]

def test_a_quote_in_quotes():
    assert parse_csv('a\n"say ""x"""\n') == [{"a": 'say "x"'}]

def test_an_empty_field():
    assert parse_csv("a,b\n,2\n") == [{"a": "", "b": "2"}]
