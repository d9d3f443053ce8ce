from common.text import ids_typed


def test_ids_are_read_from_forms_whatever_stands_there() -> None:
    found = ids_typed(["3", "x", "", "3", "1", "-4", "9" * 30, "\u0663", None])

    assert (found, ids_typed(None)) == ([3, 1], [])
