-- Quantities: one view a meter.

-- Meter `tokens`.
CREATE OR REPLACE VIEW "tokens" AS
WITH "kept" AS (
  SELECT
    DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("at"))) AS "meterspec_start",
    DATE_TRUNC('month', MAKE_TIMESTAMP(EPOCH_US("at"))) + INTERVAL '1' MONTH AS "meterspec_end",
    "customer_id",
    CAST(CAST("qty" AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT) AS "meterspec_value"
  FROM "tokens_events"
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
  CAST(CASE WHEN "meterspec_total" < 0 THEN (
    -1
  ) ELSE 1 END * (
    (
      ABS(CAST("meterspec_total" AS HUGEINT)) // 1000000000
    ) + (
      (
        (
          ABS(CAST("meterspec_total" AS HUGEINT)) % 1000000000
        ) * 2 + 1000000000
      ) // 2000000000
    )
  ) AS DECIMAL(38, 0)) AS "quantity",
  "events"
FROM "totals";

-- Meter `compute`.
CREATE OR REPLACE VIEW "compute" AS
WITH "kept" AS (
  SELECT
    MAKE_TIMESTAMP(
      EPOCH_US("at") - (
        (
          (
            EPOCH_US("at") % 60000000
          ) + 60000000
        ) % 60000000
      )
    ) AS "meterspec_start",
    MAKE_TIMESTAMP(
      EPOCH_US("at") - (
        (
          (
            EPOCH_US("at") % 60000000
          ) + 60000000
        ) % 60000000
      ) + 60000000
    ) AS "meterspec_end",
    "customer_id",
    CAST(CAST("qty" AS DECIMAL(38, 9)) * 1000000000 AS HUGEINT) AS "meterspec_value",
    "at" AS "meterspec_time",
    "event_id" AS "meterspec_id"
  FROM "compute_events"
), "totals" AS (
  SELECT
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    COUNT(*) AS "events",
    ARG_MAX("meterspec_value", ROW("meterspec_time", "meterspec_id")) AS "meterspec_total"
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
