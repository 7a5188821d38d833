/* SPDX-License-Identifier: Apache-2.0
 *
 * What is shown and whom is trusted. A new identity makes a new context for new connections; those
 * that are open keep theirs. One that does not work for all of its entries changes none.
 */
#include <stdio.h>

#include "core/fd.h"
#include "core/trusted.h"
#include "init/tunnel/tunnel.h"

#define AGAIN_NS UINT64_C(5000000000)

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

/* `made`: what there is already of it, a context for each entry or NULL. The memory for keys is
 * small, and connections hold the one that they began with: each identity has its own once. */
static const struct laz_tls *find_alike(const struct laz_tunnel *tunnel,
        const struct laz_tunnel_port *port, struct laz_tls *const made[])
{
    const struct laz_tls *found = NULL;
    for (uint32_t i = 0; port->entry->identity != LAZ_TUNNEL_NONE && i < port->number; i++) {
        found = tunnel->ports[i].entry->identity == port->entry->identity ? made[i] : found;
    }
    return found;
}

static int new_tls(const struct laz_tunnel *tunnel, const struct laz_tunnel_port *port,
        struct laz_tls *made[], struct laz_err *err)
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
    plan.like = find_alike(tunnel, port, made);
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
    if (laz_tls_new(&plan, &made[port->number], &why) < 0) {
        enum laz_err_kind kind = why.kind == LAZ_E_MEMORY ? LAZ_E_MEMORY : LAZ_E_TUNNEL;
        return laz_err_set(err, kind, 0, "tls.%s[%s]: %s", entry->listens ? "listen" : "connect",
                entry->name, why.message);
    }
    return 0;
}

int laz_tunnel_make_tls(struct laz_tunnel *tunnel, struct laz_err *err)
{
    struct laz_tls *made[LAZ_TUNNEL_ENTRIES_MAX] = {0};
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        if (new_tls(tunnel, &tunnel->ports[i], made, err) < 0) {
            return -1;
        }
        tunnel->ports[i].tls = made[i];
    }
    return 0;
}

static void forget(struct laz_tunnel_identity *identity)
{
    laz_fd_close(&identity->chain);
    laz_fd_close(&identity->key);
    identity->again_ns = 0;
}

void laz_tunnel_forget_identities(struct laz_tunnel *tunnel)
{
    for (uint32_t i = 0; i < LAZ_TUNNEL_IDENTITIES_MAX; i++) {
        forget(&tunnel->identities[i]);
    }
}

/* LAZ_E_MEMORY: the same may do later. */
static enum laz_err_kind renew(struct laz_tunnel *tunnel, uint32_t number, bool is_again)
{
    struct laz_tls *made[LAZ_TUNNEL_ENTRIES_MAX] = {0};
    struct laz_err err = {0};
    bool is_good = true;
    for (uint32_t i = 0; i < tunnel->config.n_entries && is_good; i++) {
        is_good = tunnel->ports[i].entry->identity != number ||
                new_tls(tunnel, &tunnel->ports[i], made, &err) == 0;
    }
    for (uint32_t i = 0; i < tunnel->config.n_entries; i++) {
        if (is_good && made[i] != NULL) {
            laz_tls_free(tunnel->ports[i].tls);
            tunnel->ports[i].tls = made[i];
        } else {
            laz_tls_free(made[i]);
        }
    }
    if (!is_again || err.kind != LAZ_E_MEMORY) {
        laz_tunnel_tell_renewed(tunnel, number, err.message);
    }
    return err.kind;
}

static void renew_or_keep(struct laz_tunnel *tunnel, uint32_t number, bool is_again)
{
    struct laz_tunnel_identity *identity = &tunnel->identities[number];
    if (renew(tunnel, number, is_again) == LAZ_E_MEMORY) {
        identity->again_ns = laz_tunnel_now_ns() + AGAIN_NS;
    } else {
        forget(identity);
    }
}

void laz_tunnel_take_identity(struct laz_tunnel *tunnel, uint32_t number, int chain, int key)
{
    struct laz_tunnel_identity *identity = &tunnel->identities[number];
    forget(identity);
    *identity = (struct laz_tunnel_identity){.chain = chain, .key = key};
    if (tunnel->works) {
        renew_or_keep(tunnel, number, false);
    }
}

void laz_tunnel_try_identities(struct laz_tunnel *tunnel, uint64_t now_ns)
{
    for (uint32_t i = 0; i < tunnel->config.n_identities; i++) {
        uint64_t again_ns = tunnel->identities[i].again_ns;
        if (again_ns != 0 && now_ns >= again_ns) {
            renew_or_keep(tunnel, i, true);
        }
    }
}
