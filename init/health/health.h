/* SPDX-License-Identifier: Apache-2.0
 *
 * The role `health`: says whether the workload lives, is ready and has started, to balancers over
 * HTTP, to the container's own probe over a socket of init's, and to init. Asks what the policy's
 * checks ask. One event loop, one thread. Decides nothing about the run: init does, on its word.
 */
#ifndef LAZ_INIT_HEALTH_HEALTH_H
#define LAZ_INIT_HEALTH_HEALTH_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>

#include "health/document.h"
#include "health/net.h"
#include "init/health/talk.h"
#include "init/role/orders.h"
#include "net/dial.h"

#define LAZ_HEALTH_UID      65315 /* and gid: as LAZ_SHIP_UID */
#define LAZ_HEALTH_SEATS    64    /* connections at a time, of both doors together */
#define LAZ_HEALTH_CALLERS  32    /* probes at a time */
#define LAZ_HEALTH_IDLE_MS  10000 /* so long a connection may take to ask */
#define LAZ_HEALTH_ASK_MS   5000  /* between questions to init */
#define LAZ_HEALTH_FRESH_MS 1000  /* what is older is asked for again, when somebody wants it */
#define LAZ_HEALTH_LOOK_MS  250   /* between looks at /proc/net, in a drain */
#define LAZ_HEALTH_DIGEST   64    /* digits */
#define LAZ_HEALTH_POLICY   128   /* bytes of its name */

struct laz_health_role;

/* Where HTTP comes in: by TCP, or by the unix socket. */
struct laz_health_door {
    struct laz_health_role *role;
    bool is_tcp;
    struct evhttp *http; /* NULL: it is closed */
    struct evconnlistener *listener;
    unsigned n_at_once; /* accepted in this turn of the loop */
};

/* One connection. Invariant: door is NULL where nobody sits. */
struct laz_health_seat {
    struct laz_health_door *door;
    struct bufferevent *newcomer;         /* ours too, until libevent's object for it is known */
    struct evhttp_connection *connection; /* borrowed; NULL: not known yet */
    uint64_t since_ns;
};

struct laz_health_caller {
    struct laz_health_role *role;
    int fd; /* owned; -1: nobody */
    struct event *event;
    uint64_t since_ns;
};

/* A check on its way to whom it asks. */
struct laz_health_asked {
    struct laz_health_role *role;
    struct laz_health_watch *watch;
    struct laz_dial *dial;        /* tcp; owned */
    struct laz_health_talk *talk; /* http; owned */
    struct laz_tls *tls;          /* https; owned */
    int ca;                       /* of https, until tls is made; owned; -1: none */
    bool is_local;                /* it asks this host: the kernel counts it as accepted here */
    bool is_out;                  /* a command runs: init says when it has ended */
};

struct laz_health_role {
    struct laz_role_ear ear;
    struct event_base *base;
    struct event *orders_event;
    struct event *timer;
    struct event *census; /* newcomers get a seat, doors open again */
    struct event *sweep;  /* connections that take too long */
    struct event *probe_event;
    uint8_t section[LAZ_HEALTH_MAX];
    struct laz_health_config config; /* points into it */
    bool has_config;
    bool has_begun;
    bool works;     /* it is confined, and ready */
    uint32_t owner; /* init's user, who may see everything, as root may */
    char policy[LAZ_HEALTH_POLICY + 1];
    char digest[LAZ_HEALTH_DIGEST + 1];
    char color[LAZ_COLOR_MAX + 1];
    char version[LAZ_COLOR_MAX + 1];
    struct laz_health_facts facts;
    int listeners[LAZ_HEALTH_SOCKET_COUNT]; /* owned, until a door has them */
    bool has_listener;                      /* a predecessor made the one of TCP */
    int chain;                              /* of TCP's certificate; owned; -1: not there */
    int key;
    struct laz_tls *tls;
    struct laz_resolver *resolver; /* NULL: no name is looked up */
    struct laz_health_door doors[2];
    struct laz_health_seat seats[LAZ_HEALTH_SEATS];
    struct laz_health_caller callers[LAZ_HEALTH_CALLERS];
    struct laz_health_asked asked[LAZ_HEALTH_CHECKS_MAX];
    struct laz_health_count count;
    int tables[LAZ_HEALTH_TABLE_COUNT]; /* /proc/net's; owned; -1: it cannot be read */
    int snmp;                           /* as those */
    bool is_blind;                      /* one of them is there, and could not be opened */
    uint64_t our_own; /* connections that the kernel counts and that are no client's */
    uint64_t read_ns; /* when it was, last, for an answer */
    uint64_t look_ns; /* when /proc/net is looked at next */
    uint64_t ask_ns;  /* when init is asked next */
    bool is_overdue;  /* said to init */
    struct laz_health health;
};

_Noreturn void laz_role_health(int chan); /* descriptor 3 */

/* ---- health.c ---- */

/* Something may have changed: judges, tells, asks what is due. From the loop. */
void laz_health_turn(struct laz_health_role *role);
uint64_t laz_health_clock_ns(void); /* CLOCK_BOOTTIME, as init's times are */
/* For an answer: as it is known, or with another look around. */
void laz_health_view_now(struct laz_health_role *role, struct laz_health_view *ret);
void laz_health_look_around(struct laz_health_role *role, struct laz_health_view *ret);

/* ---- serve.c ---- */

/* Makes TCP's socket, or keeps a predecessor's. LAZ_E_HEALTH. */
LAZ_MUST_CHECK int laz_health_listen(struct laz_health_role *role, struct laz_err *err);
/* From its certificate and key. LAZ_E_HEALTH. */
LAZ_MUST_CHECK int laz_health_make_tls(struct laz_health_role *role, struct laz_err *err);
void laz_health_renew_tls(struct laz_health_role *role);
LAZ_MUST_CHECK int laz_health_open_doors(struct laz_health_role *role, struct laz_err *err);

/* ---- seats.c: who is connected, and for how long at the most ---- */

LAZ_MUST_CHECK int laz_health_make_seats(struct laz_health_role *role, struct laz_err *err);
/* Of one that has just come; somebody may have to go. */
void laz_health_take_seat(struct laz_health_door *door, struct bufferevent *newcomer);

/* ---- probe.c ---- */

LAZ_MUST_CHECK int laz_health_open_probe(struct laz_health_role *role, struct laz_err *err);

/* ---- ask.c: checks ---- */

/* While files may still be opened. LAZ_E_HEALTH. */
LAZ_MUST_CHECK int laz_health_open_checks(struct laz_health_role *role, struct laz_err *err);
LAZ_MUST_CHECK int laz_health_make_checks(struct laz_health_role *role, struct laz_err *err);
void laz_health_ask_due(struct laz_health_role *role, uint64_t now_ns);
/* A command has ended; as wait(2), or -errno. */
void laz_health_take_end(struct laz_health_role *role, uint32_t command, int32_t status);

/* ---- tables.c: /proc/net ---- */

void laz_health_open_tables(struct laz_health_role *role);
/* What it shows now; `counts`: also who is connected, which takes a while where many are. */
void laz_health_read_tables(struct laz_health_role *role, bool counts);

/* ---- tell.c ---- */

void laz_health_tell_verdict(const struct laz_health_role *role);
void laz_health_tell_number(
        const struct laz_health_role *role, enum laz_message_type type, uint32_t number);
void laz_health_tell_words(
        const struct laz_health_role *role, enum laz_message_type type, const char *words);
void laz_health_tell_renewed(const struct laz_health_role *role, const char *why);

/* ---- narrow.c ---- */

bool laz_health_needs_names(const struct laz_health_config *config);
/* After it: no root, no capability, no file but those that names are looked up with, no port to
 * bind, no port to connect to but those of its checks, and the system calls of filter.def. */
LAZ_MUST_CHECK int laz_health_narrow(const struct laz_health_role *role, struct laz_err *err);

#endif
