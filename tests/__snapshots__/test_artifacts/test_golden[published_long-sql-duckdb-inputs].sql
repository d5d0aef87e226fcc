-- What you supply: create these tables, or views of the same names and columns.

-- The raw rows of `acme.platform.agent-run`.
CREATE TABLE IF NOT EXISTS "raw_acme_platform_agent_run" (
  "agent_run_id" VARCHAR,
  "completed_at" TIMESTAMPTZ,
  "customer_id" VARCHAR,
  "duration_ms" BIGINT,
  "energy_joules" DOUBLE,
  "grid_intensity_g_per_kwh" DOUBLE,
  "carbon_g" DOUBLE,
  "region" VARCHAR
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
