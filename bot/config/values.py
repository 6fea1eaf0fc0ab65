"""What a key of the configuration may hold, and what every table of it has in common."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from backlog.address import check_address
from backlog.cadence import read_cadence, read_span
from backlog.errors import BacklogError
from bot.roles import check_person

KEY_MIN = 32  # characters; what `secrets.token_urlsafe(32)` gives is longer


class ConfigError(Exception):
    """The configuration cannot be used: file, key and remedy."""


def _checked_by(read: Any) -> AfterValidator:
    def check(text: str) -> str:
        try:
            read(text)
        except BacklogError as error:
            raise ValueError(str(error)) from error
        return text

    return AfterValidator(check)


def _long_enough(key: SecretStr) -> SecretStr:
    if len(key.get_secret_value()) < KEY_MIN:
        make = "python -c 'import secrets; print(secrets.token_urlsafe(32))'"
        raise ValueError(f"a key needs {KEY_MIN} characters or more. Make one: {make}")
    return key


Span = Annotated[str, _checked_by(read_span)]
SpanOrEver = Literal[""] | Span
CadenceText = Annotated[str, _checked_by(read_cadence)]
Email = Annotated[str, _checked_by(check_address)]
PersonId = Annotated[str, _checked_by(check_person)]
WorkspaceId = Annotated[str, Field(pattern=r"^[TE][A-Z0-9]{2,30}$")]
Weight = Annotated[float, Field(ge=0, le=5)]
Key = Annotated[SecretStr, AfterValidator(_long_enough)]


class Section(BaseModel):
    """A table of config.toml; what it does not declare is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
