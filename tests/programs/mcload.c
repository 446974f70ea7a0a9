/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Load for memcached: mcload PORT THREADS SECONDS. Each thread has a connection of its
 * own, sets and gets values and checks what it gets. Prints the number of operations;
 * fails on any wrong answer.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int port;
static double deadline;
static atomic_ulong n_done;
static atomic_int failed;

static double now(void)
{
	struct timespec t;

	(void) clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? fd : -1;
}

/* Sends @request and reads until what came ends with @end. */
static int ask(int fd, const char *request, const char *end, char *answer, size_t size)
{
	size_t n = 0, end_len = strlen(end);

	if (write(fd, request, strlen(request)) < 0)
		return -1;
	do {
		ssize_t r = read(fd, answer + n, size - 1 - n);

		if (r <= 0)
			return -1;
		n += (size_t)r;
		answer[n] = '\0';
	} while (n < end_len || strcmp(answer + n - end_len, end) != 0);
	return 0;
}

static void *work(void *argument)
{
	long id = (long)argument;
	unsigned seed = (unsigned)id;
	char request[512], answer[1024], value[101];
	int fd = dial();

	if (fd < 0)
		failed = 1;
	while (!failed && now() < deadline) {
		int key = (int)(rand_r(&seed) % 100);

		memset(value, 'a' + key % 26, 100);
		value[100] = '\0';
		(void) snprintf(request, sizeof(request), "set t%ld-%d 0 0 100\r\n%s\r\n", id, key, value);
		if (ask(fd, request, "\r\n", answer, sizeof(answer)) < 0 || strcmp(answer, "STORED\r\n") != 0)
			failed = 2;
		(void) snprintf(request, sizeof(request), "get t%ld-%d\r\n", id, key);
		for (int i = 0; i < 9 && !failed; i++)
			if (ask(fd, request, "END\r\n", answer, sizeof(answer)) < 0 || !strstr(answer, value))
				failed = 3;
		n_done += 10;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int n = argc > 2 ? atoi(argv[2]) : 4;
	pthread_t threads[64];

	port = argc > 1 ? atoi(argv[1]) : 11211;
	deadline = now() + (argc > 3 ? atof(argv[3]) : 1);
	for (long i = 0; i < n; i++)
		(void) pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < n; i++)
		(void) pthread_join(threads[i], NULL);
	(void) printf("%lu operations%s\n", (unsigned long)n_done, failed ? ", failed" : "");
	return failed;
}
