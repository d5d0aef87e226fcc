-- What you supply: create these tables, or views of the same names and columns.

-- The raw rows of `tokens`.
CREATE TABLE IF NOT EXISTS "raw_tokens" (
  "event_id" VARCHAR,
  "at" TIMESTAMPTZ,
  "customer_id" VARCHAR,
  "qty" DECIMAL(18, 9)
);

-- The raw rows of `compute`.
CREATE TABLE IF NOT EXISTS "raw_compute" (
  "event_id" VARCHAR,
  "at" TIMESTAMPTZ,
  "customer_id" VARCHAR,
  "qty" DECIMAL(18, 9)
);
