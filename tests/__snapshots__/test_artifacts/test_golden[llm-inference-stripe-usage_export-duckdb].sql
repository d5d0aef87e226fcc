-- Usage for Stripe: a view a meter, on those of the SQL target. Send the rows without a reject_reason.

-- Who a customer is at Stripe.
CREATE TABLE IF NOT EXISTS "stripe_customers" (
  "customer_id" VARCHAR,
  "stripe_customer_id" VARCHAR
);

-- The identifiers of all rows that were sent.
CREATE TABLE IF NOT EXISTS "stripe_sent" (
  "identifier" VARCHAR
);

-- One row: the instant that the export ends at.
CREATE TABLE IF NOT EXISTS "meterspec_as_of" (
  "as_of" TIMESTAMPTZ
);

-- Usage of `llm-input-tokens`: what each event adds.
CREATE OR REPLACE VIEW "meterspec_stripe_llm_input_tokens" AS
WITH "located" AS (
  SELECT
    EPOCH_US("requested_at") AS "meterspec_time",
    "customer_id",
    "customer_id" AS "meterspec_customer",
    "request_id" AS "meterspec_id",
    "context_tokens" AS "total_1",
    1 AS "events_1"
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
    "bounded"."meterspec_id",
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
), "kept" AS (
  SELECT
    *
  FROM "placed"
  WHERE
    "total_1" IS NOT NULL
), "before" AS (
  SELECT
    *
  FROM "kept"
  CROSS JOIN (
    SELECT
      MAX(EPOCH_US("as_of")) AS "meterspec_last"
    FROM "meterspec_as_of"
  ) AS "as_of"
  WHERE
    "meterspec_time" < "meterspec_last"
), "valued" AS (
  SELECT
    *,
    CAST("total_1" AS HUGEINT) AS "meterspec_value"
  FROM "before"
), "sent" AS (
  SELECT
    *,
    "customer_id" AS "meterspec_who"
  FROM "valued"
), "sized" AS (
  SELECT
    *,
    ABS("meterspec_value") AS "meterspec_size"
  FROM "sent"
), "split" AS (
  SELECT
    *,
    "meterspec_size" // 1000 AS "meterspec_ones",
    "meterspec_size" % 1000 AS "meterspec_rest"
  FROM "sized"
), "shown" AS (
  SELECT
    *,
    SUBSTR(TRIM(CAST(CAST("meterspec_rest" AS BIGINT) + 1000 AS VARCHAR), '0'), 2) AS "meterspec_decimals"
  FROM "split"
), "names" AS (
  SELECT
    "customer_id" AS "meterspec_known",
    MIN("stripe_customer_id") AS "meterspec_at_stripe",
    MAX("stripe_customer_id") AS "meterspec_other"
  FROM "stripe_customers"
  WHERE
    "stripe_customer_id" <> ''
  GROUP BY
    "customer_id"
), "known" AS (
  SELECT
    "shown".*,
    "stripe_customers"."meterspec_at_stripe",
    "stripe_customers"."meterspec_other",
    "stripe_customers"."meterspec_shared",
    (('event:' || CAST(0 AS VARCHAR)) || ':') || "meterspec_id" AS "meterspec_key"
  FROM "shown"
  LEFT JOIN (
    SELECT
      "meterspec_known",
      "meterspec_at_stripe",
      "meterspec_other",
      COUNT(*) OVER (PARTITION BY "meterspec_at_stripe") AS "meterspec_shared"
    FROM "names"
  ) AS "stripe_customers"
    ON "shown"."meterspec_who" = "stripe_customers"."meterspec_known"
), "identified" AS (
  SELECT
    *,
    SHA256('meterspec:llm-input-tokens:' || "meterspec_key") AS "meterspec_identifier"
  FROM "known"
), "compared" AS (
  SELECT
    "identified".*,
    "stripe_sent"."meterspec_sent"
  FROM "identified"
  LEFT JOIN (
    SELECT DISTINCT
      "identifier" AS "meterspec_sent"
    FROM "stripe_sent"
  ) AS "stripe_sent"
    ON "identified"."meterspec_identifier" = "stripe_sent"."meterspec_sent"
)
SELECT
  "meterspec_identifier" AS "identifier",
  'llm-input-tokens' AS "event_name",
  "meterspec_time" // 1000000 AS "timestamp",
  "meterspec_at_stripe" AS "stripe_customer_id",
  (
    (CASE WHEN "meterspec_value" < 0 THEN '-' ELSE '' END || CAST("meterspec_ones" AS VARCHAR)) || CASE WHEN "meterspec_decimals" = '' THEN '' ELSE '.' END
  ) || "meterspec_decimals" AS "value",
  "meterspec_who" AS "customer_id",
  CASE
    WHEN "meterspec_sent" IS NOT NULL
    THEN 'sent before'
    WHEN "meterspec_at_stripe" IS NULL
    THEN 'customer not in stripe_customers'
    WHEN "meterspec_at_stripe" <> "meterspec_other"
    THEN 'customer twice in stripe_customers'
    WHEN "meterspec_shared" > 1
    THEN 'id of another customer too in stripe_customers'
    WHEN "meterspec_time" <= "meterspec_last" - 3024000000000
    THEN 'older than 35 days'
    WHEN LENGTH(CAST("meterspec_ones" AS VARCHAR)) + LENGTH("meterspec_decimals") > 15
    THEN 'more than 15 digits'
    WHEN ("meterspec_start" + 86400000000000000) % 1000000 <> 0
    THEN 'period not at a full second'
  END AS "reject_reason"
FROM "compared";

-- Usage of `llm-output-tokens`: what each event adds.
CREATE OR REPLACE VIEW "meterspec_stripe_llm_output_tokens" AS
WITH "located" AS (
  SELECT
    EPOCH_US("requested_at") AS "meterspec_time",
    "customer_id",
    "customer_id" AS "meterspec_customer",
    "request_id" AS "meterspec_id",
    "generated_tokens" AS "total_1",
    1 AS "events_1"
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
    "bounded"."meterspec_id",
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
), "kept" AS (
  SELECT
    *
  FROM "placed"
  WHERE
    "total_1" IS NOT NULL
), "before" AS (
  SELECT
    *
  FROM "kept"
  CROSS JOIN (
    SELECT
      MAX(EPOCH_US("as_of")) AS "meterspec_last"
    FROM "meterspec_as_of"
  ) AS "as_of"
  WHERE
    "meterspec_time" < "meterspec_last"
), "valued" AS (
  SELECT
    *,
    CAST("total_1" AS HUGEINT) AS "meterspec_value"
  FROM "before"
), "sent" AS (
  SELECT
    *,
    "customer_id" AS "meterspec_who"
  FROM "valued"
), "sized" AS (
  SELECT
    *,
    ABS("meterspec_value") AS "meterspec_size"
  FROM "sent"
), "split" AS (
  SELECT
    *,
    "meterspec_size" // 1000 AS "meterspec_ones",
    "meterspec_size" % 1000 AS "meterspec_rest"
  FROM "sized"
), "shown" AS (
  SELECT
    *,
    SUBSTR(TRIM(CAST(CAST("meterspec_rest" AS BIGINT) + 1000 AS VARCHAR), '0'), 2) AS "meterspec_decimals"
  FROM "split"
), "names" AS (
  SELECT
    "customer_id" AS "meterspec_known",
    MIN("stripe_customer_id") AS "meterspec_at_stripe",
    MAX("stripe_customer_id") AS "meterspec_other"
  FROM "stripe_customers"
  WHERE
    "stripe_customer_id" <> ''
  GROUP BY
    "customer_id"
), "known" AS (
  SELECT
    "shown".*,
    "stripe_customers"."meterspec_at_stripe",
    "stripe_customers"."meterspec_other",
    "stripe_customers"."meterspec_shared",
    (('event:' || CAST(0 AS VARCHAR)) || ':') || "meterspec_id" AS "meterspec_key"
  FROM "shown"
  LEFT JOIN (
    SELECT
      "meterspec_known",
      "meterspec_at_stripe",
      "meterspec_other",
      COUNT(*) OVER (PARTITION BY "meterspec_at_stripe") AS "meterspec_shared"
    FROM "names"
  ) AS "stripe_customers"
    ON "shown"."meterspec_who" = "stripe_customers"."meterspec_known"
), "identified" AS (
  SELECT
    *,
    SHA256('meterspec:llm-output-tokens:' || "meterspec_key") AS "meterspec_identifier"
  FROM "known"
), "compared" AS (
  SELECT
    "identified".*,
    "stripe_sent"."meterspec_sent"
  FROM "identified"
  LEFT JOIN (
    SELECT DISTINCT
      "identifier" AS "meterspec_sent"
    FROM "stripe_sent"
  ) AS "stripe_sent"
    ON "identified"."meterspec_identifier" = "stripe_sent"."meterspec_sent"
)
SELECT
  "meterspec_identifier" AS "identifier",
  'llm-output-tokens' AS "event_name",
  "meterspec_time" // 1000000 AS "timestamp",
  "meterspec_at_stripe" AS "stripe_customer_id",
  (
    (CASE WHEN "meterspec_value" < 0 THEN '-' ELSE '' END || CAST("meterspec_ones" AS VARCHAR)) || CASE WHEN "meterspec_decimals" = '' THEN '' ELSE '.' END
  ) || "meterspec_decimals" AS "value",
  "meterspec_who" AS "customer_id",
  CASE
    WHEN "meterspec_sent" IS NOT NULL
    THEN 'sent before'
    WHEN "meterspec_at_stripe" IS NULL
    THEN 'customer not in stripe_customers'
    WHEN "meterspec_at_stripe" <> "meterspec_other"
    THEN 'customer twice in stripe_customers'
    WHEN "meterspec_shared" > 1
    THEN 'id of another customer too in stripe_customers'
    WHEN "meterspec_time" <= "meterspec_last" - 3024000000000
    THEN 'older than 35 days'
    WHEN LENGTH(CAST("meterspec_ones" AS VARCHAR)) + LENGTH("meterspec_decimals") > 15
    THEN 'more than 15 digits'
    WHEN ("meterspec_start" + 86400000000000000) % 1000000 <> 0
    THEN 'period not at a full second'
  END AS "reject_reason"
FROM "compared";
