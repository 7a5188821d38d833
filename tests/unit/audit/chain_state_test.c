/* SPDX-License-Identifier: Apache-2.0
 *
 * A chain that is handed over after every record is, for the verifier, one that was not.
 */
#include <criterion/criterion.h>

#include "audit/chain.h"
#include "audit/verify.h"
#include "tests/fixture/unpack.h"

static const struct timespec when = {.tv_sec = 1800000000};
static const struct laz_anchors no_anchors = {0};
static const struct laz_chain_start start = {.task = "task",
        .ctr = "web",
        .boot = "boot",
        .policy = "",
        .binary = "",
        .when = {.tv_sec = 1800000000}};
static const struct laz_record record = {.ev = "seccomp.deny",
        .severity = 6,
        .exe = "/a",
        .obj = "ptrace",
        .act = "EPERM",
        .when = {.tv_sec = 1800000000}};

static struct laz_chain *resumed(const uint8_t state[LAZ_CHAIN_STATE_SIZE])
{
    struct laz_chain *chain = NULL;
    struct laz_err err = {0};
    cr_assert_eq(laz_chain_resume(&start, state, &chain, &err), 0, "%s", err.message);
    return chain;
}

/* The successor; the one before is gone. */
static struct laz_chain *handed_over(struct laz_chain *chain)
{
    uint8_t state[LAZ_CHAIN_STATE_SIZE];
    struct laz_err err = {0};
    struct laz_place place;
    struct laz_place again;
    uint64_t unsigned_records = laz_chain_unsigned(chain);
    laz_chain_place(chain, &place);
    cr_assert_eq(laz_chain_save(chain, state, &err), 0, "%s", err.message);
    laz_chain_free(chain);
    chain = resumed(state);
    laz_chain_place(chain, &again);
    cr_assert_arr_eq(again.chain, place.chain, sizeof(place.chain));
    cr_assert_eq(again.seq, place.seq);
    cr_assert_arr_eq(again.h, place.h, sizeof(place.h));
    cr_assert_eq(laz_chain_unsigned(chain), unsigned_records);
    return chain;
}

/* All kinds of records, in a new hand after each. */
static struct laz_chain *write_all(struct laz_buf *out)
{
    struct laz_chain *chain = NULL;
    struct laz_err err = {0};
    const struct laz_lost lost = {.count = 3, .bytes = 30, .why = "drop-newest"};
    const struct laz_record line = {.obj = "stdout", .when = when};
    cr_assert_eq(laz_chain_open(&start, &chain, out, &err), 0);
    for (int i = 0; i < 3; i++) {
        chain = handed_over(chain);
        cr_assert_eq(laz_chain_event(chain, &record, "\"nr\":1", 6, out, &err), 0);
        chain = handed_over(chain);
        cr_assert_eq(laz_chain_log(chain, &line, "\"msg\":\"a\"", 9, out, &err), 0);
        cr_assert_eq(laz_chain_log(chain, &line, "\"msg\":\"b\"", 9, out, &err), 0);
        cr_assert_eq(laz_chain_block(chain, when, out, &err), 0);
        chain = handed_over(chain);
        cr_assert_eq(laz_chain_gap(chain, when, &lost, out, &err), 0);
        chain = handed_over(chain);
        cr_assert_eq(laz_chain_checkpoint(chain, when, &no_anchors, out, &err), 0);
        chain = handed_over(chain);
    }
    cr_assert_eq(laz_chain_final(chain, when, 0, &no_anchors, out, &err), 0);
    return handed_over(chain);
}

Test(chain_state, a_chain_in_many_hands_is_one_chain)
{
    struct laz_buf out;
    struct laz_err err = {0};
    laz_buf_init_heap(&out, 1U << 20);
    struct laz_chain *chain = write_all(&out);
    struct laz_verify *verify = laz_verify_new();
    struct laz_buf lines;
    laz_buf_init_heap(&lines, 1U << 20);
    cr_assert_eq(unpack_all(out.data, out.len, &lines), 1);
    cr_assert_eq(laz_verify_add(verify, lines.data, lines.len, &err), 0);
    cr_assert_eq(laz_verify_run(verify, &err), 0);
    cr_assert_eq(laz_verify_count(verify), 1);
    const struct laz_chain_verdict *verdict = laz_verify_at(verify, 0);
    cr_expect_eq(verdict->integrity, LAZ_INTEGRITY_OK, "%lu: %s",
            (unsigned long)verdict->broken_seq, verdict->broken_why);
    cr_expect_eq(verdict->completeness, LAZ_COMPLETE_GAP); /* the nine that it says were lost */
    cr_expect_eq(verdict->lost, 9);
    cr_expect_eq(verdict->records, 20); /* genesis, three times six, final */
    cr_expect_eq(verdict->uniqueness, LAZ_UNIQUE_SINGLE);
    laz_verify_free(verify);
    laz_buf_done(&lines);
    cr_expect_eq(laz_chain_event(chain, &record, "", 0, &out, &err), -1, "closed is closed");
    cr_expect_eq(err.kind, LAZ_E_INTERNAL);
    laz_chain_free(chain);
    laz_buf_done(&out);
}

Test(chain_state, an_open_block_cannot_be_handed_over)
{
    struct laz_buf out;
    struct laz_err err = {0};
    struct laz_chain *chain = NULL;
    uint8_t state[LAZ_CHAIN_STATE_SIZE];
    const struct laz_record line = {.obj = "", .when = when};
    laz_buf_init_heap(&out, 1U << 20);
    cr_assert_eq(laz_chain_open(&start, &chain, &out, &err), 0);
    cr_assert_eq(laz_chain_log(chain, &line, "\"msg\":\"a\"", 9, &out, &err), 0);
    cr_expect_eq(laz_chain_save(chain, state, &err), -1);
    cr_expect_eq(err.kind, LAZ_E_INTERNAL);
    cr_expect_not_null(strstr(err.message, "block is open"), "%s", err.message);
    laz_chain_free(chain);
    laz_buf_done(&out);
}

Test(chain_state, whatever_was_not_saved_whole_is_refused)
{
    struct laz_buf out;
    struct laz_err err = {0};
    struct laz_chain *chain = NULL;
    uint8_t state[LAZ_CHAIN_STATE_SIZE];
    laz_buf_init_heap(&out, 1U << 20);
    cr_assert_eq(laz_chain_open(&start, &chain, &out, &err), 0);
    cr_assert_eq(laz_chain_save(chain, state, &err), 0);
    laz_chain_free(chain);
    for (size_t i = 0; i < sizeof(state); i++) {
        err = (struct laz_err){0};
        chain = NULL;
        state[i] ^= 0x10;
        cr_expect_eq(laz_chain_resume(&start, state, &chain, &err), -1, "byte %zu", i);
        cr_expect_eq(err.kind, LAZ_E_INTERNAL);
        cr_expect_null(chain);
        state[i] ^= 0x10;
    }
    laz_chain_free(resumed(state));
    laz_buf_done(&out);
}
