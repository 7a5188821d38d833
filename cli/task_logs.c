/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's log driver against what the policy writes to standard output.
 */
#include <string.h>

#include "cli/task.h"

struct output {
    bool records; /* a sink on standard output */
    bool metrics; /* EMF there */
    bool lines;   /* the workload's own: no sink takes them away, or they pass through */
};

static struct output of_policy(const struct laz_policy *policy)
{
    const struct laz_ship_config *config = &policy->shipping.config;
    struct output ret = {0};
    ret.lines = !policy->shipping.capture || config->passthrough ||
            !laz_policy_ships(policy, LAZ_SHIP_CLASS_LOG);
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        ret.records = ret.records || sink->type == LAZ_SINK_STDOUT;
        ret.metrics = ret.metrics || (sink->type == LAZ_SINK_EMF && sink->group[0] == '\0');
    }
    return ret;
}

/* Does this container wait until that one has started? */
static bool waits_for(const struct laz_task *task, const char *name)
{
    for (const struct laz_json_node *on = NULL;
            (on = laz_task_item(task, task->container, "dependsOn", on)) != NULL;) {
        if (laz_task_is(&task->definition, on, "containerName", name)) {
            return true;
        }
    }
    return false;
}

static void look_router(struct laz_task *task)
{
    const struct laz_task_file *file = &task->definition;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->root, "containerDefinitions", item)) != NULL;) {
        char name[LAZ_TASK_NAME_MAX];
        laz_task_text(file, item, "name", name, sizeof(name));
        if (laz_task_get(file, item, "firelensConfiguration") != NULL && !waits_for(task, name)) {
            laz_task_say(task, LAZ_TASK_LOG_ROUTER, laz_task_at(task, task->container, "dependsOn"),
                    "ECS stops containers in the reverse order of dependsOn: let this one depend "
                    "on "
                    "the log router (condition START), so that the router is stopped after it and "
                    "carries its last records");
        }
    }
}

static void look_driver(
        struct laz_task *task, const struct laz_json_node *logging, const struct output *output)
{
    const struct laz_task_file *file = &task->definition;
    const struct laz_json_node *options = laz_task_get(file, logging, "options");
    char driver[LAZ_TASK_NAME_MAX];
    laz_task_text(file, logging, "logDriver", driver, sizeof(driver));
    if (output->records && laz_task_is(file, options, "mode", "non-blocking")) {
        laz_task_say(task, LAZ_TASK_LOG_LOSSY, laz_task_at(task, options, "mode"),
                "when its buffer is full the driver drops records and tells nobody, and the trail "
                "on "
                "standard output has holes; leave it out: lazaret's spool keeps what waits");
    }
    if (output->metrics && strcmp(driver, "awslogs") != 0 && strcmp(driver, "awsfirelens") != 0) {
        laz_task_say(task, LAZ_TASK_LOG_METRICS, laz_task_at(task, logging, "logDriver"),
                "the policy's emf sink writes to standard output, and only lines that reach "
                "CloudWatch Logs become metrics; take awslogs, or give the sink a group");
    }
    if (strcmp(driver, "awsfirelens") == 0) {
        look_router(task);
    }
}

void laz_task_look_logs(struct laz_task *task)
{
    const struct laz_json_node *logging =
            laz_task_get(&task->definition, task->container, "logConfiguration");
    const struct output output = of_policy(task->policy);
    if (logging != NULL) {
        look_driver(task, logging, &output);
        return;
    }
    laz_task_say(task, LAZ_TASK_LOG_NOWHERE, laz_task_at(task, task->container, "logConfiguration"),
            "%s, and without a log driver nobody reads it; say one, awslogs for example",
            output.records || output.metrics ? "the policy has a sink on standard output"
                    : output.lines           ? "no sink takes what the workload prints"
                                   : "lazaret-init says on standard error why it refuses");
}
