-- SPDX-License-Identifier: MIT
-- C18. Steady and sudden learning end alike in accuracy; in loss only in modular addition.
-- Rule, of the means of each weight multiplier, low to high: in modular addition the least test accuracy rounds to
-- 100% and test losses lie within 5% of their mean; in the Ising task accuracies lie within 5%, losses more than 50%
-- apart (greatest less least, over the mean). Spreads are over those of single seeds.
WITH chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64
     OR task = 'ising' AND weight_decay = 0.1 AND batch_size = 0),
setting AS (
  SELECT task, NULL AS seed, w0, avg(final_test_accuracy) AS accuracy, avg(final_test_loss) AS loss,
         count(final_test_loss) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs
  FROM chosen GROUP BY task, w0
  UNION ALL
  SELECT task, seed, w0, final_test_accuracy, final_test_loss, 1, NULL, NULL FROM chosen),
range AS (
  SELECT task, seed, min(accuracy) AS least, (max(accuracy) - min(accuracy)) / avg(accuracy) AS accuracy,
         (max(loss) - min(loss)) / avg(loss) AS loss, min(seeds) AS seeds, min(epochs) AS epochs,
         min(paper_epochs) AS paper_epochs,
         min(w0) <= iif(task = 'ising', 1, 0.4) AND max(w0) >= iif(task = 'ising', 10, 1) AS tested
  FROM setting GROUP BY task, seed),
spread AS (
  SELECT task, sqrt(max(0, avg(least * least) - avg(least) * avg(least))
              * count(least) / (count(least) - 1.0)) AS least,
         sqrt(max(0, avg(accuracy * accuracy) - avg(accuracy) * avg(accuracy))
              * count(accuracy) / (count(accuracy) - 1.0)) AS accuracy,
         sqrt(max(0, avg(loss * loss) - avg(loss) * avg(loss))
              * count(loss) / (count(loss) - 1.0)) AS loss
  FROM range WHERE seed IS NOT NULL AND tested GROUP BY task),
parts(task, part, quantity, paper, rule, missing) AS (
  VALUES ('modular_addition', 1, 'least test accuracy', '1', '>= 0.995', '<= 0.4 and >= 1'),
         ('modular_addition', 2, 'range of test losses over their mean', '< 0.05', '<= 0.05', '<= 0.4 and >= 1'),
         ('ising', 3, 'range of test accuracies over their mean', '< 0.05', '<= 0.05', '1 and 10'),
         ('ising', 2, 'range of test losses over their mean', '> 0.5', '> 0.5', '1 and 10')),
found AS (
  SELECT parts.*, CASE part WHEN 1 THEN r.least WHEN 2 THEN r.loss ELSE r.accuracy END AS x,
         CASE part WHEN 1 THEN s.least WHEN 2 THEN s.loss ELSE s.accuracy END AS spread,
         seeds, epochs, paper_epochs
  FROM parts LEFT JOIN range AS r ON r.task = parts.task AND r.seed IS NULL AND r.tested
  LEFT JOIN spread AS s ON s.task = parts.task)
SELECT task, quantity, paper, x AS ours, spread, rule,
       CASE rule WHEN '>= 0.995' THEN x >= 0.995 WHEN '<= 0.05' THEN x <= 0.05 ELSE x > 0.5 END AS holds,
       seeds, epochs, paper_epochs, 'needs runs with weight multipliers ' || missing AS missing
FROM found
UNION ALL
SELECT 'ising', 'runs at weight multiplier 10 that never grok', '1 of 10', total(grokked IS NOT 1), NULL, NULL, NULL,
       count(*), min(last_epoch), min(paper_epochs), NULL
FROM chosen WHERE task = 'ising' AND w0 = 10 HAVING count(*) > 0;
