/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's health check: ECS replaces what fails it, so it asks whether the task lives, of
 * Lazaret, and not before the start may be over.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/task.h"

#define WORDS_MAX     8
#define PROBE_MS      2000 /* the probe's own time-out */
#define PROBE_MOST_MS 60000
#define OFTEN_S       10
#define WANTED        "say [\"CMD\", \"/usr/libexec/lazaret/lazaret-init\", \"probe\", \"live\"]"

/* The command's words; what is beyond WORDS_MAX is not looked at. */
struct words {
    size_t n;
    char text[WORDS_MAX][LAZ_TASK_TEXT_MAX];
};

/* The words of a line for a shell, as far as blanks alone part them. */
static void split_line(struct words *words)
{
    char line[LAZ_TASK_TEXT_MAX];
    (void)memcpy(line, words->text[1], sizeof(line));
    words->n = 1;
    for (const char *at = line; words->n < WORDS_MAX;) {
        at += strspn(at, " \t");
        size_t length = strcspn(at, " \t");
        if (length == 0) {
            return;
        }
        (void)snprintf(words->text[words->n++], LAZ_TASK_TEXT_MAX, "%.*s", (int)length, at);
        at += length;
    }
}

static bool is_word(const struct words *words, size_t i, const char *text)
{
    return i < words->n && strcmp(words->text[i], text) == 0;
}

static void read_words(
        const struct laz_task *task, const struct laz_json_node *check, struct words *ret)
{
    for (const struct laz_json_node *item = NULL;
            ret->n < WORDS_MAX && (item = laz_task_item(task, check, "command", item)) != NULL;
            ret->n++) {
        laz_task_text(&task->definition, item, NULL, ret->text[ret->n], sizeof(ret->text[ret->n]));
    }
    if (is_word(ret, 0, "CMD-SHELL") && ret->n > 1) {
        split_line(ret);
    }
}

/* "2s", "1500ms"; 0: no such time. As the probe reads it. */
static uint64_t time_of(const char *text)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; text[i] >= '0' && text[i] <= '9' && i < 7; i++) {
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    value = strcmp(text + i, "ms") == 0 ? value : strcmp(text + i, "s") == 0 ? value * 1000 : 0;
    return value <= PROBE_MOST_MS ? value : 0;
}

/* 0: the probe does not take it. */
static uint64_t probe_ms(const struct words *words)
{
    bool is_shell = is_word(words, 0, "CMD-SHELL");
    if (words->n > 4 && is_word(words, 4, "--timeout")) {
        return words->n == 6 || is_shell ? time_of(words->text[5]) : 0;
    }
    return words->n <= 4 || is_shell ? PROBE_MS : 0;
}

static bool is_probe(const struct words *words)
{
    return words->n >= 4 && laz_task_is_init(words->text[1]) && is_word(words, 2, "probe");
}

/* Of a shell's words, those behind the question may be the shell's own: "|| exit 1". */
static void look_probe(
        struct laz_task *task, struct laz_task_place place, const struct words *words)
{
    char path[LAZ_TASK_TEXT_MAX];
    size_t index = 0;
    bool is_startup = is_word(words, 3, "startup");
    if (!task->policy->watching.is_said) {
        laz_task_say(task, LAZ_TASK_HEALTH_POLICY, place,
                "without `health` in the policy nobody answers the probe, and ECS kills task after "
                "task; add `health: {}` to the policy, or leave the check out");
    }
    if (is_startup || is_word(words, 3, "ready")) {
        laz_task_say(task, LAZ_TASK_HEALTH_READY, place,
                "ECS replaces a task whose check fails, and a task that drains, or that waits for "
                "something, is not ready and lives; ask for \"live\" here, and let the balancer "
                "ask "
                "for /readyz");
    } else if (!is_word(words, 3, "live") || probe_ms(words) == 0) {
        laz_task_say(task, LAZ_TASK_HEALTH_COMMAND, place,
                "the probe takes \"live\", and behind it \"--timeout\" and a time with its unit, "
                "such as \"2s\", at most 60s; anything else fails each time; " WANTED);
    }
    if (laz_task_entry(task, path, sizeof(path), &index) && strcmp(path, words->text[1]) != 0) {
        laz_task_say(task, LAZ_TASK_HEALTH_PROGRAM, place,
                "the entryPoint starts lazaret-init at another path; say the same here");
    }
}

static void look_command(
        struct laz_task *task, const struct laz_json_node *check, const struct words *words)
{
    struct laz_task_place place = laz_task_at(task, check, "command");
    bool is_shell = is_word(words, 0, "CMD-SHELL");
    if (is_shell) {
        laz_task_say(task, LAZ_TASK_HEALTH_SHELL, place,
                "a shell runs it, which an empty image does not have, and whose own words on "
                "standard error can fail a check that passed; " WANTED);
    }
    if ((is_shell || is_word(words, 0, "CMD")) && is_probe(words)) {
        look_probe(task, place, words);
    } else {
        laz_task_say(task, LAZ_TASK_HEALTH_COMMAND, place,
                "whatever else it asks does not know that the task drains, or can be answered by "
                "the workload in Lazaret's place; " WANTED);
    }
}

/* X(key, default, least, most), of ECS; in seconds but for the retries */
#define NUMBERS(X)                                                                                 \
    X(interval, 30, 5, 300)                                                                        \
    X(timeout, 5, 2, 60)                                                                           \
    X(retries, 3, 1, 10)                                                                           \
    X(startPeriod, 0, 0, 300)

struct numbers {
#define X(key, preset, least, most) uint64_t key;
    NUMBERS(X)
#undef X
};

static void look_range(struct laz_task *task, const struct laz_json_node *check, const char *key,
        uint64_t value, uint64_t least, uint64_t most)
{
    if (value < least || value > most) {
        laz_task_say(task, LAZ_TASK_HEALTH_RANGE, laz_task_at(task, check, key),
                "ECS takes from %" PRIu64 " to %" PRIu64, least, most);
    }
}

/* Nobody answers before the secrets are there, and the required sinks if they are waited for. */
static void look_start(
        struct laz_task *task, const struct laz_json_node *check, const struct numbers *numbers)
{
    const struct laz_policy *policy = task->policy;
    struct laz_task_seconds of[4];
    uint64_t secrets = policy->secrets.config.n_items > 0 ? policy->secrets.config.wait_ms : 0;
    uint64_t sinks = policy->shipping.config.n_sinks > 0 && policy->shipping.config.durability_acked
            ? policy->shipping.start_wait_ms
            : 0;
    uint64_t first =
            numbers->startPeriod > numbers->interval ? numbers->startPeriod : numbers->interval;
    uint64_t patience = (first + (numbers->retries - 1) * numbers->interval) * 1000;
    if (numbers->retries == 0 || secrets + sinks <= patience) {
        return;
    }
    laz_task_say(task, LAZ_TASK_HEALTH_START, laz_task_at(task, check, "startPeriod"),
            "ECS gives up after %s (the longer of startPeriod and interval, and interval %" PRIu64
            " s x %" PRIu64
            " more), and the policy lets a start take %s: secrets %s, required sinks "
            "%s; raise startPeriod",
            laz_task_seconds(&of[0], patience), numbers->interval, numbers->retries - 1,
            laz_task_seconds(&of[1], secrets + sinks), laz_task_seconds(&of[2], secrets),
            laz_task_seconds(&of[3], sinks));
}

static void look_numbers(
        struct laz_task *task, const struct laz_json_node *check, const struct words *words)
{
    struct numbers numbers = {
#define X(key, preset, least, most) .key = (preset),
            NUMBERS(X)
#undef X
    };
#define X(key, preset, least, most)                                                                \
    laz_ignore(laz_task_number(task, check, #key, &numbers.key) ? 0 : -1);                         \
    look_range(task, check, #key, numbers.key, (least), (most));
    NUMBERS(X)
#undef X
    struct laz_task_seconds of[2];
    uint64_t own = probe_ms(words);
    if (is_probe(words) && own > 0 && own >= numbers.timeout * 1000) {
        laz_task_say(task, LAZ_TASK_HEALTH_TIMEOUT, laz_task_at(task, check, "timeout"),
                "ECS kills the probe after %s, and by itself it waits %s: nobody sees then what it "
                "would have said; make this the longer one",
                laz_task_seconds(&of[0], numbers.timeout * 1000), laz_task_seconds(&of[1], own));
    }
    if (numbers.interval >= 5 && numbers.interval < OFTEN_S) {
        laz_task_say(task, LAZ_TASK_HEALTH_OFTEN, laz_task_at(task, check, "interval"),
                "each probe is a process that the agent starts in the container, about a tenth of "
                "a "
                "second of work on the host; 10 is often enough");
    }
    look_start(task, check, &numbers);
}

void laz_task_look_health(struct laz_task *task)
{
    const struct laz_json_node *check =
            laz_task_get(&task->definition, task->container, "healthCheck");
    if (check == NULL) {
        if (task->policy->watching.is_said) {
            laz_task_say(task, LAZ_TASK_HEALTH_UNSAID,
                    laz_task_at(task, task->container, "healthCheck"),
                    "the policy has health, and ECS does not ask: a task that hangs is not "
                    "replaced; "
                    "say {\"command\": [\"CMD\", \"/usr/libexec/lazaret/lazaret-init\", "
                    "\"probe\", \"live\"], \"interval\": 10}");
        }
        return;
    }
    struct words words = {0};
    read_words(task, check, &words);
    look_command(task, check, &words);
    look_numbers(task, check, &words);
}
