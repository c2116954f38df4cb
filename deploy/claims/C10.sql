-- SPDX-License-Identifier: MIT
-- C10. In the Ising task compressibility has no relation to the weight multiplier, nor to the loss.
-- Rule: Spearman's |rho| of c with the weight multiplier, and with the training loss, both at the end and with a point
-- a run, is below 0.3. Spreads are over the rho of single seeds.
WITH chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs
  WHERE task = 'ising' AND weight_decay = 0.1 AND batch_size = 0
    AND final_train_loss IS NOT NULL AND compressibility_final IS NOT NULL),
points AS (
  SELECT 'weight multiplier' AS part, seed, w0, last_epoch, paper_epochs, w0 AS x, compressibility_final AS y
  FROM chosen
  UNION ALL
  SELECT 'training loss', seed, w0, last_epoch, paper_epochs, final_train_loss, compressibility_final FROM chosen),
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
parts(part) AS (
  VALUES ('weight multiplier'), ('training loss'))
SELECT 'ising' AS task, 'rho of c and ' || parts.part AS quantity, 'none' AS paper, rho AS ours, spread,
       'within +-0.3' AS rule, CASE WHEN n > 4 AND settings > 2 THEN abs(rho) < 0.3 END AS holds,
       seeds, epochs, paper_epochs, 'needs five runs and three weight multipliers' AS missing
FROM parts LEFT JOIN rho ON rho.part = parts.part AND line IS NULL LEFT JOIN spread ON spread.part = parts.part;
