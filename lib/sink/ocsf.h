/* SPDX-License-Identifier: Apache-2.0
 *
 * A record as an event of the Open Cybersecurity Schema Framework: a rendering, which says nothing
 * that the record does not, and not the trail. Hashes are of the record, which is inside as
 * `raw_data`. Pure. docs/reference/ocsf.md.
 */
#ifndef LAZ_SINK_OCSF_H
#define LAZ_SINK_OCSF_H

#include "core/buf.h"

#define LAZ_OCSF_START "{\"metadata\":{\"product\":{\"name\":\"Lazaret\"," /* of each such line */

/* Append the event as a line, line feed included. `host` is the container's, "-" if it has none.
 * LAZ_E_SINK, and nothing is appended, if the text is no record, or the event would be longer than
 * a record may be. */
LAZ_MUST_CHECK int laz_ocsf_line(struct laz_buf *buf, const char *host, const char *text,
        size_t length, struct laz_err *err);

#endif
