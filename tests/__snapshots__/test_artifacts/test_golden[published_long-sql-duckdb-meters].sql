-- Quantities: one view a meter, on one scan of the events for each window and set of dimensions.

-- Totals of `agent-hours-billing`.
CREATE OR REPLACE VIEW "meterspec_scan_0614c67c5a" AS
WITH "located" AS (
  SELECT
    EPOCH_US("completed_at") AS "meterspec_time",
    "customer_id",
    "customer_id" AS "meterspec_customer",
    "duration_ms" AS "total_1",
    1 AS "events_1"
  FROM "acme_platform_agent_run"
), "on_grid" AS (
  SELECT
    *,
    "meterspec_time" AS "meterspec_window_place"
  FROM "located"
), "numbered" AS (
  SELECT
    *,
    12 * YEAR(MAKE_TIMESTAMP("meterspec_window_place")) + MONTH(MAKE_TIMESTAMP("meterspec_window_place")) - 1 AS "meterspec_window"
  FROM "on_grid"
), "begun" AS (
  SELECT
    *,
    (
      365 * (("meterspec_window" - 2) // 12) + ((("meterspec_window" - 2) // 12) // 4) - ((("meterspec_window" - 2) // 12) // 100) + ((("meterspec_window" - 2) // 12) // 400) + ((153 * (("meterspec_window" - 2) % 12) + 2) // 5) - 719468
    ) * 86400000000 AS "meterspec_begins",
    (
      365 * (("meterspec_window" + 1 - 2) // 12) + ((("meterspec_window" + 1 - 2) // 12) // 4) - ((("meterspec_window" + 1 - 2) // 12) // 100) + ((("meterspec_window" + 1 - 2) // 12) // 400) + ((153 * (("meterspec_window" + 1 - 2) % 12) + 2) // 5) - 719468
    ) * 86400000000 AS "meterspec_next_begins"
  FROM "numbered"
), "bounded" AS (
  SELECT
    *,
    "meterspec_begins" AS "meterspec_start",
    "meterspec_next_begins" AS "meterspec_end"
  FROM "begun"
), "placed" AS (
  SELECT
    "bounded"."meterspec_time",
    "bounded"."customer_id",
    "bounded"."total_1",
    "bounded"."events_1",
    COALESCE("billing_cycles"."meterspec_cycle_start", "bounded"."meterspec_start") AS "meterspec_start",
    COALESCE("billing_cycles"."meterspec_cycle_end", "bounded"."meterspec_end") AS "meterspec_end"
  FROM "bounded"
  LEFT JOIN (
    SELECT
      "customer_id" AS "meterspec_of_customer",
      EPOCH_US("cycle_start") AS "meterspec_cycle_start",
      EPOCH_US("cycle_end") AS "meterspec_cycle_end"
    FROM "billing_cycles"
  ) AS "billing_cycles"
    ON "bounded"."meterspec_customer" = "billing_cycles"."meterspec_of_customer"
    AND "bounded"."meterspec_time" >= "billing_cycles"."meterspec_cycle_start"
    AND "bounded"."meterspec_time" < "billing_cycles"."meterspec_cycle_end"
), "totals" AS (
  SELECT
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    SUM("total_1") AS "total_1",
    COUNT("events_1") AS "events_1"
  FROM "placed"
  GROUP BY
    "meterspec_start",
    "meterspec_end",
    "customer_id"
)
SELECT
  MAKE_TIMESTAMP("meterspec_start") AT TIME ZONE 'UTC' AS "window_start",
  MAKE_TIMESTAMP("meterspec_end") AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  "total_1",
  "events_1"
FROM "totals";

-- Totals of `agent-carbon-attribution`.
CREATE OR REPLACE VIEW "meterspec_scan_253c2fdd50" AS
WITH "located" AS (
  SELECT
    EPOCH_US("completed_at") AS "meterspec_time",
    "customer_id",
    "region",
    CAST(CAST("carbon_g" AS DECIMAL(38, 6)) * 1000000 AS BIGINT) AS "total_1",
    1 AS "events_1"
  FROM "acme_platform_agent_run"
), "before" AS (
  SELECT
    *
  FROM "located"
  CROSS JOIN (
    SELECT
      EPOCH_US("as_of") AS "meterspec_last"
    FROM "meterspec_as_of"
  ) AS "as_of"
  WHERE
    "meterspec_time" < "meterspec_last"
), "begun" AS (
  SELECT
    *,
    "meterspec_last" - 2592000000000 AS "meterspec_start"
  FROM "before"
), "placed" AS (
  SELECT
    *,
    "meterspec_last" AS "meterspec_end"
  FROM "begun"
), "trailing" AS (
  SELECT
    *
  FROM "placed"
  WHERE
    "meterspec_time" >= "meterspec_start"
), "totals" AS (
  SELECT
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    "region",
    SUM("total_1") AS "total_1",
    COUNT("events_1") AS "events_1"
  FROM "trailing"
  GROUP BY
    "meterspec_start",
    "meterspec_end",
    "customer_id",
    "region"
)
SELECT
  MAKE_TIMESTAMP("meterspec_start") AT TIME ZONE 'UTC' AS "window_start",
  MAKE_TIMESTAMP("meterspec_end") AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  "region",
  "total_1",
  "events_1"
FROM "totals";

-- Meter `agent-hours-billing`.
CREATE OR REPLACE VIEW "agent_hours_billing" AS
SELECT
  "window_start",
  "window_end",
  "customer_id",
  CAST(CAST(CASE WHEN CAST("total_1" AS HUGEINT) < 0 THEN (-1) ELSE 1 END * (
    (ABS(CAST("total_1" AS HUGEINT)) // 18) * 5 + (((ABS(CAST("total_1" AS HUGEINT)) % 18) * 5 * 2 + 18) // 36)
  ) AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(38, 6)) AS "quantity",
  "events_1" AS "events"
FROM "meterspec_scan_0614c67c5a"
WHERE
  "events_1" > 0;

-- Meter `agent-carbon-attribution`.
CREATE OR REPLACE VIEW "agent_carbon_attribution" AS
SELECT
  "window_start",
  "window_end",
  "customer_id",
  "region",
  CAST(CAST(CASE WHEN CAST("total_1" AS HUGEINT) < 0 THEN (-1) ELSE 1 END * (
    (ABS(CAST("total_1" AS HUGEINT)) // 1000) + (((ABS(CAST("total_1" AS HUGEINT)) % 1000) * 2 + 1000) // 2000)
  ) AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(38, 6)) AS "quantity",
  "events_1" AS "events"
FROM "meterspec_scan_253c2fdd50"
WHERE
  "events_1" > 0;
