/* SPDX-License-Identifier: Apache-2.0
 *
 * The helper `fetch`, which comes and goes: once before anything starts, and again whenever
 * something is to be renewed. Knows nothing of when that is. Blocks nowhere, allocates nothing.
 * libc only.
 */
#include "core/fd.h"
#include "init/pid1/helpers.h"

int laz_helpers_begin_secrets(
        struct laz_helpers *helpers, const struct laz_helpers_world *world, struct laz_err *err)
{
    laz_helper_init(&helpers->fetch, LAZ_ROLE_FETCH, LAZ_E_SECRET);
    helpers->fetch.is_needed = true;
    helpers->fetch.secrets = &helpers->secrets;
    return laz_secrets_begin(
            &helpers->secrets, world->image, world->probe, world->environment, err);
}

void laz_helpers_fetch(struct laz_helpers *helpers, uint64_t now_ns)
{
    helpers->secrets.phase = LAZ_SECRETS_FETCHING;
    helpers->fetch.due_ns = now_ns;
}

void laz_helpers_abort(struct laz_helpers *helpers)
{
    laz_tunnels_leave(&helpers->tunnels); /* where there are any */
    if (!laz_helpers_have_fetch(helpers)) {
        return;
    }
    helpers->secrets.phase = LAZ_SECRETS_OVER;
    helpers->fetch.due_ns = 0;
    laz_helper_drop(&helpers->fetch);
}

/* False: there is none, or it was dropped. */
static bool ask(struct laz_helpers *helpers, uint32_t wait_ms, uint64_t now_ns)
{
    struct laz_helper *fetch = &helpers->fetch;
    if (!laz_helper_ask(fetch, helpers->launcher_chan, now_ns)) {
        return false;
    }
    if (!laz_shipping_tell_fetch(&helpers->shipping, &helpers->secrets, wait_ms, fetch->chan)) {
        laz_helper_drop(fetch);
        return false;
    }
    return true;
}

static void ask_first(struct laz_helpers *helpers, uint64_t now_ns)
{
    laz_secrets_forget(&helpers->secrets, laz_secrets_all(&helpers->secrets));
    laz_ignore(ask(helpers, helpers->image->fetch_wait_ms, now_ns));
}

/* ---- the logs ---- */

bool laz_helpers_have_hidden(const struct laz_helpers *helpers)
{
    const struct laz_helper *ship = &helpers->ship;
    return !laz_helpers_ship(helpers) ||
            (ship->chan >= 0 && ship->knows_masks && ship->n_hiding == 0);
}

void laz_helpers_hide(struct laz_helpers *helpers, uint32_t item)
{
    struct laz_helper *ship = &helpers->ship;
    int masks = helpers->secrets.items[item].masks[0];
    if (ship->chan < 0 || !ship->knows_masks || masks < 0) {
        return; /* the next one is told with everything else */
    }
    ship->n_hiding++;
    if (!laz_shipping_tell_hide(ship->chan, item, masks)) {
        laz_helper_drop(ship);
    }
}

static void tell_all_masks(struct laz_helpers *helpers)
{
    struct laz_helper *ship = &helpers->ship;
    if (laz_helpers_ship(helpers) && ship->chan >= 0 && !ship->knows_masks) {
        ship->knows_masks = true;
        if (!laz_shipping_tell_masks(&helpers->secrets, ship->chan, &ship->n_hiding)) {
            laz_helper_drop(ship);
        }
    }
}

/* The logs hide it from whom ship reads them, before the workload can write any. */
static void turn_hiding(struct laz_helpers *helpers)
{
    tell_all_masks(helpers);
    if (!laz_helpers_have_hidden(helpers)) {
        return;
    }
    if (!laz_helpers_fetch_is_gone(helpers)) {
        laz_helper_drop(&helpers->fetch); /* it has said all, and holds what it said */
        return;
    }
    if (!laz_helpers_ship(helpers) && helpers->image->refresh_ms == 0) {
        laz_shipping_forget_variables(&helpers->shipping);
    }
    helpers->secrets.phase = LAZ_SECRETS_THERE;
}

/* ---- its turns ---- */

bool laz_helpers_fetch_is_over(const struct laz_helpers *helpers)
{
    return helpers->secrets.phase != LAZ_SECRETS_FETCHING &&
            helpers->secrets.phase != LAZ_SECRETS_REFETCHING;
}

bool laz_helpers_fetch_is_gone(const struct laz_helpers *helpers)
{
    return helpers->fetch.pid == 0 && !helpers->fetch.is_starting;
}

static void turn_first(struct laz_helpers *helpers, uint64_t now_ns)
{
    struct laz_helper *fetch = &helpers->fetch;
    if (laz_helper_is_due(fetch, now_ns)) {
        ask_first(helpers, now_ns);
    }
    laz_helper_check(fetch, now_ns);
    if (fetch->is_lost) {
        laz_secrets_refuse(&helpers->secrets, &fetch->err);
    }
}

void laz_helpers_turn_fetch(struct laz_helpers *helpers, uint64_t now_ns)
{
    struct laz_secrets *secrets = &helpers->secrets;
    laz_helpers_look_at(helpers, &helpers->fetch, now_ns);
    laz_helper_read(&helpers->fetch, now_ns);
    if (secrets->phase == LAZ_SECRETS_FETCHING) {
        turn_first(helpers, now_ns);
    } else if (secrets->phase == LAZ_SECRETS_REFETCHING && laz_helpers_fetch_is_gone(helpers)) {
        secrets->phase = LAZ_SECRETS_REFETCHED;
    }
    laz_secrets_deliver(secrets, helpers->launcher_chan);
    if (secrets->phase == LAZ_SECRETS_HIDING) {
        turn_hiding(helpers);
    }
}

/* It ends when it has brought everything, or when nothing is to be brought any more. */
bool laz_helpers_fetch_ended(struct laz_helpers *helpers, pid_t pid, int status, uint64_t now_ns,
        struct laz_helper_end *ret)
{
    struct laz_helper *fetch = &helpers->fetch;
    if (!laz_helpers_have_fetch(helpers) || pid != fetch->pid) {
        return false;
    }
    bool is_again = helpers->secrets.phase == LAZ_SECRETS_REFETCHING;
    if (!laz_helpers_fetch_is_over(helpers)) {
        laz_helper_ended(fetch, status, helpers->launcher_chan >= 0, now_ns);
    }
    bool is_over = laz_helpers_fetch_is_over(helpers);
    *ret = (struct laz_helper_end){.role = fetch->role,
            .pid = pid,
            .is_lost = fetch->is_lost && !is_again,
            .why = is_over ? NULL : &fetch->err};
    if (is_over) {
        fetch->pid = 0;
        laz_fd_close(&fetch->chan);
    }
    fetch->due_ns = is_over || is_again ? 0 : fetch->due_ns;
    return true;
}

/* ---- again ---- */

void laz_helpers_refetch(
        struct laz_helpers *helpers, uint32_t wanted, uint32_t wait_ms, uint64_t now_ns)
{
    struct laz_helper *fetch = &helpers->fetch;
    laz_helper_init(fetch, LAZ_ROLE_FETCH, LAZ_E_SECRET);
    fetch->secrets = &helpers->secrets;
    laz_secrets_forget(&helpers->secrets, wanted);
    helpers->secrets.phase = LAZ_SECRETS_REFETCHING;
    if (!ask(helpers, wait_ms, now_ns)) {
        fetch->due_ns = 0;
        helpers->secrets.phase = LAZ_SECRETS_REFETCHED;
    }
}

void laz_helpers_end_fetch(struct laz_helpers *helpers)
{
    laz_helper_drop(&helpers->fetch);
    if (helpers->secrets.phase == LAZ_SECRETS_REFETCHING) {
        helpers->secrets.phase = LAZ_SECRETS_REFETCHED;
    }
}
