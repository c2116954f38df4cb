// SPDX-License-Identifier: MIT
/* hash: against the published test vectors of SHA-256 (FIPS 180-2). */
#include "tests/test.h"

#include "common/hash.h"

#include <string.h>

void test_the_published_vectors_of_sha256_hold(void **state)
{
    char hex[HASH_HEX];
    (void)state;
    hash_sha256_hex("", 0, hex);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    hash_sha256_hex("abc", 3, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

void test_pieces_give_the_hash_of_the_whole(void **state)
{
    static const char text[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    char hex[HASH_HEX];
    struct hash h;
    (void)state;
    hash_start(&h);
    for (size_t i = 0; i < sizeof text - 1; i++) hash_add(&h, text + i, 1);
    hash_end(&h, hex);
    assert_string_equal(hex, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

void test_random_bytes_differ_and_fill_the_whole_buffer(void **state)
{
    uint8_t a[64] = {0}, b[64] = {0}, seen[64] = {0};
    (void)state;
    for (int round = 0; round < 20; round++) {
        hash_random(a, sizeof a);
        assert_memory_not_equal(a, b, sizeof a);
        memcpy(b, a, sizeof a);
        for (size_t i = 0; i < sizeof a; i++) seen[i] |= a[i];
    }
    for (size_t i = 0; i < sizeof seen; i++) assert_int_not_equal(seen[i], 0);
}

void test_a_uuid_says_that_it_is_random(void **state)
{
    char a[HASH_UUID], b[HASH_UUID];
    (void)state;
    hash_uuid(a);
    hash_uuid(b);
    assert_int_equal(strlen(a), 36);
    assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
    assert_int_equal(a[14], '4');
    assert_non_null(strchr("89ab", a[19]));
    assert_string_not_equal(a, b);
}
