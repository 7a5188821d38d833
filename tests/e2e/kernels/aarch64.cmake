# SPDX-License-Identifier: Apache-2.0
#
# Toolchain: the same programs for aarch64, built on another architecture with Debian's cross compiler. musl,
# libyaml and the others are Debian's arm64 packages, unpacked by packages.py beside this file and never
# installed. Build tools and tests that run during the build run under qemu-user.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_OBJCOPY aarch64-linux-gnu-objcopy)
set(CMAKE_STRIP aarch64-linux-gnu-strip)

cmake_path(SET sysroot NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../../../build/packages/aarch64")
if(NOT EXISTS "${sysroot}/usr/lib/aarch64-linux-musl/rcrt1.o")
  message(FATAL_ERROR "nothing at ${sysroot}: run tests/e2e/kernels/packages.py sysroot")
endif()
list(APPEND CMAKE_FIND_ROOT_PATH "${sysroot}" /usr/aarch64-linux-gnu)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)

set(ENV{PKG_CONFIG_LIBDIR} "${sysroot}/usr/lib/aarch64-linux-gnu/pkgconfig:${sysroot}/usr/share/pkgconfig")
set(ENV{PKG_CONFIG_SYSROOT_DIR} "${sysroot}")

# Where Debian keeps the headers that differ from one architecture to the next.
set(CMAKE_C_FLAGS_INIT "-idirafter ${sysroot}/usr/include/aarch64-linux-gnu")
# What Criterion's library needs in turn.
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${sysroot}/usr/lib/aarch64-linux-gnu")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L "${sysroot}")
