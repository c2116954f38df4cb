-- SPDX-License-Identifier: MIT
-- C15. The smoothed length of the step has its minimum and maximum at the ends of the plateau.
-- Rule, at weight multiplier 10: the epochs of the minimum and of the maximum are within 20% of the paper's: 19.5 and
-- 46.5 in modular addition (one more in our counting), 2300 and 6300 in the Ising task.
WITH parts(task, root, quantity, paper, target) AS (
  VALUES ('modular_addition', 1, 'epoch of the shortest step', '19 to 20', 20.5),
         ('modular_addition', 2, 'epoch of the longest step after it', '46 to 47', 47.5),
         ('ising', 1, 'epoch of the shortest step', '2200 to 2400', 2301),
         ('ising', 2, 'epoch of the longest step after it', '6200 to 6400', 6301)),
chosen AS (
  SELECT * FROM paper_runs
  WHERE weight_multiplier = 10
    AND (task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
         OR task = 'ising' AND weight_decay = 0.1 AND batch_size = 0)),
found AS (
  SELECT parts.*, iif(root = 1, t_step_min, t_step_max) AS x, last_epoch, paper_epochs
  FROM parts LEFT JOIN chosen USING (task))
SELECT task, quantity, paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread,
       printf('%g +- 20%%', target) AS rule, abs(avg(x) - target) <= 0.2 * target AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       'needs the step''s extremes in summaries of runs with weight multiplier 10' AS missing
FROM found GROUP BY task, root ORDER BY task DESC, root;
