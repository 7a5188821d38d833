/* SPDX-License-Identifier: Apache-2.0
 *
 * sense: what is watched, and what is expected; what only the whole policy shows about it; and what
 * of it is given up, by name. Lists add up.
 */
#include <inttypes.h>
#include <linux/capability.h>
#include <string.h>

#include "policy/address.h"
#include "policy/merge.h"

static const char own_files[] = "watched by \"sense.files.watch\": what Lazaret writes there would "
                                "be told as changed: name it under \"sense.files.except\"";

/* ---- One document more ---- */

static bool has_port(const struct laz_sense_config *config, struct laz_sense_port wanted)
{
    for (uint32_t i = 0; i < config->n_ports; i++) {
        if (config->ports[i].port == wanted.port && config->ports[i].protocol == wanted.protocol) {
            return true;
        }
    }
    return false;
}

static void merge_ports(struct laz_merge *merge, struct laz_node *list)
{
    struct laz_sensing *sensing = &merge->policy->sensing;
    struct laz_sense_config *config = &sensing->config;
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        const struct laz_sense_port port = {.port = (uint16_t)(node->number & UINT16_MAX),
                .protocol = (enum laz_sense_protocol)(node->number >> 16)};
        if (has_port(config, port)) {
            continue;
        }
        if (config->n_ports == LAZ_SENSE_PORTS_MAX) {
            laz_report_node(merge->report, LAZ_E_POLICY_TOO_LARGE, node, "more than %d ports",
                    LAZ_SENSE_PORTS_MAX);
            return;
        }
        sensing->port_pos[config->n_ports] = node->pos;
        config->ports[config->n_ports++] = port;
    }
}

void laz_merge_sense(struct laz_merge *merge, struct laz_document *document)
{
    struct laz_sensing *sensing = &merge->policy->sensing;
    const struct laz_node *said = document->at[LAZ_FIELD_SENSE];
    sensing->is_said = sensing->is_said || (said != NULL && !said->is_bad);
    merge_ports(merge, document->at[LAZ_FIELD_LISTEN_ALLOW]);
    laz_merge_texts(
            merge, document->at[LAZ_FIELD_FOREIGN_ALLOW], &sensing->foreign, LAZ_SENSE_FOREIGN_MAX);
    laz_merge_texts(
            merge, document->at[LAZ_FIELD_FILES_WATCH], &sensing->watch, LAZ_SENSE_WATCH_MAX);
    laz_merge_texts(
            merge, document->at[LAZ_FIELD_FILES_EXCEPT], &sensing->except, LAZ_SENSE_WATCH_MAX);
}

/* ---- When all are in ---- */

static uint32_t copy_texts(const struct laz_string_list *texts, const char **ret)
{
    for (size_t i = 0; i < texts->n; i++) {
        ret[i] = texts->items[i];
    }
    return (uint32_t)texts->n;
}

/* Where the workload may bind, it is expected to listen. */
static void expect_bound_ports(struct laz_merge *merge)
{
    struct laz_sense_config *config = &merge->policy->sensing.config;
    const struct laz_port_list *bound = &merge->policy->tcp_bind;
    for (size_t i = 0; i < bound->n && config->n_ports < LAZ_SENSE_PORTS_MAX; i++) {
        const struct laz_sense_port port = {.port = bound->ports[i], .protocol = LAZ_SENSE_TCP};
        if (!has_port(config, port)) {
            config->ports[config->n_ports++] = port;
        }
    }
}

/* What a helper listens on is no find. */
static void expect_helpers(struct laz_merge *merge)
{
    struct laz_sense_config *config = &merge->policy->sensing.config;
    const struct laz_tunnel_config *tunnels = &merge->policy->tunneling.config;
    for (uint32_t i = 0; i < tunnels->n_entries && config->n_ports < LAZ_SENSE_PORTS_MAX; i++) {
        const struct laz_sense_port port = {
                .port = tunnels->entries[i].bind.port, .protocol = LAZ_SENSE_TCP};
        if (port.port != 0 && !has_port(config, port)) {
            config->ports[config->n_ports++] = port;
        }
    }
    const struct laz_node *listen = merge->said[LAZ_FIELD_HEALTH_LISTEN];
    struct laz_address address;
    if (listen != NULL && laz_address_split(listen->text, listen->length, &address) &&
            config->n_ports < LAZ_SENSE_PORTS_MAX) {
        const struct laz_sense_port port = {.port = address.port, .protocol = LAZ_SENSE_TCP};
        if (!has_port(config, port)) {
            config->ports[config->n_ports++] = port;
        }
    }
}

void laz_finish_sense(struct laz_merge *merge)
{
    const struct laz_policy *policy = merge->policy;
    struct laz_sensing *sensing = &merge->policy->sensing;
    struct laz_sense_config *config = &sensing->config;
    config->name = policy->name == NULL ? "" : policy->name;
    config->n_foreign = copy_texts(&sensing->foreign, config->foreign);
    config->n_watch = copy_texts(&sensing->watch, config->watch);
    config->n_except = copy_texts(&sensing->except, config->except);
    sensing->n_ports_said = config->n_ports;
    expect_bound_ports(merge);
    expect_helpers(merge);
    config->uid = policy->uid;
    config->gid = policy->gid;
    config->n_groups = policy->n_groups < LAZ_SENSE_GROUPS_MAX ? (uint32_t)policy->n_groups
                                                               : LAZ_SENSE_GROUPS_MAX;
    for (uint32_t i = 0; i < config->n_groups; i++) {
        config->groups[i] = policy->groups[i];
    }
    config->keep_capabilities = policy->keep_capabilities;
    config->is_bounded = policy->require[LAZ_REQUIRE_BOUNDING_SET] == LAZ_LEVEL_REQUIRED;
}

/* ---- Contradictions ---- */

static void check_sink(struct laz_merge *merge)
{
    bool has_sink = merge->policy->shipping.config.n_sinks > 0; /* said already if there is none */
    if (has_sink && !laz_policy_ships(merge->policy, LAZ_SHIP_CLASS_IDS) &&
            !laz_complete_is_wrong(merge, LAZ_FIELD_SINKS)) {
        laz_report_at(merge->report, LAZ_E_POLICY_INVALID, merge->policy->key_pos[LAZ_FIELD_SENSE],
                "sense: no sink takes class \"ids\": nobody would hear of what is found");
    }
}

/* Nothing of sense is more severe than its table in lib/sense/events.def says. */
static void warn_of_severity(struct laz_merge *merge)
{
    const struct laz_ship_config *config = &merge->policy->shipping.config;
    struct laz_node *first = NULL;
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        if ((sink->classes >> LAZ_SHIP_CLASS_IDS & 1) == 0) {
            continue;
        }
        if (sink->min_severity <= LAZ_SENSE_SEVERITY_MAX) {
            return;
        }
        first = first == NULL ? laz_check_child(merge->sinks[i], LAZ_FIELD_SINK_MIN_SEVERITY)
                              : first;
    }
    if (first != NULL) {
        laz_report_warning(merge->report, first,
                "nothing that \"sense\" finds is above %d: no sink of class \"ids\" would get any "
                "of it",
                LAZ_SENSE_SEVERITY_MAX);
    }
}

static bool is_watched(const struct laz_sensing *sensing, const char *path)
{
    bool is = false;
    for (size_t i = 0; i < sensing->watch.n; i++) {
        is = is || laz_path_is_at_or_below(path, sensing->watch.items[i]);
    }
    for (size_t i = 0; i < sensing->except.n; i++) {
        is = is && !laz_path_is_at_or_below(path, sensing->except.items[i]);
    }
    return is;
}

/* Nobody said where the spool is: what is watched is where it lies all the same. */
static void warn_of_default(struct laz_merge *merge)
{
    const struct laz_string_list *watch = &merge->policy->sensing.watch;
    const char *dir = merge->policy->shipping.spool_dir;
    for (size_t i = 0; i < watch->n; i++) {
        if (laz_path_is_at_or_below(dir, watch->items[i])) {
            laz_report_warning_at(merge->report, watch->pos[i],
                    "sense.files.watch: covers %s, which \"spool.dir\" is by default: what Lazaret "
                    "writes there would be told as changed: name it under \"sense.files.except\"",
                    dir);
            return;
        }
    }
}

/* Each record would be a change of a file, and make another record. */
static void warn_of_own_files(struct laz_merge *merge)
{
    const struct laz_sensing *sensing = &merge->policy->sensing;
    const struct laz_policy_shipping *shipping = &merge->policy->shipping;
    const struct laz_node *spool = merge->said[LAZ_FIELD_SPOOL_DIR];
    if (spool == NULL && is_watched(sensing, shipping->spool_dir)) {
        warn_of_default(merge);
    } else if (is_watched(sensing, shipping->spool_dir)) {
        laz_report_warning(merge->report, spool, "%s", own_files);
    }
    for (uint32_t i = 0; i < shipping->config.n_sinks; i++) {
        const struct laz_ship_sink *sink = &shipping->config.sinks[i];
        const struct laz_node *path = laz_check_child(merge->sinks[i], LAZ_FIELD_SINK_PATH);
        if (sink->type == LAZ_SINK_FILE && path != NULL && is_watched(sensing, sink->path)) {
            laz_report_warning(merge->report, path, "%s", own_files);
        }
    }
}

/* Files there are not kept: the kernel makes them when they are read. */
static bool check_watch(struct laz_merge *merge)
{
    bool is_right = true;
    static const char *const made_up[] = {"/proc", "/sys", "/dev"};
    const struct laz_string_list *watch = &merge->policy->sensing.watch;
    for (size_t i = 0; i < watch->n; i++) {
        bool is_made_up = strcmp(watch->items[i], "/") == 0;
        for (size_t k = 0; k < sizeof(made_up) / sizeof(made_up[0]); k++) {
            is_made_up = is_made_up || laz_path_is_at_or_below(watch->items[i], made_up[k]);
        }
        if (is_made_up) {
            is_right = false;
            struct laz_quoted quoted;
            laz_report_at(merge->report, LAZ_E_POLICY_INVALID, watch->pos[i],
                    "sense.files.watch: %s has files that the kernel makes up: name folders of "
                    "the image or of a volume",
                    laz_quote(&quoted, watch->items[i], strlen(watch->items[i])));
        }
    }
    return is_right;
}

/* More is watched than was meant: no harm, but a mistake. Or less: nothing is left of what somebody
 * named. */
static void warn_of_except(struct laz_merge *merge, struct laz_node *list)
{
    const struct laz_sensing *sensing = &merge->policy->sensing;
    for (struct laz_node *node = laz_check_item(list, NULL); node != NULL;
            node = laz_check_item(list, node)) {
        bool is_below = false;
        const char *gone = NULL;
        for (size_t k = 0; k < sensing->watch.n; k++) {
            const char *watched = sensing->watch.items[k];
            is_below = is_below || laz_path_is_at_or_below(node->text, watched);
            gone = laz_path_is_at_or_below(watched, node->text) ? watched : gone;
        }
        if (gone != NULL) {
            struct laz_quoted quoted;
            laz_report_warning(merge->report, node,
                    "excepts all of %s, which \"sense.files.watch\" names: it is not watched",
                    laz_quote(&quoted, gone, strlen(gone)));
        } else if (!is_below) {
            laz_report_warning(merge->report, node,
                    "excepts nothing: it is below nothing of \"sense.files.watch\"");
        }
    }
}

static void check_except(struct laz_merge *merge)
{
    for (size_t i = 0; i < merge->load->n_order; i++) {
        warn_of_except(
                merge, merge->load->documents[merge->load->order[i]].at[LAZ_FIELD_FILES_EXCEPT]);
    }
}

static void check_required(struct laz_merge *merge)
{
    const struct laz_sensing *sensing = &merge->policy->sensing;
    struct laz_node *level = merge->said[LAZ_FIELD_FILES_LEVEL];
    if (level != NULL && sensing->config.level[LAZ_DETECTOR_FILES] == LAZ_LEVEL_REQUIRED &&
            sensing->watch.n == 0) {
        laz_report_node(merge->report, LAZ_E_POLICY_INVALID, level,
                "nothing is watched: name files or folders under \"sense.files.watch\"");
    }
}

void laz_complete_sense_length(struct laz_merge *merge, enum laz_field_id section)
{
    struct laz_buf buf;
    struct laz_err err = {0};
    char *memory = laz_arena_take(merge->arena, LAZ_SENSE_MAX + 1, 1);
    if (memory == NULL) {
        return;
    }
    laz_buf_init_fixed(&buf, memory, LAZ_SENSE_MAX + 1);
    if (laz_sense_encode(&merge->policy->sensing.config, &buf, &err) < 0) {
        laz_report_at(merge->report, err.kind, merge->policy->key_pos[section], "%s: %s",
                laz_field_at(section)->key, err.message);
    }
}

void laz_complete_sense(struct laz_merge *merge)
{
    if (!merge->policy->sensing.is_said || laz_complete_is_wrong(merge, LAZ_FIELD_SENSE)) {
        return;
    }
    check_sink(merge);
    warn_of_severity(merge);
    if (check_watch(merge)) {
        warn_of_own_files(merge);
    }
    check_except(merge);
    check_required(merge);
    laz_complete_sense_length(merge, LAZ_FIELD_SENSE);
}

/* ---- What is given up ---- */

void laz_relaxations_sense(struct laz_merge *merge)
{
    const struct laz_sensing *sensing = &merge->policy->sensing;
    for (size_t i = 0; sensing->is_said && i < sensing->foreign.n; i++) {
        laz_relaxations_add(merge, sensing->foreign.pos[i],
                "sense: processes from outside that call themselves %s", sensing->foreign.items[i]);
    }
}
