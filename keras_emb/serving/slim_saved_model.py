"""The graph of a SavedModel, without what only its making needed."""

import itertools
from pathlib import Path
from typing import Any

from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.saved_model.fingerprinting_utils import (
    write_fingerprint,
)

__all__ = ["slim_saved_model"]

# Shapes are inferred again by whoever loads; the rest are defaults of calls,
# what functions were traced from, and names of nodes to stand beside.
_ATTRIBUTES = (
    "_class",
    "_collective_manager_ids",
    "_has_manual_control_dependencies",
    "_input_shapes",
    "_output_shapes",
    "_read_only_resource_inputs",
    "_user_specified_name",
    "config_proto",
)
_SHARED = "use_node_name_sharing"


def slim_saved_model(folder: Path) -> None:
    """Rewrites `saved_model.pb` in fewer bytes; it answers the same.

    Beside small tables the graph is what weighs: inferred shapes and long
    names of nodes are near half of it. The names of signatures, of their
    inputs and outputs, and of variables stay.

    Args:
        folder: Of a SavedModel.
    """
    file = folder / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta_graph in saved.meta_graphs:
        # For loaders older than the writer to drop defaults, which are gone.
        meta_graph.meta_info_def.ClearField("stripped_op_list")
        graph = meta_graph.graph_def
        _drop_attributes(graph.node)
        for function in graph.library.function:
            _drop_attributes([function, *function.node_def])
            _drop_attributes(function.arg_attr.values())
            _number_nodes(function)
    file.write_bytes(saved.SerializeToString(deterministic=True))
    # It holds a sum of the graph.
    write_fingerprint(str(folder))


def _drop_attributes(holders: Any) -> None:
    for holder in holders:
        for name in _ATTRIBUTES:
            holder.attr.pop(name, None)


def _number_nodes(function: Any) -> None:
    """Gives the nodes of a function names as short as they can be."""
    # A resource may have the name of its node.
    named = {node.name for node in function.node_def if _SHARED in node.attr}
    taken = {argument.name for argument in function.signature.input_arg}
    taken |= named
    free = (f"n{number}" for number in itertools.count())
    short = {
        node.name: next(name for name in free if name not in taken)
        for node in function.node_def
        if node.name not in named
    }

    def renamed(source: str) -> str:
        mark = "^" if source.startswith("^") else ""
        node, *output = source[len(mark) :].split(":")
        return mark + ":".join([short.get(node, node), *output])

    for node in function.node_def:
        node.name = renamed(node.name)
        node.input[:] = map(renamed, node.input)
    for results in (function.ret, function.control_ret):
        for name, source in dict(results).items():
            results[name] = renamed(source)
