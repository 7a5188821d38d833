/* SPDX-License-Identifier: Apache-2.0
 *
 * Do something irrevocable in a child process and learn how it went: a filter loaded, a right given
 * up. The child dies in any case, and within seconds.
 */
#ifndef LAZ_CLI_ATTEMPT_H
#define LAZ_CLI_ATTEMPT_H

#include <stdbool.h>

#define LAZ_ATTEMPT_SECONDS                                                                        \
    5 /* none takes a millisecond; a kernel that does not answer is an answer */

/* Runs in the child: 0 if it worked, an errno if it was refused, -1 if the kernel said yes and did
 * nothing. */
typedef int laz_attempt_in_child(void);

struct laz_attempted {
    bool works;
    int sys_errno; /* why not; 0 if the kernel said yes and did nothing, or killed the child */
    int signal;    /* that killed the child, SIGALRM if time ran out */
};

void laz_attempt(laz_attempt_in_child *attempt, struct laz_attempted *ret);

#endif
