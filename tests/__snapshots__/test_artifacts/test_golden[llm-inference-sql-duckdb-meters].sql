-- Quantities: one view a meter.

-- Thousands of tokens sent to the models.
CREATE OR REPLACE VIEW "llm_input_tokens" AS
WITH "kept" AS (
  SELECT
    COALESCE(
      MAKE_TIMESTAMP(EPOCH_US("meterspec_cycle_start")),
      DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("requested_at")))
    ) AS "meterspec_start",
    COALESCE(
      MAKE_TIMESTAMP(EPOCH_US("meterspec_cycle_end")),
      DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("requested_at"))) + INTERVAL '1' MONTH
    ) AS "meterspec_end",
    "customer_id",
    "context_tokens" AS "meterspec_value"
  FROM "llm_inference"
  LEFT JOIN (
    SELECT
      "customer_id" AS "meterspec_customer",
      "cycle_start" AS "meterspec_cycle_start",
      "cycle_end" AS "meterspec_cycle_end"
    FROM "billing_cycles"
  ) AS "billing_cycles"
    ON "meterspec_customer" = "customer_id"
    AND "requested_at" >= "meterspec_cycle_start"
    AND "requested_at" < "meterspec_cycle_end"
), "totals" AS (
  SELECT
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    COUNT(*) AS "events",
    SUM("meterspec_value") AS "meterspec_total"
  FROM "kept"
  GROUP BY
    "meterspec_start",
    "meterspec_end",
    "customer_id"
)
SELECT
  "meterspec_start" AT TIME ZONE 'UTC' AS "window_start",
  "meterspec_end" AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  CAST(CAST(CAST("meterspec_total" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "quantity",
  "events"
FROM "totals";

-- Thousands of tokens that the models wrote.
CREATE OR REPLACE VIEW "llm_output_tokens" AS
WITH "kept" AS (
  SELECT
    COALESCE(
      MAKE_TIMESTAMP(EPOCH_US("meterspec_cycle_start")),
      DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("requested_at")))
    ) AS "meterspec_start",
    COALESCE(
      MAKE_TIMESTAMP(EPOCH_US("meterspec_cycle_end")),
      DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("requested_at"))) + INTERVAL '1' MONTH
    ) AS "meterspec_end",
    "customer_id",
    "generated_tokens" AS "meterspec_value"
  FROM "llm_inference"
  LEFT JOIN (
    SELECT
      "customer_id" AS "meterspec_customer",
      "cycle_start" AS "meterspec_cycle_start",
      "cycle_end" AS "meterspec_cycle_end"
    FROM "billing_cycles"
  ) AS "billing_cycles"
    ON "meterspec_customer" = "customer_id"
    AND "requested_at" >= "meterspec_cycle_start"
    AND "requested_at" < "meterspec_cycle_end"
), "totals" AS (
  SELECT
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    COUNT(*) AS "events",
    SUM("meterspec_value") AS "meterspec_total"
  FROM "kept"
  GROUP BY
    "meterspec_start",
    "meterspec_end",
    "customer_id"
)
SELECT
  "meterspec_start" AT TIME ZONE 'UTC' AS "window_start",
  "meterspec_end" AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  CAST(CAST(CAST("meterspec_total" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "quantity",
  "events"
FROM "totals";

-- Requests an hour, for capacity planning; nobody pays for it.
CREATE OR REPLACE VIEW "llm_requests" AS
WITH "kept" AS (
  SELECT
    DATE_TRUNC('hour', MAKE_TIMESTAMP(EPOCH_US("requested_at"))) AS "meterspec_start",
    DATE_TRUNC('hour', MAKE_TIMESTAMP(EPOCH_US("requested_at"))) + INTERVAL '1' HOUR AS "meterspec_end",
    "customer_id",
    "workload"
  FROM "llm_inference"
), "totals" AS (
  SELECT
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    "workload",
    COUNT(*) AS "events"
  FROM "kept"
  GROUP BY
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    "workload"
)
SELECT
  "meterspec_start" AT TIME ZONE 'UTC' AS "window_start",
  "meterspec_end" AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  "workload",
  CAST(CAST(CAST("events" AS HUGEINT) * 1000000 AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(38, 6)) AS "quantity",
  "events"
FROM "totals";
