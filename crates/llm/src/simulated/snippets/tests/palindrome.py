def test_empty():
    assert is_palindrome("") == True

def test_plain():
    assert is_palindrome("level") == True

def test_no_palindrome():
    assert is_palindrome("levels") == False

def test_letters_of_both_cases():
    assert is_palindrome("Level") == True

def test_a_sentence():
    assert is_palindrome("A man, a plan, a canal: Panama") == True
