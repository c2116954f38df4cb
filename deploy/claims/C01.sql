-- SPDX-License-Identifier: MIT
-- C1. Modular addition groks from a weight multiplier between 1 and 2 on.
-- Rule: a multiplier groks if the means over its seeds have t_grok > t_train - 1 (epochs count from 1). The least
-- that does is above 1 and at most 2, as in the paper's figure 10; its text says 0.4. Its spread is that of the least
-- one of each seed. Lines without a rule compare t_grok with the figure.
WITH chosen AS (
  SELECT *, weight_multiplier AS w0 FROM paper_runs
  WHERE task = 'modular_addition' AND weight_decay = 3e-5 AND batch_size = 64),
settings AS (
  SELECT w0, avg(t_train) AS t_train, avg(t_grok) AS t_grok,
         sqrt(max(0, avg(t_grok * t_grok) - avg(t_grok) * avg(t_grok))
              * count(t_grok) / (count(t_grok) - 1.0)) AS spread,
         count(t_grok) AS seeds, min(last_epoch) AS epochs, min(paper_epochs) AS paper_epochs
  FROM chosen GROUP BY w0),
onset AS (
  SELECT min(w0) FILTER (WHERE t_grok > t_train - 1) AS w0,
         count(*) FILTER (WHERE w0 IN (1, 2) AND seeds > 0) = 2 AS tested,
         min(seeds) AS seeds, min(epochs) AS epochs, min(paper_epochs) AS paper_epochs
  FROM settings),
onset_of_seed AS (
  SELECT min(w0) AS w0 FROM chosen WHERE grokked = 1 GROUP BY seed),
figure(w0, t_grok) AS (
  VALUES (0.1, '2.6'), (0.4, '0.4'), (1, '10'), (2, '18.4'), (4, '28.8'), (10, '44'))
SELECT 'modular_addition' AS task, 'least weight multiplier that groks' AS quantity,
       '1 to 2' AS paper, w0 AS ours,
       (SELECT sqrt(max(0, avg(w0 * w0) - avg(w0) * avg(w0)) * count(w0) / (count(w0) - 1.0))
        FROM onset_of_seed) AS spread,
       '> 1, <= 2' AS rule,
       CASE WHEN tested THEN coalesce(w0 > 1 AND w0 <= 2, 0) END AS holds,
       seeds, epochs, paper_epochs,
       'needs runs with weight multipliers 1 and 2' AS missing
FROM onset
UNION ALL
SELECT 'modular_addition', printf('t_grok at weight multiplier %g', w0), figure.t_grok, s.t_grok, s.spread,
       NULL, NULL, s.seeds, s.epochs, s.paper_epochs, NULL
FROM figure JOIN settings AS s USING (w0);
