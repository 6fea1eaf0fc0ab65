"""Block Kit as others wrote it down, and the two limits their schema lacks."""

import json
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

from tests.shared import shared_folder

MOST = {"message": 50, "view": 100}
counted: Counter[str] = Counter()  # how many payloads of each surface were judged


@cache
def _validator(definition: str = "") -> Draft202012Validator | None:
    folder = shared_folder()
    if folder is None:
        return None
    schema = json.loads((folder / "truth/slack/block-kit.schema.json").read_text())
    if definition:
        schema = {"$schema": schema["$schema"], "$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"}
    return Draft202012Validator(schema)


def problems(blocks: list[dict[str, Any]], surface: str = "message") -> list[str]:
    """What Slack would refuse; the schema's part is checked only where the schema is at hand."""
    found = []
    if len(blocks) > MOST[surface]:
        found.append(f"{len(blocks)} blocks, {MOST[surface]} at most")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        found.append("block_ids are not unique")
    for block in blocks:
        actions = [element.get("action_id") for element in block.get("elements", ()) if "action_id" in element]
        if len(actions) != len(set(actions)):
            found.append("action_ids of one block are not unique")
    validator = _validator()
    if validator and blocks:
        found += _told(validator, blocks)
    counted[surface] += 1
    return found


def view_problems(view: dict[str, Any]) -> list[str]:
    """What Slack would refuse of a modal or a Home."""
    found = problems(view.get("blocks", []), "view")
    validator = _validator(f"{view.get('type')}_view")
    if validator:
        found += _told(validator, view)
    return found


def option_problems(answer: dict[str, Any]) -> list[str]:
    """What Slack would refuse of a select's suggestions: they are what a select of fixed options may hold."""
    counted["options"] += 1
    groups = answer.get("option_groups") or []
    chosen = {"option_groups": groups} if groups else {"options": answer.get("options") or []}
    if not any(chosen.values()):
        return []
    select = {"type": "static_select", "action_id": "a", **chosen}
    return problems([{"type": "actions", "elements": [select]}])


@dataclass
class Judge:
    """What a stand-in asks about each payload; whatever Slack would refuse is remembered, whoever asked."""

    refused: list[str] = field(default_factory=list)

    def blocks(self, blocks: list[dict[str, Any]]) -> list[str]:
        """Of a message."""
        return self._kept(problems(blocks))

    def view(self, view: dict[str, Any]) -> list[str]:
        """Of a modal or a Home."""
        return self._kept(view_problems(view))

    def options(self, answer: dict[str, Any]) -> list[str]:
        """Of what a select suggests."""
        return self._kept(option_problems(answer))

    def _kept(self, found: list[str]) -> list[str]:
        self.refused += found
        return found


def _told(validator: Draft202012Validator, payload: Any) -> list[str]:
    errors = validator.iter_errors(payload)
    return [f"{'/'.join(map(str, error.instance_path))}: {error.message[:300]}" for error in errors]
