# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# An Apache of a few processes, for tests and benchmarks.

# apache_prefork DIRECTORY PORT DOCUMENTS CHILDREN: prints its configuration
apache_prefork()
{
	modules=/usr/lib/apache2/modules
	cat <<-END
		ServerRoot $1
		PidFile $1/pid
		Listen 127.0.0.1:$2
		ServerName localhost
		LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule dir_module $modules/mod_dir.so
		User www-data
		Group www-data
		StartServers $4
		MaxRequestWorkers 4
		ErrorLog $1/errors
		DocumentRoot $3
		DirectoryIndex index.html
	END
}
