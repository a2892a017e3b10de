"""A Sphinx extension of this book: links to the repository where there is one, and repairs of the theme."""

from __future__ import annotations

from typing import Any

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
    """Drop the live-code scripts: they name another host, and written twice they fail on every page."""
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


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the extension."""
    app.connect("config-inited", link_repository)
    app.connect("config-inited", leave_out_thebe)
    app.connect("html-page-context", repair_roles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
