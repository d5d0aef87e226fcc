-- Quantities: one view a meter.

-- Meter `agent-hours-billing`.
CREATE OR REPLACE VIEW "agent_hours_billing" AS
WITH "kept" AS (
  SELECT
    COALESCE(
      MAKE_TIMESTAMP(EPOCH_US("meterspec_cycle_start")),
      DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("completed_at")))
    ) AS "meterspec_start",
    COALESCE(
      MAKE_TIMESTAMP(EPOCH_US("meterspec_cycle_end")),
      DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("completed_at"))) + INTERVAL '1' MONTH
    ) AS "meterspec_end",
    "customer_id",
    "duration_ms" AS "meterspec_value"
  FROM "acme_platform_agent_run"
  LEFT JOIN (
    SELECT
      "customer_id" AS "meterspec_customer",
      "cycle_start" AS "meterspec_cycle_start",
      "cycle_end" AS "meterspec_cycle_end"
    FROM "billing_cycles"
  ) AS "billing_cycles"
    ON "meterspec_customer" = "customer_id"
    AND "completed_at" >= "meterspec_cycle_start"
    AND "completed_at" < "meterspec_cycle_end"
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
  CAST(CAST(CASE WHEN "meterspec_total" < 0 THEN (
    -1
  ) ELSE 1 END * (
    (
      ABS(CAST("meterspec_total" AS HUGEINT)) // 18
    ) * 5 + (
      (
        (
          ABS(CAST("meterspec_total" AS HUGEINT)) % 18
        ) * 5 * 2 + 18
      ) // 36
    )
  ) AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(38, 6)) AS "quantity",
  "events"
FROM "totals";

-- Meter `agent-carbon-attribution`.
CREATE OR REPLACE VIEW "agent_carbon_attribution" AS
WITH "kept" AS (
  SELECT
    MAKE_TIMESTAMP(EPOCH_US("meterspec_as_of"."meterspec_as_of") - 2592000000000) AS "meterspec_start",
    MAKE_TIMESTAMP(EPOCH_US("meterspec_as_of"."meterspec_as_of")) AS "meterspec_end",
    "customer_id",
    "region",
    CAST(CAST("carbon_g" AS DECIMAL(38, 6)) * 1000000 AS BIGINT) AS "meterspec_value"
  FROM "acme_platform_agent_run"
  CROSS JOIN (
    SELECT
      "as_of" AS "meterspec_as_of"
    FROM "meterspec_as_of"
  ) AS "meterspec_as_of"
  WHERE
    "completed_at" >= MAKE_TIMESTAMP(EPOCH_US("meterspec_as_of"."meterspec_as_of") - 2592000000000) AT TIME ZONE 'UTC'
    AND "completed_at" < "meterspec_as_of"."meterspec_as_of"
), "totals" AS (
  SELECT
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    "region",
    COUNT(*) AS "events",
    SUM("meterspec_value") AS "meterspec_total"
  FROM "kept"
  GROUP BY
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    "region"
)
SELECT
  "meterspec_start" AT TIME ZONE 'UTC' AS "window_start",
  "meterspec_end" AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  "region",
  CAST(CAST(CASE WHEN "meterspec_total" < 0 THEN (
    -1
  ) ELSE 1 END * (
    (
      ABS(CAST("meterspec_total" AS HUGEINT)) // 1000
    ) + (
      (
        (
          ABS(CAST("meterspec_total" AS HUGEINT)) % 1000
        ) * 2 + 1000
      ) // 2000
    )
  ) AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(38, 6)) AS "quantity",
  "events"
FROM "totals";
