def sort_items(items: list) -> list:
    """Return a sorted copy: halves are sorted, then merged; equal items keep their order."""
    if len(items) < 2:
        return list(items)
    middle = len(items) // 2
    left, right = sort_items(items[:middle]), sort_items(items[middle:])
    merged = []
    while left and right:
        merged.append(left.pop(0) if left[0] <= right[0] else right.pop(0))
    return merged + left + right
# ----
def sort_items(items: list) -> list:
    """Return a sorted copy: each item is put where it belongs among those before it."""
    result = []
    for item in items:
        place = len(result)
        while place > 0 and result[place - 1] > item:
            place -= 1
        result.insert(place, item)
    return result
# ----
def sort_items(items: list) -> list:
    """Return a sorted copy."""
    if not items:
        return []
    pivot = items[0]
    lower = [item for item in items if item < pivot]
    higher = [item for item in items if item > pivot]
    return sort_items(lower) + [pivot] + sort_items(higher)
