"""Terraform's side of the tests: the schema of Stripe's provider, checked in Python and served to the real Terraform.

The schema was read from the provider's source (MIT licence). It stays outside the repository.
"""

from tests.conftest import SHARED

SCHEMA = SHARED / "stripe" / "terraform-provider-schema-subset.json"
"""The resources of `stripe/stripe` with their attributes; a test that reads them is skipped where they are absent."""
