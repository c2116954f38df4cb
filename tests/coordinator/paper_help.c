// SPDX-License-Identifier: MIT
/* paper_help: a database in which every claim of deploy/claims holds. */
#include "tests/coordinator/paper_help.h"

#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const specs[] = {
    "name: modadd\nmethod: grid\nparameters:\n  seed: {min: 0, max: 2}\n"
    "  weight_multiplier: {values: [0.1, 0.2, 0.4, 0.8, 1, 2, 4, 10]}\n",
    "name: wd\nmethod: grid\nparameters:\n  seed: {min: 0, max: 2}\n  epochs: {value: 10000}\n"
    "  weight_decay: {value: 3e-4}\n  weight_multiplier: {values: [0.1, 1, 2]}\n",
    "name: bs\nmethod: grid\nparameters:\n  seed: {min: 0, max: 2}\n  batch_size: {value: 200}\n"
    "  weight_multiplier: {values: [0.1, 0.2, 0.4]}\n",
    "name: ising\nmethod: grid\nparameters:\n  task: {value: ising}\n  seed: {min: 0, max: 2}\n"
    "  weight_multiplier: {values: [1, 2, 3, 4, 10]}\n",
};

/* Columns that the queries ask for, added where this version does not measure them. */
static const char *const columns[][2] = {
    {"epochs", "weights_for_95"},      {"epochs", "gini_weights"},
    {"epochs", "gini_fisher"},         {"epochs", "compressibility_fisher"},
    {"geometry", "step_fisher_stiff"}, {"geometry", "step_fisher_sloppy"},
    {"summaries", "t_step_min"},       {"summaries", "t_step_max"},
};

/* Times, losses and c are functions of the weight multiplier's position i and of the seed; (2 seed
 * + i) % 3 - 1 is a disturbance that is related to neither. */
static const char summaries_sql[] =
    "UPDATE runs SET state = 'finished';"
    "CREATE TABLE time (task, w0, i, t_train, t_grok);"
    "INSERT INTO time VALUES ('modular_addition', 0.1, 0, 8, 3), ('modular_addition', 0.2, 1, 7, "
    "2), ('modular_addition', 0.4, 2, 7, 1), ('modular_addition', 0.8, 3, 6, 0), "
    "('modular_addition', 1, 4, 6, 2), ('modular_addition', 2, 5, 7, 18), ('modular_addition', 4, "
    "6, 9, 29), ('modular_addition', 10, 7, 13, 44), ('ising', 1, 0, 403, -23), ('ising', 2, 1, "
    "333, 5), ('ising', 3, 2, 450, 168), ('ising', 4, 3, 651, 891), ('ising', 10, 4, 1400, 10000);"
    "INSERT INTO summaries (run_id, t_train, t_test, t_grok, grokked, t_plateau_end, last_epoch, "
    "final_train_loss, final_test_loss, final_test_accuracy, compressibility_final, t_step_min, "
    "t_step_max) SELECT run_id, t_train, t_train + t_grok, t_grok, t_grok > t_train - 1, "
    "CASE task WHEN 'ising' THEN NULL ELSE t_train + 30 END, epochs, "
    "CASE WHEN task = 'ising' THEN 0.2 + 0.001 * w0 WHEN w0 <= 0.4 THEN 0.0173 - i * 1e-4 ELSE "
    "0.0168 + i * 1e-5 END, CASE task WHEN 'ising' THEN 0.15 + 0.013 * w0 ELSE 0.043 + 1e-4 * seed "
    "END, CASE task WHEN 'ising' THEN 0.93 + 0.001 * i ELSE 1 END, "
    "CASE WHEN task <> 'ising' AND batch_size = 64 AND w0 <= 0.4 THEN 5 - 0.3 * i + 0.01 * ((2 * "
    "seed + i) % 3 - 1) ELSE 4 + 0.05 * ((2 * seed + i) % 3 - 1) END, "
    "CASE task WHEN 'ising' THEN 2300 ELSE 21 END, CASE task WHEN 'ising' THEN 6300 ELSE 48 END "
    "FROM runs JOIN time USING (task) WHERE w0 = weight_multiplier;"
    "UPDATE summaries SET compressibility_peak = 1.6 * compressibility_final, epoch_peak = t_test "
    "+ 12;"
    "DROP TABLE time;";

/* The last epoch of every run; every epoch to 150 and the plateau where they are asked for. */
static const char epochs_sql[] =
    "INSERT INTO epochs (run_id, epoch, ipr_output, compressibility, compressibility_fisher, "
    "weights_for_95, gini_fisher, gini_weights) SELECT run_id, last_epoch, "
    "CASE WHEN task = 'ising' THEN NULL WHEN weight_decay = 3e-4 AND weight_multiplier = 0.1 THEN "
    "0.05 WHEN weight_multiplier = 0.1 THEN 0.43 ELSE 0.52 END, CASE WHEN weight_decay = 3e-4 AND "
    "weight_multiplier < 2 THEN 20 ELSE 5 END, 4, 0.33, 0.8, 0.4 FROM paper_runs;"
    "WITH RECURSIVE n(e) AS (SELECT 1 UNION ALL SELECT e + 1 FROM n WHERE e < 150) "
    "INSERT INTO epochs (run_id, epoch, ipr_output, compressibility) SELECT run_id, e, 0.03 + "
    "0.001 * e + 0.002 * (e * 7 % 3), 4 FROM n, paper_runs WHERE task <> 'ising' AND weight_decay "
    "= 3e-5 AND batch_size = 64 AND weight_multiplier IN (0.1, 10);"
    "WITH RECURSIVE n(e) AS (SELECT 200 UNION ALL SELECT e + 200 FROM n WHERE e < 12000) "
    "INSERT INTO epochs (run_id, epoch, corr_energy) SELECT run_id, e, 0.45 + 0.001 * (e % 3) FROM "
    "n, paper_runs WHERE task = 'ising' AND weight_multiplier = 10;";

static const char geometry_sql[] =
    "WITH RECURSIVE n(e) AS (SELECT 1 UNION ALL SELECT e + 1 FROM n WHERE e < 60) "
    "INSERT INTO geometry (run_id, epoch, step_fisher_stiff, step_fisher_sloppy, "
    "cos_previous_fisher, cos_origin_fisher) SELECT run_id, iif(task = 'ising', 200 * e, e), "
    "0.1 * e, 2, iif(weight_multiplier = 10, 0.99, 0.9), iif(weight_multiplier = 10, 0.8, -0.2) "
    "FROM n, paper_runs WHERE weight_multiplier IN (1, 10);"
    "INSERT INTO features SELECT run_id, last_epoch, 'fc1', column1, column2 FROM paper_runs, "
    "(VALUES ('energy_median', 0.98), ('energy_share', 0.9)) WHERE task = 'ising';"
    "PRAGMA journal_mode = DELETE;";

void paper_change(struct paper *w, const char *sql)
{
    sqlite3 *db;
    char *text = NULL;
    assert_int_equal(sqlite3_open(w->help.path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &text) != SQLITE_OK) fail_msg("%s: %s", sql, text);
    sqlite3_close(db);
}

static void add_column(struct paper *w, const char *table, const char *column)
{
    char sql[256];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'",
             table, column);
    if (help_int(&w->help, sql)) return;
    snprintf(sql, sizeof sql, "ALTER TABLE %s ADD COLUMN %s REAL", table, column);
    paper_change(w, sql);
}

static void copy_file(const char *from, const char *to)
{
    char command[256];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

static const char *kept(const struct paper *w)
{
    static char path[128];
    snprintf(path, sizeof path, "%s.kept", w->help.path);
    return path;
}

void paper_open(struct paper *w)
{
    help_open(&w->help);
    w->dir = w->help.dir;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        help_one(&w->help, help_sweep((int64_t)i + 1, strdup(specs[i])));
    store_close(&w->help.store);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        add_column(w, columns[i][0], columns[i][1]);
    paper_change(w, summaries_sql);
    paper_change(w, epochs_sql);
    paper_change(w, geometry_sql);
    copy_file(w->help.path, kept(w));
}

void paper_restore(struct paper *w)
{
    copy_file(kept(w), w->help.path);
}

void paper_close(struct paper *w)
{
    help_close(&w->help);
}

size_t paper_points(const struct paper *w, const char *sql, struct point *out, size_t most)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    size_t n = 0;
    assert_int_equal(sqlite3_open_v2(w->help.path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    while (sqlite3_step(s) == SQLITE_ROW && n < most) {
        out[n].x = sqlite3_column_double(s, 0);
        out[n++].y = sqlite3_column_double(s, 1);
    }
    sqlite3_finalize(s);
    sqlite3_close(db);
    return n;
}
