"""A few pages of the book, built without running them: what they store is enough to
look at what the extensions make of them.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from environment import ROOT

PARTS = ("_config.yml", "book/_static", "book/references.bib", "CHANGELOG.md")
EXTENSIONS = ("book_extension", "checks")

# The labels are those of real exercises, since only these have questions.
PAGE = """\
# Exercises of every kind

```{predict} Will it $x$ fall?
- yes
- [x] no, it *rises*
- who knows

Because $x^2 > 0$.
```

```{predict} And then?
- [x] the same
- another thing

It goes on.
```

## Exercises

```{exercise} A number and a choice
:label: balance-ex-limit

The text of the first exercise.
```

```{solution} balance-ex-limit
:class: dropdown

The text of the first solution.
```

What follows the first solution.

    and its code

```{exercise} An order of steps
:label: balance-ex-midpoint

The text of the second exercise.
```

```{solution} balance-ex-midpoint
:class: dropdown

The text of the second solution.
```

```{exercise} An expression
:label: balance-ex-noise

The text of the third exercise.
```

```{exercise} Formulas to choose from
:label: balance-ex-momentum

The text of the fourth exercise.
```

```{exercise} Without questions
:label: no-questions

The text of the fifth exercise.
```

### A heading that ends the exercises

Text that stays open.
"""


def build(folder: Path, pages: Sequence[str], **written: str) -> Path:
    """Build the `pages` of the book, and pages of this text, below `folder`; returns
    where the HTML is. Links to other pages lead nowhere.
    """
    for part in (*PARTS, *(f"{page}.ipynb" for page in pages)):
        target = folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
        copy(ROOT / part, target)
    (folder / "ibcore").symlink_to(ROOT / "ibcore")
    for name, text in written.items():
        (folder / f"book/{name}.md").write_text(text, encoding="utf-8")
    names = [*(f"book/{name}" for name in written), *pages]
    toc = {"format": "jb-book", "root": names[0]}
    if names[1:]:
        toc["chapters"] = [{"file": name} for name in names[1:]]
    (folder / "_toc.yml").write_text(yaml.safe_dump(toc))
    config = yaml.safe_load((folder / "_config.yml").read_text(encoding="utf-8"))
    config["execute"] = {"execute_notebooks": "off"}
    config["exclude_patterns"] = [".*", "_build", "ibcore", "*.md"]
    scripts = str(ROOT / "scripts")
    config["sphinx"]["local_extensions"] = dict.fromkeys(EXTENSIONS, scripts)
    (folder / "_config.yml").write_text(yaml.safe_dump(config, sort_keys=False))
    run = subprocess.run(
        [
            *(sys.executable, "-c", "from jupyter_book.cli.main import main; main()"),
            *("build", str(folder), "--quiet"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    out = folder / "_build" / "html"
    if run.returncode or not (out / f"{names[-1]}.html").exists():
        raise RuntimeError(run.stdout[-3000:] + run.stderr[-3000:])
    (folder / "log").write_text(run.stdout + run.stderr)
    return out
