/* SPDX-License-Identifier: Apache-2.0
 *
 * What the chain writes is whole, and what somebody changes in it is not.
 */
#include <stdlib.h>

#include <criterion/criterion.h>

#include "audit/verify.h"
#include "core/num.h"
#include "tests/fixture/unpack.h"

static const struct timespec when = {.tv_sec = 1800000000};
static const struct laz_anchors no_anchors = {0};

struct made {
    struct laz_chain *chain;
    struct laz_buf out;
    struct laz_err err;
};

static void begin(struct made *made, const struct laz_place *before)
{
    const struct laz_chain_start start = {.task = "task",
            .ctr = "web",
            .boot = "boot",
            .policy = "",
            .binary = "",
            .before = before,
            .when = when};
    laz_buf_init_heap(&made->out, 1U << 24);
    cr_assert_eq(laz_chain_open(&start, &made->chain, &made->out, &made->err), 0, "%s",
            made->err.message);
}

static void event(struct made *made)
{
    const struct laz_record record = {.ev = "seccomp.deny",
            .severity = 6,
            .exe = "/a",
            .obj = "ptrace",
            .act = "EPERM",
            .when = when};
    cr_assert_eq(laz_chain_event(made->chain, &record, "\"nr\":1", 6, &made->out, &made->err), 0);
}

static void log_line(struct made *made, const char *stream)
{
    const struct laz_record record = {.obj = stream, .when = when};
    cr_assert_eq(
            laz_chain_log(made->chain, &record, "\"msg\":\"hi\"", 10, &made->out, &made->err), 0);
}

static void checkpoint(struct made *made)
{
    cr_assert_eq(laz_chain_checkpoint(made->chain, when, &no_anchors, &made->out, &made->err), 0);
}

/* What was made is lines from here on. */
static void final(struct made *made)
{
    struct laz_buf lines;
    cr_assert_eq(laz_chain_final(made->chain, when, 7, &no_anchors, &made->out, &made->err), 0);
    laz_buf_init_heap(&lines, 1U << 24);
    cr_assert_eq(unpack_all(made->out.data, made->out.len, &lines), 1);
    laz_buf_done(&made->out);
    made->out = lines;
}

static void end(struct made *made)
{
    laz_chain_free(made->chain);
    laz_buf_done(&made->out);
}

static struct laz_chain_verdict judge(const char *text, size_t length)
{
    struct laz_err err = {0};
    struct laz_verify *verify = laz_verify_new();
    cr_assert_not_null(verify);
    cr_assert_eq(laz_verify_add(verify, text, length, &err), 0);
    cr_assert_eq(laz_verify_run(verify, &err), 0, "%s", err.message);
    cr_assert_eq(laz_verify_count(verify), 1);
    struct laz_chain_verdict verdict = *laz_verify_at(verify, 0);
    laz_verify_free(verify);
    return verdict;
}

/* Every kind of record, two checkpoints, closed. */
static void make_whole(struct made *made)
{
    *made = (struct made){0};
    begin(made, NULL);
    for (int i = 0; i < 5; i++) {
        event(made);
        log_line(made, "stdout");
        log_line(made, "stdout");
    }
    checkpoint(made);
    log_line(made, "stdout");
    log_line(made, "stderr");
    event(made);
    const struct laz_lost lost = {.count = 3, .bytes = 30, .why = "drop-newest"};
    cr_assert_eq(laz_chain_gap(made->chain, when, &lost, &made->out, &made->err), 0);
    checkpoint(made);
    event(made);
    final(made);
}

Test(chain, what_it_writes_is_whole)
{
    struct made made;
    make_whole(&made);
    struct laz_chain_verdict verdict = judge(made.out.data, made.out.len);
    cr_assert_eq(verdict.integrity, LAZ_INTEGRITY_OK, "%lu: %s", (unsigned long)verdict.broken_seq,
            verdict.broken_why);
    cr_assert_eq(verdict.completeness, LAZ_COMPLETE_GAP);
    cr_assert_eq(verdict.uniqueness, LAZ_UNIQUE_SINGLE);
    cr_assert_eq(verdict.lost, 3);
    cr_assert_eq(verdict.tail, 0);
    end(&made);
}

Test(chain, a_chain_of_nothing_is_closed_by_its_final_record)
{
    struct made made = {0};
    begin(&made, NULL);
    struct laz_chain_verdict open = judge(made.out.data, made.out.len);
    cr_assert_eq(open.completeness, LAZ_COMPLETE_OPEN);
    cr_assert_eq(open.integrity, LAZ_INTEGRITY_OK);
    final(&made);
    struct laz_chain_verdict verdict = judge(made.out.data, made.out.len);
    cr_assert_eq(verdict.completeness, LAZ_COMPLETE_CLOSED);
    cr_assert_eq(verdict.integrity, LAZ_INTEGRITY_OK, "%s", verdict.broken_why);
    end(&made);
}

Test(chain, nothing_follows_the_final_record)
{
    struct made made = {0};
    begin(&made, NULL);
    final(&made);
    size_t length = made.out.len;
    const struct laz_record record = {.ev = "x", .exe = "", .obj = "", .act = "", .when = when};
    cr_assert_eq(laz_chain_event(made.chain, &record, "", 0, &made.out, &made.err), -1);
    cr_assert_eq(made.err.kind, LAZ_E_INTERNAL);
    cr_assert_eq(made.out.len, length);
    end(&made);
}

/* Whatever does not fit leaves the chain as it was: the next record has the place of the one that
 * was refused. */
Test(chain, a_full_buffer_changes_nothing)
{
    struct made made = {0};
    begin(&made, NULL);
    event(&made);
    log_line(&made, "stdout");
    char memory[64];
    struct laz_buf small;
    struct laz_err err = {0};
    const struct laz_record record = {.ev = "x", .exe = "", .obj = "", .act = "", .when = when};
    laz_buf_init_fixed(&small, memory, sizeof(memory));
    cr_assert_eq(laz_chain_event(made.chain, &record, "", 0, &small, &err), -1);
    cr_assert_eq(laz_chain_log(made.chain, &record, "", 0, &small, &err), -1);
    cr_assert_eq(laz_chain_block(made.chain, when, &small, &err), -1);
    cr_assert_eq(laz_chain_checkpoint(made.chain, when, &no_anchors, &small, &err), -1);
    cr_assert_eq(laz_chain_final(made.chain, when, 0, &no_anchors, &small, &err), -1);
    cr_assert_eq(small.len, 0);
    cr_assert_eq(err.kind, LAZ_E_MEMORY);
    final(&made);
    struct laz_chain_verdict verdict = judge(made.out.data, made.out.len);
    cr_assert_eq(verdict.completeness, LAZ_COMPLETE_CLOSED);
    cr_assert_eq(verdict.integrity, LAZ_INTEGRITY_OK, "%s", verdict.broken_why);
    end(&made);
}

/* A bit of each byte; all of them under LAZARET_LONG. */
Test(chain, every_single_bit_counts, .timeout = 240)
{
    struct made made;
    make_whole(&made);
    char *text = malloc(made.out.len);
    size_t unseen = 0;
    bool all = getenv("LAZARET_LONG") != NULL;
    memcpy(text, made.out.data, made.out.len);
    for (size_t i = 0; i < made.out.len; i++) {
        for (unsigned bit = all ? 0 : i % 8; bit < 8; bit += all ? 1 : 8) {
            struct laz_err err = {0};
            struct laz_verify_lines lines;
            struct laz_verify *verify = laz_verify_new();
            text[i] = (char)(text[i] ^ (1 << bit));
            cr_assert_eq(laz_verify_add(verify, text, made.out.len, &err), 0);
            cr_assert_eq(laz_verify_run(verify, &err), 0, "%s", err.message);
            laz_verify_lines(verify, &lines);
            bool seen = lines.malformed > 0 || laz_verify_count(verify) != 1;
            if (!seen) {
                const struct laz_chain_verdict *verdict = laz_verify_at(verify, 0);
                seen = verdict->integrity != LAZ_INTEGRITY_OK ||
                        verdict->completeness != LAZ_COMPLETE_GAP ||
                        verdict->uniqueness != LAZ_UNIQUE_SINGLE;
            }
            unseen += !seen;
            cr_expect(seen, "byte %zu, bit %u: \"%.20s\"", i, bit, made.out.data + i);
            text[i] = (char)(text[i] ^ (1 << bit));
            laz_verify_free(verify);
        }
    }
    cr_assert_eq(unseen, 0);
    free(text);
    end(&made);
}

Test(chain, the_order_of_lines_and_repetition_do_not_matter)
{
    struct made made;
    make_whole(&made);
    char *text = malloc(2 * made.out.len);
    size_t half = made.out.len / 2;
    while (made.out.data[half - 1] != '\n') {
        half++;
    }
    memcpy(text, made.out.data + half, made.out.len - half);
    memcpy(text + made.out.len - half, made.out.data, half);
    memcpy(text + made.out.len, made.out.data, made.out.len);
    struct laz_chain_verdict verdict = judge(text, 2 * made.out.len);
    cr_assert_eq(verdict.integrity, LAZ_INTEGRITY_OK, "%s", verdict.broken_why);
    cr_assert_eq(verdict.completeness, LAZ_COMPLETE_GAP);
    cr_assert_eq(verdict.uniqueness, LAZ_UNIQUE_SINGLE);
    free(text);
    end(&made);
}

Test(chain, two_continuations_of_one_chain_are_a_fork)
{
    struct made first;
    struct made second = {0};
    struct made third = {0};
    struct laz_place place;
    struct laz_err err = {0};
    make_whole(&first);
    laz_chain_place(first.chain, &place);
    begin(&second, &place);
    final(&second);
    begin(&third, &place);
    final(&third);
    struct laz_verify *verify = laz_verify_new();
    cr_assert_eq(laz_verify_add(verify, first.out.data, first.out.len, &err), 0);
    cr_assert_eq(laz_verify_add(verify, second.out.data, second.out.len, &err), 0);
    cr_assert_eq(laz_verify_add(verify, third.out.data, third.out.len, &err), 0);
    cr_assert_eq(laz_verify_run(verify, &err), 0);
    cr_assert_eq(laz_verify_count(verify), 3);
    size_t forked = 0;
    for (size_t i = 0; i < 3; i++) {
        forked += laz_verify_at(verify, i)->uniqueness == LAZ_UNIQUE_FORKED;
        cr_assert_eq(laz_verify_at(verify, i)->integrity, LAZ_INTEGRITY_OK);
    }
    cr_assert_eq(forked, 1);
    laz_verify_free(verify);
    end(&first);
    end(&second);
    end(&third);
}

Test(chain, an_anchor_shows_a_cut_tail_and_another_story)
{
    struct made made;
    struct laz_err err = {0};
    struct laz_place place;
    make_whole(&made);
    laz_chain_place(made.chain, &place);
    size_t cut = made.out.len - 1;
    while (made.out.data[cut - 1] != '\n') {
        cut--;
    }
    for (int other = 0; other < 2; other++) {
        struct laz_verify *verify = laz_verify_new();
        place.h[0] = (uint8_t)(place.h[0] ^ other);
        cr_assert_eq(laz_verify_anchor(verify, &place, &err), 0);
        cr_assert_eq(
                laz_verify_add(verify, made.out.data, other == 0 ? cut : made.out.len, &err), 0);
        cr_assert_eq(laz_verify_run(verify, &err), 0);
        const struct laz_chain_verdict *verdict = laz_verify_at(verify, 0);
        cr_expect_eq(verdict->completeness, other == 0 ? LAZ_COMPLETE_TRUNCATED : LAZ_COMPLETE_GAP);
        cr_expect_eq(verdict->uniqueness, other == 0 ? LAZ_UNIQUE_SINGLE : LAZ_UNIQUE_FORKED);
        laz_verify_free(verify);
    }
    end(&made);
}

/* What the writer makes, the reader takes: the longest record, and no longer one. */
Test(chain, the_longest_record_is_a_record)
{
    struct made made = {0};
    begin(&made, NULL);
    char *members = malloc(LAZ_TRAIL_LINE_MAX);
    const struct laz_record record = {.ev = "x", .exe = "", .obj = "", .act = "", .when = when};
    memset(members, 'a', LAZ_TRAIL_LINE_MAX);
    memcpy(members, "\"m\":\"", 5);
    size_t longest = LAZ_TRAIL_LINE_MAX;
    int result = -1;
    while (result < 0) {
        struct laz_err err = {0};
        longest--;
        members[longest - 1] = '"';
        result = laz_chain_event(made.chain, &record, members, longest, &made.out, &err);
        members[longest - 1] = 'a';
    }
    cr_assert_gt(longest, LAZ_TRAIL_LINE_MAX - 500);
    final(&made);
    struct laz_chain_verdict verdict = judge(made.out.data, made.out.len);
    cr_assert_eq(verdict.integrity, LAZ_INTEGRITY_OK, "%s", verdict.broken_why);
    cr_assert_eq(verdict.completeness, LAZ_COMPLETE_CLOSED);
    free(members);
    end(&made);
}
