-- SPDX-License-Identifier: MIT
-- C4. Steady and sudden learning of the Ising phases end in the same feature, the energy.
-- Rule: in learning (weight multiplier 1) and in grokking (10), at the end, the median |r| of the last hidden layer's
-- neurons with the energy is at least 0.95, and most neurons follow the energy best.
WITH parts(w0, name, quantity, paper, least, rule) AS (
  VALUES (1, 'energy_median', 'median |r| with the energy, learning', '0.99', 0.95, '>= 0.95'),
         (10, 'energy_median', 'median |r| with the energy, grokking', '0.99', 0.95, '>= 0.95'),
         (1, 'energy_share', 'share of neurons that follow it best, learning', 'most', 0.5, '> 0.5'),
         (10, 'energy_share', 'share of neurons that follow it best, grokking', 'most', 0.5, '> 0.5')),
chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs
  WHERE task = 'ising' AND weight_decay = 0.1 AND batch_size = 0),
found AS (
  SELECT parts.*, f.value AS x, p.last_epoch, p.paper_epochs
  FROM parts LEFT JOIN chosen AS p USING (w0)
  LEFT JOIN features AS f ON f.run_id = p.run_id AND f.epoch = p.last_epoch AND f.layer = 'fc1'
                          AND f.name = parts.name)
SELECT 'ising' AS task, quantity, paper, avg(x) AS ours,
       sqrt(max(0, avg(x * x) - avg(x) * avg(x)) * count(x) / (count(x) - 1.0)) AS spread,
       rule, avg(x) >= least AND (rule = '>= 0.95' OR avg(x) > least) AS holds,
       count(x) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs,
       printf('needs features at the end of runs with weight multiplier %g', w0) AS missing
FROM found GROUP BY name, w0 ORDER BY name, w0;
