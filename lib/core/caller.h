/* SPDX-License-Identifier: Apache-2.0
 *
 * Who has started this process, as the kernel knows it: for records on the host.
 */
#ifndef LAZ_CORE_CALLER_H
#define LAZ_CORE_CALLER_H

#include "core/json.h"

/* `login`: the user who has logged in; -1: nobody has, as for what an engine starts. */
void laz_caller_put_login(struct laz_json *json);
/* The program of the parent, as it is seen from here; "" where that cannot be had. */
void laz_caller_put_program(struct laz_json *json, const char *key);

#endif
