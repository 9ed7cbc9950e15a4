"""The house rules that can be read off the source: sizes, and words that room code never says."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from functools import cache

import pytest

from tests.api.rooms import ROOT, sources

FILE_LINES = 600
FUNCTION_LINES = 60
FUNCTION_LINES_P90 = 30
# The ones that speak to a person at a terminal.
MAY_PRINT = ("api/cli/", "api/demo")
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}


@cache
def trees() -> list[tuple[str, ast.Module]]:
    """Every file of every room, by its path, parsed."""
    return [(path.relative_to(ROOT).as_posix(), ast.parse(path.read_text(encoding="utf-8"))) for path in sources()]


def offences(name: str, tree: ast.Module) -> list[str]:
    """``file:line: what`` for everything room code may not do."""
    return [
        f"{name}:{getattr(node, 'lineno', 0)}: {what}"
        for node in ast.walk(tree)
        for what in said(node)
        if not (what == "print" and name.startswith(MAY_PRINT))
    ]


def said(node: ast.AST) -> Iterator[str]:
    """The forbidden things that one node of the tree is."""
    if isinstance(node, ast.Assert):
        yield "assert"
    if isinstance(node, ast.Import):
        yield from (a.name for a in node.names if a.name.partition(".")[0] in FORBIDDEN_MODULES)
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FORBIDDEN_MODULES:
        yield str(node.module)
    if isinstance(node, ast.ExceptHandler) and (node.type is None or all(isinstance(s, ast.Pass) for s in node.body)):
        yield "a swallowed exception"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        if node.func.id in FORBIDDEN_CALLS:
            yield f"{node.func.id}("
        if node.func.id == "print":
            yield "print"
    if (
        isinstance(node, ast.keyword)
        and node.arg in ("trust_remote_code", "allow_pickle")
        and not _is_false(node.value)
    ):
        yield f"{node.arg}="
    if isinstance(node, ast.keyword) and node.arg == "weights_only":
        yield "weights_only= (a pickle format, whatever it says)"


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False


def test_no_room_says_a_forbidden_word() -> None:
    found = [line for name, tree in trees() for line in offences(name, tree)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "assert x",
        "import pickle",
        "import joblib.externals",
        "from pickle import loads",
        "eval('1')",
        "exec('1')",
        "print(1)",
        "load(trust_remote_code=True)",
        "load(trust_remote_code=flag)",
        "np.load(f, allow_pickle=True)",
        "torch.load(f, weights_only=True)",
        "try:\n    f()\nexcept:\n    g()",
        "try:\n    f()\nexcept Exception:\n    pass",
    ],
)
def test_the_check_sees_each_of_them(code: str) -> None:
    assert offences("labeling/x.py", ast.parse(code))


@pytest.mark.parametrize(
    "code",
    [
        "model.eval()",
        "console.print(1)",
        "re.compile('x')",
        "load(trust_remote_code=False)",
        "'eval('",
        "try:\n    f()\nexcept OSError as e:\n    raise X from e",
    ],
)
def test_the_check_leaves_the_rest_alone(code: str) -> None:
    assert offences("labeling/x.py", ast.parse(code)) == []


def test_only_the_command_line_and_the_demo_print() -> None:
    tree = ast.parse("print(1)")
    assert offences("api/cli/main.py", tree) == offences("api/demo/run.py", tree) == offences("api/demo.py", tree) == []
    assert offences("api/app.py", tree) == ["api/app.py:1: print"]


def test_no_file_is_too_long() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert not {path: size for path, size in sizes.items() if size > FILE_LINES}
    assert statistics.median(size for size in sizes.values() if size > 1) <= 200


def test_functions_are_short() -> None:
    sizes = {
        f"{name}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    }
    assert not {name: size for name, size in sizes.items() if size > FUNCTION_LINES}
    ranked = sorted(sizes.values())
    assert ranked[int(0.9 * len(ranked))] <= FUNCTION_LINES_P90


def test_every_file_says_what_it_is() -> None:
    for name, tree in trees():
        if tree.body:
            assert ast.get_docstring(tree), f"{name} has no docstring"


def test_imports_stand_at_the_top() -> None:
    hidden = [
        f"{name}:{inner.lineno}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        for inner in ast.walk(node)
        if isinstance(inner, (ast.Import, ast.ImportFrom))
    ]
    assert not hidden, "\n".join(hidden)
