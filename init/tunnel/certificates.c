/* SPDX-License-Identifier: Apache-2.0
 *
 * What is shown and whom is trusted. A new identity makes a new context for new connections; those
 * that are open keep theirs. One that does not work for all of its entries changes none.
 */
#include <stdio.h>

#include "core/fd.h"
#include "core/trusted.h"
#include "init/tunnel/tunnel.h"

int laz_tunnel_open_trust(struct laz_tunnel *tunnel, struct laz_err *err)
{
    for (uint32_t i = 0; i < tunnel->config.n_trust; i++) {
        const char *path = tunnel->config.trust[i];
        struct laz_err why = {0};
        if (laz_trusted_open(path, &tunnel->config.workload, &tunnel->trust[i], &why) < 0) {
            return laz_err_set(
                    err, LAZ_E_TUNNEL, why.sys_errno, "tls.trust: %s: %s", path, why.message);
        }
    }
    return 0;
}

static int new_tls(const struct laz_tunnel *tunnel, const struct laz_tunnel_port *port,
        struct laz_tls **ret, struct laz_err *err)
{
    const struct laz_tunnel_entry *entry = port->entry;
    const struct laz_tunnel_config *config = &tunnel->config;
    struct laz_err why = {0};
    struct laz_tls_files files = {.ca = -1, .cert = -1, .key = -1};
    struct laz_tls_plan plan = {
            .ca = "", .cert = "", .key = "", .peer = entry->server_name, .files = &files};
    char identity[LAZ_TUNNEL_NAME_MAX + 32] = "";
    plan.profile = config->profile;
    plan.serves = entry->listens;
    plan.requires_client = entry->requires_client;
    if (entry->trust != LAZ_TUNNEL_NONE) {
        plan.ca = config->trust[entry->trust];
        files.ca = tunnel->trust[entry->trust];
    }
    if (entry->identity != LAZ_TUNNEL_NONE) {
        (void)snprintf(identity, sizeof(identity), "tls.identities[%s]",
                config->identities[entry->identity]);
        plan.cert = plan.key = identity;
        files.cert = tunnel->identities[entry->identity].chain;
        files.key = tunnel->identities[entry->identity].key;
    }
    if (laz_tls_new(&plan, ret, &why) < 0) {
        return laz_err_set(err, LAZ_E_TUNNEL, 0, "tls.%s[%s]: %s",
                entry->listens ? "listen" : "connect", entry->name, why.message);
    }
    return 0;
}

int laz_tunnel_make_tls(
        struct laz_tunnel *tunnel, struct laz_tunnel_port *port, struct laz_err *err)
{
    return new_tls(tunnel, port, &port->tls, err);
}

static void forget(struct laz_tunnel_identity *identity)
{
    laz_fd_close(&identity->chain);
    laz_fd_close(&identity->key);
}

void laz_tunnel_forget_identities(struct laz_tunnel *tunnel)
{
    for (uint32_t i = 0; i < LAZ_TUNNEL_IDENTITIES_MAX; i++) {
        forget(&tunnel->identities[i]);
    }
}

static void renew(struct laz_tunnel *tunnel, uint32_t number)
{
    struct laz_tls *made[LAZ_TUNNEL_ENTRIES_MAX] = {0};
    struct laz_err err = {0};
    bool is_good = true;
    for (uint32_t i = 0; i < tunnel->config.n_entries && is_good; i++) {
        is_good = tunnel->ports[i].entry->identity != number ||
                new_tls(tunnel, &tunnel->ports[i], &made[i], &err) == 0;
    }
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        if (is_good && made[i] != NULL) {
            laz_tls_free(tunnel->ports[i].tls);
            tunnel->ports[i].tls = made[i];
        } else {
            laz_tls_free(made[i]);
        }
    }
    laz_tunnel_tell_renewed(tunnel, number, err.message);
}

void laz_tunnel_take_identity(struct laz_tunnel *tunnel, uint32_t number, int chain, int key)
{
    struct laz_tunnel_identity *identity = &tunnel->identities[number];
    forget(identity);
    *identity = (struct laz_tunnel_identity){.chain = chain, .key = key};
    if (tunnel->works) {
        renew(tunnel, number);
        forget(identity);
    }
}
