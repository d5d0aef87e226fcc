"""What every test may ask for: where the fixtures are, the third-party data beside the checkout, and the engines."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.engines import ENGINES, Engine

if TYPE_CHECKING:
    import stripe

    from tests.stripe_server import StripeServer

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures" / "specs"
SHARED = ROOT.parent / "shared"
"""Third-party data that stays out of the repository; tests that read it skip where it is absent."""


NO_TERRAFORM = "Terraform, which no package index has, is not installed"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where `CI` is set, or `METERSPEC_ENGINES` is `all`, a test that is skipped fails.

    Not so for want of what cannot be installed there: third-party data beside the checkout, and Terraform.
    """
    report = yield
    if report.skipped and ("CI" in os.environ or os.environ.get("METERSPEC_ENGINES") == "all"):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if not reason.endswith(("not beside the checkout", NO_TERRAFORM)):
            report.outcome, report.longrepr = "failed", f"has to run here, and was skipped: {reason}"
    return report


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

    One that is not installed is skipped.
    """

    def start(name: str) -> Engine:
        if name not in started:
            if (missing := ENGINES[name].missing()) is not None:
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


STRIPE_TIME = 1_769_904_000
"""The instant at which the clock of `stripe_server` stands: 2026-02-01T00:00:00Z."""


@pytest.fixture
def stripe_server() -> Iterator[StripeServer]:
    """An empty Stripe account on a loopback port; skipped where the API schema is absent."""
    from tests.stripe_server import DATA, StripeServer  # noqa: PLC0415  (most tests need neither)

    if not DATA.exists():
        pytest.skip("the API schema of Stripe is not beside the checkout")
    with StripeServer(STRIPE_TIME) as server:
        yield server


@pytest.fixture
def stripe_client(stripe_server: StripeServer) -> stripe.StripeClient:
    """The official SDK, connected to `stripe_server`."""
    from tests.stripe_server.client import connect  # noqa: PLC0415

    return connect(stripe_server)
