/* SPDX-License-Identifier: Apache-2.0
 *
 * `aws elasticbeanstalk describe-environment-health` and `ec2 describe-volumes`: what only the
 * control plane knows. API: Elastic Beanstalk, enhanced health; EC2, Volume.
 */
#include <inttypes.h>

#include "core/format.h"
#include "gate/judge.h"

#define VOLUME_MAX 64

static const struct laz_gate_word colors[] = {{"Green", LAZ_GATE_PASS}, {"Yellow", LAZ_GATE_FAIL},
        {"Red", LAZ_GATE_FAIL}, {NULL, LAZ_GATE_INCONCLUSIVE}};
static const struct laz_gate_word healths[] = {{"Ok", LAZ_GATE_PASS}, {"Warning", LAZ_GATE_FAIL},
        {"Degraded", LAZ_GATE_FAIL}, {"Severe", LAZ_GATE_FAIL}, {NULL, LAZ_GATE_INCONCLUSIVE}};
static const struct laz_gate_word statuses[] = {{"Ready", LAZ_GATE_PASS},
        {"Terminating", LAZ_GATE_FAIL}, {"Terminated", LAZ_GATE_FAIL},
        {NULL, LAZ_GATE_INCONCLUSIVE}};

static void say_word(struct laz_gate_rows *rows, const char *name, struct laz_gate_json value,
        const char *check, const struct laz_gate_word *words)
{
    char word[LAZ_GATE_TEXT_SHOWN];
    bool is_word = laz_gate_json_text(value, word, sizeof(word));
    const struct laz_gate_say say = {.check = check,
            .target = name,
            .result = is_word ? laz_gate_judge_word(words, word) : LAZ_GATE_INCONCLUSIVE,
            .wanted = words->word};
    laz_gate_rows_add(rows, &say, "%s", is_word ? word : "it does not say");
}

/* After the switch: have requests failed in the last seconds? */
static void judge_requests(
        uint64_t most, struct laz_gate_json root, const char *name, struct laz_gate_rows *rows)
{
    struct laz_gate_json metrics = laz_gate_json_member(root, "ApplicationMetrics");
    int64_t failed = laz_gate_json_number(
            laz_gate_json_member(laz_gate_json_member(metrics, "StatusCodes"), "Status5xx"));
    char wanted[LAZ_GATE_SAID_MAX];
    (void)laz_format(
            wanted, sizeof(wanted), "at most %" PRIu64 " answers with a status of 5xx", most);
    struct laz_gate_say say = {
            .check = "eb-requests", .target = name, .result = LAZ_GATE_SKIPPED, .wanted = ""};
    if (most == LAZ_GATE_ANY) {
        laz_gate_rows_add(rows, &say, "not required");
        return;
    }
    say.wanted = wanted;
    say.result = failed < 0            ? LAZ_GATE_INCONCLUSIVE
            : (uint64_t)failed <= most ? LAZ_GATE_PASS
                                       : LAZ_GATE_FAIL;
    if (failed < 0) {
        laz_gate_rows_add(rows, &say,
                "it does not say: nobody writes the log of requests that Beanstalk counts");
    } else {
        laz_gate_rows_add(rows, &say, "%" PRId64 " of 5xx", failed);
    }
}

/* Words for instances, up to NULL. */
static const char *const undecided[] = {"NoData", "Unknown", "Pending", "Info", NULL};
static const char *const decided[] = {"Ok", "Warning", "Degraded", "Severe", NULL};

static uint64_t count_words(struct laz_gate_json instances, const char *const *words)
{
    uint64_t n = 0;
    for (; *words != NULL; words++) {
        int64_t number = laz_gate_json_number(laz_gate_json_member(instances, *words));
        n += number > 0 && number <= INT32_MAX ? (uint64_t)number : 0;
    }
    return n;
}

void laz_gate_judge_beanstalk(const struct laz_gate_case *judged, struct laz_gate_json root,
        struct laz_gate_rows *rows, struct laz_gate_counts *counts)
{
    char name[LAZ_GATE_TEXT_SHOWN];
    uint64_t min = judged->config->min_targets;
    laz_ignore(
            laz_gate_json_text(laz_gate_json_member(root, "EnvironmentName"), name, sizeof(name)));
    say_word(rows, name, laz_gate_json_member(root, "Color"), "eb-color", colors);
    say_word(rows, name, laz_gate_json_member(root, "HealthStatus"), "eb-health", healths);
    say_word(rows, name, laz_gate_json_member(root, "Status"), "eb-status", statuses);
    struct laz_gate_json instances = laz_gate_json_member(root, "InstancesHealth");
    int64_t ok = laz_gate_json_number(laz_gate_json_member(instances, "Ok"));
    const struct laz_gate_say say = {.check = "eb-instances",
            .target = name,
            .result = ok < 0
                    ? LAZ_GATE_INCONCLUSIVE
                    : laz_gate_judge_number((uint64_t)ok, count_words(instances, undecided), min),
            .wanted = "as many Ok as min-targets"};
    if (ok < 0) {
        laz_gate_rows_add(rows, &say, "it does not say");
    } else {
        laz_gate_rows_add(rows, &say, "%" PRId64 " of at least %" PRIu64, ok, min);
    }
    if (laz_gate_json_is(instances, LAZ_JSON_OBJECT)) {
        counts->instances =
                (int64_t)(count_words(instances, undecided) + count_words(instances, decided));
    }
    if (judged->mode == LAZ_GATE_VERIFY) {
        judge_requests(judged->config->require.eb_requests, root, name, rows);
    }
}

void laz_gate_judge_volumes(struct laz_gate_json root, struct laz_gate_rows *rows)
{
    struct laz_gate_json list = laz_gate_json_member(root, "Volumes");
    struct laz_gate_json item = laz_gate_json_element(list, (struct laz_gate_json){0});
    struct laz_gate_say say = {.check = "volumes",
            .target = "",
            .result = LAZ_GATE_INCONCLUSIVE,
            .wanted = "each volume encrypted"};
    if (item.node == NULL) {
        laz_gate_rows_add(rows, &say, "there are no volumes in it");
    }
    for (; item.node != NULL; item = laz_gate_json_element(list, item)) {
        char id[VOLUME_MAX];
        int flag = laz_gate_json_flag(laz_gate_json_member(item, "Encrypted"));
        say.target = laz_gate_json_text(laz_gate_json_member(item, "VolumeId"), id, sizeof(id))
                ? id
                : "a volume";
        say.result = flag < 0 ? LAZ_GATE_INCONCLUSIVE : flag == 1 ? LAZ_GATE_PASS : LAZ_GATE_FAIL;
        laz_gate_rows_add(rows, &say, "%s",
                flag < 0            ? "it does not say"
                        : flag == 1 ? "encrypted"
                                    : "not encrypted");
    }
}
