/* SPDX-License-Identifier: Apache-2.0
 *
 * `aws ecs describe-tasks` and `get-task-protection`: do the tasks run, healthy, all the same image
 * and the same definition? API: ECS, Task and Container.
 */
#include <inttypes.h>

#include "gate/judge.h"

#define ARN_MAX        256
#define NAME_MAX_SHOWN 256 /* of a container; ECS takes 255 */

static const struct laz_gate_word statuses[] = {{"RUNNING", LAZ_GATE_PASS},
        {"DEACTIVATING", LAZ_GATE_FAIL}, {"STOPPING", LAZ_GATE_FAIL},
        {"DEPROVISIONING", LAZ_GATE_FAIL}, {"STOPPED", LAZ_GATE_FAIL}, {"DELETED", LAZ_GATE_FAIL},
        {NULL, LAZ_GATE_INCONCLUSIVE}};
static const struct laz_gate_word healths[] = {
        {"HEALTHY", LAZ_GATE_PASS}, {"UNHEALTHY", LAZ_GATE_FAIL}, {NULL, LAZ_GATE_INCONCLUSIVE}};

/* "8f03e41243824aea923aca126495f665" of a task's ARN. */
static const char *short_name(const char *arn)
{
    const char *slash = strrchr(arn, '/');
    return slash == NULL ? arn : slash + 1;
}

static void name_task(struct laz_gate_json task, size_t index, char ret[ARN_MAX])
{
    if (!laz_gate_json_text(laz_gate_json_member(task, "taskArn"), ret, ARN_MAX)) {
        struct laz_buf buf;
        laz_buf_init_fixed(&buf, ret, ARN_MAX);
        laz_buf_printf(&buf, "task %zu", index);
    }
}

static void say_word(struct laz_gate_rows *rows, const struct laz_gate_say *what,
        const struct laz_gate_word *words, struct laz_gate_json value)
{
    char word[LAZ_GATE_WORD_MAX * 2];
    struct laz_gate_say say = *what;
    bool is_word = laz_gate_json_text(value, word, sizeof(word));
    say.result = is_word ? laz_gate_judge_word(words, word) : LAZ_GATE_INCONCLUSIVE;
    laz_gate_rows_add(rows, &say, "%s", is_word ? word : "it does not say");
}

/* ---- One image, one definition ---- */

/* What the first one says is what all have to say. */
struct same {
    const char *check;
    const char *required; /* "": whatever the first one has */
    char first[LAZ_GATE_SAID_MAX];
};

static void judge_same(struct same *same, const char *target, struct laz_gate_json value,
        struct laz_gate_rows *rows)
{
    char text[LAZ_GATE_SAID_MAX];
    struct laz_gate_say say = {
            .check = same->check, .target = target, .result = LAZ_GATE_INCONCLUSIVE};
    const char *wanted = same->required[0] != '\0' ? same->required : same->first;
    say.wanted = wanted[0] == '\0' ? "the same everywhere" : wanted;
    if (!laz_gate_json_text(value, text, sizeof(text))) {
        laz_gate_rows_add(rows, &say, "it does not say");
        return;
    }
    say.result = wanted[0] == '\0' || strcmp(wanted, text) == 0 ? LAZ_GATE_PASS : LAZ_GATE_FAIL;
    laz_gate_rows_add(rows, &say, "%s", text);
    if (same->first[0] == '\0') {
        (void)memcpy(same->first, text, sizeof(text));
    }
}

/* The containers of that name, across the tasks, have one image. */
static void judge_images(struct laz_gate_json tasks, const char *name, struct laz_gate_rows *rows)
{
    struct same same = {.check = "image", .required = ""};
    struct laz_gate_json none = {0};
    size_t index = 0;
    for (struct laz_gate_json task = laz_gate_json_element(tasks, none); task.node != NULL;
            task = laz_gate_json_element(tasks, task), index++) {
        struct laz_gate_json list = laz_gate_json_member(task, "containers");
        for (struct laz_gate_json item = laz_gate_json_element(list, none); item.node != NULL;
                item = laz_gate_json_element(list, item)) {
            char other[NAME_MAX_SHOWN];
            char arn[ARN_MAX];
            char text[LAZ_GATE_NAME_MAX];
            struct laz_buf target;
            if (!laz_gate_json_text(laz_gate_json_member(item, "name"), other, sizeof(other)) ||
                    strcmp(name, other) != 0) {
                continue;
            }
            name_task(task, index, arn);
            laz_buf_init_fixed(&target, text, sizeof(text));
            laz_buf_printf(&target, "%.100s %.100s", short_name(arn), name);
            judge_same(&same, text, laz_gate_json_member(item, "imageDigest"), rows);
        }
    }
}

/* One container of each task has exactly this one. */
static void judge_required_image(const struct laz_gate_case *judged, struct laz_gate_json task,
        const char *target, struct laz_gate_rows *rows)
{
    const char *wanted = judged->config->require.image_digest;
    struct laz_gate_json list = laz_gate_json_member(task, "containers");
    struct laz_gate_json none = {0};
    bool is_known = laz_gate_json_count(list) > 0;
    for (struct laz_gate_json item = laz_gate_json_element(list, none); item.node != NULL;
            item = laz_gate_json_element(list, item)) {
        char digest[LAZ_GATE_SAID_MAX];
        if (!laz_gate_json_text(
                    laz_gate_json_member(item, "imageDigest"), digest, sizeof(digest))) {
            is_known = false;
        } else if (strcmp(digest, wanted) == 0) {
            const struct laz_gate_say say = {.check = "image-digest",
                    .target = target,
                    .result = LAZ_GATE_PASS,
                    .wanted = wanted};
            laz_gate_rows_add(rows, &say, "%s", digest);
            return;
        }
    }
    const struct laz_gate_say say = {.check = "image-digest",
            .target = target,
            .result = is_known ? LAZ_GATE_FAIL : LAZ_GATE_INCONCLUSIVE,
            .wanted = wanted};
    laz_gate_rows_add(rows, &say, "%s",
            is_known ? "no container has it" : "not every container says its image's digest");
}

/* Each container's name of the first task, once. */
static void judge_all_images(struct laz_gate_json tasks, struct laz_gate_rows *rows)
{
    struct laz_gate_json none = {0};
    struct laz_gate_json first = laz_gate_json_element(tasks, none);
    size_t count = laz_gate_json_count(laz_gate_json_member(first, "containers"));
    for (struct laz_gate_json task = first; task.node != NULL;
            task = laz_gate_json_element(tasks, task)) {
        struct laz_gate_json list = laz_gate_json_member(task, "containers");
        const struct laz_gate_say say = {.check = "containers",
                .target = "",
                .result = LAZ_GATE_INCONCLUSIVE,
                .wanted = "as many containers in each task, and their names"};
        if (laz_gate_json_count(list) != count || count == 0) {
            laz_gate_rows_add(rows, &say, "a task has %zu, the first one %zu",
                    laz_gate_json_count(list), count);
        }
    }
    struct laz_gate_json list = laz_gate_json_member(first, "containers");
    for (struct laz_gate_json item = laz_gate_json_element(list, none); item.node != NULL;
            item = laz_gate_json_element(list, item)) {
        char name[NAME_MAX_SHOWN];
        const struct laz_gate_say say = {.check = "image",
                .target = "",
                .result = LAZ_GATE_INCONCLUSIVE,
                .wanted = "a container with a name"};
        if (laz_gate_json_text(laz_gate_json_member(item, "name"), name, sizeof(name))) {
            judge_images(tasks, name, rows);
        } else {
            laz_gate_rows_add(rows, &say, "a container has none");
        }
    }
}

/* ---- The tasks ---- */

/* What its status is. */
static enum laz_gate_result judge_task(
        struct laz_gate_json task, const char *target, struct laz_gate_rows *rows)
{
    static const struct laz_gate_word desired[] = {
            {"RUNNING", LAZ_GATE_PASS}, {"STOPPED", LAZ_GATE_FAIL}, {NULL, LAZ_GATE_INCONCLUSIVE}};
    char status[LAZ_GATE_WORD_MAX * 2];
    struct laz_gate_say say = {.check = "task-status", .target = target, .wanted = "RUNNING"};
    say_word(rows, &say, statuses, laz_gate_json_member(task, "lastStatus"));
    say.check = "task-desired";
    say_word(rows, &say, desired, laz_gate_json_member(task, "desiredStatus"));
    say.check = "task-health";
    say.wanted = "HEALTHY";
    say_word(rows, &say, healths, laz_gate_json_member(task, "healthStatus"));
    laz_ignore(
            laz_gate_json_text(laz_gate_json_member(task, "lastStatus"), status, sizeof(status)));
    return laz_gate_judge_word(statuses, status);
}

/* "failures": what was asked for and is not there. */
static void judge_failures(const char *check, struct laz_gate_json root, struct laz_gate_rows *rows)
{
    struct laz_gate_json list = laz_gate_json_member(root, "failures");
    struct laz_gate_json none = {0};
    for (struct laz_gate_json item = laz_gate_json_element(list, none); item.node != NULL;
            item = laz_gate_json_element(list, item)) {
        char arn[ARN_MAX];
        char reason[LAZ_GATE_TEXT_SHOWN];
        bool has_arn = laz_gate_json_text(laz_gate_json_member(item, "arn"), arn, sizeof(arn));
        bool has_reason =
                laz_gate_json_text(laz_gate_json_member(item, "reason"), reason, sizeof(reason));
        const struct laz_gate_say say = {.check = check,
                .target = has_arn ? short_name(arn) : "",
                .result = LAZ_GATE_INCONCLUSIVE,
                .wanted = "an answer about each task"};
        laz_gate_rows_add(rows, &say, "failure: %s", has_reason ? reason : "no reason given");
    }
}

void laz_gate_judge_tasks(const struct laz_gate_case *judged, struct laz_gate_json root,
        struct laz_gate_rows *rows, struct laz_gate_counts *counts)
{
    struct laz_gate_json list = laz_gate_json_member(root, "tasks");
    struct laz_gate_json none = {0};
    struct same definition = {.check = "task-definition", .required = ""};
    const struct laz_gate_require *wanted = &judged->config->require;
    uint64_t running = 0;
    uint64_t undecided = 0;
    size_t index = 0;
    for (struct laz_gate_json task = laz_gate_json_element(list, none); task.node != NULL;
            task = laz_gate_json_element(list, task), index++) {
        char arn[ARN_MAX];
        name_task(task, index, arn);
        const char *target = short_name(arn);
        enum laz_gate_result result = judge_task(task, target, rows);
        running += result == LAZ_GATE_PASS ? 1 : 0;
        undecided += result == LAZ_GATE_INCONCLUSIVE ? 1 : 0;
        judge_same(&definition, target, laz_gate_json_member(task, "taskDefinitionArn"), rows);
        if (wanted->image_digest[0] != '\0') {
            judge_required_image(judged, task, target, rows);
        }
    }
    if (!wanted->any_image && index > 0) {
        judge_all_images(list, rows);
    }
    judge_failures("tasks", root, rows);
    struct laz_gate_say say = {.check = "tasks",
            .target = "",
            .result = index == 0
                    ? LAZ_GATE_INCONCLUSIVE
                    : laz_gate_judge_number(running, undecided, judged->config->min_targets),
            .wanted = "as many RUNNING as min-targets"};
    if (index == 0) {
        laz_gate_rows_add(rows, &say, "there are no tasks in it");
        return;
    }
    laz_gate_rows_add(
            rows, &say, "%" PRIu64 " of at least %" PRIu64, running, judged->config->min_targets);
    counts->running = (int64_t)running;
}

void laz_gate_judge_protection(struct laz_gate_json root, struct laz_gate_rows *rows)
{
    struct laz_gate_json list = laz_gate_json_member(root, "protectedTasks");
    struct laz_gate_json none = {0};
    size_t index = 0;
    for (struct laz_gate_json task = laz_gate_json_element(list, none); task.node != NULL;
            task = laz_gate_json_element(list, task), index++) {
        char arn[ARN_MAX];
        name_task(task, index, arn);
        int flag = laz_gate_json_flag(laz_gate_json_member(task, "protectionEnabled"));
        const struct laz_gate_say say = {.check = "protection",
                .target = short_name(arn),
                .result = flag == 0 ? LAZ_GATE_PASS
                        : flag == 1 ? LAZ_GATE_FAIL
                                    : LAZ_GATE_INCONCLUSIVE,
                .wanted = "not protected"};
        laz_gate_rows_add(rows, &say, "%s",
                flag == 0           ? "not protected"
                        : flag == 1 ? "protected: it is at work"
                                    : "it does not say");
    }
    judge_failures("protection", root, rows);
    if (index == 0) {
        const struct laz_gate_say say = {.check = "protection",
                .target = "",
                .result = LAZ_GATE_INCONCLUSIVE,
                .wanted = "an answer about each task"};
        laz_gate_rows_add(rows, &say, "there are no tasks in it");
    }
}
