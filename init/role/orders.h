/* SPDX-License-Identifier: Apache-2.0
 *
 * A helper's side of its channel to init: orders come, words go. What an order means is the role's.
 */
#ifndef LAZ_INIT_ROLE_ORDERS_H
#define LAZ_INIT_ROLE_ORDERS_H

#include "core/tls_words.h"
#include "ipc/chan.h"

/* Without init there is nobody to tell: a failure to send is none. */
void laz_role_say(int chan, struct laz_buf *message);
void laz_role_say_only(int chan, enum laz_message_type type);
/* It is, and this is what computes. */
void laz_role_say_ready(int chan, enum laz_fips_state fips);
/* Say why, and end; what is open is the successor's. */
_Noreturn void laz_role_fail(int chan, const struct laz_err *err);

/* What takes one order; an error ends the helper. */
struct laz_role_ear {
    int chan;
    enum laz_role role;
    int (*take)(void *context, struct laz_message *message, struct laz_err *err);
    void *context;
};

/* All that has come. False: init has gone. */
LAZ_MUST_CHECK bool laz_role_read_orders(const struct laz_role_ear *ear);
/* Until *has_begun; ends with init. */
void laz_role_await_orders(const struct laz_role_ear *ear, const bool *has_begun);

#endif
