-- SPDX-License-Identifier: MIT
-- C17. The Fisher information is more unequal than the weights, yet to prune by magnitude is better.
-- Rule, at the end, in learning (weight multiplier 0.1, ising: 1) and in grokking (10): Gini of the Fisher diagonal
-- above Gini of the weights, and c of the magnitude order above c of the Fisher order.
WITH parts(task, w0, learning) AS (
  VALUES ('modular_addition', 0.1, 'learning'), ('modular_addition', 10, 'grokking'),
         ('ising', 1, 'learning'), ('ising', 10, 'grokking')),
chosen AS (
  SELECT task, weight_multiplier AS w0, last_epoch, paper_epochs, gini_fisher - gini_weights AS gini,
         compressibility - compressibility_fisher AS order_gap
  FROM paper_runs AS p JOIN epochs AS e ON e.run_id = p.run_id AND e.epoch = p.last_epoch
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
     OR task = 'ising' AND weight_decay = 0.1 AND batch_size = 0),
found AS (
  SELECT 1 AS part, parts.*, gini AS x, last_epoch, paper_epochs FROM parts LEFT JOIN chosen USING (task, w0)
  UNION ALL
  SELECT 2, parts.*, order_gap, last_epoch, paper_epochs FROM parts LEFT JOIN chosen USING (task, w0))
SELECT task,
       iif(part = 1, 'Gini of the Fisher diagonal less the weights'', ',
           'c by magnitude less c in Fisher order, ') || learning AS quantity,
       'positive' AS paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread,
       '> 0' AS rule, avg(x) > 0 AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       printf('needs both measures at the end of runs with weight multiplier %g', w0) AS missing
FROM found GROUP BY task, part, w0, learning ORDER BY task DESC, part, w0;
