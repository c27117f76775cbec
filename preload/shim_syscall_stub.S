/*
 * syscall(3) for programs: numbers of the socket family go to our wrappers,
 * every other number goes to the kernel with nothing changed.
 *
 * In assembly because a C function could not be variadic with seven arguments
 * of unknown presence, and because a child of clone(2) or vfork(2) made
 * through here returns on whatever stack it has: there must be no frame.
 *
 * shim_syscall_route has 512 bytes, not 0 where shim_syscall_routed() is
 * wanted; that function takes the same seven arguments in the same places, so
 * it is reached by a jump and returns to our caller.
 */
#if defined(__x86_64__)
#include <cet.h>

	.text
	.globl	syscall
	.type	syscall, @function
	.p2align 4
syscall:
	.cfi_startproc
	_CET_ENDBR
	cmpq	$511, %rdi
	ja	1f
	leaq	shim_syscall_route(%rip), %rax
	cmpb	$0, (%rax,%rdi)
	jne	shim_syscall_routed
1:	movq	%rdi, %rax
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	movq	%rcx, %rdx
	movq	%r8, %r10
	movq	%r9, %r8
	movq	8(%rsp), %r9
	syscall
	cmpq	$-4095, %rax
	jae	2f
	ret
2:	negl	%eax
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	*__errno_location@GOTPCREL(%rip)
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	movl	%ecx, (%rax)
	movq	$-1, %rax
	ret
	.cfi_endproc
	.size	syscall, .-syscall

#elif defined(__aarch64__)

	.text
	.globl	syscall
	.type	syscall, %function
	.p2align 4
syscall:
	.cfi_startproc
	hint	34			/* bti c */
	cmp	x0, #511
	b.hi	1f
	adrp	x9, shim_syscall_route
	add	x9, x9, :lo12:shim_syscall_route
	ldrb	w9, [x9, x0]
	cbnz	w9, shim_syscall_routed
1:	mov	x8, x0
	mov	x0, x1
	mov	x1, x2
	mov	x2, x3
	mov	x3, x4
	mov	x4, x5
	mov	x5, x6
	svc	0
	cmn	x0, #4095
	b.cs	2f
	ret
2:	neg	w0, w0
	stp	x29, x30, [sp, #-32]!
	.cfi_adjust_cfa_offset 32
	.cfi_rel_offset x29, 0
	.cfi_rel_offset x30, 8
	str	x0, [sp, #16]
	bl	__errno_location
	ldr	x1, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_adjust_cfa_offset -32
	.cfi_restore x29
	.cfi_restore x30
	str	w1, [x0]
	mov	x0, #-1
	ret
	.cfi_endproc
	.size	syscall, .-syscall

#if defined(__ARM_FEATURE_BTI_DEFAULT)
	.section .note.gnu.property, "a"
	.p2align 3
	.word	4, 16, 5
	.asciz	"GNU"
	.word	0xc0000000, 4, 1, 0	/* this object keeps BTI */
#endif
#endif

	.section .note.GNU-stack, "", %progbits
