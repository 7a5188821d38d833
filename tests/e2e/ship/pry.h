/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A workload that wants to know what it may do to the processes beside it, to their files and to
 * its own standard output. Tries each thing once, harmlessly where it can be, and says the errno.
 */
#ifndef SHIP_PRY_H
#define SHIP_PRY_H

/* One line for each attempt on `to`: "who what errno", 0 where it succeeded. `spool`: the spool's
 * directory. */
void pry(const char *spool, int to);

/* The same processes: fewer descriptors, the lowest priority, one processor. Cannot be taken back.
 */
void hamper(int to);

#endif
