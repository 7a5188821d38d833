/* SPDX-License-Identifier: Apache-2.0
 *
 * What of the container's environment leads `ship` to credentials of AWS, and what its confinement
 * has to leave it for them: a port, and the folder of a token that is replaced while we run.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "init/ship/ship.h"

int laz_ship_take_variable(
        struct laz_ship_orders *orders, const struct laz_message *message, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint8_t which = laz_fields_u8(&fields);
    const char *value = laz_fields_string(&fields);
    if (!laz_fields_done(&fields) || which >= LAZ_VARIABLE_COUNT ||
            strlen(value) > LAZ_VARIABLE_MAX) {
        return laz_err_set(err, LAZ_E_INTERNAL, 0, "no such variable: %u", which);
    }
    (void)snprintf(orders->variables[which], sizeof(orders->variables[which]), "%s", value);
    return 0;
}

void laz_ship_read_cloud(struct laz_ship *ship)
{
    const struct laz_ship_orders *orders = &ship->orders;
    ship->aws = (struct laz_aws_environment){
            .relative_uri = orders->variables[LAZ_VARIABLE_CREDENTIALS_RELATIVE],
            .full_uri = orders->variables[LAZ_VARIABLE_CREDENTIALS_FULL],
            .token = orders->variables[LAZ_VARIABLE_AUTHORIZATION],
            .token_file = orders->variables[LAZ_VARIABLE_AUTHORIZATION_FILE],
            .no_imds = orders->variables[LAZ_VARIABLE_IMDS_DISABLED],
            .region = orders->variables[LAZ_VARIABLE_REGION],
            .default_region = orders->variables[LAZ_VARIABLE_DEFAULT_REGION],
    };
}

static int open_folder(const char *file)
{
    char folder[LAZ_VARIABLE_MAX + 1];
    const char *slash = strrchr(file, '/');
    if (slash == NULL) {
        return -1;
    }
    (void)snprintf(folder, sizeof(folder), "%.*s", slash == file ? 1 : (int)(slash - file), file);
    return open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

void laz_ship_narrow_cloud(const struct laz_ship *ship, struct laz_narrow *ret)
{
    const struct laz_ship_config *config = &ship->orders.config;
    bool needs_credentials = false;
    ret->token_folder = -1;
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        needs_credentials = needs_credentials || sink->group[0] != '\0';
        if (sink->type == LAZ_SINK_EMF && sink->port != 0) {
            ret->ports[ret->n_ports++] = sink->port;
        }
    }
    if (needs_credentials) {
        ret->ports[ret->n_ports++] = laz_aws_credentials_port(&ship->aws);
        ret->token_folder = open_folder(ship->aws.token_file);
    }
}
