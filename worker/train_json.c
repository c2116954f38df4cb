// SPDX-License-Identifier: MIT
/* train_json: a row and a configuration as JSON, one line each. */
#include "worker/train_json.h"
#include "proto/sketch.h"
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
    char text[METRIC_RULE_TEXT];
    metric_rule_text(n, text);
    if (isnan(n))
        fputs("null", to);
    else
        fprintf(to, "\"%s\"", text);
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

/* Base 64 of RFC 4648, padded. */
static void put_base64(FILE *to, const void *data, size_t bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *b = data;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t three = (uint32_t)b[i] << 16 | (uint32_t)(left > 1 ? b[i + 1] : 0) << 8 |
                         (uint32_t)(left > 2 ? b[i + 2] : 0);
        fputc(digit[three >> 18], to);
        fputc(digit[three >> 12 & 63], to);
        fputc(left > 1 ? digit[three >> 6 & 63] : '=', to);
        fputc(left > 2 ? digit[three & 63] : '=', to);
    }
}

static void put_bytes(FILE *to, const char *name, const void *data, size_t bytes)
{
    fprintf(to, ", \"%s\": \"", name);
    put_base64(to, data, bytes);
    fputc('"', to);
}

static void put_sketch(FILE *to, const char *name, const float *sketch)
{
    put_bytes(to, name, sketch, SKETCH_ROWS * sizeof *sketch);
}

static void put_predictions(FILE *to, const struct row_predictions *p)
{
    fprintf(to, ", \"predictions\": {\"classes\": %" PRIu32, p->classes);
    put_bytes(to, "inputs", p->input, p->count * sizeof *p->input);
    put_bytes(to, "labels", p->label, p->count * sizeof *p->label);
    put_bytes(to, "roots", p->root, (size_t)p->count * p->classes * sizeof *p->root);
    fputc('}', to);
}

static void put_evaluation(FILE *to, const struct evaluation *v)
{
    fprintf(to,
            ", \"evaluation\": {\"hash\": \"%s\", \"samples\": %" PRIu32 ", \"classes\": %" PRIu32,
            v->hash, v->samples, v->classes);
    put_sketch(to, "ignorance", v->ignorance);
    put_sketch(to, "truth", v->truth);
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
    if (r->feature_count) fputc(']', to);
    if (r->sketch) put_sketch(to, "sketch", r->sketch);
    if (r->evaluation.hash) put_evaluation(to, &r->evaluation);
    if (r->predictions.count) put_predictions(to, &r->predictions);
    fputs("}\n", to);
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
