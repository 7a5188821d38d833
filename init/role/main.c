/* SPDX-License-Identifier: Apache-2.0
 *
 * lazaret-helper: init's helpers, one process for each role. Started by the process `launch` with
 * its channel as descriptor 3, and by nobody else. Everything else it is told there.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "init/fetch/fetch.h"
#include "init/health/health.h"
#include "init/sense/sense.h"
#include "init/ship/ship.h"
#include "init/tunnel/tunnel.h"

#define CHAN_FD 3

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        return puts("lazaret-helper " LAZARET_VERSION) < 0;
    }
    bool is_ship = argc == 2 && strcmp(argv[1], laz_role_name(LAZ_ROLE_SHIP)) == 0;
    bool is_sense = argc == 2 && strcmp(argv[1], laz_role_name(LAZ_ROLE_SENSE)) == 0;
    bool is_fetch = argc == 2 && strcmp(argv[1], laz_role_name(LAZ_ROLE_FETCH)) == 0;
    bool is_tunnel = argc == 2 && strcmp(argv[1], laz_role_name(LAZ_ROLE_TUNNEL)) == 0;
    bool is_health = argc == 2 && strcmp(argv[1], laz_role_name(LAZ_ROLE_HEALTH)) == 0;
    if ((!is_ship && !is_sense && !is_fetch && !is_tunnel && !is_health) ||
            fcntl(CHAN_FD, F_SETFD, FD_CLOEXEC) < 0) {
        (void)fprintf(stderr,
                "lazaret-helper: error: started by lazaret-init alone, as \"lazaret-helper "
                "ship\", \"lazaret-helper sense\", \"lazaret-helper fetch\", \"lazaret-helper "
                "tunnel\" or \"lazaret-helper health\"\n");
        return 2;
    }
    (void)prctl(PR_SET_DUMPABLE, 0UL, 0UL, 0UL, 0UL);
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL); /* who goes away fails a write, and ends nobody */
    if (is_sense) {
        (void)prctl(PR_SET_NAME, "lazaret-sense", 0UL, 0UL, 0UL);
        laz_role_sense(CHAN_FD);
    }
    if (is_fetch) {
        (void)prctl(PR_SET_NAME, "lazaret-fetch", 0UL, 0UL, 0UL);
        laz_role_fetch(CHAN_FD);
    }
    if (is_tunnel) {
        (void)prctl(PR_SET_NAME, "lazaret-tunnel", 0UL, 0UL, 0UL);
        laz_role_tunnel(CHAN_FD);
    }
    if (is_health) {
        (void)prctl(PR_SET_NAME, "lazaret-health", 0UL, 0UL, 0UL);
        laz_role_health(CHAN_FD);
    }
    (void)prctl(PR_SET_NAME, "lazaret-ship", 0UL, 0UL, 0UL);
    laz_role_ship(CHAN_FD);
}
