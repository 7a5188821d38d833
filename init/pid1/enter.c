/* SPDX-License-Identifier: Apache-2.0
 *
 * --enter: one more command in a container whose init runs already, as an engine's exec has it.
 * What confines the workload confines it; who serves the workload is there, and is not started a
 * second time: no helper, no sink, no socket, and no secret is delivered again. libc only.
 */
#include "init/pid1/pid1.h"

int laz_pid1_may_enter(const struct laz_pid1 *pid1, struct laz_err *err)
{
    if (!pid1->options.enters || (!pid1->is_pid1 && pid1->parent != 1)) {
        return 0;
    }
    return laz_err_set(err, LAZ_E_USAGE, 0,
            "--enter: this is %s; --enter is for a command that comes into a container later, and "
            "starts none of its helpers",
            pid1->is_pid1 ? "process 1, a container's first"
                          : "a child of process 1, and not from outside");
}

void laz_pid1_enter(struct laz_pid1 *pid1)
{
    struct laz_image *image = &pid1->image;
    if (!pid1->options.enters) {
        return;
    }
    pid1->trail.has_entered = true;
    image->also_read_exec = pid1->options.read_exec;
    image->ships = image->fetches = image->watches = false;
    image->n_tunnels = 0;
    image->lb_grace_ms = 0; /* no load balancer sends anything here */
}
