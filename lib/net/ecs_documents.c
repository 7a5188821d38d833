/* SPDX-License-Identifier: Apache-2.0
 *
 * What the container agent answers. The agent adds members when it likes, and has null where it
 * knows nothing yet: only what a record needs is looked at, and nothing has to be there. Pure.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json_read.h"
#include "core/num.h"
#include "core/url.h"
#include "net/ecs.h"

#define NODES_MAX 32768       /* an answer of ten containers with a hundred labels each has 3,000 */
#define AGENT     0xA9FEAA02U /* 169.254.170.2 */

/* ---- whom to ask ---- */

static bool is_near(const char *host)
{
    struct in_addr four = {0};
    struct in6_addr six = {0};
    if (inet_pton(AF_INET, host, &four) == 1) {
        uint32_t address = ntohl(four.s_addr);
        return address >> 24 == IN_LOOPBACKNET || address == AGENT;
    }
    return inet_pton(AF_INET6, host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

bool laz_ecs_may_ask(const char *uri)
{
    struct laz_url url;
    char host[LAZ_URL_HOST_MAX + 1];
    if (!laz_url_split(uri, &url) || url.is_https || strchr(url.path, '?') != NULL) {
        return false;
    }
    (void)snprintf(host, sizeof(host), "%.*s", (int)url.host_length, url.host);
    return is_near(host); /* a name may lead anywhere, "localhost" too */
}

uint16_t laz_ecs_port(const char *uri)
{
    struct laz_url url;
    return laz_ecs_may_ask(uri) && laz_url_split(uri, &url) ? url.port : 0;
}

/* ---- what is said ---- */

static bool is_plain(const char *text)
{
    const char *c = text;
    while (*c > ' ' && *c <= '~' && *c != '"' && *c != '\\') {
        c++;
    }
    return *c == '\0' && c != text;
}

/* What is longer than it may be, or no plain word, is as if it were not there: it goes into names
 * and records. */
static void take_text(const struct laz_json_doc *doc, const struct laz_json_node *object,
        const char *key, char *ret, size_t size)
{
    char text[LAZ_ECS_ARN_MAX + 1];
    const struct laz_json_node *node = laz_json_member(doc, object, key);
    if (laz_json_copy(doc, node, text, size < sizeof(text) ? size : sizeof(text)) &&
            is_plain(text)) {
        (void)snprintf(ret, size, "%s", text);
    }
}

static void take_arn(const struct laz_json_doc *doc, const struct laz_json_node *object,
        const char *key, char *ret)
{
    char text[LAZ_ECS_ARN_MAX + 1] = "";
    take_text(doc, object, key, text, sizeof(text));
    const char *slash = strrchr(text, '/');
    if (strncmp(text, "arn:", 4) == 0 && slash != NULL && slash[1] != '\0') {
        (void)snprintf(ret, LAZ_ECS_ARN_MAX + 1, "%s", text);
    }
}

/* Its name, or its ARN. */
static void take_cluster(const struct laz_json_doc *doc, const struct laz_json_node *object,
        const char *key, struct laz_ecs_facts *facts)
{
    char text[LAZ_ECS_ARN_MAX + 1] = "";
    take_text(doc, object, key, text, sizeof(text));
    const char *slash = strrchr(text, '/');
    const char *name = slash == NULL ? text : slash + 1;
    if (name[0] != '\0' && strlen(name) <= LAZ_ECS_NAME_MAX) {
        (void)snprintf(facts->cluster, sizeof(facts->cluster), "%.*s", LAZ_ECS_NAME_MAX, name);
    }
}

/* The digits of a number in front of its point, and up to `places` behind it; 1.5 with two places
 * is 150. */
static bool take_number(const struct laz_json_doc *doc, const struct laz_json_node *object,
        const char *key, unsigned places, uint64_t *ret)
{
    const struct laz_json_node *node = laz_json_member(doc, object, key);
    if (node == NULL || node->type != LAZ_JSON_NUMBER) {
        return false;
    }
    const char *at = doc->text + node->start;
    const char *end = doc->text + node->end;
    uint64_t value = 0;
    bool is_behind = false;
    for (; at < end && (places > 0 || !is_behind); at++) {
        if (*at == '.' && !is_behind) {
            is_behind = true;
            continue;
        }
        if (*at < '0' || *at > '9' || value > UINT32_MAX) {
            return false;
        }
        value = 10 * value + (uint64_t)(*at - '0');
        places -= is_behind ? 1 : 0;
    }
    for (; at < end; at++) {
        if (*at == 'e' || *at == 'E') {
            return false;
        }
    }
    for (; places > 0; places--) {
        value *= 10;
    }
    *ret = value;
    return true;
}

/* ---- documents ---- */

struct document {
    struct laz_json_node *nodes;
    struct laz_json_doc doc;
};

static int read_document(const char *text, size_t length, struct document *ret, struct laz_err *err)
{
    uint32_t most = length / 2 + 1 < NODES_MAX ? (uint32_t)(length / 2 + 1) : NODES_MAX;
    ret->nodes = calloc(most, sizeof(*ret->nodes));
    if (ret->nodes == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, 0, "no memory for what the agent says");
    }
    const struct laz_json_room room = {.nodes = ret->nodes, .max = most, .kind = LAZ_E_SINK};
    if (laz_json_read(text, length, &room, &ret->doc, err) != 0) {
        return -1;
    }
    return laz_json_root(&ret->doc)->type == LAZ_JSON_OBJECT
            ? 0
            : laz_err_set(err, LAZ_E_SINK, 0, "not a JSON object");
}

static void take_container(const struct laz_json_doc *doc, struct laz_ecs_facts *facts)
{
    const struct laz_json_node *root = laz_json_root(doc);
    const struct laz_json_node *labels = laz_json_member(doc, root, "Labels");
    take_text(doc, root, "ImageID", facts->image, sizeof(facts->image));
    take_arn(doc, root, "ContainerARN", facts->container);
    take_arn(doc, labels, "com.amazonaws.ecs.task-arn", facts->task);
    take_cluster(doc, labels, "com.amazonaws.ecs.cluster", facts);
    take_text(doc, labels, "com.amazonaws.ecs.task-definition-family", facts->family,
            sizeof(facts->family));
    take_text(doc, labels, "com.amazonaws.ecs.task-definition-version", facts->revision,
            sizeof(facts->revision));
}

static void take_task(const struct laz_json_doc *doc, struct laz_ecs_facts *facts)
{
    const struct laz_json_node *root = laz_json_root(doc);
    const struct laz_json_node *drift = laz_json_member(doc, root, "ClockDrift");
    const struct laz_json_node *storage = laz_json_member(doc, root, "EphemeralStorageMetrics");
    take_arn(doc, root, "TaskARN", facts->task);
    take_cluster(doc, root, "Cluster", facts);
    take_text(doc, root, "Family", facts->family, sizeof(facts->family));
    take_text(doc, root, "Revision", facts->revision, sizeof(facts->revision));
    take_text(doc, root, "ServiceName", facts->service, sizeof(facts->service));
    take_text(doc, root, "AvailabilityZone", facts->az, sizeof(facts->az));
    take_text(doc, root, "LaunchType", facts->launch_type, sizeof(facts->launch_type));
    take_text(doc, drift, "ClockSynchronizationStatus", facts->clock, sizeof(facts->clock));
    facts->has_clock_error = take_number(doc, drift, "ClockErrorBound", 3, &facts->clock_error_us);
    uint64_t used = 0;
    uint64_t reserved = 0;
    if (take_number(doc, storage, "Utilized", 0, &used) &&
            take_number(doc, storage, "Reserved", 0, &reserved)) {
        facts->storage_used_mib = used;
        facts->storage_mib = reserved;
    }
}

int laz_ecs_parse_container(
        const char *text, size_t length, struct laz_ecs_facts *facts, struct laz_err *err)
{
    struct document document = {0};
    int result = read_document(text, length, &document, err);
    if (result == 0) {
        take_container(&document.doc, facts);
    }
    free(document.nodes);
    return result;
}

int laz_ecs_parse_task(
        const char *text, size_t length, struct laz_ecs_facts *facts, struct laz_err *err)
{
    struct document document = {0};
    int result = read_document(text, length, &document, err);
    if (result == 0) {
        take_task(&document.doc, facts);
    }
    free(document.nodes);
    return result;
}

const char *laz_ecs_task_id(const struct laz_ecs_facts *facts)
{
    const char *slash = strrchr(facts->task, '/');
    return slash == NULL ? facts->task : slash + 1;
}
