"""Block Kit as others wrote it down, and the two limits their schema lacks."""

import json
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.shared import shared_folder

MOST = {"message": 50, "view": 100}


@cache
def _validator() -> Draft202012Validator | None:
    folder = shared_folder()
    if folder is None:
        return None
    return Draft202012Validator(json.loads((folder / "truth/slack/block-kit.schema.json").read_text()))


def problems(blocks: list[dict[str, Any]], surface: str = "message") -> list[str]:
    """What Slack would refuse; the schema's part is checked only where the schema is at hand."""
    found = []
    if len(blocks) > MOST[surface]:
        found.append(f"{len(blocks)} blocks, {MOST[surface]} at most")
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(ids) != len(set(ids)):
        found.append("block_ids are not unique")
    validator = _validator()
    if validator and blocks:
        found += [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(blocks)]
    return found
