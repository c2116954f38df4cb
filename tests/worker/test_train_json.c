// SPDX-License-Identifier: MIT
/* train_json: rows and configurations as JSON that any reader takes. */
#include "worker/train_json.h"

#include "proto/sketch.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *row_text(const struct row *r)
{
    char *text;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    train_json_row(f, r);
    fclose(f);
    return text;
}

void test_a_row_has_every_column_and_null_for_what_is_not_measured(void **state)
{
    (void)state;
    struct row r;
    row_clear(&r, 7);
    r.value[METRIC_train_loss] = 0.1;
    r.value[METRIC_test_loss] = INFINITY;
    r.value[METRIC_compressibility_rule] = 21;
    char *text = row_text(&r);
    assert_memory_equal(text, "{\"epoch\": 7, \"train_loss\": 0.10000000000000001, ", 48);
    assert_non_null(strstr(text, "\"test_loss\": 1e999, "));
    assert_non_null(strstr(text, "\"compressibility_rule\": \"trapezoid 21\""));
    assert_non_null(strstr(text, "\"weight_norm\": null"));
    for (int i = 0; i < METRIC_COUNT; i++) assert_non_null(strstr(text, metric_list[i].name));
    assert_null(strstr(text, "pruning"));
    assert_null(strstr(text, "features"));
    assert_string_equal(text + strlen(text) - 2, "}\n");
    free(text);
}

void test_a_curve_is_an_array_of_objects(void **state)
{
    (void)state;
    static const struct pruning_point curve[] = {{"layer", "", 0, 1, 0.5},
                                                 {"a\"b\\c\n", "model.0", 1, 0.25, NAN}};
    struct row r;
    row_clear(&r, 0);
    r.pruning = curve;
    r.pruning_count = 2;
    char *text = row_text(&r);
    assert_non_null(strstr(
        text, ", \"pruning\": [{\"scheme\": \"layer\", \"layer\": \"\", \"fraction\": 0, "
              "\"accuracy\": 1, \"loss\": 0.5}, {\"scheme\": \"a\\\"b\\\\c\\u000a\", \"layer\": "
              "\"model.0\", \"fraction\": 1, \"accuracy\": 0.25, \"loss\": null}]}\n"));
    free(text);
}

void test_features_are_an_array_of_objects(void **state)
{
    (void)state;
    static const struct feature features[] = {{"conv1", "energy_mean", 0.25}, {"fc1", "q", NAN}};
    struct row r;
    row_clear(&r, 0);
    r.features = features;
    r.feature_count = 2;
    char *text = row_text(&r);
    assert_non_null(strstr(text, ", \"features\": [{\"layer\": \"conv1\", \"name\": "
                                 "\"energy_mean\", \"value\": 0.25}, {\"layer\": \"fc1\", "
                                 "\"name\": \"q\", \"value\": null}]}\n"));
    free(text);
}

void test_a_sketch_is_base_64_and_an_evaluation_an_object(void **state)
{
    (void)state;
    static const float sketch[SKETCH_ROWS] = {1, -2}, zero[SKETCH_ROWS];
    struct row r;
    row_clear(&r, 0);
    char *text = row_text(&r);
    assert_null(strstr(text, "\"sketch\":"));
    free(text);
    r.sketch = sketch;
    r.evaluation = (struct evaluation){"ab12", 121, 11, zero, sketch};
    text = row_text(&r);
    assert_non_null(strstr(text, ", \"sketch\": \"AACAPwAAAMAAAAAA"));
    assert_non_null(strstr(text, "AAAAAAAAAA==\", \"evaluation\""));
    assert_non_null(strstr(text, ", \"evaluation\": {\"hash\": \"ab12\", \"samples\": 121, "
                                 "\"classes\": 11, \"ignorance\": \"AAAA"));
    assert_non_null(strstr(text, ", \"truth\": \"AACAPwAAAMAAAAAA"));
    assert_string_equal(text + strlen(text) - 4, "\"}}\n");
    free(text);
}

void test_a_configuration_names_every_hyperparameter(void **state)
{
    (void)state;
    struct params p;
    char *text, hash[65];
    size_t size;
    params_default(&p);
    params_resolve(&p, NULL);
    params_hash(&p, hash);
    FILE *f = open_memstream(&text, &size);
    train_json_run(f, &p, &(struct blas){"Haswell", "abc"});
    fclose(f);
    for (int i = 0; i < PARAM_COUNT; i++) {
        char key[64];
        snprintf(key, sizeof key, "\"%s\": ", param_list[i].name);
        assert_non_null(strstr(text, key));
    }
    assert_non_null(strstr(text, "\"optimizer\": \"adam\", \"learning_rate\": 0.005, "));
    assert_non_null(strstr(text, "\"epsilon\": 1e-8, "));
    assert_non_null(strstr(text, "\"shuffle\": false, "));
    assert_non_null(strstr(text, hash));
    assert_non_null(strstr(text, "\"blas\": \"Haswell\", \"blas_fingerprint\": \"abc\"}\n"));
    free(text);
}
