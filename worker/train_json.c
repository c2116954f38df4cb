// SPDX-License-Identifier: MIT
/* train_json: a row and a configuration as JSON, one line each. */
#include "worker/train_json.h"
#include "version.h"

#include <inttypes.h>
#include <math.h>

static void put_number(FILE *to, double x)
{
    if (isnan(x))
        fputs("null", to);
    else if (isinf(x))
        fputs(x > 0 ? "1e999" : "-1e999", to);
    else
        fprintf(to, "%.17g", x);
}

/* Names are ours, texts come from a command line: quotes and backslashes need care. */
static void put_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (const char *s = text; *s; s++) {
        if (*s == '"' || *s == '\\') fputc('\\', to);
        if ((unsigned char)*s < 0x20)
            fprintf(to, "\\u%04x", *s);
        else
            fputc(*s, to);
    }
    fputc('"', to);
}

static void put_rule(FILE *to, double n)
{
    if (isnan(n))
        fputs("null", to);
    else
        fprintf(to, "\"trapezoid %" PRId64 "\"", (int64_t)n);
}

static void put_point(FILE *to, const struct pruning_point *p)
{
    fputs("{\"scheme\": ", to);
    put_text(to, p->scheme);
    fputs(", \"layer\": ", to);
    put_text(to, p->layer);
    fputs(", \"fraction\": ", to);
    put_number(to, p->fraction);
    fputs(", \"accuracy\": ", to);
    put_number(to, p->accuracy);
    fputs(", \"loss\": ", to);
    put_number(to, p->loss);
    fputc('}', to);
}

static void put_feature(FILE *to, const struct feature *f)
{
    fputs("{\"layer\": ", to);
    put_text(to, f->layer);
    fputs(", \"name\": ", to);
    put_text(to, f->name);
    fputs(", \"value\": ", to);
    put_number(to, f->value);
    fputc('}', to);
}

void train_json_row(FILE *to, const struct row *r)
{
    fprintf(to, "{\"epoch\": %" PRId64, r->epoch);
    for (int i = 0; i < METRIC_COUNT; i++) {
        fprintf(to, ", \"%s\": ", metric_list[i].name);
        if (metric_list[i].kind == METRIC_RULE)
            put_rule(to, r->value[i]);
        else
            put_number(to, r->value[i]);
    }
    for (size_t i = 0; i < r->pruning_count; i++) {
        fputs(i ? ", " : ", \"pruning\": [", to);
        put_point(to, &r->pruning[i]);
    }
    if (r->pruning_count) fputc(']', to);
    for (size_t i = 0; i < r->feature_count; i++) {
        fputs(i ? ", " : ", \"features\": [", to);
        put_feature(to, &r->features[i]);
    }
    fputs(r->feature_count ? "]}\n" : "}\n", to);
}

void train_json_run(FILE *to, const struct params *p, const struct blas *b)
{
    char text[PARAM_TEXT_SIZE], hash[65];
    fputs("{", to);
    for (int i = 0; i < PARAM_COUNT; i++) {
        fprintf(to, "\"%s\": ", param_list[i].name);
        param_text(p, i, text);
        if (!param_belongs(i, p->task))
            fputs("null", to);
        else if (param_list[i].kind == PARAM_CHOICE)
            put_text(to, text);
        else
            fputs(text, to);
        fputs(", ", to);
    }
    params_hash(p, hash);
    fprintf(to, "\"config_hash\": \"%s\", \"version\": \"%s\", \"git\": \"%s\", \"blas\": ", hash,
            GROKD_VERSION, GROKD_GIT);
    put_text(to, b->family);
    fputs(", \"blas_fingerprint\": ", to);
    put_text(to, b->fingerprint);
    fputs("}\n", to);
}
