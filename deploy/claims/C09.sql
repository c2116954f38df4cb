-- SPDX-License-Identifier: MIT
-- C9. Ten times the weight decay compresses extremely.
-- Rule, at weight_decay 3e-4: c at the end at weight multiplier 0.1 is at least 15; its IPR of the output weights is
-- below a third of that at 2; at 2 the share of weights that keeps 95% of the test accuracy is within 0.05 of 0.32.
-- Lines without a rule show weight multiplier 1, of which the paper speaks.
WITH chosen AS (
  SELECT p.run_id, seed, last_epoch, paper_epochs, weight_multiplier AS w0, e.compressibility, e.ipr_output,
         e.weights_for_95
  FROM paper_runs AS p JOIN epochs AS e ON e.run_id = p.run_id AND e.epoch = p.last_epoch
  WHERE task = 'modular_addition' AND weight_decay = 3e-4 AND batch_size = 64),
parts(part, w0, quantity, paper, rule, least, most, missing) AS (
  VALUES (1, 0.1, 'c at weight multiplier 0.1', 'about 25', '>= 15', 15, 9e99, '0.1'),
         (2, 0.1, 'IPR at 0.1 over mean IPR at 2', 'about 0.1', '< 1/3', 0, 1.0 / 3, '0.1 and 2'),
         (3, 2, 'weights that keep 95% at 2', '0.32', '0.32 +- 0.05', 0.27, 0.37, '2'),
         (4, 1, 'c at weight multiplier 1', 'about 25', NULL, NULL, NULL, NULL),
         (5, 1, 'weights that keep 95% at 1', '0.05', NULL, NULL, NULL, NULL)),
found AS (
  SELECT parts.*, last_epoch, paper_epochs,
         CASE part WHEN 2 THEN ipr_output / (SELECT avg(ipr_output) FROM chosen WHERE w0 = 2)
                   WHEN 3 THEN weights_for_95 WHEN 5 THEN weights_for_95 ELSE compressibility END AS x
  FROM parts LEFT JOIN chosen USING (w0))
SELECT 'modular_addition' AS task, quantity, paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread, rule,
       CASE part WHEN 2 THEN avg(x) < most ELSE avg(x) >= least AND avg(x) <= most END AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       'needs runs with weight_decay 3e-4 and weight multiplier ' || missing AS missing
FROM found GROUP BY part HAVING rule IS NOT NULL OR count(x) > 0;
