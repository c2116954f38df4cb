-- SPDX-License-Identifier: MIT
-- C12. On the plateau of grokking Fourier features of modular addition grow; those of the Ising task do not.
-- Rule, at weight multiplier 10: over the plateau from t_train to t_plateau_end the slope of the output weights' IPR
-- (line within each run, one slope for all) has a 95% interval above 0. Ising, from t_train to t_test: the line through
-- the correlation with the energy changes by at most 10% of its mean, up or down.
WITH student(freedom, t) AS ( -- Student's t for an interval of 95%
  VALUES (1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (5, 2.571), (6, 2.447), (7, 2.365), (8, 2.306),
         (9, 2.262), (10, 2.228), (12, 2.179), (15, 2.131), (20, 2.086), (30, 2.042), (60, 2.000), (120, 1.980)),
chosen AS (
  SELECT *, t_train AS start, iif(task = 'ising', t_test, t_plateau_end) AS stop
  FROM paper_runs
  WHERE weight_multiplier = 10 AND grokked = 1
    AND (task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
         OR task = 'ising' AND weight_decay = 0.1 AND batch_size = 0)),
points AS (
  SELECT p.task, p.run_id, p.last_epoch, p.paper_epochs, stop - start AS length, e.epoch AS x,
         iif(task = 'ising', e.corr_energy, e.ipr_output) AS y
  FROM chosen AS p JOIN epochs AS e ON e.run_id = p.run_id AND e.epoch BETWEEN start AND stop
  WHERE e.ipr_output IS NOT NULL OR e.corr_energy IS NOT NULL),
centred AS (
  SELECT *, x - avg(x) OVER run AS u, y - avg(y) OVER run AS v FROM points WINDOW run AS (PARTITION BY run_id)),
run_line AS (
  SELECT task, run_id, last_epoch, paper_epochs, count(*) AS n, sum(u * u) AS uu, sum(u * v) AS uv, sum(v * v) AS vv,
         sum(u * v) / sum(u * u) AS slope, sum(u * v) / sum(u * u) * length / avg(y) AS change
  FROM centred GROUP BY run_id HAVING count(*) > 2),
task_line AS (
  SELECT task, sum(uv) / sum(uu) AS slope, sum(n) - count(*) - 1 AS free,
         sqrt(max(0, sum(vv) - sum(uv) * sum(uv) / sum(uu)) / (sum(n) - count(*) - 1.0) / sum(uu)) AS error,
         sqrt(max(0, avg(slope * slope) - avg(slope) * avg(slope)) * count(slope) / (count(slope) - 1.0))
           AS slope_spread,
         avg(change) AS change,
         sqrt(max(0, avg(change * change) - avg(change) * avg(change)) * count(change) / (count(change) - 1.0))
           AS change_spread,
         count(*) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs
  FROM run_line GROUP BY task),
fit AS ( -- the interval of the slope is slope +- half
  SELECT *, error * (SELECT min(t) FROM student WHERE freedom <= free) AS half FROM task_line),
parts(task) AS (
  VALUES ('modular_addition'), ('ising'))
SELECT parts.task,
       iif(parts.task = 'ising', 'change of r with the energy over the plateau',
           'slope of the IPR on the plateau') AS quantity,
       iif(parts.task = 'ising', 'flat', 'grows') AS paper,
       iif(parts.task = 'ising', change, slope) AS ours,
       iif(parts.task = 'ising', change_spread, slope_spread) AS spread,
       iif(parts.task = 'ising', NULL, slope - half) AS low, iif(parts.task = 'ising', NULL, slope + half) AS high,
       iif(parts.task = 'ising', 'within +-0.1', 'interval > 0') AS rule,
       iif(parts.task = 'ising', abs(change) <= 0.1, slope - half > 0) AS holds,
       seeds, epochs, paper_epochs,
       'needs grokking runs with weight multiplier 10 and three measured epochs on the plateau' AS missing
FROM parts LEFT JOIN fit USING (task);
