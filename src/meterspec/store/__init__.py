"""A store of events: batches deduplicated once, when they are sealed, into Parquet files that a manifest names.

`sealing` appends a batch, `reading` gives what a run needs; `manifest` says what the store holds, and `tables` is its
files as SQL.
"""

from __future__ import annotations

from meterspec.store.manifest import Counts
from meterspec.store.reading import SealedEvents, define, find, held
from meterspec.store.sealing import Sealed, seal

__all__ = ["Counts", "Sealed", "SealedEvents", "define", "find", "held", "seal"]
