"""The process that renders one user's template: reads a job as JSON, writes the body or the error as JSON.

Run by `reports.templating` only. Its limits hold whatever the template does: memory, processor time, output.
"""

import json
import resource
import sys
from collections.abc import Iterator
from typing import Any

from jinja2 import Template, TemplateSyntaxError

from reports.templating import BODY_MAX, environment

MEMORY = 512 << 20  # bytes of address space
CPU_S = 3
OUTPUT = 8 * BODY_MAX  # bytes; JSON may write a character as six


def main() -> None:
    """One job."""
    job: dict[str, Any] = json.load(sys.stdin)
    template_environment = environment(job["surface"], job["folder"])
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (OUTPUT, OUTPUT))
    try:
        answer: dict[str, Any] = {"body": "".join(_limited(template_environment.get_template(job["name"]), job))}
    except Exception as error:  # a template may raise anything; the parent says what to do about it
        answer = _explained(error, job["folder"])
    json.dump(answer, sys.stdout)


def _limited(template: Template, job: dict[str, Any]) -> Iterator[str]:
    length = 0
    for part in template.generate(job["context"]):
        length += len(part)
        if length > BODY_MAX:
            raise ValueError(f"it writes more than {BODY_MAX} characters")
        yield part


def _explained(error: Exception, folder: str) -> dict[str, Any]:
    file, line = _place(error, folder)
    kind = "" if isinstance(error, TemplateSyntaxError) or "undefined" in str(error) else f"{type(error).__name__}: "
    return {"file": file, "line": line, "error": f"{kind}{error}"[:500]}


def _place(error: Exception, folder: str) -> tuple[str, int | None]:
    """The last of the user's own lines that the error went through."""
    if isinstance(error, TemplateSyntaxError):
        return error.filename or "", error.lineno
    found: tuple[str, int | None] = ("", None)
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.startswith(folder):
            found = (file, trace.tb_lineno)
        trace = trace.tb_next
    return found


if __name__ == "__main__":
    main()
