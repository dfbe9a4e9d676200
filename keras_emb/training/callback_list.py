"""Keras's callbacks in loops that are not `keras.Model.fit`."""

from collections.abc import Sequence

import keras

__all__ = ["callback_list"]


def callback_list(
    callbacks: Sequence[keras.callbacks.Callback], model: keras.Model
) -> keras.callbacks.CallbackList:
    """Hands a model to callbacks, and takes back that it was to stop.

    >>> import keras
    >>> model = keras.Sequential([keras.layers.Dense(1)])
    >>> stop = keras.callbacks.LambdaCallback(
    ...     on_epoch_end=lambda epoch, logs: setattr(
    ...         model, "stop_training", logs["loss"] < 1
    ...     )
    ... )
    >>> callback_list([stop], model).on_epoch_end(0, {"loss": 0.5})
    >>> model.stop_training
    True

    Args:
        callbacks: Keras callbacks.
        model: The model that is trained; its `stop_training` ends the loop.

    Returns:
        One callback that calls all of them.

    Raises:
        ValueError: If one is no Keras callback.
    """
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "`callbacks` must be instances of keras.callbacks.Callback. "
                f"Received: {callback!r}"
            )
    model.stop_training = False
    return keras.callbacks.CallbackList(list(callbacks), model=model)
