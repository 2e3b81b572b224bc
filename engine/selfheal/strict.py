"""The base of every model of what an operator writes."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler
from pydantic_core import InitErrorDetails, PydanticCustomError

from selfheal.yamlfile import did_you_mean


class Strict(BaseModel):
    """Unknown keys are refused, with the nearest known key as the hint."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="wrap")
    @classmethod
    def _hint_at_known_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            known = [field.alias or name for name, field in cls.model_fields.items()]
            details = [_with_hint(item, known) for item in error.errors(include_url=False)]
            raise ValidationError.from_exception_data(error.title, details) from None


def _with_hint(item: Any, known: list[str]) -> InitErrorDetails:
    location = item["loc"]
    kind = PydanticCustomError(item["type"], item["msg"], item.get("ctx"))
    if item["type"] == "extra_forbidden" and len(location) == 1:
        hint = did_you_mean(location[0], known)
        kind = PydanticCustomError("unknown_key", "unknown key", {"hint": hint})
    return InitErrorDetails(type=kind, loc=location, input=item["input"])
