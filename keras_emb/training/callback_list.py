"""Keras's callbacks in loops that are not `keras.Model.fit`."""

from collections.abc import Mapping, Sequence

import keras

__all__ = ["callback_list", "logs_of"]


def callback_list(
    callbacks: Sequence[keras.callbacks.Callback], model: keras.Model
) -> keras.callbacks.CallbackList:
    """Hands a model to callbacks, and takes back that it was to stop.

    To them every training is one of `fit`: epochs are counted from 0, the
    first that trains.

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
        callbacks: Keras callbacks. What they remember is no part of a
            checkpoint, and learning rates are none of their business.
        model: The model that is trained; its `stop_training` ends the loop.

    Returns:
        One callback that calls all of them.

    Raises:
        ValueError: If one is no Keras callback, or one that sets learning
            rates.
    """
    for callback in callbacks:
        if not isinstance(callback, keras.callbacks.Callback):
            raise ValueError(
                "`callbacks` must be instances of keras.callbacks.Callback. "
                f"Received: {callback!r}"
            )
        if isinstance(callback, _RATES):
            raise ValueError(
                "`callbacks` must leave the learning rate to the recipe. "
                f"Received: {callback!r}"
            )
    model.stop_training = False
    return keras.callbacks.CallbackList(list(callbacks), model=model)


_RATES = (
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.ReduceLROnPlateau,
)


def logs_of(entry: Mapping[str, float]) -> dict[str, float]:
    """An entry of a history as callbacks want it, who count by themselves.

    >>> logs_of({"epoch": 3, "loss": 0.5})
    {'loss': 0.5}

    Args:
        entry: Numbers by name.
    """
    return {name: value for name, value in entry.items() if name != "epoch"}
