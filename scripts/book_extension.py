"""A Sphinx extension of this book: links to a repository, downloads that run, repairs
of the theme.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from downloads import build_wheel, downloadable, wheel_name
from sphinx.application import Sphinx
from sphinx.config import Config

COLAB, BINDER = "https://colab.research.google.com", "https://mybinder.org"


def link_repository(_app: Sphinx, config: Config) -> None:
    """Show repository and launch buttons exactly when _config.yml names a repository."""
    options = config.html_theme_options
    linked = bool(options.get("repository_url"))
    options["use_repository_button"] = options["use_issues_button"] = linked
    options["launch_buttons"] = (
        {
            "colab_url": COLAB,
            "binderhub_url": BINDER,
            "notebook_interface": "jupyterlab",
        }
        if linked
        else {}
    )


def leave_out_thebe(app: Sphinx, _config: Config) -> None:
    """Drop the live-code scripts: they name another host, and written twice they fail
    on every page.
    """
    for event in ("env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        listeners[:] = [
            item for item in listeners if item.handler.__module__ != "sphinx_thebe"
        ]


def repair_roles(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Drop the roles by which docutils calls a reference list a list without items."""
    if "body" in context:
        body = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )
        context["body"] = body.replace(' role="doc-biblioentry"', "")


def offer_package(
    _app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: object
) -> None:
    """Put the package beside the notebook in a page's download menu."""
    if context.get("page_source_suffix") != ".ipynb":
        return
    for group in context["header_buttons"]:
        if group.get("label") == "download-buttons":
            group["buttons"].insert(
                1,
                {
                    "type": "link",
                    "url": context["pathto"](f"_static/{wheel_name()}", 1),
                    "text": ".whl",
                    "tooltip": "Download the package that the notebook needs",
                    "icon": "fas fa-cube",
                    "label": "download-package-button",
                },
            )


def write_downloads(app: Sphinx, error: Exception | None) -> None:
    """Write the package's wheel into the book, and into each notebook offered the cell
    that gets it.
    """
    if error is not None or app.builder.name != "html":
        return
    out = Path(app.outdir)
    build_wheel(out / "_static")
    for page in app.env.found_docs:
        path = Path(app.env.doc2path(page))
        if path.suffix == ".ipynb":
            text = downloadable(path, address=app.config.html_baseurl)
            (out / "_sources" / f"{page}.ipynb").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("config-inited", link_repository)
    app.connect("config-inited", leave_out_thebe)
    app.connect("html-page-context", repair_roles)
    app.connect("html-page-context", offer_package, priority=600)
    app.connect("build-finished", write_downloads)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
