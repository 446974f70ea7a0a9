/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Large reads of a file that doesn't change: of the one that is named by its argument, whose bytes
 * are this program's own (`make'), or of one that it makes itself. With one more argument it then
 * closes it, waits until there is a file of that name, and reads again.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "check.h"

enum { SIZE = 1000003, BIG = 100000, ROUNDS = 20, PAGE = 4096, N_THREADS = 4 };

static uint8_t content[SIZE], other[SIZE], buffer[SIZE + BIG];
static const char *path;
static int fixed, changing;	/* a file of content, and one of other */

static void fill(uint8_t *bytes, uint64_t seed)
{
	for (size_t i = 0; i < SIZE; i++)
		bytes[i] = (uint8_t)(next_random(&seed) >> 11);
}

static bool is_at(const void *bytes, size_t offset, size_t len)
{
	return memcmp(bytes, content + offset, len) == 0;
}

static void sequentially(void)
{
	size_t at = 0;
	ssize_t n;

	CHECK(lseek(fixed, 0, SEEK_SET) == 0);
	while ((n = read(fixed, buffer, BIG)) > 0) {
		CHECK(is_at(buffer, at, (size_t)n));
		at += (size_t)n;
		CHECK(lseek(fixed, 0, SEEK_CUR) == (off_t)at);
	}
	CHECK(n == 0 && at == SIZE);
}

static void anywhere(void)
{
	CHECK(lseek(fixed, 5, SEEK_SET) == 5);
	CHECK(pread(fixed, buffer, BIG, 12345) == BIG && is_at(buffer, 12345, BIG));
	CHECK(lseek(fixed, 0, SEEK_CUR) == 5);
	CHECK(pread(fixed, buffer + 1, BIG, SIZE - 50001) == 50001 && is_at(buffer + 1, SIZE - 50001, 50001));
	CHECK(pread(fixed, buffer, BIG, SIZE) == 0);
	CHECK(pread(fixed, buffer, BIG, SIZE + 1) == 0);
	FAILS(pread(fixed, buffer, BIG, -1), EINVAL);
	CHECK(pread(fixed, buffer, sizeof(buffer), 0) == SIZE && is_at(buffer, 0, SIZE));
}

static void vectors(void)
{
	struct iovec iov[4] = { { buffer, 10 }, { NULL, 0 }, { buffer + 20000, 50000 }, { buffer + 100000, BIG } };

	CHECK(lseek(fixed, 100, SEEK_SET) == 100);
	CHECK(readv(fixed, iov, 4) == 50010 + BIG && lseek(fixed, 0, SEEK_CUR) == 50110 + BIG);
	CHECK(is_at(buffer, 100, 10) && is_at(buffer + 20000, 110, 50000) && is_at(buffer + 100000, 50110, BIG));
	CHECK(preadv(fixed, iov, 4, SIZE - 60000) == 60000 && is_at(buffer + 100000, SIZE - 9990, 9990));
	CHECK(preadv2(fixed, iov, 4, 777, 0) == 50010 + BIG && is_at(buffer + 20000, 787, 50000));
	CHECK(lseek(fixed, 100, SEEK_SET) == 100);
	CHECK(preadv2(fixed, iov, 4, -1, 0) == 50010 + BIG && lseek(fixed, 0, SEEK_CUR) == 50110 + BIG);
	/* The later piece overwrites some of the first. */
	iov[0] = (struct iovec){ buffer, BIG };
	iov[1] = (struct iovec){ buffer + 50000, BIG };
	CHECK(preadv(fixed, iov, 2, 0) == 2 * BIG && is_at(buffer, 0, 50000) && is_at(buffer + 50000, BIG, BIG));
}

static void memories(void)
{
	uint8_t *hole = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *shared = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint8_t *file = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fixed, 0);
	int memfd = memfd_create("both", 0);
	uint8_t *memory;

	CHECK(hole != MAP_FAILED && shared != MAP_FAILED && file != MAP_FAILED);
	CHECK(munmap(hole + 10 * PAGE, PAGE) == 0);
	CHECK(pread(fixed, hole, BIG, 3) == 10 * PAGE && is_at(hole, 3, 10 * PAGE));
	FAILS(pread(fixed, hole + 10 * PAGE, BIG, 3), EFAULT);
	CHECK(mprotect(hole, PAGE, PROT_READ) == 0);
	FAILS(pread(fixed, hole, BIG, 3), EFAULT);
	CHECK(pread(fixed, shared, BIG, 4) == BIG && is_at(shared, 4, BIG));
	CHECK(pread(fixed, file + 1, BIG, 5) == BIG && is_at(file + 1, 5, BIG) && file[0] == content[0]);
	CHECK(memfd >= 0 && ftruncate(memfd, 32 * PAGE) == 0);
	memory = mmap(NULL, 32 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	CHECK(memory != MAP_FAILED && pread(fixed, memory, BIG, 6) == BIG && is_at(memory, 6, BIG));
	CHECK(pread(memfd, buffer, BIG, 0) == BIG && is_at(buffer, 6, BIG));
	CHECK(munmap(hole, 32 * PAGE) == 0 && munmap(shared, 32 * PAGE) == 0 && munmap(file, 32 * PAGE) == 0 &&
	      munmap(memory, 32 * PAGE) == 0 && close(memfd) == 0);
}

/* The number of a descriptor says nothing of what it was the last time. */
static void descriptors(void)
{
	int copy = dup(fixed), pair[2], got;
	char control[CMSG_SPACE(sizeof(int))] = { 0 }, byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	CHECK(copy >= 0 && lseek(copy, 9, SEEK_SET) == 9);
	CHECK(read(fixed, buffer, BIG) == BIG && is_at(buffer, 9, BIG));
	CHECK(read(copy, buffer, BIG) == BIG && is_at(buffer, 9 + BIG, BIG));
	CHECK(dup2(changing, copy) == copy && pread(copy, buffer, BIG, 9) == BIG && memcmp(buffer, other + 9, BIG) == 0);
	CHECK(dup2(fixed, copy) == copy && pread(copy, buffer, BIG, 9) == BIG && is_at(buffer, 9, BIG));
	CHECK(close(copy) == 0 && open("/dev/zero", O_RDONLY) == copy && read(copy, buffer, BIG) == BIG &&
	      buffer[0] == 0 && buffer[BIG - 1] == 0);
	CHECK(close(copy) == 0 && open(path, O_RDONLY) == copy && read(copy, buffer, BIG) == BIG && is_at(buffer, 0, BIG));

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &changing, sizeof(int));
	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && sendmsg(pair[0], &message, 0) == 1 && close(copy) == 0);
	CHECK(recvmsg(pair[1], &message, 0) == 1);
	memcpy(&got, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(got));
	CHECK(got == copy && pread(got, buffer, BIG, 8) == BIG && memcmp(buffer, other + 8, BIG) == 0);
	CHECK(close(got) == 0 && close(pair[0]) == 0 && close(pair[1]) == 0);
}

/* The position is its parent's, too. */
static void in_child(void)
{
	int status;
	pid_t pid;

	CHECK(lseek(fixed, 0, SEEK_SET) == 0);
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < 5; i++) {
			CHECK(read(fixed, buffer, BIG) == BIG && is_at(buffer, i * BIG, BIG));
			sleep_ms(2);
		}
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
	CHECK(read(fixed, buffer, BIG) == BIG && is_at(buffer, 5 * BIG, BIG));
}

static int turning;

static void *reads(void *number)
{
	uint8_t *bytes = malloc(BIG);
	uint64_t seed = (uintptr_t)number + 1;

	CHECK(bytes);
	for (int i = 0; i < ROUNDS; i++) {
		size_t at = next_random(&seed) % (SIZE - BIG);

		CHECK(pread(fixed, bytes, BIG, (off_t)at) == BIG && is_at(bytes, at, BIG));
		CHECK(pread(turning, bytes, BIG, (off_t)at) == BIG);
		CHECK(is_at(bytes, at, BIG) || memcmp(bytes, other + at, BIG) == 0);
	}
	free(bytes);
	return NULL;
}

/* While one of the files that they read becomes another, and the first again. */
static void in_threads(void)
{
	pthread_t threads[N_THREADS];

	turning = dup(fixed);
	CHECK(turning >= 0);
	for (uintptr_t i = 0; i < N_THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, reads, (void *)i) == 0);
	for (int i = 0; i < 2 * ROUNDS; i++) {
		CHECK(dup2(i % 2 ? fixed : changing, turning) == turning);
		sleep_ms(1);
	}
	for (int i = 0; i < N_THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	CHECK(close(turning) == 0);
}

/* Who records it needs a moment to see that it can't change. */
static void again_and_again(void)
{
	for (int i = 0; i < ROUNDS; i++) {
		sequentially();
		sleep_ms(10);
	}
}

static void wait_for(const char *file)
{
	CHECK(close(fixed) == 0 && fputs("it waits\n", stderr) >= 0);
	while (access(file, F_OK) < 0)
		sleep_ms(5);
	fixed = open(path, O_RDONLY);
	CHECK(fixed >= 0);
	again_and_again();
}

static int file_of(const uint8_t *bytes)
{
	int fd = temporary_file(0);

	CHECK(write(fd, bytes, SIZE) == SIZE);
	return fd;
}

int main(int argc, char **argv)
{
	static char name[32];

	fill(content, 1);
	fill(other, 2);
	if (argc > 1 && strcmp(argv[1], "make") == 0)
		return write(1, content, SIZE) != SIZE;
	changing = file_of(other);
	if (argc > 1) {
		path = argv[1];
		fixed = open(path, O_RDONLY);
	} else {
		fixed = file_of(content);
		(void) snprintf(name, sizeof(name), "/proc/self/fd/%d", fixed);
		path = name;
	}
	CHECK(fixed >= 0);
	again_and_again();
	anywhere();
	vectors();
	memories();
	descriptors();
	in_child();
	in_threads();
	again_and_again();
	if (argc > 2)
		wait_for(argv[2]);
	CHECK(puts("read") >= 0);
	return 0;
}
