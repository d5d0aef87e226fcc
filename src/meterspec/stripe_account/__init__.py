"""A Stripe account and a program: what is there, what is to be there, and the requests that lie between.

`client` talks to the account through the official SDK, `planning` compares what it reads with what the Stripe backend
emits, and `applying` carries a plan out so that it may be broken off anywhere and begun again.
"""

from __future__ import annotations

from meterspec.stripe_account.applying import apply
from meterspec.stripe_account.client import Account, connect
from meterspec.stripe_account.planning import Action, Change, Plan, Step, plan

__all__ = ["Account", "Action", "Change", "Plan", "Step", "apply", "connect", "plan"]
