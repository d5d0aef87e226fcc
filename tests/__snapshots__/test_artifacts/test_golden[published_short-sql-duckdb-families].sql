-- Events: typed, checked, each id once.

-- Every row of `tokens`, typed.
CREATE OR REPLACE VIEW "tokens_events_checked" AS
SELECT
  "event_id",
  "at",
  "customer_id",
  "qty",
  COALESCE("event_id fault", "at fault", "qty fault") AS "meterspec_reject_reason"
FROM (
  SELECT
    "event_id",
    CASE WHEN "event_id" IS NULL THEN 'missing event_id' END AS "event_id fault",
    "at",
    CASE WHEN "at" IS NULL THEN 'missing at' END AS "at fault",
    "customer_id",
    "qty",
    CASE WHEN "qty" IS NULL THEN 'missing qty' END AS "qty fault"
  FROM "raw_tokens"
) AS readings;

-- The rows of `tokens` that break its schema, each with the reason.
CREATE OR REPLACE VIEW "tokens_events_rejects" AS
SELECT
  *
FROM "tokens_events_checked"
WHERE
  "meterspec_reject_reason" IS NOT NULL;

-- The events of `tokens`, each id once.
CREATE OR REPLACE VIEW "tokens_events" AS
SELECT
  "event_id",
  "at",
  "customer_id",
  "qty"
FROM (
  SELECT
    "event_id",
    "at",
    "customer_id",
    "qty",
    ROW_NUMBER() OVER (PARTITION BY "event_id" ORDER BY "at" ASC, "customer_id" ASC, "qty" ASC) AS "meterspec_rank"
  FROM "tokens_events_checked"
  WHERE
    "meterspec_reject_reason" IS NULL
) AS "ranked"
WHERE
  "meterspec_rank" = 1;

-- Every row of `compute`, typed.
CREATE OR REPLACE VIEW "compute_events_checked" AS
SELECT
  "event_id",
  "at",
  "customer_id",
  "qty",
  COALESCE("event_id fault", "at fault", "qty fault") AS "meterspec_reject_reason"
FROM (
  SELECT
    "event_id",
    CASE WHEN "event_id" IS NULL THEN 'missing event_id' END AS "event_id fault",
    "at",
    CASE WHEN "at" IS NULL THEN 'missing at' END AS "at fault",
    "customer_id",
    "qty",
    CASE WHEN "qty" IS NULL THEN 'missing qty' END AS "qty fault"
  FROM "raw_compute"
) AS readings;

-- The rows of `compute` that break its schema, each with the reason.
CREATE OR REPLACE VIEW "compute_events_rejects" AS
SELECT
  *
FROM "compute_events_checked"
WHERE
  "meterspec_reject_reason" IS NOT NULL;

-- The events of `compute`, each id once.
CREATE OR REPLACE VIEW "compute_events" AS
SELECT
  "event_id",
  "at",
  "customer_id",
  "qty"
FROM (
  SELECT
    "event_id",
    "at",
    "customer_id",
    "qty",
    ROW_NUMBER() OVER (PARTITION BY "event_id" ORDER BY "at" ASC, "customer_id" ASC, "qty" ASC) AS "meterspec_rank"
  FROM "compute_events_checked"
  WHERE
    "meterspec_reject_reason" IS NULL
) AS "ranked"
WHERE
  "meterspec_rank" = 1;
