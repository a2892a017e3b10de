"""Mutants of a made-up package with a made-up test."""

from __future__ import annotations

import ast
import json

import mutants
import pytest
from mutations import mutated, sites

SIZES = '''
LIMIT = 3


def larger(a: int, b: int = 5 - 2) -> int:
    """The larger, from 1 to 2."""
    if a < b:
        return b
    return a


def unused(a: int) -> int:
    return a * 1
'''
TEST = """
from ibcore.measures.sizes import larger


def test_larger():
    assert larger(1, 2) == larger(2, 1) == 2
    assert larger(2, 2) == 2
"""
LONELY = "def area(a: float, b: float) -> float:\n    return a * b\n"
PATH = "ibcore/measures/sizes.py"


@pytest.fixture
def root(tmp_path):
    files = {
        "ibcore/__init__.py": "",
        "ibcore/measures/__init__.py": "",
        PATH: SIZES,
        "ibcore/models/areas.py": LONELY,
        "tests/measures/test_sizes.py": TEST,
        "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return tmp_path


def changes(source):
    return [site.change for site in sites(ast.parse(source))]


def texts(root):
    files = (path for path in root.rglob("*") if path.is_file())
    kept = root / mutants.KEPT
    return {path: path.read_bytes() for path in files if path != kept}


def mutant(root, change):
    (found,) = (
        one
        for one in mutants.mutants(root, "measures")
        if one.name == f"{PATH} {change}"
    )
    return found


def test_what_changes_and_what_does_not():
    assert changes(SIZES) == [
        "a < b -> a <= b",
        "a < b -> a > b",
        "return b -> return -b",
        "return a -> return -a",
        "return a * 1 -> return -(a * 1)",
        "a * 1 -> a / 1",
        "a * 1 -> a * 2",
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x == 0.5", ["x == 0.5 -> x != 0.5", "x == 0.5 -> x == 1.0"]),
        ("x and y", ["x and y -> x or y"]),
        ("not x", ["not x -> x"]),
        ("x - y", ["x - y -> x + y"]),
        ("x[0]", ["x[0] -> x[-1]"]),
        ("x[..., -1]", ["-1 -> 0"]),
        ("x[1]", ["x[1] -> x[2]"]),
        ("abs(x)", ["abs(x) -> x"]),
        ("x.abs()", ["x.abs() -> x"]),
        ("max(x, y)", ["max(x, y) -> min(x, y)"]),
        ("torch.amin(x)", ["torch.amin(x) -> torch.amax(x)"]),
        ("x.sum()", ["x.sum() -> x.mean()"]),
        ("x.mean()", ["x.mean() -> x.sum()"]),
        ("f(at_most=x)", ["at_most=x -> at_least=x"]),
        ("f(reason=x + 1, max_seconds=2)", []),
        ('f"{x + 1}"', []),
        ('x + "text"', []),
        ("lambda x=1: x", []),
    ],
)
def test_one_change_of_each_kind(body, expected):
    assert changes(f"def f(x, y):\n    {body}\n") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x += 1", ["x += 1 -> x -= 1", "x += 1 -> x += 2"]),
        ('raise ValueError(x + 1, "no")', []),
        ("seconds = 3", []),
        ("y: 'a < b' = x", []),
    ],
)
def test_statements(body, expected):
    assert changes(f"def f(x):\n    {body}\n") == expected


def test_only_annotated_numbers_are_negated():
    source = "def f(x) -> {}:\n    return x\n"
    assert changes(source.format("bool")) == ["return x -> return not x"]
    assert changes(source.format("Tensor")) == ["return x -> return -x"]
    assert changes(source.format("str")) == []


def test_one_change_a_mutant():
    plain = ast.unparse(ast.parse(SIZES)).splitlines()
    for number in range(len(changes(SIZES))):
        other = mutated(SIZES, number).splitlines()
        assert sum(a != b for a, b in zip(plain, other, strict=True)) == 1


def test_killed_and_survived(root, tmp_path_factory):
    before = texts(root)
    bench = mutants.Bench(root, tmp_path_factory.mktemp("scratch"))
    killed = mutant(root, "(larger)  a < b -> a > b")
    lasting = mutant(root, "(larger)  a < b -> a <= b")
    assert bench.outcome(killed)["outcome"] == "killed"
    assert bench.outcome(lasting)["outcome"] == "survived"
    (lonely, *_) = mutants.mutants(root, "models")
    assert bench.outcome(lonely)["outcome"] == "no test"
    assert texts(root) == before
    assert (bench.copies.get() / PATH).read_text("utf-8") == SIZES


def test_a_mutant_that_does_not_end_is_killed(root, tmp_path_factory, monkeypatch):
    endless = "def f(x: int) -> int:\n    while x > 0:\n        x -= 1\n    return x\n"
    test = (
        "from ibcore.measures.sizes import f\n\ndef test_f():\n    assert f(3) == 0\n"
    )
    (root / PATH).write_text(endless, "utf-8")
    (root / "tests/measures/test_sizes.py").write_text(test, "utf-8")
    monkeypatch.setattr(mutants, "PATIENCE", 0.5)
    bench = mutants.Bench(root, tmp_path_factory.mktemp("scratch"))
    found = bench.outcome(mutant(root, "(f)  x -= 1 -> x += 1"))
    assert found["outcome"] == "killed"
    assert found["seconds"] > 0.5


def test_a_test_that_fails_anyway_kills_nothing(root, tmp_path_factory):
    with (root / "tests/measures/test_sizes.py").open("a", encoding="utf-8") as file:
        file.write("    assert larger(1, 1) == 2\n")
    bench = mutants.Bench(root, tmp_path_factory.mktemp("scratch"))
    found = bench.outcome(mutant(root, "(larger)  a < b -> a > b"))
    assert found["outcome"] == "fails unchanged"


@pytest.fixture
def rich(tmp_path):
    """Fifty mutants in each folder."""
    sums = (f"def f{i}(x):\n    return x + {i}\n" for i in range(25))
    text = "\n\n".join(sums)
    rooms = ["pages/part/page/claims", "dynamics", "models", "measures", "oracles"]
    for room in rooms:
        path = tmp_path / "ibcore" / room / "sums.py"
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    return tmp_path


def test_the_same_sample_for_the_same_seed(rich):
    first = mutants.sampled(rich, 40, 7)
    assert first == mutants.sampled(rich, 40, 7)
    assert first != mutants.sampled(rich, 40, 8)
    assert len({one.name for one in first}) == 40


def test_as_many_of_each_folder_as_stated(rich):
    assert mutants.counts(120) == {
        **dict.fromkeys(("dynamics", "models", "measures", "oracles"), 20),
        "claims": 40,
    }
    assert sum(mutants.counts(41).values()) == 41
    drawn = mutants.sampled(rich, 41, 7)
    for folder, count in mutants.counts(41).items():
        mine = [one for one in drawn if one.folder == folder]
        assert len(mine) == count
        assert mine == mutants.sampled(rich, 41, 7, folder)
        for one in mine:
            assert ("/claims" in one.path) == (folder == "claims")
    begun = drawn[:12]
    assert sum(one.folder == "claims" for one in begun) == 4


def test_names_tell_mutants_apart():
    for folder in mutants.FOLDERS:
        names = [one.name for one in mutants.mutants(mutants.ROOT, folder)]
        assert len(set(names)) == len(names) > 0


def test_the_tests_of_a_module(root):
    places = [
        "tests/measures/test_sizes_of_more.py",
        "tests/measures/test_sizes_small.py",
        "ibcore/measures/sizes_small.py",
        "ibcore/pages/part/page/claims/one.py",
        "ibcore/pages/part/page/claims/two.py",
        "ibcore/pages/part/other/claims.py",
        "tests/pages/part/test_page.py",
        "tests/pages/part/test_page_figures.py",
        "tests/pages/part/test_other.py",
        "tests/pages/part/test_other_kin.py",
        "tests/models/test_flat.py",
        "ibcore/models/flat.py",
    ]
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text("", "utf-8")
    (root / "tests/pages/part/test_page_kin.py").write_text("page.one", "utf-8")

    def tests(path):
        return [one.rpartition("/")[2] for one in mutants.mirror(root, path)]

    assert tests(PATH) == ["test_sizes.py", "test_sizes_of_more.py"]
    assert tests("ibcore/measures/sizes_small.py") == ["test_sizes_small.py"]
    room = "ibcore/pages/part/page/claims"
    assert tests(f"{room}/one.py") == ["test_page_kin.py", "test_page.py"]
    assert tests(f"{room}/two.py") == ["test_page.py"]
    other = "ibcore/pages/part/other/claims.py"
    assert tests(other) == ["test_other_kin.py", "test_other.py"]
    assert tests("ibcore/models/flat.py") == ["test_flat.py", "test_derivatives.py"]
    assert tests("ibcore/models/untested.py") == []


def test_a_run_goes_on_where_it_was(root, capsys):
    claimed = f"{PATH} (larger)  a < b -> a <= b  # both are the same number\n"
    (root / mutants.EQUIVALENT).write_text(claimed, "utf-8")
    options = ["--sample", "120", "--only", "measures", "--jobs", "2"]
    assert mutants.main(options, root) == 1
    first = capsys.readouterr().out
    assert "7 of 7 tried." in first
    assert f"{PATH}:7 (larger)  a < b -> a > b" in first
    lines = (root / mutants.KEPT).read_text("utf-8").splitlines()
    assert {json.loads(line)["outcome"] for line in lines} == {
        "passes",
        "killed",
        "survived",
    }
    assert mutants.main(options, root) == 1
    again = capsys.readouterr().out
    assert sorted(again.splitlines()) == sorted(first.splitlines())
    assert (root / mutants.KEPT).read_text("utf-8").splitlines() == lines


def test_a_run_that_may_begin_nothing(root, capsys):
    options = ["--only", "measures", "--minutes", "0"]
    assert mutants.main(options, root) == 0
    assert "0 of 7 tried." in capsys.readouterr().out


def test_the_rate_leaves_equivalents_out():
    found = [*[("models", "killed")] * 3, ("claims", "survived")]
    lines = mutants.summary([*found, ("claims", "equivalent")]).splitlines()
    rates = {line.split()[0]: line.split()[-1] for line in lines[1:]}
    assert rates["all"] == "75%"
    assert rates["models"] == "100%"
    assert rates["claims"] == "0%"
    assert rates["oracles"] == "-"
