"""Keeping shared layers shared when configurations are copied."""

import contextlib
from collections.abc import Iterator

from keras.src.saving.serialization_lib import (
    ObjectSharingScope,
    global_state,
)

__all__ = ["object_sharing"]


@contextlib.contextmanager
def object_sharing() -> Iterator[None]:
    """Deserialises objects of one `shared_object_id` into one object.

    Keras does so while it loads a file, and not where a configuration is
    deserialised by hand, as in `clone_model`. Inside another such scope
    nothing changes.
    """
    if (
        global_state.get_global_attribute("shared_objects/id_to_obj_map")
        is None
    ):
        with ObjectSharingScope():
            yield
    else:
        yield
