-- Events: typed, checked, each id once.

-- Every row of `acme.platform.agent-run`, typed.
CREATE OR REPLACE VIEW "acme_platform_agent_run_checked" AS
SELECT
  "agent_run_id",
  "completed_at",
  "customer_id",
  "duration_ms",
  CAST(CAST("energy_joules" AS DECIMAL(18, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(18, 6)) AS "energy_joules",
  CAST(CAST("grid_intensity_g_per_kwh" AS DECIMAL(18, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(18, 6)) AS "grid_intensity_g_per_kwh",
  CAST(CAST("carbon_g" AS DECIMAL(18, 0)) * CAST('0.000001' AS DECIMAL(6, 6)) AS DECIMAL(18, 6)) AS "carbon_g",
  "region",
  COALESCE(
    "agent_run_id fault",
    "completed_at fault",
    "customer_id fault",
    "duration_ms fault",
    "energy_joules fault",
    "grid_intensity_g_per_kwh fault",
    "carbon_g fault"
  ) AS "meterspec_reject_reason"
FROM (
  SELECT
    "agent_run_id",
    CASE WHEN "agent_run_id" IS NULL THEN 'missing agent_run_id' END AS "agent_run_id fault",
    "completed_at",
    CASE WHEN "completed_at" IS NULL THEN 'missing completed_at' END AS "completed_at fault",
    "customer_id",
    CASE WHEN "customer_id" IS NULL THEN 'missing customer_id' END AS "customer_id fault",
    "duration_ms",
    CASE WHEN "duration_ms" IS NULL THEN 'missing duration_ms' END AS "duration_ms fault",
    CASE
      WHEN ABS("energy_joules" * CAST('1e6' AS DOUBLE)) < CAST('9007199254740992' AS DOUBLE)
      THEN CAST(FLOOR("energy_joules" * CAST('1e6' AS DOUBLE) + CAST('0.5' AS DOUBLE)) AS BIGINT)
    END AS "energy_joules",
    CASE
      WHEN "energy_joules" IS NULL
      THEN 'missing energy_joules'
      WHEN NOT ISFINITE("energy_joules")
      THEN 'energy_joules is not a float'
      WHEN ABS("energy_joules" * CAST('1e6' AS DOUBLE)) >= CAST('9007199254740992' AS DOUBLE)
      THEN 'energy_joules out of range'
    END AS "energy_joules fault",
    CASE
      WHEN ABS("grid_intensity_g_per_kwh" * CAST('1e6' AS DOUBLE)) < CAST('9007199254740992' AS DOUBLE)
      THEN CAST(FLOOR("grid_intensity_g_per_kwh" * CAST('1e6' AS DOUBLE) + CAST('0.5' AS DOUBLE)) AS BIGINT)
    END AS "grid_intensity_g_per_kwh",
    CASE
      WHEN "grid_intensity_g_per_kwh" IS NULL
      THEN 'missing grid_intensity_g_per_kwh'
      WHEN NOT ISFINITE("grid_intensity_g_per_kwh")
      THEN 'grid_intensity_g_per_kwh is not a float'
      WHEN ABS("grid_intensity_g_per_kwh" * CAST('1e6' AS DOUBLE)) >= CAST('9007199254740992' AS DOUBLE)
      THEN 'grid_intensity_g_per_kwh out of range'
    END AS "grid_intensity_g_per_kwh fault",
    CASE
      WHEN ABS("carbon_g" * CAST('1e6' AS DOUBLE)) < CAST('9007199254740992' AS DOUBLE)
      THEN CAST(FLOOR("carbon_g" * CAST('1e6' AS DOUBLE) + CAST('0.5' AS DOUBLE)) AS BIGINT)
    END AS "carbon_g",
    CASE
      WHEN "carbon_g" IS NULL
      THEN 'missing carbon_g'
      WHEN NOT ISFINITE("carbon_g")
      THEN 'carbon_g is not a float'
      WHEN ABS("carbon_g" * CAST('1e6' AS DOUBLE)) >= CAST('9007199254740992' AS DOUBLE)
      THEN 'carbon_g out of range'
    END AS "carbon_g fault",
    "region"
  FROM "raw_acme_platform_agent_run"
) AS readings;

-- The rows of `acme.platform.agent-run` that break its schema, each with the reason.
CREATE OR REPLACE VIEW "acme_platform_agent_run_rejects" AS
SELECT
  *
FROM "acme_platform_agent_run_checked"
WHERE
  "meterspec_reject_reason" IS NOT NULL;

-- The events of `acme.platform.agent-run`, each id once.
CREATE OR REPLACE VIEW "acme_platform_agent_run" AS
SELECT
  "agent_run_id",
  "completed_at",
  "customer_id",
  "duration_ms",
  "energy_joules",
  "grid_intensity_g_per_kwh",
  "carbon_g",
  "region"
FROM (
  SELECT
    "agent_run_id",
    "completed_at",
    "customer_id",
    "duration_ms",
    "energy_joules",
    "grid_intensity_g_per_kwh",
    "carbon_g",
    "region",
    ROW_NUMBER() OVER (
      PARTITION BY "agent_run_id"
      ORDER BY "completed_at" ASC, "customer_id" ASC, "duration_ms" ASC, "energy_joules" ASC, "grid_intensity_g_per_kwh" ASC, "carbon_g" ASC, "region" ASC
    ) AS "meterspec_rank"
  FROM "acme_platform_agent_run_checked"
  WHERE
    "meterspec_reject_reason" IS NULL
) AS "ranked"
WHERE
  "meterspec_rank" = 1;
