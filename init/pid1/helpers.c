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
#define FIRST        LAZ_ROLE_SHIP                /* of those that launch starts */
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

static const struct laz_helper *find(const struct laz_helpers *helpers, enum laz_role role)
{
    const struct laz_image *image = helpers->image;
    bool is_there = image != NULL;
    switch ((int)role) {
    case LAZ_ROLE_SHIP:
        return &helpers->ship;
    case LAZ_ROLE_SENSE:
        return &helpers->sense;
    case LAZ_ROLE_FETCH:
        return is_there && image->fetches ? &helpers->fetch : NULL;
    case LAZ_ROLE_TUNNEL:
        return is_there && image->n_tunnels > 0 ? &helpers->tunnels.helper : NULL;
    case LAZ_ROLE_HEALTH:
        return is_there && image->watches ? &helpers->watch.helper : NULL;
    default:
        return NULL;
    }
}

struct laz_helper *laz_helpers_of(struct laz_helpers *helpers, enum laz_role role)
{
    return laz_unconst(find(helpers, role));
}

/* There are none, or they wait for an answer of launch. */
static bool checks_are_starting(const struct laz_helpers *helpers)
{
    return find(helpers, LAZ_ROLE_HEALTH) != NULL && laz_watch_is_starting(&helpers->watch);
}

int laz_helpers_begin(
        struct laz_helpers *helpers, const struct laz_helpers_world *world, struct laz_err *err)
{
    const struct laz_image *image = world->image;
    laz_shipping_keep_variables(&helpers->shipping, world->environment);
    /* `launch` first: it shall have nothing of what follows. */
    if (laz_launcher_fork(world, &helpers->launcher, &helpers->launcher_chan, err) < 0) {
        return -1;
    }
    helpers->image = image;
    bool has_secrets = !image->fetches || laz_helpers_begin_secrets(helpers, world, err) == 0;
    if (image->n_tunnels > 0) {
        laz_tunnels_begin(&helpers->tunnels, image);
    }
    if (image->watches) {
        helpers->has_sockets = laz_watch_begin(&helpers->watch, image, world->environment);
        helpers->ship.watch = &helpers->watch;
    }
    if (!has_secrets) {
        return -1; /* not before: from here on whatever the policy names is looked at */
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
    uint8_t fips = 0;
    for (unsigned role = FIRST; role < LAZ_ROLE_COUNT; role++) {
        const struct laz_helper *helper = find(helpers, (enum laz_role)role);
        fips = helper != NULL && helper->fips > fips ? helper->fips : fips;
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

/* Tunnel or health. */
static void ask_for_server(struct laz_helpers *helpers, struct laz_helper *helper, uint64_t now_ns)
{
    const struct laz_secrets *secrets = &helpers->secrets;
    if (laz_helper_ask(helper, helpers->launcher_chan, now_ns) &&
            !(helper->role == LAZ_ROLE_TUNNEL ? laz_tunnels_tell(&helpers->tunnels, secrets)
                                              : laz_watch_tell(&helpers->watch, secrets, now_ns))) {
        laz_helper_drop_untold(helper);
    }
}

void laz_helpers_show(struct laz_helpers *helpers, uint32_t changed)
{
    struct laz_helper *tunnel = laz_helpers_of(helpers, LAZ_ROLE_TUNNEL);
    struct laz_helper *health = laz_helpers_of(helpers, LAZ_ROLE_HEALTH);
    if (tunnel != NULL && tunnel->chan >= 0 &&
            !laz_tunnels_show(&helpers->tunnels, &helpers->secrets, changed)) {
        laz_helper_drop_untold(tunnel); /* the next one is told with everything else */
    }
    if (health != NULL && health->chan >= 0 &&
            !laz_watch_show(&helpers->watch, &helpers->secrets, changed)) {
        laz_helper_drop_untold(health);
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
    if (message->type == LAZ_MESSAGE_RUNS) {
        if (find(helpers, LAZ_ROLE_HEALTH) != NULL) {
            laz_watch_runs(&helpers->watch, message);
        }
        return;
    }
    laz_fields_begin(&fields, message);
    uint8_t role = laz_fields_u8(&fields);
    int32_t pid = (int32_t)laz_fields_u32(&fields);
    struct laz_helper *helper = laz_helpers_of(helpers, (enum laz_role)role);
    if (laz_fields_done(&fields) && helper != NULL) {
        laz_helper_started(helper, pid, now_ns);
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
    for (unsigned role = LAZ_ROLE_TUNNEL; role <= LAZ_ROLE_HEALTH; role++) {
        struct laz_helper *server = laz_helpers_of(helpers, (enum laz_role)role);
        if (server != NULL) {
            forget_order(server);
            if (server->pid == 0) {
                laz_helper_lose(server, LAUNCH_ENDED);
            }
        }
    }
    if (laz_helpers_of(helpers, LAZ_ROLE_HEALTH) != NULL) {
        laz_watch_lose_launch(&helpers->watch);
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
    for (unsigned role = LAZ_ROLE_TUNNEL; role <= LAZ_ROLE_HEALTH; role++) {
        const struct laz_helper *server = find(helpers, (enum laz_role)role);
        if (server != NULL && !server->is_leaving) {
            laz_sooner(&due_ns, laz_helper_due_ns(server));
        }
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
    const struct laz_helper *tunnel = find(helpers, LAZ_ROLE_TUNNEL);
    bool is_gone = helpers->sense.pid == 0 && !helpers->sense.is_starting &&
            (tunnel == NULL || tunnel->pid == 0);
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
            helper->is_leaving;
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

static void turn_server(struct laz_helpers *helpers, struct laz_helper *helper, uint64_t now_ns)
{
    bool is_tunnel = helper->role == LAZ_ROLE_TUNNEL;
    laz_helpers_look_at(helpers, helper, now_ns);
    if (!is_tunnel || helpers->tunnels.n_said < LAZ_TUNNEL_SAID_AHEAD) {
        laz_helper_read(helper, now_ns);
    }
    if (is_tunnel) {
        laz_tunnels_check(&helpers->tunnels);
    } else if (helper->is_ready) {
        helper->is_needed = false; /* the workload goes on without it until there is another */
    }
    if (helper->is_leaving || !helper->has_begun) {
        return;
    }
    if (laz_helper_is_due(helper, now_ns)) {
        ask_for_server(helpers, helper, now_ns);
    }
    laz_helper_check(helper, now_ns);
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
    for (unsigned role = LAZ_ROLE_TUNNEL; role <= LAZ_ROLE_HEALTH; role++) {
        struct laz_helper *server = laz_helpers_of(helpers, (enum laz_role)role);
        if (server != NULL) {
            turn_server(helpers, server, now_ns);
        }
    }
}

/* ---- their end ---- */

bool laz_helpers_are_starting(const struct laz_helpers *helpers)
{
    bool is_starting = checks_are_starting(helpers);
    for (unsigned role = FIRST; role < LAZ_ROLE_COUNT; role++) {
        const struct laz_helper *helper = find(helpers, (enum laz_role)role);
        is_starting = is_starting || (helper != NULL && helper->is_starting);
    }
    return is_starting;
}

bool laz_helpers_own(const struct laz_helpers *helpers, pid_t pid)
{
    bool is_own = pid == helpers->launcher || laz_helpers_are_starting(helpers);
    for (unsigned role = FIRST; role < LAZ_ROLE_COUNT; role++) {
        const struct laz_helper *helper = find(helpers, (enum laz_role)role);
        is_own = is_own || (helper != NULL && helper->pid == pid);
    }
    return is_own;
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

static bool server_ended(struct laz_helpers *helpers, struct laz_helper *helper, pid_t pid,
        int status, uint64_t now_ns, struct laz_helper_end *ret)
{
    if (helper == NULL || pid != helper->pid) {
        return false;
    }
    laz_helper_ended(helper, status, helpers->launcher_chan >= 0, now_ns);
    helper->due_ns = helper->is_leaving ? 0 : helper->due_ns;
    *ret = (struct laz_helper_end){.role = helper->role,
            .pid = pid,
            .is_lost = helper->is_lost,
            .why = helper->is_leaving ? NULL : &helper->err};
    return true;
}

bool laz_helpers_ended(struct laz_helpers *helpers, pid_t pid, int status, uint64_t now_ns,
        struct laz_helper_end *ret)
{
    if (!laz_helpers_exist(helpers) || pid == 0 || helpers->ship.is_flushed) {
        return false;
    }
    if (pid == helpers->launcher) {
        helpers->launcher = 0; /* its channel says so too */
        (void)laz_err_set(&helpers->launcher_err, LAZ_E_INTERNAL, 0, LAUNCH_ENDED);
        *ret = (struct laz_helper_end){.role = LAZ_ROLE_LAUNCH,
                .pid = pid,
                .is_lost = true,
                .why = &helpers->launcher_err};
        return true;
    }
    for (unsigned i = 0; i < HELPERS && laz_helpers_are_starting(helpers); i++) {
        read_launcher(helpers, now_ns); /* it may have ended before we knew its number */
    }
    bool is_ours = ended_is(helpers, &helpers->ship, pid, status, now_ns, ret) ||
            ended_is(helpers, &helpers->sense, pid, status, now_ns, ret) ||
            laz_helpers_fetch_ended(helpers, pid, status, now_ns, ret) ||
            server_ended(
                    helpers, laz_helpers_of(helpers, LAZ_ROLE_TUNNEL), pid, status, now_ns, ret) ||
            server_ended(
                    helpers, laz_helpers_of(helpers, LAZ_ROLE_HEALTH), pid, status, now_ns, ret);
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
    laz_tunnels_leave(&helpers->tunnels); /* where there are any */
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
