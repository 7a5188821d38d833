/* SPDX-License-Identifier: Apache-2.0
 *
 * The ports that the task definition maps, and those on which the policy lets somebody listen.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/task.h"
#include "policy/address.h"

static bool is_open_to_others(const struct laz_tunnel_end *end)
{
    return end->port != 0 && !laz_host_is_loopback(end->host, strlen(end->host));
}

uint16_t laz_task_health_port(const struct laz_policy *policy)
{
    const struct laz_health_config *health = &policy->watching.config;
    return policy->watching.is_said && health->port != 0 &&
                    !laz_host_is_loopback(health->host, strlen(health->host))
            ? health->port
            : 0;
}

static bool binds(const struct laz_policy *policy, uint64_t port)
{
    const struct laz_tunnel_config *tunnels = &policy->tunneling.config;
    bool found = policy->tcp_bind.any || laz_task_health_port(policy) == port;
    for (size_t i = 0; i < policy->tcp_bind.n; i++) {
        found = found || policy->tcp_bind.ports[i] == port;
    }
    for (uint32_t i = 0; i < tunnels->n_entries; i++) {
        found = found ||
                (is_open_to_others(&tunnels->entries[i].bind) &&
                        tunnels->entries[i].bind.port == port);
    }
    return found;
}

static bool is_tcp(const struct laz_task *task, const struct laz_json_node *mapping)
{
    return !laz_task_is(&task->definition, mapping, "protocol", "udp");
}

/* The port, or the range: "8080-8090". */
static bool ports_of(const struct laz_task *task, const struct laz_json_node *mapping,
        uint64_t *ret_first, uint64_t *ret_last)
{
    const struct laz_task_file *file = &task->definition;
    char range[LAZ_TASK_NAME_MAX];
    const char *at = range;
    if (laz_json_number(
                &file->doc, laz_task_get(file, mapping, "containerPort"), UINT16_MAX, ret_first)) {
        *ret_last = *ret_first;
        return true;
    }
    laz_task_text(file, mapping, "containerPortRange", range, sizeof(range));
    return laz_task_digits(&at, UINT16_MAX, ret_first) && *at++ == '-' &&
            laz_task_digits(&at, UINT16_MAX, ret_last) && *at == '\0';
}

static bool is_mapped(
        const struct laz_task *task, const struct laz_json_node *container, uint64_t port)
{
    uint64_t first = 0;
    uint64_t last = 0;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, container, "portMappings", item)) != NULL;) {
        if (is_tcp(task, item) && ports_of(task, item, &first, &last) && port >= first &&
                port <= last) {
            return true;
        }
    }
    return false;
}

static void look_mapped(struct laz_task *task)
{
    uint64_t first = 0;
    uint64_t last = 0;
    for (const struct laz_json_node *item = NULL;
            (item = laz_task_item(task, task->container, "portMappings", item)) != NULL;) {
        if (!ports_of(task, item, &first, &last)) {
            laz_task_say(task, LAZ_TASK_WRONG_TYPE, laz_task_at(task, item, "containerPort"),
                    "a mapping has a containerPort from 1 to 65535, or a containerPortRange");
            continue;
        }
        if (is_tcp(task, item) && first == last && !binds(task->policy, first)) {
            laz_task_say(task, LAZ_TASK_PORT_NOBODY, laz_task_at(task, item, "containerPort"),
                    "network.tcp-bind has no %" PRIu64
                    ", and no listener of tls or health is open to "
                    "others there; add it to the policy, or do not map it",
                    first);
        }
    }
}

static void look_unmapped(struct laz_task *task)
{
    const struct laz_tunnel_config *tunnels = &task->policy->tunneling.config;
    for (uint32_t i = 0; i < tunnels->n_entries; i++) {
        const struct laz_tunnel_entry *entry = &tunnels->entries[i];
        if (entry->listens && is_open_to_others(&entry->bind) &&
                !is_mapped(task, task->container, entry->bind.port)) {
            laz_task_say(task, LAZ_TASK_PORT_UNMAPPED,
                    laz_task_at(task, task->container, "portMappings"),
                    "tls.listen has %s at port %u, which is not mapped; add {\"containerPort\": "
                    "%u}",
                    entry->name, entry->bind.port, entry->bind.port);
        }
    }
    uint16_t health = laz_task_health_port(task->policy);
    if (health != 0 && !is_mapped(task, task->container, health)) {
        laz_task_say(task, LAZ_TASK_PORT_UNMAPPED,
                laz_task_at(task, task->container, "portMappings"),
                "health.listen is at port %u, which is not mapped; add {\"containerPort\": %u}",
                health, health);
    }
}

/* Where the task has one network namespace, a port is there once. */
static void look_twice(struct laz_task *task)
{
    const struct laz_task_file *file = &task->definition;
    if (!laz_task_is(file, task->root, "networkMode", "awsvpc") &&
            !laz_task_is(file, task->root, "networkMode", "host")) {
        return;
    }
    uint64_t first = 0;
    uint64_t last = 0;
    for (const struct laz_json_node *other = NULL;
            (other = laz_task_item(task, task->root, "containerDefinitions", other)) != NULL;) {
        for (const struct laz_json_node *item = NULL; other != task->container &&
                (item = laz_task_item(task, other, "portMappings", item)) != NULL;) {
            bool is_ours = false;
            if (!is_tcp(task, item) || !ports_of(task, item, &first, &last)) {
                continue;
            }
            for (uint64_t port = first; port <= last; port++) {
                is_ours = is_ours || is_mapped(task, task->container, port) ||
                        (!task->policy->tcp_bind.any && binds(task->policy, port));
            }
            if (is_ours) {
                laz_task_say(task, LAZ_TASK_PORT_TWICE, laz_task_on(task, item),
                        "all containers of the task have one network, and the policy's container "
                        "listens there too: the second to come does not start; take another port");
            }
        }
    }
}

void laz_task_look_ports(struct laz_task *task)
{
    look_mapped(task);
    look_unmapped(task);
    look_twice(task);
}
