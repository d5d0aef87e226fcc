"""What every test may ask for: where the fixtures are, the third-party data beside the checkout, and the engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines import ENGINES, Engine

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures" / "specs"
SHARED = ROOT.parent / "shared"
"""Third-party data that stays out of the repository; tests that read it skip where it is absent."""


@pytest.fixture(scope="session")
def started() -> Iterator[dict[str, Engine]]:
    """The engines that were started so far, by name; they are stopped when the session ends."""
    engines: dict[str, Engine] = {}
    yield engines
    for engine in engines.values():
        engine.stop()


@pytest.fixture
def start_engine(started: dict[str, Engine]) -> Callable[[str], Engine]:
    """Gives the engine of a name, with nothing in it.

    One that is not installed is skipped, unless `CI` is set, or `METERSPEC_ENGINES` is `all`: there it is a failure.
    """

    def start(name: str) -> Engine:
        if name not in started:
            if (missing := ENGINES[name].missing()) is not None:
                if "CI" in os.environ or os.environ.get("METERSPEC_ENGINES") == "all":
                    pytest.fail(f"{name} needs {missing}", pytrace=False)
                pytest.skip(f"{name} needs {missing}")
            started[name] = ENGINES[name]()
            started[name].start()
        started[name].reset()
        return started[name]

    return start


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ENGINES])
def engine(request: pytest.FixtureRequest, start_engine: Callable[[str], Engine]) -> Engine:
    """Each engine in turn, with nothing in it."""
    return start_engine(request.param)
