/* SPDX-License-Identifier: Apache-2.0
 *
 * From a resolved policy to the block that PID 1 reads: compile, prove, run the policy's own tests,
 * encode. Must never encode a filter that is not proved.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "filter/filter.h"
#include "policy/image.h"
#include "policy/section.h"

static int check_ceiling(size_t n, size_t ceiling, const char *what, struct laz_err *err)
{
    return n <= ceiling ? 0
                        : laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                                  "%zu %s: no more than %zu are possible", n, what, ceiling);
}

/* `buf` keeps the strings as long as the image is used. */
static struct laz_strings put_strings(struct laz_buf *buf, const struct laz_string_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        laz_buf_put(buf, list->items[i], strlen(list->items[i]) + 1);
    }
    return (struct laz_strings){.n = (uint32_t)list->n, .first = buf->data};
}

static void fill_paths(
        struct laz_image *image, const struct laz_policy *policy, struct laz_buf *buf)
{
    for (size_t i = 0; i < policy->n_paths; i++) {
        const struct laz_path_rule *rule = &policy->paths[i];
        laz_buf_char(buf, (char)rule->class);
        laz_buf_char(buf, rule->optional ? 1 : 0);
        laz_buf_put(buf, rule->path, strlen(rule->path) + 1);
    }
    image->n_paths = (uint32_t)policy->n_paths;
    image->paths = (const uint8_t *)buf->data;
}

static void fill_confinement(struct laz_image *image, const struct laz_policy *policy)
{
    for (size_t i = 0; i < LAZ_REQUIRE_COUNT; i++) {
        image->require[i] = policy->require[i];
    }
    image->n_groups = (uint32_t)policy->n_groups;
    for (size_t i = 0; i < policy->n_groups; i++) {
        image->groups[i] = policy->groups[i];
    }
    for (uint32_t i = 0; i < LAZ_LIMIT_COUNT; i++) {
        if (policy->limits[i].set) {
            image->limits[image->n_limits++] =
                    (struct laz_image_limit){.resource = i, .value = policy->limits[i].value};
        }
    }
    image->isolate_signals = policy->isolate_signals;
    image->isolate_abstract_sockets = policy->isolate_abstract_sockets;
    image->tcp_bind_any = policy->tcp_bind.any;
    image->tcp_connect_any = policy->tcp_connect.any;
    image->tls_plain = policy->plain.mode;
    /* Whoever requires Landlock requires what this needs of it. */
    if (image->tls_plain == LAZ_PLAIN_ENFORCE && image->landlock_min_abi < LAZ_PLAIN_LANDLOCK_ABI) {
        image->landlock_min_abi = LAZ_PLAIN_LANDLOCK_ABI;
    }
    image->n_tcp_bind = (uint32_t)policy->tcp_bind.n;
    image->n_tcp_connect = (uint32_t)policy->tcp_connect.n;
    image->tcp_bind = policy->tcp_bind.ports;
    image->tcp_connect = policy->tcp_connect.ports;
}

_Static_assert(LAZ_IMAGE_SHIP_MAX == LAZ_SHIP_MAX, "what PID 1 carries is what ship reads");
_Static_assert(LAZ_IMAGE_SENSE_MAX == LAZ_SENSE_MAX, "and sense");
_Static_assert(LAZ_IMAGE_PIPE_MAX == LAZ_SHIP_PIPE_MAX, "one ceiling for pipes");

/* `ship` keeps what the image borrows. */
static int fill_shipping(struct laz_image *image, const struct laz_policy *policy,
        struct laz_buf *ship, struct laz_err *err)
{
    const struct laz_policy_shipping *shipping = &policy->shipping;
    const struct laz_ship_config *config = &shipping->config;
    image->flush_ms = policy->shutdown.flush_ms;
    image->ships = config->n_sinks > 0;
    if (!image->ships) {
        return 0;
    }
    image->capture = shipping->capture && laz_policy_ships(policy, LAZ_SHIP_CLASS_LOG);
    image->passthrough = config->passthrough;
    image->start_acked = config->durability_acked;
    image->pipe_bytes = config->pipe_bytes;
    image->start_wait_ms = shipping->start_wait_ms;
    image->spool_dir = shipping->spool_dir;
    if (laz_ship_encode(config, ship, err) < 0) {
        return -1;
    }
    image->ship = (const uint8_t *)ship->data;
    image->ship_length = (uint32_t)ship->len;
    return 0;
}

/* `sense` keeps what the image borrows. */
static int fill_sense(struct laz_image *image, const struct laz_policy *policy,
        struct laz_buf *sense, struct laz_err *err)
{
    if (!policy->sensing.is_said && policy->volumes.n == 0) {
        return 0;
    }
    if (laz_sense_encode(&policy->sensing.config, sense, err) < 0) {
        return -1;
    }
    image->sense = (const uint8_t *)sense->data;
    image->sense_length = (uint32_t)sense->len;
    image->sense_required = policy->volumes.n > 0;
    for (size_t i = 0; i < LAZ_DETECTOR_COUNT; i++) {
        image->sense_required =
                image->sense_required || policy->sensing.config.level[i] == LAZ_LEVEL_REQUIRED;
    }
    return 0;
}

_Static_assert(LAZ_IMAGE_FETCH_MAX == LAZ_FETCH_MAX, "what PID 1 carries is what fetch reads");
_Static_assert(LAZ_IMAGE_FETCHED_MAX == LAZ_FETCH_ITEMS_MAX, "of all items");
_Static_assert(LAZ_IMAGE_TOGETHER_MAX == LAZ_FETCH_IDENTITIES_MAX, "an identity is a group");
_Static_assert(LAZ_IMAGE_SECRET_MAX == LAZ_FETCH_VALUE_MAX, "of what it brings");
_Static_assert(LAZ_IMAGE_DELIVERIES_MAX >= 3 * LAZ_FETCH_ITEMS_MAX,
        "a file, a descriptor and a variable each");

static void put_delivery(
        struct laz_buf *buf, uint32_t item, uint32_t fd, uint32_t mode, const char *path)
{
    laz_buf_char(buf, (char)item);
    laz_buf_char(buf, (char)fd);
    laz_buf_char(buf, (char)(mode & 0xff));
    laz_buf_char(buf, (char)(mode >> 8));
    laz_buf_put(buf, path, strlen(path) + 1);
}

/* What the image borrows for its secrets. */
struct secret_bytes {
    struct laz_buf section;
    struct laz_buf names;
    struct laz_buf variables;
    struct laz_buf deliveries;
    uint8_t renewals[LAZ_IMAGE_RENEWAL_BYTES * LAZ_FETCH_ITEMS_MAX];
};

static void fill_renewal(struct laz_image *image, const struct laz_policy_secrets *secrets,
        struct secret_bytes *keep)
{
    const struct laz_policy_renewal *renewal = &secrets->renewal;
    for (uint32_t i = 0; i < secrets->config.n_items; i++) {
        uint8_t *bytes = keep->renewals + (size_t)LAZ_IMAGE_RENEWAL_BYTES * i;
        bytes[0] = renewal->is_renewed[i];
        bytes[1] = renewal->signal[i];
        bytes[2] = renewal->group[i];
    }
    image->renewals = keep->renewals;
    if (!renewal->is_said) {
        return;
    }
    image->refresh_ms = renewal->interval_ms;
    image->refresh_jitter = renewal->jitter;
    image->refresh_least_ms = renewal->least_ms;
    image->stale_ms = renewal->stale_ms;
    image->stale_then = renewal->then;
    image->retire_ms = renewal->grace_ms;
}

static int fill_secrets(struct laz_image *image, const struct laz_policy *policy,
        struct secret_bytes *keep, struct laz_err *err)
{
    const struct laz_policy_secrets *secrets = &policy->secrets;
    const struct laz_fetch_config *config = &secrets->config;
    image->fetches = config->n_items > 0;
    if (!image->fetches) {
        return 0;
    }
    if (laz_fetch_encode(config, &keep->section, err) < 0) {
        return -1;
    }
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        const struct laz_secret_delivery *delivery = &secrets->deliveries[i];
        const char *variable = item->source == LAZ_SECRET_VARIABLE ? item->from : "";
        laz_buf_put(&keep->names, item->name, strlen(item->name) + 1);
        laz_buf_put(&keep->variables, variable, strlen(variable) + 1);
        if (delivery->path[0] != '\0') {
            put_delivery(&keep->deliveries, i, 0, delivery->mode, delivery->path);
            image->n_deliveries++;
        }
        if (delivery->fd != 0) {
            put_delivery(&keep->deliveries, i, delivery->fd, 0400, "");
            image->n_deliveries++;
        }
        if (delivery->exposed != NULL) {
            put_delivery(&keep->deliveries, i, LAZ_IMAGE_FD_VARIABLE, 0400, delivery->exposed);
            image->n_deliveries++;
        }
    }
    laz_buf_put(&keep->variables, config->vault.token_variable,
            strlen(config->vault.token_variable) + 1);
    fill_renewal(image, secrets, keep);
    image->secrets_dir = secrets->dir;
    image->fetch_wait_ms = config->wait_ms;
    image->fetch = (const uint8_t *)keep->section.data;
    image->fetch_length = (uint32_t)keep->section.len;
    image->fetched = (struct laz_strings){.n = config->n_items, .first = keep->names.data};
    image->inherited =
            (struct laz_strings){.n = config->n_items + 1, .first = keep->variables.data};
    image->deliveries = (const uint8_t *)keep->deliveries.data;
    if (keep->names.overflow || keep->variables.overflow || keep->deliveries.overflow) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "the compiled policy would be larger than %d bytes", LAZ_IMAGE_MAX);
    }
    return 0;
}

_Static_assert(LAZ_IMAGE_TUNNEL_MAX == LAZ_TUNNEL_MAX, "what PID 1 carries is what tunnel reads");
_Static_assert(LAZ_IMAGE_TUNNELS_MAX == LAZ_TUNNEL_ENTRIES_MAX, "a socket each");

/* The number of that item; the policy has been checked. */
static uint8_t find_part(
        const struct laz_fetch_config *config, uint32_t identity, enum laz_identity_part part)
{
    for (uint32_t i = 0; i < config->n_items; i++) {
        const struct laz_fetch_item *item = &config->items[i];
        if (item->source == LAZ_SECRET_IDENTITY && item->identity == identity &&
                item->part == part) {
            return (uint8_t)i;
        }
    }
    return 0;
}

/* `tunnel` keeps what the image borrows. */
static int fill_tunnel(struct laz_image *image, const struct laz_policy *policy,
        struct laz_buf *tunnel, struct laz_err *err)
{
    const struct laz_tunnel_config *config = &policy->tunneling.config;
    image->n_tunnels = config->n_entries;
    if (image->n_tunnels == 0) {
        return 0;
    }
    image->n_identities = config->n_identities;
    for (uint32_t i = 0; i < config->n_identities; i++) {
        uint32_t identity = policy->tunneling.identity[i];
        laz_buf_char(
                tunnel, (char)find_part(&policy->secrets.config, identity, LAZ_IDENTITY_CHAIN));
        laz_buf_char(tunnel, (char)find_part(&policy->secrets.config, identity, LAZ_IDENTITY_KEY));
    }
    size_t start = tunnel->len;
    if (laz_tunnel_encode(config, tunnel, err) < 0) {
        return -1;
    }
    image->identities = (const uint8_t *)tunnel->data;
    for (uint32_t i = 0; i < config->n_entries; i++) {
        image->tunnels_in |= config->entries[i].listens ? UINT32_C(1) << i : 0;
    }
    image->tunnel = (const uint8_t *)tunnel->data + start;
    image->tunnel_length = (uint32_t)(tunnel->len - start);
    return 0;
}

_Static_assert(LAZ_IMAGE_HEALTH_MAX == LAZ_HEALTH_MAX, "what PID 1 carries is what health reads");
_Static_assert(LAZ_IMAGE_COMMANDS_MAX == LAZ_HEALTH_COMMANDS_MAX, "one ceiling for commands");
_Static_assert(LAZ_IMAGE_ARGS_MAX == LAZ_HEALTH_ARGS_MAX, "and for their words");

/* What the image borrows for health. */
struct health_bytes {
    struct laz_buf section;
    struct laz_buf reported;
    struct laz_buf commands;
};

static int fill_health(struct laz_image *image, const struct laz_policy *policy,
        struct health_bytes *keep, struct laz_err *err)
{
    const struct laz_watching *watching = &policy->watching;
    image->watches = watching->is_said;
    if (!image->watches) {
        return 0;
    }
    image->startup_deadline_ms = watching->config.startup_deadline_ms;
    image->lb_least_ms = watching->config.lb_least_ms;
    image->health_shows = watching->config.has_identity;
    if (image->health_shows) {
        image->health_identity[0] =
                find_part(&policy->secrets.config, watching->identity, LAZ_IDENTITY_CHAIN);
        image->health_identity[1] =
                find_part(&policy->secrets.config, watching->identity, LAZ_IDENTITY_KEY);
    }
    laz_buf_put(&keep->reported, watching->color, strlen(watching->color) + 1);
    laz_buf_put(&keep->reported, watching->version, strlen(watching->version) + 1);
    image->reported = (struct laz_strings){.n = 2, .first = keep->reported.data};
    for (uint32_t i = 0; i < watching->n_commands; i++) {
        const struct laz_health_command *command = &watching->commands[i];
        laz_section_put_uint(&keep->commands, command->n, 4);
        laz_buf_put(&keep->commands, command->first, command->length);
    }
    image->n_commands = watching->n_commands;
    image->commands = (const uint8_t *)keep->commands.data;
    if (laz_health_encode(&watching->config, &keep->section, err) < 0) {
        return -1;
    }
    image->health = (const uint8_t *)keep->section.data;
    image->health_length = (uint32_t)keep->section.len;
    if (keep->reported.overflow || keep->commands.overflow) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "the compiled policy would be larger than %d bytes", LAZ_IMAGE_MAX);
    }
    return 0;
}

static void fill_supervision(struct laz_image *image, const struct laz_policy *policy)
{
    (void)memcpy(image->signal_map, policy->signal_map, sizeof(image->signal_map));
    image->n_exit_map = (uint32_t)policy->n_exit_map;
    for (size_t i = 0; i < policy->n_exit_map; i++) {
        image->exit_map[i] = (struct laz_image_exit){.from = policy->exit_map[i].from,
                .to = policy->exit_map[i].to,
                .only_if_stop_requested = policy->exit_map[i].only_if_stop_requested};
    }
}

/* Everything that is one value on both sides. */
static struct laz_image start_image(const struct laz_policy *policy, enum laz_arch arch)
{
    struct laz_image image = {
            .audit_arch = laz_arch_audit(arch),
            .name = policy->name,
            .mode = policy->mode,
            .landlock_min_abi = policy->landlock_min_abi,
            .uid = policy->uid,
            .gid = policy->gid,
            .cwd = policy->cwd,
            .umask = policy->umask,
            .exec_budget = policy->exec_budget,
            .keep_capabilities = policy->keep_capabilities,
            .flood_burst = policy->flood.burst,
            .flood_per_second = policy->flood.per_second,
            .flood_hold_ms = policy->flood.hold_ms,
            .flood_kill_after = policy->flood.kill_after,
            .signal_guard = policy->signal_guard,
            .signal_group = policy->signal_group,
            .signal_stop = policy->signal_stop,
            .stop_timeout_ms = policy->shutdown.stop_timeout_ms,
            .lb_grace_ms = policy->shutdown.lb_grace_ms,
            .grace_ms = policy->shutdown.grace_ms,
            .drain_ms = policy->shutdown.drain_ms,
    };
    (void)memcpy(image.source_digest, policy->source_digest, sizeof(image.source_digest));
    return image;
}

/* Fill in what is more than one value, and encode. */
static int encode_with(const struct laz_policy *policy, struct laz_image *image,
        struct secret_bytes *keep, struct health_bytes *health, struct laz_buf *ret,
        struct laz_err *err)
{
    if (check_ceiling(policy->n_groups, LAZ_IMAGE_GROUPS_MAX, "supplementary groups", err) < 0 ||
            check_ceiling(policy->n_exit_map, LAZ_IMAGE_EXIT_MAP_MAX, "exit codes to map", err) <
                    0) {
        return -1;
    }
    fill_confinement(image, policy);
    fill_supervision(image, policy);
    laz_cleanup_buf struct laz_buf paths;
    laz_cleanup_buf struct laz_buf env_pass;
    laz_cleanup_buf struct laz_buf env_set;
    laz_cleanup_buf struct laz_buf relaxations;
    laz_cleanup_buf struct laz_buf ship;
    laz_cleanup_buf struct laz_buf sense;
    laz_cleanup_buf struct laz_buf tunnel;
    laz_buf_init_heap(&paths, LAZ_IMAGE_MAX);
    laz_buf_init_heap(&env_pass, LAZ_IMAGE_MAX);
    laz_buf_init_heap(&env_set, LAZ_IMAGE_MAX);
    laz_buf_init_heap(&relaxations, LAZ_IMAGE_MAX);
    laz_buf_init_heap(&ship, LAZ_SHIP_MAX + 1);
    laz_buf_init_heap(&sense, LAZ_SENSE_MAX + 1);
    laz_buf_init_heap(&tunnel, LAZ_TUNNEL_MAX + 2 * LAZ_TUNNEL_IDENTITIES_MAX + 1);
    fill_paths(image, policy, &paths);
    image->env_pass = put_strings(&env_pass, &policy->env_pass);
    image->env_set = put_strings(&env_set, &policy->env_set);
    image->relaxations = put_strings(&relaxations, &policy->relaxations);
    if (fill_shipping(image, policy, &ship, err) < 0 ||
            fill_sense(image, policy, &sense, err) < 0 ||
            fill_secrets(image, policy, keep, err) < 0 ||
            fill_tunnel(image, policy, &tunnel, err) < 0 ||
            fill_health(image, policy, health, err) < 0) {
        return -1;
    }
    if (paths.overflow || env_pass.overflow || env_set.overflow || relaxations.overflow) {
        return laz_err_set(err, LAZ_E_POLICY_TOO_LARGE, 0,
                "the compiled policy would be larger than %d bytes", LAZ_IMAGE_MAX);
    }
    return laz_image_encode(image, ret, err);
}

static int encode(const struct laz_policy *policy, struct laz_image *image, struct laz_buf *ret,
        struct laz_err *err)
{
    struct secret_bytes keep;
    laz_buf_init_heap(&keep.section, LAZ_FETCH_MAX + 1);
    laz_buf_init_heap(&keep.names, LAZ_IMAGE_MAX);
    laz_buf_init_heap(&keep.variables, LAZ_IMAGE_MAX);
    laz_buf_init_heap(&keep.deliveries, LAZ_IMAGE_MAX);
    struct health_bytes health;
    laz_buf_init_heap(&health.section, LAZ_HEALTH_MAX + 1);
    laz_buf_init_heap(&health.reported, LAZ_IMAGE_MAX);
    laz_buf_init_heap(&health.commands, LAZ_IMAGE_MAX);
    int result = encode_with(policy, image, &keep, &health, ret, err);
    image->renewals = NULL; /* they were keep's */
    laz_buf_done(&health.section);
    laz_buf_done(&health.reported);
    laz_buf_done(&health.commands);
    laz_buf_done(&keep.section);
    laz_buf_done(&keep.names);
    laz_buf_done(&keep.variables);
    laz_buf_done(&keep.deliveries);
    return result;
}

static int make_proved(const struct laz_policy *policy, enum laz_arch arch,
        enum laz_filter_variant variant, struct laz_filter *ret, struct laz_err *err)
{
    struct laz_filter_proof proof;
    if (laz_filter_compile(policy, arch, variant, ret, err) < 0) {
        return -1;
    }
    return laz_filter_prove(policy, arch, variant, ret, &proof, err);
}

/* In mode observe the filters let refused calls through; the tests are about what they would
 * refuse.
 */
static int run_tests_of_observer(
        const struct laz_policy *policy, enum laz_arch arch, struct laz_err *err)
{
    struct laz_policy *enforced = malloc(sizeof(*enforced)); /* too large for the stack */
    laz_cleanup_filter struct laz_filter with_events = {0};
    laz_cleanup_filter struct laz_filter plain = {0};
    if (enforced == NULL) {
        return laz_err_set(err, LAZ_E_MEMORY, ENOMEM, "no memory for the tests of the policy");
    }
    *enforced = *policy; /* borrows everything */
    enforced->mode = LAZ_MODE_ENFORCE;
    int result =
            laz_filter_compile(enforced, arch, LAZ_FILTER_WITH_EVENTS, &with_events, err) < 0 ||
                    laz_filter_compile(enforced, arch, LAZ_FILTER_PLAIN, &plain, err) < 0
            ? -1
            : laz_filter_run_tests(policy, arch, &with_events, &plain, err);
    free(enforced);
    return result;
}

int laz_filter_build_image(const struct laz_policy *policy, enum laz_arch arch, struct laz_buf *ret,
        struct laz_err *err)
{
    laz_cleanup_filter struct laz_filter with_events = {0};
    laz_cleanup_filter struct laz_filter plain = {0};
    if (make_proved(policy, arch, LAZ_FILTER_WITH_EVENTS, &with_events, err) < 0 ||
            make_proved(policy, arch, LAZ_FILTER_PLAIN, &plain, err) < 0) {
        return -1;
    }
    int tested = policy->mode == LAZ_MODE_ENFORCE
            ? laz_filter_run_tests(policy, arch, &with_events, &plain, err)
            : run_tests_of_observer(policy, arch, err);
    if (tested < 0) {
        return -1;
    }
    struct laz_image image = start_image(policy, arch);
    image.with_events =
            (struct laz_image_bpf){.n = (uint32_t)with_events.n, .insns = with_events.insns};
    image.plain = (struct laz_image_bpf){.n = (uint32_t)plain.n, .insns = plain.insns};
    return encode(policy, &image, ret, err);
}
