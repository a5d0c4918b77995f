"""A run directory -> RUN/report.html: one file that works offline, on a phone too, light or dark.

Beside it RUN/report.md with the same words and tables.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from edgeml.durable import whole
from edgeml.errors import StorageError
from edgeml.report.bundle import bundle
from edgeml.report.charts import Charts
from edgeml.report.markdown import markdown
from edgeml.report.markup import Child, Markup, join, script_json, tag
from edgeml.report.run_files import open_run
from edgeml.report.sections import SECTIONS
from edgeml.report.style import STYLE


def write_report(path: Path) -> Path:
    """Run directory -> RUN/report.html and RUN/report.md, each whole or not at all; the page's path.

    Raises:
        RunError: there is no such run, or its files are damaged.
        StorageError: a file cannot be written.
    """
    run = open_run(path)
    charts = Charts()
    body = [make(run, charts) for make in SECTIONS]
    write_whole(run.path / "report.md", markdown(body, len(charts.specs)))
    return write_whole(run.path / "report.html", document(f"{run.name} - edgeml report", body, charts))


def write_whole(target: Path, text: str) -> Path:
    """Text -> a file, whole or not at all.

    Raises:
        StorageError: it cannot be written.
    """
    try:
        with whole(target) as staging:
            staging.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror or error}.") from error
    return target


def document(title: str, body: Child, charts: Charts) -> str:
    """Title, content and charts -> a whole HTML page.

    Scripts run only if their hash stands in the page's content security policy, so markup that slipped in
    through a name could not run either; nothing is fetched from anywhere.
    """
    scripts = [bundle()] if charts.specs else []
    specs = Markup(script_json(charts.specs))
    return join(
        [
            Markup("<!DOCTYPE html>\n"),
            tag(
                "html",
                tag(
                    "head",
                    Markup(_META),
                    _policy(scripts),
                    tag("title", title),
                    tag("style", Markup(STYLE)),
                ),
                tag(
                    "body",
                    tag("main", body),
                    tag("script", specs, type="application/json", id="specs"),
                    [tag("script", Markup(script)) for script in scripts],
                ),
                lang="en",
            ),
        ]
    )


NOTHING = "'none'"
_META = (
    '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
)


def _policy(scripts: list[str]) -> Markup:
    """Nothing from elsewhere, no script but ours; Vega interprets its expressions (`ast`), so no eval."""
    hashes = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    sources = " ".join(f"'sha256-{digest}'" for digest in hashes)
    rules = (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {sources or NOTHING}; "
        f"base-uri {NOTHING}; form-action {NOTHING}"
    )
    content = rules.replace("&", "&amp;").replace('"', "&quot;")
    return Markup(f'<meta http-equiv="Content-Security-Policy" content="{content}">')
