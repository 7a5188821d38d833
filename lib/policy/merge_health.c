/* SPDX-License-Identifier: Apache-2.0
 *
 * health: what is asked of the workload, and what readiness hangs on. A check that a later file
 * names is replaced by it.
 */
#include <string.h>

#include "core/url.h"
#include "policy/address.h"
#include "policy/merge.h"

/* ---- One document more ---- */

static const char *name_of(const struct laz_node *check)
{
    return laz_check_child(check, LAZ_FIELD_CHECK_NAME)->text;
}

static void merge_checks(struct laz_merge *merge, struct laz_node *list)
{
    struct laz_health_config *config = &merge->policy->watching.config;
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        if (item->has_bad) {
            continue;
        }
        uint32_t slot = 0;
        while (slot < config->n_checks &&
                (merge->checks[slot]->field != item->field ||
                        strcmp(name_of(merge->checks[slot]), name_of(item)) != 0)) {
            slot++;
        }
        if (slot == LAZ_HEALTH_CHECKS_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d checks",
                    LAZ_HEALTH_CHECKS_MAX);
            return;
        }
        merge->checks[slot] = item;
        config->n_checks += slot == config->n_checks ? 1 : 0;
    }
}

static void merge_sinks(struct laz_merge *merge, struct laz_node *list)
{
    struct laz_health_config *config = &merge->policy->watching.config;
    for (struct laz_node *item = laz_check_item(list, NULL); item != NULL;
            item = laz_check_item(list, item)) {
        uint32_t slot = 0;
        while (slot < config->n_sinks && strcmp(config->sinks[slot], item->text) != 0) {
            slot++;
        }
        if (slot == LAZ_HEALTH_SINKS_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, item, "more than %d sinks",
                    LAZ_HEALTH_SINKS_MAX);
            return;
        }
        config->sinks[slot] = laz_merge_text(merge, item);
        config->n_sinks += slot == config->n_sinks ? 1 : 0;
    }
}

void laz_merge_health(struct laz_merge *merge, struct laz_document *document)
{
    const struct laz_node *health = document->at[LAZ_FIELD_HEALTH];
    struct laz_watching *watching = &merge->policy->watching;
    watching->is_said = watching->is_said || health != NULL;
    for (size_t i = 0; laz_check_lists[i] != LAZ_FIELD_ROOT; i++) {
        merge_checks(merge, document->at[laz_check_lists[i]]);
    }
    merge_sinks(merge, document->at[LAZ_FIELD_REQUIRES_SINKS]);
}

/* ---- When all are in ---- */

static const char *text_of(
        struct laz_merge *merge, const struct laz_node *mapping, enum laz_field_id field)
{
    return laz_merge_text(merge, laz_check_child(mapping, field));
}

static const char *copy_part(struct laz_merge *merge, const char *text, size_t length)
{
    const char *copy = laz_arena_copy(merge->arena, text, length);
    return copy == NULL ? "" : copy; /* the load fails for want of memory */
}

static void fill_address(
        struct laz_merge *merge, const struct laz_node *node, struct laz_health_check *ret)
{
    struct laz_address address;
    if (laz_address_split(node->text, node->length, &address)) {
        ret->host = copy_part(merge, address.host, address.host_length);
        ret->port = address.port;
    }
}

static void fill_http(struct laz_merge *merge, const struct laz_node *check,
        const struct laz_node *node, struct laz_health_check *ret)
{
    struct laz_url url;
    const struct laz_node *expect = laz_check_child(check, LAZ_FIELD_CHECK_EXPECT);
    const char *status =
            expect != NULL ? expect->text : laz_field_at(LAZ_FIELD_CHECK_EXPECT)->preset;
    (void)laz_status_split(status, &ret->expect_min, &ret->expect_max); /* it was checked */
    if (!laz_url_split(node->text, &url)) {
        return;
    }
    ret->host = copy_part(merge, url.host, url.host_length);
    ret->port = url.port;
    ret->path = url.path[0] == '/' ? copy_part(merge, url.path, strlen(url.path)) : "/";
    ret->is_tls = url.is_https;
    ret->ca = text_of(merge, check, LAZ_FIELD_CHECK_CA);
    ret->server_name = text_of(merge, check, LAZ_FIELD_CHECK_SERVER_NAME);
    if (ret->is_tls && ret->server_name[0] == '\0') {
        ret->server_name = ret->host;
    }
}

/* Its words, and its number: one more than there can be is reported when all is complete. */
static void fill_command(
        struct laz_merge *merge, struct laz_node *words, struct laz_health_check *ret)
{
    struct laz_watching *watching = &merge->policy->watching;
    struct laz_health_command command = {0};
    for (struct laz_node *word = laz_check_item(words, NULL); word != NULL;
            word = laz_check_item(words, word)) {
        command.length += word->length + 1;
        command.n++;
    }
    char *text = laz_arena_take(merge->arena, command.length + 1, 1);
    if (text == NULL || watching->n_commands == LAZ_HEALTH_COMMANDS_MAX) {
        return;
    }
    command.first = text;
    for (struct laz_node *word = laz_check_item(words, NULL); word != NULL;
            word = laz_check_item(words, word)) {
        (void)memcpy(text, word->text, word->length + 1);
        text += word->length + 1;
    }
    ret->command = (uint8_t)watching->n_commands;
    watching->commands[watching->n_commands++] = command;
}

static void fill_times(const struct laz_node *check, struct laz_health_check *ret)
{
    const struct laz_node *every = laz_check_child(check, LAZ_FIELD_CHECK_EVERY);
    const struct laz_node *timeout = laz_check_child(check, LAZ_FIELD_CHECK_TIMEOUT);
    ret->every_ms = every == NULL ? LAZ_HEALTH_EVERY : (uint32_t)every->number;
    ret->timeout_ms =
            ret->every_ms / 2 < LAZ_HEALTH_TIMEOUT ? ret->every_ms / 2 : LAZ_HEALTH_TIMEOUT;
    ret->timeout_ms = timeout == NULL ? ret->timeout_ms : (uint32_t)timeout->number;
}

static enum laz_health_list list_of(const struct laz_node *check)
{
    return check->field == LAZ_FIELD_STARTUP_CHECKS  ? LAZ_HEALTH_STARTUP
            : check->field == LAZ_FIELD_READY_CHECKS ? LAZ_HEALTH_READY
                                                     : LAZ_HEALTH_LIVE;
}

static void fill_check(
        struct laz_merge *merge, const struct laz_node *check, struct laz_health_check *ret)
{
    const struct laz_node *tcp = laz_check_child(check, LAZ_FIELD_CHECK_TCP);
    const struct laz_node *grpc = laz_check_child(check, LAZ_FIELD_CHECK_GRPC);
    const struct laz_node *http = laz_check_child(check, LAZ_FIELD_CHECK_HTTP);
    *ret = (struct laz_health_check){
            .name = text_of(merge, check, LAZ_FIELD_CHECK_NAME),
            .list = list_of(check),
            .kind = tcp != NULL    ? LAZ_HEALTH_TCP
                    : http != NULL ? LAZ_HEALTH_HTTP
                    : grpc != NULL ? LAZ_HEALTH_GRPC
                                   : LAZ_HEALTH_EXEC,
            .host = "",
            .path = "",
            .ca = "",
            .server_name = "",
            .service = text_of(merge, check, LAZ_FIELD_CHECK_SERVICE),
            .command = LAZ_HEALTH_NONE,
    };
    fill_times(check, ret);
    if (http != NULL) {
        fill_http(merge, check, http, ret);
    } else if (tcp != NULL || grpc != NULL) {
        fill_address(merge, tcp != NULL ? tcp : grpc, ret);
    } else {
        fill_command(merge, laz_check_child(check, LAZ_FIELD_CHECK_EXEC), ret);
    }
}

static void fill_listen(struct laz_merge *merge)
{
    struct laz_watching *watching = &merge->policy->watching;
    const struct laz_node *listen = merge->said[LAZ_FIELD_HEALTH_LISTEN];
    const struct laz_node *tls = merge->said[LAZ_FIELD_HEALTH_TLS];
    const struct laz_fetch_config *secrets = &merge->policy->secrets.config;
    struct laz_address address;
    watching->config.host = "";
    if (listen != NULL && laz_socket_split(listen->text, listen->length, &address)) {
        watching->config.host = copy_part(merge, address.host, address.host_length);
        watching->config.port = address.port;
    }
    for (uint32_t i = 0; tls != NULL && i < secrets->n_identities; i++) {
        if (strcmp(secrets->identities[i].name, tls->text) == 0) {
            watching->identity = i;
            watching->config.has_identity = true;
        }
    }
}

/* Where nobody but the workload connects, or nobody but those who ask for health. */
static void fill_own_ports(struct laz_policy *policy)
{
    const struct laz_tunnel_config *tunnels = &policy->tunneling.config;
    struct laz_health_config *config = &policy->watching.config;
    if (config->port != 0) {
        config->own_ports[config->n_own_ports++] = config->port;
    }
    for (uint32_t i = 0; i < tunnels->n_entries; i++) {
        if (!tunnels->entries[i].listens && tunnels->entries[i].bind.port != 0) {
            config->own_ports[config->n_own_ports++] = tunnels->entries[i].bind.port;
        }
    }
}

_Static_assert(LAZ_HEALTH_OWN_PORTS_MAX == LAZ_TUNNEL_ENTRIES_MAX + 1, "each may be one");
_Static_assert(LAZ_HEALTH_ITEMS_MAX == LAZ_FETCH_ITEMS_MAX, "all have a number");
_Static_assert(LAZ_HEALTH_SINKS_MAX == LAZ_SHIP_SINKS_MAX, "all may be needed");

static uint32_t number_of(const struct laz_merge *merge, enum laz_field_id field)
{
    return merge->said[field] == NULL ? 0 : (uint32_t)merge->said[field]->number;
}

void laz_finish_health(struct laz_merge *merge)
{
    struct laz_policy *policy = merge->policy;
    struct laz_watching *watching = &policy->watching;
    struct laz_health_config *config = &watching->config;
    laz_merge_party(policy, &config->workload);
    fill_listen(merge);
    for (uint32_t i = 0; i < config->n_checks; i++) {
        fill_check(merge, merge->checks[i], &config->checks[i]);
        watching->checks[i] = merge->checks[i];
    }
    watching->color = laz_merge_text(merge, merge->said[LAZ_FIELD_HEALTH_COLOR_FROM]);
    watching->version = laz_merge_text(merge, merge->said[LAZ_FIELD_HEALTH_VERSION_FROM]);
    config->startup_deadline_ms = number_of(merge, LAZ_FIELD_STARTUP_DEADLINE);
    config->certificate_s = number_of(merge, LAZ_FIELD_REQUIRES_CERTIFICATES);
    config->spool_percent = number_of(merge, LAZ_FIELD_REQUIRES_SPOOL);
    config->require_enforce = number_of(merge, LAZ_FIELD_REQUIRES_MODE) != 0;
    config->lb_max_ms = policy->shutdown.lb_grace_ms;
    if (config->lb_least_ms > config->lb_max_ms) {
        config->lb_least_ms = config->lb_max_ms; /* where it is said, an error later on */
    }
    config->n_items = policy->secrets.config.n_items;
    for (uint32_t i = 0; i < config->n_items; i++) {
        config->items[i] = policy->secrets.config.items[i].name;
    }
    fill_own_ports(policy);
}

/* ---- Lookups ---- */

struct laz_pos laz_policy_pos_of_check(const struct laz_policy *policy, const char *name)
{
    for (uint32_t i = 0; i < policy->watching.config.n_checks; i++) {
        if (strcmp(policy->watching.config.checks[i].name, name) == 0) {
            return policy->watching.checks[i]->pos;
        }
    }
    return (struct laz_pos){0};
}
