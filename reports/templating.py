"""Renders contexts through templates: built-in ones here, a user's own in a child process with limits.

A user's template overrides the built-in one of its name. When it fails, the built-in one is used and the note says
where and why: a broken template never means a missing report.
"""

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from reports import filters

BUILT_IN = PackageLoader("reports", "templates")
TEXT_WIDTH = 100  # columns of the terminal version
BODY_MAX = 2 << 20  # characters; a template that writes more is broken
WALL_S = 10  # seconds a user's template may take, the start of its process included
TOO_MUCH = "it used more time or memory than is allowed"
SHARED = "sections"  # the templates of reports that have none of their own


class TemplateFailed(Exception):
    """A user's template could not be used: file, line and why."""


def render(report: str, surface: str, context: Mapping[str, Any], templates: Path | None = None) -> tuple[str, str]:
    """(body, note) of one surface; the note tells of a user's template that failed, empty otherwise."""
    note = ""
    own = templates / f"{report}.{surface}.j2" if templates is not None else None
    if own is not None and own.exists():
        try:
            return finished(_in_child(own, surface, context), surface), ""
        except (TemplateFailed, ValueError) as error:
            note = (
                f"Template {str(error).rstrip('.')}. The built-in template was used; mend yours and preview the report."
            )
    template = environment(surface).select_template([f"{report}.{surface}.j2", f"{SHARED}.{surface}.j2"])
    return finished(
        template.render({**context, "template_note": note or context.get("template_note", "")}), surface
    ), note


def template_problem(path: Path) -> str:
    """What keeps a template of one's own from being read, with file and line; empty where nothing does."""
    try:
        environment("text").parse(path.read_text(encoding="utf-8"), filename=str(path))
    except TemplateSyntaxError as error:
        return f"{path}, line {error.lineno}: {error}"
    except (OSError, UnicodeDecodeError) as error:
        return f"{path}: {error}"
    return ""


def source_of(report: str, surface: str) -> str:
    """The built-in template's text, as a user may copy it."""
    made = environment(surface)
    name = made.select_template([f"{report}.{surface}.j2", f"{SHARED}.{surface}.j2"]).name
    return BUILT_IN.get_source(made, str(name))[0]


@cache
def environment(surface: str, folder: Path | None = None) -> Environment:
    """Jinja's immutable sandbox with strict undefined; HTML is escaped. A user's folder comes before the built-in."""
    loader = ChoiceLoader([FileSystemLoader(folder), BUILT_IN]) if folder else BUILT_IN
    made = ImmutableSandboxedEnvironment(
        loader=loader,
        autoescape=surface in ("html", "email"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(filters.FILTERS)
    return made


def finished(body: str, surface: str) -> str:
    """The body as it leaves: JSON checked, text wrapped. Raises ValueError for one that cannot."""
    if len(body) > BODY_MAX:
        raise ValueError(f"it writes {len(body)} characters, {BODY_MAX} at most")
    if surface == "slack":
        return json.dumps(json.loads(body), ensure_ascii=False)
    return "\n".join(map(_wrapped, body.splitlines())) + "\n" if surface == "text" else body


def _wrapped(line: str) -> str:
    """A line of the terminal version, its continuation indented like itself."""
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.fill(line, TEXT_WIDTH, subsequent_indent=indent, break_long_words=False) if line.strip() else ""


def _in_child(template: Path, surface: str, context: Mapping[str, Any]) -> str:
    """The body by a process of its own: whatever the template does, ours goes on. Only plain data crosses."""
    job = json.dumps({"folder": str(template.parent.resolve()), "name": template.name, "surface": surface,
                      "context": context})  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, "-m", "reports.template_child"],
            input=job.encode(),
            capture_output=True,
            timeout=WALL_S,
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TemplateFailed(f"{template}: {TOO_MUCH}") from None
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError:
        raise TemplateFailed(f"{template}: {TOO_MUCH}") from None
    if "body" in answer:
        if surface == "slack":
            _check_json(template, answer["body"])
        return str(answer["body"])
    line = f", line {answer['line']}" if answer["line"] else ""
    raise TemplateFailed(f"{answer['file'] or template}{line}: {answer['error']}")


def _check_json(template: Path, body: str) -> None:
    try:
        message = json.loads(body)
    except ValueError as error:
        raise TemplateFailed(f"{template}: what it writes is no JSON: {error}") from None
    if not isinstance(message, dict) or not isinstance(message.get("blocks"), list) or not message.get("text"):
        raise TemplateFailed(f'{template}: what it writes needs "text" and "blocks"')
