"""Where the pairs of a step's events have their cells.

What an event shows is put down as *values*: the distinct attribute values among its offers, once an event; a pair
points to those of its offer. An event's input value meets each of these in a *use*.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["NOTHING", "Begun", "Called", "Places"]


@dataclass(frozen=True, slots=True)
class Begun:
    """Cells `(n,)` that began, with their key rows and columns; one may stand here twice."""

    cells: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


@dataclass(frozen=True, slots=True)
class Called:
    """Cells `(n,)` that outcomes call for and that there are not; one may stand here twice.

    Rows and columns are key rows and slots; of uses, places among the frame's rows and among the values.
    """

    names: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


NOTHING = Begun(*(np.zeros(0, dtype=np.int32) for _ in range(3)))


@dataclass(slots=True)
class Places:
    """Where `P` pairs, `V` values and `U` uses of `B` events have their cells (-1: none); int32."""

    pair_value: np.ndarray
    """`(P, A)`: place among the values, -1 if the offer lacks the attribute."""
    value_event: np.ndarray
    value_column: np.ndarray
    value_pair: np.ndarray
    value_attribute: np.ndarray
    """`(V,)`: the first pair of the event that has it, and by which attribute."""
    value_offsets: np.ndarray
    """`(B + 1,)`: values of event b are `value_offsets[b]:value_offsets[b + 1]`."""
    offer_cell: np.ndarray
    value_cell: np.ndarray
    use_row: np.ndarray
    """`(U,)`: place among the frame's rows."""
    use_value: np.ndarray
    use_cell: np.ndarray
    """`(U,)`: of the wide cells, only those that there are."""
    match_row: np.ndarray
    """`(M,)`: place among the frame's rows of an input value that is one of the values shown."""
    match_slot: np.ndarray
    match_value: np.ndarray
    seen_event: np.ndarray
    """`(S,)`: distinct attribute values among an event's own input values, shown or not."""
    seen_column: np.ndarray
    seen_cell: np.ndarray
    begun: tuple[Begun, Begun]
    """Key x offer and key x value cells that began in this step."""
