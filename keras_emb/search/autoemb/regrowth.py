"""Sizes that follow the popularity of a stream's ids."""

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.layers import (
    MaskedEmbedding,
    ProjectedEmbedding,
    find_tables,
    table_features,
)
from keras_emb.search.autoemb.autoemb import AutoEmb
from keras_emb.search.autoemb.regrow_sizes import regrow_sizes
from keras_emb.search.autoemb.size_choice import choose_sizes
from keras_emb.search.autoemb.within_bytes import within_bytes
from keras_emb.training import StreamBatches

__all__ = ["Regrowth"]

_BYTES = 4


class Regrowth:
    """Gives rows of a cut model new sizes while its stream goes on.

    AutoEmb (arXiv 2002.11252) weighs sizes by the popularity of the moment;
    sizes that are decided once forget that. Before a batch is learnt from,
    its ids, and those that came shortly before, grow to what the controllers
    want for them by now, and ids that have not come for longest make room.
    A decision looks at every row of the tables, in NumPy and between steps.
    No answer to the batch changes: rows grow by zeros, and only rows that
    are not in it shrink. Ours, as `harden` is.

    A row's wish for a size is the share of AutoEmb's mixture that stands in
    sizes up to it, times the row's popularity, which fades.

    >>> import keras
    >>> from keras_emb.training import apply_assignment
    >>> from keras_emb.zoo import StreamingDLRS
    >>> keras.utils.set_random_seed(2)
    >>> backbone = StreamingDLRS.from_sizes(users=30, items=30, embedding_dim=8)
    >>> ids = {"user": np.arange(60) // 3, "item": np.arange(60) % 29}
    >>> stream = StreamBatches(ids, np.ones(60), batch_size=20)
    >>> search = AutoEmb(budget=0.9, dims=[1, 8])
    >>> sizes = search.fit(backbone, stream, steps=2)
    >>> model = apply_assignment(search.model, sizes)
    >>> regrowth = Regrowth(search, model, stream, 0.9, half_life=1.0)
    >>> regrowth.before(2)
    >>> bool(regrowth.assignment.sizes("user")[19] > sizes.sizes("user")[19])
    True

    Args:
        search: The search that decided the sizes. The tables of its `soft`
            go on counting.
        model: `search.model` with sizes on it, see `apply_assignment`.
        batches: The stream, from its first batch on.
        budget: Share of the full tables' parameters, or bytes, that the
            model takes at most at every moment.
        every: How many batches back an id may have come to grow.
        half_life: Batches after which a sight counts half.

    Raises:
        ValueError: If `every` or `half_life` is out of range, or `model` has
            no table whose rows can be resized.
    """

    def __init__(
        self,
        search: AutoEmb,
        model: keras.Model,
        batches: StreamBatches,
        budget: Budget | float | int,
        *,
        every: int = 1,
        half_life: float = 10.0,
    ) -> None:
        for name, value in (("every", every), ("half_life", half_life)):
            if not value > 0:
                raise ValueError(
                    f"`{name}` must be positive. Received: {name}={value}"
                )
        self._tables = {
            name: table.table
            for name, table in find_tables(model).items()
            if isinstance(table, ProjectedEmbedding)
            and isinstance(table.table, MaskedEmbedding)
        }
        if not self._tables:
            raise ValueError(
                "`model` must hold tables with sizes behind a map. "
                f"Received: model={model.name} with none"
            )
        features = table_features(model)
        soft = find_tables(search.soft)
        self._soft = {name: soft[name] for name in self._tables}
        self._ids = {
            name: batches.features[features[name]] for name in self._tables
        }
        self._batch_size = batches.batch_size
        self._dims = search.dims
        self._power = search.importance_power
        self._num_bytes = search.table_bytes(budget)
        self._every = every
        self._fade = 0.5 ** (1.0 / half_life)
        self._weights = {
            name: table.size_weights() for name, table in self._soft.items()
        }
        rows = {name: t.vocabulary_size for name, t in self._tables.items()}
        self._popularity = {name: np.zeros(n) for name, n in rows.items()}
        self._last_seen = {name: np.full(n, -1) for name, n in rows.items()}
        self._counted = search.record.steps
        self._known = 0

    @property
    def assignment(self) -> SizeAssignment:
        """The present sizes."""
        return SizeAssignment.from_sizes(
            {name: t.sizes.numpy() for name, t in self._tables.items()},
            {name: t.output_dim for name, t in self._tables.items()},
            {"method": "autoemb", "dims": self._dims, "regrown": True},
        )

    def before(self, step: int) -> None:
        """Resizes rows, knowing who comes in a batch but not what they say.

        Args:
            step: Number of the batch, counted from the start of the stream.
        """
        while self._known <= step:
            self._look_at(self._known)
            self._known += 1
        present = self.assignment
        sizes = {name: present.sizes(name) for name in self._tables}
        wanted = choose_sizes(
            {name: np.cumsum(w, axis=1) for name, w in self._weights.items()},
            self._dims,
            (self._num_bytes - present.index_bytes) // _BYTES,
            {
                name: (popularity + 1.0) ** self._power
                for name, popularity in self._popularity.items()
            },
        )
        chosen = within_bytes(
            lambda parameters: regrow_sizes(
                sizes,
                wanted,
                self._popularity,
                self._last_seen,
                parameters,
                since=step - self._every,
                shrink_to=self._dims[0],
            ),
            self._num_bytes,
            {name: t.output_dim for name, t in self._tables.items()},
        )
        for name, table in self._tables.items():
            changed = np.flatnonzero(chosen.sizes(name) != sizes[name])
            table.resize(changed, chosen.sizes(name)[changed])

    def _look_at(self, step: int) -> None:
        first = step * self._batch_size
        for name, table in self._soft.items():
            ids = self._ids[name][first : first + self._batch_size]
            popularity = self._popularity[name]
            popularity *= self._fade
            np.add.at(popularity, ids, 1.0)
            self._last_seen[name][ids] = step
            if step < self._counted:
                continue
            if "last_loss" in table.controller.inputs:
                # What the batch will be answered is not known yet.
                table.counter.observe(ids)
            else:
                table.observe(ids)
            seen = np.unique(ids)
            self._weights[name][seen] = np.asarray(table.weights_of(seen))
