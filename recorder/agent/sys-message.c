/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-message - recvfrom, sendmsg, recvmsg and their plural forms
 *
 * The kernel gets a copy of each msghdr, so that its nested pointers can lead to
 * scratch; the fields that it writes there come back as spans.
 */
#include "recorder/agent/agent.h"

struct msghdr64 {
	uint64_t name;
	uint32_t namelen, pad0;
	uint64_t iov, iovlen, control, controllen;
	uint32_t flags, pad1;
};
static_assert(sizeof(struct msghdr64) == 56, "kernel ABI");

struct mmsghdr64 {
	struct msghdr64 header;
	uint32_t len, pad;
};

/* TCP throws bytes away with MSG_TRUNC: the result counts them, and nothing is written. */
enum { MAX_MESSAGES = 1024, SPANS_PER_MESSAGE = 7, MAX_IOV = 1024, MSG_TRUNC_ = 0x20 };

/* A field of the copied header that the kernel writes. */
static void add_field(struct call *call, uint64_t user, void *copy, uint64_t len)
{
	struct span *span = call_add_span(call, user, len, SPAN_FIXED, NULL);

	if (span)
		call_redirect(call, span, copy);
}

/*
 * @message: 0, or the how manieth of several; @length then is where the kernel says how
 * long it is.
 */
static void receive_into(struct thread *thread, struct call *call, uint64_t user,
			 struct msghdr64 *copy, uint32_t message, const uint32_t *length)
{
	uint32_t first = call->n_spans, first_iov;
	void *iov;

	if (copy->name) {
		(void) call_add_span(call, copy->name, copy->namelen, SPAN_SOCKLEN, &copy->name);
		add_field(call, user + offsetof(struct msghdr64, namelen), &copy->namelen, 4);
	}
	first_iov = call->n_spans;
	iov = call_add_iovec(thread, call, copy->iov, copy->iovlen);
	if (iov)
		copy->iov = (uint64_t)iov;
	for (uint32_t i = first_iov; i < call->n_spans; i++) {
		call->spans[i].carry_in = call->args[call->nr == NR_recvmmsg ? 3 : 2] & MSG_TRUNC_;
		if (length)
			call->spans[i].rule = SPAN_MESSAGE_BYTES;
		call->spans[i].length = length;
	}
	if (copy->control)
		(void) call_add_span(call, copy->control, copy->controllen, SPAN_LENGTH64,
				     &copy->control);
	add_field(call, user + offsetof(struct msghdr64, controllen), &copy->controllen, 8);
	add_field(call, user + offsetof(struct msghdr64, flags), &copy->flags, 4);
	if (length)
		add_field(call, user + offsetof(struct mmsghdr64, len), (void *)length, 4);
	for (uint32_t i = first; i < call->n_spans; i++)
		call->spans[i].message = message;
}

/* Room for the spans of @n messages with their iovecs. */
static bool make_spans(struct thread *thread, struct call *call, const struct mmsghdr64 *messages,
		       size_t stride, uint64_t n)
{
	uint64_t spans = 1;	/* recvmmsg's timeout */

	for (uint64_t i = 0; i < n; i++) {
		const struct msghdr64 *header =
			(const struct msghdr64 *)((const uint8_t *)messages + i * stride);

		spans += SPANS_PER_MESSAGE + MIN(header->iovlen, MAX_IOV);
	}
	call->spans = call_scratch(thread, spans * sizeof(struct span));
	call->max_spans = call->spans ? (uint32_t)spans : 0;
	call->n_spans = 0;
	return call->spans != NULL;
}

static void receive(struct thread *thread, struct call *call, uint64_t n, size_t stride)
{
	uint8_t *copies = call_scratch(thread, n * stride);
	uint64_t user = (uint64_t)call->args[1], timeout = 0;

	if (!copies || !copy_from_user(copies, user, n * stride) ||
	    !make_spans(thread, call, (struct mmsghdr64 *)copies, stride, n)) {
		call_perform(thread, call);	/* the kernel will say EFAULT */
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct mmsghdr64 *copy = (struct mmsghdr64 *)(copies + i * stride);
		bool plural = stride == sizeof(struct mmsghdr64);

		receive_into(thread, call, user + i * stride, &copy->header, plural ? i + 1 : 0,
			     plural ? &copy->len : NULL);
	}
	/* recvmmsg writes back what is left of its timeout. */
	if (call->nr == NR_recvmmsg)
		timeout = (uint64_t)call->args[4];
	(void) call_add_span(call, timeout, 16, SPAN_ALWAYS, (uint64_t *)&call->kernel_args[4]);
	call->kernel_args[1] = (long)copies;
	call_perform(thread, call);
}

static void send_many(struct thread *thread, struct call *call)
{
	uint64_t n = MIN((uint64_t)(uint32_t)call->args[2], MAX_MESSAGES);
	uint64_t user = (uint64_t)call->args[1];
	struct mmsghdr64 *copies = call_scratch(thread, n * sizeof(*copies));

	/* The kernel writes the lengths to a copy. Without room, fewer messages are sent at once. */
	if (copies && !copy_from_user(copies, user, n * sizeof(*copies)))
		copies = NULL;
	call->spans = call_scratch(thread, n * sizeof(struct span));
	call->max_spans = call->spans ? (uint32_t)n : 0;
	call->n_spans = 0;
	call->kernel_args[2] = (long)n;
	for (uint64_t i = 0; i < n; i++) {
		struct span *span = call_add_span(call, user + i * sizeof(struct mmsghdr64) +
							offsetof(struct mmsghdr64, len),
						  4, SPAN_FIXED, NULL);

		if (!span)
			break;
		span->message = (uint32_t)i + 1;
		if (copies)
			call_redirect(call, span, &copies[i].len);
		call->kernel_args[2] = (long)i + 1;
	}
	if (copies)
		call->kernel_args[1] = (long)copies;
	call_perform(thread, call);
}

void sys_message(struct thread *thread, struct call *call)
{
	switch (call->nr) {
	case NR_recvmsg:
		receive(thread, call, 1, sizeof(struct msghdr64));
		break;
	case NR_recvmmsg: {
		uint64_t n = MIN((uint64_t)(uint32_t)call->args[2], MAX_MESSAGES);

		call->kernel_args[2] = (long)n;
		receive(thread, call, n, sizeof(struct mmsghdr64));
		break;
	}
	case NR_sendmmsg:
		send_many(thread, call);
		break;
	case NR_recvfrom:
		if (call->n_spans && (call->args[3] & MSG_TRUNC_))
			call->spans[0].carry_in = true;
		call_perform(thread, call);
		break;
	default:
		call_perform(thread, call);
	}
}
