# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# To be sourced: which Debian archive this machine uses.

# shellcheck disable=SC2034 # for who sources this
archive_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The address of the Debian archive, by what apt's lists say of their origin, or by
# the suite's name where there are no lists yet. Nothing, if there is none.
archive() {
	local codename

	# shellcheck source=/dev/null
	codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	# shellcheck disable=SC2016 # apt's variables
	apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(RELEASE)' 'Created-By: Packages' |
		awk -F'|' -v codename="$codename" '
			$1 ~ /^(cdrom|copy):/ || $4 != "main" { next }
			$2 == "Debian" && $3 == "Debian" { print $1; exit }
			$2 == "" && ($5 == codename || $5 ~ /^((old)?stable|testing|sid|unstable)$/) && !guess { guess = $1 }
			END { if (guess) print guess }' | head -n 1
}
