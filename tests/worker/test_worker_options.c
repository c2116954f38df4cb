// SPDX-License-Identifier: MIT
/* The command line of grokd-worker. */
#include "tests/test.h"

#include "worker/worker_machine.h"
#include "worker/worker_options.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct worker_options o;
static struct err e;

static int read_line(const char *line)
{
    static char copy[8192], name[] = "grokd-worker";
    char *argv[16] = {name}, *save;
    int argc = 1;
    strcpy(copy, line);
    for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
        argv[argc++] = word;
    return worker_options_read(&o, argc, argv, &e);
}

void test_the_access_file_is_looked_for_in_this_order(void **state)
{
    (void)state;
    unsetenv("GROKD_ACCESS");
    unsetenv("GROKD_DIR");
    assert_int_equal(read_line(""), OK);
    assert_string_equal(o.access, "./grokd-data/access");
    setenv("GROKD_DIR", "/home/me/sweep", 1);
    assert_int_equal(read_line(""), OK);
    assert_string_equal(o.access, "/home/me/sweep/access");
    setenv("GROKD_ACCESS", "/tmp/key", 1);
    assert_int_equal(read_line(""), OK);
    assert_string_equal(o.access, "/tmp/key");
    assert_int_equal(read_line("--access here"), OK);
    assert_string_equal(o.access, "here");
    unsetenv("GROKD_ACCESS");
    unsetenv("GROKD_DIR");
}

void test_every_option_is_read(void **state)
{
    (void)state;
    assert_int_equal(read_line("-j 3 --time-limit 3h --idle-timeout 5m --connect tcp://head:5757"),
                     OK);
    assert_int_equal(o.slots, 3);
    assert_int_equal(o.limit_ms, 3 * 3600 * 1000);
    assert_int_equal(o.idle_ms, 5 * 60 * 1000);
    assert_string_equal(o.connect, "tcp://head:5757");
    assert_false(o.help);
    assert_int_equal(read_line("--slots=2"), OK);
    assert_int_equal(o.slots, 2);
    assert_int_equal(o.limit_ms, 0);
    assert_null(o.connect);
    assert_int_equal(read_line("--help"), OK);
    assert_true(o.help);
    assert_int_equal(read_line("--version"), OK);
    assert_true(o.version);
}

void test_what_is_not_understood_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"--nope",         "-j",         "-j 0",
                                      "-j 5000",        "-j 1.5",     "-j x",
                                      "--time-limit 3", "sweep.yaml", "--idle-timeout -5m"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        e.text[0] = '\0';
        assert_int_equal(read_line(bad[i]), E_USAGE);
        assert_true(e.text[0]);
    }
    static char longest[5000] = "--access ";
    memset(longest + 9, 'x', sizeof longest - 10);
    assert_int_equal(read_line(longest), E_USAGE);
}

void test_slots_get_processors_that_this_process_may_use(void **state)
{
    (void)state;
    struct worker_cpus c;
    assert_int_equal(worker_cpus_open(&c, &e), OK);
    assert_true(c.count >= 1);
    for (uint32_t i = 0; i < 2 * c.count + 1; i++) {
        int cpu = worker_cpus_claim(&c, i);
        size_t k = 0;
        while (k < c.count && c.list[k] != cpu) k++;
        assert_true(k < c.count);
    }
    worker_cpus_close(&c);
}

void test_a_processor_is_claimed_by_one_worker_at_a_time(void **state)
{
    (void)state;
    struct worker_cpus a, b;
    size_t ours = 0;
    assert_int_equal(worker_cpus_open(&a, &e), OK);
    assert_int_equal(worker_cpus_open(&b, &e), OK);
    for (uint32_t i = 0; i < a.count; i++) worker_cpus_claim(&a, i);
    for (uint32_t i = 0; i < b.count; i++) worker_cpus_claim(&b, i);
    for (size_t k = 0; k < a.count; k++) {
        assert_false(a.claims[k] >= 0 && b.claims[k] >= 0);
        ours += a.claims[k] >= 0 || b.claims[k] >= 0;
    }
    assert_in_range(ours, 0, a.count);
    worker_cpus_close(&a);
    worker_cpus_close(&b);
}

void test_the_machine_has_a_name_and_programs_stand_beside_each_other(void **state)
{
    (void)state;
    char text[256], small[4];
    worker_host(text, sizeof text);
    assert_true(text[0]);
    worker_cpu_name(text, sizeof text);
    assert_true(text[0]);
    worker_cpu_name(small, sizeof small);
    assert_true(strlen(small) < sizeof small);
    assert_int_equal(worker_beside("test_worker_options", text, sizeof text, &e), OK);
    assert_int_equal(access(text, X_OK), 0);
    assert_int_equal(worker_beside("x", small, sizeof small, &e), E_FILE);
}
