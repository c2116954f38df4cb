// SPDX-License-Identifier: MIT
/* settings: the `grokd` block of a sweep file. One table says how each setting is read, checked and
 * written back. */
#include "proto/settings.h"

#include "proto/number.h"
#include "proto/param.h"
#include "proto/words.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum kind { WHOLE, ALL, POINTS, LIST, SHARE, AMOUNT, DURATION, NAME, VARIANTS, SCHEMES };

/* Of the Fisher metric, bit by bit. */
static const char variant_words[] = "regression classification full full_class";

/* Of pruning, the same way. */
static const char scheme_words[] = "layer global rescaled single fisher";
enum { SCHEME_LAYER = 1 };

struct setting {
    const char *name;
    enum kind kind;
    size_t offset; /* in struct settings */
    int64_t least, most;
    bool run;
    const char *field;
};

#define OFFSET_WHOLE(field)    offsetof(struct settings, field)
#define OFFSET_ALL(field)      offsetof(struct settings, field)
#define OFFSET_LIST(field)     offsetof(struct settings, field)
#define OFFSET_SHARE(field)    offsetof(struct settings, field)
#define OFFSET_AMOUNT(field)   offsetof(struct settings, field)
#define OFFSET_DURATION(field) offsetof(struct settings, field)
#define OFFSET_NAME(field)     offsetof(struct settings, field)
#define OFFSET_VARIANTS(field) offsetof(struct settings, field)
#define OFFSET_POINTS(field)   offsetof(struct settings, field)
#define OFFSET_SCHEMES(field)  offsetof(struct settings, field)

enum { SWEEP, RUN };

static const struct setting setting_list[] = {
#define SETTING(name, kind, field, least, most, who, meaning)                                      \
    {name, kind, OFFSET_##kind(field), least, most, who == RUN, #field},
#include "proto/settings.def"
#undef SETTING
};

enum { SETTINGS = sizeof setting_list / sizeof setting_list[0] };

void settings_default(struct settings *s)
{
    memset(s, 0, sizeof *s);
    s->measure_every = SETTINGS_OF_TASK;
    s->curve_epochs = (struct epoch_list){1, {SETTINGS_FINAL}};
    s->pruning_points = 0;
    s->pruning_schemes = SCHEME_LAYER;
    s->fisher_variants = SETTINGS_EVERY_VARIANT;
    s->stiff_threshold = 0.1;
    s->snapshots = 1000;
    s->checkpoint_every_ms = 60000;
    s->max_attempts = 3;
    s->max_losses = 10;
    s->llc_batch = 512;
    s->llc_gamma = 1;
    s->llc_epsilon = 1e-3;
    s->stop_test_accuracy = NAN;
    strcpy(s->blas, "auto");
    s->sample_seed = -1;
}

static int setting_find(const char *name)
{
    for (int i = 0; i < SETTINGS; i++)
        if (!strcmp(setting_list[i].name, name)) return i;
    return -1;
}

static int unknown(const char *name, struct err *e)
{
    static const char words[] =
#define SETTING(word, ...) word " "
#include "proto/settings.def"
        ;
#undef SETTING
    char near[WORDS_SIZE];
    if (words_nearest(words, name, near))
        return err_set(e, E_USAGE, "unknown setting grokd.%.60s; did you mean grokd.%s?", name,
                       near);
    return err_set(e, E_USAGE, "unknown setting grokd.%.60s; expected one of: %s", name, words);
}

static int refuse(const char *name, const char *text, const char *right, struct err *e)
{
    return err_set(e, E_USAGE, "grokd.%s: \"%.60s\" does not fit; expected %s", name, text, right);
}

static bool whole(const char *text, const struct setting *f, int64_t *out)
{
    struct number n;
    if (!number_read(text, &n) || !n.integral || n.integer < f->least || n.integer > f->most)
        return false;
    *out = n.integer;
    return true;
}

/* 10,20,final with spaces allowed around commas; "" is the empty list. */
static bool list(const char *text, const struct setting *f, struct epoch_list *l)
{
    struct epoch_list read = {0};
    const char *s = text + strspn(text, " ");
    while (*s) {
        char word[WORDS_SIZE];
        size_t n = strcspn(s, ", ");
        if (read.count == SETTINGS_EPOCHS || n >= sizeof word) return false;
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        int64_t *epoch = &read.epoch[read.count++];
        if (!strcmp(word, "final"))
            *epoch = SETTINGS_FINAL;
        else if (!whole(word, f, epoch))
            return false;
        s += n + strspn(s + n, " ");
        if (*s == ',' && !s[1]) return false;
        s += *s == ',';
        s += strspn(s, " ");
    }
    *l = read;
    return true;
}

/* One or more of the words with commas between, spaces allowed; bit by bit. */
static bool choices(const char *words, const char *text, int64_t *out)
{
    int64_t read = 0;
    const char *s = text + strspn(text, " ");
    do {
        char word[WORDS_SIZE];
        size_t n = strcspn(s, ", ");
        snprintf(word, sizeof word, "%.*s", (int)n, s);
        int at = n < sizeof word ? words_find(words, word) : -1;
        if (at < 0 || read & 1 << at) return false;
        read |= 1 << at;
        s += n + strspn(s + n, " ");
        if (*s && (*s++ != ',' || !*(s += strspn(s, " ")))) return false;
    } while (*s);
    *out = read;
    return true;
}

static bool share(const char *text, double *out)
{
    struct number n;
    if (!strcmp(text, "none")) {
        *out = NAN;
        return true;
    }
    if (!number_read(text, &n) || n.real < 0 || n.real > 1) return false;
    *out = n.real;
    return true;
}

static bool amount(const char *text, double *out)
{
    struct number n;
    if (!number_read(text, &n) || !(n.real >= 0) || isinf(n.real)) return false;
    *out = n.real;
    return true;
}

/* Letters, digits, - and _ of a kernel family. */
static bool name_of(const char *text, char out[32])
{
    size_t n = strlen(text);
    if (!n || n >= 32 ||
        strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                     "0123456789_-") != n)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static const char *wanted(const struct setting *f, char out[128])
{
    switch (f->kind) {
    case WHOLE:
        snprintf(out, 128, "a whole number from %" PRId64 " to %" PRId64, f->least, f->most);
        break;
    case ALL: snprintf(out, 128, "all, or a whole number of samples from 1"); break;
    case LIST:
        snprintf(out, 128, "a list of at most %d epochs, final among them", SETTINGS_EPOCHS);
        break;
    case POINTS: snprintf(out, 128, "bisect, or a whole number of points from 2"); break;
    case SCHEMES: snprintf(out, 128, "one or more of: %s", scheme_words); break;
    case VARIANTS:
        snprintf(out, 128, "some of regression, classification, full and full_class");
        break;
    case SHARE: snprintf(out, 128, "a number from 0 to 1, or none"); break;
    case AMOUNT: snprintf(out, 128, "a number from 0"); break;
    case DURATION: snprintf(out, 128, "a duration such as 60s, 5m or 1h 30m"); break;
    case NAME: snprintf(out, 128, "auto or a kernel family such as Haswell"); break;
    }
    return out;
}

/* A whole number, or the word that means 0. */
static bool whole_or(const char *word, const char *text, const struct setting *f, int64_t *out)
{
    if (strcmp(text, word)) return whole(text, f, out);
    *out = 0;
    return true;
}

static bool assign(void *at, const struct setting *f, const char *text)
{
    switch (f->kind) {
    case ALL: return whole_or("all", text, f, at);
    case POINTS: return whole_or("bisect", text, f, at);
    case WHOLE: return whole(text, f, at);
    case LIST: return list(text, f, at);
    case VARIANTS: return choices(variant_words, text, at);
    case SCHEMES: return choices(scheme_words, text, at);
    case SHARE: return share(text, at);
    case AMOUNT: return amount(text, at);
    case DURATION: return duration_read(text, at);
    case NAME: return name_of(text, at);
    }
    return false;
}

int settings_assign(struct settings *s, const char *name, const char *text, struct err *e)
{
    char right[128];
    if (!strcmp(name, "stop") && !strcmp(text, "none")) name = "stop.test_accuracy";
    int i = setting_find(name);
    if (i < 0) return unknown(name, e);
    const struct setting *f = &setting_list[i];
    if (!assign((char *)s + f->offset, f, text)) return refuse(name, text, wanted(f, right), e);
    return OK;
}

void settings_follow(struct settings *s, int64_t task)
{
    if (s->measure_every == SETTINGS_OF_TASK) s->measure_every = task == TASK_ISING ? 200 : 1;
}

int settings_check(const struct settings *s, struct err *e)
{
    if (s->stop_after > 0 && isnan(s->stop_test_accuracy))
        return err_set(e, E_USAGE,
                       "grokd.stop.after: %" PRId64
                       " without an accuracy; expected grokd.stop.test_accuracy too",
                       s->stop_after);
    if (s->llc_steps > 0 && !(s->llc_epsilon > 0))
        return err_set(e, E_USAGE,
                       "grokd.measure.llc.epsilon: none; expected a step size above 0 for %" PRId64
                       " steps",
                       s->llc_steps);
    return OK;
}

static void number_or(const char *word, const int64_t *at, char *out, size_t size)
{
    if (*at)
        snprintf(out, size, "%" PRId64, *at);
    else
        snprintf(out, size, "%s", word);
}

static void choices_text(const char *words, const int64_t *at, char *out, size_t size)
{
    char word[WORDS_SIZE];
    size_t n = 0;
    for (int i = 0; *words_at(words, i, word); i++)
        if (*at & 1 << i) n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "," : "", word);
}

/* The value as settings_assign reads it, at most `size` bytes. */
static void value_text(const void *at, const struct setting *f, char *out, size_t size)
{
    char number[NUMBER_TEXT];
    size_t n = 0;
    out[0] = '\0';
    switch (f->kind) {
    case WHOLE: snprintf(out, size, "%" PRId64, *(const int64_t *)at); break;
    case ALL: number_or("all", at, out, size); break;
    case POINTS: number_or("bisect", at, out, size); break;
    case LIST:
        for (size_t i = 0; i < ((const struct epoch_list *)at)->count; i++) {
            int64_t epoch = ((const struct epoch_list *)at)->epoch[i];
            n += (size_t)snprintf(out + n, size - n, "%s", i ? "," : "");
            if (epoch == SETTINGS_FINAL)
                n += (size_t)snprintf(out + n, size - n, "final");
            else
                n += (size_t)snprintf(out + n, size - n, "%" PRId64, epoch);
        }
        break;
    case VARIANTS: choices_text(variant_words, at, out, size); break;
    case SCHEMES: choices_text(scheme_words, at, out, size); break;
    case SHARE:
        snprintf(out, size, "%s",
                 isnan(*(const double *)at) ? "none" : number_text(*(const double *)at, number));
        break;
    case AMOUNT: snprintf(out, size, "%s", number_text(*(const double *)at, number)); break;
    case DURATION: snprintf(out, size, "%" PRId64 "ms", *(const int64_t *)at); break;
    case NAME: break; /* the coordinator keeps those */
    }
}

void settings_text(const struct settings *s, char out[SETTINGS_TEXT])
{
    size_t n = 0;
    out[0] = '\0';
    for (int i = 0; i < SETTINGS; i++) {
        char value[SETTINGS_EPOCHS * 11];
        if (!setting_list[i].run) continue;
        value_text((const char *)s + setting_list[i].offset, &setting_list[i], value, sizeof value);
        n += (size_t)snprintf(out + n, SETTINGS_TEXT - n, "grokd.%s=%s\n", setting_list[i].name,
                              value);
    }
}

bool epoch_list_holds(const struct epoch_list *l, int64_t epoch, int64_t epochs)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->epoch[i] == epoch || (l->epoch[i] == SETTINGS_FINAL && epoch == epochs)) return true;
    return false;
}

bool settings_measured(const struct settings *s, int64_t epoch, int64_t epochs)
{
    if (s->measure_every == 0) return false;
    return epoch == 0 || epoch == epochs || epoch <= s->dense_until ||
           epoch % s->measure_every == 0;
}
