/* SPDX-License-Identifier: Apache-2.0
 *
 * The section of a compiled policy that the role `health` reads. What is taken is in range, lies
 * inside the bytes, fits together and is written again the same.
 */
#include "policy/health.h"

#include <stdlib.h>

#include "fuzz.h"

static void require_inside(const char *text, size_t most, const char *block, size_t size)
{
    require(text >= block && text < block + size);
    require(strnlen(text, size - (size_t)(text - block)) < size - (size_t)(text - block));
    require(strlen(text) <= most);
}

static void check_check(const struct laz_health_check *check, const char *block, size_t size)
{
    require_inside(check->name, LAZ_HEALTH_NAME_MAX, block, size);
    require_inside(check->host, LAZ_HEALTH_HOST_MAX, block, size);
    require_inside(check->path, LAZ_HEALTH_PATH_MAX, block, size);
    require_inside(check->ca, LAZ_HEALTH_MAX, block, size);
    require_inside(check->server_name, LAZ_HEALTH_HOST_MAX, block, size);
    require_inside(check->service, LAZ_HEALTH_SERVICE_MAX, block, size);
    require(check->list < LAZ_HEALTH_LIST_COUNT && check->kind < LAZ_HEALTH_KIND_COUNT);
    require(laz_health_list_name(check->list) != NULL && laz_health_kind_name(check->kind) != NULL);
    require(check->timeout_ms >= LAZ_HEALTH_TIMEOUT_MIN && check->timeout_ms < check->every_ms);
    require(check->kind == LAZ_HEALTH_EXEC ? check->command < LAZ_HEALTH_COMMANDS_MAX
                                           : check->host[0] != '\0' && check->port != 0);
    require(check->kind != LAZ_HEALTH_HTTP || check->path[0] == '/');
    /* Nobody is believed whose certificate is not looked at. */
    require(!check->is_tls || (check->ca[0] == '/' && check->server_name[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct laz_health_config config;
    struct laz_err err = {0};
    char *block = exact_copy(data, size);
    if (laz_health_decode(block, size, &config, &err) < 0) {
        require(err.kind == LAZ_E_IMAGE_CORRUPT && err.message[0] != '\0');
        free(block);
        return 0;
    }
    require(config.workload.n_groups <= LAZ_PARTY_GROUPS_MAX);
    require(config.n_checks <= LAZ_HEALTH_CHECKS_MAX && config.n_sinks <= LAZ_HEALTH_SINKS_MAX);
    require(config.n_items <= LAZ_HEALTH_ITEMS_MAX);
    require(config.n_own_ports <= LAZ_HEALTH_OWN_PORTS_MAX);
    require(config.lb_least_ms <= config.lb_max_ms);
    require_inside(config.host, LAZ_HEALTH_HOST_MAX, block, size);
    for (uint32_t i = 0; i < config.n_checks; i++) {
        check_check(&config.checks[i], block, size);
    }
    for (uint32_t i = 0; i < config.n_sinks; i++) {
        require_inside(config.sinks[i], LAZ_HEALTH_NAME_MAX, block, size);
    }
    for (uint32_t i = 0; i < config.n_items; i++) {
        require_inside(config.items[i], LAZ_HEALTH_MAX, block, size);
    }
    struct laz_buf again;
    laz_buf_init_heap(&again, LAZ_HEALTH_MAX + 1);
    require(laz_health_encode(&config, &again, &err) == 0);
    require(again.len == size && memcmp(again.data, block, size) == 0);
    laz_buf_done(&again);
    free(block);
    return 0;
}
