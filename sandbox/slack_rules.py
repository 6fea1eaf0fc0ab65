"""How Slack refuses: its words, and the plainest of its documented limits on blocks."""

from typing import Any

Json = dict[str, Any]
BLOCKS_MAX = 50
TEXT_MAX = {"header": 150, "section": 3000}  # characters
BLOCK_TYPES = {
    "actions", "alert", "card", "context", "context_actions", "data_table", "data_visualization", "divider", "file",
    "header", "image", "input", "markdown", "rich_text", "section", "table", "video",
}  # fmt: skip


class Refusal(Exception):
    """An answer with `ok: false` and Slack's own word for why."""

    def __init__(self, error: str, **extra: Any) -> None:
        super().__init__(error)
        self.body = {"ok": False, "error": error, **extra}


def check_blocks(blocks: list[Json]) -> list[str]:
    """What Slack would refuse by its plainest documented limits."""
    ids = [block["block_id"] for block in blocks if block.get("block_id")]
    problems = [f"no more than {BLOCKS_MAX} items allowed"] if len(blocks) > BLOCKS_MAX else []
    problems += ["block_id must be unique"] if len(ids) != len(set(ids)) else []
    for index, block in enumerate(blocks):
        kind, text = block.get("type"), block.get("text")
        if kind not in BLOCK_TYPES:
            problems.append(f"unsupported type: {kind} [json-pointer:/blocks/{index}/type]")
        length = len(text.get("text", "")) if isinstance(text, dict) else None
        if kind in TEXT_MAX and length is not None and not 0 < length <= TEXT_MAX[kind]:
            problems.append(f"must be 1 to {TEXT_MAX[kind]} characters [json-pointer:/blocks/{index}/text]")
    return problems
