import pytest

from ibcore import provenance

LOWER = 'def g():\n    """A docstring."""\n    return 1  # a comment\n'
CLAIM = "from ibcore.claims import Claim\nfrom ibcore.lower.part import g\n"


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A package of this shape in place of ibcore; returns what writes a file and gives
    the claim's digest.
    """
    monkeypatch.setattr(provenance, "PACKAGE", tmp_path / "ibcore")

    def digest(**files):
        for name, text in files.items():
            path = tmp_path / "ibcore" / (name.replace("__", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        provenance.code_digest.cache_clear()
        provenance._read.cache_clear()
        return provenance.code_digest("ibcore.claims.page")

    yield digest
    provenance.code_digest.cache_clear()
    provenance._read.cache_clear()


def test_comments_docstrings_and_layout_do_not_count(package):
    before = package(claims__page=CLAIM, lower__part=LOWER)
    assert package(lower__part="def g( ):\n\n    'Another.'\n    return (1)") == before
    assert package(claims__page=f'"""A page."""\n{CLAIM}') == before


def test_code_counts_wherever_it_is_imported(package):
    before = package(claims__page=CLAIM, lower__part=LOWER, lower__other="x = 1")
    assert package(lower__other="x = 2") == before
    changed = package(lower__part=LOWER.replace("1", "2"))
    assert changed != before
    below = "def h():\n    from ibcore.lower import other\n" + LOWER
    first = package(lower__part=below)
    assert package(lower__other="x = 3") != first


@pytest.mark.parametrize(
    "line", ["from ibcore import flow", "import ibcore", "from ibcore import *"]
)
def test_the_module_of_a_name_from_the_top_counts(package, line):
    before = package(claims__page=line, dynamics__log_time="x = 1")
    assert package(dynamics__log_time="x = 2") != before


def test_another_name_from_the_top_does_not_count(package):
    line = "from ibcore import Linear, validation"
    before = package(claims__page=line, dynamics__log_time="x = 1", validation="y = 1")
    assert package(dynamics__log_time="x = 2") == before
    assert package(validation="y = 2") != before


def test_the_packages_on_the_way_count(package):
    before = package(claims__page="x = 1")
    (provenance.PACKAGE / "claims" / "__init__.py").write_text("y = 1")
    assert package() != before


def test_modules_that_import_each_other(package):
    both = {"lower__a": "import ibcore.lower.b", "lower__b": "import ibcore.lower.a"}
    assert len(package(claims__page="import ibcore.lower.a", **both)) == 16


def test_a_string_that_is_no_docstring_counts(package):
    assert package(claims__page="x = 'a'") != package(claims__page="x = 'b'")


def test_a_claim_outside_the_package_is_read_too():
    assert provenance.code_digest("tests.made_up") != provenance.code_digest(
        "ibcore.claims"
    )


def test_libraries_are_installed():
    assert "not installed" not in provenance.versions().values()
    assert provenance.version("no such distribution") == "not installed"
