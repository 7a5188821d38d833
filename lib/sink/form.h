/* SPDX-License-Identifier: Apache-2.0
 *
 * The form in which a record leaves: as it is, as the line that stock OSSEC's log collector
 * understands, or as an event of OCSF; with a syslog header for a collector, without one for a
 * file. Pure.
 */
#ifndef LAZ_SINK_FORM_H
#define LAZ_SINK_FORM_H

#include "policy/ship.h"
#include "sink/syslog_codec.h"

/* Bytes of a line of format "ossec", its time included: OSSEC's log collector reads 5,888 at a
 * time and ends a longer line there, and its analysis daemon has 6,144 for line and origin. */
#define LAZ_FORM_OSSEC_MAX 5600

#define LAZ_FORM_MORE_MAX LAZ_SYSLOG_HEAD_MAX /* bytes that a form adds to a record, at most */

struct laz_form {
    enum laz_ship_format format;
    struct laz_syslog_origin origin;
};

void laz_form_init(struct laz_form *form, enum laz_ship_format format, const char *host);

/* Append a message for a syslog collector, without a line feed. LAZ_E_SINK, and nothing is
 * appended, if the text is no record, or one that the format has no room for; with a `buf` that is
 * too small it overflows. */
LAZ_MUST_CHECK int laz_form_message(struct laz_buf *buf, const struct laz_form *form, int severity,
        const char *text, size_t length, struct laz_err *err);

/* The same as a line of a file, line feed included. */
LAZ_MUST_CHECK int laz_form_line(struct laz_buf *buf, const struct laz_form *form, const char *text,
        size_t length, struct laz_err *err);

/* Do these bytes look like the beginning of such a line, as far as they go? */
LAZ_MUST_CHECK bool laz_form_begins(const struct laz_form *form, const char *bytes, size_t length);

#endif
