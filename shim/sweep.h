/* SPDX-License-Identifier: Apache-2.0
 *
 * What containers that are gone have left in the folder of records: a copy of process.json for each
 * exec, a mark for each create, a record of each container that had no hook to remove it.
 */
#ifndef LAZ_SHIM_SWEEP_H
#define LAZ_SHIM_SWEEP_H

#include "oci/record.h"
#include "shim/call.h"

#define LAZ_SWEEP_COPY ".exec-" /* ID.exec-PID: of the process that becomes the runtime */

/* crun's own choice where no root is given and its caller has a session, which root may have too:
 * from here on as if it had been given. Not in argv. */
void laz_sweep_put_root(const char *program, char *const *environment,
        struct laz_arguments *arguments, char ret[LAZ_OCI_ROOT_SIZE]);

/* Is it known of the runtime how it keeps its containers? Of another kind the records of those that
 * are gone, without a hook, would never be removed. */
bool laz_sweep_knows(const struct laz_call *call);

/* Removes copies, marks and unfinished files of processes that have ended. */
void laz_sweep_files(int folder);

/* Until the folder is closed nobody else creates or sweeps. The container of the call is marked as
 * being created, until this process ends, and the records of containers that the runtime does not
 * have are removed; the runtime's root is noted. LAZ_E_OCI_STATE, LAZ_E_REQUEST. */
LAZ_MUST_CHECK int laz_sweep_begin(const struct laz_call *call, int folder, struct laz_err *err);

/* Does the runtime have the call's container, or is somebody else just creating it? After
 * laz_sweep_begin. */
bool laz_sweep_is_there(const struct laz_call *call, int folder);

/* Of a call that is refused: its mark, its copy, and the record if it is the call's. */
void laz_sweep_undo(const struct laz_call *call);

#endif
