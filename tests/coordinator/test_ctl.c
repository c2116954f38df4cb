// SPDX-License-Identifier: MIT
/* Tests of grokctl: its command line, and what its reading verbs say about a database. */
#include "common/clock.h"
#include "common/file.h"
#include "coordinator/ctl.h"
#include "tests/coordinator/store_help.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a call wrote, and its error; of the last call. */
static char *written;
static struct err error;

/* Runs grokctl with up to nine words after --dir. */
static int ctl(const char *dir, ...)
{
    char *argv[16] = {strdup("grokctl"), strdup("--dir"), strdup(dir)};
    int argc = 3;
    size_t size;
    va_list args;
    va_start(args, dir);
    for (const char *word; (word = va_arg(args, const char *));) argv[argc++] = strdup(word);
    va_end(args);
    free(written);
    FILE *out = open_memstream(&written, &size);
    assert_non_null(out);
    int code = ctl_run(argc, argv, out, &error);
    fclose(out);
    for (int i = 0; i < argc; i++) free(argv[i]);
    return code;
}

static void says(const char *text)
{
    if (!strstr(written, text)) fail_msg("no '%s' in:\n%s", text, written);
}

static void complains(const char *text)
{
    if (!strstr(error.text, text)) fail_msg("no '%s' in: %s", text, error.text);
    assert_null(strchr(error.text, '\n'));
}

/* Sweep 1: run 1 running, 2 failed, 3 finished; sweep 2: two paused runs. */
static void scene(struct help *h)
{
    help_open(h);
    struct save failed = help_end(2, 1, "failed", RUN_FAILED);
    snprintf(failed.reason, sizeof failed.reason, "diverged at epoch 1");
    failed.text = strdup("line one\nline two\n");
    struct row rows[] = {help_row(3, 0), help_row(3, 1)};
    struct save saves[] = {
        help_sweep(1, help_spec("first", 3, 0)),
        help_sweep(2, help_spec("second", 2, 0)),
        {.kind = SAVE_SWEEP_STATE, .sweep = 2, .sweep_state = SWEEP_PAUSED, .at_ms = HELP_AT},
        help_worker(1),
        help_assign(1, 1, 1),
        help_assign(2, 1, 1),
        help_assign(3, 1, 1),
        failed,
        help_epochs(3, 1, rows, 2),
        help_end(3, 1, "finished", RUN_FINISHED),
    };
    struct store_result r = help_store(h, saves, sizeof saves / sizeof *saves);
    store_result_free(&r);
}

static void scene_close(struct help *h)
{
    help_close(h);
    free(written);
    written = NULL;
}

void test_bad_command_lines_get_one_line_and_code_2(void **state)
{
    (void)state;
    assert_int_equal(ctl("/tmp", NULL), 2);
    complains("a verb is missing");
    assert_int_equal(ctl("/tmp", "statsu", NULL), 2);
    complains("'statsu'; status?");
    assert_int_equal(ctl("/tmp", "status", "--filter", "failed", NULL), 2);
    complains("grokctl status does not know the option '--filter'; see grokctl status --help");
    assert_int_equal(ctl("/tmp", "--output", "xml", "status", NULL), 2);
    complains("human, json or quiet");
    assert_int_equal(ctl("/tmp", "runs", "--filter", NULL), 2);
    complains("--filter needs a value");
    assert_int_equal(ctl("/tmp", "explain", NULL), 2);
    complains("Usage: grokctl explain RUN");
    assert_int_equal(ctl("/tmp", "explain", "one", NULL), 2);
    complains("'one' is no number");
    assert_int_equal(ctl("/tmp", "retry", "1", NULL), 2);
    complains("--failed");
    assert_int_equal(ctl("/tmp", "runs", "3-x", NULL), 2);
    complains("3-x");
    assert_int_equal(ctl("/nowhere", "status", NULL), 2);
    complains("/nowhere/results.db");
    free(written);
    written = NULL;
}

void test_every_verb_has_its_help(void **state)
{
    (void)state;
    static const char *const names[] = {"plan",    "submit", "status", "runs",   "workers",
                                        "explain", "pause",  "resume", "cancel", "retry",
                                        "export",  "claims", "sql",    "stop"};
    assert_int_equal(ctl("/tmp", "--help", NULL), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) says(names[i]);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char usage[64];
        assert_int_equal(ctl("/tmp", names[i], "--help", NULL), 0);
        snprintf(usage, sizeof usage, "[--output human|json|quiet] %s", names[i]);
        says(usage);
    }
    free(written);
    written = NULL;
}

void test_plan_counts_shows_the_first_points_and_needs_no_database(void **state)
{
    (void)state;
    char path[] = "/tmp/grokd-plan-XXXXXX";
    int fd = mkstemp(path);
    static const char text[] = "name: two\nmethod: grid\nparameters:\n  seed: {min: 0, max: 9}\n"
                               "  weight_multiplier: {values: [0.1, 10]}\n  epochs: {value: 5}\n";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(ctl("/nowhere", "plan", path, NULL), 0);
    says("two: 20 runs (grid)");
    says("point 1: seed=0 weight_multiplier=10\n");
    says("and 15 more");
    assert_int_equal(ctl("/nowhere", "--output", "quiet", "plan", path, NULL), 0);
    assert_string_equal(written, "20\n");
    assert_int_equal(ctl("/nowhere", "--output", "json", "plan", path, NULL), 0);
    says("\"runs\": 20");
    says("\"weight_multiplier\": 10");
    assert_int_equal(write(fd, "  sead: {value: 1}\n", 19), 19);
    assert_int_equal(ctl("/nowhere", "plan", path, NULL), 2);
    complains(":7:3: ");
    close(fd);
    unlink(path);
    free(written);
    written = NULL;
}

void test_status_counts_runs_by_state(void **state)
{
    (void)state;
    struct help h;
    scene(&h);
    assert_int_equal(ctl(h.dir, "status", NULL), 0);
    says("sweep_id  name    state   priority  runs  waiting  running  finished  failed  cancelled");
    says("1         first   active  0         3     0        1        1         1       0");
    says("2         second  paused  0         2     2        0        0         0       0");
    says("no coordinator runs");
    assert_int_equal(ctl(h.dir, "--output", "json", "status", "2", NULL), 0);
    says("\"sweeps\":\n [{\"sweep_id\": 2, \"name\": \"second\"");
    assert_null(strstr(written, "first"));
    scene_close(&h);
}

void test_runs_shows_what_varies_and_filters(void **state)
{
    (void)state;
    struct help h;
    scene(&h);
    assert_int_equal(ctl(h.dir, "runs", "1", NULL), 0);
    says("run_id  sweep  state     seed  epoch  attempt  reason\n");
    says("2       1      failed    1     -1     1        diverged at epoch 1\n");
    says("3 runs");
    assert_int_equal(ctl(h.dir, "--output=quiet", "runs", "--filter", "failed,waiting", NULL), 0);
    assert_string_equal(written, "2\n4\n5\n");
    assert_int_equal(ctl(h.dir, "--output=quiet", "runs", "last", NULL), 0);
    assert_string_equal(written, "4\n5\n");
    assert_int_equal(ctl(h.dir, "--output=quiet", "runs", "1-2,7", NULL), 0);
    assert_string_equal(written, "1\n2\n3\n4\n5\n");
    assert_int_equal(ctl(h.dir, "--output", "json", "runs", "1", NULL), 0);
    says("\"config_hash\"");
    assert_int_equal(ctl(h.dir, "runs", "--filter", "broken", NULL), 2);
    complains("broken");
    scene_close(&h);
}

void test_explain_says_why(void **state)
{
    (void)state;
    struct help h;
    scene(&h);
    assert_int_equal(ctl(h.dir, "explain", "2", NULL), 0);
    says("run 2 of sweep 1 (first) is failed: diverged at epoch 1\n");
    says("node7");
    says("end of its last log:\nline one\nline two\n");
    assert_int_equal(ctl(h.dir, "explain", "1", NULL), 0);
    says("is running: attempt 1 on node7");
    assert_int_equal(ctl(h.dir, "explain", "4", NULL), 0);
    says("is waiting: its sweep is paused; grokctl resume 2");
    help_one(&h, (struct save){.kind = SAVE_SWEEP_STATE, .sweep = 2, .sweep_state = SWEEP_ACTIVE});
    assert_int_equal(ctl(h.dir, "explain", "5", NULL), 0);
    says("is waiting: 1 before it in line for 8 slots");
    assert_int_equal(ctl(h.dir, "--output", "json", "explain", "2", NULL), 0);
    says("\"why\": \"diverged at epoch 1\"");
    assert_int_equal(ctl(h.dir, "explain", "99", NULL), 2);
    complains("there is no run 99");
    scene_close(&h);
}

void test_export_writes_tables_as_csv_and_lines_of_json(void **state)
{
    (void)state;
    struct help h;
    scene(&h);
    assert_int_equal(ctl(h.dir, "export", "--table", "epochs", "1", NULL), 0);
    assert_memory_equal(written, "run_id,epoch,train_loss,", 24);
    says("\n3,0,");
    says("\n3,1,");
    assert_int_equal(ctl(h.dir, "export", "--table", "epochs", "2", NULL), 0);
    assert_null(strstr(written, "\n3,"));
    assert_int_equal(ctl(h.dir, "export", "--format", "jsonl", NULL), 0);
    says("{\"run_id\": 1, \"sweep_id\": 1, \"sweep\": \"first\"");
    static const char *const tables[] = {"summary",  "seed_mean", "sweeps",     "runs",
                                         "geometry", "pruning",   "features",   "attempts",
                                         "workers",  "events",    "evaluations"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (ctl(h.dir, "export", "--table", tables[i], NULL) != 0)
            fail_msg("%s: %s", tables[i], error.text);
    assert_int_equal(ctl(h.dir, "export", "--table", "secrets", NULL), 2);
    complains("secrets");
    assert_int_equal(ctl(h.dir, "export", "--format", "xls", NULL), 2);
    complains("csv or jsonl");
    assert_int_equal(ctl(h.dir, "export", "--table", "workers", "1", NULL), 2);
    complains("belong to no sweep");
    scene_close(&h);
}

void test_sql_answers_questions_and_refuses_the_rest(void **state)
{
    (void)state;
    struct help h;
    scene(&h);
    assert_int_equal(ctl(h.dir, "sql", "SELECT count(*) AS n FROM runs", NULL), 0);
    assert_string_equal(written, "n\n5\n");
    assert_int_equal(ctl(h.dir, "--output", "quiet", "sql", "SELECT 0.1 + 0.2", NULL), 0);
    assert_string_equal(written, "0.30000000000000004\n"); /* to the bit */
    assert_int_equal(ctl(h.dir, "sql", "DELETE FROM runs", NULL), 2);
    complains("readonly");
    assert_int_equal(ctl(h.dir, "workers", NULL), 0);
    says("node7  connected  8");
    scene_close(&h);
}

void test_writing_verbs_without_a_coordinator_end_with_3(void **state)
{
    (void)state;
    struct help h;
    scene(&h);
    static const char *const verbs[] = {"pause", "resume", "cancel"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ctl(h.dir, verbs[i], "1", NULL), 3);
        complains("no coordinator runs on");
    }
    assert_int_equal(ctl(h.dir, "retry", "--failed", NULL), 3);
    assert_int_equal(ctl(h.dir, "stop", NULL), 3);
    assert_int_equal(ctl(h.dir, "submit", "/nowhere.yaml", NULL), 2);
    scene_close(&h);
}

/* Its lock is held, and nobody listens: it lives with another XDG_RUNTIME_DIR. */
void test_a_coordinator_that_cannot_be_reached_is_not_waited_for_long(void **state)
{
    (void)state;
    struct help h;
    int lock;
    scene(&h);
    assert_int_equal(file_lock(&lock, h.dir, NULL), OK);
    int64_t start = clock_now_ms();
    assert_int_equal(ctl(h.dir, "pause", "1", NULL), 3);
    complains("XDG_RUNTIME_DIR");
    assert_true(clock_now_ms() - start < 30000);
    close(lock);
    scene_close(&h);
}

void test_a_sweep_with_a_point_that_cannot_be_is_named_by_its_own_file(void **state)
{
    (void)state;
    struct help h;
    char path[128];
    scene(&h);
    snprintf(path, sizeof path, "%s/bad.yaml", h.dir);
    const char text[] = "method: grid\nparameters:\n  train_fraction: {values: [0.5, 1]}\n";
    assert_int_equal(file_write(path, text, sizeof text - 1, 0600, NULL), OK);
    assert_int_equal(ctl(h.dir, "submit", path, NULL), 2);
    complains("bad.yaml:3:3: point 1 (train_fraction=1)");
    scene_close(&h);
}
