-- What you supply: create these tables, or views of the same names and columns.

-- The raw rows of `llm.inference`.
CREATE TABLE IF NOT EXISTS "raw_llm_inference" (
  "request_id" TEXT,
  "requested_at" TIMESTAMPTZ,
  "customer_id" TEXT,
  "workload" TEXT,
  "context_tokens" BIGINT,
  "generated_tokens" BIGINT
);

-- The customers' billing cycles, half-open; a customer without any has calendar periods in UTC.
CREATE TABLE IF NOT EXISTS "billing_cycles" (
  "customer_id" TEXT,
  "cycle_start" TIMESTAMPTZ,
  "cycle_end" TIMESTAMPTZ
);
