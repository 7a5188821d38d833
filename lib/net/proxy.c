/* SPDX-License-Identifier: Apache-2.0
 *
 * The PROXY header, version 2.
 */
#include "net/proxy.h"

#include <netinet/in.h>
#include <string.h>

#define FIXED     16 /* bytes before the addresses */
#define PROXY     0x21
#define TCP_FOUR  0x11
#define TCP_SIX   0x21
#define UNKNOWN   0x00
#define FOUR_SIZE 12 /* two addresses and two ports */
#define SIX_SIZE  36

size_t laz_proxy_header(const struct sockaddr_storage *from, const struct sockaddr_storage *to,
        uint8_t ret[LAZ_PROXY_HEADER_MAX])
{
    static const uint8_t signature[] = {
            0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
    uint8_t *at = ret + FIXED;
    uint8_t size = 0;
    (void)memcpy(ret, signature, sizeof(signature));
    ret[12] = PROXY;
    ret[13] = UNKNOWN;
    if (from->ss_family == AF_INET && to->ss_family == AF_INET) {
        const struct sockaddr_in *source = (const struct sockaddr_in *)from;
        const struct sockaddr_in *target = (const struct sockaddr_in *)to;
        ret[13] = TCP_FOUR;
        size = FOUR_SIZE;
        (void)memcpy(at, &source->sin_addr, 4);
        (void)memcpy(at + 4, &target->sin_addr, 4);
        (void)memcpy(at + 8, &source->sin_port, 2);
        (void)memcpy(at + 10, &target->sin_port, 2);
    } else if (from->ss_family == AF_INET6 && to->ss_family == AF_INET6) {
        const struct sockaddr_in6 *source = (const struct sockaddr_in6 *)from;
        const struct sockaddr_in6 *target = (const struct sockaddr_in6 *)to;
        ret[13] = TCP_SIX;
        size = SIX_SIZE;
        (void)memcpy(at, &source->sin6_addr, 16);
        (void)memcpy(at + 16, &target->sin6_addr, 16);
        (void)memcpy(at + 32, &source->sin6_port, 2);
        (void)memcpy(at + 34, &target->sin6_port, 2);
    }
    ret[14] = 0;
    ret[15] = size;
    return FIXED + (size_t)size;
}
