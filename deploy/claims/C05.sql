-- SPDX-License-Identifier: MIT
-- C5. Steady and sudden learning of modular addition end in the same feature, a few Fourier modes a neuron.
-- Rule: the inverse participation ratio of the output weights at the end (real basis) is within 0.03 of 0.43 at
-- weight multiplier 0.1 and of 0.52 at 10. (The paper prints 0.43 for grokking and 0.53 for learning; the other way
-- round they are those of its released configurations.)
WITH parts(w0, target) AS (
  VALUES (0.1, 0.43), (10, 0.52)),
chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64),
found AS (
  SELECT parts.*, e.ipr_output AS x, p.last_epoch, p.paper_epochs
  FROM parts LEFT JOIN chosen AS p USING (w0)
  LEFT JOIN epochs AS e ON e.run_id = p.run_id AND e.epoch = p.last_epoch)
SELECT 'modular_addition' AS task, printf('IPR of the output weights at weight multiplier %g', w0) AS quantity,
       printf('%.2f', target) AS paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread,
       printf('%.2f +- 0.03', target) AS rule, abs(avg(x) - target) <= 0.03 AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       printf('needs runs with weight multiplier %g', w0) AS missing
FROM found GROUP BY w0, target;
