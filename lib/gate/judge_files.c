/* SPDX-License-Identifier: Apache-2.0
 *
 * Is the evidence there, whole, and of now? Only then is it judged; what is not is inconclusive by
 * name.
 */
#include <inttypes.h>

#include "core/num.h"
#include "gate/judge.h"

#define HASH_SHOWN 16 /* digits in a sentence; the report has all of them */

enum laz_gate_result laz_gate_judge_word(const struct laz_gate_word *words, const char *word)
{
    for (; words->word != NULL; words++) {
        if (strcmp(words->word, word) == 0) {
            return words->result;
        }
    }
    return LAZ_GATE_INCONCLUSIVE;
}

enum laz_gate_result laz_gate_judge_number(uint64_t good, uint64_t undecided, uint64_t least)
{
    if (good >= least) {
        return LAZ_GATE_PASS;
    }
    return good + undecided >= least ? LAZ_GATE_INCONCLUSIVE : LAZ_GATE_FAIL;
}

/* Why the file may not be judged; "" if it may. */
static void find_fault(
        const struct laz_gate_case *judged, const struct laz_gate_input *input, struct laz_buf *ret)
{
    const struct laz_gate_config *config = judged->config;
    if (!input->is_good) {
        laz_buf_printf(ret, "cannot be read: %s", input->why);
        return;
    }
    struct laz_gate_json root = laz_gate_json_root(input);
    static const char *const tokens[] = {"NextToken", "nextToken", "NextMarker"};
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        struct laz_gate_json token = laz_gate_json_member(root, tokens[i]);
        if (token.node != NULL && !laz_gate_json_is(token, LAZ_JSON_NULL)) {
            laz_buf_printf(ret, "is not all of it: it has a %s", tokens[i]);
            return;
        }
    }
    if (input->kind == LAZ_GATE_INPUT_HEALTH || input->kind == LAZ_GATE_INPUT_BASELINE) {
        return; /* samples have times of their own; a baseline is of before */
    }
    int64_t at = input->modified_ms;
    if (input->kind == LAZ_GATE_INPUT_BEANSTALK) {
        at = laz_gate_json_time(laz_gate_json_member(root, "RefreshedAt"));
    }
    if (at < 0) {
        laz_buf_str(ret, "does not say when it was written");
    } else if (judged->now_ms - at > (int64_t)config->max_age_ms) {
        laz_buf_printf(ret, "expired evidence: %" PRId64 " s old", (judged->now_ms - at) / 1000);
    } else if (at - judged->now_ms > (int64_t)config->clock_skew_ms) {
        laz_buf_printf(ret, "clock skew: it is from %" PRId64 " s in the future",
                (at - judged->now_ms) / 1000);
    }
}

bool laz_gate_is_usable(const struct laz_gate_case *judged, const struct laz_gate_input *input)
{
    char text[LAZ_GATE_SAID_MAX];
    struct laz_buf why;
    laz_buf_init_fixed(&why, text, sizeof(text));
    find_fault(judged, input, &why);
    return why.len == 0 && !why.overflow;
}

/* "tasks", "target-health green" */
static void put_input_name(const struct laz_gate_input *input, struct laz_buf *ret)
{
    laz_buf_str(ret, laz_gate_input_name(input->kind));
    if (input->group[0] != '\0') {
        laz_buf_printf(ret, " %s", input->group);
    }
}

static bool say_input(const struct laz_gate_case *judged, const struct laz_gate_input *input,
        struct laz_gate_rows *rows)
{
    char name_text[LAZ_GATE_NAME_MAX];
    char why_text[LAZ_GATE_SAID_MAX + LAZ_GATE_SAID_MAX];
    char hash[2 * LAZ_SHA256_SIZE + 1];
    char wanted_text[LAZ_GATE_SAID_MAX];
    struct laz_buf name;
    struct laz_buf why;
    struct laz_buf wanted;
    laz_buf_init_fixed(&name, name_text, sizeof(name_text));
    laz_buf_init_fixed(&why, why_text, sizeof(why_text));
    laz_buf_init_fixed(&wanted, wanted_text, sizeof(wanted_text));
    put_input_name(input, &name);
    find_fault(judged, input, &why);
    laz_buf_printf(&wanted, "readable, whole, and at most %" PRIu64 " s old",
            judged->config->max_age_ms / 1000);
    bool is_good = why.len == 0 && !why.overflow;
    const struct laz_gate_say say = {.check = "input",
            .target = name_text,
            .result = is_good ? LAZ_GATE_PASS : LAZ_GATE_INCONCLUSIVE,
            .wanted = wanted_text};
    laz_format_hex(input->sha256, LAZ_SHA256_SIZE, hash);
    if (is_good) {
        laz_gate_rows_add(rows, &say, "%.128s, sha256 %.*s...", input->path, HASH_SHOWN, hash);
    } else {
        laz_gate_rows_add(rows, &say, "%.128s: %s", input->path, why_text);
    }
    return is_good;
}

static bool is_given(const struct laz_gate_case *judged, enum laz_gate_input_kind kind)
{
    for (size_t i = 0; i < judged->n_inputs; i++) {
        if (judged->inputs[i].kind == kind) {
            return true;
        }
    }
    return kind == LAZ_GATE_INPUT_HEALTH && judged->asks_targets;
}

static void say_missing(const struct laz_gate_case *judged, struct laz_gate_rows *rows)
{
    for (int i = 0; i < LAZ_GATE_INPUT_COUNT; i++) {
        enum laz_gate_input_kind kind = (enum laz_gate_input_kind)i;
        bool is_required = judged->config->inputs[kind];
        if (is_given(judged, kind)) {
            continue;
        }
        const struct laz_gate_say say = {.check = "input",
                .target = laz_gate_input_name(kind),
                .result = is_required ? LAZ_GATE_INCONCLUSIVE : LAZ_GATE_SKIPPED,
                .wanted = is_required ? "what `inputs` names" : ""};
        if (!is_required) {
            laz_gate_rows_add(rows, &say, "not given");
        } else if (kind == LAZ_GATE_INPUT_HEALTH) {
            laz_gate_rows_add(rows, &say,
                    "required, and not given: --targets HOST:PORT,..., --dns NAME:PORT or --health "
                    "FILE");
        } else {
            laz_gate_rows_add(
                    rows, &say, "required, and not given: --%s FILE", laz_gate_input_name(kind));
        }
    }
}

static void say_unjudged(const struct laz_gate_input *input, struct laz_gate_rows *rows)
{
    const struct laz_gate_say say = {.check = laz_gate_input_name(input->kind),
            .target = input->group,
            .result = LAZ_GATE_SKIPPED,
            .wanted = ""};
    laz_gate_rows_add(rows, &say, "is not judged by this gate");
}

static void judge_file(const struct laz_gate_case *judged, const struct laz_gate_input *input,
        struct laz_gate_rows *rows, struct laz_gate_counts *counts)
{
    struct laz_gate_json root = laz_gate_json_root(input);
    bool is_retire = judged->mode == LAZ_GATE_RETIRE;
    switch (input->kind) {
    case LAZ_GATE_INPUT_TASKS:
        if (is_retire) {
            say_unjudged(input, rows);
        } else {
            laz_gate_judge_tasks(judged, root, rows, counts);
        }
        return;
    case LAZ_GATE_INPUT_TARGETS:
        laz_gate_judge_group(judged, input, rows, counts);
        return;
    case LAZ_GATE_INPUT_RULES:
        laz_gate_judge_rules(judged, root, rows);
        return;
    case LAZ_GATE_INPUT_BEANSTALK:
        if (is_retire) {
            say_unjudged(input, rows);
        } else {
            laz_gate_judge_beanstalk(judged, root, rows, counts);
        }
        return;
    case LAZ_GATE_INPUT_VOLUMES:
        laz_gate_judge_volumes(root, rows);
        return;
    case LAZ_GATE_INPUT_PROTECTION:
        if (is_retire) {
            laz_gate_judge_protection(root, rows);
        } else {
            say_unjudged(input, rows);
        }
        return;
    case LAZ_GATE_INPUT_HEALTH:   /* by laz_gate_judge_targets */
    case LAZ_GATE_INPUT_BASELINE: /* with them */
    case LAZ_GATE_INPUT_COUNT:
        return;
    }
}

void laz_gate_judge_files(
        const struct laz_gate_case *judged, struct laz_gate_rows *rows, struct laz_gate_counts *ret)
{
    *ret = (struct laz_gate_counts){.running = -1, .registered = -1, .instances = -1};
    say_missing(judged, rows);
    for (size_t i = 0; i < judged->n_inputs; i++) {
        if (say_input(judged, &judged->inputs[i], rows)) {
            judge_file(judged, &judged->inputs[i], rows, ret);
        }
    }
}
