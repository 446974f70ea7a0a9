# SPDX-License-Identifier: LGPL-2.1-or-later
# What tests/demo and tests/run need to build blackbox; sourced from the top folder.

build_packages='autoconf automake make gcc libc6-dev binutils pkg-config
	libsystemd-dev libzstd-dev libyaml-dev liburing-dev libxxhash-dev libjson-c-dev
	libarchive-dev libseccomp-dev libzydis-dev'

# build_blackbox DIR [CONFIGURE-OPTION...]
build_blackbox() {
	build_dir=$1
	shift
	echo "Building in $build_dir" >&2
	[ -x configure ] || autoreconf -fi >/dev/null 2>&1 || autoreconf -fi
	mkdir -p "$build_dir"
	(
		cd "$build_dir"
		[ -f Makefile ] || "$OLDPWD/configure" --quiet "$@"
		make -s -j"$(nproc)"
	)
}
