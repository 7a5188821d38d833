/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LAZ_INIT_VERSION_H
#define LAZ_INIT_VERSION_H

#define LAZ_VERSION "0.1.0"

#endif
