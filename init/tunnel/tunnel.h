/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `tunnel`: TLS for a workload that does not speak it. Takes plain connections on this
 * host and makes verified TLS connections of them, and the other way round. One event loop, one
 * thread. There is no way for a connection to leave this host without TLS.
 */
#ifndef LAZ_INIT_TUNNEL_TUNNEL_H
#define LAZ_INIT_TUNNEL_TUNNEL_H

#include <event2/event.h>
#include <event2/event_struct.h>

#include "init/role/orders.h"
#include "init/tunnel/newcomers.h"
#include "init/tunnel/told.h"
#include "net/dial.h"
#include "net/postgres.h"
#include "net/tls.h"
#include "policy/tunnel.h"

#define LAZ_TUNNEL_UID       65314 /* and gid: as LAZ_SHIP_UID */
#define LAZ_TUNNEL_CHUNK     16384 /* bytes that are moved at once: a TLS record */
#define LAZ_TUNNEL_DIALS     8     /* kept of each entry */
#define LAZ_TUNNEL_WHY_MAX   256
#define LAZ_TUNNEL_UNSENT_MS 30000U /* a peer that confirms nothing for so long is gone */
#define LAZ_TUNNEL_PEER      64     /* bytes of an address as text */

enum laz_tunnel_phase {
    LAZ_TUNNEL_ASKED,      /* postgres: what does the client want? */
    LAZ_TUNNEL_DIALLED,    /* on the way to where it goes */
    LAZ_TUNNEL_OFFERED,    /* postgres: does the server speak TLS? */
    LAZ_TUNNEL_SHAKING,    /* the handshake */
    LAZ_TUNNEL_CONNECTING, /* to the plain side */
    LAZ_TUNNEL_OPEN,
};

struct laz_tunnel;

/* Bytes on their way that did not fit; no memory while there are none. */
struct laz_tunnel_rest {
    uint8_t *bytes; /* owned */
    size_t at;
    size_t n;
};

/* One of the two sides. The events are persistent, and armed only while something is wanted. */
struct laz_tunnel_side {
    int fd; /* owned; -1: not there yet */
    struct event readable;
    struct event writable;
    bool reads; /* armed */
    bool writes;
    bool has_events; /* they are assigned */
};

struct laz_tunnel_dial {
    struct laz_dial *dial;
    struct laz_tunnel_link *link; /* borrowed; NULL: it is free */
    struct laz_tunnel_dial *next; /* of the free ones */
    struct laz_tunnel_port *port;
};

/* A connection, from one side to the other. */
struct laz_tunnel_link {
    struct laz_tunnel_port *port;
    struct laz_tunnel_link *previous;
    struct laz_tunnel_link *next;
    struct laz_tunnel_crowd *crowd; /* NULL: it is no newcomer */
    struct laz_tunnel_link *older;  /* of the crowd */
    struct laz_tunnel_link *newer;
    enum laz_tunnel_phase phase;
    struct laz_tunnel_side plain;
    struct laz_tunnel_side wire; /* TLS */
    SSL *session;                /* owned */
    struct laz_tunnel_dial *dial;
    struct laz_postgres_answers *answers; /* owned; until the server has let the client in */
    struct laz_tunnel_rest up;            /* towards the wire */
    struct laz_tunnel_rest down;
    uint64_t deadline_ns; /* of the handshake and all before it; 0: it is open */
    uint64_t moved_ns;    /* when something went through last */
    unsigned n_asked;
    unsigned n_tried;                /* so often the workload's queue was full */
    uint8_t head[LAZ_POSTGRES_HEAD]; /* postgres: of the client's first message */
    size_t n_head;
    bool plain_ended;   /* nothing more comes from there */
    bool wire_ended;    /* likewise, and it said so */
    bool said_end;      /* to the wire */
    bool passed_end;    /* to the plain side */
    bool up_wants_read; /* TLS has to read before it can write */
    bool down_wants_write;
    char peer[LAZ_TUNNEL_PEER];
};

/* An entry of the policy, at work. */
struct laz_tunnel_port {
    struct laz_tunnel *tunnel;
    const struct laz_tunnel_entry *entry;
    uint32_t number;
    int listener; /* owned; -1: closed */
    struct event *event;
    struct laz_tls *tls; /* owned; of every new connection */
    struct laz_tunnel_dial *free_dials;
    unsigned n_free_dials;
    struct laz_tunnel_link *links;
    uint32_t n_links;
    uint32_t max_links; /* for whom there are descriptors: its part of them is its own */
    uint32_t n_new;     /* in all crowds */
    struct laz_tunnel_crowd crowds[LAZ_TUNNEL_CROWDS];
    struct laz_tunnel_counts counts;
    struct laz_tunnel_counts told;
    uint32_t n_told;
    struct laz_tunnel_tally tally[LAZ_TUNNEL_REASON_COUNT];
};

/* An identity: sealed memory files with its chain and its key. */
struct laz_tunnel_identity {
    int chain; /* owned; -1: not there */
    int key;
    uint64_t again_ns; /* there was no memory for it: when it is tried again; 0: it is not */
};

struct laz_tunnel {
    struct laz_role_ear ear;
    struct event_base *base;
    struct event *orders_event;
    struct event *timer;
    struct laz_resolver *resolver; /* owned, by its only process; NULL: no name is looked up */
    uint8_t section[LAZ_TUNNEL_MAX];
    struct laz_tunnel_config config; /* points into it */
    bool has_config;
    bool has_begun;
    bool works;    /* it is confined, and ready */
    bool drains;   /* nothing new comes in */
    bool is_tired; /* descriptors or memory were short: it does not accept until the next tick */
    int trust[LAZ_TUNNEL_TRUST_MAX]; /* owned */
    struct laz_tunnel_identity identities[LAZ_TUNNEL_IDENTITIES_MAX];
    struct laz_tunnel_port ports[LAZ_TUNNEL_ENTRIES_MAX];
    uint64_t salt;    /* of crowds */
    uint64_t stat_ns; /* when counts are told next */
    uint8_t scratch[LAZ_TUNNEL_CHUNK];
    uint8_t kept[LAZ_TUNNEL_CHUNK + LAZ_POSTGRES_HELD_MAX]; /* what a filter leaves */
};

_Noreturn void laz_role_tunnel(int chan); /* descriptor 3 */

/* ---- sockets.c: while it still may ---- */

/* Makes the listening socket of an entry, or keeps its predecessor's. LAZ_E_TUNNEL. */
LAZ_MUST_CHECK int laz_tunnel_listen(
        const struct laz_tunnel_config *config, struct laz_tunnel_port *port, struct laz_err *err);
/* Raises the limit of open files as far as the connections want it. */
/* How many there may be; they are shared out, so that no entry takes another's. */
size_t laz_tunnel_make_room(struct laz_tunnel *tunnel);
/* To the plain side of what comes in, without waiting. -1: errno says why; EAGAIN of a unix socket:
 * its queue is full. */
int laz_tunnel_connect_plain(const struct laz_tunnel_end *to);
/* Without Nagle's rule; a peer that is gone is noticed. Unix sockets have neither. */
void laz_tunnel_tune(int fd);

/* ---- certificates.c ---- */

void laz_tunnel_forget_identities(struct laz_tunnel *tunnel); /* contexts are made of them */
LAZ_MUST_CHECK int laz_tunnel_open_trust(struct laz_tunnel *tunnel, struct laz_err *err);
/* What new connections use, for the first time. LAZ_E_TUNNEL, LAZ_E_MEMORY. */
LAZ_MUST_CHECK int laz_tunnel_make_tls(struct laz_tunnel *tunnel, struct laz_err *err);
/* Another certificate and key: for all of its entries, or for none. Takes the descriptors. */
void laz_tunnel_take_identity(struct laz_tunnel *tunnel, uint32_t number, int chain, int key);
/* Those for which there was no memory, once it is time. */
void laz_tunnel_try_identities(struct laz_tunnel *tunnel, uint64_t now_ns);

/* ---- accept.c: how connections begin ---- */

/* From the loop, as long as the port accepts. */
LAZ_MUST_CHECK int laz_tunnel_open_port(struct laz_tunnel_port *port, struct laz_err *err);
void laz_tunnel_close_port(struct laz_tunnel_port *port);

/* ---- link.c: from the beginning to the open connection ---- */

/* Takes the descriptor. */
void laz_tunnel_begin_link(struct laz_tunnel_port *port, int fd,
        const struct sockaddr_storage *from, const char *peer);
/* What can be done now, is. The link may be gone afterwards. */
void laz_tunnel_advance(struct laz_tunnel_link *link);
void laz_tunnel_refuse_link(
        struct laz_tunnel_link *link, enum laz_tunnel_reason reason, const char *why);
void laz_tunnel_end_link(struct laz_tunnel_link *link);
/* The server has let the client in, or the link ends. */
void laz_tunnel_forget_answers(struct laz_tunnel_link *link);
/* Wants to read or write there, and nothing else. */
void laz_tunnel_want(
        struct laz_tunnel_link *link, struct laz_tunnel_side *side, bool reads, bool writes);

/* ---- relay.c: the open connection ---- */

/* Move what can be moved, this way or that. The link may be gone afterwards. */
void laz_tunnel_move_up(struct laz_tunnel_link *link);
void laz_tunnel_move_down(struct laz_tunnel_link *link);
/* A reset of a side that has ended wakes nobody: is it still there? The link may be gone. */
void laz_tunnel_look_after(struct laz_tunnel_link *link);
/* Behind what waits there already. False: no memory. */
LAZ_MUST_CHECK bool laz_tunnel_hold(
        struct laz_tunnel_rest *rest, const uint8_t *bytes, size_t length);

/* ---- tell.c ---- */

void laz_tunnel_tell_refused(struct laz_tunnel_port *port, enum laz_tunnel_reason reason,
        const char *peer, const char *why);
void laz_tunnel_tell_renewed(struct laz_tunnel *tunnel, uint32_t identity, const char *why);
/* What was not said yet of what is counted; all of it, or what is due. */
void laz_tunnel_tell_counts(struct laz_tunnel *tunnel, bool all);
uint64_t laz_tunnel_now_ns(void);

/* ---- narrow.c ---- */

/* Does it connect to anything but the workload? */
bool laz_tunnel_needs_names(const struct laz_tunnel_config *config);
/* After it: no root, no capability, no file but those that names are looked up with, no port to
 * bind, no port to connect to but those of the policy, and the system calls of filter.def. */
LAZ_MUST_CHECK int laz_tunnel_narrow(const struct laz_tunnel *tunnel, struct laz_err *err);

#endif
