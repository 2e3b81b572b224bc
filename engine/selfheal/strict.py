"""The base of every model of what an operator writes."""

from __future__ import annotations

from collections.abc import Callable
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
            raise _changed(error, lambda item: _with_hint(item, known)) from None


def refusal(message: str, hint: str = "", *, offset: int = 0) -> PydanticCustomError:
    """Return the error for a validator to raise; `offset` counts characters into the text."""
    return PydanticCustomError(
        "refused", "{said}", {"said": message, "hint": hint, "offset": offset}
    )


def refusal_at(key: Any, value: Any, message: str, hint: str = "") -> ValidationError:
    """Return the same, placed at the entry `key` of the mapping that is validated."""
    details = InitErrorDetails(type=refusal(message, hint), loc=(key,), input=value)
    return ValidationError.from_exception_data("refused", [details])


def below(key: Any, error: ValidationError) -> ValidationError:
    """Return `error` with each of its places put below the entry `key`."""
    return _changed(error, lambda item: _details(item, (key, *item["loc"])))


def _changed(error: ValidationError, change: Callable[[Any], InitErrorDetails]) -> ValidationError:
    details = [change(item) for item in error.errors(include_url=False)]
    return ValidationError.from_exception_data(error.title, details)


def _with_hint(item: Any, known: list[str]) -> InitErrorDetails:
    location = item["loc"]
    if item["type"] != "extra_forbidden" or len(location) != 1:
        return _details(item, location)
    hint = did_you_mean(location[0], known)
    kind = PydanticCustomError("unknown_key", "unknown key", {"hint": hint})
    return InitErrorDetails(type=kind, loc=location, input=item["input"])


def _details(item: Any, location: tuple[Any, ...]) -> InitErrorDetails:
    kind = PydanticCustomError(item["type"], item["msg"], item.get("ctx"))
    return InitErrorDetails(type=kind, loc=location, input=item["input"])
