/* SPDX-License-Identifier: Apache-2.0
 *
 * signals, exit and tests.
 */
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "policy/image.h"
#include "policy/merge.h"

/* ---- signals ---- */

/* Signals that never reach init as a message to hand on. */
static bool is_handable(struct laz_merge *merge, struct laz_node *node, uint64_t signal)
{
    if (signal == SIGKILL || signal == SIGSTOP) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "KILL and STOP cannot be caught, so nothing can be said about them");
        return false;
    }
    if (signal == SIGCHLD) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                "CHLD belongs to init, which reaps by it");
        return false;
    }
    return true;
}

/* The bits of a list of signals. */
static uint64_t take_bits(struct laz_merge *merge, struct laz_node *list)
{
    uint64_t bits = 0;
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        bits |= is_handable(merge, node, node->number) ? LAZ_SIGNAL_BIT(node->number) : 0;
    }
    return bits;
}

static void merge_map(struct laz_merge *merge, struct laz_node *map, struct laz_node *drop)
{
    for (struct laz_node *node = laz_check_item(map, NULL); node != NULL;
            node = laz_check_item(map, node)) {
        if (is_handable(merge, node, node->key_number)) {
            merge->policy->signal_map[node->key_number] = (uint8_t)node->number;
        }
    }
    for (struct laz_node *node = laz_check_item(drop, NULL); node != NULL;
            node = laz_check_item(drop, node)) {
        if (!is_handable(merge, node, node->number)) {
            continue;
        }
        for (struct laz_node *other = laz_check_item(map, NULL); other != NULL;
                other = laz_check_item(map, other)) {
            if (other->key_number == node->number) {
                laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                        "also under \"map\", at line %" PRIu32, other->key_pos.line);
            }
        }
        merge->policy->signal_map[node->number] = 0;
    }
}

static void merge_signals(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_policy *policy = merge->policy;
    struct laz_node *group = document->at[LAZ_FIELD_SIGNALS_GROUP];
    struct laz_node *stop = document->at[LAZ_FIELD_SIGNALS_STOP];
    merge_map(merge, document->at[LAZ_FIELD_SIGNALS_MAP], document->at[LAZ_FIELD_SIGNALS_DROP]);
    policy->signal_guard |= take_bits(merge, document->at[LAZ_FIELD_SIGNALS_GUARD]);
    policy->signal_group |= take_bits(merge, group);
    if (group != NULL && group->is_word) {
        policy->signal_group = UINT64_MAX;
    }
    policy->signal_stop |= take_bits(merge, stop);
    merge->is_stop_said = merge->is_stop_said || stop != NULL;
}

/* ---- exit ---- */

static void add_exit(struct laz_merge *merge, struct laz_node *node)
{
    struct laz_policy *policy = merge->policy;
    const struct laz_node *from = laz_check_child(node, LAZ_FIELD_EXIT_MAP_FROM);
    const struct laz_node *to = laz_check_child(node, LAZ_FIELD_EXIT_MAP_TO);
    if (node->has_bad || from == NULL || to == NULL) {
        return;
    }
    const struct laz_exit_map entry = {.from = (uint8_t)from->number,
            .to = (uint8_t)to->number,
            .only_if_stop_requested = laz_check_child(node, LAZ_FIELD_EXIT_MAP_ONLY_IF) != NULL,
            .pos = node->pos};
    for (size_t i = 0; i < policy->n_exit_map; i++) {
        struct laz_exit_map *other = &policy->exit_map[i];
        if (other->from != entry.from ||
                other->only_if_stop_requested != entry.only_if_stop_requested) {
            continue;
        }
        if (other->pos.file == entry.pos.file) {
            laz_report_node(merge->report, LAZ_E_POLICY_INVALID, node,
                    "exit code %u is mapped at line %" PRIu32 " already", entry.from,
                    other->pos.line);
        }
        *other = entry;
        return;
    }
    if (policy->n_exit_map == LAZ_IMAGE_EXIT_MAP_MAX) {
        laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %d entries",
                LAZ_IMAGE_EXIT_MAP_MAX);
        return;
    }
    struct laz_exit_map *slot =
            laz_arena_append(merge->arena, &policy->exit_map, &policy->n_exit_map, sizeof(*slot));
    if (slot != NULL) {
        *slot = entry;
    }
}

void laz_merge_signals(struct laz_merge *merge, struct laz_document *document)
{
    merge_signals(merge, document);
    struct laz_node *map = document->at[LAZ_FIELD_EXIT_MAP];
    for (struct laz_node *node = laz_check_item(map, NULL); node != NULL;
            node = laz_check_item(map, node)) {
        add_exit(merge, node);
    }
}

void laz_finish_signals(struct laz_merge *merge)
{
    if (!merge->is_stop_said) {
        merge->policy->signal_stop = LAZ_SIGNAL_BIT(SIGTERM) | LAZ_SIGNAL_BIT(SIGINT);
    }
}

/* ---- tests ---- */

/* "arg0" to "arg5", where a test names a number and not a call. */
static int raw_argument(const struct laz_node *node)
{
    bool is_raw = node->key_length == 4 && strncmp(node->key, "arg", 3) == 0 &&
            node->key[3] >= '0' && node->key[3] <= '5';
    return is_raw ? node->key[3] - '0' : -1;
}

static void take_arguments(
        struct laz_merge *merge, struct laz_node *args, struct laz_policy_test *test)
{
    for (struct laz_node *node = laz_check_item(args, NULL); node != NULL;
            node = laz_check_item(args, node)) {
        struct laz_quoted quoted;
        struct laz_quoted known;
        int arg = test->call == NULL
                ? raw_argument(node)
                : laz_syscall_arg_by_name(test->call, node->key, node->key_length);
        if (arg < 0) {
            laz_report_key(merge->report, LAZ_E_POLICY_INVALID, node, "%s has no argument %s%s",
                    test->call == NULL ? "a number" : test->call->name,
                    laz_quote(&quoted, node->key, node->key_length),
                    test->call == NULL ? " (its arguments: arg0 to arg5)"
                                       : laz_name_arguments(&known, test->call));
            continue;
        }
        (void)laz_value_resolve(
                merge, node, test->call, (unsigned)arg, &test->args[arg]); /* reported */
    }
}

static void add_test(struct laz_merge *merge, struct laz_node *node)
{
    const struct laz_node *call = laz_check_child(node, LAZ_FIELD_TEST_CALL);
    const struct laz_node *number = laz_check_child(node, LAZ_FIELD_TEST_NR);
    const struct laz_node *abi = laz_check_child(node, LAZ_FIELD_TEST_ABI);
    const struct laz_node *expect = laz_check_child(node, LAZ_FIELD_TEST_EXPECT);
    const struct laz_node *expect_errno = laz_check_child(node, LAZ_FIELD_TEST_ERRNO);
    if (node->has_bad || expect == NULL) {
        return;
    }
    if ((call == NULL) == (number == NULL)) {
        laz_report_node(
                merge->report, LAZ_E_POLICY_INVALID, node, "needs either \"call\" or \"nr\"");
        return;
    }
    struct laz_policy_test test = {.pos = node->pos,
            .call = call != NULL ? laz_syscall_at(call->number) : NULL,
            .nr = number != NULL ? (uint32_t)number->number : 0,
            .abi = abi != NULL ? (enum laz_abi)abi->number : LAZ_ABI_NATIVE,
            .expect = (enum laz_action)expect->number,
            .expect_errno = expect_errno != NULL ? (uint16_t)expect_errno->number : 0};
    take_arguments(merge, laz_check_child(node, LAZ_FIELD_TEST_ARGS), &test);
    struct laz_policy *policy = merge->policy;
    struct laz_policy_test *slot =
            laz_arena_append(merge->arena, &policy->tests, &policy->n_tests, sizeof(*slot));
    if (slot != NULL) {
        *slot = test;
    }
}

void laz_merge_tests(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_node *tests = document->at[LAZ_FIELD_TESTS];
    for (struct laz_node *node = laz_check_item(tests, NULL); node != NULL;
            node = laz_check_item(tests, node)) {
        add_test(merge, node);
    }
}
