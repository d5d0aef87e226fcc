-- Quantities: one view a meter, on one scan of the events for each window and set of dimensions.

-- Totals of `llm-input-tokens`, `llm-output-tokens`.
CREATE OR REPLACE VIEW "meterspec_scan_56eaa76158" AS
WITH "located" AS (
  SELECT
    EPOCH_US("requested_at") AS "meterspec_time",
    "customer_id",
    "customer_id" AS "meterspec_customer",
    "context_tokens" AS "total_1",
    1 AS "events_1",
    "generated_tokens" AS "total_2"
  FROM "llm_inference"
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
    "bounded"."total_2",
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
    COUNT("events_1") AS "events_1",
    SUM("total_2") AS "total_2"
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
  "events_1",
  "total_2"
FROM "totals";

-- Totals of `llm-requests`.
CREATE OR REPLACE VIEW "meterspec_scan_688bc3bcb6" AS
WITH "located" AS (
  SELECT
    EPOCH_US("requested_at") AS "meterspec_time",
    "customer_id",
    "workload",
    1 AS "events_1"
  FROM "llm_inference"
), "on_grid" AS (
  SELECT
    *,
    ("meterspec_time" + 62162035200000000) // 3600000000 AS "meterspec_window_place"
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
    "workload",
    COUNT("events_1") AS "events_1"
  FROM "numbered"
  GROUP BY
    "meterspec_window",
    "customer_id",
    "workload"
), "begun" AS (
  SELECT
    *,
    "meterspec_window" * 3600000000 - 62162035200000000 AS "meterspec_begins",
    ("meterspec_window" + 1) * 3600000000 - 62162035200000000 AS "meterspec_next_begins"
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
  "workload",
  "events_1"
FROM "bounded";

-- Thousands of tokens sent to the models.
CREATE OR REPLACE VIEW "llm_input_tokens" AS
SELECT
  "window_start",
  "window_end",
  "customer_id",
  CAST(CAST(CAST("total_1" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "quantity",
  "events_1" AS "events"
FROM "meterspec_scan_56eaa76158"
WHERE
  "events_1" > 0;

-- Thousands of tokens that the models wrote.
CREATE OR REPLACE VIEW "llm_output_tokens" AS
SELECT
  "window_start",
  "window_end",
  "customer_id",
  CAST(CAST(CAST("total_2" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "quantity",
  "events_1" AS "events"
FROM "meterspec_scan_56eaa76158"
WHERE
  "events_1" > 0;

-- Requests an hour, for capacity planning; nobody pays for it.
CREATE OR REPLACE VIEW "llm_requests" AS
SELECT
  "window_start",
  "window_end",
  "customer_id",
  "workload",
  CAST(CAST(CAST("events_1" AS HUGEINT) * 1000000 AS DECIMAL(38, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(38, 6)) AS "quantity",
  "events_1" AS "events"
FROM "meterspec_scan_688bc3bcb6"
WHERE
  "events_1" > 0;
