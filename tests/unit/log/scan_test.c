/* SPDX-License-Identifier: Apache-2.0
 *
 * The first look: vectors see what one byte after the other sees, and never less than there is.
 */
#include "log/scan.h"

#include "reading.h"

#define TEXT_MAX 300

static void make_scan(struct laz_scan *scan, uint64_t *state, bool plain)
{
    laz_scan_init(scan, plain);
    for (unsigned bucket = 0; bucket < LAZ_SCAN_BUCKETS; bucket++) {
        struct laz_scan_form form;
        laz_scan_form_any(&form);
        for (size_t at = 0; at <= LAZ_SCAN_REACH; at++) {
            unsigned char low = (unsigned char)chance(state, 120);
            unsigned char high = (unsigned char)(255 - chance(state, 120));
            laz_scan_form_range(&form, at, low, high);
        }
        laz_scan_add(scan, bucket, &form);
    }
}

static bool could_begin(
        const struct laz_scan *scan, const unsigned char *text, size_t length, size_t at)
{
    unsigned buckets = 0xFF;
    for (size_t i = 0; i <= LAZ_SCAN_REACH; i++) {
        buckets &= scan->whole[i][at + i < length ? text[at + i] : 0];
    }
    return buckets != 0;
}

Test(scan, finds_each_place_and_no_other_with_and_without_vectors)
{
    uint64_t state = 31;
    size_t n_found = 0;
    size_t n_looked = 0;
    for (size_t round = 0; round < 3000; round++) {
        static struct laz_scan scans[2];
        uint64_t seed = state;
        (void)memset(scans, 0, sizeof(scans));
        make_scan(&scans[0], &seed, false);
        seed = state;
        make_scan(&scans[1], &seed, true);
        state = seed;
        size_t length = chance(&state, TEXT_MAX);
        unsigned char *text = malloc(length + 1); /* to the end and no further */
        cr_assert_not_null(text);
        for (size_t i = 0; i < length; i++) {
            text[i] = (unsigned char)chance(&state, 256);
        }
        for (size_t at = 0; at < length; at++) {
            size_t expected = at;
            while (expected < length && !could_begin(&scans[0], text, length, expected)) {
                expected++;
            }
            n_found += expected == at ? 1 : 0;
            n_looked++;
            for (size_t i = 0; i < 2; i++) {
                cr_assert_eq(laz_scan_next(&scans[i], (char *)text, length, at), expected);
            }
        }
        free(text);
    }
    cr_assert(n_found > n_looked / 500 && n_found < n_looked / 2, "%zu of %zu", n_found, n_looked);
}

Test(scan, looks_at_what_stands_in_front)
{
    struct laz_scan scan = {0};
    struct laz_scan_form form;
    laz_scan_form_any(&form);
    laz_scan_form_range(&form, 0, 'a', 'a');
    laz_scan_form_front(&form);
    laz_scan_init(&scan, false);
    laz_scan_add(&scan, 3, &form);
    cr_assert_eq(laz_scan_next(&scan, "xa a", 4, 0), 3);
    cr_assert_eq(laz_scan_next(&scan, "a", 1, 0), 0); /* what stood there is not known here */
    cr_assert_eq(laz_scan_buckets(&scan, "a", 1, 0), 8);
}
