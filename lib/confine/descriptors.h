/* SPDX-License-Identifier: Apache-2.0
 *
 * Descriptors that were inherited, beyond 0 to 2: closed in init, marked close-on-exec in the
 * child. Where close_range or its flag is missing (before Linux 5.9 and 5.11), /proc says which
 * there are: asking for every number up to the limit takes longer than the whole start.
 */
#ifndef LAZ_CONFINE_DESCRIPTORS_H
#define LAZ_CONFINE_DESCRIPTORS_H

#include <stdbool.h>

/* Close all from 3 on but `keep`. False where close_range is missing. */
bool laz_descriptors_close(int keep);

/* Mark all from 3 on. 0; -1 with errno. Raw system calls: also between fork and exec. */
int laz_descriptors_mark_in_child(void);

#endif
