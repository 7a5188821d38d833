/* SPDX-License-Identifier: Apache-2.0
 *
 * What PID 1 has to know about the memory that it holds for `sense` and never looks into: how large
 * it is. what is in there, init/sense/kept.h says: the watched files as they were, the processes
 * and ports that are known, and the finds that are not said yet. Pages that nobody writes cost
 * nothing.
 */
#ifndef LAZ_INIT_SENSE_STATE_H
#define LAZ_INIT_SENSE_STATE_H

#define LAZ_SENSE_STATE_SIZE 4194304
#define LAZ_SENSE_UID        65312

#endif
