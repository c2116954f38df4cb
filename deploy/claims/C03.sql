-- SPDX-License-Identifier: MIT
-- C3. The training set is learned later at both ends of the weight multipliers than between them.
-- Rule: the mean of t_train at 0.1, and that at 10, is above that at 0.8. Differences are taken seed by seed.
WITH chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64),
ends(w0, paper) AS (
  VALUES (0.1, '6 - 5'), (10, '12 - 5')),
difference AS (
  SELECT ends.*, a.t_train - b.t_train AS x, min(a.last_epoch, b.last_epoch) AS last_epoch, a.paper_epochs
  FROM ends LEFT JOIN chosen AS a ON a.w0 = ends.w0 LEFT JOIN chosen AS b ON b.w0 = 0.8 AND b.seed = a.seed)
SELECT 'modular_addition' AS task, printf('t_train at %g less that at 0.8', w0) AS quantity,
       paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread,
       '> 0' AS rule, avg(x) > 0 AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       printf('needs runs with weight multipliers 0.8 and %g of the same seeds', w0) AS missing
FROM difference GROUP BY w0, paper;
