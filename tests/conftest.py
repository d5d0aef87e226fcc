"""What every test may ask for: where the fixtures are, and the third-party data beside the checkout."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "fixtures" / "specs"
SHARED = ROOT.parent / "shared"
"""Third-party data that stays out of the repository; tests that read it skip where it is absent."""
