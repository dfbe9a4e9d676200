"""One signature of a served model."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

__all__ = ["Endpoint"]


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A function of named tensors, and what it is called with.

    Args:
        function: Maps tensors by name to tensors by name.
        specs: What it takes, by name.
        id_inputs: The feature of each input that holds ids.
        id_outputs: The feature of each output that holds ids.
    """

    function: Callable[[Mapping[str, Any]], dict[str, Any]]
    specs: Mapping[str, tf.TensorSpec]
    id_inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    id_outputs: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def add_to(self, archive: Any, name: str) -> None:
        """Makes it a signature.

        Args:
            archive: A `keras.export.ExportArchive`.
            name: Of the signature.
        """
        archive.add_endpoint(
            name, self.function, input_signature=[dict(self.specs)]
        )
