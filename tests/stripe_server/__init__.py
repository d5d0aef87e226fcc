"""A Stripe account behind a real HTTP port, for the official SDK to talk to.

It was written from the API data and Stripe's documentation, apart from the code it tests: what the two agree on,
neither invented. In the order of a request: `server.py` receives it and lets a test break it, `forms.py` decodes it,
`api.py` holds it against the API schema, `meters.py`, `catalog.py` and `credits.py` keep the rules of what `account.py`
holds, and `lists.py` pages what is listed. `invoices.py` computes what a customer would be billed, in arithmetic of its
own. `errors.py` has the refusals, and `client.py` the SDK.

The schema is Stripe's OpenAPI description (MIT licence), cut down to billing. It stays outside the repository.
"""

from tests.stripe_server.invoices import Invoice, Line, bill
from tests.stripe_server.server import DATA, Drop, Fault, StripeServer

__all__ = ["DATA", "Drop", "Fault", "Invoice", "Line", "StripeServer", "bill"]
