"""Writes `docs/api.md` from the docstrings of everything that is public.

python docs/make_api.py
"""

import importlib
import inspect
import re
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["api_page"]

_MODULES = (
    "keras_emb",
    "keras_emb.datasets",
    "keras_emb.zoo",
    "keras_emb.serving",
)
_SECTION = re.compile(
    r"(Args|Attributes|Call arguments|Example|Input shape|Output shape|"
    r"Raises|Returns|Yields):"
)
_ITEM = re.compile(r"(\*{0,2}\w[\w.]*): (.*)")
_LISTS = ("Args", "Attributes", "Call arguments", "Raises")


def api_page() -> str:
    """The page as Markdown, the same for the same docstrings."""
    parts = [
        "# API",
        "Everything that can be imported from these modules, generated from "
        "the docstrings by `python docs/make_api.py`. The examples run as "
        "tests.",
    ]
    for module in map(importlib.import_module, _MODULES):
        members = _members(module)
        links = ", ".join(
            f"[`{name}`](#{_anchor(module, name)})" for name in members
        )
        parts += [f"## `{module.__name__}`", f"{_first_line(module)} {links}"]
        for name, member in members.items():
            parts.append(f'<a id="{_anchor(module, name)}"></a>')
            parts += _member(name, member)
    return "\n\n".join(parts) + "\n"


def _members(module: types.ModuleType) -> dict[str, Any]:
    found = {name: getattr(module, name) for name in sorted(module.__all__)}
    return {
        name: member
        for name, member in found.items()
        if inspect.isclass(member) or inspect.isfunction(member)
    }


def _anchor(module: types.ModuleType, name: str) -> str:
    return f"{module.__name__}.{name}"


def _first_line(module: types.ModuleType) -> str:
    return (module.__doc__ or "").strip().partition("\n")[0]


def _member(name: str, member: Any) -> Iterator[str]:
    kind = "class " if inspect.isclass(member) else ""
    yield f"### {kind}`{name}`"
    yield f"```text\n{_signature(name, member)}\n```"
    yield from _markdown(inspect.getdoc(member) or "")
    if not kind:
        return
    for method, function in _methods(member).items():
        if isinstance(function, property):
            yield f"#### `{name}.{method}`"
        else:
            yield f"#### `{_signature(f'{name}.{method}', function)}`"
        yield from _markdown(inspect.getdoc(function) or "")


def _methods(cls: type) -> dict[str, Any]:
    """What our own code defines of a class and documents."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("keras_emb"):
            continue
        for name, member in vars(base).items():
            if isinstance(member, (classmethod, staticmethod)):
                member = member.__func__
            public = not name.startswith("_")
            known = isinstance(member, (property, types.FunctionType))
            if public and known and member.__doc__:
                found[name] = member
    return dict(sorted(found.items()))


def _signature(name: str, member: Any) -> str:
    try:
        signature = inspect.signature(member)
    except ValueError:
        return name
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for key, parameter in signature.parameters.items()
        if key not in ("self", "cls")
    ]
    text = str(
        signature.replace(
            parameters=parameters,
            return_annotation=inspect.Signature.empty,
        )
    )
    # A function as a default: its name, not where it lies in memory.
    return name + re.sub(r"<function ([\w.]+) at 0x\w+>", r"\1", text)


def _markdown(docstring: str) -> Iterator[str]:
    """Google's sections as lists, examples as blocks."""
    lines = docstring.splitlines()
    while lines:
        section = _SECTION.fullmatch(lines[0])
        if not section:
            yield from _paragraph(lines)
            continue
        lines.pop(0)
        body: list[str] = []
        while lines and (not lines[0] or lines[0].startswith(" ")):
            body.append(lines.pop(0))
        body = inspect.cleandoc("\n".join(["", *body])).splitlines()
        if section[1] in _LISTS:
            yield f"**{section[1]}**"
            yield "\n".join(_items(body))
        else:
            text = list(_markdown("\n".join(body)))
            yield f"**{section[1]}**"
            yield from text


def _paragraph(lines: list[str]) -> Iterator[str]:
    """Takes one paragraph or example off the lines."""
    while lines and not lines[0]:
        lines.pop(0)
    block: list[str] = []
    while lines and lines[0] and not _SECTION.fullmatch(lines[0]):
        block.append(lines.pop(0))
    if not block:
        return
    if block[0].startswith(">>>"):
        yield "\n".join(["```pycon", *block, "```"])
    else:
        yield "\n".join(block)


def _items(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        item = _ITEM.fullmatch(line)
        if item:
            yield f"- `{item[1]}`: {item[2]}"
        elif line:
            yield f"  {line.strip()}"


if __name__ == "__main__":
    Path(__file__).with_name("api.md").write_text(api_page(), encoding="utf-8")
