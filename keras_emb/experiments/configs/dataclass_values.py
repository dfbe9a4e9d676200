"""Plain values, as YAML gives them, made into typed dataclasses."""

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

__all__ = ["from_values", "to_values"]

_T = TypeVar("_T")
# YAML 1.1 takes 1e-3, which lacks the dot, for a string.
_FLOAT = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+")


def from_values(cls: type[_T], values: Any, name: str = "") -> _T:
    """Makes a dataclass of nested plain values.

    >>> @dataclasses.dataclass(frozen=True)
    ... class Recipe:
    ...     rates: tuple[float, ...]
    ...     epochs: int = 3
    >>> from_values(Recipe, {"rates": [1, 0.5]})
    Recipe(rates=(1.0, 0.5), epochs=3)

    Args:
        cls: Dataclass whose fields are booleans, numbers, strings, tuples of
            them, literals, dictionaries, also of dataclasses, dataclasses,
            or one of these or `None`.
        values: Mapping of field names to values.
        name: Dotted name of the dataclass's place, for messages.

    Returns:
        An instance of `cls`.

    Raises:
        ValueError: For an unknown or missing key, or a value of another type.
    """
    fields = {field.name: field for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    place = f"under `{name}`" if name else "at the top"
    allowed = f"Allowed {place}: {', '.join(fields)}."
    if not isinstance(values, Mapping):
        raise ValueError(
            f"`{name or 'config'}` must be a mapping. {allowed} "
            f"Received: {values!r}"
        )
    for key in values:
        if key not in fields:
            raise ValueError(
                f"`{_join(name, key)}` is an unknown key. {allowed} "
                f"Received: {_join(name, key)}={values[key]!r}"
            )
    for key, field in fields.items():
        if key not in values and not _has_default(field):
            raise ValueError(
                f"`{_join(name, key)}` is missing. {allowed} "
                f"Received: {', '.join(map(str, values)) or 'nothing'}"
            )
    hints = typing.get_type_hints(cls)
    return cls(
        **{
            key: _convert(hints[key], value, _join(name, key))
            for key, value in values.items()
        }
    )


def to_values(instance: Any) -> dict[str, Any]:
    """Makes nested plain values of a dataclass; the inverse of `from_values`.

    Args:
        instance: Dataclass instance.

    Returns:
        Dictionaries, lists, numbers and strings only.
    """
    return typing.cast(dict[str, Any], _plain(dataclasses.asdict(instance)))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


def _join(name: str, key: Any) -> str:
    return f"{name}.{key}" if name else str(key)


def _has_default(field: dataclasses.Field[Any]) -> bool:
    return (
        field.default is not dataclasses.MISSING
        or field.default_factory is not dataclasses.MISSING
    )


def _convert(hint: Any, value: Any, name: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return from_values(typing.cast(type[Any], hint), value, name)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        (inner,) = (
            item for item in typing.get_args(hint) if item is not type(None)
        )
        return _convert(inner, value, name)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise _wrong_type("a list", value, name)
        inner = typing.get_args(hint)[0]
        return tuple(
            _convert(inner, item, f"{name}[{index}]")
            for index, item in enumerate(value)
        )
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _wrong_type("a mapping", value, name)
        inner = (typing.get_args(hint) or (str, Any))[1]
        if dataclasses.is_dataclass(inner):
            value = {
                key: _convert(inner, item, f"{name}.{key}")
                for key, item in value.items()
            }
        # YAML has keys of other types too.
        return {str(key): item for key, item in value.items()}
    if origin is typing.Literal:
        allowed = typing.get_args(hint)
        if value not in allowed:
            raise _wrong_type(f"one of {', '.join(allowed)}", value, name)
        return value
    return _convert_scalar(hint, value, name)


def _convert_scalar(hint: Any, value: Any, name: str) -> Any:
    if hint is float:
        if isinstance(value, str) and _FLOAT.fullmatch(value):
            return float(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
        raise _wrong_type("a number", value, name)
    rule = {bool: "true or false", int: "a whole number", str: "a string"}[hint]
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise _wrong_type(rule, value, name)
    return value


def _wrong_type(rule: str, value: Any, name: str) -> ValueError:
    return ValueError(f"`{name}` must be {rule}. Received: {name}={value!r}")
