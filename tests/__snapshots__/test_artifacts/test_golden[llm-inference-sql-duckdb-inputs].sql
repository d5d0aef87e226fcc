-- What you supply: create these tables, or views of the same names and columns.

-- The raw rows of `llm.inference`.
CREATE TABLE IF NOT EXISTS "raw_llm_inference" (
  "request_id" VARCHAR,
  "requested_at" TIMESTAMPTZ,
  "customer_id" VARCHAR,
  "workload" VARCHAR,
  "context_tokens" BIGINT,
  "generated_tokens" BIGINT
);

-- The customers' billing cycles, half-open; a customer without any has calendar periods in UTC.
CREATE TABLE IF NOT EXISTS "billing_cycles" (
  "customer_id" VARCHAR,
  "cycle_start" TIMESTAMPTZ,
  "cycle_end" TIMESTAMPTZ
);

-- One row: the instant that rolling and lifetime windows end at, and that billing periods are due by.
CREATE TABLE IF NOT EXISTS "meterspec_as_of" (
  "as_of" TIMESTAMPTZ
);
