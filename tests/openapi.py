"""Atlassian's own OpenAPI documents as the judge of requests and answers, in process."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from openapi_schema_validator import OAS30Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from tests.shared import shared_folder

URI = "urn:jira"

# What real Jira answers although its document says otherwise; each with its evidence.
WAIVED = (
    # Data Center's document types every field of an issue as an object, while the example in the very same schema
    # gives a text for `description`; real issues hold texts, lists and nulls there.
    re.compile(r"^\w+ /rest/api/2/\S+: (issues/\d+/)?fields/\w+ "),
    # A field that was or became empty has null for `from` or `to`: so have 132 of 284 changelog lines of real issues.
    re.compile(r"^GET .*changelog/histories/\d+/items/\d+/(from|to) None "),
    # The document types a remote link's list as one link; its own example, and recorded answers, are lists.
    re.compile(r"^GET .*/remotelink: .* is not of type 'object'"),
)


SPECS = {"cloud": ("cloud-platform.v3.2025-12.json", ""), "server": ("data-center-10.3.24.json", "/rest")}


@cache
def jira_judge(deployment: str) -> "JiraJudge | None":
    """The judge of Cloud or Data Center; None where the documents are not at hand."""
    folder = shared_folder()
    name, prefix = SPECS[deployment]
    return JiraJudge(folder / "truth/jira" / name, prefix) if folder else None


class JiraJudge:
    """Judges against one document; `prefix` is what its paths lack before /api."""

    def __init__(self, spec: Path, prefix: str = "") -> None:
        self._spec = json.loads(spec.read_text())
        resource = Resource.from_contents(self._spec, default_specification=DRAFT4)
        self._registry: Registry[Any] = Registry().with_resource(URI, resource)
        self._paths = [(self._pattern(prefix + path), path) for path in self._spec["paths"]]

    @staticmethod
    def _pattern(path: str) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path)))

    def exchange(self, method: str, path: str, body: Any, status: int, answer: Any) -> list[str]:
        """What is wrong with a request and its answer."""
        operation = self._operation(method, path)
        if operation is None:
            return [f"{method} {path} is not in the document"]
        sent = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
        response = operation["responses"].get(str(status), operation["responses"].get("200", {}))
        got = response.get("content", {}).get("application/json", {}).get("schema")
        found = self._errors(sent, body) if sent and body is not None else []
        found += self._errors(got, answer) if got and status < 300 else []
        named = [f"{method} {path}: {error}" for error in found]
        return [line for line in named if not any(waived.search(line) for waived in WAIVED)]

    def _operation(self, method: str, path: str) -> Any:
        fits = [known for pattern, known in self._paths if pattern.fullmatch(path)]
        # /search/jql fits no parameter; of several fits the one with the fewest parameters is meant.
        best = min(fits, key=lambda known: known.count("{"), default=None)
        return self._spec["paths"][best].get(method.lower()) if best else None

    @cache  # noqa: B019 - one judge lives as long as the test run
    def _validator(self, schema: str) -> OAS30Validator:
        absolute = json.loads(schema.replace('"#/', f'"{URI}#/'))
        return OAS30Validator(absolute, registry=self._registry)

    def _errors(self, schema: Any, instance: Any) -> list[str]:
        errors = self._validator(json.dumps(schema)).iter_errors(instance)
        return [f"{'/'.join(map(str, error.path))} {error.message[:200]}" for error in errors]
