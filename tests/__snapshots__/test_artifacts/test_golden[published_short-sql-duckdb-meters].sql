-- Quantities: one view a meter, on one scan of the events for each window and set of dimensions.

-- Totals of `tokens`.
CREATE OR REPLACE VIEW "meterspec_scan_649011c16b" AS
WITH "located" AS (
  SELECT
    EPOCH_US("at") AS "meterspec_time",
    "customer_id",
    CAST(CAST("qty" AS DECIMAL(38, 9)) * 1000000000 AS BIGINT) AS "total_1",
    1 AS "events_1"
  FROM "tokens_events"
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
), "totals" AS (
  SELECT
    "meterspec_window",
    "customer_id",
    SUM("total_1") AS "total_1",
    COUNT("events_1") AS "events_1"
  FROM "numbered"
  GROUP BY
    "meterspec_window",
    "customer_id"
), "begun" AS (
  SELECT
    *,
    (
      365 * (("meterspec_window" - 2) // 12) + ((("meterspec_window" - 2) // 12) // 4) - ((("meterspec_window" - 2) // 12) // 100) + ((("meterspec_window" - 2) // 12) // 400) + ((153 * (("meterspec_window" - 2) % 12) + 2) // 5) - 719468
    ) * 86400000000 AS "meterspec_begins",
    (
      365 * (("meterspec_window" + 1 - 2) // 12) + ((("meterspec_window" + 1 - 2) // 12) // 4) - ((("meterspec_window" + 1 - 2) // 12) // 100) + ((("meterspec_window" + 1 - 2) // 12) // 400) + ((153 * (("meterspec_window" + 1 - 2) % 12) + 2) // 5) - 719468
    ) * 86400000000 AS "meterspec_next_begins"
  FROM "totals"
), "bounded" AS (
  SELECT
    *,
    "meterspec_begins" AS "meterspec_start",
    "meterspec_next_begins" AS "meterspec_end"
  FROM "begun"
)
SELECT
  MAKE_TIMESTAMP("meterspec_start") AT TIME ZONE 'UTC' AS "window_start",
  MAKE_TIMESTAMP("meterspec_end") AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  "total_1",
  "events_1"
FROM "bounded";

-- Totals of `compute`.
CREATE OR REPLACE VIEW "meterspec_scan_d51eb8b680" AS
WITH "located" AS (
  SELECT
    EPOCH_US("at") AS "meterspec_time",
    "customer_id",
    "event_id" AS "meterspec_id",
    CAST(CAST("qty" AS DECIMAL(38, 9)) * 1000000000 AS BIGINT) AS "total_1",
    1 AS "events_1"
  FROM "compute_events"
), "on_grid" AS (
  SELECT
    *,
    ("meterspec_time" + 62162035200000000) // 60000000 AS "meterspec_window_place"
  FROM "located"
), "numbered" AS (
  SELECT
    *,
    "meterspec_window_place" AS "meterspec_window"
  FROM "on_grid"
), "totals" AS (
  SELECT
    "meterspec_window",
    "customer_id",
    ARG_MAX("total_1", ROW("meterspec_time", "meterspec_id")) AS "total_1",
    COUNT("events_1") AS "events_1"
  FROM "numbered"
  GROUP BY
    "meterspec_window",
    "customer_id"
), "begun" AS (
  SELECT
    *,
    "meterspec_window" * 60000000 - 62162035200000000 AS "meterspec_begins",
    ("meterspec_window" + 1) * 60000000 - 62162035200000000 AS "meterspec_next_begins"
  FROM "totals"
), "bounded" AS (
  SELECT
    *,
    "meterspec_begins" AS "meterspec_start",
    "meterspec_next_begins" AS "meterspec_end"
  FROM "begun"
)
SELECT
  MAKE_TIMESTAMP("meterspec_start") AT TIME ZONE 'UTC' AS "window_start",
  MAKE_TIMESTAMP("meterspec_end") AT TIME ZONE 'UTC' AS "window_end",
  "customer_id",
  "total_1",
  "events_1"
FROM "bounded";

-- Meter `tokens`.
CREATE OR REPLACE VIEW "tokens" AS
SELECT
  "window_start",
  "window_end",
  "customer_id",
  CAST(CASE WHEN CAST("total_1" AS HUGEINT) < 0 THEN (-1) ELSE 1 END * (
    (ABS(CAST("total_1" AS HUGEINT)) // 1000000000) + (((ABS(CAST("total_1" AS HUGEINT)) % 1000000000) * 2 + 1000000000) // 2000000000)
  ) AS DECIMAL(38, 0)) AS "quantity",
  "events_1" AS "events"
FROM "meterspec_scan_649011c16b"
WHERE
  "events_1" > 0;

-- Meter `compute`.
CREATE OR REPLACE VIEW "compute" AS
SELECT
  "window_start",
  "window_end",
  "customer_id",
  CAST(CAST(CASE WHEN CAST("total_1" AS HUGEINT) < 0 THEN (-1) ELSE 1 END * (
    (ABS(CAST("total_1" AS HUGEINT)) // 1000) + (((ABS(CAST("total_1" AS HUGEINT)) % 1000) * 2 + 1000) // 2000)
  ) AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(38, 6)) AS "quantity",
  "events_1" AS "events"
FROM "meterspec_scan_d51eb8b680"
WHERE
  "events_1" > 0;
