-- Invoices: the lines of every customer and period, and what they come to, on the views of meters.

-- The periods of customers who have billing cycles, or events of `llm.inference`.
CREATE OR REPLACE VIEW "meterspec_periods_4624772575" AS
WITH "seen" AS (
  SELECT
    "customer_id" AS "meterspec_customer",
    EPOCH_US("requested_at") AS "meterspec_time"
  FROM "llm_inference"
), "users" AS (
  SELECT
    "meterspec_customer",
    MIN("meterspec_time") AS "meterspec_first",
    MAX("meterspec_time") AS "meterspec_last"
  FROM "seen"
  GROUP BY
    "meterspec_customer"
), "known" AS (
  SELECT
    "meterspec_customer",
    "meterspec_first",
    CAST(NULL AS BIGINT) AS "meterspec_cycle_start",
    CAST(NULL AS BIGINT) AS "meterspec_cycle_end"
  FROM "users"
  UNION ALL
  SELECT
    "customer_id" AS "meterspec_customer",
    CAST(NULL AS BIGINT) AS "meterspec_first",
    EPOCH_US("cycle_start") AS "meterspec_cycle_start",
    EPOCH_US("cycle_end") AS "meterspec_cycle_end"
  FROM "billing_cycles"
), "customers" AS (
  SELECT
    "meterspec_customer",
    MIN("meterspec_first") AS "meterspec_first",
    MIN("meterspec_cycle_start") AS "meterspec_low",
    MAX("meterspec_cycle_end") AS "meterspec_high"
  FROM "known"
  GROUP BY
    "meterspec_customer"
), "as_of" AS (
  SELECT
    MAX(EPOCH_US("as_of")) AS "meterspec_reach"
  FROM "meterspec_as_of"
), "newest" AS (
  SELECT
    MAX("meterspec_last") AS "meterspec_next"
  FROM "users"
), "bounds" AS (
  SELECT
    *
  FROM "as_of"
  CROSS JOIN "newest"
), "now" AS (
  SELECT
    COALESCE("meterspec_reach", "meterspec_next" + 1) AS "meterspec_last"
  FROM "bounds"
), "crossed" AS (
  SELECT
    *
  FROM "customers"
  CROSS JOIN "now"
), "begun" AS (
  SELECT
    *,
    COALESCE("meterspec_low", "meterspec_first") AS "meterspec_time",
    LEAST("meterspec_last", COALESCE("meterspec_high", "meterspec_last")) AS "meterspec_until"
  FROM "crossed"
), "lasting" AS (
  SELECT
    *
  FROM "begun"
  WHERE
    "meterspec_time" < "meterspec_until"
), "members" AS (
  SELECT
    "meterspec_customer",
    "meterspec_time",
    "meterspec_until"
  FROM "lasting"
), "in_cycles" AS (
  SELECT
    *,
    "meterspec_cycle_start" AS "meterspec_start",
    "meterspec_cycle_end" AS "meterspec_end"
  FROM "members"
  JOIN (
    SELECT
      "customer_id" AS "meterspec_of_customer",
      EPOCH_US("cycle_start") AS "meterspec_cycle_start",
      EPOCH_US("cycle_end") AS "meterspec_cycle_end"
    FROM "billing_cycles"
  ) AS "billing_cycles"
    ON "meterspec_customer" = "meterspec_of_customer"
    AND "meterspec_cycle_start" < "meterspec_until"
    AND "meterspec_cycle_end" > "meterspec_time"
), "without_cycles" AS (
  SELECT
    "members".*
  FROM "members"
  LEFT JOIN (
    SELECT DISTINCT
      "customer_id" AS "meterspec_of_customer"
    FROM "billing_cycles"
  ) AS "having_cycles"
    ON "meterspec_customer" = "meterspec_of_customer"
  WHERE
    "meterspec_of_customer" IS NULL
), "reaching" AS (
  SELECT
    *,
    "meterspec_until" - 1 AS "meterspec_reach"
  FROM "without_cycles"
), "on_grid" AS (
  SELECT
    *,
    "meterspec_time" AS "meterspec_low_place"
  FROM "reaching"
), "numbered" AS (
  SELECT
    *,
    12 * YEAR(MAKE_TIMESTAMP("meterspec_low_place")) + MONTH(MAKE_TIMESTAMP("meterspec_low_place")) - 1 AS "meterspec_low"
  FROM "on_grid"
), "on_grid_2" AS (
  SELECT
    *,
    "meterspec_reach" AS "meterspec_high_place"
  FROM "numbered"
), "numbered_2" AS (
  SELECT
    *,
    12 * YEAR(MAKE_TIMESTAMP("meterspec_high_place")) + MONTH(MAKE_TIMESTAMP("meterspec_high_place")) - 1 AS "meterspec_high"
  FROM "on_grid_2"
), "some" AS (
  SELECT
    *
  FROM "numbered_2"
  WHERE
    "meterspec_low" <= "meterspec_high"
), "repeated" AS (
  SELECT
    *,
    UNNEST(RANGE("meterspec_low", "meterspec_high" + 1)) AS "meterspec_window"
  FROM "some"
), "begun_2" AS (
  SELECT
    *,
    (
      365 * (("meterspec_window" - 2) // 12) + ((("meterspec_window" - 2) // 12) // 4) - ((("meterspec_window" - 2) // 12) // 100) + ((("meterspec_window" - 2) // 12) // 400) + ((153 * (("meterspec_window" - 2) % 12) + 2) // 5) - 719468
    ) * 86400000000 AS "meterspec_begins",
    (
      365 * (("meterspec_window" + 1 - 2) // 12) + ((("meterspec_window" + 1 - 2) // 12) // 4) - ((("meterspec_window" + 1 - 2) // 12) // 100) + ((("meterspec_window" + 1 - 2) // 12) // 400) + ((153 * (("meterspec_window" + 1 - 2) % 12) + 2) // 5) - 719468
    ) * 86400000000 AS "meterspec_next_begins"
  FROM "repeated"
), "bounded" AS (
  SELECT
    *,
    "meterspec_begins" AS "meterspec_start",
    "meterspec_next_begins" AS "meterspec_end"
  FROM "begun_2"
), "over_grid" AS (
  SELECT
    *
  FROM "bounded"
  WHERE
    "meterspec_start" < "meterspec_end"
), "periods" AS (
  SELECT
    "meterspec_customer" AS "customer_id",
    MAKE_TIMESTAMP("meterspec_start") AT TIME ZONE 'UTC' AS "period_start",
    MAKE_TIMESTAMP("meterspec_end") AT TIME ZONE 'UTC' AS "period_end"
  FROM "in_cycles"
  UNION ALL
  SELECT
    "meterspec_customer" AS "customer_id",
    MAKE_TIMESTAMP("meterspec_start") AT TIME ZONE 'UTC' AS "period_start",
    MAKE_TIMESTAMP("meterspec_end") AT TIME ZONE 'UTC' AS "period_end"
  FROM "over_grid"
)
SELECT
  "customer_id",
  "period_start",
  "period_end"
FROM "periods";

-- The invoice lines of meter `llm-input-tokens`.
CREATE OR REPLACE VIEW "meterspec_lines_75cab18ebc" AS
WITH "usage" AS (
  SELECT
    "customer_id",
    "window_start" AS "period_start",
    "window_end" AS "period_end",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    COALESCE(CAST(CAST(REPLACE(CAST("quantity" AS VARCHAR), '.', '') AS HUGEINT) AS HUGEINT), 0) AS "meterspec_units"
  FROM "llm_input_tokens"
  UNION ALL
  SELECT
    "customer_id",
    "period_start",
    "period_end",
    CAST(0 AS BIGINT) AS "meterspec_rate",
    CAST(NULL AS HUGEINT) AS "meterspec_units"
  FROM "meterspec_periods_4624772575"
), "quantities" AS (
  SELECT
    "customer_id",
    "period_start",
    "period_end",
    MIN("meterspec_rate") AS "meterspec_lowest",
    CASE
      WHEN COUNT(CASE WHEN "meterspec_rate" <> 0 THEN 1 END) = 0
      THEN 0
      ELSE SUM(CASE WHEN "meterspec_rate" = 1 THEN "meterspec_units" END)
    END AS "meterspec_units_1"
  FROM "usage"
  GROUP BY
    "customer_id",
    "period_start",
    "period_end"
), "found" AS (
  SELECT
    *,
    CASE
      WHEN "meterspec_lowest" = (-1)
      THEN 'MS442'
      WHEN "meterspec_units_1" < 0
      THEN 'MS440'
      ELSE CAST(NULL AS VARCHAR)
    END AS "meterspec_finding"
  FROM "quantities"
), "price" AS (
  SELECT
    CAST(1 AS BIGINT) AS "meterspec_line",
    'tier' AS "meterspec_what",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    (-1) AS "meterspec_over",
    0 AS "meterspec_low",
    1000000 AS "meterspec_high",
    30 AS "meterspec_unit"
  UNION ALL
  SELECT
    CAST(2 AS BIGINT) AS "meterspec_line",
    'tier' AS "meterspec_what",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    1000000 AS "meterspec_over",
    1000000 AS "meterspec_low",
    10000000 AS "meterspec_high",
    25 AS "meterspec_unit"
  UNION ALL
  SELECT
    CAST(3 AS BIGINT) AS "meterspec_line",
    'tier' AS "meterspec_what",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    10000000 AS "meterspec_over",
    10000000 AS "meterspec_low",
    CAST(NULL AS HUGEINT) AS "meterspec_high",
    20 AS "meterspec_unit"
  UNION ALL
  SELECT
    CAST(4 AS BIGINT) AS "meterspec_line",
    'finding' AS "meterspec_what",
    CAST(NULL AS BIGINT) AS "meterspec_rate",
    CAST(NULL AS HUGEINT) AS "meterspec_over",
    CAST(NULL AS HUGEINT) AS "meterspec_low",
    CAST(NULL AS HUGEINT) AS "meterspec_high",
    0 AS "meterspec_unit"
), "beside" AS (
  SELECT
    "found"."customer_id",
    "found"."period_start",
    "found"."period_end",
    "found"."meterspec_finding",
    "price"."meterspec_line",
    "price"."meterspec_what",
    "price"."meterspec_rate",
    "price"."meterspec_over",
    "price"."meterspec_low",
    "price"."meterspec_high",
    "price"."meterspec_unit",
    CASE WHEN "price"."meterspec_rate" = 1 THEN "found"."meterspec_units_1" END AS "meterspec_units"
  FROM "found"
  CROSS JOIN "price"
), "included" AS (
  SELECT
    *,
    CAST(0 AS HUGEINT) AS "meterspec_free"
  FROM "beside"
), "counted" AS (
  SELECT
    *,
    "meterspec_units" AS "meterspec_count"
  FROM "included"
), "begun" AS (
  SELECT
    *,
    "meterspec_low" AS "meterspec_begin"
  FROM "counted"
), "sized" AS (
  SELECT
    *,
    CASE
      WHEN "meterspec_what" = 'tier'
      THEN LEAST("meterspec_count", COALESCE("meterspec_high", "meterspec_count")) - "meterspec_begin"
      ELSE 1000
    END AS "meterspec_size"
  FROM "begun"
), "applying" AS (
  SELECT
    *
  FROM "sized"
  WHERE
    "meterspec_what" = 'finding'
    AND "meterspec_finding" IS NOT NULL
    OR "meterspec_what" = 'tier'
    AND "meterspec_finding" IS NULL
    AND "meterspec_count" > "meterspec_over"
    AND "meterspec_size" > 0
), "priced" AS (
  SELECT
    *,
    CASE
      WHEN "meterspec_what" = 'finding'
      THEN CAST(NULL AS HUGEINT)
      ELSE ("meterspec_size" // 100000) * "meterspec_unit" + ((("meterspec_size" % 100000) * "meterspec_unit" * 2 + 100000) // 200000)
    END AS "meterspec_amount"
  FROM "applying"
)
SELECT
  "customer_id",
  "period_start",
  "period_end",
  'USD' AS "currency",
  'llm-input-tokens' AS "meter",
  "meterspec_line" AS "line",
  CASE
    WHEN "meterspec_what" = 'finding'
    THEN 'usage'
    WHEN "meterspec_what" = 'tier'
    THEN 'usage'
    ELSE "meterspec_what"
  END AS "kind",
  NULLIF(CAST(NULL AS BIGINT), 1) AS "rate",
  CAST(CAST(CAST("meterspec_begin" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "from",
  CAST(CAST(CAST("meterspec_high" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "to",
  CAST(CAST(CAST(CASE WHEN "meterspec_what" = 'finding' THEN CAST(NULL AS HUGEINT) ELSE "meterspec_size" END AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "quantity",
  CAST(CAST(CAST(CASE WHEN "meterspec_what" = 'finding' THEN CAST(NULL AS HUGEINT) ELSE "meterspec_unit" END AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.0001' AS DECIMAL(4, 4)) AS DECIMAL(38, 4)) AS "unit_amount",
  CAST(CAST(CAST("meterspec_amount" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.01' AS DECIMAL(2, 2)) AS DECIMAL(38, 2)) AS "amount",
  "meterspec_finding" AS "finding"
FROM "priced";

-- The invoice lines of meter `llm-output-tokens`.
CREATE OR REPLACE VIEW "meterspec_lines_e487e53cb1" AS
WITH "usage" AS (
  SELECT
    "customer_id",
    "window_start" AS "period_start",
    "window_end" AS "period_end",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    COALESCE(CAST(CAST(REPLACE(CAST("quantity" AS VARCHAR), '.', '') AS HUGEINT) AS HUGEINT), 0) AS "meterspec_units"
  FROM "llm_output_tokens"
  UNION ALL
  SELECT
    "customer_id",
    "period_start",
    "period_end",
    CAST(0 AS BIGINT) AS "meterspec_rate",
    CAST(NULL AS HUGEINT) AS "meterspec_units"
  FROM "meterspec_periods_4624772575"
), "quantities" AS (
  SELECT
    "customer_id",
    "period_start",
    "period_end",
    MIN("meterspec_rate") AS "meterspec_lowest",
    CASE
      WHEN COUNT(CASE WHEN "meterspec_rate" <> 0 THEN 1 END) = 0
      THEN 0
      ELSE SUM(CASE WHEN "meterspec_rate" = 1 THEN "meterspec_units" END)
    END AS "meterspec_units_1"
  FROM "usage"
  GROUP BY
    "customer_id",
    "period_start",
    "period_end"
), "found" AS (
  SELECT
    *,
    CASE
      WHEN "meterspec_lowest" = (-1)
      THEN 'MS442'
      WHEN "meterspec_units_1" < 0
      THEN 'MS440'
      ELSE CAST(NULL AS VARCHAR)
    END AS "meterspec_finding"
  FROM "quantities"
), "price" AS (
  SELECT
    CAST(1 AS BIGINT) AS "meterspec_line",
    'tier' AS "meterspec_what",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    (-1) AS "meterspec_over",
    0 AS "meterspec_low",
    100000 AS "meterspec_high",
    15 AS "meterspec_unit"
  UNION ALL
  SELECT
    CAST(2 AS BIGINT) AS "meterspec_line",
    'tier' AS "meterspec_what",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    100000 AS "meterspec_over",
    100000 AS "meterspec_low",
    1000000 AS "meterspec_high",
    12 AS "meterspec_unit"
  UNION ALL
  SELECT
    CAST(3 AS BIGINT) AS "meterspec_line",
    'tier' AS "meterspec_what",
    CAST(1 AS BIGINT) AS "meterspec_rate",
    1000000 AS "meterspec_over",
    1000000 AS "meterspec_low",
    CAST(NULL AS HUGEINT) AS "meterspec_high",
    10 AS "meterspec_unit"
  UNION ALL
  SELECT
    CAST(4 AS BIGINT) AS "meterspec_line",
    'finding' AS "meterspec_what",
    CAST(NULL AS BIGINT) AS "meterspec_rate",
    CAST(NULL AS HUGEINT) AS "meterspec_over",
    CAST(NULL AS HUGEINT) AS "meterspec_low",
    CAST(NULL AS HUGEINT) AS "meterspec_high",
    0 AS "meterspec_unit"
), "beside" AS (
  SELECT
    "found"."customer_id",
    "found"."period_start",
    "found"."period_end",
    "found"."meterspec_finding",
    "price"."meterspec_line",
    "price"."meterspec_what",
    "price"."meterspec_rate",
    "price"."meterspec_over",
    "price"."meterspec_low",
    "price"."meterspec_high",
    "price"."meterspec_unit",
    CASE WHEN "price"."meterspec_rate" = 1 THEN "found"."meterspec_units_1" END AS "meterspec_units"
  FROM "found"
  CROSS JOIN "price"
), "included" AS (
  SELECT
    *,
    CAST(0 AS HUGEINT) AS "meterspec_free"
  FROM "beside"
), "counted" AS (
  SELECT
    *,
    "meterspec_units" AS "meterspec_count"
  FROM "included"
), "begun" AS (
  SELECT
    *,
    "meterspec_low" AS "meterspec_begin"
  FROM "counted"
), "sized" AS (
  SELECT
    *,
    CASE
      WHEN "meterspec_what" = 'tier'
      THEN LEAST("meterspec_count", COALESCE("meterspec_high", "meterspec_count")) - "meterspec_begin"
      ELSE 1000
    END AS "meterspec_size"
  FROM "begun"
), "applying" AS (
  SELECT
    *
  FROM "sized"
  WHERE
    "meterspec_what" = 'finding'
    AND "meterspec_finding" IS NOT NULL
    OR "meterspec_what" = 'tier'
    AND "meterspec_finding" IS NULL
    AND "meterspec_count" > "meterspec_over"
    AND "meterspec_size" > 0
), "priced" AS (
  SELECT
    *,
    CASE
      WHEN "meterspec_what" = 'finding'
      THEN CAST(NULL AS HUGEINT)
      ELSE ("meterspec_size" // 10000) * "meterspec_unit" + ((("meterspec_size" % 10000) * "meterspec_unit" * 2 + 10000) // 20000)
    END AS "meterspec_amount"
  FROM "applying"
)
SELECT
  "customer_id",
  "period_start",
  "period_end",
  'USD' AS "currency",
  'llm-output-tokens' AS "meter",
  "meterspec_line" AS "line",
  CASE
    WHEN "meterspec_what" = 'finding'
    THEN 'usage'
    WHEN "meterspec_what" = 'tier'
    THEN 'usage'
    ELSE "meterspec_what"
  END AS "kind",
  NULLIF(CAST(NULL AS BIGINT), 1) AS "rate",
  CAST(CAST(CAST("meterspec_begin" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "from",
  CAST(CAST(CAST("meterspec_high" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "to",
  CAST(CAST(CAST(CASE WHEN "meterspec_what" = 'finding' THEN CAST(NULL AS HUGEINT) ELSE "meterspec_size" END AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.001' AS DECIMAL(3, 3)) AS DECIMAL(38, 3)) AS "quantity",
  CAST(CAST(CAST(CASE WHEN "meterspec_what" = 'finding' THEN CAST(NULL AS HUGEINT) ELSE "meterspec_unit" END AS HUGEINT) * 10 AS DECIMAL(38, 0)) * CAST('0.0001' AS DECIMAL(4, 4)) AS DECIMAL(38, 4)) AS "unit_amount",
  CAST(CAST(CAST("meterspec_amount" AS HUGEINT) AS DECIMAL(38, 0)) * CAST('0.01' AS DECIMAL(2, 2)) AS DECIMAL(38, 2)) AS "amount",
  "meterspec_finding" AS "finding"
FROM "priced";

-- The lines of every invoice; a line with a finding has no amount.
CREATE OR REPLACE VIEW "meterspec_invoice_lines" AS
SELECT
  "customer_id",
  "period_start",
  "period_end",
  "currency",
  "meter",
  "line",
  "kind",
  "rate",
  "from",
  "to",
  "quantity",
  "unit_amount",
  "amount",
  "finding"
FROM "meterspec_lines_75cab18ebc"
UNION ALL
SELECT
  "customer_id",
  "period_start",
  "period_end",
  "currency",
  "meter",
  "line",
  "kind",
  "rate",
  "from",
  "to",
  "quantity",
  "unit_amount",
  "amount",
  "finding"
FROM "meterspec_lines_e487e53cb1";

-- What every invoice comes to: null where one of its lines has no amount.
CREATE OR REPLACE VIEW "meterspec_invoices" AS
SELECT
  "customer_id",
  "period_start",
  "period_end",
  "currency",
  COUNT(*) AS "lines",
  CASE WHEN COUNT(*) = COUNT("amount") THEN SUM("amount") END AS "amount"
FROM "meterspec_invoice_lines"
GROUP BY
  "customer_id",
  "period_start",
  "period_end",
  "currency";
