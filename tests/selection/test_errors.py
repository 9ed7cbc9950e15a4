from __future__ import annotations

import inspect

from selection import errors


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    classes = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]
    assert all(issubclass(cls, errors.SelectionError) and cls.__doc__ for cls in classes)
    drawn = {line.split("── ")[1].split()[0] for line in str(errors.__doc__).splitlines() if "── " in line}
    assert drawn | {"SelectionError"} == {cls.__name__ for cls in classes}
