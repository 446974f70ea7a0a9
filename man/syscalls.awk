# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Writes blackbox-syscalls.7 from the rows of recorder/syscalls.tbl.h.

BEGIN {
	kind["EMULATE"] = kind["CODE"] = "recorded"
	kind["PERFORM"] = kind["REDO"] = "repeated"
	kind["AGENT"] = "emulated"
	kind["REFUSE"] = "refused"

	remark["arch_prctl"] = "%gs, tag bits, shadow stacks, AMX and faults of CPUID are refused"
	remark["getsockopt"] = "TCP_ZEROCOPY_RECEIVE is refused"
	remark["ioctl"] = "unknown requests of terminals and networks are refused, others noted"
	remark["keyctl"] = "unknown operations are refused"
	remark["madvise"] = "MADV_FREE frees at once"
	remark["mseal"] = "replay leaves out what it prevented"
	remark["prctl"] = "PR_SET_TSC, user dispatch and the heap's place are refused"
	remark["process_madvise"] = "only hints; the rest is refused"
	remark["process_vm_writev"] = "to other processes it is refused"
	remark["rseq"] = "always ENOSYS, and not noted: all programs ask for it"
	remark["set_tid_address"] = "the kernel is given a word of the agent's"
	remark["setsockopt"] = "rings of packet, netlink and XDP sockets are refused"
	remark["restart_syscall"] = "always EINTR"

	print ".\\\" SPDX-License-Identifier: LGPL-2.1-or-later"
	print ".\\\" Made from recorder/syscalls.tbl.h; do not edit."
	print ".Dd November 22, 2026\n.Dt BLACKBOX-SYSCALLS 7\n.Os"
	print ".Sh NAME\n.Nm blackbox-syscalls\n.Nd what becomes of each system call of a recorded program"
	print ".Sh DESCRIPTION"
	print "A recorded program's system calls are made by the agent inside its processes,"
	print "which writes their results and all that the kernel wrote to memory into the log."
	print "What it does is one of these:"
	print ".Bl -tag -width repeated"
	print ".It recorded"
	print "Made while recording. A replay takes results and memory from the log and makes nothing."
	print ".It repeated"
	print "It changes the address space, or threads: made while recording, and done again in a"
	print "replay, at the same place."
	print ".It emulated"
	print "The agent keeps itself what the call is about, and does so in a replay, too."
	print "The kernel is told as much as it has to know."
	print ".It refused"
	print "Answered with ENOSYS, as by a kernel that lacks it, and named in the incident's notes."
	print ".El"
	print ".Pp"
	print "Numbers that are not listed get ENOSYS from the kernel itself."
	print "A filter of the program's,"
	print ".Xr seccomp 2 ,"
	print "judges the agent as well. If it lets through all that the agent needs, recording goes"
	print "on under it, and if it doesn't, a process of one thread goes on natively."
	print ".Sh SYSTEM CALLS"
	print "Each with its number, the first kernel that had it on this architecture, and what is done."
	print ".Bl -column \"set_mempolicy_home_node\" \"460\" \"2.6.39\" \"recorded\""
	print ".It Sy Name Ta Sy No. Ta Sy Since Ta Sy Kind"
}

/^\/\* since Linux / { since = $4 }

/^SYS\(/ {
	split(substr($0, 5), field, /, */)
	number = field[1]; name = field[2]; mode = field[3]
	if (mode == "NONE")
		next
	if (!(mode in kind)) {
		print "syscalls.awk: " name ": no such mode: " mode > "/dev/stderr"
		failed = 1
		exit 1
	}
	printf ".It %s Ta %s Ta %s Ta %s", name, number, since, kind[mode]
	print name in remark ? "; " remark[name] : ""
	if (name in remark)
		delete remark[name]
}

END {
	if (failed)
		exit 1
	for (name in remark) {
		print "syscalls.awk: " name " has no row" > "/dev/stderr"
		exit 1
	}
	print ".El"
	print ".Sh SEE ALSO\n.Xr blackboxctl 1 ,\n.Xr syscalls 2 ,\n.Xr blackboxd 8"
}
