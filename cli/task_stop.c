/* SPDX-License-Identifier: Apache-2.0
 *
 * The stop: what ECS grants, what the policy needs, and how long the balancer takes to notice.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/task.h"

#define DEFAULT_S     30 /* of ECS, where nothing is said */
#define FARGATE_MIN_S UINT64_C(2)
#define FARGATE_MAX_S UINT64_C(120)
#define MARGIN_MS     2000 /* of what is granted beyond what is used, before it is worth a word */
#define SUM_MAX       256
#define LONG_DELAY_S  120

/* The balancer's defaults, and what to take instead. */
#define INTERVAL_S 30
#define TIMEOUT_S  5
#define UNHEALTHY  2
#define DELAY_S    300

/* "lb-grace 12 s + grace 13 s + drain 3 s + flush 2 s = 30 s" */
static uint64_t put_sum(
        const struct laz_shutdown *shutdown, uint64_t lb_grace_ms, char ret[SUM_MAX])
{
    struct laz_task_seconds of[5];
    uint64_t sum = lb_grace_ms + shutdown->grace_ms + shutdown->drain_ms + shutdown->flush_ms;
    (void)snprintf(ret, SUM_MAX, "lb-grace %s + grace %s + drain %s + flush %s = %s",
            laz_task_seconds(&of[0], lb_grace_ms), laz_task_seconds(&of[1], shutdown->grace_ms),
            laz_task_seconds(&of[2], shutdown->drain_ms),
            laz_task_seconds(&of[3], shutdown->flush_ms), laz_task_seconds(&of[4], sum));
    return sum;
}

/* What ECS grants, in ms. */
static uint64_t granted_ms(struct laz_task *task, bool *ret_said)
{
    uint64_t seconds = DEFAULT_S;
    *ret_said = laz_task_number(task, task->container, "stopTimeout", &seconds);
    return seconds * 1000;
}

static void look_timeout(struct laz_task *task)
{
    const struct laz_shutdown *shutdown = &task->policy->shutdown;
    struct laz_task_place place = laz_task_at(task, task->container, "stopTimeout");
    struct laz_task_seconds of[3];
    char sum_text[SUM_MAX];
    bool is_said = false;
    uint64_t granted = granted_ms(task, &is_said);
    uint64_t sum = put_sum(shutdown, shutdown->lb_grace_ms, sum_text);
    if (is_said && task->is_fargate &&
            (granted < FARGATE_MIN_S * 1000 || granted > FARGATE_MAX_S * 1000)) {
        laz_task_say(task, LAZ_TASK_STOP_RANGE, place, "%s: Fargate takes from 2 to 120 seconds",
                laz_task_seconds(&of[0], granted));
    }
    if (!is_said && !task->is_fargate) {
        laz_task_say(task, LAZ_TASK_STOP_UNSAID, place,
                "without it the host's ECS_CONTAINER_STOP_TIMEOUT counts, or 30 s; say %s, the "
                "policy's shutdown.stop-timeout",
                laz_task_seconds(&of[0], shutdown->stop_timeout_ms));
    }
    if (granted < shutdown->stop_timeout_ms) {
        laz_task_say(task, LAZ_TASK_STOP_SHORT, place,
                "ECS kills %s after its stop signal%s, and the policy's shutdown counts on %s "
                "(%s); "
                "raise stopTimeout, or lower shutdown.stop-timeout and its parts",
                laz_task_seconds(&of[0], granted), is_said ? "" : " where nothing is said",
                laz_task_seconds(&of[1], shutdown->stop_timeout_ms), sum_text);
    } else if (granted > sum + MARGIN_MS && granted > shutdown->stop_timeout_ms + MARGIN_MS) {
        laz_task_say(task, LAZ_TASK_STOP_UNUSED, place,
                "ECS grants %s, and the policy's shutdown is over after %s (%s); raise "
                "shutdown.stop-timeout to give the workload the rest",
                laz_task_seconds(&of[0], granted),
                laz_task_seconds(&of[1], shutdown->stop_timeout_ms), sum_text);
    }
}

/* Those that wait for ours are stopped before it, those that it waits for behind it. */
static void look_order(struct laz_task *task)
{
    const struct laz_task_file *file = &task->definition;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->root, "containerDefinitions", item)) != NULL;) {
        for (const struct laz_json_node *on = NULL;
                (on = laz_task_item(task, item, "dependsOn", on)) != NULL;) {
            if (item == task->container || !laz_task_is(file, on, "containerName", task->name)) {
                continue;
            }
            uint64_t seconds = DEFAULT_S;
            laz_ignore(laz_task_number(task, item, "stopTimeout", &seconds) ? 0 : -1);
            laz_task_say(task, LAZ_TASK_STOP_ORDER, laz_task_on(task, on),
                    "this container is stopped first, and only when it has ended, after up to "
                    "%" PRIu64 " s, does the policy's container get its stop signal: till then it "
                    "stays ready",
                    seconds);
        }
    }
}

/* Containers of one network see each other's ports, and so does a drain. */
static void look_udp(struct laz_task *task)
{
    const struct laz_task_file *file = &task->definition;
    uint64_t grace_ms = task->policy->shutdown.lb_grace_ms;
    bool is_shared = laz_task_is(file, task->root, "networkMode", "awsvpc") ||
            laz_task_is(file, task->root, "networkMode", "host");
    bool ends_early =
            task->policy->watching.is_said && task->policy->watching.config.lb_least_ms < grace_ms;
    struct laz_task_seconds of;
    for (const struct laz_json_node *item = NULL; ends_early &&
            (item = laz_task_item(task, task->root, "containerDefinitions", item)) != NULL;) {
        for (const struct laz_json_node *port = NULL; (item == task->container || is_shared) &&
                (port = laz_task_item(task, item, "portMappings", port)) != NULL;) {
            if (laz_task_is(file, port, "protocol", "udp")) {
                laz_task_say(task, LAZ_TASK_DRAIN_UDP, laz_task_at(task, port, "protocol"),
                        "nobody counts who comes by UDP: while this port is open a drain has no "
                        "evidence, and takes all of shutdown.lb-grace, %s",
                        laz_task_seconds(&of, grace_ms));
            }
        }
    }
}

void laz_task_look_stop(struct laz_task *task)
{
    look_timeout(task);
    look_order(task);
    look_udp(task);
    if (task->n_groups == 0 && laz_task_item(task, task->container, "portMappings", NULL) != NULL) {
        laz_task_say(task, LAZ_TASK_BALANCER_UNSEEN,
                laz_task_at(task, task->container, "portMappings"),
                "is there a balancer? Then say --target-group: with its defaults it takes 65 s to "
                "notice that a task is not ready, and shutdown.lb-grace must be as long");
    }
}

/* ---- The target group ---- */

/* One target group, and the file that says it. */
struct group {
    struct laz_task *task;
    const struct laz_task_file *file;
    const struct laz_json_node *node;
};

static struct laz_task_place in_group(const struct group *group, const char *key)
{
    const struct laz_json_node *node = laz_task_get(group->file, group->node, key);
    return (struct laz_task_place){.file = group->file,
            .node = node == NULL ? group->node : node,
            .key = node == NULL ? key : NULL};
}

static uint64_t number_in(const struct group *group, const char *key, uint64_t otherwise)
{
    const struct laz_json_node *node = laz_task_get(group->file, group->node, key);
    uint64_t value = otherwise;
    if (node != NULL && !laz_json_number(&group->file->doc, node, UINT32_MAX, &value)) {
        laz_task_say(group->task, LAZ_TASK_WRONG_TYPE, in_group(group, key),
                "this is to be a number of digits alone");
    }
    return value;
}

/* How long it sends requests to a task that is not ready. */
static void look_grace(const struct group *group)
{
    const struct laz_shutdown *shutdown = &group->task->policy->shutdown;
    uint64_t interval = number_in(group, "HealthCheckIntervalSeconds", INTERVAL_S);
    uint64_t timeout = number_in(group, "HealthCheckTimeoutSeconds", TIMEOUT_S);
    uint64_t unhealthy = number_in(group, "UnhealthyThresholdCount", UNHEALTHY);
    uint64_t late_s = interval * unhealthy + timeout;
    if (late_s * 1000 <= shutdown->lb_grace_ms) {
        return;
    }
    struct laz_task_seconds lb;
    char sum_text[SUM_MAX];
    uint64_t sum = put_sum(shutdown, late_s * 1000, sum_text);
    bool is_too_long = group->task->is_fargate && sum > FARGATE_MAX_S * 1000;
    laz_task_say(group->task, LAZ_TASK_GRACE_SHORT, in_group(group, "HealthCheckIntervalSeconds"),
            "the balancer notices after H = interval %" PRIu64 " s x unhealthy %" PRIu64
            " + timeout %" PRIu64 " s = %" PRIu64
            " s that a task is not ready, and shutdown.lb-grace is %s: till then requests meet a "
            "workload that stops. lb-grace of %" PRIu64 " s asks for stopTimeout %s%s",
            interval, unhealthy, timeout, late_s, laz_task_seconds(&lb, shutdown->lb_grace_ms),
            late_s, sum_text,
            is_too_long ? ", which is more than Fargate's 120 s: check more often, interval 5, "
                          "timeout 2 and unhealthy 2 make H = 12 s"
                        : "; or check more often: interval 5, timeout 2 and unhealthy 2 make "
                          "H = 12 s");
}

/* Is `code` one of "200", "200,302" or "200-399"? */
static bool matches(const char *text, uint64_t code)
{
    uint64_t first = 0;
    uint64_t last = 0;
    for (const char *at = text; laz_task_digits(&at, UINT16_MAX, &first); at++) {
        last = first;
        if (*at == '-') {
            at++;
            laz_ignore(laz_task_digits(&at, UINT16_MAX, &last) ? 0 : -1);
        }
        if (code >= first && code <= last) {
            return true;
        }
        if (*at != ',') {
            return false;
        }
    }
    return false;
}

/* A drain takes a balancer for gone that was refused as often as the policy says. */
static void look_threshold(const struct group *group)
{
    const struct laz_policy *policy = group->task->policy;
    uint64_t unhealthy = number_in(group, "UnhealthyThresholdCount", UNHEALTHY);
    if (policy->watching.config.lb_threshold < unhealthy) {
        laz_task_say(group->task, LAZ_TASK_THRESHOLD_LOW,
                in_group(group, "UnhealthyThresholdCount"),
                "a balancer is turned away after %" PRIu64
                " refusals, and shutdown.unhealthy-threshold is %u: the drain may end when it "
                "still sends requests; say unhealthy-threshold %" PRIu64,
                unhealthy, policy->watching.config.lb_threshold, unhealthy);
    }
}

/* /readyz is at health.listen, and as it says there. */
static void look_endpoint(const struct group *group)
{
    const struct laz_policy *policy = group->task->policy;
    char said[LAZ_TASK_NAME_MAX];
    char wanted[LAZ_TASK_NAME_MAX];
    uint16_t port = laz_task_health_port(policy);
    struct laz_task_place place = in_group(group, "HealthCheckPort");
    laz_task_text(group->file, group->node, "HealthCheckPort", said, sizeof(said));
    if (said[0] == '\0' || strcmp(said, "traffic-port") == 0) {
        (void)snprintf(said, sizeof(said), "%" PRIu64, number_in(group, "Port", 0));
    }
    (void)snprintf(wanted, sizeof(wanted), "%u", port);
    if (port == 0) {
        laz_task_say(group->task, LAZ_TASK_TARGET_PORT, place,
                "nobody answers /readyz to others: the policy has no health.listen; say it, "
                "\"0.0.0.0:9100\" for example");
        return;
    }
    if (strcmp(said, wanted) != 0) {
        laz_task_say(group->task, LAZ_TASK_TARGET_PORT, place,
                "/readyz is answered at port %u, where health.listen is, and not at the "
                "workload's; say \"%u\"",
                port, port);
    }
    look_threshold(group);
    laz_task_text(group->file, group->node, "HealthCheckProtocol", said, sizeof(said));
    const char *speaks = policy->watching.config.has_identity ? "HTTPS" : "HTTP";
    if (strcmp(said[0] == '\0' ? "HTTP" : said, speaks) != 0) {
        laz_task_say(group->task, LAZ_TASK_TARGET_PROTOCOL, in_group(group, "HealthCheckProtocol"),
                "health.listen of the policy speaks %s, %s health.tls; say that", speaks,
                policy->watching.config.has_identity ? "by" : "without");
    }
    if (policy->watching.config.startup_deadline_ms > 0) {
        struct laz_task_seconds deadline;
        laz_task_say(group->task, LAZ_TASK_SERVICE_GRACE, in_group(group, "HealthCheckPath"),
                "till its start-up checks pass, at most %s (health.startup.deadline), the task is "
                "not "
                "ready, and the service replaces it unless its healthCheckGracePeriodSeconds is as "
                "long",
                laz_task_seconds(&deadline, policy->watching.config.startup_deadline_ms));
    }
}

static void look_answers(const struct group *group)
{
    char path[LAZ_TASK_TEXT_MAX];
    char codes[LAZ_TASK_TEXT_MAX];
    struct laz_task_place place = in_group(group, "HealthCheckPath");
    laz_task_text(group->file, group->node, "HealthCheckPath", path, sizeof(path));
    if (strcmp(path, "/livez") == 0 || strcmp(path, "/healthz") == 0 ||
            strcmp(path, "/startupz") == 0 || strcmp(path, "/metrics") == 0) {
        laz_task_say(group->task, LAZ_TASK_TARGET_PATH, place,
                "%s stays right while the task drains, so that the balancer goes on sending; say "
                "/readyz",
                path);
    } else if (strcmp(path, "/readyz") == 0) {
        look_endpoint(group);
    } else {
        laz_task_say(group->task, LAZ_TASK_TARGET_OWN, place,
                "%s is the workload's own, and stays right during lb-grace: the balancer goes on "
                "sending until the workload is told to stop; say /readyz, at the port of "
                "health.listen",
                path[0] == '\0' ? "the default, /," : "this path");
    }
    const struct laz_json_node *matcher = laz_task_get(group->file, group->node, "Matcher");
    laz_task_text(group->file, matcher, "HttpCode", codes, sizeof(codes));
    if (matcher != NULL && codes[0] != '\0' && (!matches(codes, 200) || matches(codes, 503))) {
        laz_task_say(group->task, LAZ_TASK_TARGET_MATCHER, in_group(group, "Matcher"),
                "/readyz answers 200 where it is ready and 503 where it is not; say 200");
    }
}

static void look_group(const struct group *group)
{
    struct laz_task *task = group->task;
    char protocol[LAZ_TASK_NAME_MAX];
    laz_task_text(group->file, group->node, "HealthCheckProtocol", protocol, sizeof(protocol));
    look_grace(group);
    if (strcmp(protocol, "TCP") == 0) {
        laz_task_say(task, LAZ_TASK_TARGET_PROTOCOL, in_group(group, "HealthCheckProtocol"),
                "a port that is open says nothing of readiness: it stays open while the task "
                "drains; say HTTP or HTTPS, and the path /readyz");
    } else {
        look_answers(group);
    }
    if ((laz_task_is(group->file, group->node, "TargetType", "instance") ||
                laz_task_get(group->file, group->node, "TargetType") == NULL) &&
            laz_task_is(&task->definition, task->root, "networkMode", "awsvpc")) {
        laz_task_say(task, LAZ_TASK_TARGET_TYPE, in_group(group, "TargetType"),
                "tasks of networkMode awsvpc have an address of their own, and are registered by "
                "it; say \"ip\"");
    }
}

static void look_delay(struct laz_task *task, const struct laz_task_file *file,
        const struct laz_json_node *attribute)
{
    char text[LAZ_TASK_NAME_MAX];
    uint64_t seconds = 0;
    const char *at = text;
    struct laz_task_seconds grace;
    struct laz_task_place place = {.file = file, .node = laz_task_get(file, attribute, "Value")};
    laz_task_text(file, attribute, "Value", text, sizeof(text));
    if (place.node == NULL || !laz_task_digits(&at, UINT16_MAX, &seconds)) {
        laz_task_say(task, LAZ_TASK_WRONG_TYPE,
                (struct laz_task_place){.file = file, .node = attribute, .key = "Value"},
                "this is to be a string of digits");
        return;
    }
    if (seconds * 1000 < task->policy->shutdown.grace_ms) {
        laz_task_say(task, LAZ_TASK_TARGET_CUTS, place,
                "%" PRIu64
                " s after it is deregistered the balancer cuts what still runs, and the policy's "
                "shutdown.grace gives requests %s; say at least that",
                seconds, laz_task_seconds(&grace, task->policy->shutdown.grace_ms));
    } else if (seconds > LONG_DELAY_S) {
        laz_task_say(task, LAZ_TASK_TARGET_WAITS, place,
                "each task of a rollout is deregistered for %" PRIu64
                " s before it gets its stop signal, "
                "whether requests are left or not; the longest request and some seconds are enough",
                seconds);
    }
}

void laz_task_look_target(struct laz_task *task)
{
    for (size_t i = 0; i < task->n_groups; i++) {
        const struct laz_task_file *file = &task->groups[i];
        const struct laz_json_node *root = laz_json_root(&file->doc);
        const struct laz_json_node *groups = laz_task_get(file, root, "TargetGroups");
        const struct laz_json_node *attributes = laz_task_get(file, root, "Attributes");
        if (groups == NULL && laz_task_get(file, root, "Name") != NULL) {
            look_group(&(struct group){.task = task, .file = file, .node = root});
        }
        for (const struct laz_json_node *item = NULL;
                (item = laz_json_next(&file->doc, groups, item)) != NULL;) {
            look_group(&(struct group){.task = task, .file = file, .node = item});
        }
        for (const struct laz_json_node *item = NULL;
                (item = laz_json_next(&file->doc, attributes, item)) != NULL;) {
            if (laz_task_is(file, item, "Key", "deregistration_delay.timeout_seconds")) {
                look_delay(task, file, item);
            }
        }
    }
}
