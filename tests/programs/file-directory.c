/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Directories: made, listed, renamed, linked, read back, removed. */
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "check.h"

static int list(const char *path, unsigned *ret_sum)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	int n = 0;

	CHECK(dir);
	*ret_sum = 0;
	while ((entry = readdir(dir))) {
		n++;
		*ret_sum += (unsigned char)entry->d_name[0];
	}
	rewinddir(dir);
	CHECK(readdir(dir) && closedir(dir) == 0);
	return n;
}

static void names(int dir)
{
	char link[16] = "----------";
	struct stat st;
	unsigned sum;
	int fd = openat(dir, "a", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0640);

	CHECK(fd >= 0 && write(fd, "hello", 5) == 5 && close(fd) == 0);
	FAILS(openat(dir, "a", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
	CHECK(linkat(dir, "a", dir, "b", 0) == 0 && symlinkat("a", dir, "c") == 0);
	CHECK(fstatat(dir, "b", &st, 0) == 0 && st.st_nlink == 2 && st.st_size == 5);
	CHECK(fstatat(dir, "c", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode));
	CHECK(readlinkat(dir, "c", link, sizeof(link)) == 1 && memcmp(link, "a-", 2) == 0);
	CHECK(renameat(dir, "b", dir, "d") == 0);
	FAILS(syscall(SYS_renameat2, dir, "a", dir, "d", 1 /* NOREPLACE */), EEXIST);
	CHECK(mkdirat(dir, "e", 0700) == 0 && mknodat(dir, "f", S_IFIFO | 0600, 0) == 0);
	CHECK(list(".", &sum) == 7 && sum == 'a' + 'c' + 'd' + 'e' + 'f' + 2 * '.');
	FAILS(rmdir("a"), ENOTDIR);
	FAILS(unlinkat(dir, "nothing", 0), ENOENT);
	CHECK(faccessat(dir, "a", R_OK, 0) == 0);
	CHECK(chmod("a", 0) == 0 && stat("a", &st) == 0 && (st.st_mode & 0777) == 0);
	CHECK(unlink("a") == 0 && unlink("c") == 0 && unlink("d") == 0 && unlink("f") == 0);
	CHECK(unlinkat(dir, "e", AT_REMOVEDIR) == 0);
}

int main(void)
{
	char path[] = "/tmp/blackbox-test-XXXXXX", cwd[64], before[4096];
	mode_t mask = umask(027);
	struct stat st;
	int dir;

	CHECK(umask(mask) == 027);
	CHECK(getcwd(before, sizeof(before)) && mkdtemp(path) && chdir(path) == 0);
	CHECK(getcwd(cwd, sizeof(cwd)) && strcmp(cwd, path) == 0);
	errno = 0;
	CHECK(!getcwd(cwd, 3) && errno == ERANGE);
	dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);
	names(dir);
	CHECK(chdir("/") == 0 && fchdir(dir) == 0 && getcwd(cwd, sizeof(cwd)));
	CHECK(chdir(before) == 0 && rmdir(path) == 0);
	FAILS(stat(path, &st), ENOENT);
	CHECK(fstat(dir, &st) == 0 && st.st_nlink == 0);
	return 0;
}
