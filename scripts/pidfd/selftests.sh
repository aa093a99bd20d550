# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# selftests.sh, for other scripts to read in: which selftests there are to run.

# Upstream's collections that are about pidfds or use them, and single programs of
# others. (namespaces:siocgskns_test needs IPv6 and no pidfds;
# filesystems/empty_mntns:clone3_empty_mntns_test takes CLONE_NNP for a flag that
# clone3() refuses; net/af_unix:scm_rights has no pidfds either, and fails where the
# kernel takes more than a second to find sockets that nobody can reach.)
upstream=(pidfd clone3 coredump pid_namespace)
programs=(
	filesystems:anon_inode_test
	filesystems/mount_cycle:mount_cover_test
	filesystems/mount_cycle:unmounted_tree_test
	namespaces:listns_efault_test
	namespaces:regression_pidfd_setns_test
	net/af_unix:scm_pidfd
)

# Build the selftests, as the kernel does, and install them in $BUILD/kselftest.
build_selftests() {
	"$scripts/build.sh" selftests "${upstream[@]}" pidfd_rust || exit 1
	"$scripts/build.sh" programs "${programs[@]}" || exit 1
}
