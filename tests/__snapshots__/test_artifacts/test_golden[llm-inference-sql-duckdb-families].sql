-- Events: typed, checked, each id once.

-- Every row of `llm.inference`, typed.
CREATE OR REPLACE VIEW "llm_inference_checked" AS
SELECT
  "request_id",
  "requested_at",
  "customer_id",
  "workload",
  "context_tokens",
  "generated_tokens",
  COALESCE(
    "request_id fault",
    "requested_at fault",
    "customer_id fault",
    "workload fault",
    CASE WHEN NOT "workload" IN ('code', 'conv') THEN 'workload not one of its values' END,
    "context_tokens fault",
    CASE
      WHEN "context_tokens" < 0
      THEN 'context_tokens below 0'
      WHEN "context_tokens" > 1000000
      THEN 'context_tokens above 1000000'
    END,
    "generated_tokens fault",
    CASE
      WHEN "generated_tokens" < 0
      THEN 'generated_tokens below 0'
      WHEN "generated_tokens" > 100000
      THEN 'generated_tokens above 100000'
    END
  ) AS "meterspec_reject_reason"
FROM (
  SELECT
    "request_id",
    CASE WHEN "request_id" IS NULL THEN 'missing request_id' END AS "request_id fault",
    "requested_at",
    CASE WHEN "requested_at" IS NULL THEN 'missing requested_at' END AS "requested_at fault",
    "customer_id",
    CASE WHEN "customer_id" IS NULL THEN 'missing customer_id' END AS "customer_id fault",
    "workload",
    CASE WHEN "workload" IS NULL THEN 'missing workload' END AS "workload fault",
    "context_tokens",
    CASE WHEN "context_tokens" IS NULL THEN 'missing context_tokens' END AS "context_tokens fault",
    "generated_tokens",
    CASE WHEN "generated_tokens" IS NULL THEN 'missing generated_tokens' END AS "generated_tokens fault"
  FROM "raw_llm_inference"
) AS readings;

-- The rows of `llm.inference` that break its schema, each with the reason.
CREATE OR REPLACE VIEW "llm_inference_rejects" AS
SELECT
  *
FROM "llm_inference_checked"
WHERE
  "meterspec_reject_reason" IS NOT NULL;

-- The events of `llm.inference`, each id once.
CREATE OR REPLACE VIEW "llm_inference" AS
SELECT
  "request_id",
  "requested_at",
  "customer_id",
  "workload",
  "context_tokens",
  "generated_tokens"
FROM (
  SELECT
    "request_id",
    "requested_at",
    "customer_id",
    "workload",
    "context_tokens",
    "generated_tokens",
    ROW_NUMBER() OVER (
      PARTITION BY "request_id"
      ORDER BY "requested_at" ASC, "customer_id" ASC, "workload" ASC, "context_tokens" ASC, "generated_tokens" ASC
    ) AS "meterspec_rank"
  FROM "llm_inference_checked"
  WHERE
    "meterspec_reject_reason" IS NULL
) AS "ranked"
WHERE
  "meterspec_rank" = 1;
