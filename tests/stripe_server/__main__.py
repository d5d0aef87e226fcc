"""The server by itself, to try a command on: `python -m tests.stripe_server --now 2026-02-01T00:00:00Z`."""

from __future__ import annotations

import argparse
import sys
import threading
from datetime import datetime

from tests.stripe_server import DATA, StripeServer

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.stripe_server", description="An empty Stripe account.")
    parser.add_argument(
        "--now", required=True, type=datetime.fromisoformat, help="the instant at which it stands still"
    )
    given = parser.parse_args()
    if not DATA.exists():
        parser.error("the API schema of Stripe is not beside the checkout")
    with StripeServer(int(given.now.timestamp())) as server:
        sys.stdout.write(f"export STRIPE_API_BASE={server.url} STRIPE_API_KEY={server.secret}\n")
        sys.stdout.flush()
        threading.Event().wait()
