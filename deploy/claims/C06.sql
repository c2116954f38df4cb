-- SPDX-License-Identifier: MIT
-- C6. Steady learning trades training loss for compressibility along a line; grokking does not.
-- Rule: of the line of c over the training loss, both at the end, with a point a run: in the low regime (weight
-- multipliers up to 0.4) r^2 is at least 0.8 and the 95% interval of the slope leaves 0 out; in the high regime (from
-- 1 on) the interval contains 0. Spreads are those of the lines of single seeds.
WITH student(freedom, t) AS ( -- Student's t for an interval of 95%
  VALUES (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365), (8, 2.306),
         (9, 2.262), (10, 2.228), (12, 2.179), (15, 2.131), (20, 2.086), (30, 2.042), (60, 2.000), (120, 1.980)),
chosen AS (
  SELECT *, weight_multiplier AS w0, final_train_loss AS x, compressibility_final AS y,
         CASE WHEN weight_multiplier <= 0.4 THEN 'low' WHEN weight_multiplier >= 1 THEN 'high' END AS regime
  FROM paper_runs
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
    AND final_train_loss IS NOT NULL AND compressibility_final IS NOT NULL),
points AS ( -- one a run; in lines over all seeds (seed NULL) and in lines of one seed
  SELECT regime, NULL AS seed, w0, x, y FROM chosen UNION ALL SELECT regime, seed, w0, x, y FROM chosen),
centred AS (
  SELECT regime, seed, w0, x - avg(x) OVER line AS x, y - avg(y) OVER line AS y
  FROM points WINDOW line AS (PARTITION BY regime, seed)),
line AS (
  SELECT regime, seed, count(*) AS n, count(DISTINCT w0) AS settings, sum(x * y) / sum(x * x) AS slope,
         sum(x * y) * sum(x * y) / sum(x * x) / sum(y * y) AS r2,
         sqrt(max(0, sum(y * y) - sum(x * y) * sum(x * y) / sum(x * x))
              / (count(*) - 2.0) / sum(x * x)) AS error
  FROM centred GROUP BY regime, seed),
fit AS ( -- the interval of the slope is slope +- half
  SELECT *, error * (SELECT min(t) FROM student WHERE freedom <= n - 2) AS half
  FROM line WHERE seed IS NULL AND n > 2 AND settings > 1),
spread AS (
  SELECT regime,
         sqrt(max(0, avg(slope * slope) - avg(slope) * avg(slope)) * count(slope) / (count(slope) - 1.0)) AS slope,
         sqrt(max(0, avg(r2 * r2) - avg(r2) * avg(r2)) * count(r2) / (count(r2) - 1.0)) AS r2
  FROM line WHERE seed IS NOT NULL AND settings > 2 GROUP BY regime),
effort AS (
  SELECT regime, count(DISTINCT seed) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs
  FROM chosen GROUP BY regime),
parts(regime, kind, quantity, paper, rule) AS (
  VALUES ('low', 'r2', 'r^2 of the line, low regime', 'linear', '>= 0.8'),
         ('low', 'slope', 'slope, low regime', 'positive', 'interval without 0'),
         ('high', 'slope', 'slope, high regime', '0', 'interval with 0'))
SELECT 'modular_addition' AS task, quantity, paper,
       CASE kind WHEN 'r2' THEN f.r2 ELSE f.slope END AS ours,
       CASE kind WHEN 'r2' THEN spread.r2 ELSE spread.slope END AS spread,
       iif(kind = 'slope', f.slope - half, NULL) AS low, iif(kind = 'slope', f.slope + half, NULL) AS high, rule,
       CASE kind || regime WHEN 'r2low' THEN f.r2 >= 0.8 WHEN 'slopelow' THEN abs(f.slope) > half
                           ELSE abs(f.slope) <= half END AS holds,
       seeds, epochs, paper_epochs,
       'needs three runs and two weight multipliers ' || iif(regime = 'low', 'up to 0.4', 'from 1 on') AS missing
FROM parts LEFT JOIN fit AS f USING (regime) LEFT JOIN spread USING (regime) LEFT JOIN effort USING (regime);
