/* SPDX-License-Identifier: Apache-2.0
 *
 * Sockets and words of the role `tunnel`. Believes nothing that it says, and looks into no
 * connection. libc only.
 */
#include "init/pid1/tunnel.h"

#include <string.h>

#include "core/fd.h"

void laz_tunnels_begin(struct laz_tunnels *tunnels, const struct laz_image *image)
{
    tunnels->image = image;
    for (size_t i = 0; i < LAZ_IMAGE_TUNNELS_MAX; i++) {
        tunnels->listeners[i] = -1;
    }
    laz_helper_init(&tunnels->helper, LAZ_ROLE_TUNNEL, LAZ_E_TUNNEL);
    tunnels->helper.is_needed = true;
    tunnels->helper.tunnels = tunnels;
}

/* ---- what it is told ---- */

static bool say_listeners(const struct laz_tunnels *tunnels)
{
    bool ok = true;
    for (uint32_t i = 0; i < tunnels->image->n_tunnels && ok; i++) {
        ok = tunnels->listeners[i] < 0 ||
                laz_helper_say_listen(tunnels->helper.chan, i, tunnels->listeners[i]);
    }
    return ok;
}

bool laz_tunnels_show(
        const struct laz_tunnels *tunnels, const struct laz_secrets *secrets, uint32_t changed)
{
    bool ok = true;
    for (uint32_t i = 0; i < tunnels->image->n_identities && ok; i++) {
        const uint8_t *items = tunnels->image->identities + 2 * (size_t)i;
        if (((changed >> items[0] | changed >> items[1]) & 1) != 0) {
            ok = laz_helper_say_identity(tunnels->helper.chan, i, secrets, items);
        }
    }
    return ok;
}

bool laz_tunnels_tell(const struct laz_tunnels *tunnels, const struct laz_secrets *secrets)
{
    int chan = tunnels->helper.chan;
    return laz_helper_say_config(chan, tunnels->image->tunnel, tunnels->image->tunnel_length) &&
            say_listeners(tunnels) && laz_tunnels_show(tunnels, secrets, UINT32_MAX) &&
            (!tunnels->drains || laz_helper_say_only(chan, LAZ_MESSAGE_DRAIN)) &&
            laz_helper_say_only(chan, LAZ_MESSAGE_BEGIN);
}

/* ---- what it says ---- */

static int broken(struct laz_err *err, const char *what)
{
    return laz_err_set(err, LAZ_E_TUNNEL, 0, "lazaret-helper tunnel sent %s", what);
}

static bool comes_from_outside(const struct laz_tunnels *tunnels, uint32_t entry)
{
    return (tunnels->image->tunnels_in >> entry & 1) != 0;
}

/* Before it is ready, and once: one that somebody else has taken over cannot put another socket
 * where whoever is started after it would take it. */
static int on_listener(
        struct laz_tunnels *tunnels, struct laz_message *message, int *fd, struct laz_err *err)
{
    struct laz_fields fields;
    laz_fields_begin(&fields, message);
    uint32_t entry = laz_fields_u32(&fields);
    if (!laz_fields_done(&fields) || entry >= tunnels->image->n_tunnels) {
        return broken(err, "the socket of an entry that there is not");
    }
    if (tunnels->helper.is_ready || tunnels->listeners[entry] >= 0) {
        return broken(err, "a socket that is here already");
    }
    if (!laz_helper_listens(*fd)) {
        return broken(err, "what is no socket that listens");
    }
    if (!tunnels->drains || !comes_from_outside(tunnels, entry)) {
        tunnels->listeners[entry] = *fd;
        *fd = -1;
    }
    return 0;
}

/* Kept until the trail takes it; what comes meanwhile and does not fit is lost to it. */
static int keep_words(struct laz_tunnels *tunnels, const struct laz_message *message,
        uint64_t now_ns, struct laz_err *err)
{
    if (now_ns - tunnels->words_ns >= LAZ_TUNNEL_WORDS_NS) {
        tunnels->words_ns = now_ns;
        tunnels->n_words = 0;
    }
    if (++tunnels->n_words > LAZ_TUNNEL_WORDS_MAX) {
        return broken(err, "more than it can have to say");
    }
    if (tunnels->n_said < LAZ_TUNNEL_SAID_AHEAD && message->length <= LAZ_TUNNEL_SAID_MAX) {
        struct laz_tunnel_said *said = &tunnels->said[tunnels->n_said++];
        said->type = message->type;
        said->length = message->length;
        (void)memcpy(said->fields, message->fields, message->length);
    }
    return 0;
}

int laz_tunnels_told(struct laz_tunnels *tunnels, struct laz_message *message, uint64_t now_ns,
        struct laz_err *err)
{
    laz_cleanup_fd int fd = message->n_fds > 0 ? message->fds[0] : -1;
    return message->type == LAZ_MESSAGE_LISTENER ? on_listener(tunnels, message, &fd, err)
                                                 : keep_words(tunnels, message, now_ns, err);
}

bool laz_tunnels_next(struct laz_tunnels *tunnels, struct laz_message *ret)
{
    if (tunnels->n_told == tunnels->n_said) {
        tunnels->n_told = tunnels->n_said = 0;
        return false;
    }
    const struct laz_tunnel_said *said = &tunnels->said[tunnels->n_told++];
    *ret = (struct laz_message){.type = said->type, .fields = said->fields, .length = said->length};
    return true;
}

void laz_tunnels_check(struct laz_tunnels *tunnels)
{
    struct laz_helper *helper = &tunnels->helper;
    if (!helper->is_ready) {
        return;
    }
    for (uint32_t i = 0; i < tunnels->image->n_tunnels; i++) {
        if (tunnels->listeners[i] < 0 && !(tunnels->drains && comes_from_outside(tunnels, i))) {
            helper->is_ready = false;
            helper->err = (struct laz_err){0};
            (void)laz_err_set(&helper->err, LAZ_E_TUNNEL, 0,
                    "lazaret-helper tunnel is ready, and not all of its sockets are here");
            laz_helper_drop(helper);
            return;
        }
    }
    helper->is_needed = false;
}

/* ---- its end ---- */

void laz_tunnels_drain(struct laz_tunnels *tunnels)
{
    if (tunnels->image == NULL || tunnels->drains) {
        return;
    }
    tunnels->drains = true;
    for (uint32_t i = 0; i < tunnels->image->n_tunnels; i++) {
        if (comes_from_outside(tunnels, i)) {
            laz_fd_close(&tunnels->listeners[i]);
        }
    }
    if (tunnels->helper.chan >= 0 &&
            !laz_helper_say_only(tunnels->helper.chan, LAZ_MESSAGE_DRAIN)) {
        laz_helper_drop(&tunnels->helper);
    }
}

void laz_tunnels_leave(struct laz_tunnels *tunnels)
{
    if (tunnels->image == NULL || tunnels->helper.is_leaving) {
        return;
    }
    tunnels->helper.is_leaving = true;
    tunnels->helper.due_ns = 0;
    if (tunnels->helper.chan >= 0 &&
            !laz_helper_say_only(tunnels->helper.chan, LAZ_MESSAGE_LEAVE)) {
        laz_helper_drop(&tunnels->helper);
    }
}
