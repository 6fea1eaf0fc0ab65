"""The context that a report's templates may use, told from the types that the report is made with."""

from collections.abc import Iterator
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from reports.contents import REPORTS

Told = tuple[str, str, str]  # (name, such as decisions[].title; type; meaning)


def describe(report: str) -> list[Told]:
    """Every name of the report's context, in order; those inside lists follow their list."""
    return list(_fields(REPORTS[report].context, ""))


def _fields(kind: Any, prefix: str) -> Iterator[Told]:
    for name, hint in get_type_hints(kind, include_extras=True).items():
        plain, meaning = (get_args(hint)[0], get_args(hint)[1]) if get_origin(hint) is Annotated else (hint, "")
        inner = _typed_dict_in(plain)
        yield f"{prefix}{name}", _type(plain), meaning or (_summary(inner) if inner else "")
        if inner is not None:
            yield from _fields(inner, f"{prefix}{name}{'[]' if get_origin(plain) is list else ''}.")


def _typed_dict_in(kind: Any) -> Any:
    return next((part for part in (kind, *get_args(kind)) if is_typeddict(part)), None)


def _type(kind: Any) -> str:
    if get_origin(kind) is list:
        return f"list of {_type(get_args(kind)[0])}"
    if get_origin(kind) in (Union, UnionType):
        return " or ".join("none" if part is type(None) else _type(part) for part in get_args(kind))
    if get_origin(kind) is dict or is_typeddict(kind):
        return "names"
    return {str: "text", int: "number", bool: "yes or no"}.get(kind, str(kind))


def _summary(kind: Any) -> str:
    return (kind.__doc__ or "").partition(".")[0]
