// SPDX-License-Identifier: MIT
/* ctl_claims: the paper's claims as a table: its number, ours with the spread over seeds, the rule,
 * and the verdict with the effort behind it.
 */
#include "common/text.h"
#include "coordinator/claims.h"
#include "coordinator/ctl.h"
#include "proto/number.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define PAPER_SEEDS 10
#define NUMBER      32
#define OURS        80

#define ROW        "       %-50s  %-12s  %-*s"
#define RULE       "  %-18s  %s"
#define OURS_WIDTH 36

static const char *const verdicts[] = {"not tested", "confirmed", "contradicted"};

/* ---- for people ---- */

/* Four digits that count: "0.4321", "1.7e-05". */
static const char *digits(double x, char out[NUMBER])
{
    snprintf(out, NUMBER, "%.4g", x);
    return out;
}

static void write_ours(const struct claims_line *l, char out[OURS])
{
    char x[NUMBER], spread[NUMBER], low[NUMBER], high[NUMBER];
    int n = snprintf(out, OURS, "%s", isnan(l->ours) ? "-" : digits(l->ours, x));
    if (!isnan(l->spread)) {
        snprintf(spread, sizeof spread, "%.2g", l->spread);
        n += snprintf(out + n, OURS - (size_t)n, " +- %s", spread);
    }
    if (!isnan(l->low) && !isnan(l->high))
        snprintf(out + n, OURS - (size_t)n, " [%s, %s]", digits(l->low, low),
                 digits(l->high, high));
}

static void say_line(FILE *out, const struct claims_line *l)
{
    static const char *const words[] = {"-", "no", "yes"};
    char ours[OURS];
    write_ours(l, ours);
    fprintf(out, ROW, l->quantity, *l->paper ? l->paper : "-", *l->rule ? OURS_WIDTH : 0, ours);
    if (*l->rule) fprintf(out, RULE, l->rule, words[l->holds + 1]);
    fputc('\n', out);
}

/* "3 of 10 seeds, 400 of 1,000 epochs": what was run, and of how much if that is less than the
 * paper ran. */
static void say_effort(FILE *out, const struct claims_answer *a)
{
    char epochs[TEXT_SHORT], of[TEXT_SHORT];
    if (a->seeds <= 0) return;
    fprintf(out, ", %" PRId64, a->seeds);
    if (a->seeds < PAPER_SEEDS) fprintf(out, " of %d", PAPER_SEEDS);
    fprintf(out, " seeds, %s", text_from_count(a->epochs, epochs));
    if (a->epochs < a->paper_epochs) fprintf(out, " of %s", text_from_count(a->paper_epochs, of));
    fputs(" epochs", out);
}

static const char *task_in_words(const char *task)
{
    return !strcmp(task, "modular_addition") ? "modular addition" : task;
}

static void say_answer(FILE *out, const struct claims_answer *a, bool named)
{
    fprintf(out, "     %s", verdicts[a->verdict]);
    if (*a->task) fprintf(out, ", %s", task_in_words(a->task));
    if (named && a->verdict != CLAIMS_NOT_TESTED) fprintf(out, ", %s", a->source);
    say_effort(out, a);
    if (*a->why) fprintf(out, ": %s", a->why);
    fputc('\n', out);
    for (size_t i = 0; i < a->count; i++)
        if (!isnan(a->line[i].ours)) say_line(out, &a->line[i]);
}

static void say_head(FILE *out)
{
    fprintf(out, ROW RULE "\n", "what", "paper", OURS_WIDTH, "here", "rule", "holds");
}

static void say_claims(struct ctl *c, const struct claims *all)
{
    int counts[3] = {0}, last = -1;
    say_head(c->out);
    for (size_t i = 0; i < all->count; i++) {
        const struct claims_answer *a = &all->answer[i];
        if (a->claim != last)
            fprintf(c->out, "\n%-4s %s\n", claims_name(a->claim), claims_title(a->claim));
        last = a->claim;
        counts[a->verdict]++;
        say_answer(c->out, a, c->argument_count > 1);
    }
    fprintf(c->out, "\n%d confirmed, %d contradicted, %d not tested by these sweeps\n",
            counts[CLAIMS_CONFIRMED], counts[CLAIMS_CONTRADICTED], counts[CLAIMS_NOT_TESTED]);
}

/* ---- for programs ---- */

static void json_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\": ", name);
    export_json_text(out, text);
}

static void json_number(FILE *out, const char *name, double x)
{
    char text[NUMBER_TEXT];
    fprintf(out, ", \"%s\": %s", name, isfinite(x) ? number_text(x, text) : "null");
}

static void json_effort(FILE *out, int64_t seeds, int64_t epochs, int64_t paper_epochs)
{
    fprintf(out, ", \"seeds\": %" PRId64 ", \"epochs\": %" PRId64 ", \"paper_epochs\": %" PRId64,
            seeds, epochs, paper_epochs);
}

static void json_line(FILE *out, const struct claims_line *l)
{
    static const char *const holds[] = {"null", "false", "true"};
    putc('{', out);
    json_text(out, "quantity", l->quantity);
    fputs(", ", out);
    json_text(out, "paper", l->paper);
    json_number(out, "ours", l->ours);
    json_number(out, "spread", l->spread);
    json_number(out, "low", l->low);
    json_number(out, "high", l->high);
    fputs(", ", out);
    json_text(out, "rule", l->rule);
    fprintf(out, ", \"holds\": %s", holds[l->holds + 1]);
    json_effort(out, l->seeds, l->epochs, l->paper_epochs);
    fputs(", ", out);
    json_text(out, "missing", l->missing);
    putc('}', out);
}

static void json_answer(FILE *out, const struct claims_answer *a)
{
    const struct {
        const char *name, *text;
    } texts[] = {
        {"claim", claims_name(a->claim)}, {"title", claims_title(a->claim)}, {"task", a->task},
        {"database", a->source},          {"verdict", verdicts[a->verdict]}, {"why", a->why}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        fputs(i ? ", " : "{", out);
        json_text(out, texts[i].name, texts[i].text);
    }
    json_effort(out, a->seeds, a->epochs, a->paper_epochs);
    fputs(", \"lines\":\n  [", out);
    for (size_t i = 0; i < a->count; i++) {
        if (i) fputs(",\n   ", out);
        json_line(out, &a->line[i]);
    }
    fputs("]}", out);
}

static void write_json(FILE *out, const struct claims *all)
{
    for (size_t i = 0; i < all->count; i++) {
        fputs(i ? ",\n " : "[", out);
        json_answer(out, &all->answer[i]);
    }
    fputs(all->count ? "]\n" : "[]\n", out);
}

static void write_quiet(FILE *out, const struct claims *all)
{
    for (size_t i = 0; i < all->count; i++) {
        const struct claims_answer *a = &all->answer[i];
        fprintf(out, "%s %s %s\n", claims_name(a->claim), *a->task ? a->task : "-",
                verdicts[a->verdict]);
    }
}

/* ---- the verb ---- */

static int ask_all(struct claims *all, const char *dir, struct err *e)
{
    struct query *q = NULL;
    int rc = query_open(&q, dir, e);
    for (int i = 0; rc == OK && i < claims_count(); i++) rc = claims_ask(all, q, dir, i, e);
    query_close(&q);
    return rc;
}

int ctl_claims(struct ctl *c, const struct ctl_verb *v, struct err *e)
{
    struct claims all = {0};
    int rc = c->argument_count ? OK : ask_all(&all, c->dir, e);
    (void)v;
    for (int i = 0; rc == OK && i < c->argument_count; i++) rc = ask_all(&all, c->arguments[i], e);
    if (rc == OK) {
        claims_merge(&all);
        if (c->output == CTL_JSON) write_json(c->out, &all);
        if (c->output == CTL_HUMAN) say_claims(c, &all);
        if (c->output == CTL_QUIET) write_quiet(c->out, &all);
    }
    claims_free(&all);
    return rc;
}
