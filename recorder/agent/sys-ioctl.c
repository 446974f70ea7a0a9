/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sys-ioctl - what the kernel writes for each request
 *
 * The number of a request says how many bytes it writes, in the families that are young
 * enough. The older ones, and those whose number says it wrongly, are listed here. A
 * request of an old family that isn't listed is refused with the error of a kernel that
 * doesn't know it either. One of a young family that nobody has looked at is made, and
 * noted: what it writes behind pointers of its own isn't recorded.
 */
#include "recorder/agent/agent.h"

struct ioctl_row {
	uint32_t request;
	uint16_t size;		/* bytes that the kernel writes */
};

static const struct ioctl_row ioctl_rows[] = {
	{ 0x0001, 4 }, { 0x0002, 4 },	/* FIBMAP FIGETBSZ */
	{ 0x0301, 16 }, { 0x030d, 512 },	/* HDIO_GETGEO HDIO_GET_IDENTITY */
	{ 0x2282, 4 },		/* SG_GET_VERSION_NUM */
	{ 0x4b2f, 0 }, { 0x4b30, 0 },	/* KIOCSOUND KDMKTONE */
	{ 0x4b31, 1 }, { 0x4b32, 0 },	/* KDGETLED KDSETLED */
	{ 0x4b33, 1 },		/* KDGKBTYPE */
	{ 0x4b3a, 0 }, { 0x4b3b, 4 },	/* KDSETMODE KDGETMODE */
	{ 0x4b44, 4 }, { 0x4b45, 0 },	/* KDGKBMODE KDSKBMODE */
	{ 0x4b46, 4 }, { 0x4b47, 0 },	/* KDGKBENT KDSKBENT */
	{ 0x4b48, 513 }, { 0x4b49, 0 },	/* KDGKBSENT KDSKBSENT */
	{ 0x4b4c, 8 }, { 0x4b4d, 0 }, { 0x4b4e, 0 },	/* KDGETKEYCODE KDSETKEYCODE KDSIGACCEPT */
	{ 0x4b62, 4 }, { 0x4b63, 0 },	/* KDGKBMETA KDSKBMETA */
	{ 0x4b64, 1 }, { 0x4b65, 0 },	/* KDGKBLED KDSKBLED */
	{ 0x4c03, 168 }, { 0x4c05, 232 },	/* LOOP_GET_STATUS LOOP_GET_STATUS64 */
	{ 0x5600, 4 }, { 0x5601, 8 }, { 0x5603, 6 },	/* VT_OPENQRY VT_GETMODE VT_GETSTATE */
	{ 0x560d, 2 }, { 0x560e, 28 },	/* VT_GETHIFONTMASK VT_WAITEVENT */
	{ 0x5401, 36 },		/* TCGETS */
	{ 0x5402, 0 }, { 0x5403, 0 }, { 0x5404, 0 },	/* TCSETS TCSETSW TCSETSF */
	{ 0x5405, 18 },		/* TCGETA */
	{ 0x5406, 0 }, { 0x5407, 0 }, { 0x5408, 0 },	/* TCSETA... */
	{ 0x5409, 0 }, { 0x540a, 0 }, { 0x540b, 0 },	/* TCSBRK TCXONC TCFLSH */
	{ 0x540c, 0 }, { 0x540d, 0 }, { 0x540e, 0 },	/* TIOCEXCL TIOCNXCL TIOCSCTTY */
	{ 0x540f, 4 },		/* TIOCGPGRP */
	{ 0x5410, 0 },		/* TIOCSPGRP */
	{ 0x5411, 4 },		/* TIOCOUTQ */
	{ 0x5412, 0 },		/* TIOCSTI */
	{ 0x5413, 8 },		/* TIOCGWINSZ */
	{ 0x5414, 0 },		/* TIOCSWINSZ */
	{ 0x5415, 4 },		/* TIOCMGET */
	{ 0x5416, 0 }, { 0x5417, 0 }, { 0x5418, 0 },	/* TIOCMBIS TIOCMBIC TIOCMSET */
	{ 0x5419, 4 }, { 0x541a, 0 },	/* TIOCGSOFTCAR TIOCSSOFTCAR */
	{ 0x541b, 4 },		/* FIONREAD */
	{ 0x541d, 0 },		/* TIOCCONS */
	{ 0x541e, 72 }, { 0x541f, 0 },	/* TIOCGSERIAL TIOCSSERIAL */
	{ 0x5420, 0 }, { 0x5421, 0 }, { 0x5422, 0 },	/* TIOCPKT FIONBIO TIOCNOTTY */
	{ 0x5423, 0 },		/* TIOCSETD */
	{ 0x5424, 4 },		/* TIOCGETD */
	{ 0x5425, 0 }, { 0x5427, 0 }, { 0x5428, 0 },	/* TCSBRKP TIOCSBRK TIOCCBRK */
	{ 0x5429, 4 },		/* TIOCGSID */
	{ 0x802c542a, 44 },	/* TCGETS2 */
	{ 0x402c542b, 0 }, { 0x402c542c, 0 }, { 0x402c542d, 0 },	/* TCSETS2... */
	{ 0x542e, 32 },		/* TIOCGRS485 */
	{ 0x80045430, 4 },	/* TIOCGPTN */
	{ 0x40045431, 0 },	/* TIOCSPTLCK */
	{ 0x80045432, 4 },	/* TIOCGDEV */
	{ 0x40045436, 0 }, { 0x5437, 0 },	/* TIOCSIG TIOCVHANGUP */
	{ 0x80045438, 4 }, { 0x80045439, 4 },	/* TIOCGPKT TIOCGPTLCK */
	{ 0x80045440, 4 },	/* TIOCGEXCL */
	{ 0x5441, 0 },		/* TIOCGPTPEER */
	{ 0x5450, 0 }, { 0x5451, 0 }, { 0x5452, 0 },	/* FIONCLEX FIOCLEX FIOASYNC */
	{ 0x5456, 36 }, { 0x5457, 0 },	/* TIOCGLCKTRMIOS TIOCSLCKTRMIOS */
	{ 0x5459, 4 },		/* TIOCSERGETLSR */
	{ 0x545c, 0 }, { 0x545d, 80 },	/* TIOCMIWAIT TIOCGICOUNT */
	{ 0x5460, 8 },		/* FIOQSIZE */
	{ 0x8901, 0 }, { 0x8902, 0 },	/* FIOSETOWN SIOCSPGRP */
	{ 0x8903, 4 }, { 0x8904, 4 }, { 0x8905, 4 },	/* FIOGETOWN SIOCGPGRP SIOCATMARK */
	{ 0x8906, 16 }, { 0x8907, 16 },	/* SIOCGSTAMP SIOCGSTAMPNS */
	{ 0x80108906, 16 }, { 0x80108907, 16 },
	{ 0x890b, 0 }, { 0x890c, 0 },	/* SIOCADDRT SIOCDELRT */
	{ 0x8910, 40 }, { 0x8913, 40 }, { 0x8915, 40 }, { 0x8917, 40 }, { 0x8919, 40 },
	{ 0x891b, 40 }, { 0x891d, 40 }, { 0x8921, 40 }, { 0x8927, 40 }, { 0x8933, 40 },
	{ 0x8935, 40 }, { 0x8942, 40 }, { 0x8970, 40 },	/* SIOCGIF... */
	{ 0x8911, 0 }, { 0x8914, 0 }, { 0x8916, 0 }, { 0x8918, 0 }, { 0x891a, 0 },
	{ 0x891c, 0 }, { 0x891e, 0 }, { 0x8922, 0 }, { 0x8923, 0 }, { 0x8924, 0 },
	{ 0x8930, 0 }, { 0x8931, 0 }, { 0x8932, 0 }, { 0x8934, 0 }, { 0x8936, 0 },
	{ 0x8937, 0 }, { 0x8943, 0 }, { 0x8971, 0 },	/* SIOCSIF... */
	{ 0x8947, 40 }, { 0x8948, 40 }, { 0x8949, 0 },	/* SIOCGMIIPHY SIOCGMIIREG SIOCSMIIREG */
	{ 0x894b, 4 }, { 0x894c, 0 },	/* SIOCOUTQNSD SIOCGSKNS */
	{ 0x8953, 0 }, { 0x8954, 68 }, { 0x8955, 0 },	/* SIOCDARP SIOCGARP SIOCSARP */
	{ 0x8980, 0 }, { 0x8981, 0 },	/* SIOCADDDLCI SIOCDELDLCI */
	{ 0x8982, 56 }, { 0x8983, 56 },	/* SIOCGIFVLAN SIOCSIFVLAN */
	{ 0x8990, 0 }, { 0x8991, 0 },	/* SIOCBONDENSLAVE SIOCBONDRELEASE */
	{ 0x89a0, 0 }, { 0x89a1, 0 }, { 0x89a2, 0 }, { 0x89a3, 0 },	/* SIOCBR... */
	{ 0x1260, 8 }, { 0x1263, 8 }, { 0x1265, 8 },	/* BLKGETSIZE BLKRAGET BLKFRAGET */
	{ 0x1267, 2 }, { 0x1268, 4 }, { 0x125e, 4 },	/* BLKSECTGET BLKSSZGET BLKROGET */
	{ 0x127b, 4 }, { 0x1278, 4 }, { 0x1279, 4 }, { 0x127a, 4 },	/* BLKPBSZGET... */
	{ 0x127c, 4 }, { 0x127e, 2 },	/* BLKDISCARDZEROES BLKROTATIONAL */
	{ 0x80081270, 4 },	/* BLKBSZGET */
	{ 0x80081272, 8 },	/* BLKGETSIZE64 */
	{ 0x80086601, 4 }, { 0x80087601, 4 },	/* FS_IOC_GETFLAGS GETVERSION */
	{ 0x40086602, 0 }, { 0x40049409, 0 }, { 0x4020940d, 0 },	/* SETFLAGS FICLONE FICLONERANGE */
	{ 0x801c581f, 28 },	/* FS_IOC_FSGETXATTR */
	{ 0xc0045877, 0 }, { 0xc0045878, 0 },	/* FIFREEZE FITHAW */
	{ 0xc0185879, 24 },	/* FITRIM */
	{ 0x81009431, 256 },	/* FS_IOC_GETFSLABEL */
	{ 0x80111500, 17 }, { 0x80811501, 129 },	/* FS_IOC_GETFSUUID GETFSSYSFSPATH */
	{ 0x80045200, 4 },	/* RNDGETENTCNT */
	{ 0x400454ca, 40 }, { 0x800454d2, 40 },	/* TUNSETIFF TUNGETIFF */
	{ 0x800454cf, 4 }, { 0x800454d3, 4 }, { 0x800454d7, 4 },	/* TUNGETFEATURES... */
	{ 0x800454dd, 4 }, { 0x800454df, 4 },	/* TUNGETVNETLE TUNGETVNETBE */
	{ 0x400454cb, 0 }, { 0x400454cc, 0 }, { 0x400454ce, 0 }, { 0x400454d0, 0 },
	{ 0x400454d4, 0 }, { 0x400454d8, 0 }, { 0x400454cd, 0 },	/* TUNSET... */
	{ 0xb704, 4 },		/* NS_GET_OWNER_UID */
	{ 0x8008b705, 8 }, { 0x8008b70d, 8 },	/* NS_GET_MNTNS_ID NS_GET_ID */
	{ 0x80088a02, 8 },	/* EPIOCGPARAMS */
};

/* Requests whose structure says how much comes behind it. */
struct flexible_row {
	uint32_t request;
	uint16_t base;		/* bytes that there are always */
	uint8_t count_at, count_len;
	uint16_t each;
};

static const struct flexible_row flexible_rows[] = {
	{ 0xc020660b, 32, 24, 4, 56 },	/* FS_IOC_FIEMAP */
	{ 0xc0189436, 24, 16, 2, 32 },	/* FIDEDUPERANGE */
	{ 0xc0c0583b, 192, 8, 4, 64 },	/* FS_IOC_GETFSMAP */
	{ 0xc0046686, 4, 2, 2, 1 },	/* FS_IOC_MEASURE_VERITY */
};

enum { DIRECTION_READ = 2u, FLEXIBLE_MAX = 1 << 20 };

static const struct ioctl_row *find_ioctl(uint32_t request)
{
	for (unsigned i = 0; i < sizeof(ioctl_rows) / sizeof(ioctl_rows[0]); i++)
		if (ioctl_rows[i].request == request)
			return &ioctl_rows[i];
	return NULL;
}

/* Old families whose requests don't say what they write: hd, sg, fb, kd, cdrom, tty, net, vfio. */
static bool is_silent_family(uint32_t request)
{
	static const uint8_t families[] = { 0x03, 0x22, 0x3b, 0x46, 0x4b, 0x53, 0x54, 0x89, 0x8b };

	for (unsigned i = 0; i < sizeof(families); i++)
		if ((uint8_t)(request >> 8) == families[i] && (request >> 16 == 0 || families[i] >= 0x89))
			return true;
	return false;
}

/* Young ones, of structures without pointers: input, watchdog, clock, name space, pidfd. */
static bool is_plain_family(uint32_t request)
{
	static const uint8_t families[] = { 0x12, 0x15, 0x45, 0x57, 0x58, 0x66, 0x70, 0x8a, 0x94,
					    0xb7, 0xff };

	for (unsigned i = 0; i < sizeof(families); i++)
		if ((uint8_t)(request >> 8) == families[i])
			return true;
	return false;
}

static void perform_writing(struct thread *thread, struct call *call, uint64_t size)
{
	if (size)
		(void) call_add_span(call, (uint64_t)call->args[2], size, SPAN_FIXED,
				     (uint64_t *)&call->kernel_args[2]);
	call_perform(thread, call);
}

static void refuse(struct thread *thread, struct call *call, long error)
{
	enum { F_GETFD_ = 1 };

	note_refused(NR_ioctl);
	call->result = -error;
	if (!agent_replays() && agent_syscall(NR_fcntl, call->args[0], F_GETFD_) == -EBADF_)
		call->result = -EBADF_;
	call_finish(thread, call);
}

static uint64_t flexible_size(const struct call *call, const struct flexible_row *row)
{
	uint32_t count = 0;

	if (!copy_from_user(&count, (uint64_t)call->args[2] + row->count_at, row->count_len))
		return row->base;
	return MIN(row->base + (uint64_t)count * row->each, FLEXIBLE_MAX);
}

/* Device mapper: the structure's third word is how much is there for an answer. */
static uint64_t mapper_size(const struct call *call)
{
	uint32_t size = 0;

	(void) copy_from_user(&size, (uint64_t)call->args[2] + 12, sizeof(size));
	return MIN(size, (uint32_t)FLEXIBLE_MAX);
}

/* SIOCGIFCONF: a length and a pointer to as many bytes, both written. */
static void interface_list(struct thread *thread, struct call *call)
{
	struct {
		uint32_t len, pad;
		uint64_t buffer;
	} conf;

	call->yields = false;	/* the kernel follows the program's own pointer */
	if (copy_from_user(&conf, (uint64_t)call->args[2], sizeof(conf))) {
		if (conf.buffer)
			(void) call_add_span(call, conf.buffer, conf.len, SPAN_SOCKLEN, NULL);
		(void) call_add_span(call, (uint64_t)call->args[2], 4, SPAN_FIXED, NULL);
	}
	call_perform(thread, call);
}

/* SIOCETHTOOL: behind the interface's name a pointer to what the command is and writes. */
static void ethtool(struct thread *thread, struct call *call)
{
	static const struct {
		uint32_t command, size;
	} rows[] = {
		{ 0x01, 44 }, { 0x03, 196 }, { 0x05, 20 }, { 0x07, 8 }, { 0x0a, 8 },
		{ 0x0e, 92 }, { 0x10, 36 }, { 0x12, 16 }, { 0x14, 8 }, { 0x16, 8 }, { 0x18, 8 },
		{ 0x1e, 8 }, { 0x21, 8 }, { 0x23, 8 }, { 0x25, 8 }, { 0x27, 8 }, { 0x2b, 8 },
		{ 0x3c, 36 }, { 0x41, 44 },
		/* What sets: nothing is written. */
		{ 0x02, 0 }, { 0x06, 0 }, { 0x08, 0 }, { 0x0f, 0 }, { 0x11, 0 }, { 0x13, 0 },
		{ 0x15, 0 }, { 0x17, 0 }, { 0x19, 0 }, { 0x1f, 0 }, { 0x22, 0 }, { 0x24, 0 },
		{ 0x26, 0 }, { 0x28, 0 }, { 0x2c, 0 }, { 0x3d, 0 },
	};
	uint64_t data = 0;
	uint32_t command = 0;

	call->yields = false;	/* as above */
	(void) copy_from_user(&data, (uint64_t)call->args[2] + 16, sizeof(data));
	(void) copy_from_user(&command, data, sizeof(command));
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].command != command)
			continue;
		(void) call_add_span(call, data, rows[i].size, SPAN_FIXED, NULL);
		call_perform(thread, call);
		return;
	}
	refuse(thread, call, EOPNOTSUPP_);
}

void sys_ioctl(struct thread *thread, struct call *call)
{
	enum { SIOCGIFCONF_ = 0x8912, SIOCETHTOOL_ = 0x8946, MAPPER = 0xc138fd };
	uint32_t request = (uint32_t)call->args[1];
	const struct ioctl_row *row = find_ioctl(request);

	if (row) {
		perform_writing(thread, call, row->size);
		return;
	}
	if (request == SIOCGIFCONF_) {
		interface_list(thread, call);
		return;
	}
	if (request == SIOCETHTOOL_) {
		ethtool(thread, call);
		return;
	}
	if (is_silent_family(request)) {
		refuse(thread, call, ENOTTY_);
		return;
	}
	if (request >> 8 == MAPPER) {
		perform_writing(thread, call, mapper_size(call));
		return;
	}
	for (unsigned i = 0; i < sizeof(flexible_rows) / sizeof(flexible_rows[0]); i++) {
		if (flexible_rows[i].request == request) {
			perform_writing(thread, call, flexible_size(call, &flexible_rows[i]));
			return;
		}
	}
	if (!((request >> 30) & DIRECTION_READ)) {
		call_perform(thread, call);
		return;
	}
	if (!is_plain_family(request))
		note_unknown(NR_ioctl);
	perform_writing(thread, call, (request >> 16) & 0x3fff);
}
