"""The card of a preset: what it is, what it costs and gains, whence it is."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_emb.datasets import Vocabulary
from keras_emb.presets.data_terms import data_terms
from keras_emb.presets.picture import PARTS, dense_bytes

__all__ = ["write_card"]


def write_card(
    metadata: Mapping[str, Any],
    vocabularies: Mapping[str, Vocabulary],
    picture: str,
) -> str:
    """Writes the card of a preset from what is known of it.

    Args:
        metadata: As `metadata.json` holds them.
        vocabularies: Raw ids by input, for the example.
        picture: Name of the picture beside the card.

    Returns:
        Markdown.
    """
    sections = [
        f"# {metadata['name']}\n\n{_summary(metadata)}",
        f"![Sizes, and where the bytes are]({picture})",
        _example(metadata, vocabularies),
        _figures(metadata),
        _bytes(metadata),
        _served(metadata),
        _origin(metadata),
        _data(metadata),
    ]
    text = "\n\n".join(section for section in sections if section)
    return f"{text}\n"


def _summary(metadata: Mapping[str, Any]) -> str:
    kind = metadata.get("backbone", metadata["model"]).replace("_", " ")
    data = metadata.get("dataset")
    budget = _mapping(metadata.get("budget")).get("share")
    parts = [f"A compact {kind}" + (f" for {data}" if data else "")]
    if budget is not None and metadata.get("method", "dense") != "dense":
        kept = metadata.get("kept_share", budget)
        allowed = "" if kept > 0.9 * budget else f" ({budget:.4g} were allowed)"
        parts.append(
            f"its tables cut by `{metadata['method']}` to {kept:.3g} of "
            f"their parameters{allowed}"
        )
    parts.append(
        f"{metadata['bytes']['total']:,} bytes of weights where full tables "
        f"make it {dense_bytes(metadata):,}"
    )
    return ", ".join(parts) + "."


def _example(
    metadata: Mapping[str, Any], vocabularies: Mapping[str, Vocabulary]
) -> str:
    # Those who are asked about before what is asked about them.
    places = metadata.get("places", {})
    ids = {}
    for feature in sorted(vocabularies, reverse=True):
        first = vocabularies[feature].raw_ids[:2].tolist()
        count = places.get(feature)
        ids[feature] = [[one] * count for one in first] if count else first
    lines = [
        "import keras_emb",
        "",
        "model = keras_emb.EmbeddingSizeModel.from_preset(",
        f'    "{metadata["name"]}"',
        ")",
        f"model.predict({json.dumps(ids)})",
    ]
    if set(vocabularies) == {"user", "item"}:
        lines.append(f"model.recommend({json.dumps(ids['user'])}, k=5)")
    return "\n".join(["```python", *lines, "```"])


def _figures(metadata: Mapping[str, Any]) -> str:
    metrics = _mapping(metadata.get("metrics"))
    # Of one's own metadata, metrics without a part are the test's.
    test = metrics.get("test") or {
        name: value
        for name, value in metrics.items()
        if isinstance(value, (int, float))
    }
    if not test:
        return ""
    twin = metadata.get("dense_twin") or {}
    heads = ["test", "this preset"]
    columns = [test]
    if "metrics" in twin:
        heads.append(f"full tables (`{twin['method']}`)")
        columns.append(twin["metrics"])
    if "hindsight" in metrics:
        heads.append("in hindsight")
        columns.append(metrics["hindsight"])
    table = _table(
        heads,
        (
            [name, *(_number(column.get(name)) for column in columns)]
            for name in test
        ),
    )
    return "\n\n".join(
        ["## Figures", table, *_paragraphs(metadata.get("protocol"))]
    )


def _bytes(metadata: Mapping[str, Any]) -> str:
    num_bytes = metadata["bytes"]
    rows = [
        [part.replace("_", " "), f"{num_bytes[part]:,}"]
        for part in PARTS
        if num_bytes[part]
    ]
    rows.append(["all weights", f"{num_bytes['total']:,}"])
    rows.append(["all weights with full tables", f"{dense_bytes(metadata):,}"])
    files = [
        [f"`{name}`", f"{described['bytes']:,}"]
        for name, described in metadata["files"].items()
    ]
    parts = [
        "## Bytes",
        _table(["weights", "bytes"], rows),
        _table(["file", "bytes on disk"], files),
    ]
    graph = metadata.get("graph_backbone")
    if graph:
        sizes = {
            "tables and graph": graph["tables"] + graph["graph"],
            "propagated vectors": graph["vectors"],
        }
        smallest = min(sizes, key=lambda name: sizes[name])
        parts.append(
            "The backbone passes its rows along a graph of the training "
            f"interactions: compact tables of {graph['tables']:,} bytes, a "
            f"graph of {graph['graph']:,}, or propagated vectors of "
            f"{graph['vectors']:,} that need neither. The smallest way to "
            f"serve is {smallest}, {sizes[smallest]:,} bytes. The preset "
            "holds the vectors: the graph would be the data."
        )
    return "\n\n".join(parts)


def _served(metadata: Mapping[str, Any]) -> str:
    served = metadata.get("saved_model")
    if not served:
        return ""
    names = list(next(iter(served.values()))["metrics"])
    lists = [int(name.partition("@")[2]) for name in names if "@" in name]
    if lists:
        names = [name for name in names if name.endswith(f"@{max(lists)}")]
    part = "hindsight" if "hindsight" in metadata["metrics"] else "test"
    table = _table(
        ["precision", "bytes on disk", *(f"{part} {name}" for name in names)],
        (
            [
                precision,
                f"{figures['bytes']:,}",
                *(_number(figures["metrics"][name]) for name in names),
            ]
            for precision, figures in served.items()
        ),
    )
    return f"## As a SavedModel\n\n{table}"


def _origin(metadata: Mapping[str, Any]) -> str:
    lines = ["## How it was made"]
    if "command" in metadata:
        lines.append(
            "```console\n"
            f"{metadata['command']}\n"
            f"keras-emb evaluate {metadata['name']}\n"
            "```"
        )
    facts = {
        key: metadata[key]
        for key in ("experiment", "method", "seed", "date", "commit")
        if metadata.get(key) is not None
    }
    if metadata.get("split"):
        facts["split"] = _plain(metadata["split"])
    if metadata.get("recorded_seeds"):
        facts["seeds run"] = metadata["recorded_seeds"]
    facts["versions"] = _plain(metadata["versions"])
    lines.append("\n".join(f"- {key}: {value}" for key, value in facts.items()))
    return "\n\n".join(lines)


def _data(metadata: Mapping[str, Any]) -> str:
    dataset = metadata.get("dataset")
    terms = data_terms(dataset) if dataset else None
    if terms is None:
        return ""
    return "\n\n".join(
        [
            f"## Data: {terms.title}",
            terms.terms,
            f"Acknowledgement: {terms.citation}",
        ]
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _plain(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items())


def _paragraphs(text: str | None) -> Sequence[str]:
    return [text] if text else []


def _number(value: Any) -> str:
    return "–" if value is None else f"{value:.4f}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", *("---:" for _ in heads[1:])], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
