/* SPDX-License-Identifier: Apache-2.0
 *
 * What the confinement of `ship` leaves it for its sinks of AWS, and for the agent of ECS.
 */
#include "init/ship/ecs.h"
#include "init/ship/ship.h"

void laz_ship_narrow_cloud(struct laz_ship *ship, struct laz_narrow *ret)
{
    const struct laz_ship_config *config = &ship->orders.config;
    bool needs_credentials = false;
    uint16_t agent = laz_ship_ecs_port(ship);
    ret->token_folder = -1;
    if (agent != 0) {
        ret->ports[ret->n_ports++] = agent;
    }
    for (uint32_t i = 0; i < config->n_sinks; i++) {
        const struct laz_ship_sink *sink = &config->sinks[i];
        needs_credentials = needs_credentials || sink->group[0] != '\0';
        if (sink->type == LAZ_SINK_EMF && sink->port != 0) {
            ret->ports[ret->n_ports++] = sink->port;
        }
    }
    if (needs_credentials) {
        ret->ports[ret->n_ports++] = laz_aws_credentials_port(&ship->aws);
        ret->token_folder = laz_role_open_token_folder(&ship->orders.variables, &config->workload);
    }
}
