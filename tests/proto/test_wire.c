// SPDX-License-Identifier: MIT
/* wire: what was packed comes back, and hostile bytes are refused without harm. */
#include "proto/wire.h"

#include "proto/sketch.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int round_trip(const wire_envelope *m, wire_envelope **back, struct err *e)
{
    uint8_t *bytes;
    size_t size;
    assert_int_equal(wire_pack(m, &bytes, &size, e), OK);
    int rc = wire_unpack(back, bytes, size, e);
    free(bytes);
    return rc;
}

static void envelope(wire_envelope *m, Grokd__Envelope__BodyCase body)
{
    grokd__envelope__init(m);
    m->major = WIRE_MAJOR;
    m->body_case = body;
}

/* A message about two epochs; free with wire_free. */
static wire_envelope *two_epochs(void)
{
    static const struct feature learned[] = {
        {"fc1", "energy_mean", 0.1 + 0.2}, {"fc1", "energy_median", NAN}, {"fc1", "q", 1}};
    static const struct pruning_point curve[] = {{"layer", "", 0, 1, 0.01}, {"layer", "", 1, 0, 5}};
    static const float truth[SKETCH_ROWS] = {1, -2}, sketch[SKETCH_ROWS] = {-0.0F, 0.25F};
    static const int32_t inputs[2] = {5, 9}, labels[2] = {1, 0};
    static const uint16_t roots[6] = {0x3c00, 0, 0, 0, 0x3800, 7};
    static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    wire_envelope *m = malloc(sizeof *m);
    envelope(m, GROKD__ENVELOPE__BODY_EPOCHS);
    m->epochs = malloc(sizeof *m->epochs);
    grokd__epochs__init(m->epochs);
    m->epochs->run = 7;
    m->epochs->attempt = 2;
    m->epochs->n_epochs = 2;
    m->epochs->epochs = calloc(2, sizeof *m->epochs->epochs);
    for (int i = 0; i < 2; i++) {
        struct row r;
        row_clear(&r, 10 + i);
        r.value[METRIC_train_loss] = 0.1 + 0.2;
        r.value[METRIC_step_fisher] = -INFINITY;
        r.pruning = curve;
        r.pruning_count = i ? 2 : 0;
        r.features = learned;
        r.feature_count = i ? 3 : 0;
        r.sketch = i ? sketch : NULL;
        if (i) r.evaluation = (struct evaluation){hash, 121, 11, sketch, truth};
        if (i) r.predictions = (struct row_predictions){2, 3, inputs, labels, roots};
        m->epochs->epochs[i] = wire_epoch(&r);
        assert_non_null(m->epochs->epochs[i]);
    }
    return m;
}

void test_rows_come_back_to_the_bit_and_nan_is_left_out(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs(), *back;
    struct pruning_point points[2];
    struct feature features[2];
    struct err e;
    struct row r;
    assert_int_equal(round_trip(m, &back, &e), OK);
    assert_int_equal(back->epochs->epochs[0]->n_ids, 2);
    wire_row(back->epochs->epochs[1], &r, points, features);
    assert_int_equal(r.epoch, 11);
    assert_true(r.value[METRIC_train_loss] == 0.1 + 0.2);
    assert_true(r.value[METRIC_step_fisher] == -INFINITY);
    assert_true(isnan(r.value[METRIC_test_loss]));
    assert_int_equal(r.pruning_count, 2);
    assert_string_equal(r.pruning[1].scheme, "layer");
    assert_true(r.pruning[1].loss == 5);
    assert_int_equal(r.feature_count, 2);
    assert_string_equal(r.features[0].layer, "fc1");
    assert_string_equal(r.features[1].name, "q");
    assert_true(r.features[0].value == 0.1 + 0.2);
    assert_true(signbit(r.sketch[0]) && r.sketch[1] == 0.25F && r.sketch[255] == 0);
    assert_int_equal(r.predictions.count * 10 + r.predictions.classes, 23);
    assert_true(r.predictions.input[1] == 9 && r.predictions.label[0] == 1);
    assert_int_equal(r.predictions.root[5], 7);
    assert_memory_equal(r.evaluation.hash, "0123456789abcdef0", 17);
    assert_int_equal(r.evaluation.samples * r.evaluation.classes, 1331);
    assert_true(r.evaluation.ignorance[1] == 0.25F && r.evaluation.truth[1] == -2);
    wire_row(back->epochs->epochs[0], &r, points, features);
    assert_null(r.sketch);
    assert_null(r.evaluation.hash);
    assert_int_equal(r.predictions.count, 0);
    wire_free(&m);
    wire_free(&back);
    assert_null(back);
    wire_free(&back);
}

void test_unknown_ids_are_passed_over(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs();
    struct row r;
    m->epochs->epochs[0]->ids[0] = 999999;
    wire_row(m->epochs->epochs[0], &r, NULL, NULL);
    assert_true(isnan(r.value[METRIC_train_loss]));
    assert_true(r.value[METRIC_step_fisher] == -INFINITY);
    wire_free(&m);
}

static void refused(const wire_envelope *m, const char *why)
{
    wire_envelope *back;
    struct err e;
    assert_int_equal(round_trip(m, &back, &e), E_PROTO);
    assert_null(back);
    if (!strstr(e.text, why)) fail_msg("%s; expected %s", e.text, why);
}

void test_sketches_that_cannot_be_are_refused(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs();
    Grokd__Epoch *last = m->epochs->epochs[1];
    last->sketch.len--;
    refused(m, "a sketch that is none");
    last->sketch.len++;
    ((float *)(void *)last->sketch.data)[255] = INFINITY;
    refused(m, "a sketch that is none");
    ((float *)(void *)last->sketch.data)[255] = 0;
    last->evaluation->truth.len = 0;
    refused(m, "a landmark that is no sketch");
    last->evaluation->truth.len = last->sketch.len;
    last->evaluation->classes = 0;
    refused(m, "without samples or classes");
    last->evaluation->classes = 11;
    last->evaluation->hash[63] = 'g';
    refused(m, "whose hash is none");
    last->evaluation->hash[63] = '\0';
    refused(m, "whose hash is none");
    last->evaluation->hash[63] = '0';
    last->predictions->roots.len -= 2;
    refused(m, "do not fit together");
    last->predictions->roots.len += 2;
    last->predictions->classes = 2;
    refused(m, "do not fit together");
    last->predictions->classes = 3;
    last->predictions->labels.len -= 4;
    refused(m, "do not fit together");
    wire_free(&m);
}

void test_epochs_that_cannot_be_are_refused(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs();
    Grokd__Epoch *first = m->epochs->epochs[0];
    first->n_ids--;
    refused(m, "not as many as their ids");
    first->n_ids++;
    first->ids[1] = first->ids[0];
    refused(m, "stands twice");
    first->ids[1]++;
    first->values[0] = NAN;
    refused(m, "NaN");
    first->values[0] = 1;
    first->epoch = 11;
    refused(m, "do not follow each other");
    first->epoch = -1;
    refused(m, "below 0");
    first->epoch = 10;
    Grokd__Pruning **curve = m->epochs->epochs[1]->pruning;
    curve[0]->fraction = 1.5;
    refused(m, "pruning point");
    curve[0]->fraction = curve[1]->fraction;
    refused(m, "pruning point that stands twice");
    curve[0]->fraction = -0.0;
    curve[1]->fraction = 0;
    refused(m, "pruning point that stands twice");
    curve[1]->fraction = 1;
    m->epochs->attempt = 0;
    refused(m, "below 1");
    m->epochs->attempt = 1;
    m->epochs->n_epochs = 0;
    refused(m, "no epoch");
    m->epochs->n_epochs = 2;
    wire_free(&m);
}

void test_features_that_cannot_be_are_refused(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs();
    Grokd__Feature **f = m->epochs->epochs[1]->features;
    f[1]->value = NAN;
    refused(m, "a feature whose name is no name, or");
    f[1]->value = INFINITY;
    f[1]->name[0] = '\n';
    refused(m, "a feature whose name is no name, or");
    free(f[1]->name);
    f[1]->name = strdup(f[0]->name);
    refused(m, "a feature that stands twice");
    wire_free(&m);
}

void test_more_values_than_there_can_be_are_refused(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs();
    Grokd__Epoch *first = m->epochs->epochs[0];
    first->n_ids = first->n_values = 100000;
    first->ids = realloc(first->ids, first->n_ids * sizeof *first->ids);
    first->values = realloc(first->values, first->n_values * sizeof *first->values);
    for (uint32_t i = 0; i < 100000; i++) {
        first->ids[i] = i + 1;
        first->values[i] = 1;
    }
    refused(m, "more values");
    wire_free(&m);
}

void test_points_of_several_curves_may_come_in_any_order(void **state)
{
    (void)state;
    static const struct pruning_point points[] = {{"layer", "", 1, 0, 5},
                                                  {"global", "", 1, 0, 5},
                                                  {"layer", "", 0, 1, 0.01},
                                                  {"layer", "hidden", 1, 0, 5}};
    wire_envelope *m = two_epochs(), *back;
    struct err e;
    struct row r;
    row_clear(&r, 11);
    r.pruning = points;
    r.pruning_count = 4;
    grokd__epoch__free_unpacked(m->epochs->epochs[1], NULL);
    m->epochs->epochs[1] = wire_epoch(&r);
    assert_int_equal(round_trip(m, &back, &e), OK);
    assert_string_equal(back->epochs->epochs[1]->pruning[3]->layer, "hidden");
    wire_free(&back);
    free(m->epochs->epochs[1]->pruning[3]->layer);
    m->epochs->epochs[1]->pruning[3]->layer = strdup("");
    refused(m, "stands twice");
    wire_free(&m);
}

void test_another_major_and_no_body_are_refused(void **state)
{
    (void)state;
    wire_envelope m;
    envelope(&m, GROKD__ENVELOPE__BODY__NOT_SET);
    refused(&m, "no body");
    m.major = 2;
    refused(&m, "version 2; this program speaks 1");
}

/* What a later version says may make no sense to us: its number still does. */
void test_another_major_is_told_before_its_message_is_understood(void **state)
{
    (void)state;
    static const uint8_t later[] = {8, 0xac, 2, 0x12, 0}; /* a Hello without its fields */
    wire_envelope *m;
    struct err e;
    assert_int_equal(wire_unpack(&m, later, sizeof later, &e), E_PROTO);
    assert_non_null(strstr(e.text, "version 300; this program speaks 1"));
}

void test_names_are_plain_and_short(void **state)
{
    (void)state;
    wire_envelope m, *back;
    struct err e;
    Grokd__Refuse body = GROKD__REFUSE__INIT;
    char longest[WIRE_NAME + 1];
    envelope(&m, GROKD__ENVELOPE__BODY_REFUSE);
    m.refuse = &body;
    static const char *const bad[] = {
        "a\nb",         "a\x1b[31m",        "\x7f",        "\xff", "\xc2", "\xc2\x85",
        "\xe0\x80\x80", "\xf5\x80\x80\x80", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        body.reason = (char *)bad[i];
        refused(&m, "too long or not plain");
    }
    memset(longest, 'x', sizeof longest);
    longest[WIRE_NAME] = '\0';
    body.reason = longest;
    refused(&m, "too long");
    longest[WIRE_NAME - 1] = '\0';
    assert_int_equal(round_trip(&m, &back, &e), OK);
    wire_free(&back);
    body.reason = (char *)"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x99\x82";
    assert_int_equal(round_trip(&m, &back, &e), OK);
    wire_free(&back);
}

void test_ended_and_hello_are_checked(void **state)
{
    (void)state;
    wire_envelope m;
    Grokd__Ended ended = GROKD__ENDED__INIT;
    envelope(&m, GROKD__ENVELOPE__BODY_ENDED);
    m.ended = &ended;
    ended.run = ended.attempt = 1;
    ended.epoch = -1;
    ended.outcome = (Grokd__Outcome)17;
    refused(&m, "outcome");
    ended.outcome = GROKD__OUTCOME__LOST;
    ended.has_seconds = 1;
    ended.seconds = NAN;
    refused(&m, "seconds");
    ended.seconds = 1;
    ended.epoch = -2;
    refused(&m, "below -1");
    ended.epoch = 3;
    ended.log = (char *)"two\nlines\tare fine, \x01 is not";
    refused(&m, "log");
    Grokd__Hello hello = GROKD__HELLO__INIT;
    Grokd__Holding holding = GROKD__HOLDING__INIT, *holdings[] = {&holding};
    envelope(&m, GROKD__ENVELOPE__BODY_HELLO);
    m.hello = &hello;
    hello.uuid = hello.host = hello.cpu = hello.version = (char *)"x";
    hello.n_holdings = 1;
    hello.holdings = holdings;
    refused(&m, "holding");
}

void test_a_worker_can_only_hold_and_offer_so_much(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    wire_envelope m;
    Grokd__Hello hello = GROKD__HELLO__INIT;
    Grokd__Heartbeat beat = GROKD__HEARTBEAT__INIT;
    Grokd__Holding holding = GROKD__HOLDING__INIT, **holdings = calloc(MANY, sizeof *holdings);
    Grokd__Blas blas = GROKD__BLAS__INIT, **offers = calloc(MANY, sizeof *offers);
    holding.run = holding.attempt = 1;
    blas.family = blas.fingerprint = (char *)"x";
    for (int i = 0; i < MANY; i++) holdings[i] = &holding, offers[i] = &blas;
    envelope(&m, GROKD__ENVELOPE__BODY_HEARTBEAT);
    m.heartbeat = &beat;
    beat.holdings = holdings;
    beat.n_holdings = MANY;
    refused(&m, "more holdings");
    envelope(&m, GROKD__ENVELOPE__BODY_HELLO);
    m.hello = &hello;
    hello.uuid = hello.host = hello.cpu = hello.version = (char *)"x";
    hello.holdings = holdings;
    hello.n_holdings = MANY;
    refused(&m, "more holdings");
    hello.n_holdings = 0;
    hello.blas = offers;
    hello.n_blas = MANY;
    refused(&m, "more BLAS families");
    free(holdings);
    free(offers);
}

/* Two bytes on the wire are a hundred in memory: the limit holds there too. */
void test_a_message_that_grows_when_it_is_read_is_refused(void **state)
{
    (void)state;
    enum { EPOCHS = (WIRE_LIMIT - 64) / 4 };
    static const uint8_t epoch[] = {0x1a, 2, 8, 0};
    uint8_t *bytes = malloc(WIRE_LIMIT), *at = bytes;
    uint32_t inside = 4 + 4 * EPOCHS;
    wire_envelope *m;
    struct err e;
    *at++ = 8, *at++ = 1, *at++ = 0x3a;
    for (uint32_t n = inside; n || at == bytes + 3; n >>= 7)
        *at++ = (uint8_t)((n & 127) | (n > 127 ? 128 : 0));
    *at++ = 8, *at++ = 1, *at++ = 16, *at++ = 1;
    for (int i = 0; i < EPOCHS; i++, at += 4) memcpy(at, epoch, 4);
    assert_int_equal(wire_unpack(&m, bytes, (size_t)(at - bytes), &e), E_PROTO);
    assert_non_null(strstr(e.text, "takes more than"));
    free(bytes);
}

void test_cleaned_text_can_be_sent(void **state)
{
    (void)state;
    static const struct {
        const char *dirty, *clean;
        size_t limit;
        bool lines;
    } cases[] = {{"plain", "plain", 255, false},
                 {"a\nb\x1b[0m", "a?b?[0m", 255, false},
                 {"a\nb\tc\x01", "a\nb\tc?", 255, true},
                 {"\xff\xc3\xa4\xc3", "?\xc3\xa4?", 255, false},
                 {"\xc3\xa4\xc3\xa4", "\xc3\xa4", 3, false},
                 {"\xc2\x85x", "?x", 255, true},
                 {"", "", 255, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        strcpy(text, cases[i].dirty);
        wire_clean(text, cases[i].limit, cases[i].lines);
        assert_string_equal(text, cases[i].clean);
    }
}

void test_no_cut_of_a_message_is_taken(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs(), *back;
    uint8_t *bytes;
    size_t size;
    struct err e;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    for (size_t n = 0; n < size; n++) {
        uint8_t *cut = malloc(n ? n : 1); /* its own block, so that a read beyond is seen */
        memcpy(cut, bytes, n);
        assert_int_equal(wire_unpack(&back, cut, n, &e), E_PROTO);
        free(cut);
    }
    free(bytes);
    wire_free(&m);
}

void test_text_with_a_zero_byte_and_padding_are_refused(void **state)
{
    (void)state;
    static const uint8_t zero[] = {8, 1, 0x22, 5, 10, 3, 'a', 0, 'b'};
    static const uint8_t twice[] = {8, 1, 8, 1, 0x5a, 0};
    static const uint8_t wide[] = {8, 0x81, 0, 0x5a, 0};
    static const uint8_t good[] = {8, 1, 0x5a, 0};
    wire_envelope *m;
    struct err e;
    assert_int_equal(wire_unpack(&m, zero, sizeof zero, &e), E_PROTO);
    assert_non_null(strstr(e.text, "more bytes than it says"));
    assert_int_equal(wire_unpack(&m, twice, sizeof twice, &e), E_PROTO);
    assert_int_equal(wire_unpack(&m, wide, sizeof wide, &e), E_PROTO);
    assert_int_equal(wire_unpack(&m, good, sizeof good, &e), OK);
    assert_int_equal(m->body_case, GROKD__ENVELOPE__BODY_GOODBYE);
    wire_free(&m);
}

void test_oversize_is_refused_both_ways(void **state)
{
    (void)state;
    wire_envelope m, *back;
    Grokd__Answer body = GROKD__ANSWER__INIT;
    struct err e;
    uint8_t *bytes;
    size_t size;
    char *text = malloc(WIRE_LIMIT + 1);
    memset(text, 'x', WIRE_LIMIT);
    text[WIRE_LIMIT] = '\0';
    envelope(&m, GROKD__ENVELOPE__BODY_ANSWER);
    m.answer = &body;
    body.text = text;
    assert_int_equal(wire_pack(&m, &bytes, &size, &e), E_PROTO);
    assert_null(bytes);
    assert_int_equal(wire_unpack(&back, (uint8_t *)text, WIRE_LIMIT + 1, &e), E_PROTO);
    assert_non_null(strstr(e.text, "at most 16777216"));
    text[WIRE_LIMIT / 2] = '\0';
    assert_int_equal(round_trip(&m, &back, &e), OK);
    wire_free(&back);
    free(text);
}

/* Whatever is taken must pack again to the same bytes. */
void test_mutated_and_random_bytes_do_no_harm(void **state)
{
    (void)state;
    wire_envelope *m = two_epochs(), *back;
    uint8_t *bytes;
    size_t size;
    struct err e;
    uint32_t random = 99;
    int taken = 0;
    assert_int_equal(wire_pack(m, &bytes, &size, &e), OK);
    for (int i = 0; i < 20000; i++) {
        size_t n = i % 4 ? size : (random >> 7) % 200;
        uint8_t *copy = malloc(n ? n : 1), *again;
        size_t length;
        for (size_t k = 0; k < n && i % 4 == 0; k++)
            copy[k] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
        if (i % 4) memcpy(copy, bytes, n);
        for (int k = 0; k < i % 5 && n; k++) {
            random = random * 1664525u + 1013904223u;
            copy[(random >> 4) % n] = (uint8_t)(random >> 24);
        }
        if (wire_unpack(&back, copy, n, &e) == OK) {
            taken++;
            assert_int_equal(wire_pack(back, &again, &length, &e), OK);
            assert_int_equal(length, n);
            free(again);
        } else {
            assert_null(back);
        }
        wire_free(&back);
        free(copy);
    }
    assert_true(taken > 1000);
    free(bytes);
    wire_free(&m);
}
