/* SPDX-License-Identifier: Apache-2.0
 *
 * PID 1's helpers together: who starts them, in which order they end. Blocks nowhere, allocates
 * nothing. libc only.
 */
#include "init/pid1/helpers.h"

#include <signal.h>
#include <unistd.h>

#include "core/deadline.h"
#include "core/fd.h"
#include "init/pid1/launcher.h"

#define HELPERS      LAZ_HELPERS_STARTED
#define SAID_MAX     (LAZ_LAUNCHER_STEP_MAX + 64) /* bytes of a DELIVERED */
#define LAUNCH_ENDED "the process that starts helpers has ended"

void laz_helpers_init(struct laz_helpers *helpers)
{
    helpers->launcher_chan = -1;
    laz_shipping_init(&helpers->shipping);
    laz_helper_init(&helpers->ship, LAZ_ROLE_SHIP, LAZ_E_AUDIT);
    laz_helper_init(&helpers->sense, LAZ_ROLE_SENSE, LAZ_E_SENSE);
    helpers->ship.is_needed = true;
}

bool laz_helpers_exist(const struct laz_helpers *helpers)
{
    return helpers->image != NULL;
}

bool laz_helpers_ship(const struct laz_helpers *helpers)
{
    return helpers->shipping.image != NULL;
}

static bool has_sense(const struct laz_helpers *helpers)
{
    return laz_helpers_ship(helpers) && helpers->image->sense_length > 0;
}

bool laz_helpers_have_fetch(const struct laz_helpers *helpers)
{
    return helpers->image != NULL && helpers->image->fetches;
}

bool laz_helpers_have_tunnel(const struct laz_helpers *helpers)
{
    return helpers->image != NULL && helpers->image->n_tunnels > 0;
}

int laz_helpers_begin(
        struct laz_helpers *helpers, const struct laz_helpers_world *world, struct laz_err *err)
{
    const struct laz_image *image = world->image;
    laz_shipping_keep_variables(&helpers->shipping, world->environment);
    /* `launch` first: it shall have nothing of what follows. */
    if (laz_launcher_fork(world->argv, image->n_tunnels > 0, &helpers->launcher,
                &helpers->launcher_chan, err) < 0) {
        return -1;
    }
    helpers->image = image;
    if (image->fetches && laz_helpers_begin_secrets(helpers, world, err) < 0) {
        return -1;
    }
    if (image->n_tunnels > 0) {
        laz_tunnels_begin(&helpers->tunnels, image);
    }
    if (!image->ships) {
        return 0;
    }
    helpers->ship.due_ns = 1;
    helpers->sense.due_ns = image->sense_length > 0 ? 1 : 0;
    helpers->sense.is_needed = image->sense_required;
    return laz_shipping_begin(&helpers->shipping, image, err);
}

bool laz_helpers_are_ready(const struct laz_helpers *helpers)
{
    bool senses = !has_sense(helpers) || helpers->sense.is_ready ||
            (helpers->sense.is_lost && !helpers->sense.is_needed);
    return (helpers->ship.is_ready || !laz_helpers_ship(helpers)) && senses;
}

const struct laz_helper *laz_helpers_lost(const struct laz_helpers *helpers)
{
    bool sense_counts = helpers->sense.is_needed && !helpers->is_finishing;
    return helpers->ship.is_lost                     ? &helpers->ship
            : sense_counts && helpers->sense.is_lost ? &helpers->sense
                                                     : NULL;
}

uint8_t laz_helpers_fips(const struct laz_helpers *helpers)
{
    uint8_t fips = helpers->ship.fips;
    if (laz_helpers_have_fetch(helpers) && helpers->fetch.fips > fips) {
        fips = helpers->fetch.fips;
    }
    if (laz_helpers_have_tunnel(helpers) && helpers->tunnels.helper.fips > fips) {
        fips = helpers->tunnels.helper.fips;
    }
    return fips;
}

/* ---- starting them ---- */

static void ask_for_ship(struct laz_helpers *helpers, uint64_t now_ns)
{
    struct laz_helper *ship = &helpers->ship;
    if (!laz_helper_ask(ship, helpers->launcher_chan, now_ns)) {
        return;
    }
    const struct laz_secrets *secrets = laz_helpers_have_fetch(helpers) ? &helpers->secrets : NULL;
    bool ok = laz_shipping_tell_ship(&helpers->shipping, secrets, ship->chan, &ship->n_hiding);
    ship->knows_masks = secrets == NULL || secrets->phase > LAZ_SECRETS_FETCHING;
    if (ok && helpers->ship_told) {
        ok = laz_shipping_tell_finish(ship->chan, helpers->exit_code, helpers->finish_ns);
    }
    if (!ok) {
        laz_helper_drop(ship);
    }
}

static void ask_for_sense(struct laz_helpers *helpers, uint64_t now_ns)
{
    struct laz_helper *sense = &helpers->sense;
    if (laz_helper_ask(sense, helpers->launcher_chan, now_ns) &&
            !laz_shipping_tell_sense(&helpers->shipping, sense->chan)) {
        laz_helper_drop(sense);
    }
}

static void ask_for_tunnel(struct laz_helpers *helpers, uint64_t now_ns)
{
    struct laz_helper *tunnel = &helpers->tunnels.helper;
    if (laz_helper_ask(tunnel, helpers->launcher_chan, now_ns) &&
            !laz_tunnels_tell(&helpers->tunnels, &helpers->secrets)) {
        laz_helper_drop(tunnel);
    }
}

void laz_helpers_show(struct laz_helpers *helpers, uint32_t changed)
{
    struct laz_helper *tunnel = &helpers->tunnels.helper;
    if (laz_helpers_have_tunnel(helpers) && tunnel->chan >= 0 &&
            !laz_tunnels_show(&helpers->tunnels, &helpers->secrets, changed)) {
        laz_helper_drop(tunnel); /* the next one is told with everything else */
    }
}

/* ---- what `launch` says ---- */

static void on_launcher(
        struct laz_helpers *helpers, const struct laz_message *message, uint64_t now_ns)
{
    struct laz_fields fields;
    if (message->type == LAZ_MESSAGE_DELIVERED) {
        if (laz_helpers_have_fetch(helpers)) {
            laz_secrets_delivered(&helpers->secrets, message);
        }
        return;
    }
    laz_fields_begin(&fields, message);
    uint8_t role = laz_fields_u8(&fields);
    int32_t pid = (int32_t)laz_fields_u32(&fields);
    if (!laz_fields_done(&fields)) {
        return;
    }
    if (role == LAZ_ROLE_SHIP) {
        laz_helper_started(&helpers->ship, pid, now_ns);
    } else if (role == LAZ_ROLE_SENSE) {
        laz_helper_started(&helpers->sense, pid, now_ns);
    } else if (role == LAZ_ROLE_FETCH && laz_helpers_have_fetch(helpers)) {
        laz_helper_started(&helpers->fetch, pid, now_ns);
    } else if (role == LAZ_ROLE_TUNNEL && laz_helpers_have_tunnel(helpers)) {
        laz_helper_started(&helpers->tunnels.helper, pid, now_ns);
    }
}

/* Whoever was to be started is not known, and never will be: without a channel, it ends. */
static void forget_order(struct laz_helper *helper)
{
    if (helper->is_starting) {
        helper->is_starting = false;
        laz_fd_close(&helper->chan);
    }
}

/* Who runs may run on; nobody is started again, and nothing is delivered. */
static void lose_launcher(struct laz_helpers *helpers)
{
    laz_fd_close(&helpers->launcher_chan);
    forget_order(&helpers->ship);
    forget_order(&helpers->sense);
    if (laz_helpers_ship(helpers) && helpers->ship.pid == 0) {
        laz_helper_lose(&helpers->ship, LAUNCH_ENDED);
    }
    if (helpers->sense.pid == 0 && has_sense(helpers)) {
        laz_helper_lose(&helpers->sense, LAUNCH_ENDED);
    }
    if (laz_helpers_have_tunnel(helpers)) {
        forget_order(&helpers->tunnels.helper);
        if (helpers->tunnels.helper.pid == 0) {
            laz_helper_lose(&helpers->tunnels.helper, LAUNCH_ENDED);
        }
    }
    if (laz_helpers_have_fetch(helpers)) {
        forget_order(&helpers->fetch);
        laz_secrets_lose_launch(&helpers->secrets);
    }
}

static void read_launcher(struct laz_helpers *helpers, uint64_t now_ns)
{
    uint8_t memory[SAID_MAX];
    struct laz_message message;
    struct laz_err err = {0};
    if (helpers->launcher_chan < 0) {
        return;
    }
    enum laz_chan_got got = laz_chan_receive(helpers->launcher_chan,
            (struct laz_route){LAZ_ROLE_LAUNCH, LAZ_ROLE_INIT}, memory, sizeof(memory), &message,
            &err);
    if (got == LAZ_CHAN_MESSAGE) {
        on_launcher(helpers, &message, now_ns);
    } else if (got != LAZ_CHAN_NOTHING) {
        lose_launcher(helpers);
    }
}

/* ---- the turn ---- */

uint64_t laz_helpers_due_ns(const struct laz_helpers *helpers)
{
    uint64_t due_ns = laz_helper_due_ns(&helpers->ship);
    if (laz_helpers_have_fetch(helpers) && helpers->secrets.phase == LAZ_SECRETS_FETCHING) {
        laz_sooner(&due_ns, laz_helper_due_ns(&helpers->fetch));
    }
    if (laz_helpers_have_tunnel(helpers) && !helpers->tunnels.is_leaving) {
        laz_sooner(&due_ns, laz_helper_due_ns(&helpers->tunnels.helper));
    }
    if (helpers->is_finishing) {
        laz_sooner(&due_ns, helpers->ship_told ? 0 : helpers->farewell_ns);
    } else {
        laz_sooner(&due_ns, laz_helper_due_ns(&helpers->sense));
    }
    return due_ns;
}

static void tell_ship_to_finish(struct laz_helpers *helpers, uint64_t now_ns)
{
    struct laz_helper *ship = &helpers->ship;
    helpers->ship_told = true;
    ship->is_finishing = true;
    if (ship->chan < 0) {
        ship->due_ns = ship->due_ns != 0 ? now_ns : 0; /* there is no later */
    } else if (!laz_shipping_tell_finish(ship->chan, helpers->exit_code, helpers->finish_ns)) {
        laz_helper_drop(ship);
    }
}

/* What sense has seen is in the trail before the trail is closed. */
static void turn_finish(struct laz_helpers *helpers, uint64_t now_ns)
{
    bool is_gone = helpers->sense.pid == 0 && !helpers->sense.is_starting &&
            (!laz_helpers_have_tunnel(helpers) || helpers->tunnels.helper.pid == 0);
    if (!helpers->ship_told && (is_gone || now_ns >= helpers->farewell_ns)) {
        if (helpers->sense.pid > 0) {
            (void)kill(helpers->sense.pid, SIGKILL);
        }
        tell_ship_to_finish(helpers, now_ns);
    }
}

void laz_helpers_look_at(struct laz_helpers *helpers, struct laz_helper *helper, uint64_t now_ns)
{
    pid_t pid = helper->pid;
    bool has_ended = laz_helper_look(helper, helpers->reaped, now_ns);
    bool as_told = (helper->role == LAZ_ROLE_FETCH && laz_helpers_fetch_is_over(helpers)) ||
            (helper->role == LAZ_ROLE_TUNNEL && helpers->tunnels.is_leaving);
    if (has_ended && !as_told && helpers->n_late < HELPERS) {
        struct laz_helper_end *late = &helpers->late[helpers->n_late++];
        *late = (struct laz_helper_end){
                .role = helper->role, .pid = pid, .is_lost = helper->is_lost, .why = &helper->err};
    }
}

bool laz_helpers_late_end(struct laz_helpers *helpers, struct laz_helper_end *ret)
{
    if (helpers->n_late == 0) {
        return false;
    }
    *ret = helpers->late[--helpers->n_late];
    return true;
}

static void turn_tunnel(struct laz_helpers *helpers, uint64_t now_ns)
{
    struct laz_tunnels *tunnels = &helpers->tunnels;
    laz_helpers_look_at(helpers, &tunnels->helper, now_ns);
    if (tunnels->n_said < LAZ_TUNNEL_SAID_AHEAD) {
        laz_helper_read(&tunnels->helper, now_ns);
    }
    laz_tunnels_check(tunnels);
    if (tunnels->is_leaving || !tunnels->has_begun) {
        return;
    }
    if (laz_helper_is_due(&tunnels->helper, now_ns)) {
        ask_for_tunnel(helpers, now_ns);
    }
    laz_helper_check(&tunnels->helper, now_ns);
}

static void turn_ship_and_sense(struct laz_helpers *helpers, uint64_t now_ns)
{
    laz_helpers_look_at(helpers, &helpers->ship, now_ns);
    laz_helpers_look_at(helpers, &helpers->sense, now_ns);
    laz_helper_read(&helpers->ship, now_ns);
    if (laz_helper_is_due(&helpers->ship, now_ns)) {
        ask_for_ship(helpers, now_ns);
    }
    laz_helper_check(&helpers->ship, now_ns);
    if (helpers->is_finishing) {
        turn_finish(helpers, now_ns);
        return;
    }
    laz_helper_read(&helpers->sense, now_ns);
    if (laz_helper_is_due(&helpers->sense, now_ns)) {
        ask_for_sense(helpers, now_ns);
    }
    laz_helper_check(&helpers->sense, now_ns);
}

void laz_helpers_turn(struct laz_helpers *helpers, uint64_t now_ns)
{
    if (!laz_helpers_exist(helpers)) {
        return;
    }
    read_launcher(helpers, now_ns);
    if (laz_helpers_ship(helpers)) {
        turn_ship_and_sense(helpers, now_ns);
    }
    if (laz_helpers_have_fetch(helpers)) {
        laz_helpers_turn_fetch(helpers, now_ns); /* it waits for what the others have said */
    }
    if (laz_helpers_have_tunnel(helpers)) {
        turn_tunnel(helpers, now_ns);
    }
}

/* ---- their end ---- */

bool laz_helpers_are_starting(const struct laz_helpers *helpers)
{
    return helpers->ship.is_starting || helpers->sense.is_starting ||
            (laz_helpers_have_fetch(helpers) && helpers->fetch.is_starting) ||
            (laz_helpers_have_tunnel(helpers) && helpers->tunnels.helper.is_starting);
}

bool laz_helpers_own(const struct laz_helpers *helpers, pid_t pid)
{
    return pid == helpers->launcher || pid == helpers->ship.pid || pid == helpers->sense.pid ||
            (laz_helpers_have_fetch(helpers) && pid == helpers->fetch.pid) ||
            (laz_helpers_have_tunnel(helpers) && pid == helpers->tunnels.helper.pid) ||
            laz_helpers_are_starting(helpers);
}

static bool ended_is(struct laz_helpers *helpers, struct laz_helper *helper, pid_t pid, int status,
        uint64_t now_ns, struct laz_helper_end *ret)
{
    if (pid != helper->pid) {
        return false;
    }
    bool can_start_again = helpers->launcher_chan >= 0;
    if (helper == &helpers->sense && helpers->is_finishing) {
        helper->pid = 0; /* it was told to */
        laz_fd_close(&helper->chan);
        *ret = (struct laz_helper_end){.role = helper->role};
        return true;
    }
    laz_helper_ended(helper, status, can_start_again, now_ns);
    *ret = (struct laz_helper_end){
            .role = helper->role, .pid = pid, .is_lost = helper->is_lost, .why = &helper->err};
    return true;
}

static bool tunnel_ended(struct laz_helpers *helpers, pid_t pid, int status, uint64_t now_ns,
        struct laz_helper_end *ret)
{
    struct laz_helper *tunnel = &helpers->tunnels.helper;
    if (!laz_helpers_have_tunnel(helpers) || pid != tunnel->pid) {
        return false;
    }
    bool as_told = helpers->tunnels.is_leaving;
    laz_helper_ended(tunnel, status, helpers->launcher_chan >= 0, now_ns);
    if (as_told) {
        tunnel->due_ns = 0;
    }
    *ret = (struct laz_helper_end){.role = tunnel->role,
            .pid = pid,
            .is_lost = tunnel->is_lost,
            .why = as_told ? NULL : &tunnel->err};
    return true;
}

bool laz_helpers_ended(struct laz_helpers *helpers, pid_t pid, int status, uint64_t now_ns,
        struct laz_helper_end *ret)
{
    static const struct laz_err launcher_ended = {.kind = LAZ_E_INTERNAL, .message = LAUNCH_ENDED};
    if (!laz_helpers_exist(helpers) || pid == 0 || helpers->ship.is_flushed) {
        return false;
    }
    if (pid == helpers->launcher) {
        helpers->launcher = 0; /* its channel says so too */
        *ret = (struct laz_helper_end){
                .role = LAZ_ROLE_LAUNCH, .pid = pid, .is_lost = true, .why = &launcher_ended};
        return true;
    }
    for (unsigned i = 0; i < HELPERS && laz_helpers_are_starting(helpers); i++) {
        read_launcher(helpers, now_ns); /* it may have ended before we knew its number */
    }
    bool is_ours = ended_is(helpers, &helpers->ship, pid, status, now_ns, ret) ||
            ended_is(helpers, &helpers->sense, pid, status, now_ns, ret) ||
            laz_helpers_fetch_ended(helpers, pid, status, now_ns, ret) ||
            tunnel_ended(helpers, pid, status, now_ns, ret);
    if (!is_ours && laz_helpers_are_starting(helpers)) {
        helpers->reaped[helpers->n_reaped++ % LAZ_REAPED_MAX] =
                (struct laz_reaped){.pid = pid, .status = status};
    }
    return is_ours;
}

void laz_helpers_finish(struct laz_helpers *helpers, int exit_code, uint64_t now_ns)
{
    const struct laz_image *image = helpers->image;
    if (laz_helpers_have_fetch(helpers)) {
        laz_secrets_wipe(&helpers->secrets, helpers->launcher_chan);
    }
    if (laz_helpers_have_tunnel(helpers)) {
        laz_tunnels_leave(&helpers->tunnels);
    }
    if (!laz_helpers_ship(helpers)) {
        return;
    }
    uint64_t farewell_ms = image->flush_ms / 2;
    farewell_ms = farewell_ms < LAZ_HELPER_FAREWELL_MS ? farewell_ms : LAZ_HELPER_FAREWELL_MS;
    helpers->is_finishing = true;
    helpers->exit_code = exit_code;
    helpers->finish_ns = now_ns + image->flush_ms * LAZ_NS_PER_MS;
    helpers->farewell_ns = now_ns + farewell_ms * LAZ_NS_PER_MS;
    laz_fd_close(&helpers->sense.chan); /* which says so */
    turn_finish(helpers, now_ns);
}

bool laz_helpers_have_finished(const struct laz_helpers *helpers)
{
    bool is_wiped = !laz_helpers_have_fetch(helpers) || laz_secrets_are_wiped(&helpers->secrets);
    const struct laz_helper *ship = &helpers->ship;
    return is_wiped && (!laz_helpers_ship(helpers) || ship->is_flushed || ship->is_lost);
}
