from __future__ import annotations

import inspect

from scoring import errors


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    classes = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    drawn = [line.strip("├└─│ ").split()[0] for line in (errors.__doc__ or "").splitlines()[2:] if line.strip()]
    assert sorted(kind.__name__ for kind in classes) == sorted(drawn)
    assert all(issubclass(kind, errors.ScoringError) and kind.__doc__ for kind in classes)
