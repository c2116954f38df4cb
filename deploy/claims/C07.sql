-- SPDX-License-Identifier: MIT
-- C7. Compressibility has no relation to the test loss.
-- Rule: Spearman's |rho| of c and test loss at the end, with a point a run, is below 0.3 in the low regime (weight
-- multipliers up to 0.4) and in the high one (from 1 on). Spreads are over the rho of single seeds. The paper's local
-- learning coefficient is not looked at.
WITH points AS (
  SELECT CASE WHEN weight_multiplier <= 0.4 THEN 'low' WHEN weight_multiplier >= 1 THEN 'high' END AS part,
         seed, weight_multiplier AS w0, last_epoch, paper_epochs, final_test_loss AS x, compressibility_final AS y
  FROM paper_runs
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
    AND final_test_loss IS NOT NULL AND compressibility_final IS NOT NULL),
grouped AS ( -- all seeds together (line NULL), and each alone
  SELECT NULL AS line, * FROM points UNION ALL SELECT seed, * FROM points),
ranked AS ( -- equal values share the mean of their ranks
  SELECT *,
         rank() OVER (PARTITION BY part, line ORDER BY x) + (count(*) OVER (PARTITION BY part, line, x) - 1) / 2.0 AS u,
         rank() OVER (PARTITION BY part, line ORDER BY y) + (count(*) OVER (PARTITION BY part, line, y) - 1) / 2.0 AS v
  FROM grouped),
centred AS (
  SELECT *, u - avg(u) OVER p AS du, v - avg(v) OVER p AS dv FROM ranked WINDOW p AS (PARTITION BY part, line)),
rho AS (
  SELECT part, line, sum(du * dv) / sqrt(sum(du * du) * sum(dv * dv)) AS rho, count(*) AS n,
         count(DISTINCT w0) AS settings, count(DISTINCT seed) AS seeds, min(last_epoch) AS epochs,
         min(paper_epochs) AS paper_epochs
  FROM centred GROUP BY part, line),
spread AS (
  SELECT part, sqrt(max(0, avg(rho * rho) - avg(rho) * avg(rho)) * count(rho) / (count(rho) - 1.0)) AS spread
  FROM rho WHERE line IS NOT NULL GROUP BY part),
parts(part, needs) AS (
  VALUES ('low', 'up to 0.4'), ('high', 'from 1 on'))
SELECT 'modular_addition' AS task, 'rho of c and test loss, ' || parts.part || ' regime' AS quantity, 'none' AS paper,
       rho AS ours, spread, 'within +-0.3' AS rule, CASE WHEN n > 4 AND settings > 1 THEN abs(rho) < 0.3 END AS holds,
       seeds, epochs, paper_epochs, 'needs five runs and two weight multipliers ' || needs AS missing
FROM parts LEFT JOIN rho ON rho.part = parts.part AND line IS NULL LEFT JOIN spread ON spread.part = parts.part;
