/* SPDX-License-Identifier: LGPL-2.1-or-later */
	.section .rodata
	.globl	agent_image, agent_image_end
	.balign	4096
agent_image:
	.incbin	"recorder/agent/image.bin"
agent_image_end:
	.byte	0
	.section .note.GNU-stack, "", @progbits
